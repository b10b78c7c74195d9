import type { Bench } from './bench.ts';
import { making, race } from './bench.ts';
import { inWords, SECRET } from './images.ts';
import * as jobs from './jobs.ts';
import type { Target } from './jobs.ts';
import * as limits from './limits.ts';
import { timeCli, timeProgram, timeQemuImg } from './native.ts';
import { median, type Row } from './report.ts';
import { ways } from './ways-out.ts';
import { secretly } from './verify.ts';

/** Everything that is measured, by the names that `--only` takes. */
export const PARTS: Record<string, (bench: Bench) => Promise<Row[]>> = {
  limits: browserLimits,
  start,
  overview,
  check,
  map,
  plain,
  out,
  scattered,
  unpack,
  pack,
  luks,
  compare,
  checksum,
  scan,
  memory,
};

/** More runs than those of long jobs. */
const often = ({ runs }: Bench): number => runs * 2 - 1;

async function browserLimits(bench: Bench): Promise<Row[]> {
  const { raw } = bench.images;
  const { plain } = bench.images.sizes;
  const size = inWords(plain);
  const work = [
    { name: `the browser reads ${size}, one stream`, app: limits.readAll(raw) },
    { name: '… in pieces of 4 MiB, four at a time', app: limits.readPieces(raw) },
    {
      name: `the browser writes ${size} into private storage`,
      app: limits.writePrivate(plain),
    },
    { name: 'one read of 64 KiB anywhere', app: limits.readAnywhere(raw) },
  ];
  const rows: Row[] = [];
  for (const one of work) rows.push(...(await race(bench, one)));
  // Nothing of ours is in them.
  return rows.map((row) => ({ ...row, memory: undefined, longestTask: undefined }));
}

async function start(bench: Bench): Promise<Row[]> {
  const rows = await race(bench, {
    name: 'start of the command line',
    times: often(bench),
    cli: () => timeCli('--version'),
    native: () => timeQemuImg('--version'),
  });
  const node = await race(bench, {
    name: '… of Node alone',
    times: often(bench),
    cli: () => timeProgram(process.execPath, ['--eval', '0']),
  });
  return [...rows, ...node];
}

async function overview(bench: Bench): Promise<Row[]> {
  const tables = inWords(bench.images.sizes.metadata);
  const rows: Row[] = [];
  for (const [title, image] of [
    ['an empty disk', bench.images.small],
    ['packed', bench.images.zlib],
    [`all tables of ${tables}`, bench.images.metadata],
  ] as const) {
    rows.push(
      ...(await race(bench, {
        name: `overview (info), ${title}`,
        times: often(bench),
        app: jobs.overview(image),
        cli: () => timeCli('info', image),
        native: () => timeQemuImg('info', image),
      })),
    );
  }
  return rows;
}

async function check(bench: Bench): Promise<Row[]> {
  const { metadata, snapshots } = bench.images.sizes;
  const rows: Row[] = [];
  for (const [title, image] of [
    [`all tables of ${inWords(metadata)}`, bench.images.metadata],
    [`${inWords(snapshots)} in random order, 20 snapshots`, bench.images.snapshots],
  ] as const) {
    rows.push(
      ...(await race(bench, {
        name: `check, ${title}`,
        bar: 0.7,
        app: jobs.check(image),
        cli: () => timeCli('check', image),
        native: () => timeQemuImg('check', image),
      })),
    );
  }
  return rows;
}

async function map(bench: Bench): Promise<Row[]> {
  const { metadata } = bench.images;
  return race(bench, {
    name: `map of ${inWords(bench.images.sizes.metadata)}, to the picture`,
    app: jobs.map(metadata),
    native: () => timeQemuImg('map', '--output=json', metadata),
  });
}

/** Bytes of the disk that an image holds. */
function diskOf({ images }: Bench, image: string): number {
  const isPlain = [images.raw, images.plain, images.scattered].includes(image);
  return isPlain ? images.sizes.plain : images.sizes.packed;
}

/** Conversion by the app, by the command line and by the real program, of one image. */
function conversion(
  bench: Bench,
  name: string,
  source: string,
  { bar, ...target }: Target & { bar?: number },
): Promise<Row[]> {
  const { format, compression } = target;
  const pack = compression === undefined ? [] : ['-c', '-o', `compression_type=${compression}`];
  const isLocked = target.passphrase !== undefined;
  const from = isLocked
    ? [...SECRET, '--image-opts', secretly(source)]
    : ['-f', source.endsWith('.raw') ? 'raw' : 'qcow2', source];
  const args = (result: string): string[] => ['convert', '-O', format, ...pack, ...from, result];
  return race(bench, {
    ...{ name: `${name}, ${inWords(diskOf(bench, source))}`, bar, makes: { source, format } },
    app: jobs.convert(source, target),
    cli: making(bench, (result) => timeCli(...args(result))),
    native: making(bench, (result) => timeQemuImg(...args(result))),
  });
}

async function plain(bench: Bench): Promise<Row[]> {
  const { raw, plain: qcow2 } = bench.images;
  return [
    ...(await conversion(bench, 'raw to raw', raw, { format: 'raw', bar: 1.2 })),
    ...(await conversion(bench, 'qcow2 to raw', qcow2, { format: 'raw', bar: 1.2 })),
    ...(await conversion(bench, '… and compared afterwards', qcow2, {
      ...{ format: 'raw', verify: true },
    })),
    ...(await conversion(bench, 'raw to qcow2', raw, { format: 'qcow2', bar: 1.2 })),
    ...(await conversion(bench, 'qcow2 to qcow2', qcow2, { format: 'qcow2', bar: 1.2 })),
  ];
}

async function scattered(bench: Bench): Promise<Row[]> {
  const { scattered: image } = bench.images;
  return [
    ...(await conversion(bench, 'qcow2 in random order to raw', image, {
      ...{ format: 'raw', bar: 1.2 },
    })),
    ...(await conversion(bench, 'qcow2 in random order to qcow2', image, {
      ...{ format: 'qcow2', bar: 1.2 },
    })),
  ];
}

async function unpack(bench: Bench): Promise<Row[]> {
  const { zlib, zstd } = bench.images;
  return [
    ...(await conversion(bench, 'qcow2 (zlib) to raw', zlib, { format: 'raw', bar: 1 })),
    ...(await conversion(bench, 'qcow2 (zstd) to raw', zstd, { format: 'raw', bar: 2 })),
  ];
}

async function pack(bench: Bench): Promise<Row[]> {
  const { rawSmaller } = bench.images;
  const to = (compression: 'zlib' | 'zstd', bar: number): Target & { bar: number } => ({
    ...{ format: 'qcow2', compression, bar },
  });
  return [
    ...(await conversion(bench, 'raw to qcow2 -c (zlib)', rawSmaller, to('zlib', 0.6))),
    ...(await conversion(bench, 'raw to qcow2 -c (zstd)', rawSmaller, to('zstd', 2.5))),
  ];
}

function luks(bench: Bench): Promise<Row[]> {
  return conversion(bench, 'qcow2 (LUKS) to raw', bench.images.luks, {
    ...{ format: 'raw', bar: 1.2 },
    ...jobs.UNLOCKED,
  });
}

function compare(bench: Bench): Promise<Row[]> {
  const { raw, plain: qcow2 } = bench.images;
  return race(bench, {
    ...{ name: `compare raw with qcow2, ${inWords(bench.images.sizes.plain)}`, bar: 1.2 },
    app: jobs.command([raw, qcow2], 'qemu-img compare plain.raw plain.qcow2'),
    cli: () => timeCli('compare', raw, qcow2),
    native: () => timeQemuImg('compare', raw, qcow2),
  });
}

function checksum(bench: Bench): Promise<Row[]> {
  const { raw } = bench.images;
  return race(bench, {
    ...{
      name: `SHA-256 of a file (against sha256sum), ${inWords(bench.images.sizes.plain)}`,
      bar: 1.2,
    },
    app: jobs.checksum(raw),
    cli: () => timeCli('checksum', '--file', raw),
    native: () => timeProgram('sha256sum', [raw]),
  });
}

/** Against the browser's own reading of the same file. */
async function scan(bench: Bench): Promise<Row[]> {
  const { rawSmaller } = bench.images;
  const reading = () => bench.app.run(limits.readAll(rawSmaller)).then(({ seconds }) => seconds);
  const bar = 1 / 0.8;
  return [
    ...(await race(bench, {
      ...{ name: `search (against reading), ${inWords(bench.images.sizes.packed)}`, bar },
      ...{ app: jobs.search(rawSmaller), native: reading },
    })),
    ...(await race(bench, {
      ...{ name: `deep diagnosis (against reading), ${inWords(bench.images.sizes.packed)}`, bar },
      ...{ app: jobs.deepLook(rawSmaller), native: reading },
    })),
  ];
}

/**
 * The ways from private storage to the person's disk, and the app's own with all that it does before:
 * its bar is the fastest of them alone.
 */
async function out(bench: Bench): Promise<Row[]> {
  const { raw, sizes } = bench.images;
  const rows: Row[] = [];
  const fastest = await ways(sizes.plain, async (name, app) => {
    const made = await race(bench, { name: `out: ${name}, ${inWords(sizes.plain)}`, app });
    rows.push(...made.map((row) => ({ ...row, memory: undefined, longestTask: undefined })));
    return median(made[0]?.figures.app ?? []);
  });
  const own = await race(bench, {
    name: `raw to raw, out to the disk (against the fastest way), ${inWords(sizes.plain)}`,
    ...{ bar: 1.11, app: jobs.convertOut(raw, { format: 'raw' }) },
    native: () => Promise.resolve(fastest),
  });
  return [...rows, ...own];
}

async function memory(bench: Bench): Promise<Row[]> {
  const { huge, sizes } = bench.images;
  return race(bench, {
    ...{
      name: `check, ${inWords(sizes.huge)} of which ${inWords(sizes.dense)} have tables`,
      times: 1,
    },
    app: jobs.check(huge),
    native: () => timeQemuImg('check', huge),
  });
}
