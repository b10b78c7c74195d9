import { describe, expect, test } from 'vitest';
import { pastedLines } from '../../src/app/pasted-lines.ts';

describe('command lines as they are found', () => {
  test.each([
    ['qemu-img info disk.qcow2', 'qemu-img info disk.qcow2'],
    ['info disk.qcow2', 'info disk.qcow2'],
    ['$ qemu-img info disk.qcow2', 'qemu-img info disk.qcow2'],
    ['# qemu-img info disk.qcow2', 'qemu-img info disk.qcow2'],
    ['root@pve:~# qemu-img resize vm.qcow2 +10G', 'qemu-img resize vm.qcow2 +10G'],
    ['[me@host images]$ sudo qemu-img info a', 'qemu-img info a'],
    ['sudo -E /usr/bin/qemu-img convert -O vmdk a b', 'qemu-img convert -O vmdk a b'],
    ['PS C:\\VMs> .\\qemu-img.exe info a.vhdx', 'qemu-img info a.vhdx'],
    ['"C:\\Program Files\\qemu\\qemu-img.exe" info a.vhdx', 'qemu-img info a.vhdx'],
    ['  time qemu-img check a ', 'qemu-img check a'],
    ['snapshot -c "a # b" x.qcow2', 'snapshot -c "a # b" x.qcow2'],
  ])('%s', (text, line) => {
    expect(pastedLines(text)).toEqual([line]);
  });

  test('several, with comments and lines that go on', () => {
    const text = `# First look at it
qemu-img info disk.qcow2

$ qemu-img convert -O vmdk \\
    -o subformat=streamOptimized \\
    disk.qcow2 out.vmdk\r
# done
`;
    expect(pastedLines(text)).toEqual([
      'qemu-img info disk.qcow2',
      'qemu-img convert -O vmdk  -o subformat=streamOptimized  disk.qcow2 out.vmdk',
    ]);
  });

  test('nothing', () => {
    expect(pastedLines(' \n\n# only a comment\n')).toEqual([]);
  });
});
