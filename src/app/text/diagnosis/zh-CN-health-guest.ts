import type { Texts } from '../../../command/diagnosis/texts.ts';
import type { HealthValues } from '../../../engine/index.ts';

type GuestCode =
  | 'guest-unclean'
  | 'guest-damaged'
  | 'guest-cut'
  | 'partition-outside'
  | 'partition-unreadable'
  | 'gpt-header-damaged'
  | 'gpt-not-at-end'
  | 'guest-full';

export const GUEST_TEXTS: Texts<Pick<HealthValues, GuestCode>> = {
  'guest-unclean': {
    title: ({ systems }) => `未正常卸载：${systems.join('、')}`,
    why: ({ isJournaled }) =>
      isJournaled
        ? '制作镜像时虚拟机正在运行，或者曾被强制关机、休眠。该文件系统有日志，下次启动时会自行恢复。'
        : '制作镜像时虚拟机正在运行，或者曾被强制关机。该文件系统没有日志，当时正在写入的文件可能已损坏。',
    advice: ({ isJournaled }) =>
      isJournaled
        ? '从外部更改磁盘之前，请先启动虚拟机一次并正常关机。'
        : '使用之前，请让客户机检查该文件系统。',
  },
  'guest-damaged': {
    title: ({ systems }) => `超级块损坏：${systems.join('、')}`,
    why: () => '文件系统第一个块的校验和不正确，客户机可能拒绝挂载。',
    advice: () => '请先保留一份副本，然后在客户机或救援系统中检查该文件系统。',
  },
  'guest-cut': {
    title: ({ systems, missing }, { size }) =>
      `末尾被截断：${systems.join('、')} 缺少 ${size(missing)}`,
    why: () =>
      '文件系统比所在的位置大。很可能是先缩小了磁盘或分区，而没有先缩小文件系统。后面的内容已经丢失。',
    advice: () =>
      '如果原来的镜像还在，请把磁盘和分区恢复到原来的大小。在此之前，请勿让客户机写入。',
  },
  'partition-outside': {
    title: ({ partitions, missing }, { size }) =>
      `分区 ${partitions.join('、')} 有 ${size(missing)} 超出磁盘末尾`,
    why: () =>
      '分区表记录的大小超过磁盘：磁盘被缩小过，或者镜像不完整。那里的内容已经丢失，客户机可能无法启动。',
    advice: () => '请与镜像的来源比较。如果只是磁盘太小，请调整回原来的大小。',
  },
  'partition-unreadable': {
    title: ({ partitions }) => `分区 ${partitions.join('、')} 的开头无法读取`,
    why: () => '镜像的表在那里已损坏，因此无法得知其内容。',
    advice: () => '请修复镜像，或保存仍可读取的内容，然后再查看。',
  },
  'gpt-header-damaged': {
    title: ({ damaged }) => (damaged === 'primary' ? '开头的分区表已损坏' : '分区表的备份已损坏'),
    why: ({ damaged }) =>
      damaged === 'primary'
        ? 'GPT 保存两份，目前只有末尾的一份完好。有些系统不会读取那一份，因而无法启动。'
        : 'GPT 保存两份，目前只有开头的一份完好。再出现一次错误，就会丢失分区。',
    advice: () => '请在客户机中重新写入两份分区表，例如用 gdisk 的 w 命令。',
  },
  'gpt-not-at-end': {
    title: ({ bytes }, { size }) => `分区表末尾之后的 ${size(bytes)} 空间无法使用`,
    why: () => '磁盘扩大过，而 GPT 仍以原来的末尾为准。移动备份之前，客户机无法使用新增的空间。',
    advice: () => '请在客户机中把备份移到末尾（sgdisk -e），然后扩大分区和文件系统。',
  },
  'guest-full': {
    title: ({ system, size: all, used }, { size }) =>
      `${system} 即将写满：${size(all)} 中只剩 ${size(Math.max(0, all - used))}`,
    why: () => '磁盘写满的系统会出现各种奇怪的故障，常见于更新或启动时。',
    advice: () => '请在客户机中清理，或扩大磁盘。',
  },
};
