import type { Durability } from "../../src/shard/durability.ts";

/** Nothing is kept, so nothing is promised. */
export const NOT_KEPT: Durability = {
  endTurn() {},
  whenRoom: () => null,
  isDurable: true,
  whenDurable: () => Promise.resolve(),
  appended: () => [],
  isDurableUpTo: () => true,
  syncedSequence: -1,
};
