import type { ComparisonWords } from '../../../command/diagnosis/comparison.ts';
import type { Format } from '../../../command/diagnosis/texts.ts';

/** What is said of two diagnoses held against each other, in Chinese. */
export const ZH_COMPARISON_WORDS: ComparisonWords = {
  heading: (before) => `与 ${before} 的报告比较`,
  since: (days, format) => `那是 ${span(days, format)}前。`,
  backwards: '报告的时间晚于这次诊断：其中一个时钟不准。',
  sameness: (sameness, differences) => {
    switch (sameness) {
      case 'same':
      case 'likely':
        return '';
      case 'unclear':
        return `不能确定是否为同一个镜像。不同之处：${differences}。`;
      case 'other':
        return `报告属于另一个镜像，因此比较的意义不大。不同之处：${differences}。`;
    }
  },
  difference: {
    format: '格式',
    'virtual-size': '磁盘大小',
    'cluster-size': '簇大小',
    uuid: '文件头中的标识',
    guest: '文件系统',
  },
  untouched: '磁盘的表没有变化：此后没有新内容在文件中得到位置。',
  appeared: (title) => `新增：${title}`,
  gone: (title) => `已消失：${title}`,
  graver: (title, before, now) => `更严重（由${before}变为${now}）：${title}`,
  better: (title, before, now) => `有好转（由${before}变为${now}）：${title}`,
  unchanged: (count, { count: number }) => `${number(count)} 项发现没有变化。`,
  growth: '增长情况',
  grade: { danger: '危险', problem: '问题', advice: '建议', note: '提示' },
  resized: (before, now) => `磁盘大小由 ${before} 变为 ${now}。`,
  snapshotsAdded: (names) => `新快照：${names}。`,
  snapshotsRemoved: (names) => `已不存在的快照：${names}。`,
  chain: ({ kind, name, before, now }, { size, moment }) => {
    switch (kind) {
      case 'added':
        return `下层新增了 ${name}。`;
      case 'removed':
        return `下层不再有 ${name}。`;
      case 'missing':
        return `下层的 ${name} 现在缺失。`;
      case 'found':
        return `下层曾缺失的 ${name} 又有了。`;
      case 'format':
        return `下层的 ${name} 换了格式。`;
      case 'virtual-size':
        return `下层的 ${name} 的磁盘大小由 ${size(before)} 变为 ${size(now)}。`;
      case 'file-size':
        return `下层的 ${name} 被写过：文件由 ${size(before)} 变为 ${size(now)}。`;
      case 'written':
        return `下层的 ${name} 可能被写过：时间由 ${moment(before)} 变为 ${moment(now)}。`;
    }
  },
  full: (forecast, format) => {
    const { what, name, partition, now, limit, perDay, days, at } = forecast;
    const rest = `${span(days, format)}后（${format.moment(at)}）`;
    const rate = `按每天 ${format.size(perDay)} 计`;
    if (what === 'file') {
      return `${rate}，文件现为 ${format.size(now)}，约 ${rest}达到最大值 ${format.size(limit)}。`;
    }
    const place = partition === 0 ? '' : `分区 ${format.count(partition)} 中的`;
    return `${rate}，${place}文件系统 ${name} 已用 ${format.size(now)}，共 ${format.size(limit)}，约 ${rest}用满。`;
  },
  perDay: (bytes, { size }) => `${bytes < 0 ? '-' : '+'}${size(Math.abs(bytes))}`,
  comma: '、',
  more: (count) => `另有 ${count} 个`,
};

/** A time in the unit in which people think of it. */
function span(days: number, { count }: Format): string {
  if (days < 1 / 24) return `${count(Math.max(1, Math.round(days * 24 * 60)))} 分钟`;
  if (days < 2) return `${count(Math.max(1, Math.round(days * 24)))} 小时`;
  if (days < 60) return `${count(Math.round(days))} 天`;
  if (days < 700) return `${count(Math.round(days / 30.44))} 个月`;
  return `${count(Math.round(days / 365.25))} 年`;
}
