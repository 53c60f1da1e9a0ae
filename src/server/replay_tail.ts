/**
 * The latest frames of files that are being loaded, as many as a backlog holds: so a replica that was
 * left behind when this node ended, or was away itself, goes on with frames all the same. Messages are
 * not in files; a frame that changes nothing has the number of each.
 *
 * @module
 */

import { ascii, digitCount } from "../base/ascii.ts";
import type { RequestQueue } from "../commands/request_queue.ts";
import type { Backlog } from "../replication/backlog.ts";
import { encodedStart } from "../resp/as_encoded.ts";
import type { FrameArguments } from "../shard/applier.ts";

const MULTI = ascii("MULTI");
const EXEC = ascii("EXEC");
const SELECT = ascii("SELECT");

/** Of more frames that were left out at once, those before are given up too. */
export const SKIPPED_MAX = 65_536;

/** See the module's text. */
export class ReplayTail {
  readonly #newBacklog: (firstOffset: number) => Backlog;
  #backlog: Backlog | null = null;

  /** Nothing yet; `newBacklog` makes what holds the frames. */
  constructor(newBacklog: (firstOffset: number) => Backlog) {
    this.#newBacklog = newBacklog;
  }

  /** The frame to come has this number: where that is not the next one, the others are of no use. */
  begin(offset: number): void {
    if (this.#backlog?.nextOffset !== offset) this.#backlog = this.#newBacklog(offset);
  }

  /** The frames up to `offset`, which is the next one's number; null where they are others. */
  upTo(offset: number): Backlog | null {
    return this.#backlog?.nextOffset === offset ? this.#backlog : null;
  }

  /** A frame of words in `buf`, of which `view` is a view. */
  frame(buf: Uint8Array, view: DataView, { argc, starts, stops }: FrameArguments): void {
    const backlog = this.#backlog;
    if (backlog === null) return;
    const start = encodedStart(view, starts, stops, argc);
    if (start >= 0) {
      backlog.appendEncoded(buf, start, stops[argc - 1] + 2, view);
      return;
    }
    backlog.beginFrame(argc, stops[argc - 1] - starts[0]);
    for (let i = 0; i < argc; i++) backlog.arg(buf, starts[i], stops[i], view);
    backlog.endFrame();
  }

  /** A unit, `MULTI` and `EXEC` around it. */
  unit(frames: RequestQueue): void {
    this.#word(MULTI);
    frames.rewind();
    while (frames.next()) this.frame(frames.buf, frames.view, frames);
    this.#word(EXEC);
  }

  /** Frames that changed nothing, of which only the number is known: as many that change nothing. */
  skip(frames: number, db: number): void {
    const backlog = this.#backlog;
    if (backlog === null) return;
    if (frames > SKIPPED_MAX) return this.begin(backlog.nextOffset + frames);
    for (let i = 0; i < frames; i++) {
      backlog.beginFrame(2, SELECT.length + digitCount(db));
      backlog.arg(SELECT, 0, SELECT.length);
      backlog.argInteger(db);
      backlog.endFrame();
    }
  }

  #word(word: Uint8Array): void {
    const backlog = this.#backlog;
    if (backlog === null) return;
    backlog.beginFrame(1, word.length);
    backlog.arg(word, 0, word.length);
    backlog.endFrame();
  }
}
