import { showChanged } from './changes.ts';
import { complete, isCommand, type Completion } from './completion.ts';
import { images } from './images.svelte.ts';
import { jobs, type RunningJob } from './jobs.svelte.ts';
import { pastedLines } from './pasted-lines.ts';
import { explain, toProblem } from './problem.ts';
import { hideSecrets } from './secrets.ts';
import { stored } from './stored.svelte.ts';
import { quote } from './target.ts';
import { span } from './units.ts';
import { words } from './words.svelte.ts';

/** A piece of what is on the screen. */
export interface Entry {
  key: number;
  kind: 'command' | 'out' | 'err' | 'note';
  text: string;
}

/** What is kept of the output, characters; a map of a large image can be endless. */
const KEEP = 400_000;
const HISTORY = 200;

/** One session for all open images: commands name files, and all of them can be named. */
class ConsoleSession {
  entries = $state.raw<Entry[]>([]);
  /** Earlier output was dropped. */
  cut = $state(false);
  job = $state.raw<RunningJob>();
  input = $state('');
  /** Lines that wait for the one in the prompt. */
  #next: string[] = [];
  #history: string[] = [];
  #position = 0;
  #keys = 0;
  #kept = 0;
  #waiting: { kind: Entry['kind']; text: string }[] = [];
  #frame = 0;

  /** Names that a command can use: open images and what commands made. */
  readonly names = $derived([
    ...images.list.filter((image) => image.phase === 'open').map((image) => image.name),
    ...stored.files.map((file) => file.name),
  ]);

  /** Lines to begin with, over the image on the screen. */
  get examples(): string[] {
    const name = quote(images.current?.name ?? 'disk.qcow2');
    return [
      `qemu-img info ${name}`,
      `qemu-img check ${name}`,
      `qemu-img map --output=json ${name}`,
      'qemu-img --help',
    ];
  }

  /** Runs a line; the one in the prompt when none is given. */
  async run(given = this.input): Promise<void> {
    const [line = '', ...more] = pastedLines(given);
    if (line === '' || this.job !== undefined) return;
    this.#next = [...more, ...this.#next];
    this.input = '';
    // Neither the history nor the screen keeps a passphrase.
    const shown = hideSecrets(line);
    this.#remember(shown);
    this.#print('command', shown);
    const first = line.split(/\s+/, 1)[0] ?? '';
    if (first === 'clear') return this.clear();
    if (!isCommand(first)) return this.#print('err', words.image.console.onlyQemuImg(first));
    await this.#runCommand(line, shown);
    // What was pasted below it waits in the prompt: it runs when the person says so.
    if (this.input === '') this.input = this.#next.shift() ?? '';
  }

  /** Takes several lines that were pasted: the first into the prompt, the others after it. */
  paste(text: string): void {
    const [first = '', ...more] = pastedLines(text);
    this.input = first;
    this.#next = more;
  }

  async #runCommand(line: string, shown: string): Promise<void> {
    const started = performance.now();
    try {
      const result = await jobs.run<'command'>({ kind: 'command', line, shown }, shown, {
        output: (stream, text) => this.#print(stream, text),
        running: (job) => (this.job = job),
      });
      for (const { opened, report } of result.changed) {
        const image = images.list.find((one) => one.opened?.id === opened.id);
        if (image === undefined) continue;
        showChanged(image, opened, report);
        this.#print('note', words.image.console.waits(image.name));
      }
      const time = span(performance.now() - started, words.tag);
      this.#print('note', words.image.console.exit(result.exitCode, time));
    } catch (error) {
      const problem = toProblem(error);
      const { what, why } = explain(problem, words.image.errors);
      const stopped = problem.code === 'cancelled';
      if (stopped) this.#print('note', words.image.console.stopped);
      else this.#print('err', `${what} ${why}`);
    }
    await stored.load();
  }

  stop(): void {
    this.job?.cancel();
  }

  clear(): void {
    this.#flush();
    this.entries = [];
    this.#kept = 0;
    this.cut = false;
  }

  /** Brings an earlier (-1) or later (1) line into the prompt. */
  recall(step: -1 | 1): void {
    const position = this.#position + step;
    if (position < 0 || position > this.#history.length) return;
    this.#position = position;
    this.input = this.#history[position] ?? '';
  }

  /** Completes the word before the cursor and takes it into the prompt. */
  complete(cursor: number): Completion {
    const result = complete(this.input, cursor, this.names);
    this.input = result.line;
    return result;
  }

  #remember(line: string): void {
    if (this.#history.at(-1) !== line) this.#history = [...this.#history, line].slice(-HISTORY);
    this.#position = this.#history.length;
  }

  /** Output comes faster than it can be painted: it is put on the screen once a frame. */
  #print(kind: Entry['kind'], text: string): void {
    const last = this.#waiting.at(-1);
    if (last?.kind === kind && (kind === 'out' || kind === 'err')) last.text += text;
    else this.#waiting.push({ kind, text });
    if (this.#frame === 0) this.#frame = requestAnimationFrame(() => this.#flush());
  }

  #flush(): void {
    cancelAnimationFrame(this.#frame);
    this.#frame = 0;
    const entries = [...this.entries];
    for (const { kind, text } of this.#waiting) {
      const last = entries.at(-1);
      this.#kept += text.length;
      if (last?.kind === kind && (kind === 'out' || kind === 'err')) {
        entries[entries.length - 1] = { ...last, text: last.text + text };
      } else {
        entries.push({ key: ++this.#keys, kind, text });
      }
    }
    this.#waiting = [];
    this.entries = this.#bounded(entries);
  }

  #bounded(entries: Entry[]): Entry[] {
    while (this.#kept > KEEP) {
      const [first] = entries;
      if (first === undefined) break;
      const over = this.#kept - KEEP;
      this.cut = true;
      if (first.text.length > over) {
        entries[0] = { ...first, text: first.text.slice(over) };
        this.#kept -= over;
      } else {
        entries.shift();
        this.#kept -= first.text.length;
      }
    }
    return entries;
  }
}

export const session = new ConsoleSession();
