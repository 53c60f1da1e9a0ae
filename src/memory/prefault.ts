/**
 * Fresh memory, touched before it is needed.
 *
 * A reserved page gets memory when it is first touched: the system clears it then, and on a virtual
 * machine that reports free memory to its host, the host first has to give it back. For a page of
 * 2 MiB that took 4 to 5 ms (measured), in the middle of whatever command came there first. So
 * another thread touches the pages shortly before the arena cuts them.
 *
 * @module
 */

import type { Arena } from "./arena.ts";

/** Smallest page that any system has; larger ones are touched more often than it takes. */
const PAGE_BYTES = 4_096;
/**
 * Fresh memory that is kept touched ahead of what is used. It is held for nothing until then, so it
 * is little; more is asked for when half of it is used, which at 200 MB/s leaves 20 ms for it.
 */
export const AHEAD_BYTES = 8_388_608;

/**
 * Has the system give memory for bytes `start..stop` of `memory`, which keep their values. Any thread
 * may do so while others write there.
 */
export function touchPages(memory: SharedArrayBuffer, start: number, stop: number): void {
  const words = new Int32Array(memory, start, (stop - start) >> 2);
  const step = PAGE_BYTES >> 2;
  // A read would be answered with a page of zeros that all share; this is a write of what is there.
  for (let i = 0; i < words.length; i += step) Atomics.or(words, i, 0);
}

/** Has another thread call `touchPages`; false when there is none now. */
export type TouchElsewhere = (memory: SharedArrayBuffer, start: number, stop: number) => boolean;

/** Keeps `AHEAD_BYTES` touched ahead of what `arena` has used, once it has used as much itself. */
export function prefault(arena: Arena, touch: TouchElsewhere): void {
  let aheadTo = 0;
  arena.cutFresh = (usedTo) => {
    if (usedTo < AHEAD_BYTES || usedTo + AHEAD_BYTES / 2 < aheadTo) return;
    const start = Math.max(usedTo, aheadTo);
    const stop = Math.min(usedTo + AHEAD_BYTES, arena.sizeBytes);
    if (start < stop && touch(arena.memory, start, stop)) aheadTo = stop;
  };
}
