import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { ChainValues } from '../../../engine/index.ts';

const PARTS: Readonly<Record<ChainValues['chain-base-changed']['changes'][number], string>> = {
  size: '文件大小',
  'virtual-size': '磁盘大小',
  metadata: '文件头或映射表',
  content: '内容',
};

export const CHAIN_TEXTS: Texts<ChainValues> = {
  'chain-base-missing': {
    title: ({ name }) => `后备文件“${name}”缺失或无法打开`,
    why: ({ bytes, virtualSize, exact }, { size, percent }) => {
      if (bytes === 0 && exact) return '磁盘当前的内容没有任何部分来自它。';
      if (bytes === 0) return '无法得知磁盘有多少内容来自它。';
      const share = virtualSize > 0 ? `（${percent(bytes / virtualSize)}）` : '';
      return `磁盘中${exact ? '有' : '至少有'} ${size(bytes)}${share}来自它，现在无法读取。没有它，QEMU 无法打开此镜像。`;
    },
    advice: ({ name }) =>
      `请提供文件“${name}”；如果它已改名，请更正镜像中记录的名称。必须是原来的那个文件，相似的镜像并不适用。`,
  },
  'chain-base-smaller': {
    title: ({ name, below }, { size }) => `后备文件“${name}”的磁盘较小：${size(below)}`,
    why: ({ above, size: bytes }, { size }) =>
      `“${above}”的磁盘为 ${size(bytes)}。超出后备文件末尾的部分，未写入过的地方读出为零。磁盘扩大之后，这是正常现象。`,
    advice: () => '',
  },
  'chain-base-larger': {
    title: ({ name, below }, { size }) => `后备文件“${name}”的磁盘较大：${size(below)}`,
    why: ({ above, below, size: bytes }, { size }) =>
      `“${above}”的磁盘到 ${size(bytes)} 为止，后备文件最后的 ${size(below - bytes)} 在其中不可见。如果后备文件是后来扩大的，说明它在此镜像之下被改动过。`,
    advice: () => '如果客户机缺少磁盘末尾的内容，请将此镜像的磁盘扩大到与后备文件相同。',
  },
  'chain-base-newer': {
    title: ({ name, above }) => `后备文件“${name}”的写入时间晚于“${above}”`,
    why: ({ below, modified }, { moment }) =>
      `后备文件写入于 ${moment(below)}，其上的镜像最后写入于 ${moment(modified)}。改动后备文件会损坏基于它的镜像。不过，复制和解压也会改变这个时间。`,
    advice: () =>
      '如果后备文件只是重新复制或下载过，则没有问题。如果有人写入过它，请先与备份比对，再使用此镜像。',
  },
  'chain-base-changed': {
    title: ({ name, harmless }) =>
      harmless ? `后备文件“${name}”的文件大小变了` : `后备文件“${name}”已被改动`,
    why: ({ since, changes, harmless }, { moment }) => {
      if (harmless) {
        return `自 ${moment(since)} 以来，只有文件大小发生了变化，映射表和内容样本都没有变。`;
      }
      const parts = changes.map((part) => PARTS[part]).join('、');
      return `自 ${moment(since)} 以来有变化的是：${parts}。此镜像只保存与当时的后备文件之间的差异；下方换成别的内容后，其中的文件会是两者的混合。`;
    },
    advice: ({ harmless }) =>
      harmless
        ? '无需处理。重新记住后备文件后，此提示就会消失。'
        : '请不要用此镜像启动虚拟机。请从备份恢复原来的后备文件，并将改动过的文件另存为其他名称。',
  },
  'chain-guard-outdated': {
    title: ({ name }) => `记住的信息与后备文件“${name}”不符`,
    why: ({ since }, { moment }) =>
      `在 ${moment(since)} 时，镜像使用的是另一个后备文件。之后它更换了后备文件，因此两者无法比较。`,
    advice: () => '如果镜像工作正常，请重新记住现在的后备文件。',
  },
  'chain-base-corrupt': {
    title: ({ name }) => `后备文件“${name}”被标记为已损坏`,
    why: () => 'QEMU 曾阻止一次会造成破坏的写入。镜像从这个文件读取的内容也可能已经损坏。',
    advice: ({ name }) => `请单独检查“${name}”。先修复它的副本，确认内容没有变化，再用副本替换它。`,
  },
  'chain-base-dirty': {
    title: ({ name }) => `后备文件“${name}”没有正常关闭`,
    why: () =>
      '它的空间使用记录可能不是最新的，但内容可以读取。也可能有人写入过它，而后备文件不应再被写入。',
    advice: ({ name }) =>
      `请确认没有虚拟机直接使用“${name}”，然后对它进行检查和修复。这会整理记录，不改变内容。`,
  },
  'chain-base-damaged': {
    title: ({ name, bytes }, { size }) => `磁盘中有 ${size(bytes)} 在后备文件“${name}”中已损坏`,
    why: () => '它的映射表指向不可能正确的位置，镜像从那里取得的内容无法读取。',
    advice: ({ name }) => `请单独检查“${name}”，或从备份恢复。必须是损坏之前的同一个文件。`,
  },
  'chain-format-missing': {
    title: ({ name, format }) =>
      format === ''
        ? `没有记录后备文件“${name}”的格式`
        : `没有记录后备文件“${name}”的格式（实际为 ${format}）`,
    why: ({ above, raw }) => {
      const start = `“${above}”只写了后备文件的名称而没有写格式，因此由其内容来判断。`;
      return raw
        ? `${start}这里是原始磁盘：客户机可以在磁盘开头写入看似其他格式的数据，从而访问主机上的其他文件。libvirt 会拒绝这样的镜像。`
        : `${start}libvirt 会拒绝这样的镜像，QEMU 从 6.1 起也不再创建这样的镜像。`;
    },
    advice: ({ format }) =>
      format === ''
        ? '请在镜像中记录格式，内容保持不变。'
        : `请在镜像中记录格式 ${format}，内容保持不变。`,
  },
  'chain-absolute-names': {
    title: ({ name, count }, { count: number }) =>
      count === 1
        ? `后备文件以完整路径记录：“${name}”`
        : `${number(count)} 个后备文件以完整路径记录`,
    why: () => '文件移到其他文件夹或机器之后，镜像就找不到它所依赖的文件。',
    advice: () => '如果这些文件放在同一个文件夹中，并且要一起移动，请改为只记录文件名。',
  },
  'chain-cluster-sizes': {
    title: ({ smallest, largest }, { size }) =>
      `链中各镜像的簇大小不同，从 ${size(smallest)} 到 ${size(largest)}`,
    why: ({ largest }, { size }) =>
      `首次写入一个簇时，要从下方复制簇的其余部分：如果上层镜像的簇较大，写入几个字节最多要复制 ${size(largest)}。`,
    advice: () => '只有写入很多时才有影响。以后在上方新建镜像时，可以使用与下方相同的簇大小。',
  },
  'chain-unguarded': {
    title: ({ name }) => `没有记住后备文件“${name}”的状态`,
    why: () => '如果它被误改或误换，在镜像中的文件损坏之前不会有人发现。',
    advice: () => '现在就记住它的状态，以后便能发现改动。',
  },
  'chain-guest-differs': {
    title: ({ name, kind }) => `后备文件“${name}”的同一位置是另一个 ${kind}`,
    why: ({ here, below }) =>
      `镜像在该处的标识是 ${here}，后备文件则是 ${below}。可能是文件系统在镜像中重新创建过，或者像有些系统那样在首次启动时换了标识；也可能这并不是镜像当初所基于的后备文件。`,
    advice: () => '如果客户机能启动并找到自己的文件，则没有问题。否则，请寻找标识相同的后备文件。',
  },
  'chain-version-2': {
    title: ({ name }) => `“${name}”无法释放空间：它是版本 2，并且有后备文件`,
    why: () =>
      '版本 2 无法表示某个簇读出为零。如果客户机丢弃数据，后备文件的旧内容就会露出来，因此 QEMU 不执行丢弃。',
    advice: () => '请将镜像升级到版本 3，QEMU 1.1 及以上版本可以读取。',
  },
  'chain-empty-overlay': {
    title: () => '此镜像自身没有任何内容',
    why: ({ name }) => `整个磁盘都来自“${name}”。自创建或清空以来，没有写入过任何内容。`,
    advice: () => '',
  },
  'chain-base-unused': {
    title: ({ name }) => `磁盘已没有任何内容来自后备文件“${name}”`,
    why: ({ bytes }, { size }) =>
      `全部内容（${size(bytes)}）都在镜像自身之中。但没有后备文件，它仍然无法打开。`,
    advice: () => '请使镜像独立。这不需要复制内容，也不会占用更多空间。',
  },
};
