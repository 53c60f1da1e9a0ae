/**
 * What a node does by itself, in slices of at most a millisecond between the requests of clients:
 * removing keys past their deadline, giving flushed and frozen memory back.
 *
 * @module
 */

import type { Gate } from "../base/gate.ts";
import type { Node } from "./node.ts";

/** Blocks swept between two looks at the clock. */
const SWEEP_BLOCKS = 256;

/** See the module's text. */
export class Background {
  /** Whether keys past their deadline are looked for (`DEBUG SET-ACTIVE-EXPIRE`). */
  expires = true;
  /** Longest slice in ms since it was last set to 0. */
  readonly #node: Node;
  readonly #gate: Gate;
  readonly #endTurn: () => void;
  #running: Promise<void> | null = null;

  /** `endTurn` is called after each slice: what expired must go to the replicas. */
  constructor(node: Node, gate: Gate, endTurn: () => void) {
    this.#node = node;
    this.#gate = gate;
    this.#endTurn = endTurn;
  }

  /** Starts a round unless one is under way; `nowMs` is the Unix time. */
  start(nowMs: () => number): void {
    this.#running ??= this.#round(nowMs).finally(() => this.#running = null);
  }

  /** Resolves when no round is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #round(nowMs: () => number): Promise<void> {
    for (const shard of this.#node.shards) {
      const { keys } = shard;
      const { arena } = keys;
      while (keys.hasGarbage || arena.deferredBytes > 0) {
        this.#gate.begin();
        let more = true;
        while (more && !this.#gate.isDue) {
          const swept = arena.sweepDeferred(SWEEP_BLOCKS);
          more = keys.reclaim() || swept;
        }
        await this.#gate.rest();
        if (!more) break;
      }
      if (!this.expires || !keys.expiresNow) continue;
      let done = false;
      while (!done && keys.expiresNow) {
        this.#gate.begin();
        keys.nowMs = nowMs();
        while (!done && !this.#gate.isDue) done = keys.expireStep();
        this.#endTurn();
        if (!done) await this.#gate.rest();
        else this.#gate.pass();
      }
    }
  }
}
