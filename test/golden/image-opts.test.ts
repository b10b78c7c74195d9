/** Images described by options or JSON, secrets by `--object`: taken and refused as by the real program. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createEncrypted, writeEncrypted } from './luks.ts';
import { available, expectSame, make, ours } from './programs.ts';

/** s0 is the passphrase of everything here, s1 is another one. */
const OBJECTS = ['--object', 'secret,id=s0,data=secret', '--object', 'secret,id=s1,data=two'];
/** The key of {@link ENCRYPTED_SECRET}: 32 bytes from 0 on. */
const KEY = 'secret,id=k,data=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=,format=base64';
const IV = 'iv=AAECAwQFBgcICQoLDA0ODw==';
/** AES-256-CBC of `secret`, by OpenSSL. */
const ENCRYPTED_SECRET = '6H5G+J59TZQMdlkJH18ekw==';

let folder = '';
const before = process.cwd();

beforeAll(async () => {
  if (!available) return;
  folder = mkdtempSync(join(tmpdir(), 'image-opts-'));
  process.chdir(folder);
  mkdirSync('sub');
  await createEncrypted('l.qcow2', '1M', [], OBJECTS);
  await writeEncrypted('file.filename=l.qcow2,encrypt.key-secret=s0', OBJECTS, [
    'write -P 7 0 128k',
  ]);
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', 'p.qcow2', '1M']);
  await make('qemu-io', ['-c', 'write -P 5 0 64k', 'p.qcow2']);
  writeFileSync('r.raw', new Uint8Array(1024 * 1024).fill(1));
  const over = ['-u', '-b', '../l.qcow2', '-F', 'qcow2'];
  await make('qemu-img', ['create', '-q', '-f', 'qcow2', ...over, 'sub/over.qcow2', '1M']);
  writeFileSync('plain.txt', 'secret');
  writeFileSync('line.txt', 'secret\n');
  writeFileSync('base64.txt', 'c2Vj\ncmV0\n');
  writeFileSync('bad.txt', new Uint8Array([0xff, 0xfe]));
  writeFileSync('nul.txt', 'secret\0');
  writeFileSync('empty.txt', '');
  writeFileSync('encrypted.bin', Buffer.from(ENCRYPTED_SECRET, 'base64'));
});

afterAll(() => {
  process.chdir(before);
  if (folder !== '') rmSync(folder, { recursive: true });
});

describe.skipIf(!available)('--object', () => {
  it.each([
    'secret,id=s0,data=secret',
    'secret,id=s0,file=plain.txt',
    'secret,id=s0,file=line.txt',
    'secret,id=s0,file=base64.txt,format=base64',
    'secret,id=s0,file=bad.txt',
    'secret,id=s0,file=nul.txt',
    'secret,id=s0,file=empty.txt',
    'secret,id=s0,file=nothing',
    'secret,id=s0,file=sub',
    'secret,id=s0,data=c2VjcmV0,format=base64',
    'secret,id=s0,data=c2VjcmV0Cg,format=base64',
    'secret,id=s0,data=c2Vj cmV0,format=base64',
    'secret,id=s0,data=%%,format=base64',
    'secret,id=s0,data=',
    'secret,id=s0,data=a,,b',
    'secret,id=s0',
    'secret,data=secret',
    'id=s0,data=secret',
    'secret',
    '',
    'what,id=s0',
    'qom-type=what,id=s0',
    'secret,id=s0,data=secret,file=plain.txt',
    'secret,id=s0,what=1,data=secret',
    'secret,id=0s,data=x',
    'secret,id=,data=x',
    'secret,id=s0 ,data=x',
    'secret,id=s0,data=secret,format=hex',
    'secret,id=s0,data',
    'secret,id=s0,data=secret,',
    'secret,id=s0,,data=x',
    'secret,,x,id=s0',
    'secret,id=s0,da.ta=1',
    'secret,id=s0,data.x=1',
    'secret,id=s0,=1',
    'secret,id=s0,5=1',
    'qom-type=secret,id=s0,data=secret',
    'secret,id=s0,qom-type=secret,data=secret',
    'secret,id=s0,data=secret,data=wrong',
    'secret,id=s0,id=s1,data=secret',
    'secret,id=s0,data=secret,loaded=true',
    'secret,id=s0,data=secret,loaded=on',
    'secret,id=s0,data=secret,loaded=what',
    'secret,id=s0,data=secret,iv=AAAA',
    'secret,id=s0,data=secret,keyid=nothing',
    'secret,help',
    'secret,id=s0,help',
    '{"qom-type":"secret","id":"s0","data":"secret"}',
    '{"qom-type":"secret","id":"s0","data":5}',
    '{"qom-type":"secret","id":"s0"',
    '{"qom-type":"secret","id":"s0","data":"secret"}x',
    '{"qom-type":"secret","id":"s0","data":"secret","x":1}',
    '{"id":"s0"}',
    '{"qom-type":"secret"}',
    '[]',
  ])('%s', async (object) => {
    const image = 'driver=qcow2,file.filename=l.qcow2,encrypt.key-secret=s0';
    await expectSame(['check', '--object', object, '--image-opts', image]);
  });

  it.each([
    `secret,id=s0,keyid=k,${IV},data=${ENCRYPTED_SECRET},format=base64`,
    `secret,id=s0,keyid=k,${IV},file=encrypted.bin`,
    `secret,id=s0,keyid=k,data=${ENCRYPTED_SECRET},format=base64`,
    `secret,id=s0,keyid=k,iv=AAAA,data=${ENCRYPTED_SECRET},format=base64`,
    `secret,id=s0,keyid=k,iv=!,data=${ENCRYPTED_SECRET},format=base64`,
    `secret,id=s0,keyid=k,${IV},data=AAAA,format=base64`,
    `secret,id=s0,keyid=k,${IV},data=,format=base64`,
    `secret,id=k,data=x`,
  ])('encrypted: %s', async (object) => {
    const image = ['--image-opts', 'file.filename=l.qcow2,encrypt.key-secret=s0'];
    await expectSame(['check', '--object', KEY, '--object', object, ...image]);
  });

  it.each(['pass,word', 'pass,word=1', 'pass, word', 'pass,wo.rd=1'])(
    'a passphrase is not shown: %s',
    async (data) => {
      const { stdout, stderr } = await ours(['info', '--object', `secret,id=a,data=${data}`, 'x']);
      expect(stdout).toBe('');
      expect(stderr).toBe("qemu-img: A comma within 'data' must be written twice\n");
    },
  );

  it.each(['info', 'compare', 'map', 'convert'])('%s: wrong ones stop it at once', async (name) => {
    await expectSame([name, '--object', 'secret,id=k', 'a', 'b']);
    await expectSame([name, '-Z', '--object', 'secret,id=k', 'a', 'b']);
    await expectSame([name, '--object', 'secret,help', '-Z', 'a']);
  });
});

const NODES = [
  'driver=qcow2,file.filename=l.qcow2',
  'file.filename=l.qcow2',
  'file.filename=l.qcow2,encrypt.key-secret=s0',
  'driver=qcow2,file.driver=file,file.filename=l.qcow2,encrypt.format=luks,encrypt.key-secret=s0',
  'driver=qcow2,file.filename=l.qcow2,encrypt.key-secret=s1',
  'driver=qcow2,file.filename=l.qcow2,encrypt.key-secret=nothing',
  'driver=qcow2,file.filename=l.qcow2,encrypt.format=aes,encrypt.key-secret=s0',
  'driver=qcow2,file.filename=l.qcow2,encrypt.format=what,encrypt.key-secret=s0',
  'driver=qcow2,file.filename=p.qcow2,encrypt.format=luks,encrypt.key-secret=s0',
  'driver=qcow2,file.filename=p.qcow2,encrypt.key-secret=s0',
  'driver=qcow2,file.filename=l.qcow2,encrypt.what=1',
  'driver=qcow2,file.filename=p.qcow2,what=1',
  'driver=qcow2,file.filename=p.qcow2,file.what=1',
  'driver=qcow2,file.filename=p.qcow2,encrypt=1',
  'driver=qcow2,file.filename=p.qcow2,snapshot=on',
  'driver=qcow2,file.filename=p.qcow2,id=x',
  'driver=qcow2,file.filename=p.qcow2,help',
  'if=none,file.filename=p.qcow2',
  'driver=qcow2',
  '',
  'l.qcow2',
  'help',
  'file=l.qcow2',
  'driver=qcow2,file=l.qcow2',
  ',driver=qcow2,file.filename=p.qcow2',
  'filename=p.qcow2',
  'driver=qcow2,filename=p.qcow2',
  'driver=raw,file.filename=l.qcow2',
  'driver=what,file.filename=r.raw',
  'driver=,file.filename=r.raw',
  'driver=qcow2,,x,file.filename=p.qcow2',
  'driver=qcow2,file.driver=what,file.filename=r.raw',
  'driver=qcow2,file.filename=nothing',
  'driver=qcow2,file.filename=',
  'driver=qcow2,file.filename=.',
  'driver=qcow2,file.filename=a,,b',
  'driver=qcow2,file.filename=r.raw',
  'driver=qcow2,file.filename=file:p.qcow2',
  'driver=qcow2,file.filename=nbd://x/p.qcow2',
  'driver=qcow2,file.filename=json:{}',
  'driver=qcow2,file.filename',
  'driver=qcow2,nofile',
  'driver=qcow2,file.filename=p.qcow2,',
  'driver=qcow2,file.filename=p.qcow2,driver=raw',
  'driver=qcow2,file.driver=raw,file.file.filename=p.qcow2',
  'driver=qcow2,file.filename=p.qcow2,lazy-refcounts=on,overlap-check=all,l2-cache-size=1M',
  'driver=qcow2,file.filename=p.qcow2,lazy-refcounts=what',
  'driver=qcow2,file.filename=p.qcow2,read-only=on,node-name=n,force-share=on,cache.direct=on',
  'driver=qcow2,file.filename=p.qcow2,discard=unmap,detect-zeroes=on,auto-read-only=on',
  'driver=qcow2,file.filename=p.qcow2,file.locking=off,file.aio=threads,file.read-only=on',
  'driver=raw,file.filename=r.raw,offset=512,size=1024',
  'driver=raw,file.filename=r.raw,offset=512',
  'driver=raw,file.filename=r.raw,offset=what',
  'driver=raw,file.filename=r.raw,offset=2M',
  'driver=raw,file.filename=r.raw,size=2M',
  'driver=raw,file.filename=r.raw,size=1000',
  'file.filename=sub/over.qcow2,backing.encrypt.key-secret=s0',
  'file.filename=sub/over.qcow2,backing.encrypt.key-secret=s1',
  'file.filename=sub/over.qcow2,backing.file.filename=l.qcow2,backing.encrypt.key-secret=s0',
  'file.filename=sub/over.qcow2,backing.driver=raw,backing.file.filename=r.raw',
  'file.filename=sub/over.qcow2,backing.driver=raw',
  'file.filename=sub/over.qcow2,backing.file.filename=r.raw',
  'file.filename=sub/over.qcow2,backing.file.filename=nothing',
  'file.filename=sub/over.qcow2,backing.driver=what',
  'file.filename=sub/over.qcow2,backing.file.what=1',
  'file.filename=sub/over.qcow2,backing=',
];

const JSON_NAMES = [
  '{"driver":"qcow2","file":{"driver":"file","filename":"p.qcow2"}}',
  '{"driver":"qcow2","file.filename":"p.qcow2"}',
  '{"file.filename":"p.qcow2"}',
  "{'driver':'qcow2','file.filename':'p.qcow2'}",
  '{"driver":"raw","file":{"driver":"file","filename":"p.qcow2"}}',
  '{"driver":"raw","size":1024,"offset":512,"file":{"driver":"file","filename":"r.raw"}}',
  '{"driver":"qcow2","file":{"filename":"l.qcow2"},"encrypt":{"key-secret":"s0"}}',
  '{"driver":"qcow2","file.filename":"p.qcow2","backing":null}',
  '{"driver":"qcow2","file.filename":"p.qcow2","lazy-refcounts":true}',
  '{"driver":"qcow2","file.filename":"p.qcow2","what":true}',
  '{"driver":"qcow2","file":"p.qcow2"}',
  '{"driver":"raw"}',
  '{"filename":"p.qcow2"}',
  '{}',
  '[]',
  '',
  '{"driver"',
];

describe.skipIf(!available)('--image-opts', () => {
  it.each(NODES)('%s', async (opts) => {
    const image = [...OBJECTS, '--image-opts', opts];
    await expectSame(['info', ...image]);
    await expectSame(['check', ...image]);
  });

  it('in every command', async () => {
    const l = 'file.filename=l.qcow2,encrypt.key-secret=s0';
    const p = 'driver=qcow2,file.filename=p.qcow2';
    await expectSame(['info', ...OBJECTS, '--output=json', '--image-opts', l]);
    const over = 'file.filename=sub/over.qcow2';
    await expectSame(['info', '--backing-chain', '--image-opts', over]);
    await expectSame(['check', ...OBJECTS, '--output=json', '--image-opts', l]);
    await expectSame(['map', ...OBJECTS, '--image-opts', p]);
    await expectSame(['compare', ...OBJECTS, '--image-opts', l, p]);
    await expectSame(['compare', ...OBJECTS, '-s', '--image-opts', l, l]);
    await expectSame(['compare', ...OBJECTS, '--image-opts', p, 'file.filename=nothing']);
    await expectSame(['convert', ...OBJECTS, '--image-opts', l, p, 'o.raw']);
    await expectSame(['measure', ...OBJECTS, '-O', 'qcow2', '--image-opts', l]);
    await expectSame(['measure', '-O', 'raw', 'l.qcow2']);
    await expectSame(['snapshot', ...OBJECTS, '-l', '--image-opts', l]);
    await expectSame(['snapshot', '-l', 'l.qcow2']);
    await expectSame(['dd', ...OBJECTS, '--image-opts', `if=${l}`, 'of=o.raw']);
    await expectSame(['dd', ...OBJECTS, 'if=l.qcow2', 'of=o.raw']);
    await expectSame(['bench', '--object', 'secret,id=s0,data=x', 'l.qcow2']);
    const target = 'driver=raw,file.filename=o.raw';
    await expectSame([
      ...['convert', ...OBJECTS, '--image-opts', l, '-n', '--target-image-opts', target],
    ]);
    for (const wrong of ['o.raw', 'driver=raw,file.filename=nothing', 'driver=raw']) {
      await expectSame(['convert', '-n', '--target-image-opts', 'p.qcow2', wrong]);
    }
    await expectSame(['convert', '-O', 'raw', '-n', '--target-image-opts', 'p.qcow2', target]);
    await expectSame(['convert', '--source-image-opts', 'p.qcow2', 'o.raw']);
  });

  it('excludes a format', async () => {
    const opts = 'driver=qcow2,file.filename=p.qcow2';
    for (const command of ['info', 'check', 'map', 'compare', 'convert', 'measure']) {
      await expectSame([command, '-f', 'qcow2', '--image-opts', opts, opts]);
      await expectSame([command, '-f', 'qcow2', '--image-opts', opts]);
    }
  });

  it.each([
    ['driver=nbd,host=x', "The protocol 'nbd' is not supported"],
    ['driver=qcow2,file.driver=http,file.url=http://x/', "The protocol 'http' is not supported"],
    ['driver=quorum,file.filename=p.qcow2', "The format 'quorum' is not supported"],
  ])('%s is refused', async (opts, text) => {
    const { stderr, exitCode } = await ours(['info', '--image-opts', opts]);
    expect(stderr).toContain(`${text} by this version`);
    expect(exitCode).toBe(1);
  });
});

describe.skipIf(!available)('names that are JSON', () => {
  it.each(JSON_NAMES)('json:%s', async (json) => {
    await expectSame(['info', ...OBJECTS, `json:${json}`]);
    await expectSame(['check', ...OBJECTS, '--output=json', `json:${json}`]);
    await expectSame(['info', ...OBJECTS, '-f', 'raw', `json:${json}`]);
  });

  it('lead nowhere else', async () => {
    const json = '{"driver":"qcow2","file":{"driver":"nbd","host":"localhost"}}';
    const { stderr } = await ours(['info', `json:${json}`]);
    expect(stderr).toContain("The protocol 'nbd' is not supported by this version");
  });
});
