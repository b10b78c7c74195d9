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
}

/** What the file manager offers first; any other file can be chosen too. */
export const IMAGE_SUFFIXES = ['.qcow2', '.qcow', '.img', '.raw'] as const;

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

export function fromList(files: FileList | null): Chosen[] {
  return [...(files ?? [])].map((file) => ({ file, handle: undefined }));
}

/** The files of a drop, with handles where the browser has them; folders give their images. */
export async function fromDrop(data: DataTransfer): Promise<Chosen[]> {
  // All items have to be asked within the event: the list is emptied after it.
  const asked = [...data.items]
    .filter((item) => item.kind === 'file')
    .map((item) => ({ file: item.getAsFile(), handle: item.getAsFileSystemHandle?.() }));
  const found = await Promise.all(
    asked.map(async (one) => fromDropped(one.file, await one.handle)),
  );
  return found.flat();
}

async function fromDropped(
  file: File | null,
  handle: FileSystemHandle | null | undefined,
): Promise<Chosen[]> {
  if (handle instanceof FileSystemDirectoryHandle) return await imagesIn(handle);
  if (handle instanceof FileSystemFileHandle) return [await fromHandle(handle)];
  return file === null ? [] : [{ file, handle: undefined }];
}

async function imagesIn(folder: FileSystemDirectoryHandle): Promise<Chosen[]> {
  const found: Chosen[] = [];
  for await (const entry of folder.values()) {
    const isImage = IMAGE_SUFFIXES.some((suffix) => entry.name.toLowerCase().endsWith(suffix));
    if (isImage && entry instanceof FileSystemFileHandle) found.push(await fromHandle(entry));
    if (found.length === 20) break;
  }
  return found;
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

function isAbort(error: unknown): boolean {
  return error instanceof DOMException && error.name === 'AbortError';
}
