/** The map in words: what a cell is, what a picture holds, who uses a place. */
import type { CellKind, Picture, Place, PlaceUse } from '../worker/api.ts';
import { cellCount, sumsOf, type Span } from './map-cells.ts';
import type { OpenImage } from './open-image.svelte.ts';
import { quote } from './target.ts';
import { bytes, hex, percent, whole } from './units.ts';
import { words } from './words.svelte.ts';

/** From the first byte to the last: `0x1c000–0x1dfff`. */
export function rangeWords({ offset, length }: Span): string {
  return length <= 1 ? hex(offset) : `${hex(offset)}–${hex(offset + length - 1)}`;
}

export function kindName(kind: CellKind): string {
  return words.part('map').kinds[kind].name;
}

/** A cell on one line. */
export function cellLine(span: Span, kind: CellKind | undefined): string {
  const name = kind === undefined ? '' : kindName(kind);
  return [name, rangeWords(span), bytes(span.length, words.tag)]
    .filter((part) => part !== '')
    .join(' · ');
}

/** What the picture shows, in a sentence, for those who do not see it. */
export function summaryOf(picture: Picture, name: string): string {
  const text = words.part('map');
  const { tag } = words;
  const kinds = sumsOf(picture)
    .sort((one, other) => other.bytes - one.bytes)
    .map((one) => text.summaryPart(kindName(one.kind), percent(one.bytes, picture.size, tag)));
  const size = bytes(picture.size, tag);
  return text.summary[picture.space](name, size, kinds.join(text.separator));
}

/** How fine the picture is. */
export function finenessOf(picture: Picture, level: number): string {
  const text = words.part('map');
  const one = picture.unit * 4 ** level;
  const clusters = one / picture.clusterSize;
  const size = bytes(one, words.tag);
  if (cellCount(picture, level) <= 1 || clusters <= 1) return text.oneCluster(size);
  return text.oneCell(size, whole(clusters, words.tag));
}

/** Whose use of a place it is. */
export function ownerWords({ snapshot }: PlaceUse): string {
  const text = words.part('map');
  return snapshot === '' ? text.now : text.ofSnapshot(snapshot);
}

/** The file of the chain that has the bytes; '' for the image itself. */
export function layerName({ layer }: PlaceUse, image: OpenImage): string {
  if (layer === '') return '';
  const link = image.chain.find(({ key }) => key === layer);
  return link?.file?.name ?? link?.name ?? layer;
}

/** What the counts of a cluster say together. */
export function refcountWords({ stored, counted }: NonNullable<Place['refcount']>): string {
  const text = words.part('map').refcount;
  if (stored === counted) return stored === 0 ? text.unused : text.right(stored);
  return stored > counted ? text.high(stored, counted) : text.low(stored, counted);
}

/** The command of qemu-img that says most of the same, and what it says. */
export function mapCommand(
  image: OpenImage,
  space: 'file' | 'guest',
): { line: string; note: string } {
  const { commandNote } = words.part('map');
  const format = image.info?.format ?? 'raw';
  const name = quote(image.diskName);
  // Of many formats it has no check.
  if (space === 'guest' || image.opened?.check !== 'as-qemu-img') {
    return { line: `qemu-img map -f ${format} --output=json ${name}`, note: commandNote.guest };
  }
  return { line: `qemu-img check -f ${format} --output=json ${name}`, note: commandNote.file };
}

/** What refers to a place, or what it is the other side of, on a line: the first of several. */
export function usesLine(place: Place, image: OpenImage): string[] {
  const text = words.part('map');
  const [use] = place.uses;
  if (use === undefined) return [];
  const other = otherWords(place, use, image);
  const owner = use.snapshot === '' ? [] : [ownerWords(use)];
  return other === '' ? owner : [[...owner, other].join(text.separator)];
}

/** Where the other side of a place is, by one of its uses. */
export function otherWords(place: Place, use: PlaceUse, image: OpenImage): string {
  const text = words.part('map');
  const { guestOffset, fileOffset } = use;
  if (place.space === 'file') return guestOffset === undefined ? '' : text.onDisk(hex(guestOffset));
  const name = layerName(use, image);
  if (name !== '') {
    return fileOffset === undefined ? text.inLayerOnly(name) : text.inLayer(hex(fileOffset), name);
  }
  return fileOffset === undefined ? text.nowhere : text.inFile(hex(fileOffset));
}
