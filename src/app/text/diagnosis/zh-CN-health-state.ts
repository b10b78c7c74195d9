import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { HealthValues } from '../../../engine/index.ts';

type StateCode =
  | 'in-use'
  | 'not-closed'
  | 'marked-corrupt'
  | 'unknown-features'
  | 'bitmaps-stale'
  | 'bitmaps-in-use'
  | 'snapshots-left'
  | 'size-limit'
  | 'file-limit'
  | 'old-version'
  | 'room-needed'
  | 'packed-broken'
  | 'content-unreadable';

function quoted(names: readonly string[]): string {
  return names.map((name) => `“${name}”`).join('、');
}

export const STATE_TEXTS: Texts<Pick<HealthValues, StateCode>> = {
  'in-use': {
    title: () => '有其他程序正在写入此文件',
    why: () => '查看期间文件发生了变化，很可能有虚拟机正在使用它。这里的其他结论都可能不准确。',
    advice: () => '请关闭虚拟机，或查看在静止状态下制作的副本。现在请勿更改此文件。',
  },
  'not-closed': {
    title: () => '镜像未正常关闭',
    why: ({ isLazy, behind }, { count }) => {
      if (!isLazy) {
        return '最后写入的程序没有完成：崩溃、断电，或者仍在运行。当时正要写入的内容可能缺失。';
      }
      return behind > 0
        ? `启用延迟引用计数时，计数在镜像关闭时才写入。由于没有正常关闭，有 ${count(behind)} 个计数没有更新。数据通常完好。`
        : '启用延迟引用计数时，计数在镜像关闭时才写入。虽然没有正常关闭，计数仍然正确。';
    },
    advice: () =>
      '如果有虚拟机正在使用它，请先关机再查看。否则请进行修复：QEMU 以写入方式打开镜像时也会这样做。',
  },
  'marked-corrupt': {
    title: () => 'QEMU 已将镜像标记为损坏',
    why: ({ corruptions }, { count }) =>
      corruptions > 0
        ? `QEMU 阻止了一次会造成破坏的写入，目前表中有 ${count(corruptions)} 处错误。镜像可以读取，但无法用它启动虚拟机。`
        : 'QEMU 阻止了一次会造成破坏的写入。表目前完好，但只要有此标记，就无法用它启动虚拟机。',
    advice: () => '请先把内容保存到新文件，再修复此文件。',
  },
  'unknown-features': {
    title: ({ features }) => `使用了此处不认识的特性：${quoted(features)}`,
    why: () => '镜像声明：不认识该特性的程序无法正确读取。它由更新的程序写入，或者文件头已损坏。',
    advice: () => '请用写入它的程序或最新的 QEMU 打开。',
  },
  'bitmaps-stale': {
    title: ({ bitmaps }) =>
      bitmaps.length === 0 ? '镜像中的位图不可靠' : `位图不可靠：${quoted(bitmaps)}`,
    why: () =>
      '位图记录上次备份之后的更改。有不维护位图的程序写入过此镜像，因此增量备份会遗漏更改。',
    advice: () => '请做一次完整备份，然后重新建立位图。',
  },
  'bitmaps-in-use': {
    title: ({ bitmaps }) => `位图被标为正在使用：${quoted(bitmaps)}`,
    why: () =>
      '运行中的虚拟机把位图保存在内存中。如果没有虚拟机在运行，说明它退出时没有写入位图：这些位图已无价值，下一次增量备份会失败。',
    advice: () => '如果没有虚拟机使用此镜像，请删除这些位图，并做一次完整备份。',
  },
  'snapshots-left': {
    title: ({ left }, { count }) =>
      left === 0 ? '无法再创建快照' : `只能再创建 ${count(left)} 个快照`,
    why: ({ bits, most, snapshots }, { count }) =>
      most === 0
        ? '此镜像的引用计数只有 1 位，任何簇都不能有两个使用者。只要写入过内容，创建快照就会失败。'
        : `引用计数为 ${count(bits)} 位时，最多可有 ${count(most)} 个快照，目前已有 ${count(snapshots)} 个。达到上限后，创建快照会失败。`,
    advice: ({ bits }) =>
      bits < 16 ? '请把引用计数加宽到 16 位，内容保持不变。' : '请删除不再需要的快照。',
  },
  'size-limit': {
    title: ({ most, size: disk }, { size }) =>
      `磁盘大小为 ${size(disk)}，最多只能扩大到 ${size(most)}`,
    why: ({ clusterSize }, { size }) =>
      `簇大小为 ${size(clusterSize)} 时，L1 表会达到上限，磁盘不能更大。超过此大小的调整会失败。`,
    advice: ({ better }, { size }) => `请在需要扩大之前，转换为簇大小为 ${size(better)} 的镜像。`,
  },
  'file-limit': {
    title: ({ most, size: file }, { size }) =>
      `文件大小为 ${size(file)}，最多只能增长到 ${size(most)}`,
    why: ({ clusterSize, bits }, { size, count }) =>
      `簇大小为 ${size(clusterSize)}、引用计数为 ${count(bits)} 位时，文件不能更大。达到上限后，写入和创建快照会在工作中途失败。`,
    advice: () => '请转换为簇更大的镜像。',
  },
  'old-version': {
    title: () => '镜像采用旧的版本 2',
    why: () =>
      '版本 2 无法记录一段内容已变为零，有后备文件时也无法释放空间。它没有位图、延迟引用计数和损坏标记。',
    advice: () => '现在的程序都能读取版本 3。除非还要用 2012 年以前的程序打开，否则建议升级。',
  },
  'room-needed': {
    title: ({ bytes }, { size }) => `文件还可能增长 ${size(bytes)}`,
    why: ({ taken, size: disk }, { size }) =>
      `它目前占用 ${size(taken)}，会随着客户机写入而增长，直到磁盘的大小 ${size(disk)}，有快照时还会更大。主机磁盘写满时，虚拟机会停止运行。`,
    advice: () => '请确保主机有足够的可用空间，或持续关注。',
  },
  'packed-broken': {
    title: ({ clusters }, { count }) => `${count(clusters)} 个压缩簇无法解压`,
    why: ({ clusters, of }, { count }) =>
      `在 ${count(of)} 个压缩簇中，有 ${count(clusters)} 个的内容与写入时不同。读取那里会失败，而只检查表是发现不了的。`,
    advice: () => '请重新获取文件，或恢复备份。仍可读取的内容可以用转换保存。',
  },
  'content-unreadable': {
    title: ({ bytes }, { size }) => `有 ${size(bytes)} 内容无法读取`,
    why: () => '表指向无法读取的位置，或者存储介质没有返回数据。',
    advice: () => '请把文件复制到其他介质后再查看。仍可读取的内容可以用转换保存。',
  },
};
