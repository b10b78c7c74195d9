import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { SpaceValues } from '../../../engine/index.ts';

const COMPACT = '整理会写出不含这些空间的新镜像，快照和位图都会保留。';
const CONVERT_DROPS = '转换只保留磁盘现在的样子，不保留快照：请先导出需要的快照。';

function dropped(snapshots: number): string {
  return snapshots === 0 ? '' : CONVERT_DROPS;
}

export const SPACE_TEXTS: Texts<SpaceValues> = {
  'snapshot-holds': {
    title: ({ name, exclusive, fileSize }, { size }) =>
      `这个 ${size(fileSize)} 的文件中，有 ${size(exclusive)} 只属于快照“${name}”`,
    why: ({ vmState, taken }, { size, moment }) =>
      [
        taken > 0 ? `该快照创建于 ${moment(taken)}。` : '',
        '磁盘现在的样子和其他快照都不使用这些空间。',
        vmState > 0 ? `其中 ${size(vmState)} 是虚拟机的内存。` : '',
      ].join(''),
    advice: () =>
      '如果不再需要回到该快照，可以将其删除。空间会在文件内释放，供新内容使用；在整理之前，文件长度不变。',
  },
  'snapshots-hold': {
    title: ({ bytes }, { size }) => `有 ${size(bytes)} 仅由快照占用`,
    why: ({ bytes, alone, snapshots }, { size, count }) =>
      `${count(snapshots)} 个快照之间共享了其中大部分：单独删除某一个只能释放它独有的部分，合计 ${size(alone)}。其余 ${size(bytes - alone)} 要等最后一个使用它的快照删除后才会释放。`,
    advice: () => '请删除不需要的快照，从最早的开始；也可以进行不含快照的整理。',
  },
  'shared-with-snapshots': {
    title: ({ bytes }, { size }) => `磁盘与快照共享 ${size(bytes)}`,
    why: ({ bytes, snapshots }, { size, count }) =>
      `这些内容由磁盘和 ${count(snapshots)} 个快照共用，只存储一份。虚拟机更改其中的内容时会另存一份，因此文件最多还会增大 ${size(bytes)}。`,
    advice: () => '请在存储介质上为此预留空间，或删除不需要的快照。',
  },
  'vm-state-kept': {
    title: ({ bytes }, { size }) => `有 ${size(bytes)} 是虚拟机的内存`,
    why: ({ snapshots }, { count }) =>
      `${count(snapshots)} 个快照是在虚拟机运行时创建的，内存与磁盘一同保存了下来。只有回到那一刻的运行状态时才需要它。`,
    advice: () => '如果不需要回到运行中的状态，可以删除该快照，或在虚拟机关机后重新创建快照。',
  },
  'zeros-held': {
    title: ({ bytes }, { size }) => `读出为零的簇占用了 ${size(bytes)}`,
    why: () =>
      '客户机放弃了这些内容或写入了零，但簇在文件中的位置仍然保留。簇中原来的内容可能还在。',
    advice: () => COMPACT,
  },
  'zeros-stored': {
    title: ({ bytes }, { size }) => `所存内容中有 ${size(bytes)} 全是零`,
    why: ({ preallocated }) =>
      preallocated
        ? '此磁盘的空间是预先分配的，其中这么多从未写入过。'
        : '零不需要存储：没有内容的簇读出来也是零。',
    advice: ({ preallocated, snapshots }) =>
      preallocated
        ? '无需处理。转换可以收回这些空间，但预分配也会随之消失。'
        : `转换为相同格式即可去掉这些零。${dropped(snapshots)}`,
  },
  'equal-to-backing': {
    title: ({ bytes }, { size }) => `有 ${size(bytes)} 与后备镜像相同`,
    why: ({ backing }) =>
      `此镜像重复存储了 ${backing} 在同一位置已有的内容。变基之后，或客户机重写了自己的文件之后，就会如此。`,
    advice: () =>
      '这不是错误。如果没有其他镜像使用该后备镜像，可以用提交将两者合并；也可以把全部内容复制到此镜像，从此不再需要后备镜像。',
  },
  'free-inside': {
    title: ({ bytes }, { size }) => `文件内有 ${size(bytes)} 空闲`,
    why: ({ pieces }, { count }) =>
      `客户机的新内容会先写到这里${pieces > 1 ? `（共 ${count(pieces)} 段）` : ''}，但文件不会自行变短。复制时如果不保留空洞，这些字节也会一同复制。`,
    advice: () => COMPACT,
  },
  'unused-tail': {
    title: ({ bytes }, { size }) => `最后一个已用簇之后还有 ${size(bytes)}`,
    why: () => '文件末尾没有任何内容使用。这没有害处，但复制时会一同复制。',
    advice: () => COMPACT,
  },
  'large-tables': {
    title: ({ bytes, share }, { size, percent }) =>
      `各种表占用 ${size(bytes)}，为文件的 ${percent(share)}`,
    why: ({ l2, refcounts, snapshots, bitmaps, clusterSize }, { size }) =>
      `其中 ${size(l2)} 记录内容的位置，${size(refcounts)} 记录使用次数，${size(snapshots)} 属于快照列表，${size(bitmaps)} 属于位图。簇大小为 ${size(clusterSize)}；簇较小、快照较多或内容在磁盘上很分散时，表会变大。`,
    advice: () => '簇越大，表越小。可以转换为更大的簇，或删除不需要的快照和位图。',
  },
  'compaction-gains': {
    title: ({ now, then }, { size }) => `整理可使文件从 ${size(now)} 减小到 ${size(then)}`,
    why: ({ gain, saved, allocated }, { size }) =>
      [
        '这类文件会随客户机的写入而增大，但从不自行变短：客户机删除文件时不会，删除快照时也不会。',
        saved < gain && allocated > 0
          ? `空洞不占空间，因此文件在当前介质上占用 ${size(allocated)}，整理后可释放 ${size(saved)}。不保留空洞的副本则会缩短 ${size(gain)}。`
          : `其中 ${size(gain)} 不含任何需要的内容。`,
      ].join(''),
    advice: ({ snapshots }) =>
      `整理会写出一个新文件并加以检查，原文件保持不变${snapshots > 0 ? '，快照也会保留' : ''}。需要能同时容纳两个文件的空间。此大小由表计算得出，并非猜测。`,
  },
  'smaller-without-snapshots': {
    title: ({ gain }, { size }) => `不含快照时，文件可再小 ${size(gain)}`,
    why: ({ then, without, snapshots }, { size, count }) =>
      `整理后，保留 ${count(snapshots)} 个快照为 ${size(then)}，不含快照为 ${size(without)}。`,
    advice: () =>
      '如果只需要提供磁盘现在的样子，可以整理出一个不含快照的副本。快照保存的内容不会进入该副本。',
  },
  compressible: {
    title: ({ plain, packed }, { size }) =>
      `压缩可将 ${size(plain)} 的内容减小到约 ${size(packed)}`,
    why: ({ sampled, gain }, { size }) =>
      `这是根据 ${size(sampled)} 的样本估算的：保存或发送时大约可少 ${size(gain)}。`,
    advice: ({ snapshots }) =>
      `适合用于保存或分发的镜像，不适合运行中的虚拟机：再次写入的内容会以未压缩的形式存储。${dropped(snapshots)}`,
  },
  'guest-free-stored': {
    title: ({ free, kinds }, { size }) =>
      `客户机中至少有 ${size(free)} 空闲（${kinds.join('、')}），但仍存储在镜像中`,
    why: ({ used, stored }, { size }) =>
      `客户机最多使用 ${size(used)}，而镜像存储了 ${size(stored)}。除非客户机对文件系统执行 TRIM，否则删除文件时镜像并不知情。`,
    advice: () =>
      '请用下面的选项运行虚拟机，并在客户机中执行 TRIM，或用零填满空闲空间：使用该选项时，两者都会释放空间。然后整理镜像。',
  },
  'sparse-file': {
    title: ({ fileSize, allocated }, { size }) =>
      `文件长度为 ${size(fileSize)}，在介质上占用 ${size(allocated)}`,
    why: ({ holes }, { size }) =>
      `其中 ${size(holes)} 是空洞。上传、归档以及 FAT 或 exFAT 介质都不保留空洞：在那里文件会占用全部长度。`,
    advice: () => '移到这类地方之前，请先看看整理或转换能否让文件变短。',
  },
  'larger-than-disk': {
    title: ({ fileSize, virtualSize }, { size }) =>
      `文件（${size(fileSize)}）比其中的磁盘（${size(virtualSize)}）还大`,
    why: ({ over, snapshots, gaps }, { size }) =>
      gaps < over / 2
        ? `除了磁盘现在的样子，快照还保存了 ${size(snapshots)}。`
        : `其中 ${size(gaps)} 是无人使用的空隙。客户机频繁执行 TRIM 时，空隙会变得太小，放不下新内容，于是文件内虽有空间，文件仍会增大。`,
    advice: ({ over, gaps }) =>
      gaps < over / 2
        ? '请删除不需要的快照，然后整理。'
        : '请整理镜像。使用下面的选项（QEMU 8.1 及更高版本）时，已释放的簇会保留位置，空隙不会再次出现。',
  },
};
