import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { PortabilityValues } from '../../../engine/index.ts';

type Features = PortabilityValues['readers-limited']['features'];

const NAMES: Readonly<Record<Features[number], string>> = {
  backing: '后备文件',
  'data-file': '外部数据文件',
  'extended-l2': '子簇（extended L2）',
  zstd: 'Zstandard 压缩',
  luks: 'LUKS 加密',
  aes: '旧的 AES 加密',
  dirty: '“未关闭”标记',
  corrupt: '“损坏”标记',
};

function named(features: Features): string {
  return features.map((feature) => NAMES[feature]).join('、');
}

export const PORTABILITY_TEXTS: Texts<PortabilityValues> = {
  'readers-limited': {
    title: ({ features, qemu }) =>
      qemu === ''
        ? `并非所有程序都能打开：${named(features)}`
        : `需要 QEMU ${qemu} 或更高版本：${named(features)}`,
    why: ({ programs }) =>
      programs.length === 0
        ? '不支持这些特性的程序会拒绝此镜像。'
        : `不支持这些特性的程序会拒绝此镜像，例如：${programs.join('、')}。`,
    advice: ({ features }) => {
      if (features.some((one) => ['zstd', 'extended-l2', 'data-file'].includes(one))) {
        return '如果需要让其他程序打开，请转换为普通的 qcow2 镜像：使用 zlib、普通的表，所有内容在一个文件中。转换不会保留快照。';
      }
      if (features.includes('backing')) {
        return '如果需要让其他程序打开，请把来自下层的内容复制到镜像中，这样就不再需要其他文件。';
      }
      return features.includes('luks') || features.includes('aes')
        ? '如果需要让其他程序打开，请以安全的方式提供解密后的副本。'
        : '修复会去掉此标记。';
    },
  },
  'aes-not-run': {
    title: () => '使用这种加密的镜像无法启动虚拟机',
    why: () => 'qcow2 旧的 AES 加密强度不足，QEMU 只允许工具打开它，不再用于运行虚拟机。',
    advice: () => '请转换为采用 LUKS 加密的镜像。',
  },
  'snapshots-stay-behind': {
    title: ({ snapshots }, { count }) => `镜像内有 ${count(snapshots)} 个快照`,
    why: () =>
      '转换为其他格式或迁移到其他程序时，只会带走磁盘的当前状态，快照会被丢下，而且没有任何提示。',
    advice: () => '请先把重要的快照导出为单独的镜像。',
  },
  'refcount-width-unusual': {
    title: ({ bits }, { count }) => `引用计数为 ${count(bits)} 位，而不是 16 位`,
    why: () => 'QEMU 支持任何宽度。小型读取程序往往只支持通常的宽度，镜像也不能改为版本 2。',
    advice: () => '请把引用计数改为 16 位，内容保持不变。',
  },
  'lazy-refcounts-elsewhere': {
    title: () => '崩溃之后，其他程序可能拒绝打开（延迟引用计数）',
    why: () =>
      '镜像的引用计数在关闭时才写入。崩溃之后，镜像会被标为未关闭：QEMU 会自行修复，其他程序则会拒绝。',
    advice: ({ canDowngrade }) =>
      canDowngrade
        ? '如果其他程序也要使用，请关闭延迟引用计数。若要用于很旧的程序，还可以改为版本 2。'
        : '如果其他程序也要使用，请关闭延迟引用计数。',
  },
};
