/**
 * Making an empty image, in one file or several: what `create` does, for those who have no command
 * line. It is `create` itself that does it, so there is one set of rules.
 */
import { ImageError, isImageError } from '../engine/index.ts';
import { CommandFailure } from './context.ts';
import { create } from './create.ts';
import type { CommandHost } from './host.ts';
import { Secrets } from './secrets.ts';

/** What an image is to be. */
export interface EmptyWish {
  readonly format: string;
  /** Of the new file; others lie beside it. */
  readonly name: string;
  /** Bytes of the disk; undefined: that of the image below. */
  readonly size: number | undefined;
  /** As `-o` takes them, without keys. */
  readonly options: Readonly<Record<string, string>>;
  /** The image below as the new one names it; the host opens it by that name. */
  readonly backing: { readonly name: string; readonly format: string } | undefined;
  /** Of an encrypted image; overwritten with zeros. */
  readonly passphrase: Uint8Array<ArrayBuffer> | undefined;
}

/** Where the passphrase is found: no name that a person chooses. */
const SECRET = 'passphrase';

/**
 * @param host makes the files and opens the image below
 * @throws ImageError unsupported-feature (what no image can be, with the reason in `message`),
 * cancelled, those of writing and of opening the image below
 */
export async function makeEmpty(
  wish: EmptyWish,
  host: Pick<CommandHost, 'open' | 'create'>,
  signal?: AbortSignal,
): Promise<void> {
  const said: string[] = [];
  const full: CommandHost = {
    open: (name) => host.open(name),
    create: (name) => host.create(name),
    stdout: () => undefined,
    stderr: (text) => said.push(text),
  };
  const secrets = new Secrets(full);
  if (wish.passphrase !== undefined) secrets.hold(SECRET, wish.passphrase);
  try {
    const code = await create({ host: full, secrets, signal }, argumentsOf(wish));
    if (code !== 0) throw new CommandFailure(said.join('').trim());
  } catch (error) {
    if (!(error instanceof CommandFailure)) throw error;
    if (isImageError(error.cause)) throw error.cause;
    const message = error.message.replace(`${wish.name}: `, '');
    throw new ImageError('unsupported-feature', { feature: message, message }, { cause: error });
  } finally {
    secrets.forget();
  }
}

function argumentsOf({ format, name, size, options, backing, passphrase }: EmptyWish): string[] {
  const key = format === 'luks' ? 'key-secret' : 'encrypt.key-secret';
  const all = passphrase === undefined ? options : { ...options, [key]: SECRET };
  const list = Object.entries(all).map(([id, value]) => `${id}=${value.replaceAll(',', ',,')}`);
  return [
    ...['create', '-q', '-f', format],
    ...(list.length > 0 ? ['-o', list.join(',')] : []),
    ...(backing === undefined ? [] : ['-b', backing.name, '-F', backing.format]),
    ...['--', name],
    ...(size === undefined ? [] : [String(size)]),
  ];
}
