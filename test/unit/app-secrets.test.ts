import { describe, expect, it } from 'vitest';
import { hideSecrets } from '../../src/app/secrets.ts';

const INFO = 'qemu-img info --image-opts';

describe('a command line that is kept', () => {
  it.each([
    [`${INFO} --object secret,id=a,data=hunter2 x`, `${INFO} --object secret,id=a,data=••• x`],
    [`${INFO} --object=secret,data=hunter2,id=a x`, `${INFO} --object=secret,data=•••,id=a x`],
    [`--object secret,id=a,data='hunter 2',iv=y z`, `--object secret,id=a,data=•••,iv=y z`],
    [`--object secret,data='a,b',id=c z`, `--object secret,data=•••,id=c z`],
    [`--object 'secret,id=a,data=hunter 2' z`, `--object 'secret,id=a,data=•••' z`],
    [`--object "secret,data=hunter 2,id=a" z`, `--object "secret,data=•••,id=a" z`],
    [`--object secret,data=a,,b,id=c z`, `--object secret,data=•••,id=c z`],
    ['--object secret,id=c,data=a,b z', '--object secret,id=c,data=••• z'],
    [`--object secret,data=a\\ b,id=c z`, `--object secret,data=•••,id=c z`],
    [`--object 'secret,id=a,data=not closed`, `--object 'secret,id=a,data=•••`],
    [
      `--object '{"qom-type":"secret","id":"a","data":"hunter2"}' z`,
      `--object '{"qom-type":"secret","id":"a","data":"•••"}' z`,
    ],
    [
      `--object '{"data": "a\\"b", "qom-type":"secret"}'`,
      `--object '{"data": "•••", "qom-type":"secret"}'`,
    ],
    [
      `--object '{"qom-type":"secret","data":"not clo`,
      `--object '{"qom-type":"secret","data":"•••"`,
    ],
  ])('%s', (line, shown) => {
    expect(hideSecrets(line)).toBe(shown);
  });

  it('is as it was typed when there is no passphrase in it', () => {
    for (const line of ['qemu-img info data=1.qcow2', `${INFO} --object secret,id=a,file=key x`]) {
      expect(hideSecrets(line)).toBe(line);
    }
  });
});
