/** What passes between the page and the worker about making new images: plain data. Types only. */
import type { FormatName, ImageId, Target } from './api.ts';

/** Makes an empty image, or one over another. */
export interface CreateRequest {
  kind: 'create';
  format: FormatName;
  /** Virtual size in bytes; undefined: that of the image below. */
  size: number | undefined;
  /** As `-o` takes them. */
  options: Readonly<Record<string, string>>;
  /** The image below, by how it is to be named in the new one; it is open as `image`. */
  backing: { image: ImageId; name: string; format: FormatName } | undefined;
  /** Of an encrypted image; overwritten once it was used. */
  passphrase: Uint8Array<ArrayBuffer> | undefined;
  target: Target;
}

export interface CreateResult {
  name: string;
  /** Virtual size, bytes. */
  size: number;
  /** All files that it consists of; apparent sizes, bytes. */
  files: { name: string; size: number }[];
  milliseconds: number;
}
