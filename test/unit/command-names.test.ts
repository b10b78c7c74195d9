import { describe, expect, it } from 'vitest';
import { probeForeignFormat } from '../../src/command/foreign-formats.ts';
import { fileName, refusedName, resolveName } from '../../src/command/names.ts';
import { MemoryStorage } from '../../src/engine/storage/memory.ts';

describe('names', () => {
  it.each([
    ['base', 'top', 'base'],
    ['base', 'folder/top', 'folder/base'],
    ['../base', 'folder/top', 'folder/../base'],
    ['base', '/top', '/base'],
    ['base', '/folder/top', '/folder/base'],
    ['/base', 'folder/top', '/base'],
    ['nbd:base', 'folder/top', 'nbd:base'],
    ['./a:b', 'folder/top', 'folder/./a:b'],
  ])('%j in %j is %j', (name, from, resolved) => {
    expect(resolveName(name, from)).toBe(resolved);
  });

  it('with a protocol lead somewhere else', () => {
    expect(refusedName('a')).toBeUndefined();
    expect(refusedName('file:a')).toBeUndefined();
    expect(refusedName('./a:b')).toBeUndefined();
    expect(refusedName('a:b')).toBe("Unknown protocol 'a'");
    expect(refusedName('https://host/a')).toBe(
      "The protocol 'https' is not supported by this version",
    );
    expect(refusedName('')).toBe("The 'file' block driver requires a file name");
    expect(fileName('file:a')).toBe('a');
    expect(fileName('./file:a')).toBe('./file:a');
  });
});

describe('formats that are not read here', () => {
  const file = (text: string, name = 'disk') => {
    const content = Uint8Array.from(text, (character) => character.charCodeAt(0));
    return new MemoryStorage({ content, name });
  };

  it.each([
    ['QFI\xfb\0\0\0\x01', 'qcow'],
    ['QFI\xfb\0\0\0\x03', undefined],
    ['QED\0', 'qed'],
    ['KDMV', 'vmdk'],
    ['# Disk DescriptorFile\n\nversion=1\n', 'vmdk'],
    ['# Just a comment\nversion of something', undefined],
    [`${'\0'.repeat(0x40)}\x7f\x10\xda\xbe`, 'vdi'],
    ['vhdxfile', 'vhdx'],
    ['conectix', 'vpc'],
    ['WithoutFreeSpace\x02\0\0\0', 'parallels'],
    ['LUKS\xba\xbe\0\x01', 'luks'],
    ['LUKS\xba\xbe\0\x02', undefined],
    ['', undefined],
    ['\0\0\0\0', undefined],
  ])('%j', async (text, format) => {
    expect(await probeForeignFormat(file(text))).toBe(format);
  });

  it('one is known by its name only', async () => {
    expect(await probeForeignFormat(file('', 'disk.dmg'))).toBe('dmg');
  });
});
