/** Damaged VHDX images: dynamic, differencing, with a log. */
import { buildVhdx, DATA_GUID, LOG_GUID, sealVhdx, VHDX_LAYOUT } from '../images/build-vhdx.ts';
import { noise } from '../images/noise.ts';
import { mutationSuite, type MutationSeed } from './format-mutations.ts';

const MIB = 1024 * 1024;
const KIB64 = 64 * 1024;
const { BAT_AT, DATA_AT, LOG_AT, METADATA_AT } = VHDX_LAYOUT;

/** Where the numbers are. */
const HEADERS = [
  { offset: KIB64, length: 80 },
  { offset: 2 * KIB64, length: 80 },
  { offset: 3 * KIB64, length: 80 },
  { offset: 4 * KIB64, length: 80 },
  { offset: METADATA_AT, length: 256 },
  { offset: METADATA_AT + KIB64, length: 48 },
];
const TABLE = { offset: BAT_AT, length: 64 };
const LOG = { offset: LOG_AT, length: 3 * 4096 };

function seeds(): MutationSeed[] {
  const size = 6 * MIB + 512;
  const blockSize = MIB;
  const content = (seed: number) => ({ state: 6, bytes: noise(seed, blockSize) });
  const dynamic = buildVhdx({ size, blockSize, blocks: new Map([[0, content(1)]]) });
  const base = buildVhdx({ size, blockSize, blocks: new Map([[1, content(2)]]) });
  const parent = { parent_linkage: `{${DATA_GUID}}`, relative_path: '.\\base.vhdx' };
  const present = (sector: number) => sector % 8 < 5;
  const child = buildVhdx({
    ...{ size, blockSize, parent },
    blocks: new Map([
      [0, { ...content(3), state: 7, present }],
      [2, { state: 2 }],
    ]),
  });
  const sector = new Uint8Array(4096);
  new DataView(sector.buffer).setBigUint64(0, BigInt(DATA_AT) | 6n, true);
  const writes = [
    { offset: BAT_AT, bytes: sector },
    { offset: METADATA_AT + 2 * KIB64, zeros: 8192 },
  ];
  const logged = buildVhdx({
    ...{ size, blockSize, blocks: new Map([[0, content(1)]]) },
    log: {
      guid: LOG_GUID,
      entries: [
        { at: 0, sequence: 5, writes },
        { at: 8192, sequence: 6, tail: 0 },
      ],
    },
  });
  const options = { lenient: true };
  const fix = sealVhdx;
  return [
    { name: 'dynamic', bytes: dynamic, metadata: [...HEADERS, TABLE], fix },
    {
      ...{ name: 'differencing', bytes: child, files: { 'base.vhdx': base }, fix, options },
      metadata: [...HEADERS, TABLE, { offset: METADATA_AT + KIB64 + 48, length: 256 }],
    },
    { name: 'with a log', bytes: logged, metadata: [...HEADERS, LOG], fix, options },
  ];
}

mutationSuite('vhdx', seeds);
