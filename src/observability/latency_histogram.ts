/**
 * How long the runs of one command take, as a distribution: LATENCY HISTOGRAM and INFO latencystats show
 * it.
 *
 * Times are counted by ranges of which each is 1/32 of its octave or less, so what is told of a time is at
 * most 3 % too much; nothing is told of times above a second but that they were. Redis (server.c) counts
 * in the same way, in ranges of 1/128.
 *
 * @module
 */

/** Ranges that an octave is cut into. */
const RANGES = 32;
const RANGES_BITS = 5;
/** Longest time that is told from longer ones, in ns (Redis's `LATENCY_HISTOGRAM_MAX_VALUE`). */
const NS_MAX = 1_000_000_000;
const COUNTERS = indexOf(NS_MAX) + 1;
/** First step of the cumulative form, in ns; each next one is twice as far. */
const FIRST_STEP_NS = 1_024;
/** Redis shows a step as the end of its own range there, which is a 128th above it. */
const SHOWN_RANGES = 128;

/** Runs that took no longer than a time. */
export interface LatencyStep {
  /** The time, in whole microseconds. */
  readonly microseconds: number;
  /** How many there were. */
  readonly runs: number;
}

/** See the module's text. */
export class LatencyHistogram {
  /** Runs counted, by weight. */
  #total = 0;
  #counts: Float64Array | null = null;

  /** Counts a run that stands for `weight` of them. */
  add(microseconds: number, weight: number): void {
    const counts = this.#counts ??= new Float64Array(COUNTERS);
    const ns = Math.min(Math.max(0, Math.round(microseconds * 1_000)), NS_MAX);
    counts[indexOf(ns)] += weight;
    this.#total += weight;
  }

  /** Whether nothing was counted. */
  get isEmpty(): boolean {
    return this.#total === 0;
  }

  /** Forgets everything. */
  reset(): void {
    this.#counts = null;
    this.#total = 0;
  }

  /** A time in microseconds that `percent` of the runs did not exceed; 0 when there were none. */
  percentile(percent: number): number {
    const counts = this.#counts;
    if (counts === null) return 0;
    const wanted = Math.max(1, this.#total * percent / 100);
    let runs = 0;
    let last = 0;
    for (let i = 0; i < COUNTERS; i++) {
      if (counts[i] === 0) continue;
      last = endOf(i) / 1_000;
      runs += counts[i];
      if (runs >= wanted) break;
    }
    return last;
  }

  /** How many of `runs` took how long: each step at which there are more, up to all of them. */
  steps(runs: number): LatencyStep[] {
    const steps: LatencyStep[] = [];
    const counts = this.#counts;
    if (counts === null) return steps;
    let counted = 0;
    let shown = 0;
    for (let i = 0, stepNs = FIRST_STEP_NS; counted < this.#total; stepNs *= 2) {
      while (i < COUNTERS && startOf(i) <= stepNs) counted += counts[i++];
      const upTo = Math.round(counted / this.#total * runs);
      if (upTo === shown) continue;
      const shownNs = stepNs + stepNs / SHOWN_RANGES - 1;
      steps.push({ microseconds: Math.floor(shownNs / 1_000), runs: upTo });
      shown = upTo;
    }
    return steps;
  }
}

/** The range that a time in ns lies in. */
function indexOf(ns: number): number {
  if (ns < 2 * RANGES) return ns;
  const shift = 31 - Math.clz32(ns) - RANGES_BITS;
  return shift * RANGES + (ns >>> shift);
}

/** The first time of a range, in ns. */
function startOf(index: number): number {
  if (index < 2 * RANGES) return index;
  const shift = Math.floor(index / RANGES) - 1;
  return (index - shift * RANGES) * 2 ** shift;
}

/** The last time of a range, in ns. */
function endOf(index: number): number {
  return startOf(index + 1) - 1;
}
