import type { Text } from './en.ts';

/** Simplified Chinese: the first screen and the frame. */
export const zhCN: Text = {
  tag: 'zh-CN',
  app: 'qcow2 workbench',

  start: {
    title: '在浏览器中打开虚拟机磁盘',
    lead: '查看镜像里有什么、是否完好，修复它、更改它，并转换成您需要的格式。',
    drop: '将磁盘镜像拖放到此处',
    open: '打开镜像…',
    create: '新建镜像…',
    sample: '试用示例',
    sampleAbout: '一个小型 Linux 磁盘，含快照、压缩数据和一处无害的问题。',
    formats:
      'qcow2、raw、VMDK、VHD、VHDX、VDI、OVA、DMG 等，也可以在 .gz、.xz、.zst 或 .zip 中。大小不限。',
    privacy: '文件不会离开这台电脑。本页面的安全策略禁止它发送任何数据。',
    howToCheck: '如何验证',
    recent: '最近打开',
    recentNote: '再次读取文件前，浏览器会征求您的同意。',
    recentNames: '此浏览器只记住名称：届时会请您选择文件。',
    reopen: (name) => `重新打开 ${name}`,
    chooseAgain: (name) => `重新选择 ${name}`,
    gone: (name) => `“${name}”已不存在：它被移动、重命名或删除。请从新的位置打开。`,
    refused: (name) => `浏览器未获准读取“${name}”。点击它可再次询问。`,
    remove: (name) => `从列表中移除 ${name}`,
    stored: '保存在此浏览器中',
    storedNote: '尚未移到文件夹中的结果。请先保存需要的文件，再从这里删除。',
    storedUnsafe: '空间不足时，浏览器可能会清除它们。',
    storedSafe: '浏览器会一直保留它们，直到您删除。',
    storedKeep: '请浏览器保留',
    storedRefused: '浏览器不保证会保留它们。',
    storedTotal: (files, size) => `${files} 个文件，${size}`,
    save: '保存',
    saveName: (name) => `保存 ${name}`,
    openName: (name) => `打开 ${name}`,
    deleteName: (name) => `删除 ${name}`,
    deleteTitle: (name) => `从此浏览器中删除“${name}”？`,
    deleteBody: '您另存的副本不受影响。此处的文件删除后无法恢复。',
    deleteConfirm: (name) => `删除“${name}”`,
  },

  privacy: {
    title: '如何验证没有数据被发送',
    intro: '不必轻信，您可以用三种方法亲自验证：',
    policyTitle: '查看安全策略',
    policy:
      '打开页面源代码（Ctrl+U）。“Content-Security-Policy”一行写着 connect-src ‘none’：浏览器会拒绝本页面发起的任何连接。',
    tryTitle: '尝试突破它',
    try: '打开开发者工具（F12），选择“控制台”并运行下面这一行。浏览器会拒绝执行，并指明所依据的策略。',
    watchTitle: '观察网络，或断开网络',
    watch:
      '在开发者工具中选择“网络”，然后打开、检查并转换镜像：不会出现任何请求。也可以断开网络：一切照常工作。',
  },

  bar: {
    home: 'qcow2 workbench：起始页',
    files: '已打开的镜像',
    openAnother: '打开其他镜像',
    closeFile: (name) => `关闭 ${name}`,
    menu: '菜单',
    help: '键盘快捷键',
    busy: (percent) => `正在处理，${percent} %`,
    skip: '跳到主要内容',
  },

  drop: {
    one: (name) => `打开 ${name}`,
    many: (n) => `打开 ${n} 个镜像`,
    some: '作为磁盘镜像打开',
    note: '仅以只读方式打开，文件不会被修改。',
  },

  menu: {
    language: '语言',
    theme: '外观',
    themes: { system: '跟随系统', light: '浅色', dark: '深色' },
    palette: '查找操作…',
    settings: '设置…',
    shortcuts: '键盘快捷键',
    install: '安装为应用',
    installNote: '双击即可打开镜像，可离线使用',
    about: '关于',
  },

  offline: {
    ready: '可离线使用',
    update: '新版本已就绪。',
    updateBusy: '新版本已就绪，当前工作完成后即可加载。',
    reload: '立即重新加载',
    later: '稍后',
  },

  engine: {
    died: '引擎意外停止。没有文件停留在改了一半的状态。',
    restart: '重新启动',
    copyDetails: '复制详情',
    copied: '已复制',
    dismiss: '关闭提示',
  },

  loadFailed: '应用的一部分无法加载，请重新加载页面。',
  loading: '正在加载…',
  close: '关闭',
  cancel: '取消',
  copy: '复制',
};
