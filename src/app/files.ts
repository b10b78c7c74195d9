/**
 * How files come in and go out. Two ways for ever: pickers with handles (Chromium) and
 * `<input type=file>` with downloads (everywhere); chosen by what the browser has, at each call.
 */

/** A file that the person gave us, with the handle that opens it again where there is one. */
export interface Chosen {
  file: File;
  handle: FileSystemFileHandle | undefined;
  /** Ours, not the person's: the sample, or a result kept in the browser. Not a recent file. */
  own?: boolean;
  /** Under which name it lies in private storage, where it does. */
  stored?: string;
}

/** What the file manager offers first; any other file can be chosen too. */
export const IMAGE_SUFFIXES = [
  ...['.qcow2', '.qcow', '.img', '.raw', '.vmdk', '.vhd', '.vhdx', '.avhd', '.avhdx', '.vdi'],
  ...['.qed', '.hds', '.hdd', '.dmg'],
] as const;

export function hasOpenPicker(): boolean {
  return typeof globalThis.showOpenFilePicker === 'function';
}

export function hasSavePicker(): boolean {
  return typeof globalThis.showSaveFilePicker === 'function';
}

/** Asks for files; an empty list when the person changed their mind. Needs a click or key. */
export async function chooseFiles(multiple: boolean): Promise<Chosen[]> {
  return hasOpenPicker() ? await pick(multiple) : await chooseByInput(multiple);
}

async function pick(multiple: boolean): Promise<Chosen[]> {
  try {
    const handles = await showOpenFilePicker({ id: 'images', multiple });
    return await Promise.all(handles.map(fromHandle));
  } catch (error) {
    if (isAbort(error)) return [];
    throw error;
  }
}

function chooseByInput(multiple: boolean): Promise<Chosen[]> {
  const input = document.createElement('input');
  input.type = 'file';
  input.multiple = multiple;
  return new Promise((resolve) => {
    input.addEventListener('change', () => resolve(fromList(input.files)), { once: true });
    input.addEventListener('cancel', () => resolve([]), { once: true });
    input.click();
  });
}

export async function fromHandle(handle: FileSystemFileHandle): Promise<Chosen> {
  return { file: await handle.getFile(), handle };
}

/** Whether nothing tells two files apart; browsers do not say where a file lies. */
export function isSameFile(a: File, b: File): boolean {
  return a.name === b.name && a.size === b.size && a.lastModified === b.lastModified;
}

export function fromList(files: FileList | null): Chosen[] {
  return [...(files ?? [])].map((file) => ({ file, handle: undefined }));
}

/** One thing that was dropped: a file or a folder, as the browser gives it. */
export interface Dropped {
  file: File | null;
  /** Chromium. */
  handle: Promise<FileSystemHandle | null> | undefined;
  /** The others. */
  entry: FileSystemEntry | null;
}

/** What was dropped. To be called within the event: its list is emptied after it. */
export function takeDrop(data: DataTransfer): Dropped[] {
  return [...data.items]
    .filter((item) => item.kind === 'file')
    .map((item) => ({
      file: item.getAsFile(),
      handle: item.getAsFileSystemHandle?.(),
      entry: item.webkitGetAsEntry(),
    }));
}

/** Asks where a result goes; undefined when the person changed their mind. Needs a click or key. */
export async function chooseTarget(name: string): Promise<FileSystemFileHandle | undefined> {
  try {
    return await showSaveFilePicker({ id: 'results', suggestedName: name });
  } catch (error) {
    if (isAbort(error)) return undefined;
    throw error;
  }
}

export function hasFolderPicker(): boolean {
  return typeof globalThis.showDirectoryPicker === 'function';
}

/** Asks for a folder to write into; undefined when the person changed their mind. */
export async function chooseTargetFolder(): Promise<FileSystemDirectoryHandle | undefined> {
  try {
    return await showDirectoryPicker({ id: 'results', mode: 'readwrite' });
  } catch (error) {
    if (isAbort(error)) return undefined;
    throw error;
  }
}

/**
 * Gives a file out as a download. Its address is kept until the page closes: the browser may read
 * it for many minutes, and it costs no memory.
 */
export function download(file: Blob, name: string): void {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(file);
  link.download = name;
  link.click();
}

/** Puts text on the clipboard; false when the browser does not allow it. */
export async function copyText(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

export function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
