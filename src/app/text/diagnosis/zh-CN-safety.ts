import type { Format, Texts } from '../../../command/diagnosis/texts.ts';
import type { SafetyValues, SecretKind } from '../../../engine/index.ts';

const NAMES: Readonly<Record<SecretKind, string>> = {
  'private-key': '个私钥',
  'password-hash': '个密码哈希',
  'machine-id': '个机器标识',
  'shell-history': '份命令历史',
  'cloud-credentials': '个云访问密钥',
  token: '个访问令牌',
};

type Secrets = SafetyValues['safety-secrets']['found'];

function listed(found: Secrets, { count: number }: Format): string {
  return found.map(({ kind, count }) => `${number(count)} ${NAMES[kind]}`).join('、');
}

const TRUST = '仅在信任镜像制作者时才打开它。';
const COMPACT = '重新写出的副本不包含这些位置。';

export const SAFETY_TEXTS: Texts<SafetyValues> = {
  'safety-opens': {
    title: ({ name, role, reach, depth }) => {
      const who = depth === 0 ? '此镜像' : '其下层的某个镜像';
      if (reach === 'beside' || reach === 'path') {
        return role === 'backing'
          ? `${who}需要另一个文件：${name}`
          : `内容存放在另一个文件中：${name}`;
      }
      return `${who}会让 QEMU 打开：${name}`;
    },
    why: ({ reach }) => {
      switch (reach) {
        case 'beside':
          return 'QEMU 按头部记录的名称打开此文件。转交镜像时，请一并转交该文件。';
        case 'path':
          return 'QEMU 按头部记录的名称打开此文件，它不在镜像所在的文件夹中。在另一台计算机上，那里可能是别的文件，也可能什么都没有。';
        case 'system':
          return '这是计算机自身的位置，不应存放磁盘镜像。其中的内容会像磁盘一样出现在客户机中：恶意镜像正是这样读取服务器文件的。';
        case 'protocol':
          return '这不是文件：镜像一打开，QEMU 就会连接到那里。连接到何处由镜像制作者决定，传来的内容也可能随时被更改。';
        case 'json':
          return '这个名称是写给 QEMU 的描述，可以指定驱动程序、文件和连接，打开的对象不限于磁盘镜像。';
      }
    },
    advice: ({ reach, role }) => {
      if (reach === 'beside' || reach === 'path') return '';
      return role === 'backing'
        ? `${TRUST}本程序不会自行打开任何对象。如果需要那里的内容，请将其合并到镜像中，镜像就不再引用其他对象。`
        : `${TRUST}本程序不会自行打开任何对象。`;
    },
  },
  'safety-several-files': {
    title: () => '描述文件引用了其他文件',
    why: () => '内容存放在描述文件所列名称的文件中，所有文件合在一起才是完整的磁盘。',
    advice: () => '请一并转交所有文件，或转换为单个文件。',
  },
  'safety-huge-disk': {
    title: ({ virtualSize }, { size }) => `声称的磁盘大小为 ${size(virtualSize)}`,
    why: ({ fileSize }, { size }) =>
      `文件只有 ${size(fileSize)}。把它转换为其他格式，或预先分配全部空间，可能占满任何存储介质。`,
    advice: () => `如果这个大小并非有意设置，请勿转换为固定大小的格式。${TRUST}`,
  },
  'safety-huge-table': {
    title: ({ bytes }, { size }) => `仅第一级表就占用 ${size(bytes)} 内存`,
    why: ({ virtualSize }, { size }) =>
      `磁盘大小为 ${size(virtualSize)}，每个打开它的程序都要载入整张表。处理大量镜像的服务可能因此耗尽内存。`,
    advice: () => '用更大的簇转换后，这张表会变小。',
  },
  'safety-expands': {
    title: ({ packed, unpacked }, { size }) => `${size(packed)} 解压后为 ${size(unpacked)}`,
    why: () => '普通内容不会有这样高的压缩率。解压可能占满存储介质，或让服务长时间忙碌。',
    advice: () => `转换前请确认空间足够。${TRUST}`,
  },
  'safety-looks-like-image': {
    title: ({ looksLike }) => `磁盘的开头与 ${looksLike} 镜像相同`,
    why: ({ looksLike, isRaw }) =>
      isRaw
        ? `会猜测格式的程序会把这个原始磁盘当作 ${looksLike}。这样一来，能在虚拟机内写入磁盘的人，就能决定打开主机上的哪些文件。`
        : `转换为原始磁盘后，会猜测格式的程序会把它当作 ${looksLike}，并打开其头部指定的文件。`,
    advice: () => '请始终指明格式：QEMU 用 format=raw，qemu-img 用 -f raw。',
  },
  'safety-weak-encryption': {
    title: () => '加密强度不足',
    why: () =>
      '旧的 AES 加密直接把口令截取 16 字节作为密钥，而且会暴露内容重复的位置。QEMU 不再用它运行虚拟机。',
    advice: () => '请转换为采用 LUKS 加密的 qcow2 镜像。',
  },
  'safety-remains': {
    title: ({ bytes }, { size }) => `${size(bytes)} 空间中可能仍有已删除的内容`,
    why: ({ held, leaked, free }, { size }) => {
      const parts = [
        ...(held > 0 ? [`读作零的 ${size(held)}`] : []),
        ...(leaked > 0 ? [`遗留未回收的 ${size(leaked)}`] : []),
        ...(free > 0 ? [`空闲的 ${size(free)}`] : []),
      ];
      return `这些位置在文件中，却不属于磁盘内容：${parts.join('、')}。拿到文件的人，可能仍能读出以前写在那里的内容。`;
    },
    advice: () => `共享文件之前：深入检查可以查明那里是否有内容。${COMPACT}`,
  },
  'safety-remains-found': {
    title: ({ bytes }, { size }) => `文件中仍有 ${size(bytes)} 旧内容`,
    why: () => '它们位于磁盘不再使用的位置。客户机看不到，但拿到文件的人可以读出。',
    advice: () => `共享文件之前，请重新写出一份。${COMPACT}`,
  },
  'safety-snapshots': {
    title: ({ snapshots }, { count }) => `${count(snapshots)} 个快照保存着磁盘以前的状态`,
    why: ({ bytes, vmState }, { size }) => {
      const parts = [
        ...(bytes > 0 ? [`其中 ${size(bytes)} 只存在于快照中。`] : []),
        ...(vmState > 0 ? [`另有 ${size(vmState)} 是虚拟机运行时的内存，可能含有密码。`] : []),
      ];
      return `拿到文件的人，也会得到此后删除的内容。${parts.join('')}`;
    },
    advice: () => '共享文件之前，请制作一份不含快照的副本。',
  },
  'safety-secrets': {
    title: ({ found }, format) => `磁盘中有 ${listed(found, format)}`,
    why: () =>
      '拿到镜像副本的人也会得到它们，并能用在别处。用同一镜像创建的虚拟机会共用它们。其中有些可能只是软件自带的示例。',
    advice: () =>
      '如果磁盘只供您自己使用，这是正常的。共享之前，请先制作副本并清理副本：virt-sysprep 可以清除密钥、密码和命令历史。已经泄露的密钥请更换。',
  },
  'safety-old-secrets': {
    title: ({ found }, format) => `已删除但仍在文件中：${listed(found, format)}`,
    why: () =>
      '它们位于磁盘不再使用的位置，或只存在于快照中。客户机看不到，但拿到文件的人可以读出。',
    advice: () => '共享文件之前，请制作一份不含这些位置、也不含快照的副本。已经泄露的密钥请更换。',
  },
};
