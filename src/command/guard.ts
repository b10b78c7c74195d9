/** `qemu-img guard`: notices that a backing file has changed. Not in the real program. */
import {
  dropFingerprint,
  editQcow2,
  fingerprintOf,
  guardFactsOf,
  isLayered,
  keepFingerprint,
  keptFingerprint,
  Qcow2Image,
  type GuardFacts,
} from '../engine/index.ts';
import type { Disk } from '../engine/formats/format.ts';
import {
  COMMON,
  CommandFailure,
  outputFormat,
  readArguments,
  usageFailure,
  type Arguments,
  type Context,
} from './context.ts';
import { editByName } from './editing.ts';
import { openByName } from './images.ts';
import { formatJson } from './json.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.output,
  { id: 'keep', long: 'keep' },
  { id: 'drop', long: 'drop' },
  { id: 'verify', long: 'verify' },
  COMMON.quiet,
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
  COMMON.undo,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const EXIT_CHANGED = 2;
const EXIT_NOTHING = 3;

/** How a guarded image stands, as `--output=json` says it. */
type Status = 'same' | 'changed' | 'nothing' | 'kept' | 'dropped';

interface Answer {
  readonly status: Status;
  /** As the image names it. */
  readonly base: string;
  readonly facts?: GuardFacts | undefined;
}

export async function guard(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const chosen = (['keep', 'drop', 'verify'] as const).filter((id) => given.has(id));
  if (chosen.length > 1) throw usageFailure('--keep, --drop and --verify exclude each other');
  const output = outputFormat(given.value('output'));
  const [task = 'verify'] = chosen;
  if (task === 'verify' && given.has('undo')) throw usageFailure('--verify changes nothing');
  const answer =
    task === 'verify'
      ? await verify(context, name, given)
      : await change(context, name, given, task);
  if (!given.has('quiet')) {
    const text = output === 'json' ? formatJson(jsonOf(name, answer)) : sentence(answer);
    context.host.stdout(`${text}\n`);
  }
  if (answer.status === 'nothing') return EXIT_NOTHING;
  return answer.status === 'changed' ? EXIT_CHANGED : 0;
}

function requestOf(name: string, given: Arguments<Id>) {
  return { name, format: given.value('format'), imageOpts: given.has('image-opts') };
}

async function verify(context: Context, name: string, given: Arguments<Id>): Promise<Answer> {
  const image = await openByName(context, { ...requestOf(name, given), mode: 'read' });
  try {
    const base = baseOf(image.disk, name);
    const { signal, host } = context;
    const facts = await guardFactsOf(image.disk, undefined, { signal, hasher: host.hasher });
    if (facts === undefined) return { status: 'nothing', base };
    return { status: facts.changes.length === 0 ? 'same' : 'changed', base, facts };
  } finally {
    await image.close();
  }
}

/** Writes into the header, or takes away what is there. */
async function change(
  context: Context,
  name: string,
  given: Arguments<Id>,
  task: 'keep' | 'drop',
): Promise<Answer> {
  // What is forgotten needs no backing file.
  const mode = task === 'keep' ? ('read' as const) : ('info' as const);
  const request = { ...requestOf(name, given), mode, undo: given.value('undo') };
  return editByName(context, request, async ({ disk }) => {
    const base = task === 'keep' ? baseOf(disk, name) : nameBelow(disk);
    if (!(disk instanceof Qcow2Image)) {
      throw new CommandFailure(`'${name}' is no qcow2 image: its header has no room for it`);
    }
    if (task === 'drop' && keptFingerprint(disk.header) === undefined) {
      return { status: 'nothing', base };
    }
    const writer = await editQcow2(disk);
    if (task === 'drop') dropFingerprint(writer);
    else await keep(context, disk, writer);
    await writer.flush();
    return { status: task === 'keep' ? 'kept' : 'dropped', base };
  });
}

async function keep(
  { signal, host }: Context,
  { backing }: Qcow2Image,
  writer: Parameters<typeof keepFingerprint>[0],
): Promise<void> {
  if (backing === undefined) return;
  const options = { signal, hasher: host.hasher };
  keepFingerprint(writer, await fingerprintOf(backing, Date.now(), options));
}

function nameBelow(disk: Disk): string {
  return isLayered(disk) ? disk.backingName : '';
}

/** The name of the backing file, which is open. @throws CommandFailure without one */
function baseOf(disk: Disk, name: string): string {
  if (disk.backing === undefined) throw new CommandFailure(`'${name}' has no backing file`);
  return nameBelow(disk);
}

function jsonOf(name: string, { status, base, facts }: Answer) {
  return {
    ...{ filename: name, 'backing-filename': base, status },
    since: facts && new Date(facts.since).toISOString(),
    changes: facts?.changes,
    'other-base': facts?.otherBase,
  };
}

const PARTS: Readonly<Record<GuardFacts['changes'][number], string>> = {
  size: 'the size of its file',
  'virtual-size': 'the size of its disk',
  metadata: 'its header or tables',
  content: 'its content',
};

function sentence({ status, base, facts }: Answer): string {
  const what = `The backing file '${base}'`;
  switch (status) {
    case 'kept':
      return `${what} is remembered as it is now.`;
    case 'dropped':
      return `What was remembered of the backing file is forgotten.`;
    case 'nothing':
      return 'Nothing is remembered of the backing file; --keep remembers it.';
    case 'same':
    case 'changed':
      return verdict(what, facts);
  }
}

function verdict(what: string, facts: GuardFacts | undefined): string {
  const since = new Date(facts?.since ?? 0).toISOString().replace('T', ' ').slice(0, 19);
  const changes = (facts?.changes ?? []).map((part) => PARTS[part]).join(', ');
  const other = facts?.otherBase === true ? '\nThe image named another backing file then.' : '';
  if (changes === '') return `${what} is what it was on ${since} UTC.${other}`;
  return `${what} HAS CHANGED since ${since} UTC: ${changes}.${other}`;
}
