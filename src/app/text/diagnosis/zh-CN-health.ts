import type { Format, Texts } from '../../../command/diagnosis/texts.ts';
import type { HealthValues } from '../../../engine/index.ts';
import { GUEST_TEXTS } from './zh-CN-health-guest.ts';
import { STATE_TEXTS } from './zh-CN-health-state.ts';

const DO_NOT_RUN = '修复之前，请勿用此文件启动虚拟机。';
const REPAIR = '修复可以解决此问题；写入之前，修复计划会说明将更改什么。';
const COPY_FIRST = '修复前请先保留一份副本。';
const SAVE = '请用转换保存仍可读取的内容，或恢复备份。';
const NEW_FILE = '请转换为同一格式的新文件，新文件中不会有此问题。';

function affected(bytes: number, { size }: Format): string {
  return bytes > 0 ? `受影响的磁盘内容至少有 ${size(bytes)}。` : '';
}

export const HEALTH_TEXTS: Texts<HealthValues> = {
  ...STATE_TEXTS,
  ...GUEST_TEXTS,
  'overwrite-risk': {
    title: ({ clusters }, { count }) => `${count(clusters)} 个簇正在使用，却没有被正确计数`,
    why: ({ bytes }, { size }) =>
      `文件把 ${size(bytes)} 内容记为空闲，或记少了使用次数。下一次写入可能占用这些位置，覆盖其中的数据。`,
    advice: () => `${DO_NOT_RUN}${REPAIR}`,
  },
  'double-owner': {
    title: ({ places }, { count }) => `文件中有 ${count(places)} 处被两方同时占用`,
    why: () =>
      '镜像的两个部分都声称同一位置属于自己。其中一方读到的是另一方的内容，一方写入就会破坏另一方。',
    advice: () =>
      `${DO_NOT_RUN}修复会让双方各有自己的位置，但哪一方的内容正确，无人能够判断：请与备份比较。`,
  },
  'points-outside': {
    title: ({ entries }, { count }) => `${count(entries)} 个条目指向文件中不存在的内容`,
    why: ({ bytes }, format) =>
      `表中的位置超出文件末尾，或者那里不可能存放内容。这些内容已缺失。${affected(bytes, format)}`,
    advice: () =>
      `请先与来源比较文件长度：通常是复制中断所致。${SAVE}修复会去掉指向不存在内容的条目。`,
  },
  'table-damaged': {
    title: ({ entries }, { count }) => `表中有 ${count(entries)} 个无效条目`,
    why: ({ bytes }, format) =>
      `没有程序会写入这样的条目：记录内容位置的表中混入了其他数据，原来指向的内容已无法通过表找到。${affected(bytes, format)}`,
    advice: () => `${COPY_FIRST}${SAVE}修复可以让表恢复一致。`,
  },
  'table-unreadable': {
    title: ({ tables, file }, { count }) =>
      file === '' ? `有 ${count(tables)} 张表无法读取` : `缺少镜像的一部分：${file}`,
    why: ({ file }) =>
      file === ''
        ? '存储介质没有返回这些数据。它们所指向的内容无法检查，也无法读取。'
        : '此磁盘由多个文件组成，缺少的那个文件中的内容无法读取。',
    advice: ({ file }) =>
      file === ''
        ? '请立即把文件复制到其他介质，再检查副本：此介质可能正在损坏。'
        : '请一并提供缺少的文件，所有部分缺一不可。',
  },
  'odd-entries': {
    title: ({ entries }, { count }) => `${count(entries)} 个条目不符合格式规定`,
    why: () =>
      '它们的含义是明确的，没有丢失内容。但其他程序读取或写入这些位置时，可能会报错并停止。',
    advice: () => REPAIR,
  },
  'refcounts-damaged': {
    title: ({ entries }, { count }) => `引用计数有 ${count(entries)} 处损坏`,
    why: () =>
      '引用计数记录文件中哪些位置空闲。您的数据没有受影响，但计数错误时，任何程序都无法安全地写入。',
    advice: () => `${DO_NOT_RUN}修复会根据各个表重新计数，不会丢失任何内容。`,
  },
  'refcount-full': {
    title: ({ clusters, bits }, { count }) =>
      `${count(clusters)} 个簇的使用者超过了 ${count(bits)} 位所能计数的范围`,
    why: () => '计数停在最大值。删除快照时，这些位置会过早被记为空闲，仍然需要的内容会被覆盖。',
    advice: () => '请不要删除快照，并将镜像转换为引用计数更宽的新文件。',
  },
  'copied-flags': {
    title: ({ entries }, { count }) => `${count(entries)} 个条目的共享标志有误`,
    why: ({ risky }, { count }) =>
      risky > 0
        ? `其中 ${count(risky)} 个条目允许直接覆盖其他内容也在使用的簇：写入会损坏快照或压缩的内容。`
        : '这些簇并没有被共享，却被标为共享。没有丢失内容，只是下一次写入时会多做一次不必要的复制。',
    advice: ({ risky }) => (risky > 0 ? `${DO_NOT_RUN}${REPAIR}` : REPAIR),
  },
  leaked: {
    title: ({ bytes }, { size }) => `有 ${size(bytes)} 空间被占用，却没有任何内容使用`,
    why: ({ doubtful }) =>
      doubtful
        ? '没有任何表指向这些位置。由于其他表已损坏，它们可能正是那些表原来指向的数据。'
        : '文件比需要的大，数据不受影响。',
    advice: ({ doubtful }) =>
      doubtful
        ? `${COPY_FIRST}请勿使用“qemu-img check -r leaks”，它会释放这些空间。只要还可能有内容需要它们，这里的修复就会保留。`
        : '不必着急。修复可以无风险地释放它们，由此生成的任何新文件也不会再有。',
  },
  'snapshot-damaged': {
    title: ({ isList, snapshots }, { count }) =>
      isList ? '无法读取快照列表' : `${count(snapshots)} 个快照找不到自己的内容`,
    why: () =>
      '这些快照保存的内容无法找到，看上去像浪费的空间，清理程序会将其永久释放。磁盘的当前状态本身不受影响。',
    advice: () =>
      `${COPY_FIRST}请勿用 QEMU 自带的 qemu-img 修复，它会丢弃这些快照。这里的修复会先寻找它们的表。`,
  },
  'snapshot-incomplete': {
    title: ({ snapshots }, { count }) => `${count(snapshots)} 个快照没有记录磁盘大小`,
    why: () =>
      '格式版本 3 要求记录的信息不完整。调整磁盘大小之后，恢复到这样的快照会失败，或得到错误的大小。',
    advice: () => REPAIR,
  },
  'snapshots-void': {
    title: ({ snapshots }, { count }) => `镜像不可能有快照，却存在 ${count(snapshots)} 个快照`,
    why: () => '此镜像的内容在另一个文件中，每次写入都会改变它。这些快照中并没有它们应有的内容。',
    advice: () => '请勿依赖这些快照，改为复制一份磁盘。',
  },
  'bitmap-damaged': {
    title: ({ name }) => `位图“${name}”已损坏`,
    why: () => '位图记录上次备份之后的更改。依据它做的增量备份会遗漏更改。数据本身不受影响。',
    advice: () => '请删除该位图，下一次做完整备份。',
  },
  truncated: {
    title: ({ missing, end, size: fileSize }, { size }) =>
      missing > 0
        ? `文件末尾缺失：表指向 ${size(end)} 处，文件在 ${size(fileSize)} 处结束`
        : '文件末尾缺失',
    why: ({ missing }, { size }) =>
      missing > 0
        ? `至少缺少 ${size(missing)}，很可能是下载或复制中断所致。那里的内容在此文件中已丢失。`
        : '很可能是下载或复制中断所致。那里的内容在此文件中已丢失。',
    advice: () => '请与来源比较文件长度，并重新获取文件。在此之前请勿修复，否则缺失就无法挽回。',
  },
  'header-copy-damaged': {
    title: ({ copies }, { count }) => `文件头有 ${count(copies)} 份副本损坏`,
    why: () => '该格式的文件头带有校验和并保存多份。内容是完整的，但有些程序会拒绝这样的文件。',
    advice: () => NEW_FILE,
  },
  'tables-differ': {
    title: () => '同一张表的两份副本不一致',
    why: () => '该格式把表保存两份。以另一份为准的程序会读到不同的内容。',
    advice: () => '请转换为新文件，核对内容之后再删除此文件。',
  },
  'sizes-differ': {
    title: ({ size: used, other }, { size, count }) =>
      size(used) === size(other)
        ? `磁盘有两个大小，相差 ${count(Math.abs(used - other))} 字节`
        : `磁盘有两个大小：${size(used)} 和 ${size(other)}`,
    why: () => '文件头两处记录的大小不一致。不同的程序看到的磁盘末尾会缺少或多出一部分。',
    advice: () => '请转换为新文件，并采用分区所需要的大小。',
  },
  'count-wrong': {
    title: ({ blocks }, { count }) => `文件头中的块数相差 ${count(blocks)} 个`,
    why: () => '数据不受影响，但有些程序会拒绝这样的文件。',
    advice: () => NEW_FILE,
  },
  'log-pending': {
    title: () => '日志中的更改尚未写入到位',
    why: () =>
      '最后写入的程序没有正常关闭文件。这里已计入日志中的更改；不支持日志的程序会读到旧状态，或拒绝该文件。',
    advice: () => '如果有虚拟机正在使用它，请先关机。修复会把更改写入到位。',
  },
  'parent-changed': {
    title: ({ name }) => (name === '' ? '父镜像已被更改' : `父镜像已被更改：${name}`),
    why: () =>
      '此镜像只保存与父镜像不同的内容。父镜像已不是创建此镜像时的样子，两者合在一起可能毫无意义。',
    advice: () => '请找回原来的父镜像，例如从备份中恢复。在此之前，请勿用它们启动虚拟机。',
  },
  'extension-damaged': {
    title: () => '文件头中的可选信息无法读取',
    why: () => '磁盘内容不受影响，只是不知道那里记录了什么。',
    advice: () => NEW_FILE,
  },
  'content-damaged': {
    title: ({ blocks }, { count }) => `有 ${count(blocks)} 个内容块损坏`,
    why: ({ bytes }, format) =>
      `内容的校验和不正确，或者无法解压：现有内容与写入时不同。${affected(bytes, format)}`,
    advice: () => '请重新获取文件，或恢复备份。其余的块都可以保存。',
  },
  'check-aborted': {
    title: ({ reason }) => `检查未能继续（${reason}）`,
    why: () => '此处之后的内容没有检查，可能还有其他损坏。',
    advice: () => `${COPY_FIRST}请先修复已发现的问题，然后再次检查。`,
  },
  'check-refused': {
    title: ({ reason }) => `无法检查此镜像（${reason}）`,
    why: () => '不知道它的表是否完好。',
    advice: () => '请单独打开此镜像，查看原因。',
  },
};
