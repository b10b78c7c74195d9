/**
 * Tests of QEMU that our program does not pass, and why that is meant to be so.
 * @type {Record<string, string | undefined>}
 */
export const DELIBERATE = {
  '060': 'repairs of our own: other words, and more is mended',
  '061': 'repairs of our own, and amend does all of its options or none',
  '080': 'other words where a damaged image is refused; amend leaves an unreadable snapshot alone',
  108: 'repairs of our own: refcounts are mended in place where they can be',
  153: 'files are not locked against other programs',
  162: 'the words about a protocol that is not installed',
  178: 'holes of a raw file are not asked for: all of it counts as data',
  190: 'bitmaps that have not changed are not written anew: the file is shorter',
  250: 'holes of a preallocated file are not asked for: all of it counts as data',
};
