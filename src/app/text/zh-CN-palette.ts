import type { PaletteText } from './en-palette.ts';

/** Simplified Chinese: the list of actions that is opened by Ctrl+K. */
export const zhPalette: PaletteText = {
  title: '查找操作',
  placeholder: '您想做什么？',
  list: '操作',
  none: (query) => `没有名为“${query}”的操作。`,
  found: (n) => `${n} 项操作`,
  hint: '↑ ↓ 选择，Enter 执行，Esc 关闭',

  groups: {
    image: '此镜像',
    panel: '面板',
    open: '已打开的镜像',
    recent: '最近打开',
    stored: '保存在此浏览器中',
    app: '应用',
    settings: '设置',
  },

  check: '运行检查',
  repair: '规划修复',
  convertTo: (format) => `转换为 ${format}`,
  convertFor: (name) => `为 ${name} 转换`,
  undo: '撤销上一项更改',
  redo: '重做更改',
  save: '保存更改…',
  report: '保存此镜像的报告',
  copyFacts: '将所有信息复制为文本',
  copyInfo: '将 qemu-img info 复制为 JSON',
  readAgain: '重新读取文件',
  close: (name) => `关闭 ${name}`,

  start: '转到起始页',
  sample: '打开示例',
  privacy: '如何验证没有数据被发送',
  theme: (name) => `外观：${name}`,
  units: (name) => `大小的单位：${name}`,
  motion: (name) => `动态效果：${name}`,
};
