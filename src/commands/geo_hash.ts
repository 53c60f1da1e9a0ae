/**
 * Geohashes as Redis scores positions by: longitude and latitude, 26 bits each, interleaved into 52
 * that a double holds exactly. Also distances on the sphere.
 *
 * Cells are kept as two integers, row and column, of as many bits as the hash has steps; no BigInt is
 * made of them.
 *
 * @module
 */

/** Longitudes go to this in both directions. */
export const LONGITUDE_MAX = 180;
/** Latitudes go to this in both directions: where the Mercator projection is cut off to be a square. */
export const LATITUDE_MAX = 85.05112878;
/** Bits of a coordinate in a score. */
export const STEPS_MAX = 26;
/** Latitudes of geohashes as others write them. */
const STANDARD_LATITUDE_MAX = 90;

const EARTH_RADIUS_M = 6_372_797.560856;
/** Half of the equator in Mercator's metres. */
const MERCATOR_MAX_M = 20_037_726.37;
const RADIANS = Math.PI / 180;

const ALPHABET = "0123456789bcdefghjkmnpqrstuvwxyz";
const HASH_CHARS = 11;

const HALF_BITS = 13;
const HALF_MASK: number = 2 ** HALF_BITS - 1;
const TWO_26: number = 2 ** 26;

/** No position's score is so high. */
const SCORE_STOP: number = 2 ** 54;

/** Spreads up to 16 bits, each with a zero before it. */
function spread(bits: number): number {
  bits = (bits | (bits << 8)) & 0x00ff00ff;
  bits = (bits | (bits << 4)) & 0x0f0f0f0f;
  bits = (bits | (bits << 2)) & 0x33333333;
  return (bits | (bits << 1)) & 0x55555555;
}

/** Takes every second bit: undoes `spread`. */
function gather(bits: number): number {
  bits &= 0x55555555;
  bits = (bits | (bits >>> 1)) & 0x33333333;
  bits = (bits | (bits >>> 2)) & 0x0f0f0f0f;
  bits = (bits | (bits >>> 4)) & 0x00ff00ff;
  return (bits | (bits >>> 8)) & 0x0000ffff;
}

/** The bits of row and column, in turns, the column's first. */
export function interleave(row: number, column: number): number {
  const low = spread(row & HALF_MASK) | (spread(column & HALF_MASK) << 1);
  const high = spread(row >>> HALF_BITS) | (spread(column >>> HALF_BITS) << 1);
  return high * TWO_26 + low;
}

/** Row, counted from the south, of a latitude where there are `2 ** steps` up to `latitudeMax`. */
function rowOf(latitude: number, steps: number, latitudeMax: number): number {
  return Math.trunc((latitude + latitudeMax) / (2 * latitudeMax) * 2 ** steps);
}

/** Column, counted from the west, of a longitude where there are `2 ** steps`. */
export function columnAt(longitude: number, steps: number): number {
  return Math.trunc((longitude + LONGITUDE_MAX) / (2 * LONGITUDE_MAX) * 2 ** steps);
}

/** Row of a latitude where there are `2 ** steps`. */
export function rowAt(latitude: number, steps: number): number {
  return rowOf(latitude, steps, LATITUDE_MAX);
}

/** Latitude of the southern edge of a row. */
export function latitudeOf(row: number, steps: number): number {
  return -LATITUDE_MAX + row / 2 ** steps * (2 * LATITUDE_MAX);
}

/** Longitude of the western edge of a column. */
export function longitudeOf(column: number, steps: number): number {
  return -LONGITUDE_MAX + column / 2 ** steps * (2 * LONGITUDE_MAX);
}

/** The score of a position, whose coordinates are within the limits. */
export function scoreOfPosition(longitude: number, latitude: number): number {
  // On the outermost edges row or column have a bit more, and the score with them, as in Redis.
  return interleave(rowAt(latitude, STEPS_MAX), columnAt(longitude, STEPS_MAX));
}

/** Longitude in the middle of the cell that a score stands for. */
export function longitudeOfScore(score: number): number {
  const bits = cellBits(score);
  const high = Math.floor(bits / TWO_26);
  const column = (gather(high >>> 1) << HALF_BITS) | gather((bits % TWO_26) >>> 1);
  return clamp(
    middle(longitudeOf(column, STEPS_MAX), longitudeOf(column + 1, STEPS_MAX)),
    LONGITUDE_MAX,
  );
}

/** Latitude in the middle of the cell that a score stands for. */
export function latitudeOfScore(score: number): number {
  const bits = cellBits(score);
  const high = Math.floor(bits / TWO_26);
  const row = (gather(high) << HALF_BITS) | gather(bits % TWO_26);
  return clamp(middle(latitudeOf(row, STEPS_MAX), latitudeOf(row + 1, STEPS_MAX)), LATITUDE_MAX);
}

/** The bits of a score; none of one that is no position, since any sorted set may be asked. */
function cellBits(score: number): number {
  return score > 0 && score < SCORE_STOP ? Math.trunc(score) : 0;
}

function middle(low: number, high: number): number {
  return (low + high) / 2;
}

function clamp(degrees: number, limit: number): number {
  return Math.max(-limit, Math.min(limit, degrees));
}

/**
 * The eleven characters of a score's position as the geohash that others use, whose latitudes go to
 * the poles. 52 bits fill ten of them; the last is always 0.
 */
export function geohashText(score: number): string {
  const row = rowOf(latitudeOfScore(score), STEPS_MAX, STANDARD_LATITUDE_MAX);
  const column = columnAt(longitudeOfScore(score), STEPS_MAX);
  const bits = interleave(row, column);
  let text = "";
  for (let i = 1; i < HASH_CHARS; i++) text += ALPHABET[Math.floor(bits / 2 ** (52 - i * 5)) % 32];
  return text + ALPHABET[0];
}

/** Metres between two latitudes. */
export function latitudeDistance(one: number, other: number): number {
  return EARTH_RADIUS_M * Math.abs(other * RADIANS - one * RADIANS);
}

/** Metres between two positions, over a sphere. */
export function distance(lon1: number, lat1: number, lon2: number, lat2: number): number {
  const v = Math.sin((lon2 * RADIANS - lon1 * RADIANS) / 2);
  if (v === 0) return latitudeDistance(lat1, lat2);
  const lat1r = lat1 * RADIANS;
  const lat2r = lat2 * RADIANS;
  const u = Math.sin((lat2r - lat1r) / 2);
  const a = u * u + Math.cos(lat1r) * Math.cos(lat2r) * v * v;
  return 2 * EARTH_RADIUS_M * Math.asin(Math.sqrt(a));
}

/** Degrees of latitude that so many metres are. */
export function latitudeDegrees(metres: number): number {
  return metres / EARTH_RADIUS_M / RADIANS;
}

/** Degrees of longitude that so many metres are on a latitude. */
export function longitudeDegrees(metres: number, latitude: number): number {
  return metres / EARTH_RADIUS_M / Math.cos(latitude * RADIANS) / RADIANS;
}

/** Steps at which a cell and its eight neighbours are likely to cover a circle of that radius. */
export function stepsForRadius(metres: number, latitude: number): number {
  if (metres === 0) return STEPS_MAX;
  let steps = -1;
  for (; metres < MERCATOR_MAX_M; metres *= 2) steps++;
  // Towards the poles cells are narrower in metres.
  if (Math.abs(latitude) > 66) steps--;
  if (Math.abs(latitude) > 80) steps--;
  return Math.max(1, Math.min(STEPS_MAX, steps));
}
