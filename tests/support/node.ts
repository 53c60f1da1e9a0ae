/**
 * A node without a server around it: shards, replication and its listeners in this process, on ports
 * of its own, commands run as function calls. What replicas need of a client port, the answer to
 * `REPLCONF LAYOUT`, is given by a small responder.
 *
 * ```ts ignore
 * await using primary = TestNode.start({ shards: 2 });
 * await using replica = TestNode.start({ shards: 3 });
 * replica.follow(primary);
 * primary.run("SET", "k", "v");
 * await inStep(primary, replica);
 * ```
 */

import { ascii, latin1 } from "../../src/base/ascii.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { Gate } from "../../src/base/gate.ts";
import { SHA1_BYTES } from "../../src/base/sha1.ts";
import { BITFIELD_COMMANDS } from "../../src/commands/bitfield.ts";
import { BIT_COMMANDS } from "../../src/commands/bits.ts";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { mixCollection } from "../../src/commands/digest.ts";
import { DUMP_COMMANDS } from "../../src/commands/dump.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { HYPERLOGLOG_COMMANDS } from "../../src/commands/hyperloglog.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { KeyspaceEvents } from "../../src/commands/keyspace_events.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { CommandTable } from "../../src/commands/registry.ts";
import { Session } from "../../src/commands/session.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { TYPE_STRING } from "../../src/keyspace/entry.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import type { ReadMemory } from "../../src/memory/arena.ts";
import { Log } from "../../src/observability/log.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { RequestParser } from "../../src/resp/request_parser.ts";
import { Config } from "../../src/server/config.ts";
import type { ConfigValues } from "../../src/server/config_values.ts";
import { Executor } from "../../src/server/executor.ts";
import { NOBODY_WATCHES } from "../../src/shard/applier.ts";
import { Background } from "../../src/shard/background.ts";
import type { Durability } from "../../src/shard/durability.ts";
import { Node } from "../../src/shard/node.ts";
import { Replication } from "../../src/shard/replication.ts";
import { SnapshotWorkerPool } from "../../src/snapshot/worker_pool.ts";
import { NOT_KEPT } from "./durability.ts";
import { LayoutPort } from "./layout.ts";
import { onRunOfPorts } from "./ports.ts";
import { PATIENCE_MS, until } from "./until.ts";

/** Time between two ticks, in ms. */
export const TICK_MS = 10;
const MiB = 2 ** 20;

/** A word of a command: text is UTF-8. */
export type Word = string | Uint8Array;

/** What a node may be given besides settings. */
export interface TestNodeOptions {
  /** Whether keys past their deadline are looked for. */
  expires?: boolean;
  /** How much its clock is ahead of others', in ms. */
  clockAheadMs?: number;
  /** Where its frames are kept; nowhere unless a test says otherwise. */
  durability?: Durability;
}

/** A digest of a value that is no string. */
function digestOf(
  { memory, type, form, root }: { memory: ReadMemory; type: number; form: number; root: number },
): Uint8Array {
  const digest = new Uint8Array(SHA1_BYTES);
  mixCollection(digest, memory, type, form, root);
  return digest;
}

/** Pieces that a string lies in; 0 of any other value. */
function piecesOf(e: FrozenEntries): number {
  return e.type === TYPE_STRING ? e.pieces : 0;
}

/** See the module's text. */
export class TestNode implements AsyncDisposable {
  readonly config: Config;
  readonly node: Node;
  readonly replication: Replication;
  readonly gate = new Gate(Number(Deno.env.get("DENO_TOKIO_EVENT_INTERVAL") ?? 61));
  readonly workers = new SnapshotWorkerPool();
  /** The first of its replication ports. */
  readonly base: number;
  /** Its client port, which answers `REPLCONF LAYOUT` and AUTH only. */
  readonly port: number;
  /** Lines that it logged. */
  readonly log: string[] = [];
  /** The replication ports that it tells: a proxy's, when there is one. */
  announcedBase: number;
  /** Whether it says that it is loading. */
  isLoading = false;
  /** How often the guards were told to change. */
  guardChanges = 0;
  readonly #executor: Executor;
  readonly #parser = new RequestParser();
  readonly #session: Session;
  readonly #background: Background;
  readonly #layout: LayoutPort;
  readonly #timer: ReturnType<typeof setInterval>;
  readonly #nowMs: () => number;
  #closed = false;
  #nextClientId = 1;

  private constructor(settings: Partial<ConfigValues>, options: TestNodeOptions) {
    const aheadMs = options.clockAheadMs ?? 0;
    this.#nowMs = () => Date.now() + aheadMs;
    const log = new Log({
      level: "notice",
      format: "text",
      sink: { write: (line) => this.log.push(line) > 0 },
      clock: SYSTEM_CLOCK,
      flood: { burstLines: Infinity, linesPerSecond: Infinity, kindsMax: 512 },
    });
    this.config = new Config({ arenaBytes: 256 * MiB, ...settings });
    this.node = new Node(this.config, log);
    const table = new CommandTable([
      ...STRING_COMMANDS,
      ...COUNTER_COMMANDS,
      ...BIT_COMMANDS,
      ...BITFIELD_COMMANDS,
      ...HYPERLOGLOG_COMMANDS,
      ...DUMP_COMMANDS,
      ...LIST_COMMANDS,
      ...SET_TYPE_COMMANDS,
      ...ZSET_COMMANDS,
      ...HASH_COMMANDS,
      ...STREAM_COMMANDS,
      ...KEY_COMMANDS,
      ...EXPIRY_COMMANDS,
    ]);
    this.#executor = new Executor(table, this.node, this.node.sequence, {
      slow() {},
      errorReplied() {},
    });
    this.replication = new Replication({
      durability: options.durability ?? NOT_KEPT,
      node: this.node,
      table,
      events: new KeyspaceEvents(),
      monitors: NOBODY_WATCHES,
      settings: this.config,
      log,
      gate: this.gate,
      clock: { ...SYSTEM_CLOCK, nowMs: this.#nowMs },
      workers: this.workers,
      clientPort: () => this.port,
      nextClientId: () => this.#nextClientId++,
      isLoading: () => this.isLoading,
      descriptorLacked() {},
      guardsChanged: () => void this.guardChanges++,
    });
    this.base = onRunOfPorts(this.node.shards.length, (base) => {
      try {
        for (const shard of this.node.shards) {
          this.replication.listen(shard, "127.0.0.1", base + shard.index);
        }
      } catch (error) {
        this.replication.stopListening();
        throw error;
      }
      return base;
    });
    this.announcedBase = this.base;
    this.#layout = new LayoutPort(() => ({
      base: this.announcedBase,
      node: this.node.id,
      histories: this.node.shards.map((shard) => shard.lineage.id),
      password: this.config.requirePass,
    }));
    this.port = this.#layout.port;
    this.#session = new Session({
      id: 1,
      peer: "",
      local: "",
      nowMs: 0,
      authenticated: true,
      reply: new ReplyWriter(),
    });
    this.#background = new Background(this.node, this.gate, () => this.replication.endTurn());
    this.#background.expires = options.expires ?? true;
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
  }

  /** A node that listens. */
  static start(settings: Partial<ConfigValues> = {}, options: TestNodeOptions = {}): TestNode {
    return new TestNode(settings, options);
  }

  #tick(): void {
    this.replication.tick();
    this.#background.start(this.#nowMs);
  }

  /** Runs a command at once; its reply as text, a byte a character. */
  run(...words: Word[]): string {
    const { reply } = this.#session;
    const request = encode(words);
    this.#parser.reset();
    this.#parser.parse(request, request.length);
    this.#executor.beginTurn(this.#nowMs());
    reply.at = 0;
    this.#executor.execute(this.#session, request, this.#parser);
    this.replication.endTurn();
    return latin1(reply.buf, 0, reply.at);
  }

  /** The value of a key in database 0 as the node's clients see it, or null. */
  get(key: Word): string | null {
    const said = this.run("GET", key);
    if (said === "$-1\r\n") return null;
    return said.slice(said.indexOf("\n") + 1, -2);
  }

  /** Keys past their deadline are not looked for any more: the data holds still. */
  async stopExpiring(): Promise<void> {
    this.#background.expires = false;
    await this.#background.settled();
  }

  /** The client's database from now on. */
  select(db: number): void {
    this.#session.db = db;
  }

  /** Number of the node's sequence after the last write. */
  get sequence(): number {
    return this.node.sequence.value;
  }

  /** Follows another node, or what listens on a port. */
  follow(upstream: { readonly port: number }): void {
    this.replication.follow("127.0.0.1", upstream.port);
  }

  /** Keys over all shards and databases. */
  get size(): number {
    return this.node.shards.reduce((sum, shard) => sum + shard.keys.totalSize(), 0);
  }

  /** Everything in it: `db:key` to `value@deadline`, or to `type T digest@deadline`. For small data. */
  content(): Map<string, string> {
    const content = new Map<string, string>();
    for (const e of this.#entries()) {
      const key = `${e.db}:${latin1(e.u8, e.keyStart, e.keyStop)}`;
      let value = "";
      if (e.type !== TYPE_STRING) value = `type ${e.type} ${digestOf(e).toHex()}`;
      for (let i = 0; i < piecesOf(e); i++) {
        e.piece(i);
        value += latin1(e.u8, e.pieceStart, e.pieceStop);
      }
      content.set(key, e.expireAtMs < 0 ? value : `${value}@${e.expireAtMs}`);
    }
    return content;
  }

  /** A hash of everything in it, or in one shard: equal for equal data, in any order. */
  fingerprint(shard = -1): string {
    let low = 0;
    let high = 0;
    let keys = 0;
    const digest = (hash: number, u8: Uint8Array, start: number, stop: number) => {
      for (let i = start; i < stop; i++) hash = Math.imul(hash ^ u8[i], 0x01000193);
      return hash;
    };
    for (const e of this.#entries(shard)) {
      let hash = digest(e.db ^ 0x811c9dc5, e.u8, e.keyStart, e.keyStop);
      hash = Math.imul(hash ^ (e.expireAtMs % 2 ** 31), 0x85ebca6b);
      if (e.type !== TYPE_STRING) hash = digest(hash ^ e.type, digestOf(e), 0, SHA1_BYTES);
      for (let i = 0; i < piecesOf(e); i++) {
        e.piece(i);
        hash = digest(hash, e.u8, e.pieceStart, e.pieceStop);
      }
      low = (low + hash) | 0;
      high = (high + Math.imul(hash ^ (hash >>> 15), 0xc2b2ae35)) | 0;
      keys++;
    }
    return `${keys} keys ${low >>> 0} ${high >>> 0}`;
  }

  /** All entries as they are now; nothing may be written before the walk has ended. */
  *#entries(shard = -1): Generator<FrozenEntries> {
    for (const { index, keys } of this.node.shards) {
      if (shard >= 0 && index !== shard) continue;
      const roots = Int32Array.from({ length: keys.databases }, (_, db) => keys.rootOf(db));
      const none = new Float64Array(keys.databases);
      const { memory } = keys.arena;
      const view = { memory, epoch: 0, roots, sizes: none, volatileSizes: none };
      for (const entries = new FrozenEntries(view); entries.next();) yield entries;
    }
  }

  /** How its data differs from another node's, byte for byte and deadline for deadline, or "". */
  differsFrom(other: TestNode): string {
    if (this.size !== other.size) return `${this.size} keys here, ${other.size} there`;
    let there: Uint8Array = new Uint8Array(1024);
    for (const e of this.#entries()) {
      const { keys } = other.node.shards[other.node.shardOf(e.u8, e.keyStart, e.keyStop)];
      const a = keys.peek(e.db, e.u8, e.keyStart, e.keyStop);
      const name = () => `${e.db}:${JSON.stringify(latin1(e.u8, e.keyStart, e.keyStop))}`;
      if (a === 0) return `key ${name()} is missing there`;
      if (keys.deadlineOf(a) !== e.expireAtMs) {
        return `key ${name()} has the deadline ${e.expireAtMs} here, ${keys.deadlineOf(a)} there`;
      }
      if (keys.typeOf(a) !== e.type) return `key ${name()} is of another type there`;
      if (e.type !== TYPE_STRING) {
        const form = keys.formOf(a), root = keys.valueRoot(a);
        const other = digestOf({ memory: keys.arena, type: e.type, form, root });
        if (other.toHex() !== digestOf(e).toHex()) return `key ${name()} has another value there`;
        continue;
      }
      const bytes = keys.stringBytes(a);
      if (bytes !== e.valueBytes) return `key ${name()} has ${e.valueBytes} and ${bytes} bytes`;
      if (there.length < bytes) there = new Uint8Array(bytes * 2);
      keys.readString(a, 0, bytes, there, 0);
      for (let i = 0, at = 0; i < e.pieces; i++) {
        e.piece(i);
        for (let p = e.pieceStart; p < e.pieceStop; p++, at++) {
          if (e.u8[p] !== there[at]) return `key ${name()} differs at byte ${at}`;
        }
      }
    }
    return "";
  }

  /** Offsets of the upstream's shards up to which this node has applied. */
  get appliedOffsets(): number[] {
    return this.replication.status().upstream?.links.map((link) => link.nextOffset) ?? [];
  }

  /** The latest log lines, for a failed test. */
  tail(): string {
    return this.log.slice(-30).join("\n");
  }

  /** Whether a line with all of `words` was logged. */
  hasLogged(...words: string[]): boolean {
    return this.log.some((line) => words.every((word) => line.includes(word)));
  }

  /** Stops as a node that is killed: no last words to anybody. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#timer);
    this.#layout[Symbol.dispose]();
    await this.replication.close();
    await this.#background.settled();
    this.workers.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }
}

/** Waits until a replica's every link streams. */
export function linked(replica: TestNode, patienceMs = PATIENCE_MS): Promise<void> {
  const isUp = () => replica.replication.isLinkUp;
  return until("the link is up", isUp, () => replica.tail(), patienceMs);
}

/** Waits until a replica has applied all that the primary has, while nobody writes. */
export function inStep(primary: TestNode, replica: TestNode): Promise<void> {
  primary.replication.endTurn();
  const isInStep = () => {
    if (!replica.replication.isLinkUp) return false;
    const applied = replica.appliedOffsets;
    return primary.node.shards.every((shard) => shard.nextOffset === applied[shard.index]);
  };
  return until("the replica has everything", isInStep, () => {
    const wanted = primary.node.shards.map((shard) => shard.nextOffset);
    return `wanted ${wanted}, applied ${replica.appliedOffsets}\n${replica.tail()}\n${primary.tail()}`;
  });
}

/** Has a replica follow a primary, and waits until it has all that is there. */
export async function follows(replica: TestNode, primary: TestNode): Promise<void> {
  replica.follow(primary);
  await linked(replica);
  await inStep(primary, replica);
}

function encode(words: readonly Word[]): Uint8Array<ArrayBuffer> {
  const parts = words.map((word) => typeof word === "string" ? ascii(word) : word);
  const head = parts.map((part) => `$${part.length}\r\n`);
  const first = ascii(`*${words.length}\r\n`);
  const out = new Uint8Array(
    first.length + parts.reduce((sum, part, i) => sum + head[i].length + part.length + 2, 0),
  );
  out.set(first);
  let at = first.length;
  for (const [i, part] of parts.entries()) {
    for (let c = 0; c < head[i].length; c++) out[at++] = head[i].charCodeAt(c);
    out.set(part, at);
    at += part.length;
    out[at++] = 13;
    out[at++] = 10;
  }
  return out;
}
