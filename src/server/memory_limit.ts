/**
 * What happens when memory runs short: whether a command may store more, and what is given up for it.
 *
 * There are two limits. `maxmemory` is the operator's, for all shards together; each shard's arena has
 * a size that nothing can pass. At either, what nobody can miss is freed first (flushed databases,
 * removed collections), and in an arena the holes that deletes have left are made into whole spans;
 * then, if `maxmemory-policy` says so, keys are evicted; only then is a command refused. Blocks that a running snapshot alone holds count against the arena, not against `maxmemory`
 * (a forked Redis does not count them either): evicting keys would not free them.
 *
 * All of it is done in slices. Before a command at most a slice is spent, its length set by
 * `maxmemory-eviction-tenacity`; the rest goes on in the background, and the command runs meanwhile,
 * above `maxmemory` but with room in the arena. Where the arena itself is full it waits instead.
 *
 * @module
 */

import type { Clock } from "../base/clock.ts";
import { type Gate, WORK_MS } from "../base/gate.ts";
import { accessClockAt } from "../keyspace/access.ts";
import { type EvictionPolicy, Evictor, NONE_LEFT } from "../keyspace/evict.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Arena } from "../memory/arena.ts";
import type { Latency } from "../observability/latency.ts";

/** `admit`: the command can run to its end. */
export const ROOM = 0;
/** `admit`: there is no memory, and none to be had. */
export const NO_ROOM = 1;
/** `admit`: memory is being freed; the same request must be given again later. */
export const ROOM_LATER = 2;

/** Steps between two looks at the clock. */
const STEPS_PER_LOOK = 16;
/** Milliseconds before a command for each point of tenacity, up to `LINEAR_TENACITY` (as in Redis). */
const SLICE_MS_PER_POINT = 0.05;
const LINEAR_TENACITY = 10;
/** Growth of the slice with each further point. */
const SLICE_GROWTH = 1.15;
/** The tenacity that knows no limit. */
const FULL_TENACITY = 100;
/**
 * With a policy, this part of an arena is kept free: keys are evicted a few at a time while there
 * still is room, instead of many at once, with everybody waiting, when there is none.
 */
const HEADROOM_SHARE = 1 / 32;

/** The settings it follows; units are in the names. */
export interface MemorySettings {
  /** `maxmemory`; 0 for up to the arenas. */
  readonly maxMemoryBytes: number;
  /** What to evict. */
  readonly maxMemoryPolicy: EvictionPolicy;
  /** Keys looked at to choose one for eviction. */
  readonly maxMemorySamples: number;
  /** How long evicting may hold a command up, 0 to 100. */
  readonly maxMemoryTenacity: number;
  /** How much rarer each step of a use counter is than the one before. */
  readonly lfuLogFactor: number;
  /** Minutes of idleness for which a use counter loses one; 0: it loses none. */
  readonly lfuDecayMinutes: number;
}

/** What it needs of the server to go on in the background. */
export interface MemoryHost {
  /** Lets others run. */
  readonly gate: Gate;
  /** System time. */
  readonly clock: Clock;
  /** Told how long evicting takes. */
  readonly latency: Latency;
  /** Whether nothing may be evicted now: writes are held, or data is being loaded. */
  isHeldBack(): boolean;
  /** After each slice: what was appended goes to the replicas. */
  endTurn(): void;
  /** Requests that were held may be tried again. */
  retryHeld(): void;
}

/** See the module's text. */
export class MemoryLimit {
  /** Whether the limit is another's concern: a replica has what its primary has. */
  isIgnored = false;
  /** Whether keys are being evicted before a command, which are not changed by its client. */
  isFreeing = false;
  /** Slices spent before commands so far: a command that saw one may have taken long. */
  slices = 0;
  readonly #keyspaces: readonly Keyspace[];
  readonly #evictor: Evictor;
  /** An evictor for each keyspace; they are needed where one arena alone is full. */
  readonly #ofOne: readonly Evictor[];
  #host: MemoryHost | null = null;
  #limitBytes = 0;
  #isEvicting = false;
  #sliceMs = 0;
  #sliceBeganMs = 0;
  /** Monotonic time since which memory is above `maxmemory`; NaN while it is not. */
  #overSinceMs = NaN;
  #overMs = 0;
  /** What requests wait for: bytes by keyspace. */
  readonly #wanted = new Map<Keyspace, number>();
  #isRunning = false;

  /** No limit but the arenas' own. */
  constructor(keyspaces: readonly Keyspace[]) {
    this.#keyspaces = keyspaces;
    this.#evictor = new Evictor(keyspaces);
    this.#ofOne = keyspaces.length === 1
      ? [this.#evictor]
      : keyspaces.map((keys) => new Evictor([keys]));
  }

  /** From now on it can do work in the background. */
  attach(host: MemoryHost): void {
    this.#host = host;
  }

  /** Takes the settings, at the start and after each change. `nowMs` is the Unix time. */
  follow(settings: MemorySettings, nowMs: number): void {
    this.#limitBytes = settings.maxMemoryBytes;
    const policy = settings.maxMemoryPolicy;
    this.#isEvicting = policy !== "noeviction";
    this.#sliceMs = sliceMs(settings.maxMemoryTenacity);
    for (const evictor of new Set([this.#evictor, ...this.#ofOne])) {
      evictor.policy = policy;
      evictor.samples = settings.maxMemorySamples;
    }
    for (const keys of this.#keyspaces) {
      keys.accessCountsUses = policy.endsWith("-lfu");
      keys.lfuLogFactor = settings.lfuLogFactor;
      keys.lfuDecayMinutes = settings.lfuDecayMinutes;
    }
    this.tick(nowMs);
  }

  /** Many times a second: sets the access clocks, and frees memory where no command has asked. */
  tick(nowMs: number): void {
    for (const keys of this.#keyspaces) {
      keys.accessClock = accessClockAt(nowMs, keys.accessCountsUses);
      keys.forgetVainCompacting();
      keys.dropHollowTables();
    }
    if (this.isIgnored) return;
    const isOver = this.isOver();
    if (isOver) this.#noteOver();
    else this.#noteUnder();
    if (isOver || this.#isEvicting && this.#isAnyTight()) this.#start();
  }

  /** Whether more memory is in use than `maxmemory` allows. */
  isOver(): boolean {
    const limit = this.#limitBytes;
    if (limit === 0) return false;
    const keyspaces = this.#keyspaces;
    let live = 0;
    for (let i = 0; i < keyspaces.length; i++) live += keyspaces[i].arena.liveBytes;
    return live > limit;
  }

  /** Milliseconds for which memory has been above `maxmemory` by now, 0 if it is not. */
  get currentOverMs(): number {
    return Number.isNaN(this.#overSinceMs) ? 0 : performance.now() - this.#overSinceMs;
  }

  /** Milliseconds for which memory has been above `maxmemory` in all, since `resetCounters`. */
  get totalOverMs(): number {
    return this.#overMs + this.currentOverMs;
  }

  /** Forgets how long memory was above `maxmemory` (CONFIG RESETSTAT). */
  resetCounters(): void {
    this.#overMs = 0;
  }

  /**
   * Whether a command that may store `bytes` in the arena of `keys` may run: `ROOM`, `NO_ROOM` or
   * `ROOM_LATER`.
   */
  admit(keys: Keyspace, bytes: number): number {
    if (!this.keepsLimit()) return NO_ROOM;
    const { arena } = keys;
    if (this.#isEvicting && isTight(arena) && this.#mayEvict) this.#thin(keys);
    return arena.promises(bytes) ? ROOM : this.#makeRoom(keys, bytes);
  }

  /** Whether keys may go now: while writes are held they stay, however much memory they take. */
  get #mayEvict(): boolean {
    return !this.isIgnored && this.#host?.isHeldBack() !== true;
  }

  /** Spends a slice on coming below `maxmemory` if need be and allowed. False if that is not possible. */
  keepsLimit(): boolean {
    if (!this.isOver()) {
      this.#noteUnder();
      return true;
    }
    if (!this.#mayEvict) return true;
    this.#noteOver();
    const stopMs = this.#beginSlice();
    const isUsed = this.#bringBelow(stopMs);
    this.#endSlice();
    if (!this.isOver()) this.#noteUnder();
    else if (isUsed) this.#start();
    return isUsed;
  }

  #noteOver(): void {
    if (Number.isNaN(this.#overSinceMs)) this.#overSinceMs = performance.now();
  }

  #noteUnder(): void {
    if (Number.isNaN(this.#overSinceMs)) return;
    this.#overMs += performance.now() - this.#overSinceMs;
    this.#overSinceMs = NaN;
  }

  // ---- slices: each works until `stopMs` of the monotonic clock ----------------------------------

  #beginSlice(): number {
    this.slices++;
    this.isFreeing = true;
    this.#sliceBeganMs = performance.now();
    // Without a background there is no later.
    return this.#sliceBeganMs + (this.#host === null ? Infinity : this.#sliceMs);
  }

  #endSlice(): void {
    this.isFreeing = false;
    const host = this.#host;
    if (host === null || host.latency.thresholdMs === 0) return;
    const ms = performance.now() - this.#sliceBeganMs;
    host.latency.note("eviction-cycle", ms, host.clock.nowMs());
  }

  /** Frees until memory is below `maxmemory`. False if it is not and there is nothing left to free. */
  #bringBelow(stopMs: number): boolean {
    let untilLook = STEPS_PER_LOOK;
    while (this.isOver()) {
      if (!this.#reclaimAny() && !this.#evict(this.#evictor)) return false;
      if (--untilLook > 0) continue;
      if (performance.now() >= stopMs) return true;
      untilLook = STEPS_PER_LOOK;
    }
    return true;
  }

  /** One step of freeing what no key leads to any more. */
  #reclaimAny(): boolean {
    const keyspaces = this.#keyspaces;
    for (let i = 0; i < keyspaces.length; i++) if (keyspaces[i].reclaim()) return true;
    return false;
  }

  /** False when no key is left that may be evicted. */
  #evict(evictor: Evictor): boolean {
    const { latency, clock } = this.#host ?? { latency: null, clock: null };
    if (latency === null || latency.thresholdMs === 0) return evictor.evict() !== NONE_LEFT;
    const began = performance.now();
    const outcome = evictor.evict();
    latency.note("eviction-del", performance.now() - began, clock.nowMs());
    return outcome !== NONE_LEFT;
  }

  #evictorOf(keys: Keyspace): Evictor {
    return this.#ofOne[this.#keyspaces.indexOf(keys)];
  }

  #isAnyTight(): boolean {
    const keyspaces = this.#keyspaces;
    for (let i = 0; i < keyspaces.length; i++) if (isTight(keyspaces[i].arena)) return true;
    return false;
  }

  /** Before a command on a shard whose arena is nearly full: evicts some of its keys. */
  #thin(keys: Keyspace): void {
    const stopMs = this.#beginSlice();
    if (this.#loosen(keys, stopMs) && isTight(keys.arena)) this.#start();
    this.#endSlice();
  }

  /** Frees until the arena has its headroom. False if there is nothing left to free. */
  #loosen(keys: Keyspace, stopMs: number): boolean {
    const evictor = this.#evictorOf(keys);
    let untilLook = STEPS_PER_LOOK;
    while (isTight(keys.arena)) {
      if (!keys.reclaim() && !this.#evict(evictor)) return false;
      if (--untilLook > 0) continue;
      if (performance.now() >= stopMs) return true;
      untilLook = STEPS_PER_LOOK;
    }
    return true;
  }

  /** The arena itself has no room for `bytes`. */
  #makeRoom(keys: Keyspace, bytes: number): number {
    const { arena } = keys;
    if (!arena.couldHold(bytes)) return NO_ROOM;
    const stopMs = this.#beginSlice();
    const isUsed = this.#free(keys, bytes, stopMs);
    this.#endSlice();
    if (arena.promises(bytes)) return ROOM;
    if (!isUsed) return NO_ROOM;
    this.#wanted.set(keys, Math.max(bytes, this.#wanted.get(keys) ?? 0));
    this.#start();
    return ROOM_LATER;
  }

  /** Frees until the arena has room for `bytes`. False if there is nothing left to free. */
  #free(keys: Keyspace, bytes: number, stopMs: number): boolean {
    const { arena } = keys;
    const evictor = this.#mayEvict ? this.#evictorOf(keys) : null;
    let untilLook = STEPS_PER_LOOK;
    while (!arena.promises(bytes)) {
      const isFreed = arena.takeBack() || keys.compactFor(bytes) ||
        evictor !== null && this.#evict(evictor);
      if (!isFreed) return false;
      if (--untilLook > 0) continue;
      if (performance.now() >= stopMs) return true;
      untilLook = STEPS_PER_LOOK;
    }
    return true;
  }

  // ---- background ------------------------------------------------------------------------------

  #start(): void {
    if (this.#host === null || this.#isRunning) return;
    this.#isRunning = true;
    void this.#run(this.#host);
  }

  async #run(host: MemoryHost): Promise<void> {
    const { gate } = host;
    try {
      await null; // the running command is not done
      for (let hasMore = true; hasMore;) {
        const stopMs = gate.begin() + WORK_MS;
        const nowMs = host.clock.nowMs();
        for (const keys of this.#keyspaces) keys.nowMs = nowMs;
        hasMore = !host.isHeldBack() && this.#work(stopMs);
        host.endTurn();
        if (hasMore) await gate.rest();
        else gate.pass();
      }
    } finally {
      // Before anybody tries again, who may need another run.
      this.#isRunning = false;
      this.#wanted.clear();
      host.retryHeld();
    }
  }

  /** Works for all who need memory. Whether there is more to do. */
  #work(stopMs: number): boolean {
    let hasMore = false;
    for (const [keys, bytes] of this.#wanted) {
      hasMore = this.#free(keys, bytes, stopMs) && !keys.arena.promises(bytes);
      if (hasMore) return true;
      this.#wanted.delete(keys);
      this.#host!.retryHeld();
    }
    if (this.isIgnored) return false;
    if (this.#bringBelow(stopMs) && this.isOver()) return true;
    if (!this.isOver()) this.#noteUnder();
    if (!this.#isEvicting) return false;
    for (const keys of this.#keyspaces) {
      if (this.#loosen(keys, stopMs) && isTight(keys.arena)) return true;
    }
    return false;
  }
}

/** Whether a policy should begin to make room in an arena. */
function isTight(arena: Arena): boolean {
  return arena.liveBytes > arena.sizeBytes * (1 - HEADROOM_SHARE);
}

/** How long a command may be held up for a tenacity, in ms. */
function sliceMs(tenacity: number): number {
  if (tenacity <= LINEAR_TENACITY) return tenacity * SLICE_MS_PER_POINT;
  if (tenacity >= FULL_TENACITY) return Infinity;
  const longest = LINEAR_TENACITY * SLICE_MS_PER_POINT;
  return longest * SLICE_GROWTH ** (tenacity - LINEAR_TENACITY);
}
