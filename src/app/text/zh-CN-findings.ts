import type { Owner } from '../../engine/operations/finding.ts';
import type { FindingSentence, FindingTopic } from './en-findings.ts';

const COPY_FIRST = '修复前请先保留一份副本。';
const REPAIR = '修复功能可以解决此问题；写入任何内容之前，修复计划会说明将要更改什么。';
const LOST =
  '无法读取的内容已经丢失：请保存仍可读取的部分（转换），或恢复备份。修复可以让表恢复一致。';
const TWO_OWNERS = '修复会让每个所有者各有一个簇，但哪一方的内容正确，无人能够判断。';
const DO_NOT_RUN = '修复之前请勿用此文件启动虚拟机。';

export const zhFindings: Record<FindingTopic, FindingSentence> = {
  'leak-doubtful': {
    title: '没有被任何表指向的簇',
    meaning:
      '这些簇被记为已使用，却没有任何内容使用它们。由于其他表已损坏，它们可能正是损坏的条目原来指向的数据。',
    consequence: '现在释放它们，下一次写入就可能毁掉本来还能找回的数据。',
    advice: `${COPY_FIRST}不要运行 QEMU 自带的“qemu-img check -r leaks”，它会释放这些簇。只要还可能有内容需要它们，这里的修复就会保留它们。`,
  },
  'refcount-contested': {
    title: '有多个所有者的簇',
    meaning: '指向这些簇的表比引用计数所记录的多，而且不可能都是对的。',
    consequence: '其中一方读到的是别人的内容，一方写入就会破坏另一方。',
    advice: `${DO_NOT_RUN}${TWO_OWNERS}`,
  },
  leak: {
    title: '空间浪费（泄漏的簇）',
    meaning: '这些簇被记为已使用，实际上没有任何内容使用它们。',
    consequence: '数据不受影响，只是文件比需要的大。',
    advice: '不必着急。修复可以无风险地释放它们，转换为新文件也有同样的效果。',
  },
  'refcount-low': {
    title: '簇的使用次数多于引用计数',
    meaning: '指向这些簇的表比引用计数所记录的多。',
    consequence: '写入时可能覆盖其他部分仍需要的数据，或过早释放这些簇。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'refcount-zero': {
    title: '正在使用的簇被记为空闲',
    meaning: '这些簇中有数据或表，但引用计数为零。',
    consequence: '下一次写入可能把它们当作空闲空间并覆盖其内容。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'refcount-unreadable': {
    title: '无法读取引用计数',
    meaning: '存放这些簇引用计数的表位置错误。',
    consequence: '无法判断它们是否正在使用，写入不安全。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'reftable-reserved-bits': {
    title: '引用计数表中有无效条目',
    meaning: '有效条目中始终为零的位被置位。',
    consequence: '文件中一整段的引用计数丢失，数据本身没有丢失。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'refblock-unaligned': {
    title: '引用计数块位置错误',
    meaning: '引用计数表指向两个簇之间。',
    consequence: '文件中一整段的引用计数丢失，数据本身没有丢失。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'refblock-outside': {
    title: '引用计数块超出文件末尾',
    meaning: '引用计数表指向文件中不存在的位置。',
    consequence: '文件被截断，或该表已损坏。',
    advice: `请先与来源比较文件长度。${REPAIR}`,
  },
  'refblock-shared': {
    title: '引用计数块的使用次数不是一次',
    meaning: '有其他内容与引用计数块使用同一个簇。',
    consequence: '写入其中一方会破坏另一方。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'reference-outside': {
    title: '指针超出文件末尾',
    meaning: '表指向文件中不存在的簇。',
    consequence: '客户机在此处读到的是零：这些数据已缺失。',
    advice:
      '请与来源比较文件长度：通常是下载或复制中断所致。如有可能，请重新获取。修复可以去掉数据已不存在的指针。',
  },
  'refcount-overflow': {
    title: '引用次数超出计数范围',
    meaning: '某个簇的使用者数量超过了引用计数能表示的范围。',
    consequence: '此镜像的快照无法正确计数。',
    advice: '请将镜像转换为引用计数更宽的新文件。',
  },
  'l1-reserved-bits': {
    title: 'L1 表中有无效条目',
    meaning: '有效条目中始终为零的位被置位：表中混入了其他数据。',
    consequence: '磁盘中一整段的映射可能是错误的。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'l2-reserved-bits': {
    title: 'L2 表中有无效条目',
    meaning: '有效条目中始终为零的位被置位：表中混入了其他数据。',
    consequence: '此处的客户机数据可能是错误的。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'l2-unaligned': {
    title: 'L2 表位置错误',
    meaning: 'L1 条目指向两个簇之间。',
    consequence: '此表所映射的那一段磁盘无法读取。',
    advice: LOST,
  },
  'data-unaligned': {
    title: '数据簇位置错误',
    meaning: 'L2 条目指向两个簇之间。',
    consequence: '磁盘的这一部分无法读取。',
    advice: LOST,
  },
  'zero-unaligned': {
    title: '预留簇位置错误',
    meaning: '该条目读出为零，但为其预留的空间位于两个簇之间。',
    consequence: '读取结果正确（全为零），写入此处会失败。',
    advice: REPAIR,
  },
  'compressed-copied': {
    title: '压缩簇带有不应有的标记',
    meaning: '压缩簇上设置了“可直接覆盖”标志。',
    consequence: '写入时可能覆盖相邻的压缩数据。',
    advice: `${DO_NOT_RUN}${REPAIR}`,
  },
  'copied-l1': {
    title: 'L1 条目与引用计数不一致',
    meaning: '条目的“仅使用一次”标志与引用计数不符。',
    consequence: '如果错误地设置了该标志，写入可能损坏快照；如果缺少该标志，只是写入较慢。',
    advice: REPAIR,
  },
  'copied-l2': {
    title: 'L2 条目与引用计数不一致',
    meaning: '条目的“仅使用一次”标志与引用计数不符。',
    consequence: '如果错误地设置了该标志，写入可能损坏快照；如果缺少该标志，只是写入较慢。',
    advice: REPAIR,
  },
  'snapshot-l1-unaligned': {
    title: '快照的表位置错误',
    meaning: '快照的 L1 表指针指向两个簇之间。',
    consequence: '该快照无法使用，它独有的簇都会显示为空间浪费。',
    advice: `${COPY_FIRST}注意：用 QEMU 自带的 qemu-img 进行的任何修复都会永久释放该快照的簇。这里的修复会先寻找该表。`,
  },
  'snapshot-l1-too-large': {
    title: '快照的表大小无效',
    meaning: '快照声称其 L1 表大于 32 MiB。',
    consequence: '该快照无法使用，它独有的簇都会显示为空间浪费。',
    advice: `${COPY_FIRST}注意：用 QEMU 自带的 qemu-img 进行的任何修复都会永久释放该快照的簇。这里的修复会先寻找该表。`,
  },
  'snapshot-incomplete': {
    title: '快照条目缺少字段',
    meaning: '该条目比格式版本 3 的要求短。',
    consequence: '没有记录创建快照时的磁盘大小。',
    advice: REPAIR,
  },
  'snapshot-table-invalid': {
    title: '无法读取快照表',
    meaning: '快照列表已损坏，或其声称的内容超过任何程序会写入的范围。',
    consequence: '无法找到快照，检查在此处结束。',
    advice: `${COPY_FIRST}磁盘的当前状态通常仍可转换。`,
  },
  'snapshots-with-data-file': {
    title: '不可能有快照的镜像中存在快照',
    meaning: '此镜像的数据在另一个文件中，而那里无法容纳快照。',
    consequence: '这些快照中并没有它们应有的内容。',
    advice: '请勿依赖这些快照，并查明是哪个程序创建的。',
  },
  'bitmap-invalid': {
    title: '无法读取脏位图',
    meaning: '用于增量备份的变更记录已损坏。',
    consequence: '检查在此处结束。客户机数据本身不受影响。',
    advice: `${COPY_FIRST}然后用“qemu-img bitmap --remove”删除该位图，并做一次完整备份。`,
  },
  'compressed-data-file': {
    title: '不应存在的压缩簇',
    meaning: '此镜像的数据在另一个文件中，而那里不能存放压缩簇。',
    consequence: '此处的客户机数据不可靠。',
    advice: LOST,
  },
  'compressed-subclusters': {
    title: '压缩簇带有不应有的标记',
    meaning: '压缩簇是一个整体，而该条目还描述了它的组成部分。',
    consequence: '此处的客户机数据不可靠。',
    advice: REPAIR,
  },
  'subclusters-contradict': {
    title: '子簇既是数据又是零',
    meaning: '该条目称某一部分既含有数据，又读出为零。',
    consequence: '读取磁盘的这一部分会失败。',
    advice: LOST,
  },
  'subclusters-unallocated': {
    title: '子簇没有对应的簇',
    meaning: '该条目称某些部分含有数据，却没有给出位置。',
    consequence: '读取磁盘的这一部分会失败。',
    advice: LOST,
  },
  'zero-in-v2': {
    title: '使用了版本 2 中不存在的标记',
    meaning: '某个条目标为“读出为零”，而该标记从版本 3 才有。qemu-img check 不会报告它。',
    consequence: '读取磁盘的这一部分会失败。',
    advice: `请查明是哪个程序写入的。${REPAIR}`,
  },
  'io-error': {
    title: '有表无法读取',
    meaning: '文件中有这个表，但读取失败。',
    consequence: '它所映射的部分无法检查。',
    advice: '请将文件复制到另一块磁盘，再检查副本。存储介质可能正在损坏。',
  },
  dirty: {
    title: '未正常关闭',
    meaning: '最后写入它的程序没有完成工作：程序崩溃、断电，或仍在运行。',
    consequence: '引用计数可能滞后，客户机数据通常完好。',
    advice: `如果有虚拟机正在使用此文件，请先将其停止。${REPAIR}QEMU 以写入方式打开文件时也会这样做。`,
  },
  'corrupt-bit': {
    title: '已被 QEMU 标记为损坏',
    meaning: 'QEMU 曾遇到对此文件的无效写入，因此做了标记，以防再次写入。',
    consequence: '可以读取，不能写入。虚拟机无法从它启动。',
    advice: `请先保存数据（转换）。${REPAIR}`,
  },
  truncated: {
    title: '文件末尾缺失',
    meaning: '表指向文件末尾之后的位置。',
    consequence: '那里的内容在此副本中已丢失。',
    advice: '通常是下载或复制中断所致。请与来源比较长度，并重新获取文件。',
  },
  overlap: {
    title: '一个簇有两个所有者',
    meaning: '两个不同的结构都使用同一个簇，其中一个的内容不属于它。',
    consequence: '写入其中一方会破坏另一方，而且其中一方已经出错。',
    advice: `${DO_NOT_RUN}${TWO_OWNERS}`,
  },
  'block-outside': {
    title: '表项指向文件之外',
    meaning: '表中记录的这些块的位置在文件中不存在。',
    consequence: '它们的内容不在文件里，或者文件被截断了。',
    advice: '如果您有完整的文件，请使用它。可读的内容可以通过“转换”保存。',
  },
  'block-duplicate': {
    title: '两个块占用同一位置',
    meaning: '表中有两项指向文件中的同一位置。',
    consequence: '其中一个块读到的是别处的内容，写入其中一个会同时改变两个。',
    advice: `${DO_NOT_RUN}请用“转换”保存可读的内容；哪个块是对的无从判断。`,
  },
  'block-unaligned': {
    title: '块的位置不正确',
    meaning: '表项指向两个块之间。',
    consequence: '在那里读到的不是当初写入的内容。',
    advice: '请用“转换”保存可读的内容，或者使用备份。',
  },
  'block-state': {
    title: '未知状态',
    meaning: '表中某个块的标记是不存在的类型。',
    consequence: '无法得到该块的内容。',
    advice: '请用“转换”保存可读的内容，或者使用备份。',
  },
  'allocation-count': {
    title: '块的数量不对',
    meaning: '文件头记录的块数与表中的不一致。',
    consequence: '不影响数据。有些程序会拒绝这样的文件。',
    advice: '转换为同一格式的新文件即可得到正确的数量。',
  },
  'header-copy': {
    title: '两份文件头中有一份已损坏',
    meaning: '此格式保存两份文件头。其中一份已损坏，这里使用了另一份。',
    consequence: '内容是完整的。有些程序只看损坏的那份，会拒绝此文件。',
    advice: '转换为同一格式的新文件，即可重新得到两份完好的文件头。',
  },
  'header-checksum': {
    title: '校验和不正确',
    meaning: '文件头是合理的，但校验和不对：有什么改动过它。',
    consequence: '有些程序会拒绝这样的文件。',
    advice: '转换为同一格式的新文件即可得到正确的校验和。',
  },
  'table-copy': {
    title: '两份表不一致',
    meaning: '此格式保存两份表，而两份并不相同。',
    consequence: '使用另一份表的程序会读到不同的内容。',
    advice: '请转换为新文件，并在删除此文件之前查看内容。',
  },
  'size-contradiction': {
    title: '两个不同的大小',
    meaning: '文件头两次记录了磁盘大小，而两者不同。',
    consequence: '在不同的程序中，磁盘末尾可能缺失，也可能多出一部分。',
    advice: '请查看分区表，它能说明哪个大小是对的。',
  },
  'log-pending': {
    title: '未正常关闭',
    meaning: '有些更改仍在文件的日志中，尚未写到其位置。',
    consequence: '在这里它们视为已完成。无法读取日志的程序会拒绝此文件。',
    advice: '请用“转换”保存一份干净的副本，或者启动一次虚拟机并正常关机。',
  },
  'tail-leak': {
    title: '末尾有浪费的空间',
    meaning: '文件在最后一个使用中的块之后还有内容。',
    consequence: '不影响数据，只是文件比需要的大。',
    advice: '不紧急。转换为新文件时会略去这部分。',
  },
  'parent-changed': {
    title: '父镜像已被更改',
    meaning: '下层镜像已不是创建此镜像时的样子。',
    consequence: '读到的是两者的混合，虚拟机可能会认为数据已损坏。',
    advice: '请提供当时的父镜像，例如来自备份。',
  },
  'extension-damaged': {
    title: '附加信息无法读取',
    meaning: '文件头中有一些与内容无关的信息已损坏。',
    consequence: '内容是完整的，只是那些附加信息丢失了。',
    advice: '不紧急。',
  },
  'content-checksum': {
    title: '内容与校验和不符',
    meaning: '文件带有其内容的校验和，而内容的校验和与之不同。',
    consequence: '文件生成之后，其中有内容被更改或损坏。',
    advice: '请重新下载或复制此文件。',
  },
};

export const zhOwners: Record<Owner['kind'], string> = {
  header: '文件头',
  l1: 'L1 表',
  l2: 'L2 表',
  'refcount-table': '引用计数表',
  'refcount-block': '引用计数块',
  'snapshot-table': '快照表',
  'snapshot-l1': '快照的 L1 表',
  bitmaps: '脏位图',
  luks: '加密头',
  data: '客户机数据',
  compressed: '压缩的客户机数据',
};
