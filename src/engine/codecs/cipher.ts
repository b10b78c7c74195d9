/** How the content of an encrypted disk is read and written, whatever the algorithm and whoever does it. */
export interface Cipher {
  /**
   * Which offset the initial vectors are counted by: that of the file, so that a cluster reads
   * differently wherever it lies (LUKS in qcow2), or that of the guest's disk (legacy AES).
   */
  readonly countsBy: 'host' | 'guest';

  /**
   * Decrypts whole sectors of 512 bytes. The result may be the same memory, overwritten, or other.
   * @param bytes a multiple of 512 bytes
   * @param offset of the first of them, bytes, a multiple of 512, counted as {@link countsBy} says
   */
  decrypt(bytes: Uint8Array<ArrayBuffer>, offset: number): Promise<Uint8Array<ArrayBuffer>>;

  /**
   * Encrypts whole sectors of 512 bytes. `bytes` stay as they are; the result is other memory.
   * @param offset where the first of them will be, bytes, a multiple of 512, counted as
   * {@link countsBy} says
   */
  encrypt(bytes: Uint8Array, offset: number): Promise<Uint8Array<ArrayBuffer>>;
}
