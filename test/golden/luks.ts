/** Encrypted images by the real program. */
import { make } from './programs.ts';

/** A `--object` for each passphrase: `s0` is the first, and so on. */
export function secrets(...passphrases: readonly string[]): string[] {
  return passphrases.flatMap((data, index) => [
    '--object',
    `secret,id=s${index},data=${data.replaceAll(',', ',,')}`,
  ]);
}

/** Where processor time is counted in ticks, timing the key derivation fails now and then. */
async function retried(work: () => Promise<void>): Promise<void> {
  for (let attempt = 0; ; attempt++) {
    try {
      await work();
      return;
    } catch (error) {
      if (attempt === 20 || !String(error).includes('accurate CPU usage')) throw error;
    }
  }
}

/** Makes an image that is encrypted with the passphrase of `s0`. */
export async function createEncrypted(
  path: string,
  size: string,
  options: readonly string[],
  objects: readonly string[],
  ...more: readonly string[]
): Promise<void> {
  const all = [
    ...(options.some((option) => option.startsWith('encrypt.format'))
      ? []
      : ['encrypt.format=luks']),
    ...['encrypt.key-secret=s0', ...options],
  ];
  if (all.includes('encrypt.format=luks')) all.push('encrypt.iter-time=10');
  const list = all.join(',');
  await retried(() =>
    make('qemu-img', [
      ...['create', '-q', '-f', 'qcow2', ...objects, '-o', list, ...more, path, size],
    ]),
  );
}

/** Changes key slots: `options` as `amend` takes them. */
export async function amend(
  path: string,
  objects: readonly string[],
  options: readonly string[],
  secret = 's0',
): Promise<void> {
  const node = `driver=qcow2,file.filename=${path},encrypt.key-secret=${secret}`;
  const list = options.join(',');
  await retried(() =>
    make('qemu-img', ['amend', '-q', '--force', ...objects, '--image-opts', node, '-o', list]),
  );
}

/** Runs commands of qemu-io on an encrypted image. */
export async function writeEncrypted(
  node: string,
  objects: readonly string[],
  commands: readonly string[],
): Promise<void> {
  const all = commands.flatMap((command) => ['-c', command]);
  await make('qemu-io', [...all, ...objects, '--image-opts', node]);
}
