/** Passphrases added and taken away: by ours and by the real program, each opened by the other. */
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { formatLuks, headerOffset } from '../images/luks-format.ts';
import { amend, createEncrypted, secrets, writeEncrypted } from './luks.ts';
import { patch } from './make-images.ts';
import { available, expectSame, make, ours, qemuImg, type Outcome } from './programs.ts';

/** `s0` is in slot 0, `s1` in slot 3; `s4` is not known to anybody. */
const ALL = secrets('first größe', 'second größe', 'third größe', 'fourth größe');
const IMAGE = 'image.qcow2';
let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'luks-slots-'));
  process.chdir(folder);
  await createEncrypted('made.qcow2', '4M', [], ALL);
  formatLuks('made.qcow2', {
    ...{ bits: 256, mode: 'xts', vectors: 'plain64', hash: 'sha256', masterIterations: 1000 },
    slots: {
      0: { passphrase: 'first größe', iterations: 1000 },
      3: { passphrase: 'second größe', iterations: 1500 },
    },
  });
  await writeEncrypted(node('s0', 'made.qcow2'), ALL, ['write -P 0x42 1M 300k']);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'plain.qcow2', '1M']);
  await createEncrypted('aes.qcow2', '1M', ['encrypt.format=aes'], ALL);
});

beforeEach(() => {
  if (available) copyFileSync('made.qcow2', IMAGE);
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

function node(secret = 's0', name = IMAGE): string {
  return `driver=qcow2,file.filename=${name},encrypt.key-secret=${secret}`;
}

/** Changes the slots of an image; what is said of a failure. */
async function change(options: string, name = node(), force = false): Promise<string> {
  const more = force ? ['--force'] : [];
  const outcome = await ours(['amend', ...ALL, ...more, '--image-opts', name, '-o', options]);
  expect(outcome.stdout).toBe('');
  expect(outcome.exitCode).toBe(outcome.stderr === '' ? 0 : 1);
  expect(outcome.stderr).not.toContain('größe');
  return outcome.stderr;
}

/** Which of the passphrases open the image, by the real program; and its content by each. */
async function opening(): Promise<string[]> {
  const found: string[] = [];
  for (const secret of ['s0', 's1', 's2', 's3']) {
    const { stderr, exitCode } = await qemuImg(['check', ...ALL, '--image-opts', node(secret)]);
    if (exitCode === 0) {
      found.push(secret);
      const reads = ['-c', 'read -P 0x42 1M 300k', '-c', 'read -P 0 0 1M'];
      await make('qemu-io', [...reads, ...ALL, '--image-opts', node(secret)]);
    } else expect(stderr).toContain('Invalid password, cannot unlock any keyslot');
    await expectSame(['check', ...ALL, '--image-opts', node(secret)]);
  }
  await expectSame(['info', IMAGE]);
  return found;
}

const ADD = 'encrypt.state=active,encrypt.iter-time=10,encrypt.new-secret';
const OFF = 'encrypt.state=inactive';

describe.skipIf(!available)('passphrases', () => {
  it('as they were made', async () => {
    expect(await opening()).toEqual(['s0', 's1']);
  });

  it('one more, into the first free slot', async () => {
    expect(await change(`${ADD}=s2`, node('s1'))).toBe('');
    expect(await opening()).toEqual(['s0', 's1', 's2']);
    const bytes = readFileSync(IMAGE);
    expect(bytes.readUInt32BE(headerOffset(bytes) + 208 + 48)).toBe(0x00ac71f3);
  });

  it('one more, into a given slot; then the old one goes', async () => {
    expect(await change(`${ADD}=s2,encrypt.keyslot=7`)).toBe('');
    expect(await change(`${OFF},encrypt.old-secret=s0`, node('s2'))).toBe('');
    expect(await opening()).toEqual(['s1', 's2']);
  });

  it('over another one, by force', async () => {
    expect(await change(`${ADD}=s2,encrypt.keyslot=3`, node(), true)).toBe('');
    expect(await opening()).toEqual(['s0', 's2']);
  });

  it('by slot, and nothing of the key stays', async () => {
    const old = readFileSync(IMAGE);
    expect(await change(`${OFF},encrypt.keyslot=3`)).toBe('');
    expect(await opening()).toEqual(['s0']);
    const now = readFileSync(IMAGE);
    const slot = headerOffset(now) + 208 + 3 * 48;
    expect(now.subarray(slot + 4, slot + 40).every((byte) => byte === 0)).toBe(true);
    const material = headerOffset(now) + old.readUInt32BE(slot + 40) * 512;
    for (let at = material; at < material + 256_000; at += 64) {
      expect(now.compare(old, at, at + 64, at, at + 64)).not.toBe(0);
    }
    // Everything else is as it was.
    for (const bytes of [old, now]) {
      bytes.fill(0, slot, slot + 40);
      bytes.fill(0, material, material + 256_000);
    }
    expect(now.equals(old)).toBe(true);
  });

  it('by slot and passphrase', async () => {
    expect(await change(`${OFF},encrypt.keyslot=3,encrypt.old-secret=s1`)).toBe('');
    expect(await opening()).toEqual(['s0']);
  });

  it('the same one in several slots, all of them gone at once', async () => {
    expect(await change(`${ADD}=s1`)).toBe('');
    expect(await change(`${ADD}=s1`)).toBe('');
    expect(await change(`${OFF},encrypt.old-secret=s1`)).toBe('');
    expect(await opening()).toEqual(['s0']);
  });

  it('until all slots are full', async () => {
    for (let slot = 2; slot < 8; slot++) expect(await change(`${ADD}=s2`)).toBe('');
    expect(await change(`${ADD}=s3`)).toContain('all keyslots are in use');
    expect(await opening()).toEqual(['s0', 's1', 's2']);
  });

  it('none left, by force only', async () => {
    expect(await change(`${OFF},encrypt.keyslot=3`)).toBe('');
    expect(await change(`${OFF},encrypt.keyslot=0`)).toContain('the only active keyslot 0');
    expect(await opening()).toEqual(['s0']);
    expect(await change(`${OFF},encrypt.old-secret=s0`, node(), true)).toBe('');
    expect(await opening()).toEqual([]);
  });

  it('in turn with the real program', async () => {
    expect(await change(`${ADD}=s2`)).toBe('');
    await amend(IMAGE, ALL, [OFF, 'encrypt.old-secret=s0'], 's2');
    await amend(IMAGE, ALL, [...`${ADD}=s3`.split(','), 'encrypt.keyslot=0'], 's2');
    expect(await change(`${OFF},encrypt.old-secret=s1`, node('s3'))).toBe('');
    expect(await opening()).toEqual(['s2', 's3']);
  });
});

describe.skipIf(!available)('refused in the same words, and nothing changes', () => {
  const real = (options: string, image: string): Promise<Outcome> =>
    qemuImg(['amend', ...ALL, '--image-opts', image, '-o', options]);

  it.each([
    'encrypt.keyslot=1',
    'encrypt.state=foo',
    'encrypt.state=active',
    'encrypt.state=active,encrypt.new-secret=s2,encrypt.keyslot=8',
    'encrypt.state=active,encrypt.new-secret=s2,encrypt.keyslot=-1',
    'encrypt.state=active,encrypt.new-secret=s2,encrypt.keyslot=99999999999',
    'encrypt.state=active,encrypt.new-secret=s2,encrypt.keyslot=0',
    'encrypt.state=active,encrypt.new-secret=s9,encrypt.keyslot=0',
    'encrypt.state=active,encrypt.new-secret=s9,encrypt.keyslot=1',
    'encrypt.state=active,encrypt.new-secret=s2,encrypt.old-secret=s0',
    'encrypt.state=active,encrypt.new-secret=s2,encrypt.keyslot=x',
    'encrypt.state=inactive',
    'encrypt.state=inactive,encrypt.keyslot=1',
    'encrypt.state=inactive,encrypt.keyslot=9',
    'encrypt.state=inactive,encrypt.keyslot=-2',
    'encrypt.state=inactive,encrypt.keyslot=0,encrypt.old-secret=s1',
    'encrypt.state=inactive,encrypt.keyslot=1,encrypt.old-secret=s1',
    'encrypt.state=inactive,encrypt.old-secret=s2',
    'encrypt.state=inactive,encrypt.old-secret=s9,encrypt.keyslot=9',
    'encrypt.state=inactive,encrypt.keyslot=0,encrypt.new-secret=s1',
    'encrypt.state=inactive,encrypt.keyslot=0,encrypt.iter-time=10',
  ])('%s', async (options) => {
    const { stderr, exitCode } = await real(options, node());
    expect(exitCode).toBe(1);
    expect(await change(options)).toBe(stderr);
    expect(readFileSync(IMAGE).equals(readFileSync('made.qcow2'))).toBe(true);
  });

  it('of the last one', async () => {
    await change(`${OFF},encrypt.keyslot=3`);
    for (const options of [`${OFF},encrypt.keyslot=0`, `${OFF},encrypt.old-secret=s0`]) {
      const { stderr } = await real(options, node());
      expect(await change(options)).toBe(stderr);
    }
  });

  it.each([
    ['without encryption', 'driver=qcow2,file.filename=plain.qcow2'],
    ['the legacy AES', node('s0', 'aes.qcow2')],
    ['a wrong passphrase', node('s2')],
    ['without the passphrase', `driver=qcow2,file.filename=${IMAGE}`],
  ])('%s', async (_, image) => {
    const { stderr } = await real(`${ADD}=s2`, image);
    expect(await change(`${ADD}=s2`, image)).toBe(stderr);
  });
});

describe.skipIf(!available)('damaged slots', () => {
  it('one whose material is damaged is filled again', async () => {
    const bytes = readFileSync(IMAGE);
    const at = headerOffset(bytes);
    const material = at + bytes.readUInt32BE(at + 208 + 40) * 512;
    patch(IMAGE, material + 70_000, Buffer.from('damage'));
    expect(await opening()).toEqual(['s1']);
    expect(await change(`${ADD}=s0,encrypt.keyslot=0`, node('s1'), true)).toBe('');
    expect(await opening()).toEqual(['s0', 's1']);
  });

  it('a header that is none stays as it is', async () => {
    const at = headerOffset(readFileSync(IMAGE));
    patch(IMAGE, at + 208 + 48, Buffer.from([1, 2, 3, 4]));
    const damaged = readFileSync(IMAGE);
    const { stderr } = await qemuImg(['amend', ...ALL, '--image-opts', node(), '-o', `${ADD}=s2`]);
    expect(await change(`${ADD}=s2`)).toBe(stderr);
    expect(readFileSync(IMAGE).equals(damaged)).toBe(true);
  });
});
