import type { ChecksumText } from './en-checksum.ts';

/** Simplified Chinese: the panel «Checksum». */
export const zhChecksum: ChecksumText = {
  whole: {
    title: '下载的文件完整吗？',
    lead: '将文件与发布者公布的校验和进行比对。校验和通常在下载页面上，或在同一目录的 SHA256SUMS 等文件中。只读取文件，不做修改。',
    field: '公布的校验和',
    placeholder: '粘贴校验和，或列表中的若干行',
    choose: '选择列表文件…',
    dropHint: '或将其拖放到此窗口的任意位置',
    list: '公布的列表',
    forget: '移除列表',
    tooLarge: (name) => `“${name}”过大，不可能是校验和列表。`,
    compare: '比对',
    compute: (algorithm) => `计算 ${algorithm}`,
    digest: (algorithm) => `文件的 ${algorithm}`,
  },

  says: {
    none: '这段文本中没有校验和。',
    unsupported: (kinds) => `其中只有 ${kinds}，此处无法计算。请查找 SHA-256 或 SHA-512 校验和。`,
    alone: (algorithm) => `${algorithm} 校验和`,
    listed: (algorithm, name) => `包含“${name}”的 ${algorithm}`,
    notListed: (name) => `其中没有“${name}”：将改为按校验和查找。`,
  },

  verdict: {
    match: '下载的文件完整',
    matchAlone: '文件的校验和与公布的完全一致。',
    matchListed: (name) => `它与列表中的“${name}”逐字节相同。`,
    genuine: '此结论取决于校验和本身是否可信：请从发布者自己的页面获取。此处不验证列表中的签名。',
    otherName: (name) => `这是“${name}”`,
    otherNameBody: (file) =>
      `列表中没有“${file}”，但此文件的校验和与上述文件相同：内容完整，只是名称不同。`,
    mismatch: '这不是所公布的文件',
    mismatchBody: '校验和不同：至少有一个字节不一样。',
    mismatchNow: '请重新下载；如果仍不一致，请换一个镜像站点，并确认文件与校验和属于同一版本。',
    mismatchOther: (name) => `它是列表中的“${name}”。`,
    mismatchContent: '公布的是磁盘内容的校验和：内容正确，只是外层的文件不同。',
    expected: '公布的',
    actual: '此文件',
    tooShort: (missing) => `下载被中断：末尾缺少 ${missing}。`,
    tooLong: (extra) => `它比公布的文件长 ${extra}。`,
    notListed: '列表中没有此文件',
    notListedBody: '列表中既没有它的名称，也没有它的校验和。这是同一版本的列表吗？',
    has: '列表中有',
    more: (n) => `……另有 ${n} 个`,
  },

  content: {
    title: '内容的指纹是什么？',
    lead: '客户机所见磁盘的 SHA-256。无论是 qcow2、raw 还是其他格式，无论是否压缩，结果都相同：指纹相同的镜像，磁盘内容也相同。',
    compute: '计算指纹',
    zeros: '零也必须计算在内：即使是空的大磁盘，也需要一些时间。',
    digest: '内容的 SHA-256',
    raw: '原始磁盘就是内容本身：一个校验和即可回答两个问题。',
    missing: (name) => `此镜像只保存差异。请先打开“${name}”，否则磁盘的部分内容未知。`,
    toOverview: '前往“概览”',
    same: '用 qemu-img 和 sha256sum 得到相同结果',
  },

  about: (time) => `大约需要 ${time}`,
  result: (size, time) => `${size}，用时 ${time}`,
  cancel: '取消',
  cancelled: '已取消，文件未被修改。',
  dropList: '拖放校验和列表或磁盘镜像',
};
