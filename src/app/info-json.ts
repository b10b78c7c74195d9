import { jobs } from './jobs.svelte.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { quote } from './target.ts';

/** What `qemu-img info --output=json` says of an image: the command line itself is asked. */
export async function infoAsJson(image: OpenImage): Promise<string> {
  let output = '';
  const line = `qemu-img info --output=json ${quote(image.name)}`;
  await jobs.run<'command'>({ kind: 'command', line }, line, {
    quiet: true,
    output: (stream, text) => {
      if (stream === 'out') output += text;
    },
  });
  return output;
}
