import type { ChainText } from './en-chain.ts';

/** The same in Chinese. */
export const zhChain: ChainText = {
  title: '此磁盘的文件',
  missingCount: (n) => `缺少 ${n} 个文件`,
  complete: '所有文件均已打开',
  suspicious: (n) => `所有文件均已打开，其中 ${n} 个可疑`,
  lead: '此磁盘的内容分布在多个文件中。镜像中提到的文件不会被自动打开：每个文件都由您选择。',
  incomplete: '缺失文件中的内容在提供之前是未知的，绝不会被当作零：读取这些部分会失败。',
  kinds: { image: '此镜像', backing: '后备文件', 'data-file': '数据文件', extent: '分段文件' },
  openParts: (n) => `另有 ${n} 个分段文件已打开`,
  states: {
    open: '已打开',
    missing: '缺失',
    locked: '已锁定',
    loop: '形成循环',
    wrong: '无法使用',
  },
  given: (name) => `提供的文件：${name}`,
  recorded: (format) => `记录的格式为 ${format}`,
  recordedNot: '未记录格式',
  recordedNotNote: '此时 QEMU 会按内容判断',
  disk: (size) => `磁盘 ${size}`,
  file: (size) => `文件 ${size}`,
  choose: '选择文件…',
  chooseFor: (name) => `为 ${name} 选择文件`,
  chooseOther: '选择其他文件…',
  chooseOtherFor: (name) => `为 ${name} 选择其他文件`,
  remove: '移除',
  removeFor: (name) => `移除 ${name}`,
  folder: '选择文件夹…',
  folderNote: '或将文件、其所在的文件夹拖放到此处',
  useOpen: (name) => `使用已打开的“${name}”`,
  unlock: '解锁…',
  unlockFor: (name) => `解锁 ${name}`,
  lockedNote: '已加密。可以检查它的表，但没有密码就无法得知其内容。',
  lockedTitle: '此磁盘已加密',
  unlockedTitle: '已解锁，但无法确认密码',
  legacy: '旧式 AES 无法判断密码是否正确。',
  legacyRight: '磁盘的开头与正常磁盘一样，因此密码很可能是正确的。',
  legacyNoise: '磁盘的开头不像任何已知的内容：密码可能有误。',
  legacyEmpty: '磁盘的开头是空的，因此也无法由此判断。',
  another: '换一个密码…',
  anotherFor: (name) => `为 ${name} 换一个密码`,
  wrongFormat: (format) => `上层镜像记录此文件的格式为 ${format}，而实际并非如此。`,
  topProblem: '无法读取此镜像的内容，因此下面的文件目前没有用处。',
  protocol: (name) => `这是一个地址（${name}）。仅作显示，绝不访问。请选择该磁盘的本地副本。`,
  json: (drivers, target) =>
    `这是给 QEMU 的选项（${drivers}${target === '' ? '' : `：${target}`}）。仅作显示，绝不执行。请选择文件。`,
  jsonUnreadable: '无法解析',
  searching: '正在查看文件夹…',
  found: (n) => `找到并打开了 ${n} 个文件`,
  notFound: (names, looked) => `在其中的 ${looked} 个名称中没有找到：${names}。`,
  several: (names) => `其中有多个同名文件，从所在文件夹也无法判断是哪一个：${names}。请自行选择。`,
  cut: (limit) => `只查看了前 ${limit} 个名称。请选择较小的文件夹。`,
  nameless: '镜像没有写明此文件的名称，请自行选择。',
  attached: (name) => `${name} 已打开`,
  doubts: {
    otherName: (name, expected) =>
      `镜像需要的是“${expected}”，而此文件名为“${name}”。改过名的副本没有问题，换成别的磁盘则不行。`,
    format: (recorded, found) =>
      `上层镜像记录为 ${recorded}，而内容看起来是 ${found}。QEMU 以记录为准，本应用也一样：整个 ${found} 文件连同文件头和表都会被当作磁盘内容。如果记录有误，请更正：qemu-img rebase -u -F ${found}。`,
    dataFileFormat: (found) =>
      `它看起来是 ${found} 镜像，而数据文件应当是磁盘的原始内容。是否选错了文件？`,
    foreign: (why) => `${why}仍按原始磁盘读取。`,
    baseSmaller: (base, overlay) =>
      `它的磁盘为 ${base}，上层为 ${overlay}：超出其末尾的部分读出为零。扩大磁盘后这是正常的。`,
    baseLarger: (base, overlay) =>
      `它的磁盘为 ${base}，上层只有 ${overlay}：其余部分无法访问。是否选错了文件？`,
    changedLater: (base, overlay) =>
      `修改时间为 ${base}，晚于上层文件（${overlay}）。如果当时有虚拟机写入过它，两者便不再匹配，数据可能已损坏。复制和下载也会改变这个时间。`,
    sameFile: (other) => `它与“${other}”长度相同、开头也相同：是否只是它的副本？`,
    dataFileShort: (size, disk) =>
      `它在 ${size} 处结束，而磁盘为 ${disk}：其后的部分读出为零。副本是否完整？`,
  },
  marks: { warning: '可疑', note: '提示' },

  passphrase: {
    title: (name) => `解锁 ${name}`,
    about: (cipher) => `加密方式：${cipher}。`,
    promise:
      '密码只交给本页面的引擎，不会传到别处。用过之后即被覆盖；由它解开的密钥只保存在内存中，直到您关闭此镜像。',
    legacy:
      'qcow2 的旧式 AES 无法判断密码是否正确：密码错误时，读出的内容是杂乱数据。请自行核对结果。',
    label: '密码',
    show: '显示',
    hide: '隐藏',
    unlock: '解锁',
    keyFile: '使用密钥文件…',
    keyFileNote: '密钥文件的每个字节都有意义，包括末尾的换行符。',
    keyFileTooLong: (size) => `此文件为 ${size}，作为密钥文件太大。`,
    deriving: (rounds, time) => `正在尝试：密钥派生 ${rounds} 轮，约需 ${time}…`,
    trying: '正在尝试…',
    unlocked: (name) => `${name} 已解锁`,
  },
};
