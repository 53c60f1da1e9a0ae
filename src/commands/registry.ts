/**
 * The one command table: what each command is called, how it is run, and everything that COMMAND,
 * the checks before a command and the documentation say about it.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { invariant } from "../base/invariant.ts";
import { LatencyHistogram } from "../observability/latency_histogram.ts";
import type { Call } from "./call.ts";
import type { KeySpec } from "./key_specs.ts";

/** Flags of a command, by Redis's names (COMMAND INFO). */
export type CommandFlag =
  | "write"
  | "readonly"
  | "denyoom"
  | "admin"
  | "pubsub"
  | "noscript"
  | "blocking"
  | "loading"
  | "stale"
  | "skip_monitor"
  | "skip_slowlog"
  | "fast"
  | "no_auth"
  | "may_replicate"
  | "no_async_loading"
  | "no_multi"
  | "movablekeys"
  | "allow_busy";

/** Groups of COMMAND DOCS. */
export type CommandGroup =
  | "generic"
  | "string"
  | "list"
  | "set"
  | "sorted-set"
  | "hash"
  | "pubsub"
  | "transactions"
  | "connection"
  | "server"
  | "scripting"
  | "hyperloglog"
  | "cluster"
  | "geo"
  | "stream"
  | "bitmap";

/**
 * For `argcMax`: arguments of commands that tell of the server. Nobody asks for more by name, and one
 * who did would keep everybody waiting.
 */
export const ASKED_ARGS_MAX = 1_024;

/** No command's name is longer; a longer word is not even hashed. */
const NAME_BYTES_MAX = 64;

/** Where the keys are: positions in the request, as COMMAND INFO gives them. */
export interface KeyRange {
  /** First key, 0 for none. */
  readonly first: number;
  /** Last key; negative counts from the end. */
  readonly last: number;
  /** Distance from one key to the next. */
  readonly step: number;
}

/** An argument for COMMAND DOCS. */
export interface ArgumentDoc {
  /** Its name. */
  readonly name: string;
  /** Redis's argument types. */
  readonly type:
    | "string"
    | "integer"
    | "double"
    | "key"
    | "pattern"
    | "unix-time"
    | "pure-token"
    | "oneof"
    | "block";
  /** The literal word before it, or that it is. */
  readonly token?: string;
  /** It may be left out. */
  readonly optional?: boolean;
  /** It may be repeated. */
  readonly multiple?: boolean;
  /** Which of the command's key specifications it is of, where that is not its place among the keys. */
  readonly keySpec?: number;
  /** Redis version that it came with, where that is not the command's. */
  readonly since?: string;
  /** The parts of a `oneof` or `block`. */
  readonly arguments?: readonly ArgumentDoc[];
}

/** One command, or one subcommand of it. */
export interface CommandSpec {
  /** Lower-case; a subcommand is `container|sub`. */
  readonly name: string;
  /** Arguments, the name(s) included; negative: at least that many. */
  readonly arity: number;
  /** What it is, in Redis's flags. */
  readonly flags: readonly CommandFlag[];
  /** ACL categories beyond those that follow from flags and group, without `@`. */
  readonly categories?: readonly string[];
  /** Its keys; absent for none. */
  readonly keys?: KeyRange;
  /**
   * What is done to the keys, in the flags of COMMAND INFO's key specifications (`RO access`,
   * `OW update`). Each text but the last is about one key of `keys`, in order; the last is about
   * all that are left. Left out, it follows from the command's flags.
   */
  readonly keyAccess?: readonly string[];
  /** What a request does to its keys, where that depends on its options (`variable_flags`). */
  readonly requestAccess?: (request: Call) => string;
  /** Its key specifications, where they do not follow from `keys` and `keyAccess`. */
  readonly keySpecs?: readonly KeySpec[];
  /** Positions of the keys where a range cannot say them. */
  readonly findKeys?: (call: Call) => number[];
  /** With several shards its keys may belong to several of them: it routes each key itself. */
  readonly fansOut?: boolean;
  /** For COMMAND DOCS. */
  readonly group: CommandGroup;
  /** Redis version that it came with. */
  readonly since: string;
  /** One line. */
  readonly summary: string;
  /** Cost in big-O. */
  readonly complexity: string;
  /** For COMMAND DOCS. */
  readonly arguments?: readonly ArgumentDoc[];
  /** Redis's tips for clients and proxies, such as `nondeterministic_output`. */
  readonly tips?: readonly string[];
  /** For COMMAND DOCS: Redis versions and what they changed. */
  readonly history?: readonly (readonly [since: string, change: string])[];
  /** For COMMAND DOCS: it is for tests and for nodes among themselves (`syscmd`). */
  readonly isInternal?: true;
  /** For COMMAND DOCS: since which Redis version something else should be used. */
  readonly deprecated?: { readonly since: string; readonly instead: string };
  /** Runs it: reads `call`, writes the reply, tells its effect. */
  readonly run: (call: Call) => void;
  /** Of a command of any number of arguments: the most it takes, where each costs it a search. */
  readonly argcMax?: number;
  /** Subcommands of a container command; `run` then answers an unknown one. */
  readonly subcommands?: readonly CommandSpec[];
}

/** A command in the table: the spec, what follows from it, and its counters (INFO commandstats). */
export class Command {
  /** What it is. */
  readonly spec: CommandSpec;
  /** Upper-case name in bytes. */
  readonly name: Uint8Array;
  /** Subcommands by table, null for a plain command. */
  readonly subcommands: CommandTable | null;
  /** Runs it. */
  readonly run: (call: Call) => void;
  /** Least and greatest `argc`. */
  readonly argcMin: number;
  /** See `argcMin`. */
  readonly argcMax: number;
  /** First key or 0. */
  readonly firstKey: number;
  /** It reads keys and changes none: clients that cache have these tracked. */
  readonly isRead: boolean;
  /** It reads or changes keys, or reaches replicas: refused to a client in MONITOR. */
  readonly isOnKeys: boolean;
  /** It may change data: refused on a read-only replica. */
  readonly isWrite: boolean;
  /** It may change data, or is PING, by which others see how the server is: refused while saving fails. */
  readonly needsDisk: boolean;
  /** It may need memory: refused when there is none. */
  readonly deniesOom: boolean;
  /**
   * Whether keys are evicted for what it asks for itself: it edits the value of its first key, or stores
   * what the request brings. Those that store a copy or a result are refused.
   */
  readonly makesRoom: boolean;
  /** Allowed before AUTH. */
  readonly needsNoAuth: boolean;
  /** Allowed while loading. */
  readonly runsLoading: boolean;
  /** Allowed on a replica whose data is stale. */
  readonly runsStale: boolean;
  /** Several of its keys are checked to live on one shard. */
  readonly checksSlots: boolean;
  /**
   * Its small requests with small replies are timed by sample: it runs in about constant time, and has been
   * timed `FIRST_RUNS` times, so that there is something to tell of the first ones.
   */
  isSampled = false;
  /** Runs even while CLIENT PAUSE ALL is on (CLIENT itself, so that UNPAUSE can be said). */
  readonly runsPaused: boolean;
  /** Allowed to a RESP2 client that listens to channels. */
  readonly runsListening: boolean;
  /** Waits while CLIENT PAUSE WRITE is on. */
  readonly holdsOnWritePause: boolean;
  /** Clients in MONITOR see it. */
  readonly isShown: boolean;
  /** Runs the commands that were queued. */
  readonly isExec: boolean;
  /** Is run at once inside a transaction instead of being queued. */
  readonly runsInMulti: boolean;
  /** Is refused inside a transaction. */
  readonly deniesMulti: boolean;
  /** Times run. */
  calls = 0;
  /** How long its runs take. */
  readonly latencies: LatencyHistogram = new LatencyHistogram();
  readonly #isCheap: boolean;
  /** Runs that were timed each: not cheap, or with a large request or reply, or among the first. */
  timed = 0;
  /** Microseconds of those. */
  #timedMicroseconds = 0;
  /** Runs timed as a sample of the cheap ones. */
  #sampled = 0;
  /** Microseconds of those. */
  #sampledMicroseconds = 0;
  /** Times refused before it ran. */
  rejected = 0;
  /** Times it answered an error. */
  failed = 0;

  /** Microseconds spent in all: measured, and what the samples stand for. */
  get microseconds(): number {
    // Until there is a sample those that were timed have to stand for the others.
    const mean = this.#sampled > 0
      ? this.#sampledMicroseconds / this.#sampled
      : this.#timedMicroseconds / Math.max(1, this.timed);
    return this.#timedMicroseconds + mean * (this.calls - this.timed);
  }

  /** A run took so long; a sample stands for as many as `standsFor` says. */
  took(microseconds: number, standsFor: number): void {
    if (standsFor > 1) {
      this.#sampled++;
      this.#sampledMicroseconds += microseconds;
      return;
    }
    this.timed++;
    this.#timedMicroseconds += microseconds;
    if (this.#isCheap && this.timed === FIRST_RUNS) this.isSampled = true;
  }

  /** Forgets the counters (CONFIG RESETSTAT). */
  resetCounters(): void {
    this.calls = 0;
    this.isSampled = false;
    this.latencies.reset();
    this.timed = 0;
    this.#timedMicroseconds = 0;
    this.#sampled = 0;
    this.#sampledMicroseconds = 0;
    this.rejected = 0;
    this.failed = 0;
    this.subcommands?.commands.forEach((command) => command.resetCounters());
  }

  /** The command of `spec`. */
  constructor(spec: CommandSpec) {
    this.spec = spec;
    const short = spec.name.slice(spec.name.indexOf("|") + 1);
    this.name = ascii(short.toUpperCase());
    this.run = spec.run;
    this.argcMin = Math.abs(spec.arity);
    this.argcMax = spec.arity < 0 ? spec.argcMax ?? Infinity : spec.arity;
    this.firstKey = spec.keys?.first ?? 0;
    this.isRead = spec.flags.includes("readonly") && !spec.flags.includes("pubsub") &&
      (spec.findKeys !== undefined || this.firstKey > 0);
    this.isWrite = spec.flags.includes("write");
    this.needsDisk = this.isWrite || spec.name === "ping";
    this.#isCheap = spec.flags.includes("fast") || CHEAP.has(spec.name);
    this.runsPaused = spec.name.startsWith("client|");
    this.runsListening = WHILE_LISTENING.has(spec.name);
    this.holdsOnWritePause = this.isWrite || spec.flags.includes("may_replicate");
    this.isOnKeys = this.holdsOnWritePause || spec.flags.includes("readonly");
    this.isShown = !spec.flags.includes("admin") && !spec.flags.includes("skip_monitor");
    this.isExec = spec.name === "exec";
    this.runsInMulti = WITHIN_MULTI.has(spec.name);
    this.deniesMulti = spec.flags.includes("no_multi");
    this.deniesOom = spec.flags.includes("denyoom");
    this.makesRoom = this.deniesOom && spec.keyAccess !== undefined &&
      (spec.keyAccess[0].startsWith("RW") || spec.keyAccess.length === 1);
    this.needsNoAuth = spec.flags.includes("no_auth");
    this.runsLoading = spec.flags.includes("loading");
    this.runsStale = spec.flags.includes("stale");
    this.checksSlots = spec.fansOut !== true &&
      (spec.findKeys !== undefined ||
        (spec.keys !== undefined && spec.keys.first !== 0 && spec.keys.last !== spec.keys.first));
    this.subcommands = spec.subcommands === undefined ? null : new CommandTable(spec.subcommands);
  }
}

/** Runs of a command that are timed each, before samples stand for the others. */
const FIRST_RUNS = 16;

/** Commands that Redis does not call fast only because they may free a large old value. */
const CHEAP: ReadonlySet<string> = new Set(["set", "setex", "psetex", "getset", "del", "lpush"]);

/** Commands whose replies a RESP2 client that listens to channels can tell from messages. */
const WHILE_LISTENING: ReadonlySet<string> = new Set([
  "subscribe",
  "unsubscribe",
  "psubscribe",
  "punsubscribe",
  "ssubscribe",
  "sunsubscribe",
  "ping",
  "quit",
  "reset",
]);

/** Commands about the transaction, or the connection, that they are said in. */
const WITHIN_MULTI: ReadonlySet<string> = new Set([
  "multi",
  "exec",
  "discard",
  "watch",
  "quit",
  "reset",
]);

/** Commands found by the bytes of their names, in any case, without making a string. */
export class CommandTable {
  /** All, in the order given. */
  readonly commands: readonly Command[];
  readonly #slots: Int16Array;
  readonly #mask: number;
  #last: Command | null = null;

  /** A table of `specs`, whose names differ. */
  constructor(specs: readonly CommandSpec[]) {
    this.commands = specs.map((spec) => new Command(spec));
    let size = 16;
    while (size < specs.length * 4) size *= 2;
    this.#mask = size - 1;
    this.#slots = new Int16Array(size).fill(-1);
    for (let i = 0; i < specs.length; i++) {
      const name = this.commands[i].name;
      invariant(this.find(name, 0, name.length) === null, `two commands ${specs[i].name}`);
      let at = hashFolded(name, 0, name.length) & this.#mask;
      while (this.#slots[at] >= 0) at = (at + 1) & this.#mask;
      this.#slots[at] = i;
    }
  }

  /** The command that `buf[start..stop)` names, or null. */
  find(buf: Uint8Array, start: number, stop: number): Command | null {
    // Most requests name the command that the one before them named.
    const last = this.#last;
    if (last !== null && isNamed(last.name, buf, start, stop)) return last;
    const mask = this.#mask;
    if (stop - start > NAME_BYTES_MAX) return null;
    let at = hashFolded(buf, start, stop) & mask;
    while (true) {
      const i = this.#slots[at];
      if (i < 0) return null;
      const command = this.commands[i];
      if (isNamed(command.name, buf, start, stop)) return this.#last = command;
      at = (at + 1) & mask;
    }
  }

  /** The command, or subcommand, that `spec` describes, or null. For cold paths. */
  described(spec: CommandSpec): Command | null {
    for (const command of this.commands) {
      const found = command.spec === spec ? command : command.subcommands?.described(spec) ?? null;
      if (found !== null) return found;
    }
    return null;
  }

  /** The command of a full name (`get`, `object|freq`) in any case, or null. */
  named(name: string): Command | null {
    const [word, sub, ...more] = name.split("|").map(ascii);
    const command = this.find(word, 0, word.length);
    if (sub === undefined || command === null) return command;
    if (more.length > 0) return null;
    return command.subcommands?.find(sub, 0, sub.length) ?? null;
  }
}

/** Whether `buf[start..stop)` spells `name`, which is in upper case, in any case. */
function isNamed(name: Uint8Array, buf: Uint8Array, start: number, stop: number): boolean {
  const length = name.length;
  if (stop - start !== length) return false;
  for (let j = 0; j < length; j++) {
    let c = buf[start + j];
    if (c >= 97 && c <= 122) c -= 32;
    if (c !== name[j]) return false;
  }
  return true;
}

/** A hash of a name that takes upper and lower case for the same. */
function hashFolded(buf: Uint8Array, start: number, stop: number): number {
  let h = stop - start;
  for (let i = start; i < stop; i++) h = (Math.imul(h, 31) + (buf[i] & 0xdf)) | 0;
  return h ^ (h >>> 7);
}
