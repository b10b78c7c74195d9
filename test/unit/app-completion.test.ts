import { describe, expect, it } from 'vitest';
import { complete, isCommand } from '../../src/app/completion.ts';
import { quote, sourceWords, suggestName } from '../../src/app/target.ts';

const NAMES = ['web-01.qcow2', 'web-02.qcow2', 'my disk.raw'];

function tab(line: string): string {
  return complete(line, line.length, NAMES).line;
}

describe('completion', () => {
  it.each([
    ['q', 'qemu-img '],
    ['qemu-img in', 'qemu-img info '],
    ['qemu-img co', 'qemu-img co'],
    ['qemu-img info w', 'qemu-img info web-0'],
    ['qemu-img info web-01', 'qemu-img info web-01.qcow2 '],
    ['qemu-img info my', "qemu-img info 'my disk.raw' "],
    ["qemu-img info 'my d", "qemu-img info 'my disk.raw' "],
    ['qemu-img info --ou', 'qemu-img info --output='],
    ['qemu-img convert -O r', 'qemu-img convert -O raw '],
    ['ls ', 'ls '],
    ['', 'qemu-img '],
  ])('«%s» becomes «%s»', (line, completed) => {
    expect(tab(line)).toBe(completed);
  });

  it('offers what fits when it is more than one', () => {
    expect(complete('qemu-img co', 11, NAMES).candidates).toEqual([
      'commit',
      'compact',
      'compare',
      'convert',
    ]);
    expect(complete('qemu-img info web-01', 20, NAMES).candidates).toEqual([]);
  });

  it('completes in the middle of a line and keeps the rest', () => {
    const line = 'qemu-img inf web-01.qcow2';
    expect(complete(line, 12, NAMES)).toEqual({
      line: 'qemu-img info web-01.qcow2',
      cursor: 14,
      candidates: [],
    });
  });

  it('knows what a line may begin with', () => {
    expect(['qemu-img', 'info', '--version'].map(isCommand)).toEqual([true, true, true]);
    expect(['ls', 'sudo', 'toString'].map(isCommand)).toEqual([false, false, false]);
  });
});

describe('names and command lines', () => {
  it('quotes what a shell would split or take for an option', () => {
    expect(quote('web-01.qcow2')).toBe('web-01.qcow2');
    expect(quote('my disk.raw')).toBe("'my disk.raw'");
    expect(quote("it's.raw")).toBe("'it'\\''s.raw'");
    expect(quote('-f.raw')).toBe('./-f.raw');
    const plain = { name: 'my disk.qcow2', format: 'qcow2', snapshot: undefined, encrypted: false };
    expect(sourceWords(plain, '-O raw')).toBe("-f qcow2 -O raw 'my disk.qcow2'");
    expect(sourceWords({ ...plain, snapshot: '2' }, '-O raw')).toBe(
      "-f qcow2 -l snapshot.id=2 -O raw 'my disk.qcow2'",
    );
  });

  it('never put a passphrase on a command line', () => {
    const locked = { name: 'a,b.qcow2', format: 'qcow2', snapshot: undefined, encrypted: true };
    expect(sourceWords(locked, '-O raw')).toBe(
      '--object secret,id=key,file=passphrase.txt --image-opts ' +
        'driver=qcow2,encrypt.key-secret=key,file.filename=a,,b.qcow2 -O raw',
    );
  });

  it('never suggests the name of the source', () => {
    expect(suggestName('web-01.qcow2')).toBe('web-01.raw');
    expect(suggestName('WEB.QCOW2')).toBe('WEB.raw');
    expect(suggestName('disk.raw')).toBe('disk-copy.raw');
    expect(suggestName('.qcow2')).toBe('disk.raw');
    expect(suggestName('image')).toBe('image.raw');
    expect(suggestName('web.qcow2', 'before upgrade/2')).toBe('web-before_upgrade_2.raw');
  });
});
