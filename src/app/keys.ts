/** The keyboard for the whole window. Keys of the browser stay the browser's. */

export interface KeyActions {
  open: () => void;
  help: () => void;
  /** Takes the last change back. Returns whether there was one. */
  undo: () => boolean;
  /** 0 for the first panel. */
  panel: (index: number) => void;
  /** Whether keys without a modifier may do something. */
  singleKeys: () => boolean;
}

/** Whether this machine calls the modifier ⌘. */
export function isApple(): boolean {
  return /Mac|iPhone|iPad/.test(navigator.userAgent);
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
  const modified = event.ctrlKey || event.metaKey || event.altKey;
  const command = isApple() ? event.metaKey : event.ctrlKey;
  if (command && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'o') {
    actions.open();
    return true;
  }
  if (command && !event.shiftKey && !event.altKey && event.key.toLowerCase() === 'z') {
    return !isTyping(event.target) && !dialogIsOpen() && actions.undo();
  }
  if (modified || !actions.singleKeys() || isTyping(event.target) || dialogIsOpen()) return false;
  if (event.key === '?') {
    actions.help();
    return true;
  }
  const index = '123456789'.indexOf(event.key);
  if (index < 0 || event.key.length !== 1) return false;
  actions.panel(index);
  return true;
}

/** In a text field, a digit is a digit. */
function isTyping(target: EventTarget | null): boolean {
  if (!(target instanceof HTMLElement)) return false;
  if (target instanceof HTMLInputElement) {
    return !['checkbox', 'radio', 'button', 'submit', 'file'].includes(target.type);
  }
  return target instanceof HTMLTextAreaElement || target.isContentEditable;
}

function dialogIsOpen(): boolean {
  return document.querySelector('dialog:modal') !== null;
}
