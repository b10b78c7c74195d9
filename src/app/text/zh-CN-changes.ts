import type { ChangesText } from './en-changes.ts';
import { zhRepairs } from './zh-CN-repairs.ts';

/** Simplified Chinese: what is said about changing images. */
export const zhChanges: ChangesText = {
  repairs: zhRepairs,

  title: '更改',
  lead: '您在此收集更改时不会写入任何内容。每项更改都先在文件之上的一层中试行并检查；满意后再由您保存。',
  none: '没有更改',
  noneNote:
    '可在“概览”中创建、回到或删除快照以及调整磁盘大小，在“检查”中修复发现的问题。您选择的更改会收集在此，保存之前不会写入任何内容。',
  rawNone: '原始磁盘在此没有可更改的内容',
  rawNoneNote: '它没有表，也没有快照。请先将其转换为 qcow2。',
  toOverview: '前往概览',
  toCheck: '前往检查',
  fromFile: '使用撤销文件或补丁…',

  tray: {
    label: '未保存的更改',
    some: (n) => `${n} 项更改，未保存`,
    note: '显示的是更改之后的镜像。文件保持原样。',
    saved: (n) => `${n} 项更改，已另存`,
    savedNote: '显示的是更改之后的镜像。您打开的文件保持原样。',
    undo: '撤销上一项',
    review: '查看并保存…',
  },

  list: '按此顺序',
  undoLast: '撤销上一项更改',
  undoKey: (key) => key,
  clear: (n) => `放弃 ${n} 项更改`,
  undone: '已撤销上一项更改。',
  cleared: '已放弃所有更改。文件保持原样。',
  edits: {
    repair: '修复',
    'create-snapshot': (name) => `创建快照“${name}”`,
    'apply-snapshot': (name) => `回到快照“${name}”`,
    'delete-snapshot': (name) => `删除快照“${name}”`,
    'add-bitmap': (name) => `添加位图“${name}”`,
    'clear-bitmap': (name) => `清空位图“${name}”`,
    'remove-bitmap': (name) => `移除位图“${name}”`,
    grow: (from, to) => `将磁盘从 ${from} 扩大到 ${to}`,
    shrink: (from, to) => `将磁盘从 ${from} 缩小到 ${to}`,
    patch: (name) => `“${name}”所描述的更改`,
  },
  effects: {
    frees: (size) => `在文件内释放 ${size}`,
    takes: (size) => `在文件内占用 ${size}`,
    grows: (size) => `文件增大 ${size}`,
    shrinks: (size) => `文件减小 ${size}`,
    same: '文件大小不变',
    repaired: (n) => `修复 ${n} 处问题`,
  },

  numbers: {
    title: '合计',
    written: '不同的字节',
    writtenIn: (size, clusters, runs) => `${size}，分布在 ${clusters} 个簇、${runs} 处`,
    file: '文件大小',
    fromTo: (from, to) => `${from} → ${to}`,
    same: (size) => `${size}，与之前相同`,
    findings: '检查结果',
    findingsOf: (corruptions, leaks) =>
      corruptions + leaks === 0
        ? '无问题'
        : [corruptions > 0 ? `${corruptions} 处损坏` : '', leaks > 0 ? `${leaks} 个泄漏的簇` : '']
            .filter(Boolean)
            .join('，'),
    unknown: '无法检查',
    checked: '已检查包含全部更改的镜像：没有出现之前没有的问题。',
  },

  ways: {
    title: '如何保存',
    place: '将更改后的副本保存到您选择的位置',
    placeNote: (time) =>
      `约需 ${time}，其中大部分时间是浏览器检查新文件。空洞仍为空洞。您的文件保持原样。`,
    placeMissing: '此浏览器无法写入所选位置。',
    browser: '在此浏览器中生成更改后的副本，然后下载',
    browserNote: (time, size) =>
      `约需 ${time}，之后下载。在您删除之前，最多占用 ${size}。您的文件保持原样。`,
    browserMissing: '此浏览器没有可用的私有存储。',
    browserMemory: '无痕窗口只把文件存放在内存中，最多约 1 GiB。',
    file: (name) => `更改“${name}”本身`,
    fileNote: (time, size) =>
      `约需 ${time}，无论更改多小：浏览器会在旁边复制整个文件（需要 ${size} 的可用空间），更改副本并检查，然后用它替换原文件。中途若有任何失败，文件保持原样。`,
    fileStoredNote:
      '立即完成：文件位于此浏览器中。日志保证无论发生什么，它要么是旧的，要么是新的。',
    fileMissing:
      '浏览器只提供了文件内容，没有写回的途径。请在 Chrome 或 Edge 中用“打开镜像…”打开它，或者改用副本或补丁。',
    filePermission: '浏览器会询问是否允许本页面写入该文件：目前只允许读取。',
    fileInUse: '虚拟机正在使用该文件时请勿更改：此处无法察觉，而同时写入会毁坏文件。',
    undo: '保留撤销文件',
    undoNote: (size) => `在此浏览器中约占 ${size}：有了它，所有更改都可以撤回。`,
    patch: '补丁以及应用补丁的脚本',
    patchNote: (size) =>
      `立即完成：${size} 和一个用于 sh 或 PowerShell 的简短脚本。请在文件所在处运行它；它会核对文件是否正确，保留旧的字节，并在一秒之内就地更改。适用于太大而不便复制的镜像。`,
    name: '副本名称',
    verify: '之后比较副本',
  },
  go: {
    place: '保存更改后的副本…',
    browser: '保存更改后的副本',
    file: (name) => `更改“${name}”`,
    patch: '生成补丁和脚本',
  },
  cancel: '取消',
  cancelled: '已取消。',
  unchanged: (name) => `“${name}”保持原样。`,
  notChosen: '没有选择位置，未写入任何内容。',
  notAllowed: (name) => `浏览器未获准写入“${name}”，未写入任何内容。`,
  interruptedNote: '请重新启动引擎：它会检查该文件，并将更改整体完成或整体放弃。',

  done: {
    copy: (name) => `“${name}”已保存`,
    copyNote: '已重新读取并核对无误。您打开的文件保持原样。',
    copyUnverified: '未进行比较。您打开的文件保持原样。',
    file: (name) => `“${name}”已更改`,
    fileNote: '写入的内容已重新读取并核对无误。现在显示的是更改后的镜像。',
    patch: '补丁和脚本已就绪',
    patchNote: (name) =>
      `请将补丁和其中一个脚本放到“${name}”旁边并在那里运行。在此之前不会更改任何内容。`,
    scriptNote: (name) =>
      `请将其中一个脚本放到“${name}”旁边并在那里运行，补丁已包含其中。在此之前不会更改任何内容。`,
    patchSh: 'Linux、macOS',
    patchPs: 'Windows',
    open: '打开副本',
    download: (name) => `下载“${name}”`,
    downloadAll: '全部下载',
    takeBack: '撤回更改',
    takeBackNote: '将旧的字节放回文件中。',
    takenBack: (name) => `“${name}”已恢复到更改之前的样子。`,
    undoFile: '保存撤销文件',
    undoKept: (name, size) => `撤销文件“${name}”（${size}）保留在此浏览器中，可在起始页找到。`,
    time: (time) => `用时 ${time}。`,
    wrote: (size) => `写入了 ${size}。`,
    close: '关闭此结果',
  },

  lost: (n) => `有 ${n} 项更改未保存，重新读取的镜像不包含它们。`,
  again: (n) => `重新进行这 ${n} 项更改`,
  forget: '忽略',

  closing: {
    title: (name) => `关闭“${name}”？`,
    body: (n) => `有 ${n} 项更改尚未保存。文件本身保持原样。`,
    keep: '继续打开',
    discard: (n) => `关闭并放弃 ${n} 项更改`,
  },

  recovered: {
    finished: (name) =>
      `对“${name}”的更改曾被中断。该更改已经确定，因此现已完成：文件包含其全部内容。`,
    dropped: (name) => `对“${name}”的更改在发生之前被中断。文件保持原样。`,
    failed: (name) =>
      `对“${name}”的更改曾被中断且无法完成：该文件不是更改所针对的文件，已原样保留。请检查它。`,
    local: (name) =>
      `对“${name}”的更改曾被中断。浏览器先写在旁边，最后才替换，因此它要么保持原样，要么已整体更改。打开它即可知道。旁边残留的“${name}.crswap”可以删除。`,
    localOld: (name) => `对“${name}”的中断的更改没有发生：文件保持原样。`,
    localNew: (name) => `对“${name}”的中断的更改已经发生：文件包含其全部内容。`,
    open: (name) => `打开“${name}”`,
    dismiss: '关闭提示',
  },

  snapshot: {
    create: '创建快照…',
    createTitle: '创建快照',
    createBody:
      '在此文件内保留磁盘现在的样子。起初占用很少，之后随磁盘的更改而增长。不包含正在运行的虚拟机的状态。',
    name: '名称',
    suggested: (date) => `快照 ${date}`,
    sameName: '已有同名的快照。',
    createGo: (name) => `创建快照“${name}”`,
    apply: '回到…',
    applyFor: (name) => `回到快照 ${name}…`,
    applyTitle: (name) => `回到“${name}”？`,
    applyBody: '磁盘将变为当时的样子。除非有快照保留，否则现在的内容会丢失。快照本身保持不变。',
    applySize: (now, then) => `磁盘现在为 ${now}，当时为 ${then}：大小也会改变。`,
    applyState: '随快照保存的虚拟机内存不会因此恢复。',
    keepNow: '先为磁盘现在的样子创建快照',
    keepName: (date) => `返回之前 ${date}`,
    applyGo: (name) => `回到“${name}”`,
    applyGoLose: (name) => `回到“${name}”，放弃现在的内容`,
    delete: '删除…',
    deleteFor: (name) => `删除快照 ${name}…`,
    deleteTitle: (name) => `删除快照“${name}”？`,
    deleteBody: '磁盘现在的内容和其他快照保持不变。',
    deleteFrees: (size) => `在文件内释放 ${size}，供新数据使用。`,
    deleteFreesNothing: '几乎不释放空间：其内容与其他部分共享。',
    deleteShrink: '文件本身不会因此变小；转换出的副本会变小。',
    deleteState: (size) => `随快照保存的虚拟机内存（${size}）也会一并删除。`,
    looking: '正在查看会释放多少空间…',
    deleteGo: (name) => `删除快照“${name}”`,
    added: '已加入更改。尚未写入任何内容。',
  },

  bitmap: {
    add: '添加…',
    addFor: '添加位图…',
    addTitle: '添加位图',
    addBody: '从现在起标记发生的更改，使备份只需复制这些部分。起初不标记任何内容。',
    name: '名称',
    sameName: '已有同名的位图。',
    addGo: (name) => `添加位图“${name}”`,
    clear: '清空',
    clearFor: (name) => `清空位图 ${name}：之后不标记任何内容`,
    remove: '移除',
    removeFor: (name) => `移除位图 ${name}`,
  },

  resize: {
    open: '调整大小…',
    title: '调整磁盘大小',
    now: (size) => `磁盘现在为 ${size}。`,
    label: '新的大小',
    unit: '单位',
    invalid: '请输入大于零的大小。',
    sectors: '必须是 512 字节扇区的整数倍。',
    growNote:
      '新增部分是空的，不占用文件空间。客户机不会自动使用它：之后请在客户机中扩大分区和文件系统。',
    shrinkNote: '新的末尾之后的内容会丢失。请先在客户机中缩小文件系统和分区。',
    cuts: '以下分区会失去末尾或全部内容：',
    partition: (n, name, from, size) =>
      `分区 ${n}${name === '' ? '' : `“${name}”`}：起始于 ${from}，大小 ${size}`,
    cutsNone: '没有分区超出新的末尾。',
    cutsUnknown: '无法查看客户机在那里保存的内容。',
    gptLost: '磁盘末尾的分区表备份会丢失；客户机可以重新生成。',
    gptMisplaced: '分区表备份仍在原来的位置；客户机的分区工具会提示移动它。',
    looking: '正在查看会截掉什么…',
    grow: (size) => `将磁盘扩大到 ${size}`,
    shrink: (size) => `将磁盘缩小到 ${size}`,
    shrinkCut: (size, n) => `缩小到 ${size}，截断 ${n} 个分区`,
  },

  repair: {
    title: '修复',
    offer: '在写入任何内容之前，先看看修复会更改什么。',
    plan: '规划修复…',
    planning: '计划在文件之上的一层中制定，文件只会被读取。',
    again: '重新规划',
    classes: {
      safe: '安全',
      guess: '推测',
      drops: '去掉无法读取的内容',
      loses: '舍弃可能找回的内容',
    },
    classNotes: {
      safe: '不改变任何可读取的内容，也不舍弃任何还能找回的内容。',
      guess: '不改变任何可读取的内容，但原意是推断出来的。',
      drops: '去掉一些引用，它们所指的内容在此文件中本来就无法读取。',
      loses: '舍弃仍可部分读取或仍有可能找回的内容。',
    },
    sum: (n, chosen) => (chosen === n ? `${n} 步` : `${n} 步中的 ${chosen} 步`),
    nothing: '没有此类步骤',
    findings: '检查结果',
    written: '写入',
    content: '磁盘内容',
    contentSame: (layers) =>
      layers <= 1
        ? '已比较修复前后：可读取的内容没有一个字节不同。'
        : `已比较修复前后的磁盘和 ${layers - 1} 个快照：可读取的内容没有一个字节不同。`,
    contentBack: (size) => `${size} 原本无法读取的内容得以恢复。`,
    contentLost: (size) => `${size} 在修复前后都无法读取。`,
    refusals: '不修复的内容',
    after: '修复之后',
    afterClean: '检查不再发现任何问题。',
    afterLeft: (findings) => `检查仍会发现：${findings}。`,
    go: (n) => `将 ${n} 步修复加入更改`,
    goNothing: '按此选择没有可修复的内容',
    impossible: '发现的问题都无法修复。',
    where: (n) => `显示位置（${n}）`,
  },
};
