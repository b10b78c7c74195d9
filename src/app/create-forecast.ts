/** What a new image takes: at once, and when every part of its disk was written. */
import { type CreateWish, valueFor } from './create-options.ts';
import { parseSize } from './size-text.ts';

export interface CreateForecast {
  /** Bytes of all files as they are made, holes left out. */
  now: number;
  /** The same when the disk is full. */
  most: number;
  /** Length of the file as it is made, holes included. */
  length: number;
}

const KIB = 1024;
const MIB = 1024 * KIB;
const SECTOR = 512;

/** Room for tables is computed; that of formats with small ones is about right. */
export function createForecast(wish: CreateWish, size: number): CreateForecast {
  switch (wish.format) {
    case 'raw': {
      const full = valueFor('preallocation', wish) !== 'off';
      return { now: full ? size : 0, most: size, length: size };
    }
    case 'qcow2':
      return qcow2(wish, size);
    case 'luks': {
      const header = 2 * MIB;
      const full = valueFor('preallocation', wish) !== 'off';
      return { now: full ? size + header : header, most: size + header, length: size + header };
    }
    case 'vmdk': {
      if (valueFor('subformat', wish).endsWith('Flat')) {
        return { now: KIB, most: size + KIB, length: size + KIB };
      }
      // Two copies of tables: 4 bytes for each grain of 64 KiB.
      const tables = 64 * KIB + 2 * (4 * Math.ceil(size / (64 * KIB)) + SECTOR);
      return { now: tables, most: size + tables, length: tables };
    }
    case 'vpc': {
      if (valueFor('growth', wish) === 'fixed') return fixed(size, SECTOR);
      const blocks = Math.ceil(size / (2 * MIB));
      const tables = 2 * KIB + SECTOR + 4 * blocks;
      return { now: tables, most: size + tables + blocks * SECTOR, length: tables };
    }
    case 'vhdx': {
      const tables = 7 * MIB + bytesOf(valueFor('log_size', wish));
      if (valueFor('growth', wish) === 'fixed') return fixed(size, tables);
      return { now: tables, most: size + tables, length: tables };
    }
    case 'vdi': {
      const tables = SECTOR + 4 * Math.ceil(size / MIB);
      if (valueFor('growth', wish) === 'fixed') return fixed(size, tables);
      return { now: tables, most: size + tables, length: tables };
    }
    case 'qed': {
      const cluster = bytesOf(valueFor('qed_cluster_size', wish));
      const table = cluster * Number(valueFor('table_size', wish));
      const tables = table * Math.ceil(size / cluster / (table / 8));
      return {
        now: cluster + table,
        most: size + cluster + table + tables,
        length: cluster + table,
      };
    }
    case 'parallels': {
      const cluster = bytesOf(valueFor('parallels_cluster_size', wish));
      const tables = Math.ceil((64 + 4 * Math.ceil(size / cluster)) / cluster) * cluster;
      return { now: tables, most: size + tables, length: tables };
    }
    case 'qcow': {
      // A table of 4 KiB for each 2 MiB of the disk, with clusters of 4 KiB.
      const tables = Math.ceil(size / (2 * MIB));
      const now = 48 + 8 * tables;
      return { now, most: size + now + 4 * KIB * tables, length: now };
    }
  }
}

/** All of the disk has its place in the file, as holes where the file system has them. */
function fixed(size: number, tables: number): CreateForecast {
  return { now: tables, most: size + tables, length: size + tables };
}

function qcow2(wish: CreateWish, size: number): CreateForecast {
  const cluster = bytesOf(valueFor('cluster_size', wish));
  const entry = valueFor('extended_l2', wish) === 'on' ? 16 : 8;
  const bits = Number(valueFor('refcount_bits', wish));
  const data = Math.ceil(size / cluster);
  const l2 = Math.ceil((data * entry) / cluster);
  const l1 = Math.max(1, Math.ceil((l2 * 8) / cluster));
  const header = wish.encrypted ? Math.ceil((2 * MIB) / cluster) : 0;
  const perBlock = (cluster * 8) / bits;
  const refcounts = (clusters: number): number => {
    const blocks = Math.ceil(clusters / (perBlock - 1));
    return blocks + Math.max(1, Math.ceil((blocks * 8) / cluster));
  };
  const empty = 1 + header + l1;
  const full = empty + l2 + data;
  const most = (full + refcounts(full)) * cluster;
  switch (valueFor('preallocation', wish)) {
    case 'off': {
      // The L1 table is the last thing in the file, which ends with it.
      const now = (empty - l1 + refcounts(empty)) * cluster + 8 * l2;
      return { now, most, length: now };
    }
    case 'metadata':
      return { now: most - data * cluster, most, length: most };
    default:
      return { now: most, most, length: most };
  }
}

function bytesOf(text: string): number {
  return parseSize(text) ?? 0;
}
