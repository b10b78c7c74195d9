import type { GoalText } from './en-goal.ts';

/** The same in Chinese. */
export const zhGoal: GoalText = {
  title: '要生成的内容',
  modes: { format: '某种文件格式', destination: '用于某个平台' },
  formats: {
    raw: { label: '原始', note: '磁盘内容本身。所有程序都接受；空洞仍为空洞。' },
    qcow2: { label: 'qcow2', note: '用于 QEMU、Proxmox、OpenStack 和 UTM。随写入而增长。' },
    vmdk: { label: 'VMDK', note: '用于 VMware。应选哪种类型取决于具体产品。' },
    vpc: { label: 'VHD', note: '用于 Azure、Xen 和较旧的 Hyper-V。磁盘最大 2040 GiB。' },
    vhdx: { label: 'VHDX', note: '用于 Hyper-V 和 WSL。磁盘最大 64 TiB。' },
    vdi: { label: 'VDI', note: '用于 VirtualBox。' },
    qed: { label: 'QED', note: '曾打算接替 qcow2，后被放弃。仅用于旧环境。' },
    parallels: { label: 'Parallels', note: '用于旧版 Parallels。' },
    qcow: { label: 'qcow', note: 'qcow2 的前身。仅用于非常旧的环境。' },
  },
  choices: {
    compression: {
      label: '压缩',
      values: {
        none: { label: '无', note: '生成和读取都快。' },
        zlib: { label: 'zlib', note: '文件更小；能读取此格式的程序都支持。' },
        zstd: { label: 'Zstandard', note: '比 zlib 更小更快；需要 QEMU 5.1 或更新版本。' },
      },
    },
    compat: {
      label: '可读取的程序',
      values: {
        '1.1': { label: 'QEMU 1.1 及更新版本', note: '格式版本 3：目前普遍使用。' },
        '0.10': { label: '也包括较旧的程序', note: '版本 2：也适用于 VirtualBox 和旧版 QEMU。' },
      },
    },
    cluster: {
      label: '簇大小',
      values: {
        '64k': { label: '64 KiB', note: '几乎适合所有情况。' },
        '4k': { label: '4 KiB', note: '数据零散时文件更小；大磁盘会变慢。' },
        '16k': { label: '16 KiB', note: '介于两者之间。' },
        '256k': { label: '256 KiB', note: '表更少，适合大磁盘。' },
        '1M': { label: '1 MiB', note: '表更少，适合非常大的磁盘；占用更多空间。' },
        '2M': { label: '2 MiB', note: '最大的簇；占用空间最多。' },
      },
    },
    vmdk: {
      label: '类型',
      values: {
        monolithicSparse: {
          label: '单个文件，随写入而增长',
          note: 'monolithicSparse：用于 VMware Workstation、Fusion 和 VirtualBox。',
        },
        streamOptimized: {
          label: '已压缩，用于传输',
          note: 'streamOptimized：供导入使用，例如 AWS。虚拟机不能直接从它运行。',
        },
        monolithicFlat: {
          label: '描述文件和原始磁盘',
          note: 'monolithicFlat：两个文件，必须放在一起。',
        },
        twoGbMaxExtentSparse: {
          label: '2 GiB 分段，随写入而增长',
          note: 'twoGbMaxExtentSparse：多个文件，用于不支持大文件的文件系统。',
        },
        twoGbMaxExtentFlat: {
          label: '2 GiB 分段，原始磁盘',
          note: 'twoGbMaxExtentFlat：多个文件，包含整个磁盘。',
        },
      },
    },
    adapter: {
      label: '适配器',
      values: {
        lsilogic: { label: 'LSI Logic（SCSI）', note: 'VMware 为大多数虚拟机使用的适配器。' },
        ide: { label: 'IDE', note: '用于从 IDE 启动的虚拟机；在 ESXi 上较慢。' },
        buslogic: { label: 'BusLogic（SCSI）', note: '用于旧的 32 位虚拟机。' },
        legacyESX: { label: 'legacyESX', note: '用于旧版 ESX。' },
      },
    },
    growth: {
      label: '空间',
      values: {
        dynamic: { label: '随写入而增长', note: '文件只有其中的数据那么长。' },
        fixed: { label: '一次分配', note: '文件与磁盘一样长：Azure 需要这种。' },
      },
    },
    exact: {
      label: '大小',
      values: {
        on: { label: '与磁盘完全相同', note: 'Azure 和较新的程序需要这样。' },
        off: { label: '按几何参数', note: '向上取整到整柱面，用于旧的 Virtual PC。' },
      },
    },
  },
  made: '生成的内容',
  containers: {
    ova: '放在 OVA 中，附带虚拟机描述',
    'tar.gz': '作为 disk.raw 放在 .tar.gz 压缩包中',
    'vmfs-pair': '另附一个描述文件：共两个文件',
  },
  diskSize: '其中磁盘的大小',
  rounded: (from, multiple, name) =>
    `磁盘为 ${from}；按 ${name} 的要求向上取整为 ${multiple} 的整数倍。末尾之后为零。`,
  raised: (from, least, name) =>
    `磁盘为 ${from}；${name} 不接受小于 ${least} 的磁盘。末尾之后为零。`,
  fileSize: '新文件大小',
  fileAbout: (size) => `约 ${size}`,
  fileMost: (size) => `小于 ${size}（经过压缩）`,
  several: '会生成多个文件。它们相互引用：请保留文件名，并放在一起。',
  plain: '此磁盘已加密。新文件中的内容将不加密。',
  staged: '先在此浏览器中生成，再复制过去：工作期间需要两份空间。',
  folder: '由您选择文件夹。其中同名的文件不会被覆盖。',
  startFolder: '选择文件夹并转换…',
  notAlone: {
    ova: 'qemu-img 只生成磁盘，外面的 OVA 由 ovftool 生成。',
    'vmfs-pair': '这是 qemu-img 能生成的最接近的结果：ESXi 需要描述文件中为另一种类型。',
  },
  after: '之后在目标平台上执行',
  afterNote: '大写的单词代表您自己的名称。',
  copyLine: (n) => `命令 ${n}`,
  files: (n) => `${n} 个文件`,
  filesReady: (n) => `${n} 个文件已就绪`,
  filesSaved: (n) => `${n} 个文件已写入`,
  downloadAll: (n) => `下载全部 ${n} 个文件`,
  downloadNote:
    '文件会依次下载。浏览器可能会询问是否允许下载多个文件；文件不能被改名，因为它们相互引用。',
  saveFolder: '全部保存到文件夹…',
  saveOne: (name) => `下载 ${name}`,
  inFolder: '您选择的文件夹',
};
