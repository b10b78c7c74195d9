import { announcer } from './announcer.svelte.ts';
import { attachFrom, giveAgain } from './chain.ts';
import { ChangesState } from './changes-state.svelte.ts';
import { DiagnoseState } from './diagnose-state.svelte.ts';
import { engine } from './engine.svelte.ts';
import { ChecksumState } from './checksum-state.svelte.ts';
import { checkSeconds } from './forecast.ts';
import { chooseFiles, hasSavePicker, isSameFile, type Chosen } from './files.ts';
import { type Findings, findingsOf } from './folder.ts';
import { interrupted } from './interrupted.svelte.ts';
import { jobs } from './jobs.svelte.ts';
import { guardChanges } from './leave-guard.ts';
import {
  ChainState,
  CheckState,
  ConvertState,
  type Focus,
  OpenImage,
  PANELS,
  type Panel,
} from './open-image.svelte.ts';
import { lookAtDisk } from './plan.ts';
import { toProblem } from './problem.ts';
import { recent } from './recent.svelte.ts';
import { stored } from './stored.svelte.ts';
import { suggestCopy, suggestName, suggestWhere } from './target.ts';
import { hex } from './units.ts';
import { words } from './words.svelte.ts';
import { leaveWrapped, openFile } from './wrapped.ts';

/** A check that likely takes less than this runs by itself after opening. */
const CHECK_BY_ITSELF_SECONDS = 1;

/** Bytes; a description has some hundred for each of its files. */
const LONGEST_DESCRIPTION = 64 * 1024;

/** The address of the screen for new images. */
const NEW = '#/new';

/** The open images, the one that is shown, and what can be done with each. */
class Images {
  list = $state.raw<OpenImage[]>([]);
  #current = $state.raw<OpenImage>();
  /** The screen for new images is on. */
  creating = $state(false);
  /** What was on the screen before it. */
  #before: OpenImage | undefined;

  constructor() {
    engine.onDeath(() => this.#forgetWorker());
    jobs.whereabouts = () =>
      this.#current && { image: this.#current.key, panel: this.#current.panel };
    // Another tab has saved changes: of what is open here, perhaps.
    const channel = new BroadcastChannel('changes');
    channel.onmessage = () => void this.lookForChanges();
  }

  /** The image on the screen; undefined while the start screen is. */
  get current(): OpenImage | undefined {
    return this.#current;
  }

  show(image: OpenImage | undefined): void {
    this.#current = image;
    this.creating = false;
    this.writeAddress();
  }

  /** Shows the screen for new images. */
  showNew(): void {
    this.#before = this.#current;
    this.show(undefined);
    this.creating = true;
    this.writeAddress();
  }

  /** Goes back from there to what was on the screen. */
  leaveNew(): void {
    const before = this.#before;
    this.show(before !== undefined && this.list.includes(before) ? before : undefined);
  }

  showPanel(panel: Panel): void {
    if (this.#current?.phase !== 'open') return;
    this.#current.panel = panel;
    this.writeAddress();
  }

  /** Shows a place of an image in another panel. */
  goTo(image: OpenImage, panel: 'map' | 'structure', focus: Focus): void {
    image.focus = focus;
    this.show(image);
    this.showPanel(panel);
  }

  /** The panel of a key: 0 for the first. */
  showPanelAt(index: number): void {
    const panel = PANELS[index];
    if (panel !== undefined) this.showPanel(panel);
  }

  /** The address names the panel and the place that is looked at there, never a file. */
  writeAddress(): void {
    const hash = this.creating ? NEW : addressOf(this.#current);
    if (location.hash === hash) return;
    history.replaceState(history.state, '', hash === '' ? location.pathname : hash);
  }

  /** Shows the panel and the place that the address names. */
  readAddress(): void {
    if (location.hash === NEW) {
      if (!this.creating) this.showNew();
      return;
    }
    if (this.creating) this.leaveNew();
    const named = panelOfAddress();
    if (named === undefined || this.#current === undefined) return;
    this.#current.focus = focusOfAddress() ?? this.#current.focus;
    this.#current.panel = named;
  }

  /**
   * Opens files, each as an image of its own; what is open already is only shown. Files that are
   * opened together and name each other are taken for a chain.
   */
  async open(chosen: Chosen[]): Promise<void> {
    // What describes an image in several files says which of the others are no images themselves.
    const descriptions = chosen.length > 1 ? chosen.filter(isDescription) : [];
    const described = await this.#openEach(descriptions);
    const parts = new Set(described.flatMap(partsOf));
    const rest = chosen.filter((one) => !descriptions.includes(one) && !parts.has(one.file.name));
    const others = await this.#openEach(rest);
    if (chosen.length > 1) await this.join(findingsOf(chosen), others[0] ?? described[0]);
  }

  /** Opens files, the first of which is shown. What is open already is only shown. */
  async #openEach(chosen: Chosen[]): Promise<OpenImage[]> {
    const opening: Promise<void>[] = [];
    const opened: OpenImage[] = [];
    for (const one of chosen) {
      const known = await this.#find(one);
      const image = known ?? new OpenImage(one);
      opened.push(image);
      if (known !== undefined) continue;
      this.list = [...this.list, image];
      opening.push(this.#openNow(image));
    }
    const [first] = opened;
    // An address that was kept leads to its panel; with another image on the screen it is that's.
    if (first !== undefined && this.#current === undefined) {
      first.panel = panelOfAddress() ?? first.panel;
      first.focus = focusOfAddress() ?? first.focus;
    }
    if (first !== undefined) this.show(first);
    await Promise.all(opening);
    return opened;
  }

  /**
   * Gives the images among files that came together what they name of the others. The topmost of a
   * chain is shown, unless somebody has gone on from `shown` to another image by then.
   */
  async join(found: Findings, shown = this.#current): Promise<void> {
    const isAmong = (file: File): boolean => found.files.some((one) => isSameFile(one.file, file));
    const joined: OpenImage[] = [];
    for (const image of this.list.filter((one) => isAmong(one.chosen.file))) {
      if (!image.chain.some(({ state }) => state === 'missing')) continue;
      await attachFrom(image, found);
      if ((image.files.search?.found.length ?? 0) > 0) joined.push(image);
      // Nobody asked for a search: what it did not find is no news.
      image.files.search = undefined;
    }
    const given = joined.flatMap((image) => image.files.given.map(({ chosen }) => chosen.file));
    const isBelow = ({ chosen }: OpenImage): boolean =>
      given.some((file) => isSameFile(file, chosen.file));
    const top = joined.find((image) => !isBelow(image));
    if (top === undefined || shown === undefined || this.#current !== shown) return;
    if (isBelow(shown)) this.show(top);
  }

  /** Opens it again as a raw disk. */
  async openAsRaw(image: OpenImage): Promise<void> {
    image.raw = true;
    await this.#openNow(image);
  }

  /**
   * Reads the file anew, as it is on disk now, or another one in its place. A file that changed
   * cannot be had again without a handle: the person is asked for it, so this needs a click.
   */
  async readAgain(image: OpenImage, chosen?: Chosen): Promise<void> {
    const { handle, stored: name } = image.chosen;
    const stale = name === undefined && (image.changed || image.problem?.code === 'file-gone');
    const other = chosen ?? (stale && handle === undefined ? await chooseOne() : undefined);
    if (other === undefined && stale && handle === undefined) return;
    // They may fit what the file is now, and they may not: that is for the person to try.
    if (image.unsaved > 0) image.changes.lost = image.pending?.edits ?? [];
    await this.#letGo(image);
    try {
      if (other !== undefined) image.chosen = other;
      else if (name !== undefined)
        image.chosen = { ...image.chosen, file: await stored.file(name) };
      else if (handle !== undefined) image.chosen = { file: await handle.getFile(), handle };
      image.changed = false;
      await this.#openNow(image);
    } catch (error) {
      image.problem = toProblem(error, image.name);
      image.phase = 'failed';
    }
  }

  /** Closes it; with changes that are not saved, only after the person was asked. */
  async close(image: OpenImage, asked = false): Promise<void> {
    if (image.unsaved > 0 && !asked) {
      this.show(image);
      image.closing = true;
      return;
    }
    image.closing = false;
    image.check.job?.cancel();
    image.diagnose.job?.cancel();
    image.diagnose.compact.job?.cancel();
    image.changes.job?.cancel();
    leaveWrapped(image);
    image.convert.job?.cancel();
    image.checksum.cancel();
    const index = this.list.indexOf(image);
    this.list = this.list.filter((other) => other !== image);
    if (this.#current === image) this.show(this.list[Math.min(index, this.list.length - 1)]);
    await this.#letGo(image);
    guardChanges(this.list);
  }

  /** Checks an image; `quiet` when the app does it by itself. */
  async check(image: OpenImage, quiet = false): Promise<void> {
    if (image.opened === undefined || image.check.job !== undefined) return;
    const state = new CheckState();
    image.check = state;
    const started = performance.now();
    try {
      const request = { kind: 'check', image: image.opened.id } as const;
      state.report = await jobs.run<'check'>(request, image.name, {
        quiet,
        running: (job) => (state.job = job),
      });
      state.elapsed = performance.now() - started;
    } catch (error) {
      const problem = toProblem(error, image.name);
      if (problem.code === 'cancelled') state.cancelled = true;
      else state.problem = problem;
      if (problem.code === 'file-changed') image.changed = true;
    }
  }

  /** Looks whether the files on disk are still those that were opened (cheap: no content read). */
  async lookForChanges(): Promise<void> {
    for (const image of this.list) {
      if (image.phase !== 'open') continue;
      const files = [image.chosen, ...image.files.given.map(({ chosen }) => chosen)];
      const changed = await Promise.all(files.map(hasChanged));
      if (changed.some((one) => one !== undefined)) image.changed = changed.includes(true);
    }
  }

  async #openNow(image: OpenImage): Promise<void> {
    image.phase = 'opening';
    image.problem = undefined;
    const { given } = image.files;
    image.files = new ChainState();
    image.plans = {};
    image.check = new CheckState();
    image.diagnose.job?.cancel();
    image.diagnose.compact.job?.cancel();
    image.diagnose = new DiagnoseState();
    image.convert = new ConvertState();
    image.checksum = new ChecksumState();
    const { lost } = image.changes;
    image.changes = new ChangesState();
    image.changes.lost = lost;
    guardChanges(this.list);
    try {
      const client = await engine.client();
      const opened = await openFile(client, image);
      if (opened === undefined) return await this.close(image, true);
      // Closed while it was opening: nobody will let go of it later.
      if (!this.list.includes(image)) return await client.close(opened.id);
      image.opened = opened;
      image.phase = 'open';
      announcer.say(words.image.screen.opened(image.name));
      this.#afterOpening(image);
      await giveAgain(image, given);
    } catch (error) {
      image.problem = toProblem(error, image.name);
      image.changed = image.problem.code === 'file-changed';
      image.phase = 'failed';
    }
  }

  #afterOpening(image: OpenImage): void {
    const { info } = image;
    if (info === undefined) return;
    image.convert.name = suggestName(image.diskName);
    image.convert.where = suggestWhere(info, engine.facts, hasSavePicker());
    image.changes.name = suggestCopy(image.diskName);
    const isOwn = image.chosen.stored !== undefined && image.opened?.inside.length === 0;
    image.changes.way = isOwn ? 'file' : image.convert.where;
    if (image.chosen.own !== true) void recent.add(image.chosen, info.format);
    const seconds = checkSeconds(info);
    if (seconds !== undefined && seconds < CHECK_BY_ITSELF_SECONDS) void this.check(image, true);
    void lookAtDisk(image);
  }

  async #find({ file, handle }: Chosen): Promise<OpenImage | undefined> {
    for (const image of this.list) {
      const other = image.chosen;
      if (handle !== undefined && other.handle !== undefined) {
        if (await handle.isSameEntry(other.handle)) return image;
      } else if (isSameFile(file, other.file)) {
        return image;
      }
    }
    return undefined;
  }

  async #letGo(image: OpenImage): Promise<void> {
    const id = image.opened?.id;
    image.opened = undefined;
    if (id === undefined) return;
    try {
      await (await engine.client()).close(id);
    } catch {
      // The worker died: it has let go of everything.
    }
  }

  /** Images that were open in a dead worker are opened anew once it is started again. */
  #forgetWorker(): void {
    for (const image of this.list) {
      if (image.unsaved > 0) image.changes.lost = image.pending?.edits ?? [];
      image.opened = undefined;
    }
  }

  /** After the worker died: starts it and opens everything anew. */
  async startAgain(): Promise<void> {
    await engine.startAgain();
    await interrupted.look();
    const again = this.list.map((image) => {
      // What a change made of a file is only known to who looks at it anew.
      const { handle, stored: name } = image.chosen;
      const isFound = handle !== undefined || name !== undefined;
      return isFound ? this.readAgain(image) : this.#openNow(image);
    });
    await Promise.all(again);
    await stored.load();
  }
}

/** Text that describes a VMDK in several files, by the look of it from outside. */
function isDescription({ file }: Chosen): boolean {
  return /\.vmdk$/i.test(file.name) && file.size < LONGEST_DESCRIPTION;
}

/** Names of the files that an image consists of beside its own. */
function partsOf({ chain }: OpenImage): string[] {
  return chain.filter(({ kind }) => kind === 'extent').map(({ reference }) => reference.fileName);
}

/** `#/check`, `#/structure?at=0x30000`, `#/map?at=0x100000&in=guest`; '' for the first panel. */
function addressOf(image: OpenImage | undefined): string {
  if (image === undefined || image.panel === 'overview') return '';
  const { panel, focus } = image;
  if (focus === undefined || (panel !== 'map' && panel !== 'structure')) return `#/${panel}`;
  return `#/${panel}?at=${hex(focus.offset)}${focus.space === 'guest' ? '&in=guest' : ''}`;
}

function panelOfAddress(): Panel | undefined {
  const [path] = location.hash.split('?', 1);
  return PANELS.find((panel) => path === `#/${panel}`);
}

/** The place that the address names; undefined: none, or no number that an offset can be. */
function focusOfAddress(): Focus | undefined {
  const asked = new URLSearchParams(location.hash.split('?')[1] ?? '');
  const at = asked.get('at') ?? '';
  const offset = /^(0x[\da-f]+|\d+)$/i.test(at) ? Number(at) : NaN;
  if (!Number.isSafeInteger(offset)) return undefined;
  return { space: asked.get('in') === 'guest' ? 'guest' : 'file', offset, length: 1 };
}

/** Whether a file on disk is another than the one that was opened; undefined where nobody knows. */
async function hasChanged({ file, handle, stored: name }: Chosen): Promise<boolean | undefined> {
  try {
    const now = name === undefined ? await handle?.getFile() : await stored.file(name);
    return now && (now.lastModified !== file.lastModified || now.size !== file.size);
  } catch {
    // Gone, or not allowed any more: the next read says so in its own words.
    return undefined;
  }
}

async function chooseOne(): Promise<Chosen | undefined> {
  return (await chooseFiles(false))[0];
}

export const images = new Images();
