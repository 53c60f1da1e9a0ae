/**
 * The frames between an upstream's `MULTI` and `EXEC`, held until they are all there, so that what
 * was one transaction there is one here: nobody sees half of it, and a link that ends in the middle
 * has applied nothing of it.
 *
 * @module
 */

import { ascii, equalsFolded } from "../base/ascii.ts";
import { RequestQueue } from "../commands/request_queue.ts";
import type { FrameArguments } from "./applier.ts";

const MULTI = ascii("MULTI");
const EXEC = ascii("EXEC");

/**
 * Bytes of frames that one unit may have: what a primary with the default `client-query-buffer-limit`
 * can queue for one EXEC. A larger unit ends the link, and a snapshot brings what was in it.
 */
export const UNIT_BYTES_MAX: number = 1024 * 1024 * 1024;

/** Answer of `take`: the frame stands for itself. */
export const NOT_HELD = 0;
/** Answer of `take`: the frame is part of a unit that is not whole yet. */
export const HELD_BACK = 1;
/** Answer of `take`: the frame completes the unit in `frames`; `close` it once it is applied. */
export const WHOLE = 2;

/** Why a frame cannot be where it is. */
export type UnitError = "NestedUnit" | "StrayExec" | "UnitTooLarge";

/** See the module's text. */
export class HeldUnit {
  /** The frames held. */
  readonly frames = new RequestQueue();
  /** Whether a unit has begun and not ended. */
  isOpen = false;
  readonly #limitBytes: number;

  /** Holds up to `limitBytes` of frames. */
  constructor(limitBytes: number = UNIT_BYTES_MAX) {
    this.#limitBytes = limitBytes;
  }

  /** Takes note of the next frame, `buf` being its bytes: what to do with it, or its error. */
  take(buf: Uint8Array, frame: FrameArguments): number | UnitError {
    const { argc, starts, stops } = frame;
    if (argc === 1) {
      const isMulti = equalsFolded(buf, starts[0], stops[0], MULTI);
      if (isMulti && this.isOpen) return "NestedUnit";
      if (isMulti) {
        this.isOpen = true;
        return HELD_BACK;
      }
      if (equalsFolded(buf, starts[0], stops[0], EXEC)) return this.isOpen ? WHOLE : "StrayExec";
    }
    if (!this.isOpen) return NOT_HELD;
    return this.frames.push(buf, starts, stops, argc, this.#limitBytes)
      ? HELD_BACK
      : "UnitTooLarge";
  }

  /** Forgets the unit: it is applied, or its link has ended. */
  close(): void {
    this.isOpen = false;
    this.frames.clear();
  }
}
