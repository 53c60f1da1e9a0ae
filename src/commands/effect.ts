/**
 * What a command did, on its way to replicas and files. A command that changed something says so
 * through its shard's sink: as it was sent, or rewritten so that it means the same at any time and
 * place (an absolute deadline, the outcome instead of the dice). A command that changed nothing says
 * nothing. The sink encodes straight into the shard's backlog; nothing is built in between.
 *
 * @module
 */

/** A database for an effect that concerns none. */
export const NO_DATABASE: number = -2;

/** Elements of a collection that one effect tells of at most: as many as Redis puts into one SREM of SPOP. */
export const EFFECT_MEMBERS = 1_024;

/** Takes the effects of one shard, in execution order. */
export interface EffectSink {
  /** False while nobody would read the effects: a command may skip preparing them. */
  readonly active: boolean;
  /**
   * Begins one effect on database `db` (or `NO_DATABASE`): command `name` (upper-case bytes) with `args` arguments of
   * `payloadBytes` in all, the name not counted; exactly those must follow, then `end`.
   */
  begin(db: number, name: Uint8Array, args: number, payloadBytes: number): void;
  /** The next argument. */
  arg(src: Uint8Array, start: number, stop: number, view?: DataView | null): void;
  /** The next argument, a safe integer in decimal; `integerBytes` tells its length. */
  argInteger(n: number): void;
  /** Ends the effect. */
  end(): void;
  /** Ends an effect that changes no data: a message. */
  endMessage(): void;
  /**
   * One effect whole, as RESP encodes it: `src[start..stop)` = `*<argc> ($<length> <bytes>)*argc`, the
   * name in any case. False, and nothing is done, when the sink takes effects word by word. The bytes stay as
   * they are until the turn ends.
   */
  encoded(
    db: number,
    src: Uint8Array,
    start: number,
    stop: number,
    view: DataView | null,
  ): boolean;
  /**
   * What follows, up to `endUnit`, is applied by replicas whole or not at all (EXEC). A unit lies
   * within one turn and holds no other. One without effects leaves nothing behind.
   */
  beginUnit(): void;
  /** See `beginUnit`. */
  endUnit(): void;
  /** Whether a unit is open. */
  readonly inUnit: boolean;
}

/** A sink for keyspaces that nobody follows (loading, tests). */
export const NO_EFFECTS: EffectSink = {
  active: false,
  inUnit: false,
  begin() {},
  arg() {},
  argInteger() {},
  end() {},
  endMessage() {},
  encoded: () => true,
  beginUnit() {},
  endUnit() {},
};
