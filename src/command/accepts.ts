/** `qemu-img accepts`: which programs and services take an image. Not in the real program. */
import { DESTINATIONS, factsOf, judgeAll, type Reason, type Verdict } from '../engine/index.ts';
import {
  COMMON,
  CommandFailure,
  outputFormat,
  readArguments,
  usageFailure,
  type Context,
} from './context.ts';
import { openByName } from './images.ts';
import { formatSize } from './sizes.ts';

const SPECS = [
  COMMON.help,
  COMMON.format,
  COMMON.output,
  { id: 'for', long: 'for', argument: true },
  COMMON.object,
  COMMON.imageOpts,
  COMMON.forceShare,
] as const;
type Id = Exclude<(typeof SPECS)[number]['id'], 'help'>;

const EXIT_REFUSED = 1;
const EXIT_FAILED = 2;

const TEXTS: Readonly<Record<Reason, (limit: string) => string>> = {
  format: () => 'it does not take this format',
  container: () => 'it has to be unpacked first',
  'needs-container': () => 'it wants a file disk.raw in a tar.gz archive',
  'not-fixed': () => 'it wants a fixed disk, all of it allocated',
  'size-multiple': (limit) => `the size of the disk has to be a multiple of ${limit}`,
  'size-least': (limit) => `the disk has to be at least ${limit} large`,
  'size-most': (limit) => `the disk is larger than ${limit}`,
  geometry: () => 'the geometry in the header says another size than the header itself',
  backing: () => 'part of it is in another image',
  'data-file': () => 'its content is in another file',
  'several-files': () => 'it is made of several files, which belong together',
  encrypted: () => 'it is encrypted',
  snapshots: () => 'its snapshots are lost',
  unclean: () => 'it was not closed cleanly',
  corrupt: () => 'it is marked as corrupt',
  'unknown-features': () => 'it uses features that nobody here knows',
  zstd: () => 'it is packed with zstd, which QEMU reads from 5.1 on',
  'extended-l2': () => 'it uses extended L2 entries',
  'version-3': () => 'it is version 3 of qcow2',
  'hosted-sparse': () => 'it is a VMDK of the kind that desktop programs use',
  'stream-optimized': () => 'it can be imported, but no machine runs from it',
  'not-stream-optimized': () => 'it wants a streamOptimized VMDK',
  'vmdk-version': (limit) => `the version in the header should be ${limit}`,
  'adapter-ide': () => 'the disk hangs on an IDE adapter, which is slow',
  'sparse-file': () => 'the file must have no holes and not be compressed where it lies',
  'sector-size': (limit) => `its sectors are larger than ${limit}`,
  'file-system': () => 'for a system of its own, it wants ext4 without partitions',
};

function textOf({ reason, limit }: Verdict): string {
  // The version is a number, and no size.
  return TEXTS[reason](reason === 'vmdk-version' ? String(limit) : formatSize(limit));
}

/** Exit code 1 where the destination of `--for` refuses the image; 2 where nothing can be said. */
export async function accepts(context: Context, argv: readonly string[]): Promise<number> {
  const given = readArguments<Id>(context, argv, SPECS);
  if (given.help) return 0;
  const [name] = given.operands;
  if (name === undefined || given.operands.length > 1) {
    throw usageFailure('Expecting one image file name');
  }
  const output = outputFormat(given.value('output'));
  const only = given.value('for');
  if (only !== undefined && !DESTINATIONS.some(({ id }) => id === only)) {
    const known = DESTINATIONS.map(({ id }) => id).join(', ');
    throw new CommandFailure(`Unknown destination '${only}' (known are ${known})`, EXIT_FAILED);
  }
  const request = { name, format: given.value('format'), imageOpts: given.has('image-opts') };
  const image = await openByName(context, { ...request, mode: 'info', exitCode: EXIT_FAILED });
  await image.close();
  const judgements = judgeAll(factsOf(image.info)).filter(({ id }) => (only ?? id) === id);
  if (output === 'json') {
    const list = judgements.map(({ id, verdict, reasons }) => ({
      destination: id,
      verdict,
      reasons: reasons.map((one) => ({ ...one, text: textOf(one) })),
    }));
    context.host.stdout(`${JSON.stringify(list, null, 4)}\n`);
  } else {
    const words = { yes: 'yes', care: 'yes, but', no: 'no' };
    for (const { id, verdict, reasons } of judgements) {
      const title = DESTINATIONS.find((one) => one.id === id)?.name ?? id;
      const why = reasons.map(textOf).join('; ');
      const end = why === '' ? '' : `: ${why}`;
      context.host.stdout(`${title} (${id}): ${words[verdict]}${end}\n`);
    }
  }
  const isRefused = only !== undefined && judgements.some(({ verdict }) => verdict === 'no');
  return isRefused ? EXIT_REFUSED : 0;
}
