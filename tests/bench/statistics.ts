/**
 * The few statistics of the reports.
 *
 * @module
 */

/** The value below which `q` (0 to 1) of the values lie; nearest rank. NaN of none. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(q * sorted.length) - 1))];
}

/** The value in the middle, or the mean of the two there. NaN of none. */
export function median(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
}

/** The geometric mean, which is what ratios are averaged with. NaN of none. */
export function geometricMean(values: readonly number[]): number {
  if (values.length === 0) return NaN;
  return Math.exp(values.reduce((sum, value) => sum + Math.log(value), 0) / values.length);
}

/** What paired rounds gave: the median of their ratios, and how far they lie apart. */
export interface RatioSummary {
  /** Median of the rounds' ratios. */
  readonly median: number;
  /** Smallest. */
  readonly least: number;
  /** Greatest. */
  readonly greatest: number;
}

/** Sums up ratios of paired rounds. */
export function summarize(ratios: readonly number[]): RatioSummary {
  return { median: median(ratios), least: Math.min(...ratios), greatest: Math.max(...ratios) };
}
