/** Making a new image: what is wanted, what runs, what came out. */
import type { CreateResult, FormatName, LeftBehind, Target } from '../worker/api.ts';
import { createForecast, type CreateForecast } from './create-forecast.ts';
import {
  canEncrypt,
  canLayer,
  type ChosenOptions,
  type CreateFormat,
  type CreateOption,
  type CreateWish,
  makesSeveral,
  optionList,
  type PresetId,
  PRESETS,
  suffixFor,
} from './create-options.ts';
import { chooseTarget, chooseTargetFolder, hasSavePicker } from './files.ts';
import { images } from './images.svelte.ts';
import { jobs, type RunningJob } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { type Problem, toProblem } from './problem.ts';
import { parseSize, shortSize } from './size-text.ts';
import { stored } from './stored.svelte.ts';
import { quote } from './target.ts';

const SECTOR = 512;
/** What formats hold at most, bytes: beyond it qemu-img refuses. */
const MOST: Partial<Record<CreateFormat, number>> = {
  vpc: 2040 * 2 ** 30,
  vhdx: 64 * 2 ** 40,
  qed: 64 * 2 ** 40,
};

/** Why a size cannot be: `words` under this name say it. */
export type SizeFault = 'missing' | 'invalid' | 'zero' | 'too-large';

class Creation {
  format = $state<CreateFormat>('qcow2');
  preset = $state<PresetId | undefined>('qemu');
  /** As it is typed. */
  sizeText = $state('20G');
  name = $state('disk.qcow2');
  /** The image below, by its key; undefined: none. */
  base = $state<number>();
  /** How the new image names it. */
  baseName = $state('');
  chosen = $state.raw<ChosenOptions>({});
  encrypted = $state(false);
  where = $state<'place' | 'browser'>('browser');
  job = $state.raw<RunningJob>();
  result = $state.raw<CreateResult>();
  handle = $state.raw<FileSystemFileHandle>();
  folder = $state.raw<FileSystemDirectoryHandle>();
  problem = $state.raw<Problem>();
  left = $state.raw<LeftBehind>();
  cancelled = $state(false);
  notChosen = $state(false);
  downloaded = $state(false);

  constructor() {
    this.where = hasSavePicker() ? 'place' : 'browser';
  }

  /** Open images that can lie below a new one. */
  get bases(): OpenImage[] {
    return images.list.filter(({ phase, info }) => phase === 'open' && info !== undefined);
  }

  get baseImage(): OpenImage | undefined {
    if (!canLayer(this.format)) return undefined;
    return this.bases.find(({ key }) => key === this.base);
  }

  /** Bytes, whole sectors; undefined while the text is no size. */
  get size(): number | undefined {
    if (this.sizeText.trim() === '' && this.baseImage !== undefined) {
      return this.baseImage.info?.virtualSize;
    }
    const bytes = parseSize(this.sizeText);
    return bytes === undefined ? undefined : Math.ceil(bytes / SECTOR) * SECTOR;
  }

  get sizeFault(): SizeFault | undefined {
    const { size } = this;
    if (this.sizeText.trim() === '' && size === undefined) return 'missing';
    if (size === undefined) return 'invalid';
    if (size === 0) return 'zero';
    return size > (MOST[this.format] ?? Infinity) ? 'too-large' : undefined;
  }

  get needsPassphrase(): boolean {
    return this.format === 'luks' || (this.encrypted && canEncrypt(this.format));
  }

  get wish(): CreateWish {
    const { format, size, chosen } = this;
    const encrypted = this.needsPassphrase;
    return { format, size, chosen, over: this.baseImage !== undefined, encrypted };
  }

  get forecast(): CreateForecast | undefined {
    const { size } = this;
    return size === undefined ? undefined : createForecast(this.wish, size);
  }

  get ready(): boolean {
    const names = this.name.trim() !== '' && !/[/\\]/.test(this.name);
    return names && this.sizeFault === undefined;
  }

  /** The command line that does the same. */
  get command(): string {
    const { baseImage, format } = this;
    const list = Object.entries(optionList(this.wish));
    if (this.needsPassphrase) {
      list.push([format === 'luks' ? 'key-secret' : 'encrypt.key-secret', 'key']);
    }
    const words = ['qemu-img', 'create'];
    if (this.needsPassphrase) words.push('--object', 'secret,id=key,file=passphrase.txt');
    words.push('-f', format);
    if (list.length > 0) words.push('-o', list.map(([id, value]) => `${id}=${value}`).join(','));
    if (baseImage !== undefined) {
      words.push('-b', quote(this.baseName), '-F', baseImage.info?.format ?? 'raw');
    }
    words.push(quote(this.name.trim() || 'disk'));
    const { size } = this;
    const isOfBase = this.sizeText.trim() === '' && baseImage !== undefined;
    if (size !== undefined && !isOfBase) words.push(shortSize(size));
    return words.join(' ');
  }

  chooseFormat(format: CreateFormat): void {
    this.#renaming(() => {
      this.format = format;
    });
    this.preset = undefined;
  }

  choosePreset(id: PresetId): void {
    const preset = PRESETS.find((one) => one.id === id);
    if (preset === undefined) return;
    this.#renaming(() => {
      this.format = preset.format;
      this.chosen = preset.chosen;
    });
    this.preset = id;
  }

  chooseOption(id: CreateOption, value: string): void {
    this.chosen = { ...this.chosen, [id]: value };
    this.preset = undefined;
  }

  chooseBase(key: number | undefined): void {
    this.base = key;
    this.baseName = this.baseImage?.diskName ?? '';
    // Nearly always what is wanted; whoever wants more says so.
    this.sizeText = this.baseImage === undefined ? '20G' : '';
  }

  /** The name goes with the format as long as nobody has changed it. */
  #renaming(change: () => void): void {
    const old = suffixFor(this.format);
    change();
    if (this.name.endsWith(old))
      this.name = this.name.slice(0, -old.length) + suffixFor(this.format);
  }

  /**
   * Makes it. Needs a click or key when the person is to choose the place.
   * @param passphrase what the image is to be encrypted with; it goes over to the worker
   */
  async make(passphrase: Uint8Array<ArrayBuffer> | undefined): Promise<void> {
    if (!this.ready || this.job !== undefined) return;
    this.forget();
    const { wish, baseImage, format, baseName } = this;
    const name = this.name.trim();
    try {
      const target = await this.#place(name, makesSeveral(wish));
      if (target === undefined) {
        this.notChosen = true;
        return;
      }
      const isOfBase = this.sizeText.trim() === '' && baseImage !== undefined;
      const below =
        baseImage?.opened === undefined
          ? undefined
          : {
              image: baseImage.opened.id,
              name: baseName,
              format: baseImage.info?.format as FormatName,
            };
      const request = {
        ...{ kind: 'create' as const, format, size: isOfBase ? undefined : wish.size, target },
        ...{ options: optionList(wish), backing: below, passphrase },
      };
      this.result = await jobs.run<'create'>(request, name, {
        running: (job) => (this.job = job),
        left: (left) => (this.left = left),
      });
    } catch (error) {
      const problem = toProblem(error, name);
      if (problem.code === 'cancelled') this.cancelled = true;
      else this.problem = problem;
    }
    await stored.load();
  }

  async #place(name: string, several: boolean): Promise<Target | undefined> {
    if (this.where === 'browser') return { kind: 'private', name };
    if (several) {
      this.folder = await chooseTargetFolder();
      return this.folder && { kind: 'folder', handle: this.folder, name };
    }
    this.handle = await chooseTarget(name);
    return this.handle && { kind: 'handle', handle: this.handle };
  }

  /** Puts the last result out of sight; the wishes stay. */
  forget(): void {
    this.result = undefined;
    this.handle = undefined;
    this.folder = undefined;
    this.problem = undefined;
    this.left = undefined;
    this.cancelled = false;
    this.notChosen = false;
    this.downloaded = false;
  }
}

export const creation = new Creation();
