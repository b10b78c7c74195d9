import { type Chosen, fromHandle } from './files.ts';

interface LaunchQueue {
  setConsumer(consumer: (params: { files?: readonly FileSystemHandle[] }) => void): void;
}

/**
 * Files that the system hands over when the installed app is opened by double click. Has to be
 * called before the first paint, or the files of the start are lost.
 */
export function listenForLaunches(open: (chosen: Chosen[]) => Promise<void>): void {
  const queue = (globalThis as { launchQueue?: LaunchQueue }).launchQueue;
  queue?.setConsumer((params) => {
    const handles = (params.files ?? []).filter((one) => one instanceof FileSystemFileHandle);
    if (handles.length > 0) void Promise.all(handles.map(fromHandle)).then(open);
  });
}
