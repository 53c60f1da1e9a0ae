/**
 * The latency monitor: for each kind of event, the last times at which it took long. LATENCY shows
 * them.
 *
 * As in Redis (latency.c) a kind keeps 160 samples, and of one second only the worst, so a bad minute
 * does not push the last hour out.
 *
 * @module
 */

/** Samples kept of one kind of event (Redis's `LATENCY_TS_LEN`). */
export const LATENCY_SAMPLES_MAX = 160;
/** Kinds of events. shoal has a handful of its own; the bound is against a mistake, not for users. */
export const LATENCY_EVENTS_MAX = 64;

/** One time that an event took long. */
export interface LatencySample {
  /** Unix time in seconds. */
  readonly unixSeconds: number;
  /** How long it took, in whole ms. */
  readonly ms: number;
}

/** What LATENCY LATEST says of one kind of event. */
export interface LatestLatency extends LatencySample {
  /** Its name. */
  readonly event: string;
  /** The longest ever, in whole ms. */
  readonly maxMs: number;
}

/** A ring of samples. */
class Series {
  readonly #seconds = new Float64Array(LATENCY_SAMPLES_MAX);
  readonly #ms = new Float64Array(LATENCY_SAMPLES_MAX);
  #next = 0;
  #count = 0;
  maxMs = 0;

  add(unixSeconds: number, ms: number): void {
    if (ms > this.maxMs) this.maxMs = ms;
    const last = this.#before(1);
    if (this.#count > 0 && this.#seconds[last] === unixSeconds) {
      if (ms > this.#ms[last]) this.#ms[last] = ms;
      return;
    }
    this.#seconds[this.#next] = unixSeconds;
    this.#ms[this.#next] = ms;
    this.#next = (this.#next + 1) % LATENCY_SAMPLES_MAX;
    if (this.#count < LATENCY_SAMPLES_MAX) this.#count++;
  }

  latest(): LatencySample {
    return this.#at(this.#before(1));
  }

  /** Oldest first. */
  all(): LatencySample[] {
    const samples: LatencySample[] = [];
    for (let back = this.#count; back > 0; back--) samples.push(this.#at(this.#before(back)));
    return samples;
  }

  #before(n: number): number {
    return (this.#next - n + LATENCY_SAMPLES_MAX) % LATENCY_SAMPLES_MAX;
  }

  #at(i: number): LatencySample {
    return { unixSeconds: this.#seconds[i], ms: this.#ms[i] };
  }
}

/** See the module's text. */
export class Latency {
  /** Least duration in ms that is kept (`latency-monitor-threshold`); 0 keeps none. */
  thresholdMs: number;
  readonly #series = new Map<string, Series>();

  /** A monitor without samples. */
  constructor(thresholdMs: number) {
    this.thresholdMs = thresholdMs;
  }

  /** An event took `ms` at `nowUnixMs`. Costs two comparisons when that is not long enough to keep. */
  note(event: string, ms: number, nowUnixMs: number): void {
    const threshold = this.thresholdMs;
    if (threshold <= 0 || ms < threshold) return;
    let series = this.#series.get(event);
    if (series === undefined) {
      if (this.#series.size >= LATENCY_EVENTS_MAX) return;
      series = new Series();
      this.#series.set(event, series);
    }
    series.add(Math.floor(nowUnixMs / 1000), Math.floor(ms));
  }

  /** The newest sample of each kind. */
  latest(): LatestLatency[] {
    return Array.from(
      this.#series,
      ([event, series]) => ({ event, ...series.latest(), maxMs: series.maxMs }),
    );
  }

  /** The samples of a kind, oldest first; none of an unknown one. */
  history(event: string): LatencySample[] {
    return this.#series.get(event)?.all() ?? [];
  }

  /** Forgets these kinds, all of them if none is named; how many there were. */
  reset(events: readonly string[] = []): number {
    if (events.length === 0) {
      const kinds = this.#series.size;
      this.#series.clear();
      return kinds;
    }
    let kinds = 0;
    for (const event of events) if (this.#series.delete(event)) kinds++;
    return kinds;
  }
}
