/** Where the tables of a DMG are: in a property list, or in a resource fork. */

const OPENING = '<data>';
const CLOSING = '</data>';

/** Values of base64 digits, by their codes; 255: none, and left out. */
const DIGITS = new Uint8Array(256).fill(255);
for (const [value, digit] of Array.from(
  'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/',
).entries()) {
  DIGITS[digit.charCodeAt(0)] = value;
}

/** Base64 with anything between its digits, as property lists have line breaks and tabs. */
export function fromBase64(text: string, from: number, to: number): Uint8Array {
  const bytes = new Uint8Array(Math.ceil(((to - from) * 3) / 4));
  let length = 0;
  let bits = 0;
  let count = 0;
  for (let i = from; i < to; i++) {
    const value = DIGITS[text.charCodeAt(i) & 255] as number;
    if (value === 255) continue;
    bits = ((bits << 6) | value) & 0xffff;
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes[length++] = bits >>> count;
  }
  return bytes.subarray(0, length);
}

/** The data elements of a property list; undefined where one of them does not end. */
export function* dataOfPropertyList(list: Uint8Array): Generator<Uint8Array | undefined> {
  // What stands in the way of finding tags has no meaning here, so any text of bytes will do.
  const text = new TextDecoder('latin1').decode(list);
  const end = text.indexOf('\0');
  const whole = end < 0 ? text : text.slice(0, end);
  for (let at = whole.indexOf(OPENING); at >= 0; at = whole.indexOf(OPENING, at)) {
    const start = at + OPENING.length;
    at = whole.indexOf(CLOSING, start);
    if (at < 0) {
      yield undefined;
      return;
    }
    yield fromBase64(whole, start, at);
  }
}

/** The resources of a resource fork («Inside Macintosh: More Macintosh Toolbox», 1-121). */
export function* resourcesOf(fork: Uint8Array): Generator<Uint8Array | undefined> {
  const view = new DataView(fork.buffer, fork.byteOffset, fork.byteLength);
  if (fork.length < 16) {
    yield undefined;
    return;
  }
  let at = view.getUint32(0);
  const length = view.getUint32(8);
  const end = at + length;
  if (length === 0 || end > fork.length) {
    yield undefined;
    return;
  }
  while (at < end) {
    const count = at + 4 <= fork.length ? view.getUint32(at) : 0;
    // As the real program has it, the length may be one that leaves no room for itself.
    if (count === 0 || count > end - at) {
      yield undefined;
      return;
    }
    yield fork.subarray(at + 4, at + 4 + count);
    at += 4 + count;
  }
}
