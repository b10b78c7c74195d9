/** Command lines as they are found in tutorials, tickets and terminals. */

/** `$ `, `# `, `% `, `> `, `root@host:~# `, `[user@host dir]$ `, `PS C:\\> `, `C:\\> `. */
const PROMPT =
  /^\s*(?:PS )?(?:[A-Za-z]:\\[^>]*>|\[[^\]]*\][#$%]|[\w.-]+@[\w.-]+[^#$%]*[#$%]|[$#%>])\s+/;
const WRAPPERS = /^(?:sudo(?:\s+-\w+)*|time|nice)\s+/;
/** The program by its path, or as Windows calls it. */
const PROGRAM = /^(?:"[^"]*[\\/]qemu-img(?:\.exe)?"|(?:[^\s"']*[\\/])?qemu-img(?:\.exe)?)(?=\s|$)/i;

/**
 * The commands in a text, one a line: prompts, `sudo` and folders of the program are taken away,
 * lines that end with a backslash are joined, comments and empty lines left out.
 */
export function pastedLines(text: string): string[] {
  const joined = text.replace(/[\\^`]\r?\n\s*/g, ' ').split(/\r?\n/);
  return joined.map(plainLine).filter((line) => line !== '');
}

function plainLine(line: string): string {
  const command = line.replace(PROMPT, '').trim();
  // A comment, unless the prompt of a root was taken for one.
  if (command.startsWith('#') || /^\s*#\s*(?!.*qemu-img)/.test(line)) return '';
  return command.replace(WRAPPERS, '').replace(PROGRAM, 'qemu-img');
}
