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
 * A write that came from elsewhere (a client of a writable replica) makes the data another than the
 * upstream's, and what was known worthless.
 *
 * @module
 */

/** Lines that are remembered: each restart of an upstream begins one. */
export const ORIGIN_LINES_MAX = 4;
/** Points of a line; further ones push out the older half. */
export const ORIGIN_POINTS_MAX = 8192;

/** Numbers of a point: offset there, offset here, database of our line there. */
const WIDTH = 3;

/** Where an upstream's offset lies in our own line. */
export interface OwnPlace {
  /** The frame of ours that is next for who has everything before the upstream's. */
  readonly offset: number;
  /** Database that our line speaks of there; -1 when the next frame says it. */
  readonly db: number;
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
  /** Frames of ours that changed data, messages left out, when the last upstream frame was applied. */
  #writes = 0;

  /** Nothing is known any more. */
  clear(): void {
    this.#lines = [];
  }

  /**
   * Our data is that of `history` before `offset`, and nothing that was known before is true of it.
   * `own` is our next frame, `writes` how many frames of ours have changed data.
   */
  begin(history: string, offset: number, own: OwnPlace, writes: number): void {
    this.clear();
    this.add(history, offset, own, writes);
  }

  /** As `begin`, where all that was known stays true. */
  add(history: string, offset: number, own: OwnPlace, writes: number): void {
    this.#writes = writes;
    this.#push({ history, points: [offset, own.offset, own.db], stop: offset });
  }

  #push(line: Line): void {
    const others = this.#lines.filter(({ history }) => history !== line.history);
    this.#lines = [...others.slice(1 - ORIGIN_LINES_MAX), line];
  }

  /**
   * A link goes on with `history` at `offset`, where our data stands. `isRenumbered`: the offset is
   * another than in the line before. Does nothing when nothing is known.
   */
  continue(history: string, offset: number, isRenumbered: boolean, own: OwnPlace): void {
    const line = this.#lines.at(-1);
    if (line === undefined || line.history === history) return;
    if (!isRenumbered && line.stop !== offset) return this.clear();
    // An upstream that restarted goes on in the numbers that it had: they are true in the new line too.
    const points = isRenumbered ? [offset, own.offset, own.db] : [...line.points];
    this.#push({ history, points, stop: offset });
  }

  /** Takes note of how many frames of ours have changed data: those so far are the upstream's. */
  take(writes: number): void {
    this.#writes = writes;
  }

  /** Looks whether other writes than the upstream's have come since `take`; they end what is known. */
  check(writes: number): void {
    if (writes !== this.#writes) this.clear();
  }

  /** Whether our data is the upstream's and nothing else, as far as is known. */
  isPure(writes: number): boolean {
    return this.#lines.length > 0 && writes === this.#writes;
  }

  /** Everything before `offset` of the upstream is applied, and `own`, in `db`, is our next frame. */
  applied(offset: number, own: number, db: number): void {
    const { length } = this.#lines;
    if (length === 0) return;
    const line = this.#lines[length - 1];
    const { points } = line;
    const last = points.length - WIDTH;
    line.stop = offset;
    if (own - points[last + 1] === offset - points[last] && db === points[last + 2]) return;
    points.push(offset, own, db);
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
    let low = 0;
    let high = points.length / WIDTH;
    while (high - low > 1) {
      const middle = (low + high) >>> 1;
      if (points[middle * WIDTH] <= offset) low = middle;
      else high = middle;
    }
    const at = low * WIDTH;
    return { offset: points[at + 1] + offset - points[at], db: points[at + 2] };
  }
}
