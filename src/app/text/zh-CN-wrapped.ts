import type { ContainerProblem } from '../../worker/api.ts';
import type { WrappedText } from './en-wrapped.ts';

const REFUSALS: Partial<Record<ContainerProblem, string>> = {
  encrypted: '有密码保护',
  method: '压缩方式未知',
  'cut-off': '缺少结尾',
};

/** Simplified Chinese: disks inside other files. */
export const zhWrapped: WrappedText = {
  title: '来源',
  kinds: {
    gzip: 'gzip',
    xz: 'xz',
    zstd: 'Zstandard',
    bzip2: 'bzip2',
    zip: 'ZIP',
    tar: 'tar',
  },
  archive: (kind) => `${kind} 文件`,
  inside: '位于',
  way: '磁盘的位置',
  unchanged: (name) => `磁盘位于“${name}”中，该文件不会被修改。更改将另存为磁盘的副本。`,
  noPatch: '补丁只适用于解压后的磁盘，而不适用于您现有的文件。',
  choose: {
    title: (name) => `打开 ${name} 中的哪个磁盘？`,
    several: '其中有多个文件可能是您需要的磁盘。',
    none: '其中没有看起来像磁盘镜像的文件，但以下文件之一仍可能是。',
    open: '打开',
    cancel: '取消',
    unknownSize: '大小未知',
    likely: '看起来是磁盘',
    cut: '还有更多文件未显示。',
    refusal: (problem) => REFUSALS[problem] ?? '已损坏',
  },
  machine: '虚拟机',
  name: '名称',
  os: '操作系统',
  hardware: '适用平台',
  cpus: '处理器',
  memory: '内存',
  disks: '磁盘',
  networks: '网络',
  noFile: '空',
  manifest: {
    title: '清单',
    none: '其中没有校验和清单。',
    listed: (n) => `列有 ${n} 个文件的校验和，尚未比对。`,
    verify: '比对',
    good: (n) => `${n} 个文件与清单一致。`,
    bad: (n) => `${n} 个文件与清单不一致。`,
    verdicts: { ok: '一致', mismatch: '与清单不同', missing: '不存在' },
    cancel: '停止',
  },
};
