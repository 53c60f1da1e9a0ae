/**
 * When a file is worth being filled ahead (`aof_seals.ts`): behind several syncs of little, and not soon
 * after it came to nothing.
 *
 * @module
 */

/** Syncs of a file that is not filled before it is: a few writes are not worth it. */
export const SYNCS_BEFORE_FILLING = 16;
/** The same where groups were too large for one seal again and again: it doubles up to this. */
export const SYNCS_BEFORE_FILLING_MAX = 16_384;
/** A file is not filled for groups that are larger of late: writing them twice takes longer than is won. */
export const FILLED_GROUP_BYTES_MAX = 16_384;
/** After a filling that failed (a full disk), none is tried for so many ms. */
export const RETRY_FILLING_MS = 60_000;
/** Of how many of the latest syncs `#groupBytes` is the mean, roughly. */
const SYNCS_OF_MEAN = 8;

/** See the module's text. */
export class FillingPace {
  /** How many bytes a sync covers of late. */
  #groupBytes = 0;
  /** Syncs since the file was begun, or cut. */
  #syncs = 0;
  #syncsBefore = SYNCS_BEFORE_FILLING;
  #fromMs = -Infinity;

  /** So many bytes were synced. */
  synced(bytes: number): void {
    this.#groupBytes += (bytes - this.#groupBytes) / SYNCS_OF_MEAN;
    this.#syncs++;
  }

  /** A file is plain: a new one, or what was filled was cut off. */
  isPlain(): void {
    this.#syncs = 0;
  }

  /** A group is too large for a filled file, which is plain therefore. */
  wasTooLarge(): void {
    this.#syncsBefore = Math.min(this.#syncsBefore * 2, SYNCS_BEFORE_FILLING_MAX);
  }

  /** What was filled has been used, and more is there. */
  wasUsed(): void {
    this.#syncsBefore = SYNCS_BEFORE_FILLING;
  }

  /** Filling failed. */
  failed(nowMs: number): void {
    this.#fromMs = nowMs + RETRY_FILLING_MS;
  }

  /** Whether a plain file is to be filled. */
  isDue(nowMs: number): boolean {
    return this.#syncs >= this.#syncsBefore && this.isDueForMore(nowMs);
  }

  /** Whether a filled one of which much is used is to be filled for more. */
  isDueForMore(nowMs: number): boolean {
    return this.#groupBytes <= FILLED_GROUP_BYTES_MAX && nowMs >= this.#fromMs;
  }
}
