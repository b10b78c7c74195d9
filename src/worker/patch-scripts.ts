/** Scripts that put a patch into a file where it lies. */

/** File names and texts. */
export function patchScripts(): Promise<[string, string][]> {
  return Promise.resolve([]);
}
