/**
 * Strings that are given to a sink in pieces, as their bytes come: so that one of half a gigabyte is
 * neither held twice nor stored in one step that lets nobody else run.
 *
 * @module
 */

import type { PushInput } from "./push_input.ts";
import type { SnapshotSink } from "./sink.ts";

/**
 * Strings of more bytes than this are given in pieces. As large as a chunk of a ship: what is no longer
 * lies in two chunks at most, its unit buffer stays (`PushInput`), and storing it whole takes some ten
 * microseconds. A larger limit saves nothing, since a string in pieces costs one call a chunk; a
 * smaller one would give in pieces what mostly lies whole in its chunk. It is far above what an entry
 * holds itself (`INLINE_BYTES_MAX`), so a string in pieces is always a blob.
 */
export const LONG_STRING_BYTES = 65_536;

/** Gives `sink` what is at hand of a string that has `left` bytes to come. Returns what is left then. */
export function givePiece(input: PushInput, left: number, sink: SnapshotSink): number {
  const start = input.at;
  const stop = Math.min(input.end, start + left);
  if (stop === start) return left;
  sink.stringPiece(input.buf, start, stop);
  input.at = stop;
  input.unitDone();
  return left - (stop - start);
}
