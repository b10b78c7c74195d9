/** What a file is that is no disk image, and why what is packed cannot be unpacked. */
import type { ContainerProblem, ErrorDetails, ForeignContent } from '../../engine/errors.ts';

export const FOREIGN: Record<ForeignContent, string> = {
  empty: 'The file is empty: it has no bytes at all.',
  'too-short': 'The file is too short to be a disk image.',
  html: 'It is a web page. A download link often gives the page about a file in place of the file.',
  'lfs-pointer': 'It is a Git LFS pointer: a few lines of text that stand for the real file.',
  text: 'It is a text file.',
  gzip: 'It is a gzip archive. The image may be inside.',
  xz: 'It is an xz archive. The image may be inside.',
  zstd: 'It is a Zstandard archive. The image may be inside.',
  bzip2: 'It is a bzip2 archive. The image may be inside.',
  zip: 'It is a ZIP archive. The image may be inside.',
  tar: 'It is a tar archive. The image may be inside.',
  'encrypted-zip': 'It is a ZIP archive that is locked with a password.',
  '7z': 'It is a 7z archive. The image may be inside.',
  rar: 'It is a RAR archive. The image may be inside.',
  pgp: 'It is encrypted or signed with OpenPGP (gpg).',
  age: 'It is encrypted with age.',
  openssl: 'It is encrypted with openssl.',
  pdf: 'It is a PDF document.',
  picture: 'It is a picture or photo.',
  program: 'It is a program.',
  unknown: 'Its first bytes belong to no format that is known here.',
};

export const FOREIGN_NOW: Record<ForeignContent, string> = {
  empty: 'Download or copy it again.',
  'too-short': 'Download or copy it again.',
  html: 'Open the link in a browser, find the real download and save that.',
  'lfs-pointer': 'Fetch the real file with “git lfs pull” and open that.',
  text: 'Choose another file.',
  gzip: 'Unpack it first (gunzip) and open what comes out.',
  xz: 'Unpack it first (unxz) and open what comes out.',
  zstd: 'Unpack it first (unzstd) and open what comes out.',
  bzip2: 'Unpack it first (bunzip2) and open what comes out.',
  zip: 'Unpack it first and open what comes out.',
  tar: 'Unpack it first (tar -xf) and open what comes out.',
  'encrypted-zip': 'Unpack it with its password first and open what comes out.',
  '7z': 'Unpack it first (7z x) and open what comes out.',
  rar: 'Unpack it first (unrar x) and open what comes out.',
  pgp: 'Decrypt it first (gpg --decrypt) and open what comes out.',
  age: 'Decrypt it first (age --decrypt) and open what comes out.',
  openssl: 'Decrypt it first (openssl enc -d) and open what comes out.',
  pdf: 'Choose another file.',
  picture: 'Choose another file.',
  program: 'An installer may unpack an image when it runs. Otherwise choose another file.',
  unknown: 'If it is a plain copy of a disk, open it as a raw disk. Otherwise choose another file.',
};

export const CONTAINER: Record<ContainerProblem, (d: ErrorDetails['container-invalid']) => string> =
  {
    damaged: (d) => `The ${d.container} data in “${d.name}” is damaged.`,
    'cut-off': (d) => `The end of “${d.name}” is missing: a download or a copy was not finished.`,
    checksum: (d) => `What comes out does not fit the checksum in “${d.name}”: it is damaged.`,
    size: (d) => `What comes out has another size than “${d.name}” says: it is damaged.`,
    encrypted: () => 'It is locked with a password.',
    method: (d) => `The ${d.container} file is packed in a way that is not known here.`,
    memory: () => 'Unpacking it takes more memory than this app allows itself.',
    room: () => 'Unpacked, it takes more room than this app may use.',
    'too-many': (d) => `“${d.name}” has more files in it than are looked at here.`,
    'too-deep': (d) => `“${d.name}” has archives in archives in archives.`,
    'no-disk': (d) => `Nothing in “${d.name}” looks like a disk image.`,
  };

const AGAIN = 'Get the file again from where it came.';
const ELSEWHERE = 'Unpack it with another program and open what comes out.';
export const CONTAINER_NOW: Record<ContainerProblem, string> = {
  damaged: AGAIN,
  'cut-off': AGAIN,
  checksum: AGAIN,
  size: AGAIN,
  encrypted: 'Unpack it with its password first and open what comes out.',
  method: ELSEWHERE,
  memory: ELSEWHERE,
  room: ELSEWHERE,
  'too-many': ELSEWHERE,
  'too-deep': ELSEWHERE,
  'no-disk': 'Choose another file.',
};
