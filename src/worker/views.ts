/**
 * Looking into images: their picture, structures and bytes, and what the guest keeps on the disk.
 * Loaded when somebody looks. Each view is in a file of its own; this is their door.
 */
import { compareStates } from './view-compare.ts';
import { contentsOf } from './view-contents.ts';
import { pictureOf, placeAt, runsFrom } from './view-picture.ts';
import { nodesAt, nodesOf, nodesTo } from './view-structure.ts';
import { readBytes, searchBytes } from './view-bytes.ts';
import type {
  AddressSpace,
  Bytes,
  CompareRequest,
  CompareResult,
  ContentsRequest,
  DiskContents,
  ImageId,
  Picture,
  PictureRequest,
  PictureRun,
  Place,
  SearchRequest,
  SearchResult,
  StructureNode,
} from './api.ts';
import type { Images } from './images.ts';
import type { JobContext } from './job.ts';

export class Views {
  readonly #images: Images;

  constructor(images: Images) {
    this.#images = images;
  }

  picture(request: PictureRequest, context: JobContext): Promise<Picture> {
    return pictureOf(request, context);
  }

  place(image: ImageId, space: AddressSpace, offset: number): Promise<Place> {
    return placeAt(this.#images, image, space, offset);
  }

  runs(image: ImageId, space: AddressSpace, offset: number, most: number): Promise<PictureRun[]> {
    return runsFrom(this.#images, image, space, offset, most);
  }

  nodes(image: ImageId, id: string, from: number, most: number): Promise<StructureNode[]> {
    return nodesOf(this.#images, image, id, from, most);
  }

  nodesAt(image: ImageId, offset: number): Promise<StructureNode[]> {
    return nodesAt(this.#images, image, offset);
  }

  nodesTo(image: ImageId, id: string): Promise<StructureNode[]> {
    return nodesTo(this.#images, image, id);
  }

  bytes(image: ImageId, space: AddressSpace, offset: number, length: number): Promise<Bytes> {
    return readBytes(this.#images, image, space, offset, length);
  }

  search(request: SearchRequest, context: JobContext): Promise<SearchResult> {
    return searchBytes(request, context);
  }

  contents(request: ContentsRequest, context: JobContext): Promise<DiskContents> {
    return contentsOf(request, context);
  }

  compare(request: CompareRequest, context: JobContext): Promise<CompareResult> {
    return compareStates(request, context);
  }
}

let views: Views | undefined;

/** The one door of this worker. */
export function viewsOf(images: Images): Views {
  views ??= new Views(images);
  return views;
}
