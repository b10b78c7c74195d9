import type { DestinationsText } from './en-destinations.ts';

/** The same in Chinese. */
export const zhDestinations: DestinationsText = {
  title: '哪些平台接受这个文件？',
  lead: '将已知的各平台规则与此文件的现状相比较。不会向任何人查询。',
  verdicts: { yes: '接受', care: '接受，但需注意', no: '不接受' },
  reasons: {
    format: (_, refused) => (refused ? '不接受这种格式。' : '接受这种类型，但更适合用另一种。'),
    container: () => '需要先解压。',
    'needs-container': () => '只接受以固定名称放在 .tar.gz 压缩包中的原始磁盘。',
    'not-fixed': () => '只接受固定大小的磁盘，即整个磁盘都在文件中。',
    'size-multiple': (limit) => `磁盘大小必须是 ${limit} 的整数倍。`,
    'size-least': (limit) => `磁盘至少要有 ${limit}。`,
    'size-most': (limit) => `只接受不超过 ${limit} 的磁盘。`,
    geometry: () => '它可能以文件头中的几何参数为准，那样磁盘的大小会不同。',
    backing: () => '磁盘的一部分在另一个镜像中，它找不到那个镜像。',
    'data-file': () => '磁盘的内容在另一个文件中。',
    'several-files': (_, refused) =>
      refused
        ? '只接受单个文件的磁盘，而此磁盘分为多个文件。'
        : '此磁盘分为多个文件：需要全部文件，并放在同一处。',
    encrypted: () => '无法解锁加密的磁盘。',
    snapshots: () => '文件内的快照会丢失或被拒绝。',
    unclean: (_, refused) =>
      refused
        ? '文件未正常关闭，它会拒绝这样的文件。'
        : '文件未正常关闭：它可能会拒绝，或先进行修复。',
    corrupt: () => '文件已标记为损坏。',
    'unknown-features': () => '文件使用了此处不认识的特性。',
    zstd: () => '它不支持 Zstandard 压缩。',
    'extended-l2': () => '它不支持子簇（extended L2）。',
    'version-3': () => '它只支持 qcow2 版本 2（compat 0.10）。',
    'hosted-sparse': () => '它不能直接运行桌面程序的磁盘：需要先导入或转换。',
    'stream-optimized': () => '这种类型用于传输：可以导入，但虚拟机不能直接从它运行。',
    'not-stream-optimized': () => '只接受压缩类型（streamOptimized）。',
    'vmdk-version': () => '文件头中的版本不是它所期望的。',
    'adapter-ide': () => '为 IDE 适配器制作：在那里速度慢，而且不一定可用。',
    'sparse-file': () => '它拒绝在 NTFS 上为稀疏或压缩的文件。给出的命令可以解决。',
    'sector-size': (limit) => `磁盘的扇区大于 ${limit}：客户机看到的可能不同。`,
    'file-system': () => '带分区的磁盘只能挂载。若要导入，它必须是单个文件系统（ext4）。',
  },
  all: (n) => `显示全部 ${n} 个`,
  fewer: '收起',
  convert: '为它转换…',
  convertFor: (name) => `为 ${name} 转换…`,
};
