/** The few settings, kept in localStorage so that they are known before the first paint. */

export type Language = 'en' | 'zh-CN';
export type Theme = 'system' | 'light' | 'dark';
/** Powers of 1024, as virtual machines count, or of 1000, as the makers of disks do. */
export type Units = 'binary' | 'decimal';
export type Motion = 'system' | 'less';

interface Stored {
  language?: Language;
  theme?: Theme;
  units?: Units;
  motion?: Motion;
  singleKeys?: boolean;
  askBeforeLeaving?: boolean;
  notify?: boolean;
}

/** Read by `public/theme.js` too, before anything is painted. */
const KEY = 'settings';

class Settings {
  #stored = $state.raw<Stored>(read());

  /** The chosen language, else the first one of the browser that there are texts for. */
  get language(): Language {
    return this.#stored.language ?? fromBrowser();
  }
  set language(language: Language) {
    this.#store({ language });
  }

  get theme(): Theme {
    return this.#stored.theme ?? 'system';
  }
  set theme(theme: Theme) {
    this.#store({ theme });
    applyTheme(theme);
  }

  /** In which units sizes are said; exact numbers of bytes are the same in both. */
  get units(): Units {
    return this.#stored.units ?? 'binary';
  }
  set units(units: Units) {
    this.#store({ units });
  }

  get motion(): Motion {
    return this.#stored.motion ?? 'system';
  }
  set motion(motion: Motion) {
    this.#store({ motion });
    applyMotion(motion);
  }

  /** Whether leaving the page asks first while work runs or changes are not saved. */
  get askBeforeLeaving(): boolean {
    return this.#stored.askBeforeLeaving ?? true;
  }
  set askBeforeLeaving(askBeforeLeaving: boolean) {
    this.#store({ askBeforeLeaving });
  }

  /** Whether the end of long work is told while nobody looks. */
  get notify(): boolean {
    return this.#stored.notify ?? false;
  }
  set notify(notify: boolean) {
    this.#store({ notify });
  }

  /** Whether 1–9, / and ? work without a modifier key (WCAG 2.1.4 wants a way to turn them off). */
  get singleKeys(): boolean {
    return this.#stored.singleKeys ?? true;
  }
  set singleKeys(singleKeys: boolean) {
    this.#store({ singleKeys });
  }

  #store(change: Stored): void {
    this.#stored = { ...this.#stored, ...change };
    try {
      localStorage.setItem(KEY, JSON.stringify(this.#stored));
    } catch {
      // Storage is switched off: the setting holds until the page closes.
    }
  }
}

function read(): Stored {
  try {
    const stored: unknown = JSON.parse(localStorage.getItem(KEY) ?? '{}');
    return typeof stored === 'object' && stored !== null ? stored : {};
  } catch {
    return {};
  }
}

function fromBrowser(): Language {
  for (const tag of navigator.languages) {
    if (tag.startsWith('zh')) return 'zh-CN';
    if (tag.startsWith('en')) return 'en';
  }
  return 'en';
}

/** All colours are `light-dark()` tokens, so this one property switches them. */
function applyTheme(theme: Theme): void {
  document.documentElement.style.colorScheme = theme === 'system' ? '' : theme;
}

function applyMotion(motion: Motion): void {
  if (motion === 'less') document.documentElement.dataset['motion'] = 'less';
  else delete document.documentElement.dataset['motion'];
}

export const settings = new Settings();
