/**
 * Makes the sample image (src/app/sample): a 64 MiB disk with one ext4 partition, an internal
 * snapshot, compressed clusters and one leaked cluster. The same bytes come out every time, so the
 * result is in the repository and this runs only when the sample is to change.
 *
 * Needs qemu-img, qemu-io, mkfs.ext4 and debugfs: `node scripts/make-sample.mjs`
 */
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import * as fs from 'node:fs';
import * as os from 'node:os';
import * as path from 'node:path';

const MIB = 2 ** 20;
const DISK = 64 * MIB;
const PARTITION = MIB;
const CLUSTER = 8192;
/** 2026-01-05 09:00 UTC: the time that everything in the image was made. */
const TIME = 1767603600;

const target = path.resolve(import.meta.dirname, '../src/app/sample');
const work = fs.mkdtempSync(path.join(os.tmpdir(), 'sample-'));
/** A file that is only needed while this runs.
 * @param {string} name */
const file = (name) => path.join(work, name);

/**
 * @param {string} command
 * @param {string[]} args
 */
function run(command, ...args) {
  const env = { ...process.env, E2FSPROGS_FAKE_TIME: String(TIME), TZ: 'UTC', LC_ALL: 'C' };
  return execFileSync(command, args, { env, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

try {
  makeDisk();
  makeImage();
  publish();
} finally {
  fs.rmSync(work, { recursive: true, force: true });
}

/** Two states of one disk, before and after a small upgrade of the guest. */
function makeDisk() {
  const size = (DISK - PARTITION) / 1024;
  const uuid = '5a3e1f60-6d1c-4c55-9a0e-1b6e2f7c8d90';
  const seed = '2f0c8b1a-7d44-4e59-8a77-90c1d2e3f4a5';
  const extended = `hash_seed=${seed},lazy_itable_init=0,nodiscard,root_owner=0:0`;
  const layout = ['-b', '4096', '-N', '256', '-m', '0', '-O', '^has_journal'];
  const identity = ['-L', 'sample', '-U', uuid, '-E', extended];
  run('mkfs.ext4', '-q', '-F', ...layout, ...identity, file('partition'), `${size}k`);
  for (const folder of ['etc', 'home', 'home/alex', 'var', 'var/log']) debugfs(`mkdir ${folder}`);
  write('etc/hostname', 'sample\n');
  write('etc/os-release', 'NAME="Sample Linux"\nVERSION_ID="1"\n');
  write('etc/fstab', '/dev/vda1 / ext4 defaults 0 1\n');
  write('home/alex/readme.txt', 'This disk is an example. Everything in it was made up.\n');
  write('home/alex/numbers.csv', numbers(4000));
  write('var/log/boot.log', log(2500));
  assemble('before.raw');
  write('var/log/upgrade.log', log(400));
  debugfs('rm etc/os-release');
  write('etc/os-release', 'NAME="Sample Linux"\nVERSION_ID="2"\n');
  assemble('after.raw');
}

/** @param {string} request */
function debugfs(request) {
  run('debugfs', '-w', '-R', request, file('partition'));
}

/**
 * A file in the guest: through debugfs, which takes all its times from the pretended clock.
 * @param {string} name
 * @param {string} text
 */
function write(name, text) {
  fs.writeFileSync(file('content'), text, { mode: 0o644 });
  debugfs(`write ${file('content')} ${name}`);
}

/**
 * Text that packs well, but not to nothing.
 * @param {number} lines
 */
function numbers(lines) {
  let seed = 42;
  const rows = Array.from({ length: lines }, (_, index) => {
    seed = (Math.imul(seed, 1103515245) + 12345) >>> 0;
    return `${index},${seed % 1000},${(seed >>> 10) % 1000}`;
  });
  return `id,a,b\n${rows.join('\n')}\n`;
}

/** @param {number} lines */
function log(lines) {
  const rows = Array.from({ length: lines }, (_, index) => {
    return `[${(index / 7).toFixed(6)}] service ${index % 37} started, ${index * 13} units done`;
  });
  return `${rows.join('\n')}\n`;
}

/**
 * A partition table with one Linux partition, and the partition behind it.
 * @param {string} name
 */
function assemble(name) {
  const disk = Buffer.alloc(PARTITION);
  disk.writeUInt32LE(0x5a3e1f60, 440);
  disk.writeUInt8(0x83, 446 + 4);
  disk.writeUInt32LE(PARTITION / 512, 446 + 8);
  disk.writeUInt32LE((DISK - PARTITION) / 512, 446 + 12);
  disk.writeUInt16LE(0xaa55, 510);
  fs.writeFileSync(file(name), Buffer.concat([disk, fs.readFileSync(file('partition'))]));
}

/** The first state, packed; a snapshot; the second state on top of it; one cluster leaked. */
function makeImage() {
  const options = ['-O', 'qcow2', '-o', `cluster_size=${CLUSTER}`, '-c', '-m', '1'];
  run('qemu-img', 'convert', ...options, file('before.raw'), file('image'));
  run('qemu-img', 'snapshot', '-c', 'before-upgrade', file('image'));
  const before = fs.readFileSync(file('before.raw'));
  const after = fs.readFileSync(file('after.raw'));
  for (let offset = 0; offset < DISK; offset += CLUSTER) {
    const piece = after.subarray(offset, offset + CLUSTER);
    if (piece.equals(before.subarray(offset, offset + CLUSTER))) continue;
    fs.writeFileSync(file('piece'), piece);
    const command = `write -s ${file('piece')} ${offset} ${CLUSTER}`;
    run('qemu-io', '-f', 'qcow2', '-c', command, file('image'));
  }
  setSnapshotTime();
  leakOneCluster();
}

/** qemu-img takes the time from the clock; offset 24 of the header says where the table is. */
function setSnapshotTime() {
  const image = fs.readFileSync(file('image'));
  const table = Number(image.readBigUInt64BE(64));
  image.writeUInt32BE(TIME, table + 16);
  image.writeUInt32BE(0, table + 20);
  fs.writeFileSync(file('image'), image);
}

/** Appends a cluster that is counted once and used by nothing. */
function leakOneCluster() {
  const image = fs.readFileSync(file('image'));
  const whole = Buffer.alloc(Math.ceil(image.length / CLUSTER) * CLUSTER);
  image.copy(whole);
  const table = Number(whole.readBigUInt64BE(48));
  const block = Number(whole.readBigUInt64BE(table));
  whole.writeUInt16BE(1, block + (whole.length / CLUSTER) * 2);
  fs.writeFileSync(file('image'), Buffer.concat([whole, Buffer.alloc(CLUSTER)]));
}

function publish() {
  run('qemu-img', 'convert', '-O', 'raw', file('image'), file('check.raw'));
  const raw = fs.readFileSync(file('check.raw'));
  if (!raw.equals(fs.readFileSync(file('after.raw')))) throw new Error('the image is not the disk');
  const image = fs.readFileSync(file('image'));
  /** @param {Buffer} content */
  const sha256 = (content) => createHash('sha256').update(content).digest('hex');
  const facts = {
    size: image.length,
    sha256: sha256(image),
    raw: { size: raw.length, sha256: sha256(raw) },
  };
  fs.mkdirSync(target, { recursive: true });
  fs.copyFileSync(file('image'), path.join(target, 'sample.qcow2'));
  fs.writeFileSync(path.join(target, 'sample.json'), `${JSON.stringify(facts, null, 2)}\n`);
  console.log(`${path.join(target, 'sample.qcow2')}: ${image.length} bytes`);
}
