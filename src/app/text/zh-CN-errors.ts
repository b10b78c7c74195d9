import type { ErrorDetails, HeaderProblem } from '../../engine/errors.ts';
import type {
  ImageProblem,
  KeySlotProblem,
  PatchProblem,
  UnreadableReason,
} from '../../engine/errors.ts';
import { bytes, hex } from '../units.ts';
import type { ErrorSentences } from './en-errors.ts';
import { CONTAINER, CONTAINER_NOW, FOREIGN, FOREIGN_NOW } from './zh-CN-foreign.ts';

const PATCH: Record<PatchProblem, string> = {
  'not-a-patch': '它是另一种文件。',
  unfinished: '缺少结尾：从未写完，或被截断。',
  damaged: '校验和不正确。',
  version: '它由本程序的更新版本创建。',
  kind: '它描述的是另一种修改。',
};

const KEY_SLOT: Record<KeySlotProblem, (slot: number) => string> = {
  'no-such-slot': (slot) => `没有密钥槽 ${slot}；密钥槽编号为 0 到 7。`,
  'in-use': (slot) => `密钥槽 ${slot} 正在使用，其密码将会丢失。`,
  'none-free': () => '八个密钥槽均已使用。',
  'other-passphrase': (slot) => `密钥槽 ${slot} 中的密码与给出的密码不同。`,
  'not-in-use': (slot) => `密钥槽 ${slot} 已经是空的。`,
  last: (slot) => `密钥槽 ${slot} 是最后一个在用的：没有它，任何人都无法读取此磁盘。`,
  'none-given': () => '既没有指定密钥槽，也没有给出其中的密码。',
  'none-match': () => '该密码无法打开任何密钥槽。',
  'all-match': () => '所有密钥槽使用的都是该密码：没有它们，任何人都无法读取此磁盘。',
};

const HEADER: Record<HeaderProblem, (d: ErrorDetails['invalid-header']) => string> = {
  version: (d) => `文件头标明为 qcow2 版本 ${d.value}，而该格式只有版本 2 和 3。`,
  'cluster-size': (d) => `簇大小为 2^${d.value} 字节，而它必须在 512 字节到 2 MiB 之间。`,
  'header-too-short': (d) => `文件头标明自身长度为 ${d.value} 字节，至少需要 ${d.limit} 字节。`,
  'header-too-long': () => '文件头标明的长度超出了它所在的簇。',
  'backing-offset': () => '后备文件名的位置不在文件头所在的簇内。',
  'backing-name-too-long': () => '后备文件名超过 1023 字节，或超出了它所在的簇。',
  'refcount-order': () => '引用计数的宽度超过 64 位。',
  'crypt-method': (d) => `文件头标明的加密方式 ${d.value} 不存在。`,
  'compression-bit-unset': () => '使用了 zlib 以外的压缩方式，却没有相应的标记。',
  'compression-bit-set': () => '标记为使用其他压缩方式，写明的却是 zlib。',
  'compression-type': (d) => `文件头标明的压缩类型 ${d.value} 不存在。`,
  'subcluster-size': () => '对于它所声明的扩展 L2 条目来说，簇太小。',
  'size-too-big': (d) =>
    `磁盘大小为 ${bytes(Number(d.value), 'zh-CN')}，没有任何表能够描述这样的大小。`,
  'l1-too-large': () => 'L1 表超过 32 MiB，即 QEMU 可读取的上限。',
  'l1-too-small': () => 'L1 表太小，与磁盘大小不符。',
  'l1-offset': () => 'L1 表没有从簇的边界开始。',
  'l1-unreadable': () => '无法读取 L1 表。',
  'refcount-table-offset': () => '引用计数表没有从簇的边界开始。',
  'refcount-table-too-large': () => '引用计数表超过 8 MiB，即 QEMU 可读取的上限。',
  'refcount-table-missing': () => '没有引用计数表。',
  'refcount-table-unreadable': () => '无法读取引用计数表。',
  'snapshot-table-too-large': () => '快照表超过了 QEMU 会写入的任何大小。',
  'snapshot-table-offset': () => '快照表没有从簇的边界开始。',
  'snapshot-table-invalid': () => '快照表的内容无法解释。',
  'extension-too-large': () => '某个文件头扩展超出了可用空间。',
  'backing-format-too-long': () => '后备文件的格式名称过长。',
  'bitmaps-extension': () => '文件头中的脏位图列表无效。',
  'crypto-extension': () => '文件头中的加密数据与加密方式不符。',
  'luks-header': (d) => `加密部分的头不合理（${d.field}）。`,
  'luks-version': (d) => `加密使用 LUKS 第 ${d.value} 版；目前只能读取第 1 版。`,
  'data-file-missing': () => '数据在另一个文件中，但文件头没有写明它的名称。',
  'data-file-raw': () => '声明使用原始数据文件，却没有数据文件。',
};

const IMAGE: Record<ImageProblem, (d: ErrorDetails['invalid-image']) => string> = {
  signature: () => '文件开头不是此类镜像的开头。',
  version: (d) => `它声明的格式版本是 ${d.value}，这里不认识该版本。`,
  field: (d) => `${d.field} 的值为 ${d.value}，任何有效镜像都不会如此。`,
  checksum: (d) => `${d.field} 的校验和不正确。`,
  'table-size': (d) => `${d.field} 为 ${d.value}，超过了任何有效镜像的上限（${d.limit}）。`,
  'disk-size': (d) => `磁盘大小将为 ${d.value} 字节，而此格式的上限是 ${d.limit}。`,
  'table-place': (d) => `${d.field} 的位置不正确（${d.value}）。`,
  descriptor: (d) => `无法理解其描述：${d.field} ${d.value}`.trim(),
  truncated: (d) => `文件在 ${d.field} 完整之前就结束了。`,
};

const UNREADABLE: Record<UnreadableReason, string> = {
  'l2-unaligned': '映射此处的表本身位置错误。',
  'l2-unreadable': '无法从介质读取映射此处的表。',
  'data-unaligned': '此处的表条目指向两个簇之间。',
  'zero-in-v2': '表条目使用了版本 2 中不存在的标记。',
  'compressed-corrupt': '此处的压缩数据已损坏。',
  'compressed-short': '此处的压缩数据过早结束。',
  'backing-missing': '磁盘的这一部分在后备文件中，而后备文件尚未打开。',
  'data-file-missing': '数据在另一个文件中，而该文件尚未打开。',
  'extent-missing': '磁盘的这一部分在此镜像的另一个文件中，而该文件尚未打开。',
  'block-outside': '此处的表项指向文件之外。',
  'block-state': '此处的表项具有不存在的状态。',
  'data-file-offset': '此处的表条目指向数据文件中不允许的位置。',
  'data-file-compressed': '此处的表条目声称是压缩数据，而带数据文件的镜像不能包含压缩数据。',
  locked: '数据已加密，尚未提供密码。',
  'subcluster-invalid': '此处的表条目自相矛盾。',
};

const UNREADABLE_NOW: Partial<Record<UnreadableReason, string>> = {
  'backing-missing': '请先在“概览”中打开后备文件，然后重试。',
  'data-file-missing': '请先在“概览”中打开数据文件，然后重试。',
  'extent-missing': '请先在“概览”中打开此镜像的所有文件，然后重试。',
  locked: '请先在“概览”中解锁镜像，然后重试。',
};

const named = (name: string): string => (name === '' ? '该文件' : `“${name}”`);

/** The same errors in Chinese. */
export const zhErrors: ErrorSentences = {
  cancelled: () => ({ what: '已取消。', why: '文件未被修改。', now: '' }),
  'invalid-header': (d) => ({
    what: '此镜像的文件头无效。',
    why: HEADER[d.problem](d),
    now: '文件开头已损坏，或它从来就不是有效的镜像。请从来源重新获取，或使用同一镜像备份的前 64 KiB。',
  }),
  'not-a-disk-image': (d) => ({
    what: `${named(d.name)}不是本应用认识的磁盘镜像。`,
    why: FOREIGN[d.looksLike],
    now: FOREIGN_NOW[d.looksLike],
  }),
  'unknown-features': (d) => ({
    what: '此镜像使用了未知的特性。',
    why: `镜像自身给出的名称：${d.features}。继续读取可能得到错误的数据。`,
    now: '请使用生成此镜像的程序，或本应用的更新版本。',
  }),
  'unsupported-feature': (d) => ({
    what: `此镜像使用了“${d.feature}”，当前版本无法读取。`,
    why: '仍可查看文件头，但无法读取内容。',
    now: '请在生成它的地方用 qemu-img 转换，或使用本应用的更新版本。',
  }),
  'unreadable-cluster': (d) => ({
    what: `磁盘在 ${hex(d.guestOffset)} 处无法读取（${bytes(d.length, 'zh-CN')}）。`,
    why: UNREADABLE[d.reason],
    now: UNREADABLE_NOW[d.reason] ?? '请运行检查，查看还有哪些部分受影响。',
  }),
  'backing-missing': (d) => ({
    what: `此镜像只保存差异，需要后备文件“${d.name}”才能显示完整磁盘。`,
    why: '镜像中提到的文件不会被自动打开。',
    now: '请在“概览”中查找该文件。',
  }),
  'header-full': () => ({
    what: '镜像的第一个簇放不下所需的全部内容。',
    why: '后备文件的名称与文件头共用一个簇。',
    now: '请使用更短的名称，或转换为更大的簇。',
  }),
  'refcount-limit': (d) => ({
    what: `无法更改 ${hex(d.offset)} 处簇的引用计数。`,
    why: `它会超出此镜像可以计数的范围（0 到 ${d.maximum}）。`,
    now: '请运行检查。如果镜像完好，请转换为更宽的引用计数。',
  }),
  'refcount-wrong': (d) => ({
    what: '此镜像的引用计数已损坏，没有更改任何内容。',
    why: `位于 ${hex(d.offset)} 的簇正在使用，却被记为空闲。`,
    now: '请先检查并修复镜像。',
  }),
  'snapshot-refused': (d) => ({
    what: '无法对此镜像的快照执行此操作。',
    why: {
      'data-file': '磁盘内容保存在单独的文件中，快照无法保留它。',
      bitmaps: '其脏位图记录了更改，恢复快照后将不再正确。',
      version: '快照的磁盘大小不同，而格式第 2 版不允许这样做。',
      size: '快照记录的大小不是有效的磁盘大小。',
    }[d.reason],
    now: {
      'data-file': '请改为保留磁盘的副本。',
      bitmaps: '请先删除脏位图；之后的下一次备份将是完整备份。',
      version: '请先将镜像升级到第 3 版。',
      size: '请将该快照转换为单独的磁盘。',
    }[d.reason],
  }),
  'refcount-width': (d) => ({
    what: `${d.bits} 位的引用计数太窄，没有更改任何内容。`,
    why: `位于 ${hex(d.offset)} 的簇被使用了 ${d.count} 次。`,
    now: '请选择更宽的引用计数。',
  }),
  'edit-refused': (d) => ({
    what: '无法进行此更改，没有更改任何内容。',
    why: {
      unsaved: `“${d.name}”有尚未保存的更改。`,
      'backing-format': '记录后备文件的名称时，必须同时记录其格式。',
      'backing-name': '后备文件的名称超过 1023 字节。',
      'raw-data-file': '其数据文件本身就是完整的磁盘，因此不能有后备文件。',
      option: `没有这样的选项或取值：${d.name}`,
      'not-below': `“${d.name}”不是此镜像的后备镜像之一。`,
      'nothing-below': '此镜像没有后备文件：其内容将会丢失。',
      'several-files': '磁盘保存在多个文件中，而更改只针对一个文件。',
      format: `${d.name} 格式的镜像不支持此更改。`,
      wrapped: `镜像打包在“${d.name}”中。`,
    }[d.reason],
    now: {
      unsaved: '请先保存或撤销它的更改，然后重试。',
      'backing-format': '请选择格式。',
      'backing-name': '请选择更短的名称。',
      'raw-data-file': '请先转换为不带数据文件的镜像。',
      option: '请选择其他值。',
      'not-below': '请打开应作为后备的镜像，然后重试。',
      'nothing-below': '请改为新建一个镜像。',
      'several-files': '请转换为单个文件，或使用命令行。',
      format: '请转换为 qcow2，然后更改转换后的镜像。',
      wrapped: '请先解包，然后打开镜像本身。',
    }[d.reason],
  }),
  'amend-refused': (d) => ({
    what: '镜像不能这样更改，没有更改任何内容。',
    why: {
      'refcount-bits': '格式第 2 版只有 16 位的引用计数。',
      'narrow-in-v2': '格式第 2 版只有 16 位的引用计数。',
      'data-file': '格式第 2 版没有外部数据文件。',
      snapshots: '某个快照记录了格式第 2 版无法表达的内容。',
      features: `它使用了格式第 2 版没有的特性（${d.features}）。`,
      zstd: '它含有用 zstd 压缩的簇。',
      lazy: '延迟引用计数需要格式第 3 版。',
      'no-data-file': '它没有外部数据文件。',
      'data-file-raw': '它的数据文件本身不是原始磁盘。',
      backing: '更换基础镜像会改变其内容。',
    }[d.reason],
    now: {
      'refcount-bits': '请与第 2 版一起选择 16 位。',
      'narrow-in-v2': '请与该宽度一起选择第 3 版。',
      'data-file': '请转换为新的第 2 版镜像。',
      snapshots: '请先删除快照，或转换为新镜像。',
      features: '请转换为新的第 2 版镜像。',
      zstd: '请转换为新的第 2 版镜像。',
      lazy: '请一起选择第 3 版。',
      'no-data-file': '请转换为带数据文件的新镜像。',
      'data-file-raw': '请转换为带原始数据文件的新镜像。',
      backing: '请使用 rebase。',
    }[d.reason],
  }),
  'resize-refused': (d) => ({
    what: '磁盘不能改为此大小，没有更改任何内容。',
    why: {
      sectors: '磁盘由完整的 512 字节扇区组成。',
      snapshots: '格式第 2 版的快照不记录磁盘当时的大小。',
      'bitmap-inconsistent': `脏位图${named(d.name)}没有正常保存。`,
      'bitmap-too-large': `脏位图${named(d.name)}将超出允许的大小。`,
      zeros: '基础镜像更长，其内容会显露出来；格式第 2 版无法遮住它。',
    }[d.reason],
    now: {
      sectors: '请选择 512 字节的倍数。',
      snapshots: '请先将镜像升级到第 3 版，或删除快照。',
      'bitmap-inconsistent': '请先删除该脏位图。',
      'bitmap-too-large': '请删除该脏位图，或选择更小的大小。',
      zeros: '请先将镜像升级到第 3 版。',
    }[d.reason],
  }),
  'refcount-block-unaligned': (d) => ({
    what: '此镜像的引用计数已损坏。',
    why: `其表中的第 ${d.index} 项指向两个簇之间的 ${hex(d.offset)}。`,
    now: '请运行检查；没有更改任何内容。',
  }),
  'image-corrupt': (d) => ({
    what: `“${d.name}”被标记为已损坏，未作更改。`,
    why: '有程序在其元数据中发现了损坏并设置了此标记，以免情况恶化。',
    now: '请先修复：检查会说明哪里有问题以及可以怎么做。',
  }),
  'image-dirty': (d) => ({
    what: `“${d.name}”没有正常关闭。`,
    why: '其引用计数可能已过时，因此无法确定哪里是空闲的。',
    now: '请先修复；这不会更改磁盘的任何内容。',
  }),
  'image-damaged': (d) => ({
    what: `“${d.name}”已损坏，未作更改。`,
    why: `其引用计数有误或无法检查（${d.corruptions} 处错误），看似空闲的簇可能正在使用。`,
    now: '请先修复：检查会说明哪里有问题以及可以怎么做。',
  }),
  'l2-damaged': (d) => ({
    what: '此镜像的一部分无法更改：那里的表已损坏。',
    why: `L1 表的第 ${d.index} 项指向 ${hex(d.offset)}，那里没有 L2 表。`,
    now: '请先修复镜像。没有更改任何内容。',
  }),
  'bitmap-damaged': (d) => ({
    what: `无法读取脏位图“${d.name}”标记的内容。`,
    why: `其表中的第 ${d.entry} 项无效。`,
    now: '磁盘本身不受影响。请先做一次完整备份，再建立新的脏位图。',
  }),
  'bitmap-refused': (d) => ({
    what: `无法对脏位图“${d.name}”执行此操作。`,
    why: {
      exists: '已有同名的脏位图。',
      inconsistent: '它未正常保存，所标记的内容不可信。',
      version: '格式第 2 版无法判断脏位图是否仍然正确。',
      granularity: '粒度必须是 2 的幂，且不小于 512 字节。',
      'granularity-large': '粒度最大为 2 GiB。',
      'too-large': '粒度过细，位数超过脏位图的上限。',
      'name-empty': '没有名称。',
      'name-long': '名称超过 1023 字节。',
      'too-many': '镜像的脏位图数量已达上限。',
      'directory-full': '脏位图目录已没有空间。',
      sizes: `两个磁盘的大小不同：${d.size} 和 ${d.sourceSize} 字节。`,
      'empty-disk': '磁盘大小为零。',
    }[d.reason],
    now: {
      exists: '请使用其他名称。',
      inconsistent: '请删除它，并将下一次备份做成完整备份。',
      version: '请先将镜像升级到第 3 版。',
      granularity: '请选择其他粒度。',
      'granularity-large': '请选择其他粒度。',
      'too-large': '请选择更大的粒度。',
      'name-empty': '请指定名称。',
      'name-long': '请使用更短的名称。',
      'too-many': '请删除不再需要的脏位图。',
      'directory-full': '请删除不再需要的脏位图。',
      sizes: '只有磁盘大小相同的脏位图才能合并。',
      'empty-disk': '请先调整磁盘大小。',
    }[d.reason],
  }),
  'bitmap-missing': (d) => ({
    what: `此镜像中没有脏位图“${d.name}”。`,
    why: '脏位图按完整名称查找。',
    now: '请查看“更改”面板中的脏位图列表。',
  }),
  'snapshot-missing': (d) => ({
    what: `此镜像中没有快照“${d.key}”。`,
    why: '快照按 ID 或完整名称查找。',
    now: '请查看“快照”面板中的列表。',
  }),
  'wrong-passphrase': (d) => ({
    what: `该密码无法打开${named(d.name)}。`,
    why: '镜像中的任何一个密钥槽都无法用它解锁。',
    now: '请重试，并注意键盘布局和大小写。',
  }),
  'key-slot': (d) => ({
    what: '此镜像的密码没有更改。',
    why: KEY_SLOT[d.problem](d.slot),
    now: '请查看概览中的密钥槽，然后重试。',
  }),
  'invalid-image': (d) => ({
    what: `这不是可以读取的 ${d.format.toUpperCase()} 镜像。`,
    why: IMAGE[d.problem](d),
    now: '如果是下载或复制得到的，请重新获取。如果其他程序可以读取它，请告诉我们。',
  }),
  'container-invalid': (d) => ({
    what: `${named(d.entry === '' ? d.name : d.entry)}无法解压。`,
    why: CONTAINER[d.problem](d),
    now: CONTAINER_NOW[d.problem],
  }),
  'parent-mismatch': (d) => ({
    what: `“${d.parent}”不是“${d.name}”的父镜像。`,
    why: `此镜像基于标识为 ${d.expected} 的镜像创建，而该文件的标识为 ${d.found}。`,
    now: '请提供创建时使用的父镜像。之后被更改过的父镜像不再适用。',
  }),
  'backing-loop': (d) => ({
    what: `后备文件链又回到了“${d.name}”。`,
    why: '镜像不能以自身为后备文件。',
    now: '请选择正确的后备文件。',
  }),
  'read-failed': (d) => ({
    what: `${named(d.name)}在 ${hex(d.offset)} 处读取失败。`,
    why: d.reason,
    now: '磁盘或网络驱动器是否已断开？请重试，或先将文件复制到这台电脑。',
  }),
  'file-gone': (d) => ({
    what: `${named(d.name)}已不存在。`,
    why: '文件在打开后被移动、重命名或删除。',
    now: '请重新选择。',
  }),
  'file-changed': (d) => ({
    what: `${named(d.name)}打开后已在磁盘上被修改。`,
    why: '可能有虚拟机正在使用它。未写入任何内容。',
    now: '请先停止使用它的程序，然后重新读取。',
  }),
  'permission-lost': (d) => ({
    what: `浏览器已不再允许读取${named(d.name)}。`,
    why: '本应用的最后一个标签页关闭后授权即失效，或授权已被撤销。',
    now: '请再次打开该文件并授权。',
  }),
  'write-failed': (d) => ({
    what: `写入${named(d.name)}时在 ${bytes(d.offset, 'zh-CN')} 处失败。`,
    why: d.reason,
    now: '原文件未被修改。请换一个位置保存结果。',
  }),
  'being-changed': (d) => ({
    what: `另一个标签页或程序正在修改${named(d.name)}。`,
    why: '同时对一个文件进行两次修改会损坏它。未写入任何内容。',
    now: '请等待另一方完成，然后重新读取此文件。',
  }),
  'journal-foreign': (d) => ({
    what: `对${named(d.name)}的一次修改曾被中断，而此文件现在已不同。`,
    why: `${hex(d.offset)} 处的内容既不是旧数据也不是新数据。未写入任何内容。`,
    now: `如果文件在此之后被替换过，请删除${named(d.journal)}。`,
  }),
  'change-unfinished': (d) => ({
    what: `对${named(d.name)}的修改未能完成。`,
    why: `写入失败（${d.reason}）。所有尚未写入的内容都已保留。`,
    now: '请释放一些空间并重新打开此文件：修改会随即完成。',
  }),
  'patch-invalid': (d) => ({
    what: `${named(d.name)}不能用作撤销文件或补丁。`,
    why: PATCH[d.problem],
    now: '请选择与该修改一同写出的文件。',
  }),
  'patch-mismatch': (d) => ({
    what: `${named(d.name)}不是对应的文件，或在此之后已被修改。`,
    why: `${hex(d.offset)} 处的内容不同。未写入任何内容。`,
    now: '请选择与之对应的文件。',
  }),
  'disk-full': (d) => ({
    what: `空间不足：需要 ${bytes(d.needed, 'zh-CN')}。`,
    why: '原文件未被修改。',
    now: '请释放一些空间，或换一个位置保存结果。',
  }),
  'finish-refused': (d) => ({
    what: `浏览器拒绝完成${named(d.name)}。`,
    why: '浏览器会对完成的文件进行安全检查，此文件未通过。',
    now: '请重试，或将结果保存在浏览器中再下载。',
  }),
  'read-only': (d) => ({
    what: `${named(d.name)}无法写入。`,
    why: '它以只读方式打开。',
    now: '请选择其他目标。',
  }),
  'private-window': (d) => ({
    what: `此窗口无法生成 ${bytes(d.needed, 'zh-CN')} 的结果。`,
    why: '无痕窗口只把文件存放在内存中，大约可容纳 1 GiB。',
    now: '请为结果选择一个文件夹，或在普通窗口中打开本页面。',
  }),
  'verify-failed': (d) => ({
    what: `副本在 ${hex(d.offset)} 处与源不一致。`,
    why: '写入的内容读回后不相同。这种情况绝不应发生。',
    now: '请勿使用该副本。请重新转换；若再次发生，请检查这台电脑的磁盘或内存。',
  }),
  'too-large': (d) => ({
    what: `${d.what} 过大：${d.value}。`,
    why: `上限为 ${d.limit.toLocaleString('zh-CN')}。`,
    now: '有效的镜像不会需要这么大的值。文件已损坏，或是被恶意构造的。',
  }),
  'check-unsupported': (d) => ({
    what: `${d.format} 镜像没有可检查的内容。`,
    why: '它就是磁盘的内容本身，没有可能出错的表。',
    now: '',
  }),
  'open-failed': (d) => ({
    what: `无法打开${named(d.name)}。`,
    why: d.reason,
    now: '请检查名称。只能使用已在此处打开的文件。',
  }),
  'same-file': (d) => ({
    what: `${named(d.name)}就是源文件本身。`,
    why: '结果不能替换它所依据的源文件。',
    now: '请选择其他名称或位置。',
  }),
  'worker-died': (d) => ({
    what: '引擎意外停止。',
    why: `没有文件停留在改了一半的状态。浏览器给出的原因：${d.reason}。`,
    now: '请重新启动，已打开的镜像会重新读取。',
  }),
  internal: (d) => ({
    what: '本应用内部出现错误。',
    why: d.reason,
    now: '文件未被修改。请重试；若再次发生，请复制详情并报告问题。',
  }),
};
