/**
 * Members of a sorted set of positions within a circle or a box: the cells of the geohash that cover
 * the shape are ranges of scores, and what is found in them is measured.
 *
 * What is found is kept as columns of numbers, so that a search over a million positions makes no
 * object for each.
 *
 * @module
 */

import type { Zsets } from "../keyspace/zset.ts";
import {
  columnAt,
  distance,
  interleave,
  latitudeDegrees,
  latitudeDistance,
  latitudeOf,
  latitudeOfScore,
  longitudeDegrees,
  longitudeOf,
  longitudeOfScore,
  rowAt,
  STEPS_MAX,
  stepsForRadius,
} from "./geo_hash.ts";

/** What is searched: a circle, or a box whose sides follow the compass. */
export class Shape {
  /** Longitude of its centre. */
  longitude = 0;
  /** Latitude of its centre. */
  latitude = 0;
  /** Whether it is a box. */
  isBox = false;
  /** Radius of a circle, in units. */
  radius = 0;
  /** Width of a box, in units. */
  width = 0;
  /** Height of a box, in units. */
  height = 0;
  /** Metres of a unit. */
  unitM = 1;

  /** Metres from the centre to a position, -1 if it lies outside. */
  distanceWithin(longitude: number, latitude: number): number {
    const { unitM } = this;
    if (!this.isBox) {
      const metres = distance(this.longitude, this.latitude, longitude, latitude);
      return metres > this.radius * unitM ? -1 : metres;
    }
    // The cheaper test comes first.
    if (latitudeDistance(latitude, this.latitude) > this.height * unitM / 2) return -1;
    if (distance(longitude, latitude, this.longitude, latitude) > this.width * unitM / 2) return -1;
    return distance(this.longitude, this.latitude, longitude, latitude);
  }
}

/** Neighbours of a cell in the order in which they are searched: steps to the east and to the north. */
const NEIGHBOURS: readonly (readonly [east: number, north: number])[] = [
  [0, 0],
  [0, 1],
  [0, -1],
  [1, 0],
  [-1, 0],
  [1, 1],
  [-1, 1],
  [1, -1],
  [-1, -1],
];

const NO_CELL = -1;

/** Positions found, in the order in which they were, or `sort` brings them into. */
export class Found {
  /** How many there are. */
  length = 0;
  /** What `Zsets.readPlace` takes. */
  places: Int32Array = new Int32Array(64);
  /** Score of each. */
  scores: Float64Array = new Float64Array(64);
  /** Metres of each from the centre. */
  distances: Float64Array = new Float64Array(64);
  /** Number of each in the order to be given. */
  order: Uint32Array = new Uint32Array(0);

  /** Adds one. */
  push(place: number, score: number, metres: number): void {
    const { length } = this;
    if (length === this.places.length) {
      this.places = larger(this.places, new Int32Array(length * 2));
      this.scores = larger(this.scores, new Float64Array(length * 2));
      this.distances = larger(this.distances, new Float64Array(length * 2));
    }
    this.places[length] = place;
    this.scores[length] = score;
    this.distances[length] = metres;
    this.length++;
  }

  /** Sets `order`: nearest first (1), farthest first (-1), or as they were found (0). */
  sort(direction: -1 | 0 | 1): void {
    const order = this.order = new Uint32Array(this.length);
    for (let i = 0; i < order.length; i++) order[i] = i;
    const { distances } = this;
    if (direction !== 0) order.sort((a, b) => direction * (distances[a] - distances[b]) || a - b);
  }
}

function larger<T extends Int32Array | Float64Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/** Searches a sorted set; stops after `limit` positions, 0 for none. */
export function search(zset: Zsets, shape: Shape, limit: number): Found {
  const found = new Found();
  const cells = coveringCells(shape);
  let last = NO_CELL;
  for (let i = 0; i < cells.bits.length; i++) {
    const bits = cells.bits[i];
    // Around the world, a neighbour on one side is that on the other, too.
    if (bits === NO_CELL || bits === last) continue;
    if (limit > 0 && found.length >= limit) break;
    searchCell(zset, shape, bits, cells.steps, limit, found);
    if (i > 0) last = bits;
  }
  return found;
}

function searchCell(
  zset: Zsets,
  shape: Shape,
  bits: number,
  steps: number,
  limit: number,
  found: Found,
): void {
  const scores = 4 ** (STEPS_MAX - steps);
  const stop = (bits + 1) * scores;
  for (
    let more = zset.seekRank(zset.rankOfScore(bits * scores, false));
    more && zset.score < stop;
    more = zset.next()
  ) {
    const longitude = longitudeOfScore(zset.score);
    const metres = shape.distanceWithin(longitude, latitudeOfScore(zset.score));
    if (metres < 0) continue;
    found.push(zset.place, zset.score, metres);
    if (limit > 0 && found.length >= limit) return;
  }
}

/** Cells of one size; the bits of each, `NO_CELL` for one that the shape does not reach. */
interface Cells {
  readonly steps: number;
  readonly bits: readonly number[];
}

/** The cell of the shape's centre and those of its neighbours that the shape reaches. */
function coveringCells(shape: Shape): Cells {
  const { longitude, latitude, unitM } = shape;
  const halfHeight = unitM * (shape.isBox ? shape.height / 2 : shape.radius);
  const halfWidth = unitM * (shape.isBox ? shape.width / 2 : shape.radius);
  const north = latitudeDegrees(halfHeight);
  // The side that is nearer to a pole is the wider one in degrees.
  const east = longitudeDegrees(halfWidth, latitude < 0 ? latitude - north : latitude + north);
  const minLongitude = longitude - east;
  const maxLongitude = longitude + east;
  const minLatitude = latitude - north;
  const maxLatitude = latitude + north;
  const reachM = shape.isBox
    ? Math.sqrt((shape.width / 2) ** 2 + (shape.height / 2) ** 2) * unitM
    : shape.radius * unitM;
  let steps = stepsForRadius(reachM, latitude);
  let row = rowAt(latitude, steps);
  let column = columnAt(longitude, steps);
  const fallsShort = latitudeOf(moved(row, 1, steps) + 1, steps) < maxLatitude ||
    latitudeOf(moved(row, -1, steps), steps) > minLatitude ||
    longitudeOf(moved(column, 1, steps) + 1, steps) < maxLongitude ||
    longitudeOf(moved(column, -1, steps), steps) > minLongitude;
  if (steps > 1 && fallsShort) {
    steps--;
    row = rowAt(latitude, steps);
    column = columnAt(longitude, steps);
  }
  const canLeaveOut = steps >= 2;
  const reachesSouth = !canLeaveOut || latitudeOf(row, steps) >= minLatitude;
  const reachesNorth = !canLeaveOut || latitudeOf(row + 1, steps) <= maxLatitude;
  const reachesWest = !canLeaveOut || longitudeOf(column, steps) >= minLongitude;
  const reachesEast = !canLeaveOut || longitudeOf(column + 1, steps) <= maxLongitude;
  const bits = NEIGHBOURS.map(([toEast, toNorth]) => {
    const isReached = (toNorth >= 0 || reachesSouth) && (toNorth <= 0 || reachesNorth) &&
      (toEast >= 0 || reachesWest) && (toEast <= 0 || reachesEast);
    if (!isReached) return NO_CELL;
    return interleave(moved(row, toNorth, steps), moved(column, toEast, steps));
  });
  return { steps, bits };
}

/** The row or column next to `n`, around the world. */
function moved(n: number, by: number, steps: number): number {
  return by === 0 ? n : (n + by + 2 ** steps) % 2 ** steps;
}
