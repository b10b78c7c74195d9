/** The same in Chinese. */
import type { ContainerProblem, ErrorDetails, ForeignContent } from '../../engine/errors.ts';

export const FOREIGN: Record<ForeignContent, string> = {
  empty: '文件为空，一个字节也没有。',
  'too-short': '文件太短，不可能是磁盘镜像。',
  html: '它是一个网页。下载链接给出的常常是介绍文件的网页，而不是文件本身。',
  'lfs-pointer': '它是 Git LFS 指针：用几行文字代替真正的文件。',
  text: '它是文本文件。',
  gzip: '它是 gzip 压缩文件，镜像可能在其中。',
  xz: '它是 xz 压缩文件，镜像可能在其中。',
  zstd: '它是 Zstandard 压缩文件，镜像可能在其中。',
  bzip2: '它是 bzip2 压缩文件，镜像可能在其中。',
  zip: '它是 ZIP 压缩文件，镜像可能在其中。',
  tar: '它是 tar 归档文件，镜像可能在其中。',
  'encrypted-zip': '它是有密码保护的 ZIP 压缩文件。',
  '7z': '它是 7z 压缩文件，镜像可能在其中。',
  rar: '它是 RAR 压缩文件，镜像可能在其中。',
  pgp: '它由 OpenPGP（gpg）加密或签名。',
  age: '它由 age 加密。',
  openssl: '它由 openssl 加密。',
  pdf: '它是 PDF 文档。',
  picture: '它是图片。',
  program: '它是可执行程序。',
  unknown: '文件开头的字节不属于这里已知的任何格式。',
};

export const FOREIGN_NOW: Record<ForeignContent, string> = {
  empty: '请重新下载或复制。',
  'too-short': '请重新下载或复制。',
  html: '请在浏览器中打开该链接，找到真正的下载地址后再保存。',
  'lfs-pointer': '请用“git lfs pull”取得真正的文件后再打开。',
  text: '请选择其他文件。',
  gzip: '请先解压（gunzip），再打开解压后的文件。',
  xz: '请先解压（unxz），再打开解压后的文件。',
  zstd: '请先解压（unzstd），再打开解压后的文件。',
  bzip2: '请先解压（bunzip2），再打开解压后的文件。',
  zip: '请先解压，再打开解压后的文件。',
  tar: '请先解包（tar -xf），再打开其中的文件。',
  'encrypted-zip': '请先用密码解压，再打开解压后的文件。',
  '7z': '请先解压（7z x），再打开解压后的文件。',
  rar: '请先解压（unrar x），再打开解压后的文件。',
  pgp: '请先解密（gpg --decrypt），再打开解密后的文件。',
  age: '请先解密（age --decrypt），再打开解密后的文件。',
  openssl: '请先解密（openssl enc -d），再打开解密后的文件。',
  pdf: '请选择其他文件。',
  picture: '请选择其他文件。',
  program: '安装程序运行后可能会释放出镜像；否则请选择其他文件。',
  unknown: '如果它是磁盘的逐字节副本，可按原始磁盘打开；否则请选择其他文件。',
};

export const CONTAINER: Record<ContainerProblem, (d: ErrorDetails['container-invalid']) => string> =
  {
    damaged: (d) => `“${d.name}”中的 ${d.container} 数据已损坏。`,
    'cut-off': (d) => `“${d.name}”缺少结尾：下载或复制没有完成。`,
    checksum: (d) => `解压出的内容与“${d.name}”中的校验和不符：文件已损坏。`,
    size: (d) => `解压出的大小与“${d.name}”所记录的不同：文件已损坏。`,
    encrypted: () => '它有密码保护。',
    method: (d) => `此 ${d.container} 文件使用了未知的压缩方式。`,
    memory: () => '解压所需的内存超出了本应用的限制。',
    room: () => '解压后所需的空间超出了本应用的可用空间。',
    'too-many': (d) => `“${d.name}”中的文件数量超出了限制。`,
    'too-deep': (d) => `“${d.name}”中压缩文件的嵌套层数过多。`,
    'no-disk': (d) => `“${d.name}”中没有看起来像磁盘镜像的文件。`,
  };

const AGAIN = '请从来源重新获取该文件。';
const ELSEWHERE = '请用其他程序解压后再打开。';
export const CONTAINER_NOW: Record<ContainerProblem, string> = {
  damaged: AGAIN,
  'cut-off': AGAIN,
  checksum: AGAIN,
  size: AGAIN,
  encrypted: '请先用密码解压，再打开解压后的文件。',
  method: ELSEWHERE,
  memory: ELSEWHERE,
  room: ELSEWHERE,
  'too-many': ELSEWHERE,
  'too-deep': ELSEWHERE,
  'no-disk': '请选择其他文件。',
};
