/** All that can be done from here, by its name: what the palette shows. */
import { type ChangeKind, changeRows } from './change-kinds.ts';
import { planRepair, redoLast, undoLast } from './changes.ts';
import { chooseDestination, chooseFormat } from './convert.ts';
import { factsAsText } from './facts.ts';
import { chooseFiles, copyText } from './files.ts';
import { fit } from './fuzzy.ts';
import { TARGET_FORMATS } from './goal.ts';
import { images } from './images.svelte.ts';
import { infoAsJson } from './info-json.ts';
import { saveReport } from './image-report.ts';
import { install } from './install.svelte.ts';
import { type OpenImage, PANELS, type Panel, panelKey } from './open-image.svelte.ts';
import { recent, type RecentFile } from './recent.svelte.ts';
import { loadSample } from './sample.ts';
import { saveOfCurrent } from './save.svelte.ts';
import { settings } from './settings.svelte.ts';
import { stored } from './stored.svelte.ts';
import { words } from './words.svelte.ts';

/** The questions and lists that belong to no image. */
export type DialogName = 'help' | 'about' | 'privacy' | 'settings' | 'palette';

/** What the frame does by itself. */
export interface FrameActions {
  open: () => void;
  dialog: (name: DialogName) => void;
}

/** One line of the palette. */
export interface Action {
  id: string;
  label: string;
  /** Where it belongs. */
  group: string;
  /** Other words for it, the same in every language: names of commands and things. */
  also: string;
  /** Its own key; '' where it has none. */
  key: string;
  run: () => unknown;
}

/** An action that fits what was typed, and which letters of its name do. */
export interface Found {
  action: Action;
  at: readonly number[];
}

/** What else a panel is looked for by. */
const PANEL_WORDS: Record<Panel, string> = {
  overview: 'qemu-img info facts partitions',
  map: 'qemu-img map clusters',
  structure: 'hex bytes header tables search go to address',
  check: 'qemu-img check repair verify fsck',
  diagnose: 'doctor advice slow performance space fragmentation compact defragment shrink report',
  convert: 'qemu-img convert export copy',
  snapshots: 'qemu-img snapshot create apply delete compare',
  changes: 'qemu-img resize rebase commit amend bitmap luks keys save',
  checksum: 'sha256 hash digest verify download',
  console: 'qemu-img command line terminal shell',
};

/** Everything, in the order in which it is shown before anything is typed. */
export function allActions(frame: FrameActions): Action[] {
  const { current } = images;
  const image = current?.phase === 'open' ? current : undefined;
  return [
    ...(image === undefined ? [] : [...panels(image), ...ofImage(image)]),
    ...otherImages(),
    ...ofApp(frame),
    ...(image === undefined ? [] : conversions(image)),
    ...recents(),
    ...storedFiles(),
    ...ofSettings(),
  ];
}

/** Those that fit, the best first. */
export function findActions(actions: readonly Action[], query: string): Found[] {
  if (query.trim() === '') return actions.map((action) => ({ action, at: [] }));
  const found: (Found & { score: number })[] = [];
  for (const action of actions) {
    const own = fit(query, action.label);
    // Other words count as a whole only: their letters are not seen.
    const wanted = query.trim().toLowerCase();
    const other = action.also.toLowerCase().includes(wanted) ? wanted.length * 4 : undefined;
    if (own === undefined && other === undefined) continue;
    const score = Math.max(own?.score ?? 0, other ?? 0);
    found.push({ action, at: own?.at ?? [], score });
  }
  return found.sort((a, b) => b.score - a.score);
}

function panels(image: OpenImage): Action[] {
  const { palette, screen } = { palette: words.part('palette'), screen: words.image.screen };
  return PANELS.map((panel, index) => ({
    id: `panel-${panel}`,
    label: screen.panels[panel],
    group: palette.groups.panel,
    also: PANEL_WORDS[panel],
    key: panelKey(index),
    run: () => show(image, panel),
  }));
}

function show(image: OpenImage, panel: Panel): void {
  images.show(image);
  images.showPanel(panel);
}

function ofImage(image: OpenImage): Action[] {
  const text = words.part('palette');
  const group = text.groups.image;
  const entry = (id: string, label: string, run: () => unknown, also = '', key = ''): Action => {
    return { id, label, group, also, key, run };
  };
  const actions: Action[] = [];
  if (image.opened?.check !== 'none' && image.info?.format !== 'raw') {
    const check = (): unknown => (show(image, 'check'), images.check(image));
    actions.push(entry('check', text.check, check, 'qemu-img check verify fsck'));
  }
  const findings = Object.keys(image.check.report?.findingCounts ?? {}).length;
  if (findings > 0 && image.info?.qcow2 !== undefined) {
    const plan = (): unknown => (show(image, 'check'), planRepair(image, ['safe']));
    actions.push(entry('repair', text.repair, plan, 'qemu-img check -r fix mend'));
  }
  for (const { kind } of changeRows(image).filter(({ reason }) => reason === '')) {
    const { title, note } = words.part('changing').kinds[kind];
    actions.push(entry(`change-${kind}`, title, () => change(image, kind), `${kind} ${note}`));
  }
  if ((image.opened?.undone.length ?? 0) > 0) {
    actions.push(entry('redo', text.redo, () => redoLast(image), '', 'Mod+Shift+Z'));
  }
  if (image.pending !== undefined) {
    actions.push(entry('undo', text.undo, () => undoLast(image), '', 'Mod+Z'));
    actions.push(entry('save', text.save, saveOfCurrent, 'apply commit', 'Mod+S'));
  }
  actions.push(
    entry('report', text.report, () => saveReport(image, 'markdown'), 'markdown bug'),
    entry('copy-facts', text.copyFacts, () => copyText(factsAsText(image))),
    entry('copy-info', text.copyInfo, async () => copyText(await infoAsJson(image))),
    entry('read-again', text.readAgain, () => images.readAgain(image), 'reload refresh'),
    entry('close', text.close(image.name), () => images.close(image)),
  );
  return actions;
}

function change(image: OpenImage, kind: ChangeKind): void {
  image.changes.form = kind;
  show(image, 'changes');
}

function conversions(image: OpenImage): Action[] {
  const text = words.part('palette');
  const { goal } = words.image;
  const group = text.groups.image;
  const formats = TARGET_FORMATS.map((format): Action => {
    const run = (): void => {
      chooseFormat(image, format);
      show(image, 'convert');
    };
    const label = text.convertTo(goal.formats[format].label);
    return { id: `to-${format}`, label, group, also: `qemu-img convert ${format}`, key: '', run };
  });
  const destinations = (image.opened?.destinations ?? [])
    .filter(({ verdict }) => verdict !== 'no')
    .map(({ id, name }): Action => {
      const run = (): void => {
        chooseDestination(image, id);
        show(image, 'convert');
      };
      return { id: `for-${id}`, label: text.convertFor(name), group, also: name, key: '', run };
    });
  return [...formats, ...destinations];
}

function otherImages(): Action[] {
  const text = words.part('palette');
  return images.list
    .filter((image) => image !== images.current)
    .map((image) => ({
      id: `image-${image.key}`,
      label: image.name,
      group: text.groups.open,
      also: '',
      key: '',
      run: () => images.show(image),
    }));
}

function recents(): Action[] {
  const text = words.part('palette');
  return recent.files.map((file, index) => ({
    id: `recent-${index}`,
    label: words.shell.start.reopen(file.name),
    group: text.groups.recent,
    also: file.format,
    key: '',
    run: () => reopen(file),
  }));
}

/** The click or key that chose it is what the browser wants before it lets it be read again. */
async function reopen({ handle }: RecentFile): Promise<void> {
  if (handle === undefined) {
    await images.open(await chooseFiles(false));
    return;
  }
  const again = await recent.reopen(handle);
  // The list on the start screen says why it cannot be had, and offers to forget it.
  if (again === 'gone' || again === 'refused') images.show(undefined);
  else await images.open([again]);
}

function storedFiles(): Action[] {
  const text = words.part('palette');
  return stored.files.map(({ name }, index) => ({
    id: `stored-${index}`,
    label: words.shell.start.openName(name),
    group: text.groups.stored,
    also: '',
    key: '',
    run: async () => {
      const file = await stored.file(name);
      await images.open([{ file, handle: undefined, own: true, stored: name }]);
    },
  }));
}

function ofApp({ open, dialog }: FrameActions): Action[] {
  const text = words.part('palette');
  const { start, menu, bar } = words.shell;
  const group = text.groups.app;
  const entry = (id: string, label: string, run: () => unknown, key = '', also = ''): Action => {
    return { id, label, group, also, key, run };
  };
  const actions = [
    entry('open', start.open, open, 'Mod+O', 'file browse'),
    entry('create', start.create, () => images.showNew(), '', 'qemu-img create empty disk'),
    entry('sample', text.sample, async () => images.open([await loadSample()]), '', 'demo example'),
    entry('settings', menu.settings, () => dialog('settings'), '', 'preferences options'),
    entry('help', bar.help, () => dialog('help'), '?', 'keys'),
    entry('about', menu.about, () => dialog('about'), '', 'version licence'),
    entry('privacy', text.privacy, () => dialog('privacy'), '', 'csp policy upload'),
  ];
  if (images.current !== undefined) {
    actions.push(entry('start', text.start, () => images.show(undefined), '', 'home'));
  }
  if (install.possible) actions.push(entry('install', menu.install, () => install.ask()));
  return actions;
}

function ofSettings(): Action[] {
  const text = words.part('palette');
  const { themes } = words.shell.menu;
  const group = text.groups.settings;
  const entry = (id: string, label: string, also: string, run: () => unknown): Action => {
    return { id, label, group, also, key: '', run };
  };
  const actions = (['system', 'light', 'dark'] as const)
    .filter((theme) => theme !== settings.theme)
    .map((theme) =>
      entry(`theme-${theme}`, text.theme(themes[theme]), `theme ${theme}`, () => {
        settings.theme = theme;
      }),
    );
  // Each language names itself.
  const other = settings.language === 'en' ? 'zh-CN' : 'en';
  const name = other === 'en' ? 'English' : '简体中文';
  const switchLanguage = (): void => {
    settings.language = other;
  };
  actions.push(entry('language', name, 'language Chinese zhongwen 语言', switchLanguage));
  const units = settings.units === 'binary' ? 'decimal' : 'binary';
  const label = text.units(units === 'binary' ? 'KiB, MiB, GiB' : 'kB, MB, GB');
  const switchUnits = (): void => {
    settings.units = units;
  };
  actions.push(entry('units', label, 'units bytes', switchUnits));
  return actions;
}
