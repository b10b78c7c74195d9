/** Changes of real files under Node: journals beside them, and what may go wrong with a file. */
import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { NodeHost } from '../../src/command/node/host.ts';
import { runCommand } from '../../src/command/run.ts';
import { isImageError } from '../../src/engine/errors.ts';
import { Change, MemoryStorage, type JournalPlace } from '../../src/engine/index.ts';
import { pattern } from './conformance.ts';

const folder = mkdtempSync(join(tmpdir(), 'node-change-'));
let count = 0;
afterAll(() => {
  rmSync(folder, { recursive: true });
});

function fileWith(content: Uint8Array): string {
  const path = join(folder, `file-${++count}`);
  writeFileSync(path, content);
  return path;
}

function newHost() {
  const said = { text: '' };
  const add = (text: string) => void (said.text += text);
  return Object.assign(new NodeHost(add, add), { said });
}

async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return isImageError(error) ? error.code : String(error);
  }
}

/** A file with a change that is not applied yet. */
async function prepared(content = pattern(100_000)) {
  const path = fileWith(content);
  const change = await newHost().change(path);
  await change.storage.write(5000, pattern(3000, 2));
  await change.storage.write(99_000, pattern(20_000, 3));
  const expected = Buffer.alloc(change.storage.size);
  await change.storage.read(0, expected);
  const end = async () => {
    await change.storage.close();
    await change.storage.base.close();
  };
  return { path, change, expected, content: Buffer.from(content), end };
}

/** What a process that died has left: the journal of a change, complete or cut off. */
async function leave(path: string, change: Change, cut = 0): Promise<void> {
  let content = new Uint8Array(0);
  const journal = new MemoryStorage();
  // Emptied when the change is through: the last moment to look at it.
  journal.resize = async () => {
    content = new Uint8Array(journal.size);
    await journal.read(0, content);
  };
  const place: JournalPlace = {
    ...{ name: 'journal', owner: 'another boot\n1\n1' },
    find: () => Promise.resolve(undefined),
    create: () => Promise.resolve(journal),
    remove: () => Promise.resolve(),
  };
  const base = new MemoryStorage({ content: readFileSync(path), name: path });
  const other = new Change(base, { journal: place });
  for (const { offset, length } of change.storage.changes()) {
    const bytes = new Uint8Array(length);
    await change.storage.read(offset, bytes);
    await other.storage.write(offset, bytes);
  }
  await other.apply();
  writeFileSync(`${path}.journal`, content.subarray(0, content.length - cut));
  // The process of another machine is given some time.
  utimesSync(`${path}.journal`, 1000, 1000);
}

describe('a change of a file', () => {
  it('is put in, and nothing is left beside it', async () => {
    const { path, change, expected, end } = await prepared();
    await change.apply();
    await end();
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith(`file-${count}`))).toHaveLength(1);
  });

  it('that is dropped leaves the file as it was, its size and time included', async () => {
    const { path, change, content, end } = await prepared();
    const before = statSync(path);
    await end();
    expect(statSync(path).mtimeMs).toBe(before.mtimeMs);
    const host = newHost();
    const fresh = await host.change(path);
    await fresh.storage.writeFresh(200_000, pattern(10));
    expect(statSync(path).size).toBe(200_010);
    await fresh.storage.close();
    await fresh.storage.base.close();
    expect(readFileSync(path).equals(content)).toBe(true);
    void change;
  });

  it('has no journal that others can read, where they cannot read the file', async () => {
    const path = fileWith(pattern(1000));
    execFileSync('chmod', ['640', path]);
    const change = await newHost().change(path);
    await change.storage.write(0, pattern(100, 2));
    let mode = 0;
    change.storage.base.flush = () => {
      mode = statSync(`${path}.journal`).mode & 0o777;
      return Promise.resolve();
    };
    await change.apply();
    await change.storage.base.close();
    expect(mode.toString(8)).toBe('640');
  });

  it('moves into a scratch file that has no name when it is large', async () => {
    const path = fileWith(pattern(1000));
    const change = await newHost().change(path);
    const piece = pattern(4 * 2 ** 20, 3);
    for (let at = 0; at < 80 * 2 ** 20; at += piece.length) await change.storage.write(at, piece);
    expect(readdirSync(folder).filter((name) => name.includes('scratch'))).toEqual([]);
    const bytes = new Uint8Array(piece.length);
    await change.storage.read(40 * 2 ** 20, bytes);
    expect(Buffer.compare(bytes, piece)).toBe(0);
    await change.apply();
    await change.storage.close();
    await change.storage.base.close();
    const content = readFileSync(path);
    expect(content.length).toBe(80 * 2 ** 20);
    expect(content.subarray(-piece.length).equals(piece)).toBe(true);
  });
});

describe('a file that somebody else', () => {
  const cases: Record<string, (path: string) => void> = {
    'writes to': (path) => {
      const bytes = readFileSync(path);
      bytes[50_000] = (bytes[50_000] ?? 0) ^ 1;
      writeFileSync(path, bytes);
    },
    'makes longer': (path) => appendFileSync(path, 'x'),
    replaces: (path) => {
      writeFileSync(`${path}-new`, readFileSync(path));
      renameSync(`${path}-new`, path);
    },
  };
  for (const [what, harm] of Object.entries(cases)) {
    it(`${what} is not changed`, async () => {
      const { path, change, end } = await prepared();
      // The clock of the file system is coarse.
      await new Promise((done) => setTimeout(done, 30));
      harm(path);
      const before = readFileSync(path);
      expect(await codeOf(change.apply())).toBe('file-changed');
      await end();
      expect(readFileSync(path).equals(before)).toBe(true);
      expect(existsSync(`${path}.journal`)).toBe(false);
    });
  }

  it('removes is said to be gone', async () => {
    const { path, change, end } = await prepared();
    rmSync(path);
    expect(await codeOf(change.apply())).toBe('file-gone');
    await end();
    expect(existsSync(`${path}.journal`)).toBe(false);
  });

  it('is changing in this very moment is left alone', async () => {
    const { path, change, end } = await prepared();
    const other = await newHost().change(path);
    await other.storage.write(0, pattern(10, 9));
    let codes: string[] = [];
    other.storage.base.flush = async () => {
      codes = [await codeOf(newHost().open(path)), await codeOf(newHost().change(path))];
    };
    await other.apply();
    await other.storage.base.close();
    expect(codes).toEqual(['being-changed', 'being-changed']);
    await new Promise((done) => setTimeout(done, 30));
    expect(await codeOf(change.apply())).toBe('file-changed');
    await end();
  });
});

describe('a journal beside a file', () => {
  it('is put in when the file is opened, whatever it is called, and that is said', async () => {
    const { path, change, expected, end } = await prepared();
    await leave(path, change);
    await end();
    symlinkSync(path, `${path}-link`);
    const host = newHost();
    const storage = await host.open(`${path}-link`);
    expect(storage.size).toBe(expected.length);
    await storage.close();
    expect(host.said.text).toMatch(/^qemu-img: .*-link': a change was interrupted .* finished now/);
    expect(readFileSync(path).equals(expected)).toBe(true);
    expect(existsSync(`${path}.journal`)).toBe(false);
  });

  it('without an end is dropped, and that is said', async () => {
    const { path, change, content, end } = await prepared();
    await leave(path, change, 1);
    await end();
    const host = newHost();
    await (await host.modify(path)).close();
    expect(host.said.text).toContain('the image is as it was');
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(existsSync(`${path}.journal`)).toBe(false);
  });

  it('of a file that was replaced since is refused, says so, and is no obstacle to a new file', async () => {
    const { path, change, end } = await prepared();
    await leave(path, change);
    await end();
    writeFileSync(path, pattern(100_000, 8));
    const host = newHost();
    expect(await runCommand(['info', path], host)).toBe(1);
    expect(host.said.text).toContain('remove the journal');
    expect(readFileSync(path).equals(pattern(100_000, 8))).toBe(true);
    expect(existsSync(`${path}.journal`)).toBe(true);
    await (await newHost().create(path)).close();
    expect([statSync(path).size, existsSync(`${path}.journal`)]).toEqual([0, false]);
  });

  it('that is something else is left alone; only the file cannot be changed', async () => {
    const { path, change, content, end } = await prepared();
    writeFileSync(`${path}.journal`, 'dear diary');
    expect(await codeOf(change.apply())).not.toBe('none');
    await end();
    expect(await codeOf(newHost().open(path))).toBe('none');
    expect(readFileSync(path).equals(content)).toBe(true);
    expect(readFileSync(`${path}.journal`, 'utf8')).toBe('dear diary');
  });

  it('that cannot be made says why, and nothing has changed', async () => {
    const { path, change, content, end } = await prepared();
    mkdirSync(`${path}.journal`);
    expect(await codeOf(change.apply())).not.toBe('none');
    await end();
    expect(readFileSync(path).equals(content)).toBe(true);
    rmSync(`${path}.journal`, { recursive: true });
  });
});

describe('an undo file', () => {
  async function image(): Promise<string> {
    const path = fileWith(pattern(300_000));
    const host = newHost();
    const args = ['convert', '-f', 'raw', '-O', 'qcow2', path, `${path}.qcow2`];
    expect(await runCommand(args, host), host.said.text).toBe(0);
    return `${path}.qcow2`;
  }

  it('is written with a change and makes the file what it was', async () => {
    const path = await image();
    const old = readFileSync(path);
    const host = newHost();
    const change = ['snapshot', '-c', 'x', '--undo', `${path}.undo`, path];
    expect(await runCommand(change, host), host.said.text).toBe(0);
    const next = readFileSync(path);
    expect(next.equals(old)).toBe(false);
    // It is not overwritten: it may be the only way back.
    expect(await runCommand(change, newHost())).toBe(1);
    expect(readFileSync(path).equals(next)).toBe(true);
    const back = ['undo', '--undo', `${path}.redo`, path, `${path}.undo`];
    expect(await runCommand(back, host), host.said.text).toBe(0);
    expect(readFileSync(path).equals(old)).toBe(true);
    expect(await runCommand(['undo', '-q', path, `${path}.redo`], host)).toBe(0);
    expect(readFileSync(path).equals(next)).toBe(true);
  });

  it('refuses a file that was changed since, and what is no undo file', async () => {
    const path = await image();
    const change = ['snapshot', '-c', 'x', '--undo', `${path}.undo`, path];
    expect(await runCommand(change, newHost())).toBe(0);
    expect(await runCommand(['snapshot', '-c', 'y', path], newHost())).toBe(0);
    const now = readFileSync(path);
    const host = newHost();
    expect(await runCommand(['undo', path, `${path}.undo`], host)).toBe(1);
    expect(host.said.text).toContain('it was changed since; nothing was written');
    expect(await runCommand(['undo', path, path], host)).toBe(1);
    expect(host.said.text).toContain('is not an undo file');
    expect(readFileSync(path).equals(now)).toBe(true);
  });
});
