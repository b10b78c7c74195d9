import { Bzip2Decoder } from '../codecs/bzip2.ts';
import type { Storage } from '../storage/storage.ts';
import type { Decoder } from './decoder.ts';
import { PushedDecoder } from './pushed-decoder.ts';
import { RangeReader } from './range-reader.ts';

/** What is in a range of a storage, all streams of it. */
export function bzip2Decoder(storage: Storage, start = 0, end: number = storage.size): Decoder {
  return new PushedDecoder(new Bzip2Decoder(), new RangeReader(storage, start, end));
}
