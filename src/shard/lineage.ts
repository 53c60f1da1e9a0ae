/**
 * Which line of offsets a shard is on. Offsets mean something only together with a history id: a
 * new id makes old offsets meaningless instead of wrong.
 *
 * @module
 */

/** Forty random lower-case hex digits: a history id, a node id. */
export function randomId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(20));
  return Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
}

/** See the module's text. */
export interface Lineage {
  /** Id of the present history. */
  readonly id: string;
  /**
   * Whether every key of the shard came through this history's frames, from offset 0 on: then a
   * replica without history may start at 0.
   */
  readonly beganEmpty: boolean;
  /** Id of the history that the data came from (a file), or null. */
  readonly previousId: string | null;
  /** The offset up to which the shard's data contains that history exactly. */
  readonly previousUpTo: number;
}

/** A history that goes on from nothing else. */
export function newLineage(beganEmpty: boolean): Lineage {
  return { id: randomId(), beganEmpty, previousId: null, previousUpTo: 0 };
}

/** A history that goes on where data with a known past ends. */
export function continuedLineage(previousId: string, previousUpTo: number): Lineage {
  return { id: randomId(), beganEmpty: false, previousId, previousUpTo };
}
