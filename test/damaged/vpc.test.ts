/** VHDs with damaged footers, headers, tables and bitmaps. */
import { buildVhd, fixChecksum, fixFooter, utf16 } from '../images/build-vhd.ts';
import { noise } from '../images/noise.ts';
import { mutationSuite, type MutationSeed } from './format-mutations.ts';

const BLOCK = 65536;
const SECTOR = 512;
const blocks = new Map([
  [2, { bytes: noise(1, BLOCK) }],
  [0, { bytes: noise(2, BLOCK), sectors: [0, 3, 4, 100] }],
]);
const common = { size: 5 * BLOCK, blockSize: BLOCK, blocks };

function fix(bytes: Uint8Array): void {
  if (bytes.length < 3 * SECTOR) return;
  fixFooter(bytes, 0);
  fixFooter(bytes, bytes.length - SECTOR);
  fixChecksum(bytes, SECTOR, 1024, 36);
}

/** Footers, header, table and the first bitmap. */
function metadata(bytes: Uint8Array): NonNullable<MutationSeed['metadata']> {
  return [
    { offset: 0, length: 88 },
    { offset: SECTOR, length: 700 },
    { offset: 3 * SECTOR, length: 32 },
    { offset: 4 * SECTOR, length: 64 },
    { offset: bytes.length - SECTOR, length: 88 },
  ];
}

function seeds(): MutationSeed[] {
  const dynamic = buildVhd({ ...common, uuid: 0x20 }).bytes;
  const child = buildVhd({
    ...{ ...common, type: 4, parentUuid: 0x20, parentName: 'base.vhd' },
    locators: [
      { platform: 'W2ru', bytes: utf16('.\\base.vhd', true) },
      { platform: 'MacX', bytes: Buffer.from('file://localhost/base.vhd') },
    ],
  }).bytes;
  const fixed = buildVhd({ size: BLOCK, type: 2, content: noise(3, BLOCK) }).bytes;
  return [
    { name: 'dynamic', bytes: dynamic, metadata: metadata(dynamic), fix },
    { name: 'child', bytes: child, metadata: metadata(child), fix, files: { 'base.vhd': dynamic } },
    {
      ...{ name: 'fixed', bytes: fixed, metadata: [{ offset: BLOCK, length: 88 }] },
      fix: (bytes) => {
        fixFooter(bytes, bytes.length - SECTOR);
      },
    },
  ];
}

mutationSuite('vpc', seeds);
