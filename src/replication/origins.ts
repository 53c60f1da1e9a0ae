/**
 * What a shard that follows another knows of both numberings: which frame of its upstream's became
 * which frame of its own. With it a node that is promoted can go on for those who followed the same
 * upstream: they name the upstream's history and an offset, and are told the offset that it has here.
 *
 *     upstream   history a   ...  40  41  42  43  44
 *     here       history b   ...  17  18      19  20      42 was a SELECT, said here with the next write
 *
 * Most frames become one frame, so a line of an upstream is kept as points, from each of which the two
 * numberings run side by side until the next. A frame that becomes none or several makes a point, and
 * so does one behind which another database is spoken of here: who goes on here has to be told it.
 *
 * The other way round it says which offset of the upstream's a frame of ours is. Those who follow this
 * node are told, so that they can go on with that upstream when this node is lost.
 *
 * A write that came from elsewhere (a client of a writable replica) makes the data another than the
 * upstream's, and what was known worthless.
 *
 * @module
 */

/** Lines that are remembered: each restart of an upstream begins one. */
export const ORIGIN_LINES_MAX = 4;
/** Points of a line; further ones push out the older half. */
export const ORIGIN_POINTS_MAX = 8192;

/** Numbers of a point: offset there, offset here, database of our line there, of the upstream's. */
const WIDTH = 4;

/** Where an upstream's offset lies in our own line. */
export interface OwnPlace {
  /** The frame of ours that is next for who has everything before the upstream's. */
  readonly offset: number;
  /** Database that our line speaks of there; -1 when the next frame says it. */
  readonly db: number;
}

/** A place in a node's line of offsets. */
export interface LinePlace {
  /** The line's history. */
  readonly history: string;
  /** The next frame. */
  readonly offset: number;
  /** Database of which the line speaks there. */
  readonly db: number;
}

/** From frame `own` of ours on, until the next point, ours run side by side with those of `LinePlace`. */
export interface OriginPoint extends LinePlace {
  /** The first of ours. */
  readonly own: number;
}

/** Why an offset cannot be told: older than what is remembered, never seen, or of another line. */
export type UnknownOrigin = "evicted" | "ahead" | "otherHistory";

/** One upstream's line. */
interface Line {
  readonly history: string;
  readonly points: number[];
  /** The upstream's frame to come. */
  stop: number;
}

/** See the module's text. */
export class Origins {
  /** The newest is last. */
  #lines: Line[] = [];
  /** Changes with all that `pointsFrom` tells. */
  version = 0;
  /** Frames of ours that changed data, messages left out, when the last upstream frame was applied. */
  #writes = 0;

  /** Nothing is known any more. */
  clear(): void {
    if (this.#lines.length > 0) this.version++;
    this.#lines = [];
  }

  /**
   * Our data is that of a line before `place`, and nothing that was known before is true of it.
   * `own` is our next frame, `writes` how many frames of ours have changed data.
   */
  begin(place: LinePlace, own: OwnPlace, writes: number): void {
    this.clear();
    this.add(place, own, writes);
  }

  /** As `begin`, where all that was known stays true. */
  add({ history, offset, db }: LinePlace, own: OwnPlace, writes: number): void {
    this.#writes = writes;
    this.#push({ history, points: [offset, own.offset, own.db, db], stop: offset });
  }

  #push(line: Line): void {
    this.version++;
    const others = this.#lines.filter(({ history }) => history !== line.history);
    this.#lines = [...others.slice(1 - ORIGIN_LINES_MAX), line];
  }

  /**
   * A link goes on at a place of its upstream's line, where our data stands. `isRenumbered`: the offset
   * is another than in the line before. Does nothing when nothing is known.
   */
  continue({ history, offset, db }: LinePlace, isRenumbered: boolean, own: OwnPlace): void {
    const line = this.#lines.at(-1);
    if (line === undefined || line.history === history) return;
    if (!isRenumbered && line.stop !== offset) return this.clear();
    // An upstream that restarted goes on in the numbers that it had: they are true in the new line too.
    const points = isRenumbered ? [offset, own.offset, own.db, db] : [...line.points];
    this.#push({ history, points, stop: offset });
  }

  /** Takes note of how many frames of ours have changed data: those so far are the upstream's. */
  take(writes: number): void {
    this.#writes = writes;
  }

  /**
   * Looks whether others than the upstream have made frames since `take`, `own` being the next one, in
   * database `db`. Writes end what is known; messages of our own clients are passed over.
   */
  check(own: number, db: number, writes: number): void {
    if (writes !== this.#writes) return this.clear();
    const line = this.#lines.at(-1);
    if (line === undefined || this.reaches(own, writes)) return;
    this.applied(line.stop, own, db, line.points[line.points.length - 1]);
  }

  /** Whether our data is the upstream's and nothing else, as far as is known. */
  isPure(writes: number): boolean {
    return this.#lines.length > 0 && writes === this.#writes;
  }

  /**
   * Whether all our frames before `own`, the next one, are the upstream's: neither writes nor messages of
   * our own clients are behind them.
   */
  reaches(own: number, writes: number): boolean {
    if (!this.isPure(writes)) return false;
    const { points, stop } = this.#lines[this.#lines.length - 1];
    const last = points.length - WIDTH;
    return own === points[last + 1] + stop - points[last];
  }

  /**
   * Everything before `offset` of the upstream is applied, and `own` is our next frame; there it speaks
   * of database `upstreamDb`, here of `db`.
   */
  applied(offset: number, own: number, db: number, upstreamDb: number): void {
    const { length } = this.#lines;
    if (length === 0) return;
    const line = this.#lines[length - 1];
    const { points } = line;
    const last = points.length - WIDTH;
    line.stop = offset;
    if (
      own - points[last + 1] === offset - points[last] && db === points[last + 2] &&
      upstreamDb === points[last + 3]
    ) return;
    this.version++;
    points.push(offset, own, db, upstreamDb);
    if (points.length > ORIGIN_POINTS_MAX * WIDTH) {
      points.splice(0, (ORIGIN_POINTS_MAX >>> 1) * WIDTH);
    }
  }

  /** Where the frame `offset` of `history` lies here. */
  find(history: string, offset: number): OwnPlace | UnknownOrigin {
    const line = this.#lines.findLast((each) => each.history === history);
    if (line === undefined) return "otherHistory";
    if (offset > line.stop) return "ahead";
    const { points } = line;
    if (offset < points[0]) return "evicted";
    const at = lastPoint(points, 0, offset);
    return { offset: points[at + 1] + offset - points[at], db: points[at + 2] };
  }

  /**
   * What our frames from `own` on are in the line of the upstream that is followed, or was last: the point
   * that covers `own`, if one does, and those behind it, or only the latest `most` of them.
   */
  pointsFrom(own: number, most: number): OriginPoint[] {
    const line = this.#lines.at(-1);
    if (line === undefined) return [];
    const { history, points } = line;
    let first = own < points[1] ? 0 : lastPoint(points, 1, own);
    const next = first + WIDTH;
    // It may lie in the middle of what one frame of the upstream's became.
    const covers = next >= points.length || points[first] + own - points[first + 1] < points[next];
    if (!covers) first = next;
    const told: OriginPoint[] = [];
    for (let at = Math.max(first, points.length - most * WIDTH); at < points.length; at += WIDTH) {
      told.push({ history, offset: points[at], own: points[at + 1], db: points[at + 3] });
    }
    return told;
  }
}

/** Index of the last point whose number `which` is at most `value`, as that of the first one is. */
function lastPoint(points: readonly number[], which: number, value: number): number {
  let low = 0;
  let high = points.length / WIDTH;
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (points[middle * WIDTH + which] <= value) low = middle;
    else high = middle;
  }
  return low * WIDTH;
}
