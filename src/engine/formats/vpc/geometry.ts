/** Cylinders, heads and sectors: what Virtual PC takes for the size of a disk. */
import { SECTOR } from '../../binary/units.ts';

export interface Geometry {
  readonly cylinders: number;
  readonly heads: number;
  /** Of a track. */
  readonly sectors: number;
}

/** The largest geometry. It says nothing of the size but that the other one is meant. */
export const LARGEST: Geometry = { cylinders: 65535, heads: 16, sectors: 255 };

/** Sectors of a disk of that geometry. */
export function sectorsOf({ cylinders, heads, sectors }: Geometry): number {
  return cylinders * heads * sectors;
}

export const LARGEST_SECTORS = sectorsOf(LARGEST);

/** From here on, tracks have as many sectors as there can be. */
const LARGE = 65535 * 16 * 63;

/**
 * The geometry for a size, which holds as many sectors or somewhat fewer. Specification, «Appendix:
 * CHS Calculation».
 */
export function geometryFor(sectors: number): Geometry {
  const total = Math.min(sectors, LARGEST_SECTORS);
  if (total >= LARGE) return withTracks(total, 16, 255);
  const tracks = Math.floor(total / 17);
  const heads = Math.max(4, Math.ceil(tracks / 1024));
  if (tracks < heads * 1024 && heads <= 16) return withTracks(total, heads, 17);
  const sectorsOfTrack = Math.floor(total / 31) < 16 * 1024 ? 31 : 63;
  return withTracks(total, 16, sectorsOfTrack);
}

function withTracks(total: number, heads: number, sectors: number): Geometry {
  return { cylinders: Math.floor(Math.floor(total / sectors) / heads), heads, sectors };
}

/** A disk that can be made: how large it is, and its geometry. */
export interface Shape {
  readonly geometry: Geometry;
  /** Bytes. */
  readonly size: number;
}

/**
 * The smallest disk of at least `size` bytes that has a geometry of its own; with `exact`, and where
 * no geometry is large enough, the disk of that size with the largest geometry.
 * @param size whole sectors
 */
export function shapeFor(size: number, exact: boolean): Shape {
  if (exact) return { geometry: LARGEST, size };
  const wanted = Math.min(LARGEST_SECTORS, size / SECTOR);
  let geometry: Geometry = { cylinders: 0, heads: 0, sectors: 0 };
  // A geometry falls short by less than a cylinder.
  for (let more = 0; sectorsOf(geometry) < wanted; more++) geometry = geometryFor(wanted + more);
  if (sectorsOf(geometry) === LARGEST_SECTORS) return { geometry, size };
  return { geometry, size: sectorsOf(geometry) * SECTOR };
}
