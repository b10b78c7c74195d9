import { isImageError } from '../errors.ts';
import { baseName, DecodeFault, type OpenContainerOptions } from './container.ts';

/** Names of disk images, for those that begin with nothing by which they could be known. */
const DISK_NAME = /\.(qcow2?|img|ima|raw|dd|vmdk|vdi|vhdx?|vhdfixed|iso|dmg|qed|hdd|hds)$/i;
/** A disk is at least so long, when only its name says that it is one, bytes. */
const SMALLEST = 64 * 1024;
/** Files in a container into which is looked at most; of the others, the name decides. */
const MOST_LOOKS = 256;

/** Which files in a container are likely to be disks. */
export class Likeness {
  readonly #options: OpenContainerOptions;
  #looks = 0;

  constructor(options: OpenContainerOptions) {
    this.#options = options;
  }

  /** @param first gives the first bytes of the file */
  async of(
    name: string,
    size: number | undefined,
    first: () => Promise<Uint8Array<ArrayBuffer>>,
  ): Promise<boolean> {
    const { isDisk } = this.#options;
    const isNamed = DISK_NAME.test(name) && (size ?? Infinity) >= SMALLEST && !isHidden(name);
    if (isDisk === undefined || size === 0 || this.#looks++ >= MOST_LOOKS) return isNamed;
    try {
      return isDisk(await first(), size, baseName(name)) || isNamed;
    } catch (error) {
      // Whoever opens it hears what is wrong with it.
      if (error instanceof DecodeFault || isImageError(error, 'read-failed')) return isNamed;
      throw error;
    }
  }
}

/** What macOS puts beside the files of an archive. */
function isHidden(name: string): boolean {
  return name.startsWith('__MACOSX/') || baseName(name).startsWith('._');
}
