/**
 * Runs an upstream's frames on shards of ours. A frame holds a write command that succeeded there; if
 * it fails here, or is anything else, the data differs and must be shipped anew.
 *
 * Frames route by key, so the two nodes may have different numbers of shards. What the upstream says
 * of a whole shard (FLUSHDB, FLUSHALL, SWAPDB) is said for that shard's slots only.
 *
 * @module
 */

import { ascii, equalsFolded, latin1 } from "../base/ascii.ts";
import { parseInteger } from "../base/integers.ts";
import { Call, type ShardPort, type ShardsPort } from "../commands/call.ts";
import { NO_EFFECTS } from "../commands/effect.ts";
import { KeyspaceEvents } from "../commands/keyspace_events.ts";
import { effectMessage, PUBLISH, SPUBLISH } from "../commands/publish.ts";
import type { RequestQueue } from "../commands/request_queue.ts";
import type { Command, CommandTable } from "../commands/registry.ts";
import { Session } from "../commands/session.ts";
import { BuildRefusedError } from "../keyspace/builder.ts";
import type { Keyspace } from "../keyspace/keyspace.ts";
import { ReplyWriter } from "../resp/reply_writer.ts";
import {
  type AcrossKey,
  endsOf,
  keysAcross,
  moveAcross,
  NoRoomToLendError,
  runAcross,
} from "./across.ts";
import { overlaps, ownedKeys, type SlotRange, within } from "./owned_keys.ts";
import { retell } from "./retell.ts";

const SELECT = ascii("SELECT");
const FLUSHDB = ascii("FLUSHDB");
const SWAPDB = ascii("SWAPDB");
const DEL = ascii("DEL");
const MULTI = frameOf(ascii("MULTI"));
const EXEC = frameOf(ascii("EXEC"));
/** Frames that are no writes by their flags, yet change a value: PFCOUNT keeps what it worked out. */
const WRITING_READS: ReadonlySet<string> = new Set(["pfcount"]);
/**
 * Commands that read each of their keys where it lies, and tell of the result if that is elsewhere. The
 * patterns of SORT name keys of any shard.
 */
const READS_ACROSS: ReadonlySet<string> = new Set([
  "bitop",
  "pfcount",
  "pfmerge",
  "smove",
  "sinterstore",
  "sunionstore",
  "sdiffstore",
  "sort",
]);

/** A frame's arguments: `buf[starts[i]..stops[i])`. */
export interface FrameArguments {
  /** Number of arguments, the command's name included. */
  readonly argc: number;
  /** First byte of each. */
  readonly starts: Int32Array;
  /** One past the last byte of each. */
  readonly stops: Int32Array;
  /** See `RequestParser.isPlain`; not said of what was put by. */
  readonly isPlain?: boolean;
}

/** Is shown the frames that are applied to the data that clients see (MONITOR). */
export interface FrameWatcher {
  /** Whether there is anybody. */
  readonly isOn: boolean;
  /** A frame of the upstream shard at `address` was applied, in or to database `db`. */
  applied(buf: Uint8Array, frame: FrameArguments, db: number, address: string): void;
}

/** A watcher where nobody is. */
export const NOBODY_WATCHES: FrameWatcher = { isOn: false, applied() {} };

/** Why a frame could not be applied. */
export interface ApplyFailure {
  /** Name, as in the upstream link's errors. */
  readonly name: "ForeignCommand" | "ApplyFailed";
  /** What was found. */
  readonly detail: string;
  /** Whether a setting that `detail` names allows too little here. */
  readonly isOfSettings?: boolean;
}

/** Where one upstream shard's frames stand. */
export interface FramePlace extends SlotRange {
  /** Database of the next frame. */
  db: number;
  /**
   * Whether the upstream sends what its clients sent (v1), failures, reads and commands unknown here
   * included: they are passed over. It says nothing of keys that expire, so commands find those gone.
   */
  readonly lenient: boolean;
  /** `ip:port` of the upstream shard, for those who are shown its frames. */
  address?: string;
  /** Command of the last frame; null for one that is unknown, or before the first. */
  command?: Command | null;
}

/** A frame of one word. */
function frameOf(word: Uint8Array): FrameArguments & { readonly buf: Uint8Array } {
  return {
    buf: word,
    argc: 1,
    starts: new Int32Array(1),
    stops: Int32Array.of(word.length),
  };
}

/** Bytes that a frame may need beyond its own. */
const FRAME_SLACK_BYTES = 1024;
/** Bytes that an entry may take that changes its place or name, page splits included. */
const MOVED_ENTRY_BYTES = 256 * 1024;
/** Name under which a key is put aside in the middle of a swap; nobody has it. */
const ASIDE: Uint8Array = crypto.getRandomValues(new Uint8Array(32));

/**
 * Whether there is room for `bytes` in an arena. Upstream there was, in blocks that lay otherwise: so all is
 * done for it that gives up nothing, and the reserve lent at last, where blocks take more than they need.
 */
function makeRoom(keys: Keyspace, bytes: number): boolean {
  const { arena } = keys;
  arena.lendsReserve = false;
  while (!arena.promises(bytes)) {
    if (arena.takeBack() || keys.compactFor(bytes)) continue;
    arena.lendsReserve = true;
    return arena.promises(bytes);
  }
  return true;
}

/** A command that had no memory: passing it over would be silent loss. */
const NO_MEMORY: ApplyFailure = {
  name: "ApplyFailed",
  detail: "no memory: raise arena-size",
  isOfSettings: true,
};

/** See the module's text. */
export class Applier {
  /** Frames passed over because a lenient upstream sent what failed here. */
  passedOver = 0;
  readonly #table: CommandTable;
  readonly #events: KeyspaceEvents;
  readonly #monitors: FrameWatcher;
  readonly #silence = new KeyspaceEvents();
  readonly #reply = new ReplyWriter();
  readonly #session: Session;
  readonly #calls = new WeakMap<ShardsPort, Call>();
  /** The call that was used last, and for which shards. */
  #call: Call | null = null;
  #calledOn: ShardsPort | null = null;
  /** Shards on which frames are being applied. */
  #target: ShardsPort | null = null;
  #nowMs = 0;

  /**
   * Applies the commands of `table`; clients of ours who listen hear through `events`, those in MONITOR
   * see through `monitors`.
   */
  constructor(
    table: CommandTable,
    events: KeyspaceEvents = new KeyspaceEvents(),
    monitors: FrameWatcher = NOBODY_WATCHES,
  ) {
    this.#table = table;
    this.#events = events;
    this.#monitors = monitors;
    this.#reply.isUnread = true;
    this.#session = new Session({
      id: 0,
      peer: "upstream",
      local: "",
      nowMs: 0,
      authenticated: true,
      reply: this.#reply,
    });
  }

  /**
   * Frames are applied to `target` at `nowMs` from now on, until `close`: what an upstream has deleted
   * by itself it says, so keys past their deadline are there for its commands.
   */
  open(target: ShardsPort, place: FramePlace, nowMs: number): void {
    if (this.#target === target && this.#nowMs === nowMs) return;
    this.close();
    this.#target = target;
    this.#nowMs = nowMs;
    const { shards } = target;
    for (let i = 0; i < shards.length; i++) {
      shards[i].keys.nowMs = nowMs;
      shards[i].keys.hidesExpired = place.lenient;
    }
  }

  /**
   * Looks for the key of a frame, and for those of the frames behind it in `buf[at..to)`: see `LookAhead`.
   * Returns how many of these need not be looked for again.
   */
  lookAhead(
    place: FramePlace,
    buf: Uint8Array,
    view: DataView,
    frame: FrameArguments,
    at: number,
    to: number,
  ): number {
    return this.#callOn(this.#target!).ahead.look(place.db, buf, view, frame, at, to);
  }

  /** Clients see the shards again. */
  close(): void {
    if (this.#target === null) return;
    const { shards } = this.#target;
    for (let i = 0; i < shards.length; i++) {
      shards[i].keys.hidesExpired = true;
      shards[i].keys.arena.lendsReserve = false;
    }
    this.#target = null;
  }

  /**
   * Applies one frame to the shards of `open`; null when it went well. `view` is one of `buf`, for fast
   * copies, if there is any. Never throws.
   */
  apply(
    place: FramePlace,
    buf: Uint8Array,
    frame: FrameArguments,
    view: DataView | null = null,
  ): ApplyFailure | null {
    let failure: ApplyFailure | null;
    try {
      failure = this.#apply(this.#target!, place, buf, frame, view);
    } catch (error) {
      const { starts, stops } = frame;
      const name = latin1(buf, starts[0], Math.min(stops[0], starts[0] + 64));
      return { name: "ApplyFailed", detail: `${name}: ${error}` };
    }
    if (failure === null) {
      if (this.#monitors.isOn) this.#show(place, buf, frame);
      return null;
    }
    if (!place.lenient || failure === NO_MEMORY) return failure;
    this.passedOver++;
    return null;
  }

  /**
   * Applies the frames of a unit, one after another, to the shards of `open`; null when all went well.
   * Who follows us gets them as a unit too. One that fails within is applied in part: nothing can say
   * beforehand whether there is room, since what it writes may replace what it wrote.
   */
  applyUnit(place: FramePlace, frames: RequestQueue): ApplyFailure | null {
    const { shards } = this.#target!;
    for (let i = 0; i < shards.length; i++) shards[i].effects.beginUnit();
    let failure: ApplyFailure | null = null;
    if (this.#monitors.isOn) this.#show(place, MULTI.buf, MULTI);
    frames.rewind();
    while (failure === null && frames.next()) {
      failure = this.apply(place, frames.buf, frames, frames.view);
    }
    for (let i = 0; i < shards.length; i++) shards[i].effects.endUnit();
    if (this.#monitors.isOn && failure === null) this.#show(place, EXEC.buf, EXEC);
    return failure;
  }

  /** Shows a frame, unless it went into what is staged beside the data. */
  #show(place: FramePlace, buf: Uint8Array, frame: FrameArguments): void {
    const { shards } = this.#target!;
    if (shards.some(({ effects }) => effects === NO_EFFECTS)) return;
    this.#monitors.applied(buf, frame, place.db, place.address ?? this.#session.peer);
  }

  #apply(
    target: ShardsPort,
    place: FramePlace,
    buf: Uint8Array,
    frame: FrameArguments,
    view: DataView | null,
  ): ApplyFailure | null {
    const { argc, starts, stops } = frame;
    const named = this.#table.find(buf, starts[0], stops[0]);
    const command = named === null || named.subcommands === null || argc < 2
      ? named
      : named.subcommands.find(buf, starts[1], stops[1]);
    place.command = command;
    if (argc === 2 && !place.lenient && equalsFolded(buf, starts[0], stops[0], SELECT)) {
      return this.#select(target, place, buf, frame);
    }
    if (argc === 3) {
      const isShard = equalsFolded(buf, starts[0], stops[0], SPUBLISH);
      if (isShard || equalsFolded(buf, starts[0], stops[0], PUBLISH)) {
        return this.#message(target, buf, frame, isShard);
      }
    }
    if (command === null || !(command.isWrite || WRITING_READS.has(command.spec.name))) {
      const found = latin1(buf, starts[0], Math.min(stops[0], starts[0] + 64));
      return { name: "ForeignCommand", detail: found };
    }
    if (argc < command.argcMin || argc > command.argcMax) {
      return { name: "ApplyFailed", detail: `${argc} arguments of ${command.spec.name}` };
    }
    const call = this.#callOn(target);
    call.setRequest(buf, view, starts, stops, argc, frame.isPlain === true);
    return this.#run(target, place, call, frame, command);
  }

  #callOn(target: ShardsPort): Call {
    if (target === this.#calledOn) return this.#call!;
    let call = this.#calls.get(target);
    if (call === undefined) this.#calls.set(target, call = new Call(target));
    this.#calledOn = target;
    return this.#call = call;
  }

  /** A message, the one thing in frames that is no write: to our clients, and to who follows us. */
  #message(
    target: ShardsPort,
    buf: Uint8Array,
    { starts, stops }: FrameArguments,
    isShard: boolean,
  ): null {
    const { pubsub } = this.#events;
    if (isShard) pubsub.publishShard(buf, starts[1], stops[1], buf, starts[2], stops[2]);
    else pubsub.publish(buf, starts[1], stops[1], buf, starts[2], stops[2]);
    const { effects } = target.shards[target.shardOf(buf, starts[1], stops[1])];
    effectMessage(effects, isShard ? SPUBLISH : PUBLISH, buf, starts, stops);
    return null;
  }

  #select(
    target: ShardsPort,
    place: FramePlace,
    buf: Uint8Array,
    frame: FrameArguments,
  ): ApplyFailure | null {
    const db = parseInteger(buf, frame.starts[1], frame.stops[1]);
    const { databases } = target.shards[0].keys;
    if (!(db >= 0 && db < databases)) {
      const detail = `SELECT ${db} with ${databases} databases: raise databases`;
      return { name: "ApplyFailed", detail, isOfSettings: true };
    }
    place.db = db;
    return null;
  }

  #run(
    target: ShardsPort,
    place: FramePlace,
    call: Call,
    frame: FrameArguments,
    command: Command,
  ): ApplyFailure | null {
    const { argc, starts, stops } = frame;
    const { buf } = call;
    switch (command.spec.name) {
      case "flushall":
        return this.flush(target, place, -1);
      case "flushdb":
        return this.flush(target, place, place.db);
      case "swapdb": {
        const one = parseInteger(buf, starts[1], stops[1]);
        const other = parseInteger(buf, starts[2], stops[2]);
        return this.#swap(target, place, one, other);
      }
    }
    call.session = this.#session;
    call.reply = this.#reply;
    call.db = place.db;
    call.spec = command.spec;
    call.nowMs = this.#nowMs;
    call.useShard(0);
    const { firstKey } = command;
    if (firstKey > 0 && firstKey < argc) call.route(firstKey);
    // What is staged beside the data has not happened yet.
    call.events = call.effects === NO_EFFECTS ? this.#silence : this.#events;
    const { deniesOom } = command;
    if (deniesOom && !makeRoom(call.keys, stops[argc - 1] - starts[0] + FRAME_SLACK_BYTES)) {
      return NO_MEMORY;
    }
    const reply = this.#reply;
    reply.at = 0;
    const { errors } = reply;
    const { writes } = call;
    call.keys.arena.refusedBytes = 0;
    const across = command.checksSlots && target.shards.length > 1 &&
        !READS_ACROSS.has(command.spec.name)
      ? keysAcross(target, call, command)
      : null;
    if (across !== null) {
      const failure = this.#runAcross(target, call, command, across);
      if (failure !== null) return failure;
    } else {
      command.run(call);
      if (reply.errors !== errors && deniesOom && call.writes === writes) {
        this.#runWithRoom(call, command, errors);
      }
    }
    if (reply.errors === errors) return null;
    const said = latin1(reply.buf, reply.lastErrorAt, Math.min(reply.at, reply.lastErrorAt + 128));
    return { name: "ApplyFailed", detail: `${command.spec.name}: ${said.trim()}` };
  }

  /**
   * Runs a command again that was refused for more room than every command is promised, and has changed
   * nothing, while there is that room. Nothing is evicted for it: what goes, the upstream says.
   */
  #runWithRoom(call: Call, command: Command, errors: number): void {
    const reply = this.#reply;
    const { writes } = call;
    for (let reruns = 0; reruns < this.#target!.shards.length; reruns++) {
      const { arena } = call.keys;
      if (arena.refusedBytes === 0 || !makeRoom(call.keys, arena.refusedBytes)) return;
      arena.refusedBytes = 0;
      reply.at = 0;
      reply.errors = errors;
      command.run(call);
      if (reply.errors === errors || call.writes !== writes) return;
    }
  }

  /** Runs a command whose keys lie on different shards here; what it replies is not looked at. */
  #runAcross(
    target: ShardsPort,
    call: Call,
    command: Command,
    across: readonly AcrossKey[],
  ): ApplyFailure | null {
    const ends = endsOf(call);
    if (ends !== null) {
      if (moveAcross(this.#table, call, ends)) return null;
      return { name: "ApplyFailed", detail: `${command.spec.name} of a missing list` };
    }
    try {
      runAcross(target, call, command, across);
      return null;
    } catch (error) {
      const isFull = error instanceof NoRoomToLendError ||
        (error instanceof BuildRefusedError && error.why === "noRoom");
      if (isFull) return NO_MEMORY;
      throw error;
    }
  }

  /** Empties the upstream shard's part of database `only`, or of all with -1. */
  flush(target: ShardsPort, place: SlotRange, only: number): null {
    for (const [index, { keys, effects }] of target.shards.entries()) {
      if (!overlaps(index, target.shards.length, place)) continue;
      const whole = within(index, target.shards.length, place);
      for (let db = 0; db < keys.databases; db++) {
        if (only >= 0 && db !== only) continue;
        const before = keys.size(db);
        if (before === 0) continue;
        keys.dirty += before;
        if (whole) {
          keys.flush(db);
          if (!effects.active) continue;
          effects.begin(db, FLUSHDB, 0, 0);
          effects.end();
          continue;
        }
        for (const key of ownedKeys(keys, db, place)) {
          keys.remove(db, keys.peek(db, key, 0, key.length));
          if (!effects.active) continue;
          effects.begin(db, DEL, 1, key.length);
          effects.arg(key, 0, key.length);
          effects.end();
        }
      }
    }
    return null;
  }

  #swap(target: ShardsPort, place: FramePlace, one: number, other: number): ApplyFailure | null {
    const { databases } = target.shards[0].keys;
    if (!(one >= 0 && one < databases && other >= 0 && other < databases)) {
      const detail = `SWAPDB ${one} ${other} with ${databases} databases: raise databases`;
      return { name: "ApplyFailed", detail, isOfSettings: true };
    }
    if (one === other) return null; // or keys would be taken out twice
    for (const [index, shard] of target.shards.entries()) {
      if (!overlaps(index, target.shards.length, place)) continue;
      const { keys, effects } = shard;
      if (within(index, target.shards.length, place)) {
        keys.swap(one, other);
        keys.dirty++;
        if (!effects.active) continue;
        const [a, b] = [ascii(String(one)), ascii(String(other))];
        effects.begin(0, SWAPDB, 2, a.length + b.length);
        effects.arg(a, 0, a.length);
        effects.arg(b, 0, b.length);
        effects.end();
        continue;
      }
      if (!makeRoom(keys, MOVED_ENTRY_BYTES)) return NO_MEMORY;
      this.#swapOwned(shard, place, one, other);
    }
    return null;
  }

  /** Swaps the upstream shard's keys alone. Entries move, values stay where they are. */
  #swapOwned(
    shard: ShardPort,
    place: FramePlace,
    one: number,
    other: number,
  ): void {
    const { keys, effects } = shard;
    const ofOne = ownedKeys(keys, one, place);
    const ofOther = ownedKeys(keys, other, place);
    const move = (db: number, key: Uint8Array, toDb: number, as: Uint8Array = key) =>
      keys.move(db, keys.peek(db, key, 0, key.length), toDb, as, 0, as.length);
    const onlyOther = ofOther.filter((key) => keys.peek(one, key, 0, key.length) === 0);
    for (const key of ofOne) {
      const isInBoth = keys.peek(other, key, 0, key.length) !== 0;
      if (!isInBoth) move(one, key, other);
      else {
        move(one, key, one, ASIDE);
        move(other, key, one);
        move(one, ASIDE, other, key);
      }
    }
    for (const key of onlyOther) move(other, key, one);
    keys.dirty += ofOne.length + ofOther.length;
    if (!effects.active) return;
    for (const [db, list] of [[one, ofOne], [other, ofOther]] as const) {
      for (const key of list) {
        effects.begin(db, DEL, 1, key.length);
        effects.arg(key, 0, key.length);
        effects.end();
      }
    }
    for (const key of ofOther) retell(shard, one, key, 0, key.length);
    for (const key of ofOne) retell(shard, other, key, 0, key.length);
  }
}
