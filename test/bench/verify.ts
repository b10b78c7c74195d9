import { execFileSync } from 'node:child_process';
import { SECRET } from './images.ts';

/**
 * Compares a result with its source by the real program.
 * @throws Error where they differ: a wrong result must not win
 */
export function expectSame(source: string, result: string | undefined, format: string): void {
  if (result === undefined) throw new Error(`Nothing was made of ${source}.`);
  const files = source.includes('luks')
    ? [...SECRET, '--image-opts', secretly(source), `driver=${format},file.filename=${result}`]
    : ['-F', format, source, result];
  execFileSync('qemu-img', ['compare', ...files], { stdio: ['ignore', 'pipe', 'pipe'] });
}

/** The options that open an encrypted image. */
export function secretly(image: string): string {
  return `driver=qcow2,encrypt.key-secret=bench,file.filename=${image}`;
}
