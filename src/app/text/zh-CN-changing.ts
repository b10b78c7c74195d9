import type { ChangingText } from './en-changing.ts';

/** Simplified Chinese: the changes that can be made. */
export const zhChanging: ChangingText = {
  title: '进行更改',
  lead: '一次一项。添加的更改会列入上方；保存之前不会写入任何内容。',
  kinds: {
    resize: { title: '调整磁盘大小', note: '增加或减少客户机可用的空间。' },
    rebase: { title: '更换后备文件', note: '换成另一个镜像或去掉它，客户机读到的内容不变。' },
    commit: { title: '提交', note: '将差异镜像中的内容写入其下方的镜像。' },
    backing: { title: '更改后备文件的名称', note: '更正查找下方镜像时所用的名称。' },
    options: { title: '格式选项', note: '格式版本、延迟引用计数及其位宽。' },
    bitmaps: { title: '脏位图', note: '标记自某次备份以来更改的内容。' },
    keys: { title: '密码', note: '每个密码占用一个密钥槽。' },
    file: { title: '使用更改文件', note: '在此生成的撤销文件或补丁。' },
  },
  values: {
    noBase: '无后备文件',
    bitmaps: (n) => `${n} 个位图`,
    slots: (used, all) => `已用 ${used} 个槽，共 ${all} 个`,
  },
  snapshots: '创建、回到或删除快照',
  repair: '修复检查发现的问题',

  reasons: {
    format: (name) => `${name} 格式的镜像没有此项。`,
    resize: (name) => `${name} 格式的镜像无法直接调整大小。请改为转换成新的磁盘。`,
    rebase: (name) => `只有 qcow2 和 QED 镜像支持此操作，此镜像为 ${name}。`,
    dataFile: '其内容在另一个文件中，该文件也必须随之更改。',
    gap: (name) => `需要先提供“${name}”，请在“概览”中指定。`,
    noBase: '此镜像没有后备文件。',
    commit: '此镜像没有后备文件，也没有打开以它为后备文件的镜像。',
    version: '格式版本 2 没有位图。请先在格式选项中升级。',
    noKeys: '此镜像未加密。',
    legacyKeys: '旧式加密的密码无法更改。请转换为 LUKS。',
    locked: '请先在“概览”中解锁。',
  },

  go: {
    resize: (to) => `将“${to}”加入更改`,
    rebase: (name) => `将“后备文件换成 ${name}”加入更改`,
    standAlone: '将“去掉后备文件”加入更改',
    backing: (name) => `将“名称改为 ${name}”加入更改`,
    options: '将新的格式选项加入更改',
    bitmap: (name) => `添加位图“${name}”`,
    passphrase: '添加新密码',
    file: '选择文件…',
  },

  foresight: {
    looking: '正在查看会发生什么…',
    frees: (size) => `在文件内释放 ${size}。`,
    takes: (size) => `将写入 ${size} 的内容。`,
    takesMost: (size) => `最多将写入 ${size} 的内容。`,
    takesNothing: '无需写入内容：这里没有缺少任何内容。',
    zeros: (size) => `${size} 将变为零。`,
    different: (size) => `客户机读到的内容将有 ${size} 不同。`,
    differentNone: '客户机读到的内容与之前相同。',
    differentUnknown: '无法得知客户机将读到什么：下方的镜像没有打开。最好不要这样做。',
  },

  rebase: {
    note: '新的后备文件中没有的内容会先复制到此镜像中，因此客户机读到的内容与之前相同。如果去掉后备文件，则会复制全部内容，镜像从此独立。',
    onto: '后备文件',
    none: '无',
    open: '打开另一个镜像…',
    problems: {
      above: '位于此镜像之上',
      unsaved: '有未保存的更改',
      incomplete: '自身不完整',
    },
    name: '记录为',
    nameNote: '路径从此镜像所在的文件夹算起。',
    compress: '压缩复制的内容',
    compressNote: 'qemu-img 从 8.2 版起支持此选项。',
  },

  commit: {
    down: (base) => `写入下方的“${base}”`,
    downNote: (base) =>
      `“${base}”会接收此镜像的全部内容。它作为单独的镜像更改：提交会成为它的一项更改，并在那里保存。之后，以“${base}”为后备文件的其他镜像将失效。`,
    downGo: (base) => `打开“${base}”并在那里添加提交`,
    downUnknown: (base) => `需要将“${base}”作为单独的镜像打开。请先打开它，然后返回此处。`,
    up: (overlay) => `来自上方的“${overlay}”`,
    upNote: (overlay) =>
      `此镜像会接收“${overlay}”的全部内容。之后，以此镜像为后备文件的其他镜像将失效。`,
    upGo: (overlay) => `将“提交 ${overlay}”加入更改`,
    unsaved: (name) => `“${name}”有未保存的更改，请先保存。`,
    afterTitle: (overlay) => `现在可以清空“${overlay}”`,
    after: '它的全部内容都已在此镜像中。清空后它几乎不占空间，显示的内容相同。',
    afterCopy: (overlay, base) => `清空“${overlay}”之前，必须先用更改后的副本替换“${base}”。`,
    afterGo: (overlay) => `清空“${overlay}”`,
  },

  backing: {
    note: '只更改名称，不比较也不复制任何内容。适用于同一文件被移动的情况。如果下方是其他内容，客户机就会读到其他内容。',
    name: '后备文件的名称',
    format: '后备文件的格式',
    formatNote: '记录格式后就无需猜测。靠猜测识别的原始磁盘可能冒充其他格式。',
    present: (name) => `现在：${name}`,
  },

  options: {
    note: '磁盘内容保持不变。',
    compat: '格式版本',
    compats: {
      '1.1': '3（compat 1.1）',
      '0.10': '2（compat 0.10），用于 1.1 之前的 QEMU',
    },
    lazy: '延迟引用计数',
    lazyNote: '写入更快。但崩溃之后，必须先修复镜像才能使用。',
    on: '开启',
    off: '关闭',
    bits: '引用计数的位宽',
    bitsOf: (n) => `${n} 位`,
    bitsNote: '决定一个簇可以被共享多少次。16 位足够 65,535 个快照使用。',
    now: '当前',
    oldLazy: '版本 2 没有延迟引用计数。',
    oldBits: '版本 2 的引用计数只能是 16 位。',
    oldBitmaps: '版本 2 没有位图，请先移除位图。',
    same: '与现在相同。',
  },

  bitmaps: {
    none: '没有位图。位图从添加时起标记更改的内容，使备份只需复制这些部分。',
    add: '添加位图',
    granularity: '每一位对应',
    granularityAuto: (size) => `${size}（由 QEMU 决定）`,
    granularityNote: '粒度越细，备份越小，但占用的内存越多。',
    recording: '立即开始记录更改',
  },

  keys: {
    slot: (n) => `槽 ${n}`,
    active: '已使用',
    free: '空闲',
    rounds: (n) => `${n} 轮`,
    remove: '移除',
    removeFor: (n) => `移除槽 ${n} 中的密码`,
    last: '最后一个密码必须保留：没有它，谁也无法读取磁盘。',
    removeNote: '无法得知哪个密码在哪个槽中。请确认您知道其余密码中的一个。',
    add: '添加密码',
    current: '目前可以解锁的密码',
    new: '新密码',
    again: '再次输入新密码',
    different: '两次输入不一致。',
    show: '显示',
    hide: '隐藏',
    into: '密钥槽',
    auto: '第一个空闲的槽',
    full: '所有密钥槽都已使用。',
    promise: '密码不会离开此计算机，用后立即清除。',
  },

  file: {
    note: '其中写明了它所针对的文件。如果不是该文件，则不会进行任何更改。',
  },
};
