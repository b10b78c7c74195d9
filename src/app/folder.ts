/**
 * Folders that the person gives: which files are in there. They are looked at by name only, and
 * opened when one of them is wanted.
 */
import { type Chosen, type Dropped, fromHandle, IMAGE_SUFFIXES, isAbort } from './files.ts';

/** A file in a folder, not opened yet. */
export interface FoundFile {
  name: string;
  /** From the folder that was given: `vm/disks/base.qcow2`. */
  path: string;
  open: () => Promise<Chosen>;
}

/** What was given at once. */
export interface Findings {
  /** Files that were given themselves. */
  files: Chosen[];
  /** All files: those, and those in folders. */
  all: FoundFile[];
  /** Names that were looked at, folders counted too. */
  looked: number;
  /** There were more than are looked at. */
  cut: boolean;
}

/** Names that are looked at in all folders together. */
export const MOST_NAMES = 10_000;
/** Images of a folder that are opened at once. */
const MOST_IMAGES = 20;

/** Something in a folder, however the browser gives it. */
type Node =
  | { kind: 'file'; name: string; open: () => Promise<Chosen> }
  | { kind: 'folder'; name: string; children: () => AsyncIterable<Node> };

/** Files as if they had been given in a folder. */
export function findingsOf(files: Chosen[]): Findings {
  const all = files.map((chosen) => ({
    name: chosen.file.name,
    path: chosen.file.webkitRelativePath || chosen.file.name,
    open: () => Promise.resolve(chosen),
  }));
  return { files, all, looked: all.length, cut: false };
}

/** What a drop holds, folders to their depths. */
export async function readDrop(dropped: readonly Dropped[]): Promise<Findings> {
  const nodes = await Promise.all(dropped.map(nodeOf));
  return readNodes(nodes.filter((node) => node !== undefined));
}

/** Asks for a folder; undefined when the person changed their mind. Needs a click or key. */
export async function chooseFolder(): Promise<Findings | undefined> {
  if (typeof globalThis.showDirectoryPicker !== 'function') return chooseFolderByInput();
  try {
    const handle = await showDirectoryPicker({ id: 'images', mode: 'read' });
    return await readNodes([handleNode(handle)]);
  } catch (error) {
    if (isAbort(error)) return undefined;
    throw error;
  }
}

/** With the images of a folder taken for files that were given: those that lie highest in it. */
export async function withImages(found: Findings): Promise<Findings> {
  if (found.files.length > 0) return found;
  const images = found.all.filter(({ name }) =>
    IMAGE_SUFFIXES.some((suffix) => name.toLowerCase().endsWith(suffix)),
  );
  const depth = Math.min(...images.map(({ path }) => depthOf(path)));
  const nearest = images.filter(({ path }) => depthOf(path) === depth).slice(0, MOST_IMAGES);
  return { ...found, files: await Promise.all(nearest.map((image) => image.open())) };
}

function depthOf(path: string): number {
  return path.split('/').length;
}

function chooseFolderByInput(): Promise<Findings | undefined> {
  const input = document.createElement('input');
  input.type = 'file';
  input.webkitdirectory = true;
  return new Promise((resolve) => {
    const done = (): void => {
      const files = [...(input.files ?? [])];
      const chosen = files.slice(0, MOST_NAMES).map((file) => ({ file, handle: undefined }));
      const cut = files.length > MOST_NAMES;
      resolve({ ...findingsOf(chosen), files: [], cut });
    };
    input.addEventListener('change', done, { once: true });
    input.addEventListener('cancel', () => resolve(undefined), { once: true });
    input.click();
  });
}

async function nodeOf({ file, handle, entry }: Dropped): Promise<Node | undefined> {
  const known = await handle;
  if (known !== null && known !== undefined) return handleNode(known);
  if (entry?.isDirectory === true) return entryNode(entry);
  if (file === null) return undefined;
  const chosen = { file, handle: undefined };
  return { kind: 'file', name: file.name, open: () => Promise.resolve(chosen) };
}

function handleNode(handle: FileSystemHandle): Node {
  const { name } = handle;
  if (handle instanceof FileSystemFileHandle) {
    return { kind: 'file', name, open: () => fromHandle(handle) };
  }
  const folder = handle as FileSystemDirectoryHandle;
  return {
    kind: 'folder',
    name,
    children: async function* () {
      for await (const child of folder.values()) yield handleNode(child);
    },
  };
}

function entryNode(entry: FileSystemEntry): Node {
  const { name } = entry;
  if (entry.isFile) {
    const open = async (): Promise<Chosen> => {
      const file = await new Promise<File>((resolve, reject) => {
        (entry as FileSystemFileEntry).file(resolve, reject);
      });
      return { file, handle: undefined };
    };
    return { kind: 'file', name, open };
  }
  return { kind: 'folder', name, children: () => entriesOf(entry as FileSystemDirectoryEntry) };
}

/** A reader gives its entries in pieces; an empty one is the last. */
async function* entriesOf(folder: FileSystemDirectoryEntry): AsyncIterable<Node> {
  const reader = folder.createReader();
  for (;;) {
    const batch = await new Promise<FileSystemEntry[]>((resolve, reject) => {
      reader.readEntries(resolve, reject);
    });
    if (batch.length === 0) return;
    yield* batch.map(entryNode);
  }
}

/** Nearest first: what lies in the folder itself, then what lies one deeper. */
async function readNodes(given: readonly Node[]): Promise<Findings> {
  const found: Findings = { files: [], all: [], looked: 0, cut: false };
  const folders: { node: Node & { kind: 'folder' }; path: string }[] = [];
  const add = (node: Node, folder: string): void => {
    found.looked += 1;
    const path = `${folder}${node.name}`;
    if (node.kind === 'folder') folders.push({ node, path: `${path}/` });
    else found.all.push({ name: node.name, path, open: node.open });
  };
  for (const node of given) add(node, '');
  found.files = await Promise.all(found.all.map((file) => file.open()));
  for (let next = folders.shift(); next !== undefined; next = folders.shift()) {
    try {
      for await (const child of next.node.children()) {
        if (found.looked >= MOST_NAMES) return { ...found, cut: true };
        add(child, next.path);
      }
    } catch {
      // A folder that may not be read: what it holds is not there.
    }
  }
  return found;
}
