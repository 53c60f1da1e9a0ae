/**
 * What INFO counts of a whole server: rates, error replies by their code, the lag of the event loop.
 *
 * @module
 */

/** Samples of the instantaneous rates, one each tick (as in Redis). */
const RATE_SAMPLES = 16;
/** Different error codes that are counted apart; a client must not be able to add codes for ever. */
const ERROR_CODES_MAX = 128;
/** Bytes of an error reply in which its code must end. */
const ERROR_CODE_BYTES_MAX = 32;

/** A rate per second over the last samples. */
export class Rate {
  readonly #samples = new Float64Array(RATE_SAMPLES);
  #next = 0;
  #lastTotal = 0;
  #lastMs = 0;

  /** Takes the total at a monotonic time. */
  sample(total: number, nowMs: number): void {
    const elapsedMs = nowMs - this.#lastMs;
    if (this.#lastMs > 0 && elapsedMs > 0) {
      this.#samples[this.#next] = (total - this.#lastTotal) * 1000 / elapsedMs;
      this.#next = (this.#next + 1) % RATE_SAMPLES;
    }
    this.#lastMs = nowMs;
    this.#lastTotal = total;
  }

  /** Mean of the samples. */
  get perSecond(): number {
    let sum = 0;
    for (const sample of this.#samples) sum += sample;
    return sum / RATE_SAMPLES;
  }
}

/** Counts of error replies by code (INFO errorstats). */
export class ErrorStats {
  /** All error replies. */
  total = 0;
  readonly #byCode = new Map<string, number>();

  /** Counts the error reply at `buf[at]`, its `-`. */
  count(buf: Uint8Array, at: number, stop: number): void {
    this.total++;
    let code = "";
    const last = Math.min(stop, at + 1 + ERROR_CODE_BYTES_MAX);
    for (let i = at + 1; i < last && buf[i] > 32; i++) code += String.fromCharCode(buf[i]);
    const before = this.#byCode.get(code);
    if (before === undefined && this.#byCode.size >= ERROR_CODES_MAX) return;
    this.#byCode.set(code, (before ?? 0) + 1);
  }

  /** Codes in order of their first appearance, with counts. */
  entries(): IterableIterator<[string, number]> {
    return this.#byCode.entries();
  }

  /** Forgets all (CONFIG RESETSTAT). */
  reset(): void {
    this.total = 0;
    this.#byCode.clear();
  }
}

/** The lag of the event loop: how late a timer of the server runs, in ms. */
export class LoopLag {
  /** Lag of the last tick. */
  lastMs = 0;
  /** Greatest lag since the start, or since CONFIG RESETSTAT. */
  maxMs = 0;
  /** A mean that forgets: each tick counts a sixteenth. */
  meanMs = 0;

  /** A tick that was due at `dueMs` ran at `nowMs`. */
  note(dueMs: number, nowMs: number): void {
    const lag = Math.max(0, nowMs - dueMs);
    this.lastMs = lag;
    if (lag > this.maxMs) this.maxMs = lag;
    this.meanMs += (lag - this.meanMs) / 16;
  }

  /** Forgets the maximum and the mean. */
  reset(): void {
    this.maxMs = 0;
    this.meanMs = 0;
  }
}
