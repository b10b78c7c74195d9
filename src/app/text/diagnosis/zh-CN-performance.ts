import type { Format, Texts } from '../../../command/diagnosis/texts.ts';
import type { PerformanceValues } from '../../../engine/index.ts';

/** A time to wait, in a unit that people think in. */
function duration(seconds: number, { count }: Format): string {
  if (seconds < 1.5) return '约 1 秒';
  if (seconds < 120) return `约 ${count(Math.round(seconds))} 秒`;
  return `约 ${count(Math.round(seconds / 60))} 分钟`;
}

export const PERFORMANCE_TEXTS: Texts<PerformanceValues> = {
  'small-clusters': {
    title: ({ clusterSize, virtualSize }, { size }) =>
      `对 ${size(virtualSize)} 的磁盘来说，${size(clusterSize)} 的簇太小`,
    why: ({ tables, tablesBetter, better }, { size }) =>
      `记录内容位置的表会增大到 ${size(tables)}；如果簇为 ${size(better)}，则只需 ${size(tablesBetter)}。QEMU 最多在内存中保留 32 MiB，其余部分要反复读取。`,
    advice: ({ better, snapshots }, { size }) =>
      `请以 ${size(better)} 的簇转换镜像。${snapshots === 0 ? '' : '转换只保留磁盘现在的样子，不保留快照。'}`,
  },
  'l2-cache-short': {
    title: ({ virtualSize, needed, covered, coveredElsewhere }, { size }) =>
      virtualSize > covered
        ? `QEMU 的默认缓存只覆盖这块 ${size(virtualSize)} 磁盘中的 ${size(covered)}，全部覆盖需要 ${size(needed)}`
        : `在 Linux 以外的系统上，QEMU 的默认缓存只覆盖这块 ${size(virtualSize)} 磁盘中的 ${size(coveredElsewhere)}`,
    why: ({ stored, needed, clusterSize }, { size }) =>
      `缓存覆盖不到的地方，每次访问都要先从文件中读取一张表，零散读取可能慢好几倍。簇大小为 ${size(clusterSize)}，目前磁盘有 ${size(stored)} 的表，写满后为 ${size(needed)}。默认缓存在 Linux 上为 32 MiB，在其他系统上为 8 MiB。`,
    advice: ({ needed }, { size }) =>
      `请为 QEMU 加上下面的任一选项，或在 libvirt（7.0 及更高版本）的磁盘定义中加入该元素：虚拟机运行时最多占用 ${size(needed)} 内存。在 Linux 上，十分钟未使用的部分会归还。簇更大的镜像所需更少。`,
  },
  'chain-caches-short': {
    title: ({ short }, { count }) => `QEMU 的默认缓存不足以覆盖下层的 ${count(short)} 个镜像`,
    why: ({ layers, needed }, { size, count }) =>
      `链中 ${count(layers)} 个镜像各有自己的表和缓存，全部覆盖需要 ${size(needed)} 内存。`,
    advice: () =>
      '下面的选项分别指定每个镜像的缓存。如果把全部内容复制到一个镜像中，就只需要一份缓存。',
  },
  'whole-clusters-copied': {
    title: ({ clusterSize }, { size }) => `首次写入某处时要复制整个 ${size(clusterSize)} 的簇`,
    why: ({ backing, shared, clusterSize, subclusterSize }, { size }) =>
      `${backing !== '' ? `${backing} 中的内容` : `快照共享的 ${size(shared)} `}在更改之前要先复制：写入 4 KiB 就要复制 ${size(clusterSize)}。使用扩展 L2 条目时只需 ${size(subclusterSize)}，文件也增大得更慢。`,
    advice: () =>
      '请转换为扩展 L2 条目（extended_l2=on），或在创建下一个覆盖镜像时使用。QEMU 5.2 及更高版本可以读取这种镜像，大多数其他程序不能。转换不保留快照。',
  },
  'extended-l2-costs': {
    title: ({ tables }, { size }) => `扩展 L2 条目使表达到 ${size(tables)}`,
    why: ({ tablesStandard }, { size }) =>
      `标准条目只需 ${size(tablesStandard)}，缓存也只需一半。扩展条目适合从后备镜像或快照复制内容的情况，而此镜像两者都没有。`,
    advice: () =>
      '如果以后要创建覆盖镜像或快照，可以保留。否则可用 extended_l2=off 转换，表会变小，能打开它的程序也更多。',
  },
  'refcount-cache-short': {
    title: ({ fileSize, covered }, { size }) =>
      `QEMU 的引用计数缓存只覆盖这个 ${size(fileSize)} 文件中的 ${size(covered)}`,
    why: ({ snapshots }, { count }) =>
      `镜像有 ${count(snapshots)} 个快照，写入时要查明簇还有谁在使用。超出缓存的部分每次都要从文件读取并写回，创建和删除快照也会变慢。`,
    advice: ({ needed }, { size }) => `下面的选项可覆盖整个文件，占用 ${size(needed)} 内存。`,
  },
  'wide-refcounts': {
    title: ({ bits, bytes }, { size }) => `${String(bits)} 位的引用计数占用 ${size(bytes)}`,
    why: ({ bytesWith16 }, { size }) =>
      `通常的 16 位只占用 ${size(bytesWith16)}，足以表示每个簇使用 65 535 次。`,
    advice: () => '请将镜像修改为 16 位，内容保持不变。',
  },
  'lazy-refcounts': {
    title: () => '引用计数延迟写入',
    why: ({ tables }, { size }) =>
      `缓存模式为 writethrough 或 directsync 时，这可以减少写入；其他模式下几乎没有作用。崩溃之后，要先读取所有的表（目前为 ${size(tables)}）重新计数，虚拟机才能启动。`,
    advice: () => '使用 writethrough 或 directsync 时可以保留；否则请关闭，崩溃后就不必等待。',
  },
  preallocated: {
    title: () => '此磁盘的表已预先分配',
    why: ({ virtualSize, fileSize }, { size }) =>
      `这块 ${size(virtualSize)} 磁盘的每个簇都已按顺序有了位置。首次写入更快，但无论客户机存储多少，文件从一开始就有 ${size(fileSize)} 长。`,
    advice: () => '请用能保留空洞的程序复制。不使用预分配的转换可让文件缩短到内容的大小。',
  },
  fragmented: {
    title: ({ share, meanRun }, { size, percent }) =>
      `内容平均每段只有 ${size(meanRun)}（qemu-img：${percent(share)} 碎片）`,
    why: ({ bytes, jumps, jumpsPerGib, backward, hardDiskSeconds, ssdSeconds }, format) =>
      `按顺序读取 ${format.size(bytes)} 内容，要在文件中跳转 ${format.count(jumps)} 次，每 GiB ${format.count(jumpsPerGib)} 次，其中 ${format.percent(backward)} 是往回跳。除读取本身外，机械硬盘要多花${duration(hardDiskSeconds, format)}，SSD 要多花${duration(ssdSeconds, format)}。`,
    advice: () =>
      '在机械硬盘或网络共享上，整理会有帮助：它按磁盘的顺序写出内容，并保留快照和位图。在 SSD 上，不值得仅为此增加磨损。',
  },
  'small-gaps': {
    title: ({ pieces, bytes }, { size, count }) =>
      `有 ${size(bytes)} 空闲空间分散在 ${count(pieces)} 个小段中`,
    why: ({ upTo, free }, { size }) =>
      `文件内共有 ${size(free)} 空闲，其中这一部分每段不超过 ${size(upTo)}。新内容要拆开才能放进去，或放到末尾，于是文件内虽有空间，文件仍会增大。`,
    advice: () =>
      '整理可以去掉空隙。使用下面的选项（QEMU 8.1 及更高版本）时，已释放的簇会保留位置，空隙会减少。',
  },
  'deep-chain': {
    title: ({ layers }, { count }) => `此磁盘由 ${count(layers)} 个镜像组成`,
    why: ({ below, serves }, { size, percent }) => {
      const idle = serves.filter(({ bytes }) => bytes === 0).length;
      const parts = serves.slice(0, 8).map(({ name, bytes }) => `${name} ${size(bytes)}`);
      return `上层镜像中没有的内容，要逐层查找，每一层都有自己的表和缓存。${percent(below)} 的内容在第一个镜像之下。各镜像提供：${parts.join('、')}${serves.length > 8 ? '……' : ''}。${idle > 0 ? '不提供任何内容的镜像只会耗费时间。' : ''}`;
    },
    advice: () => '请把全部内容复制到此镜像，或把镜像提交到没有其他镜像使用的下层镜像中。',
  },
  'compressed-content': {
    title: ({ share, content }, { size, percent }) =>
      `${percent(share)} 的内容是压缩的（${size(content)}）`,
    why: ({ packed, growth }, { size }) =>
      `它们在文件中占用 ${size(packed)}。压缩的簇要解压才能读取，写入后则以未压缩的形式存储：随着磁盘的使用，文件最多会增大 ${size(growth)}。`,
    advice: ({ plain }, { size }) =>
      `用于保存和分发时，这样正合适。虚拟机要写入的磁盘${plain > 0 ? `（目前有 ${size(plain)} 未压缩）` : ''}不压缩会更快：请转换镜像，或在覆盖镜像中工作。`,
  },
  'partition-misaligned': {
    title: ({ partitions, first }, { count }) =>
      partitions === 1
        ? `分区 ${String(first)} 的起始位置不是 4 KiB 的整数倍`
        : `${count(partitions)} 个分区的起始位置不是 4 KiB 的整数倍`,
    why: ({ start, first }, { count }) =>
      `分区 ${String(first)} 从第 ${count(start)} 字节开始。其文件系统的每个 4 KiB 块都跨越磁盘的两个块，写入时两者都要读写：小块写入的工作量加倍。`,
    advice: () =>
      '没有工具能就地安全地移动分区。重新安装系统时请从 1 MiB 处开始，或把文件系统复制到这样的分区中。',
  },
  'partition-off-clusters': {
    title: ({ partitions, first, clusterSize }, { size, count }) =>
      partitions === 1
        ? `分区 ${String(first)} 的起始位置不是簇大小 ${size(clusterSize)} 的整数倍`
        : `${count(partitions)} 个分区的起始位置不是簇大小 ${size(clusterSize)} 的整数倍`,
    why: ({ start, first, clusterSize }, { size, count }) =>
      `分区 ${String(first)} 从第 ${count(start)} 字节开始。写入 ${size(clusterSize)} 会涉及两个簇而不是一个，小块写入不受影响。`,
    advice: () => '无需处理。下次建立磁盘时，请让分区从 1 MiB 处开始。',
  },
  'first-write-copies': {
    title: ({ shared }, { size }) => `首次写入 ${size(shared)} 中的每一处都要复制一个簇`,
    why: ({ clusters, clusterSize, factor }, { size, count }) =>
      `快照与磁盘共享 ${count(clusters)} 个 ${size(clusterSize)} 的簇。首次在其中写入 4 KiB 时，最多要搬动 ${count(Math.round(factor))} 倍的数据，每个簇一次。`,
    advice: () => '之后写入会自行恢复速度。删除不需要的快照即可免去这项开销。',
  },
};
