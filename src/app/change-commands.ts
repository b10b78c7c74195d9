/** The command lines of qemu-img that make the same changes. */
import type { Edit, ImageInfo, MadeEdit, SnapshotChoice } from '../worker/api.ts';
import { optionList } from './change-words.ts';
import { images } from './images.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { quote } from './target.ts';

/** How the options of a command name the keys of an image. */
const KEY = 'key';
const NEW_KEY = 'new';
/** Passphrases come from files: on a command line, everybody on that computer would see them. */
const SECRET = `--object secret,id=${KEY},file=passphrase.txt`;
const NEW_SECRET = `--object secret,id=${NEW_KEY},file=new-passphrase.txt`;

/** Changes that are wished, in their order. */
export function commandsOf(image: OpenImage, edits: readonly Edit[]): string[] {
  return edits.map((edit) => commandOf(image, edit)).filter((line) => line !== undefined);
}

/** Changes that are made, in their order. */
export function commandsOfMade(image: OpenImage, made: readonly MadeEdit[]): string[] {
  return made
    .map(({ edit, oldSize }) => commandOf(image, edit, oldSize))
    .filter((line) => line !== undefined);
}

/**
 * Undefined where qemu-img has no command for it.
 * @param oldSize of the disk before it, bytes
 */
export function commandOf(
  image: OpenImage,
  edit: Edit,
  oldSize: number = image.info?.virtualSize ?? 0,
): string | undefined {
  const at = placeOf(image);
  switch (edit.kind) {
    case 'repair':
    case 'patch':
    case 'empty':
      return undefined;
    case 'command':
      return edit.line;
    case 'create-snapshot':
    case 'apply-snapshot':
    case 'delete-snapshot':
      return snapshotCommand(image.info, edit, at);
    case 'resize': {
      const shrink = edit.size < oldSize ? ' --shrink' : '';
      return `qemu-img resize${shrink} ${at.words} ${edit.size}`;
    }
    case 'add-bitmap':
    case 'clear-bitmap':
    case 'remove-bitmap':
    case 'enable-bitmap':
    case 'disable-bitmap':
    case 'merge-bitmap':
      return `qemu-img bitmap ${bitmapAction(edit)} ${at.words} ${quote(edit.name)}`;
    case 'rename-backing':
      return `qemu-img rebase -u ${below(edit.name, edit.format)} ${at.words}`;
    case 'rebase': {
      const compress = edit.compress ? '-c ' : '';
      const to = edit.to === undefined ? "-b ''" : below(edit.to.name, edit.to.format);
      return `qemu-img rebase ${compress}${to} ${at.words}`;
    }
    case 'amend':
      return `qemu-img amend -o ${quote(optionList(edit.options))} ${at.words}`;
    case 'commit':
      return commitCommand(images.list.find(({ opened }) => opened?.id === edit.from));
    case 'add-passphrase':
    case 'remove-passphrase':
      return keyCommand(image, edit);
  }
}

interface Place {
  /** What names the image, with its format. */
  words: string;
  /** The same for commands that find out the format by themselves. */
  short: string;
}

function placeOf({ info, diskName }: OpenImage): Place {
  const format = info?.format ?? 'qcow2';
  if (info?.encrypted !== true) {
    return { words: `-f ${format} ${quote(diskName)}`, short: quote(diskName) };
  }
  const file = diskName.replaceAll(',', ',,');
  const key = format === 'luks' ? 'key-secret' : 'encrypt.key-secret';
  const options = quote(`driver=${format},${key}=${KEY},file.filename=${file}`);
  const words = `${SECRET} --image-opts ${options}`;
  return { words, short: words };
}

function below(name: string, format: string): string {
  const recorded = format === '' ? '' : ` -F ${format}`;
  return `-b ${quote(name)}${recorded}`;
}

type SnapshotEdit = Extract<
  Edit,
  { kind: 'create-snapshot' | 'apply-snapshot' | 'delete-snapshot' }
>;

function snapshotCommand(
  info: ImageInfo | undefined,
  edit: SnapshotEdit,
  { short }: Place,
): string | undefined {
  if (edit.kind === 'create-snapshot') return `qemu-img snapshot -c ${quote(edit.name)} ${short}`;
  const all = info?.snapshots ?? [];
  const { snapshot } = edit;
  if (edit.kind === 'delete-snapshot') {
    // Deleting goes by the name alone, and the first one of that name goes.
    const first = all.find(({ name }) => name === snapshot.name);
    if (first !== undefined && first.id !== snapshot.id) return undefined;
    return `qemu-img snapshot -d ${quote(snapshot.name)} ${short}`;
  }
  return `qemu-img snapshot -a ${quote(keyOf(all, snapshot))} ${short}`;
}

/** Going back looks for the id first, then for the name. */
function keyOf(all: ImageInfo['snapshots'], { id, name }: SnapshotChoice): string {
  const others = all.filter((one) => one.id !== id || one.name !== name);
  const isClear = others.every((one) => one.id !== name && one.name !== name);
  return isClear && name !== '' ? name : id;
}

type BitmapEdit = Extract<Edit, { kind: `${string}-bitmap` }>;

function bitmapAction(edit: BitmapEdit): string {
  switch (edit.kind) {
    case 'add-bitmap':
      return [
        '--add',
        ...(edit.granularity === undefined ? [] : [`-g ${edit.granularity}`]),
        ...(edit.disabled === true ? ['--disable'] : []),
      ].join(' ');
    case 'merge-bitmap':
      return `--merge ${quote(edit.from)}`;
    case 'clear-bitmap':
      return '--clear';
    case 'remove-bitmap':
      return '--remove';
    case 'enable-bitmap':
      return '--enable';
    case 'disable-bitmap':
      return '--disable';
  }
}

/** It is the overlay that is named; `-d` leaves it as it is. */
function commitCommand(overlay: OpenImage | undefined): string | undefined {
  return overlay && `qemu-img commit -d ${placeOf(overlay).words}`;
}

type KeyEdit = Extract<Edit, { kind: 'add-passphrase' | 'remove-passphrase' }>;

function keyCommand(image: OpenImage, edit: KeyEdit): string {
  const prefix = image.info?.format === 'luks' ? '' : 'encrypt.';
  const isNew = edit.kind === 'add-passphrase';
  const options = [
    ...(isNew ? ['state=active', `new-secret=${NEW_KEY}`] : ['state=inactive']),
    ...(edit.slot === undefined ? [] : [`keyslot=${edit.slot}`]),
  ].map((one) => prefix + one);
  const secret = isNew ? `${NEW_SECRET} ` : '';
  return `qemu-img amend ${secret}-o ${options.join(',')} ${placeOf(image).words}`;
}

/** Lines that compare two states of a disk; undefined is the disk as it is now. */
export function compareCommands(
  image: OpenImage,
  first: SnapshotChoice | undefined,
  second: SnapshotChoice | undefined,
): string[] {
  const at = placeOf(image);
  const isPlain = image.info?.encrypted !== true;
  const lines: string[] = [];
  const state = (choice: SnapshotChoice | undefined, name: string): [string, string] => {
    if (choice === undefined && isPlain) return [image.info?.format ?? 'qcow2', image.diskName];
    const which = choice === undefined ? '' : `-l ${quote(`snapshot.id=${choice.id}`)} `;
    const source = isPlain ? `${which}-O raw ${at.words}` : `${at.words} ${which}-O raw`;
    lines.push(`qemu-img convert ${source} ${name}`);
    return ['raw', name];
  };
  const [a, b] = [state(first, 'first.raw'), state(second, 'second.raw')];
  return [...lines, `qemu-img compare -f ${a[0]} -F ${b[0]} ${quote(a[1])} ${quote(b[1])}`];
}
