/**
 * Tests of QEMU that our program does not pass, and why that is meant to be so.
 * @type {Record<string, string | undefined>}
 */
export const DELIBERATE = {};
