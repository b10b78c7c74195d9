/** The keyboard for the whole window. Keys of the browser stay the browser's. */

export interface KeyActions {
  open: () => void;
  palette: () => void;
  help: () => void;
  /** Takes the last change back. Returns whether there was one. */
  undo: () => boolean;
  /** Makes it again. Returns whether there was one. */
  redo: () => boolean;
  /** Leads to where the image on the screen is saved. Returns whether there is one. */
  save: () => boolean;
  /** 0 for the first panel. */
  panel: (index: number) => void;
  /** Whether keys without a modifier may do something. */
  singleKeys: () => boolean;
}

/** Whether this machine calls the modifier ⌘. */
export function isApple(): boolean {
  return /Mac|iPhone|iPad/.test(navigator.userAgent);
}

/** The names of the keys of a shortcut as this machine has them: `Mod+Shift+Z`. */
export function keyNames(shortcut: string): string[] {
  const names: Record<string, string> = isApple() ? { Mod: '⌘', Shift: '⇧' } : { Mod: 'Ctrl' };
  return shortcut.split('+').map((key) => names[key] ?? key);
}

/** Listens on the window; returns how to stop. */
export function listenForKeys(actions: KeyActions): () => void {
  const listener = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.isComposing) return;
    if (act(event, actions)) event.preventDefault();
  };
  addEventListener('keydown', listener);
  return () => removeEventListener('keydown', listener);
}

function act(event: KeyboardEvent, actions: KeyActions): boolean {
  const command = isApple() ? event.metaKey : event.ctrlKey;
  if (command && !event.altKey) return withCommand(event, actions);
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  if (modified || !actions.singleKeys() || isTyping(event.target) || dialogIsOpen()) return false;
  if (event.key === '?') {
    actions.help();
    return true;
  }
  if (event.key === '/') return toFilter();
  const index = '1234567890'.indexOf(event.key);
  if (index < 0 || event.key.length !== 1) return false;
  actions.panel(index);
  return true;
}

function withCommand(event: KeyboardEvent, actions: KeyActions): boolean {
  const key = `${event.shiftKey ? 'shift ' : ''}${event.key.toLowerCase()}`;
  if (key === 'o') {
    actions.open();
    return true;
  }
  if (dialogIsOpen()) return false;
  switch (key) {
    case 'k':
      actions.palette();
      return true;
    case 's':
      return actions.save();
    // In a text field these belong to the text.
    case 'z':
      return !isTyping(event.target) && actions.undo();
    case 'shift z':
    case 'y':
      return !isTyping(event.target) && actions.redo();
    default:
      return false;
  }
}

/** Into the field that filters what is on the screen, where there is one. */
function toFilter(): boolean {
  const fields = [...document.querySelectorAll<HTMLInputElement>('main input[type=search]')];
  const field = fields.find((one) => one.checkVisibility() && !one.disabled);
  field?.focus();
  field?.select();
  return field !== undefined;
}

/** In a text field, a digit is a digit. */
export function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) {
    return !['checkbox', 'radio', 'button', 'submit', 'file'].includes(target.type);
  }
  return (
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement ||
    target.isContentEditable
  );
}

export function dialogIsOpen(): boolean {
  return document.querySelector('dialog:modal') !== null;
}
