/** The few settings, kept in localStorage so that they are known before the first paint. */

export type Language = 'en' | 'zh-CN';
export type Theme = 'system' | 'light' | 'dark';

interface Stored {
  language?: Language;
  theme?: Theme;
  singleKeys?: boolean;
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

  /** Whether 1–4 and ? work without a modifier key (WCAG 2.1.4 wants a way to turn them off). */
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

export const settings = new Settings();
