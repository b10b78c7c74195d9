/** What screen readers are told, in one place: a polite region and one for errors. */
class Announcer {
  polite = $state('');
  assertive = $state('');

  /** Said when the reader is done with what it says now. */
  say(text: string): void {
    // The same words twice would be no change and so not be said: a no-break space makes them one.
    this.polite = text === this.polite ? `${text}\u00a0` : text;
  }

  /** Said at once: for errors only. */
  warn(text: string): void {
    this.assertive = text === this.assertive ? `${text}\u00a0` : text;
  }
}

export const announcer = new Announcer();
