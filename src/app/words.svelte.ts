import { settings, type Language } from './settings.svelte.ts';
import type { ImageText } from './text/en-image.ts';
import { en } from './text/en.ts';
import type { Text } from './text/en.ts';
import { loadPart, type Part, type Parts } from './text/parts.ts';

/**
 * The sentences in the language that is on. `shell` is there from the start; `image`, all that is
 * said behind the first screen, comes with {@link Words.loadImage}, and what only one panel says
 * with {@link Words.loadPart}.
 */
class Words {
  #shell = $state.raw<Text>(en);
  #image = $state.raw<ImageText>();
  #language = $state<Language>('en');
  #wanted: Language = settings.language;
  #wantsImage = false;
  #parts = $state.raw<Partial<Parts>>({});
  readonly #wantedParts = new Set<Part>();
  /** False until the texts of the wanted language are there. */
  ready = $state(false);

  get shell(): Text {
    return this.#shell;
  }

  /** Only what is shown after `imageReady` may ask for it. */
  get image(): ImageText {
    if (this.#image === undefined) throw new Error('the texts of the image screen are not loaded');
    return this.#image;
  }

  /** Only what is shown after {@link loadPart} may ask for it. */
  part<P extends Part>(name: P): Parts[P] {
    const text = this.#parts[name];
    if (text === undefined) throw new Error(`the texts of ${name} are not loaded`);
    return text;
  }

  get imageReady(): boolean {
    return this.#image !== undefined;
  }

  get language(): Language {
    return this.#language;
  }

  /** For Intl. */
  get tag(): string {
    return this.#shell.tag;
  }

  /** Switches everything at once, so that no screen is ever half in each language. */
  async use(language: Language): Promise<void> {
    this.#wanted = language;
    await this.#load();
  }

  async loadImage(): Promise<void> {
    this.#wantsImage = true;
    await this.#load();
  }

  async loadPart(name: Part): Promise<void> {
    if (this.#parts[name] !== undefined) return;
    this.#wantedParts.add(name);
    await this.#load();
  }

  /** Texts arrive in any order; only those of the language that is wanted by then are taken. */
  async #load(): Promise<void> {
    const language = this.#wanted;
    const [shell, image, parts] = await Promise.all([
      loadShell(language),
      this.#wantsImage ? loadImage(language) : undefined,
      Promise.all([...this.#wantedParts].map((name) => loadPart(name, language))),
    ]);
    if (language !== this.#wanted) {
      await this.#load();
      return;
    }
    this.#shell = shell;
    if (image !== undefined) this.#image = image;
    this.#parts = Object.assign({}, this.#parts, ...parts) as Partial<Parts>;
    this.#language = language;
    this.ready = true;
    document.documentElement.lang = shell.tag;
  }
}

async function loadShell(language: Language): Promise<Text> {
  return language === 'zh-CN' ? (await import('./text/zh-CN.ts')).zhCN : en;
}

async function loadImage(language: Language): Promise<ImageText> {
  return language === 'zh-CN'
    ? (await import('./text/zh-CN-image.ts')).zhImage
    : (await import('./text/en-image.ts')).enImage;
}

export const words = new Words();
