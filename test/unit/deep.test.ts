/** The deep look: built images of which every number is known, and secrets that are none. */
import { describe, expect, it } from 'vitest';
import { openImage, type DeepFacts, type SecretKind } from '../../src/engine/index.ts';
import { lookDeep } from '../../src/engine/diagnosis/deep.ts';
import { SecretScanner, SecretTally } from '../../src/engine/diagnosis/deep-secrets.ts';
import { buildQcow2, type ClusterSpec, type ImageSpec } from '../images/build-qcow2.ts';
import { memory } from '../images/memory.ts';
import { randomFor } from '../images/wounds.ts';

const CLUSTER = 4096;
const BASE64 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
const LETTERS = BASE64.slice(0, 62);
const BASE32 = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567';
const bytesOf = (text: string) => Uint8Array.from(Buffer.from(text, 'latin1'));

/** Letters that look random and are the same every time. */
function letters(count: number, alphabet = LETTERS): string {
  const random = randomFor(count * 7 + alphabet.length);
  return Array.from({ length: count }, () => alphabet[random(alphabet.length)]).join('');
}

const data = (text: string | Uint8Array): ClusterSpec => {
  const bytes = new Uint8Array(CLUSTER);
  bytes.set(typeof text === 'string' ? bytesOf(text) : text);
  return { kind: 'data', bytes };
};
const noise = (seed: number) => {
  const random = randomFor(seed);
  return Uint8Array.from({ length: CLUSTER }, () => 1 + random(255));
};
const text = (letter: string): ClusterSpec => ({
  kind: 'compressed',
  bytes: bytesOf(letter.repeat(CLUSTER)),
});

async function look(
  spec: Partial<ImageSpec> & Pick<ImageSpec, 'clusters'>,
  options: { change?: (bytes: Uint8Array) => void; below?: ImageSpec } = {},
): Promise<DeepFacts> {
  const { bytes } = buildQcow2({ clusterBits: 12, size: 64 * CLUSTER, ...spec });
  options.change?.(bytes);
  const { below } = options;
  const gate = () =>
    below === undefined ? Promise.resolve(undefined) : memory(buildQcow2(below).bytes, 'below');
  const disk = await openImage(await memory(bytes), { gate });
  return lookDeep(disk, {});
}

const KEY = [
  '-----BEGIN RSA PRIVATE KEY-----',
  ...Array.from({ length: 12 }, (_, line) => letters(64 - (line === 11 ? 20 : 0), BASE64)),
  '-----END RSA PRIVATE KEY-----\n',
].join('\n');
const SHADOW = `daemon:*:19000:0:99999:7:::\nroot:$6$${letters(16)}$${letters(86)}:19000:0:99999:7:::\n`;

describe('content', () => {
  it('counts packed clusters that do not unpack, those of snapshots too', async () => {
    const packed = new Map([0, 1, 2, 3].map((at) => [at, text('abcd'.charAt(at))]));
    const older = new Map([[1, text('z')]]);
    const spec = {
      clusters: packed,
      snapshots: [
        { id: '1', name: 'a' },
        { id: '2', name: 'b', clusters: older },
      ],
    };
    const sound = await look(spec);
    expect(sound).toMatchObject({
      packedClusters: 5,
      snapshotPacked: 1,
      brokenPacked: 0,
      brokenPlaces: [],
    });
    expect(sound).toMatchObject({ bytesRead: 5 * CLUSTER, unreadable: 0, stale: 0, secrets: [] });
    const damaged = await look(spec, {
      change: (bytes) => {
        const at = streams(bytes);
        // Of the second cluster, and of the one that only the snapshot has.
        for (const stream of [at[1], at[4]]) bytes.fill(0xff, stream, (stream ?? 0) + 4);
      },
    });
    expect(damaged).toMatchObject({ brokenPacked: 2, brokenSnapshotPacked: 1, unreadable: 0 });
    expect(damaged.brokenPlaces).toEqual([{ offset: CLUSTER, length: CLUSTER }]);
  });

  it('counts zeros that take room, content that equals what is below, and packs a sample', async () => {
    const below: ImageSpec = {
      clusterBits: 12,
      size: 64 * CLUSTER,
      clusters: new Map([5, 6, 7, 8].map((at) => [at, data(noise(at))])),
    };
    const clusters = new Map<number, ClusterSpec>([
      [1, data('')],
      [2, data('')],
      [3, { kind: 'zero-kept' }],
      [5, data(noise(5))],
      [6, data(noise(60))],
      [7, { kind: 'compressed', bytes: noise(7).map((byte) => byte & 1) }],
      [8, { kind: 'data', bytes: noise(8) }],
      [20, data('a'.repeat(CLUSTER))],
    ]);
    const facts = await look({ clusters, backing: { name: 'below', format: 'qcow2' } }, { below });
    expect(facts.zeroFilled).toBe(2 * CLUSTER);
    expect(facts.equalToBacking).toBe(2 * CLUSTER);
    expect(facts.sampled).toBe(4 * CLUSTER);
    // Noise stays as it is; a letter packs to next to nothing.
    expect(facts.sampledPacked).toBeGreaterThan(3 * CLUSTER - 1);
    expect(facts.sampledPacked).toBeLessThan(3 * CLUSTER + 100);
    // Without the image below nobody knows.
    const alone = await look({ clusters, backing: { name: 'below', format: 'qcow2' } });
    expect(alone).toMatchObject({ zeroFilled: 2 * CLUSTER, equalToBacking: 0, unreadable: 0 });
  });

  it('says what cannot be read, and stops when asked to', async () => {
    const clusters = new Map([1, 2, 3].map((at) => [at, data(noise(at))]));
    const { bytes, l2Offsets } = buildQcow2({ clusterBits: 12, size: 64 * CLUSTER, clusters });
    const view = new DataView(bytes.buffer);
    // The second cluster lies between two.
    view.setBigUint64(
      (l2Offsets.get(0) ?? 0) + 16,
      view.getBigUint64((l2Offsets.get(0) ?? 0) + 16) + 512n,
    );
    const disk = await openImage(await memory(bytes));
    const facts = await lookDeep(disk, {});
    expect(facts.unreadablePlaces).toEqual([{ offset: 2 * CLUSTER, length: CLUSTER }]);
    expect(facts).toMatchObject({ unreadable: CLUSTER, bytesRead: 2 * CLUSTER });
    const signal = AbortSignal.abort();
    await expect(lookDeep(disk, { signal })).rejects.toMatchObject({ code: 'cancelled' });
  });
});

describe('what the guest does not see', () => {
  it('is found in leaked, held and free places and behind the end, with its secrets', async () => {
    const { bytes, l2Offsets, refcountBlockOffset } = buildQcow2({
      ...{ clusterBits: 12, size: 64 * CLUSTER },
      clusters: new Map<number, ClusterSpec>([
        [0, data(noise(1))],
        [1, data(`\n${SHADOW}`)],
        [2, data(KEY)],
        [3, { kind: 'zero-kept' }],
      ]),
    });
    const table = l2Offsets.get(0) ?? 0;
    const view = new DataView(bytes.buffer);
    const hostOf = (index: number) =>
      Number(view.getBigUint64(table + index * 8) & 0xfffffffffffffen);
    const leaked = hostOf(2);
    const [free, held] = [hostOf(1), hostOf(3)];
    view.setBigUint64(table + 8, 0n);
    view.setBigUint64(table + 16, 0n);
    view.setUint16(refcountBlockOffset + (free / CLUSTER) * 2, 0);
    bytes.fill(7, held + 1024, held + 1536);
    const longer = new Uint8Array(bytes.length + 3 * CLUSTER);
    longer.set(bytes);
    longer[bytes.length + CLUSTER + 5] = 1;
    const facts = await lookDeep(await openImage(await memory(longer)), {});
    expect(facts.staleKnown).toBe(true);
    expect(
      facts.stalePlaces.map(({ offset }) => Math.floor(offset / CLUSTER) * CLUSTER).sort(),
    ).toEqual([leaked, free, held, bytes.length + CLUSTER].sort());
    expect(facts.stale).toBe(4 * 512 + Math.ceil(KEY.length / 512) * 512 - 512);
    expect(facts.secrets.map(({ kind, count, stale }) => [kind, count, stale]).sort()).toEqual([
      ['password-hash', 1, 1],
      ['private-key', 1, 1],
    ]);
    expect(facts.secrets.every(({ places }) => places.length === 0)).toBe(true);
  });
});

/** Where packed streams begin, in the order of the file, as the active table and the snapshot's say. */
function streams(bytes: Uint8Array): number[] {
  const view = new DataView(bytes.buffer);
  const found = new Set<number>();
  for (let at = 0; at < bytes.length; at += 8) {
    // Entries of tables with the flag of packed clusters: nothing else in these images has it.
    const entry = view.getBigUint64(at);
    if (entry >> 62n === 1n && (entry & 0x3ffffffffffffffn) < BigInt(bytes.length)) {
      found.add(Number(entry & 0x3ffffffffffffffn));
    }
  }
  return [...found].sort((a, b) => a - b);
}

describe('secrets', () => {
  function scan(content: string | Uint8Array, pieces = [1 << 30]): Record<string, number> {
    const bytes = typeof content === 'string' ? bytesOf(content) : content;
    const tally = new SecretTally();
    const scanner = new SecretScanner(tally, false);
    for (let at = 0, index = 0; at < bytes.length; index++) {
      const step = pieces[index % pieces.length] ?? 1;
      scanner.feed(at, bytes.subarray(at, at + step));
      at += step;
    }
    scanner.flush();
    return Object.fromEntries(tally.facts().map(({ kind, count }) => [kind, count]));
  }

  const ED25519 = `-----BEGIN PRIVATE KEY-----\n${letters(64, BASE64)}\n-----END PRIVATE KEY-----\n`;
  const SECRETS: [SecretKind, string][] = [
    ['private-key', KEY],
    ['private-key', KEY.replaceAll('\n', '\r\n')],
    [
      'private-key',
      KEY.replace('-\n', '-\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,00FF\n\n'),
    ],
    ['private-key', ED25519],
    ['private-key', `keys:\n  key: |\n    ${ED25519.replaceAll('\n', '\n    ')}`],
    ['password-hash', SHADOW],
    ['password-hash', `\0ubuntu:$y$j9T$${letters(22)}$${letters(43)}:19000:0:99999:7:::`],
    ['password-hash', `\nsvc_a:$1$${letters(8)}$${letters(22)}::0:99999:7:::`],
    ['password-hash', `\nw:$2b$12$${letters(53)}:1:`],
    ['cloud-credentials', `aws_access_key_id = AKIA${letters(16, BASE32)}\n`],
    ['cloud-credentials', `AWS_ACCESS_KEY_ID=ASIA${letters(16, BASE32)}\n`],
    ['cloud-credentials', `export AWS_SECRET_ACCESS_KEY="${letters(40, BASE64)}"\n`],
    [
      'cloud-credentials',
      `{"type": "service_account", "private_key_id": "${letters(40, '0123456789abcdef')}",\n` +
        ` "private_key": "-----BEGIN PRIVATE KEY-----\\n${letters(64, BASE64)}\\n`,
    ],
    ['token', `https://ghp_${letters(36)}@github.com`],
    ['token', `github_pat_${letters(22)}_${letters(59)}\n`],
    ['token', `GITLAB=glpat-${letters(20)}\n`],
    ['token', `xoxb-123456789012-1234567890123-${letters(24)}\n`],
    ['machine-id', `0123456789ab4cde8f0123456789abcd\n${'\0'.repeat(600)}`],
    ['shell-history', 'ls -la\ncd /etc\nvi hosts\nsystemctl restart sshd\nls\nexit\n'],
    ['shell-history', '#1700000000\nls\n#1700000005\nmysql -pgeheim\n'],
  ];

  it.each(SECRETS)('%s: %s', (kind, secret) => {
    expect(scan(secret)).toEqual({ [kind]: 1 });
    if (kind === 'machine-id' || kind === 'shell-history') return;
    // Wherever pieces end, and whatever is around.
    const there = `${'.'.repeat(50)}\n${secret}${'\n.'.repeat(3000)}`;
    for (const pieces of [[7], [60], [4096], [1, 5000], [100, 1]]) {
      expect(scan(there, pieces), String(pieces)).toEqual({ [kind]: 1 });
    }
  });

  it.each([
    [
      'the text alone, as in a program',
      '-----BEGIN RSA PRIVATE KEY-----\0-----END RSA PRIVATE KEY-----\0',
    ],
    ['several of them', '-----BEGIN PRIVATE KEY-----\n-----BEGIN OPENSSH PRIVATE KEY-----\n%s\n'],
    ['dots for the key', `-----BEGIN PRIVATE KEY-----\n${'.'.repeat(64)}\n${'.'.repeat(64)}\n`],
    ['one letter', `-----BEGIN PRIVATE KEY-----\n${'A'.repeat(64)}\n${'A'.repeat(64)}\n`],
    ['a certificate', KEY.replaceAll('RSA PRIVATE KEY', 'CERTIFICATE')],
    ['a public key', KEY.replaceAll('RSA PRIVATE KEY', 'PUBLIC KEY')],
    [
      'a manual about passwords',
      'root:$6$salt$hash:19000:0:99999:7:::\n $6$ is SHA-512, :$6$ too\n',
    ],
    ['a locked account', 'root:!:19000:0:99999:7:::\nbin:*:1::::::\n'],
    ['an example of Amazon', 'AKIAIOSFODNN7EXAMPLE wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY'],
    ['a name of a variable', 'os.environ["AWS_SECRET_ACCESS_KEY"] = aws_secret_access_key\n'],
    ['letters of base64', `${letters(40, BASE64)}AKIA${letters(30, BASE32)}`],
    [
      'a rule that looks for tokens',
      'ghp_[0-9a-zA-Z]{36} xox[baprs]-([0-9a-zA-Z]{10,48}) glpat-[\\w-]{20}',
    ],
    ['placeholders', `ghp_${'x'.repeat(36)} glpat-${'x'.repeat(20)} xoxb-your-token-here-it-is`],
    ['a digest in a file', `${'0123456789abcdef'.repeat(2)}\n${'\0'.repeat(600)}`],
    ['a script', '#!/bin/sh\nset -e\nls /tmp\nif true; then\n  cd /\nfi\nexit 0\nls\n'],
    ['a list of words', 'apple\nls\nbanana\ncherry\nmango\nkiwi\nplum\n'],
  ])('are not: %s', (_, content) => {
    expect(scan(`${content}${'\0'.repeat(2000)}`)).toEqual({});
  });

  it('are not found in noise', () => {
    const random = randomFor(5);
    expect(scan(Uint8Array.from({ length: 1 << 20 }, () => random(256)))).toEqual({});
  });

  it('are counted, with places that do not grow without end', async () => {
    const clusters = new Map(Array.from({ length: 40 }, (_, at) => [at * 2, data(KEY)]));
    const { secrets } = await look({ size: 128 * CLUSTER, clusters });
    expect(secrets).toMatchObject([{ kind: 'private-key', count: 40, stale: 0 }]);
    expect(secrets[0]?.places.length).toBe(20);
    expect(secrets[0]?.places[1]).toEqual({
      offset: 2 * CLUSTER,
      length: expect.any(Number) as number,
    });
  });
});
