/**
 * Keeps repeated log lines from flooding the log: a token bucket for each kind of line, and a count
 * of what it held back.
 *
 * Pure: time is an argument. The table of buckets is bounded; kinds past the bound share one bucket,
 * so that texts chosen by a peer cannot get around it.
 *
 * @module
 */

/** Lines of one kind that may come at once: enough to see who they are about. */
export const LOG_FLOOD_BURST_LINES = 100;
/** Lines of one kind a second after that. */
export const LOG_FLOOD_LINES_PER_SECOND = 10;
/** Kinds told apart; the code has fewer messages than this. */
export const LOG_FLOOD_KINDS_MAX = 512;

/** What `admit` says of a line that is to be left out. */
export const HELD_BACK: number = -1;

interface Bucket {
  tokens: number;
  filledAtMs: number;
  heldBack: number;
}

/** Limits to use instead of the module's; for tests. */
export interface FloodLimits {
  /** Lines that may come at once. */
  readonly burstLines: number;
  /** Lines a second after that. */
  readonly linesPerSecond: number;
  /** Kinds told apart. */
  readonly kindsMax: number;
}

const DEFAULT_LIMITS: FloodLimits = {
  burstLines: LOG_FLOOD_BURST_LINES,
  linesPerSecond: LOG_FLOOD_LINES_PER_SECOND,
  kindsMax: LOG_FLOOD_KINDS_MAX,
};

/** The buckets of one log. */
export class FloodGate {
  /** Lines held back so far, of all kinds. */
  heldBackTotal = 0;
  readonly #limits: FloodLimits;
  readonly #buckets = new Map<string, Bucket>();
  readonly #overflow: Bucket;

  /** A gate whose buckets are full. */
  constructor(limits: FloodLimits = DEFAULT_LIMITS) {
    this.#limits = limits;
    this.#overflow = { tokens: limits.burstLines, filledAtMs: 0, heldBack: 0 };
  }

  /**
   * Whether a line of this kind may be written at `nowMs` (monotonic milliseconds): `HELD_BACK`, or
   * how many of the kind were held back since the last that was written.
   */
  admit(kind: string, nowMs: number): number {
    const bucket = this.#bucketOf(kind, nowMs);
    this.#fill(bucket, nowMs);
    if (bucket.tokens < 1) {
      bucket.heldBack++;
      this.heldBackTotal++;
      return HELD_BACK;
    }
    bucket.tokens--;
    const heldBack = bucket.heldBack;
    bucket.heldBack = 0;
    return heldBack;
  }

  /**
   * Tells of the kinds whose flood is over: each that held lines back and may write again is passed
   * to `report` with the count, which starts anew. Kinds beyond the table are reported as `""`.
   */
  settle(nowMs: number, report: (kind: string, heldBack: number) => void): void {
    for (const [kind, bucket] of this.#buckets) this.#settleOne(kind, bucket, nowMs, report);
    this.#settleOne("", this.#overflow, nowMs, report);
  }

  #settleOne(
    kind: string,
    bucket: Bucket,
    nowMs: number,
    report: (kind: string, heldBack: number) => void,
  ): void {
    if (bucket.heldBack === 0) return;
    this.#fill(bucket, nowMs);
    if (bucket.tokens < 1) return;
    bucket.tokens--;
    const heldBack = bucket.heldBack;
    bucket.heldBack = 0;
    report(kind, heldBack);
  }

  #fill(bucket: Bucket, nowMs: number): void {
    const { burstLines, linesPerSecond } = this.#limits;
    const earned = (nowMs - bucket.filledAtMs) * linesPerSecond / 1000;
    bucket.tokens = Math.min(burstLines, bucket.tokens + Math.max(0, earned));
    bucket.filledAtMs = Math.max(bucket.filledAtMs, nowMs);
  }

  #bucketOf(kind: string, nowMs: number): Bucket {
    let bucket = this.#buckets.get(kind);
    if (bucket !== undefined) return bucket;
    if (this.#buckets.size >= this.#limits.kindsMax && !this.#forgetAnIdleKind(nowMs)) {
      return this.#overflow;
    }
    bucket = { tokens: this.#limits.burstLines, filledAtMs: nowMs, heldBack: 0 };
    this.#buckets.set(kind, bucket);
    return bucket;
  }

  /** A full bucket is the same as none, so dropping one changes nothing. */
  #forgetAnIdleKind(nowMs: number): boolean {
    for (const [kind, bucket] of this.#buckets) {
      this.#fill(bucket, nowMs);
      if (bucket.tokens < this.#limits.burstLines || bucket.heldBack > 0) continue;
      this.#buckets.delete(kind);
      return true;
    }
    return false;
  }
}
