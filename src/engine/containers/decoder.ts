/** Unpacks from the front to the end, as it is asked. */
export interface Decoder {
  /**
   * The next bytes, valid until the next call; undefined at the end, after all that can be checked
   * was checked.
   * @throws DecodeFault and those of reading
   */
  next(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Where in the packed file it is, bytes: for progress. */
  readonly position: number;
  close(): void;
}
