/** What the structures of files say, beside what the real programs say of the same images. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  openImage,
  readDisk,
  searchDisk,
  StructureTree,
  type Disk,
} from '../../src/engine/index.ts';
import { memory } from '../images/memory.ts';
import { available, make, qemuImg } from './programs.ts';

let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'structure-'));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

const pathOf = (name: string) => join(folder, name);

interface MapEntry {
  start: number;
  length: number;
  zero: boolean;
  data: boolean;
  present: boolean;
  offset?: number;
}

async function json<Result>(...args: string[]): Promise<Result> {
  const { stdout, exitCode } = await qemuImg(args);
  expect(exitCode, args.join(' ')).toBe(0);
  return JSON.parse(stdout) as Result;
}

async function open(name: string): Promise<{ disk: Disk; tree: StructureTree }> {
  const disk = await openImage(await memory(readFileSync(pathOf(name)), name));
  return { disk, tree: new StructureTree(disk) };
}

const value = async (tree: StructureTree, id: string) => (await tree.pathTo(id)).at(-1)?.value;

/** An image with a past: snapshots, a bitmap, zeros, compressed clusters. */
async function makeQcow2(name: string, options: string): Promise<string> {
  const path = pathOf(name);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', options, path, '20M']);
  const io = (...commands: string[]) =>
    make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
  await io('write -P 1 0 200k', 'write -c -P 2 2M 2M');
  await make('qemu-img', ['snapshot', '-c', 'before', path]);
  await io('write -P 3 64k 128k', 'write -P 4 9M 300k');
  await make('qemu-img', ['snapshot', '-c', 'between', path]);
  await io('write -P 5 19M 1M', 'discard 0 64k');
  return path;
}

describe.skipIf(!available)('the structures of qcow2', () => {
  it.each([
    ['plain.qcow2', 'cluster_size=64k'],
    ['small.qcow2', 'cluster_size=512,refcount_bits=8'],
    ['extended.qcow2', 'extended_l2=on'],
    ['old.qcow2', 'compat=0.10'],
    ['wide.qcow2', 'cluster_size=2M,refcount_bits=64'],
  ])('%s: the tables lead where qemu-img map says', async (name, options) => {
    const path = await makeQcow2(name, options);
    const { tree, disk } = await open(name);
    const { clusterSize } = disk;
    const entries = clusterSize / (options.includes('extended') ? 16 : 8);
    const runs = await json<MapEntry[]>('map', '--output=json', path);
    let seen = 0;
    for (const { start, length, data, offset } of runs) {
      if (!data || offset === undefined) continue;
      for (let at = start; at < start + length; at += clusterSize) {
        const cluster = Math.floor(at / clusterSize);
        const id = `l1/${Math.floor(cluster / entries)}/l2/${cluster % entries}`;
        const host = offset + at - start - (at % clusterSize);
        expect((await value(tree, id))?.target?.offset, id).toBe(host);
        expect((await value(tree, `${id}/guest_offset`))?.target?.offset).toBe(
          cluster * clusterSize,
        );
        seen++;
        // And back again: each cluster is only used by one entry, or by snapshots with it.
        if (seen % 7 === 0) expect((await tree.pathAt(host + 5)).at(-1)?.id).toBe(id);
      }
    }
    expect(seen).toBeGreaterThan(0);
  });

  it('counts what the check counts', async () => {
    const path = await makeQcow2('counted.qcow2', 'cluster_size=4k,refcount_bits=32');
    const { tree } = await open('counted.qcow2');
    const { filename, ...check } = await json<{ filename: string; 'image-end-offset': number }>(
      ...['check', '--output=json', path],
    );
    expect(filename).toBe(path);
    let last = -1;
    for (let block = 0; block < 512; block++) {
      const id = `refcounts/${block}/block`;
      const { children = 0 } = (await tree.pathTo(id)).at(-1) ?? {};
      for (let from = 0; from < children; from += 500) {
        for (const node of await tree.children(id, from, 500)) {
          if (node.value?.text !== '0') last = node.value?.target?.offset ?? -1;
        }
      }
    }
    expect(last + 4096).toBe(check['image-end-offset']);
  });

  it('has the snapshots, bitmaps and features of qemu-img info', async () => {
    const path = await makeQcow2('told.qcow2', 'cluster_size=64k,lazy_refcounts=on');
    await make('qemu-img', ['bitmap', '--add', '-g', '131072', path, 'nightly']);
    const { tree } = await open('told.qcow2');
    interface Info {
      'virtual-size': number;
      'cluster-size': number;
      snapshots: { id: string; name: string; 'date-sec': number; 'date-nsec': number }[];
      'format-specific': { data: { bitmaps: { name: string; granularity: number }[] } };
    }
    const info = await json<Info>('info', '--output=json', path);
    expect((await value(tree, 'header/size'))?.text).toBe(String(info['virtual-size']));
    expect((await value(tree, 'header/cluster_bits'))?.means).toBe('64 KiB');
    expect((await value(tree, 'header/compatible_features'))?.bits).toEqual(['lazy refcounts']);
    expect((await value(tree, 'header/autoclear_features'))?.bits).toEqual(['bitmaps']);
    expect(info.snapshots).toHaveLength(2);
    for (const [index, snapshot] of info.snapshots.entries()) {
      const id = `snapshots/${index}`;
      expect((await value(tree, id))?.text).toBe(snapshot.name);
      expect((await value(tree, `${id}/id`))?.text).toBe(snapshot.id);
      expect((await value(tree, `${id}/date_seconds`))?.text).toBe(String(snapshot['date-sec']));
      const nanoseconds = (await value(tree, `${id}/date_nanoseconds`))?.text;
      expect(nanoseconds).toBe(String(snapshot['date-nsec']));
      expect((await value(tree, `${id}/extra/disk_size`))?.text).toBe('20971520');
      // What the real program shows of it lies where its tables lead.
      const entry = `${id}/l1/0/l2/1`;
      const host = (await value(tree, entry))?.target?.offset ?? 0;
      const bytes = readFileSync(path).subarray(host, host + 65536);
      expect(bytes.equals(Buffer.alloc(65536, index === 0 ? 1 : 3)), entry).toBe(true);
    }
    const [bitmap] = info['format-specific'].data.bitmaps;
    expect((await value(tree, 'bitmaps/0'))?.text).toBe(bitmap?.name);
    const granularity = await value(tree, 'bitmaps/0/granularity_bits');
    expect(2 ** Number(granularity?.text)).toBe(bitmap?.granularity);
  });
});

describe.skipIf(!available)('the structures of other formats', () => {
  it.each([
    ['vdi', 'map'],
    ['vpc', 'bat'],
    ['qed', 'l1'],
    ['qcow', 'l1'],
    ['parallels', 'bat'],
    ['vmdk', 'directory'],
  ])('%s: the tables lead where qemu-img map says', async (format, table) => {
    const raw = pathOf('disk.raw');
    await make('qemu-img', ['create', '-q', '-f', 'raw', raw, '24M']);
    await make('qemu-io', ['-f', 'raw', '-c', 'write -P 1 0 1M', '-c', 'write -P 2 9M 3M', raw]);
    const path = pathOf(`disk.${format}`);
    await make('qemu-img', ['convert', '-f', 'raw', '-O', format, raw, path]);
    const { tree } = await open(`disk.${format}`);
    const runs = await json<MapEntry[]>('map', '--output=json', '-f', format, path);
    let seen = 0;
    for (const { start, length, data, offset } of runs) {
      if (!data || offset === undefined) continue;
      // The entry that leads there, and the addresses that it speaks of.
      for (const at of [0, Math.floor(length / 2), length - 1]) {
        const entry = (await tree.pathAt(offset + at)).at(-1);
        expect(entry?.id.startsWith(`${table}/`), `${entry?.id}`).toBe(true);
        const guest = (await value(tree, `${entry?.id}/guest_offset`))?.target?.offset ?? -1;
        const host = entry?.value?.target?.offset ?? -1;
        // A VHD has the bitmap of the block in front of it.
        const ahead = format === 'vpc' ? 512 : 0;
        expect(host + ahead - guest).toBe(offset - start);
        seen++;
      }
    }
    expect(seen).toBeGreaterThan(0);
  });
});

describe.skipIf(!available)('the structures of VHDX', () => {
  it('lead to the bytes of the disk', async () => {
    const raw = pathOf('disk2.raw');
    await make('qemu-img', ['create', '-q', '-f', 'raw', raw, '40M']);
    await make('qemu-io', ['-f', 'raw', '-c', 'write -P 1 0 1M', '-c', 'write -P 2 19M 3M', raw]);
    const path = pathOf('disk.vhdx');
    await make('qemu-img', ['convert', '-f', 'raw', '-O', 'vhdx', raw, path]);
    const { tree, disk } = await open('disk.vhdx');
    const [content, file] = [readFileSync(raw), readFileSync(path)];
    const length = disk.clusterSize;
    let seen = 0;
    for (const node of await tree.children('bat', 0, 500)) {
      const host = node.value?.target?.offset;
      const guest = (await value(tree, `${node.id}/guest_offset`))?.target?.offset ?? 0;
      if (host === undefined || guest >= content.length) continue;
      const expected = content.subarray(guest, guest + length);
      expect(file.subarray(host, host + length).equals(expected), node.id).toBe(true);
      expect((await tree.pathAt(host + 77)).at(-1)?.id).toBe(node.id);
      seen++;
    }
    expect(seen).toBeGreaterThan(1);
    expect((await value(tree, 'metadata/1/value'))?.text).toBe(String(content.length));
  });
});

describe.skipIf(!available)('a search', () => {
  it('finds what there is in the raw disk that qemu-img makes', async () => {
    const base = pathOf('base.qcow2');
    const top = pathOf('top.qcow2');
    await make('qemu-img', ['create', '-q', '-f', 'qcow2', '-o', 'cluster_size=4k', base, '8M']);
    const write = (path: string, ...commands: string[]) =>
      make('qemu-io', [...commands.flatMap((command) => ['-c', command]), path]);
    await write(base, 'write -P 0x41 4095 1', 'write -P 0x42 8191 2', 'write -P 0x43 5M 3');
    await make('qemu-img', [
      'create',
      '-q',
      '-f',
      'qcow2',
      '-F',
      'qcow2',
      '-b',
      base,
      '-o',
      'cluster_size=4k',
      top,
    ]);
    await write(top, 'write -P 0x42 4096 4095', 'write -c -P 0x43 6M 4k', 'write -z 7M 64k');
    const raw = pathOf('top.raw');
    await make('qemu-img', ['convert', '-O', 'raw', top, raw]);
    const content = readFileSync(raw);
    const disk = await openImage(await memory(readFileSync(top), 'top'), {
      gate: async () => memory(readFileSync(base), 'base'),
    });
    expect(Buffer.from(await readDisk(disk, 0, disk.size)).equals(content)).toBe(true);
    const texts = ['AB', 'BB\0', 'CCC', '\0\0\0C', 'ABBBB', 'C\0'];
    for (const text of texts) {
      const pattern = Buffer.from(text, 'latin1');
      const expected: number[] = [];
      for (let at = content.indexOf(pattern); at >= 0;) {
        expected.push(at);
        at = content.indexOf(pattern, at + pattern.length);
      }
      const found = await searchDisk(disk, {
        ...{ patterns: [pattern], ignoreCase: false, from: 0, to: disk.size, most: 1e6 },
      });
      expect(expected.length, text).toBeGreaterThan(0);
      expect(
        found.matches.map(({ offset }) => offset),
        text,
      ).toEqual(expected);
      expect(found.searched).toBeLessThan(100_000);
    }
  });
});
