/**
 * What the tests of this room share: a node with a data directory and no sockets, its contents as a
 * map, RDB files made by hand.
 */

import { ascii, equalsBytes, latin1 } from "../../src/base/ascii.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { Gate } from "../../src/base/gate.ts";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { CommandTable } from "../../src/commands/registry.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { FrozenEntries } from "../../src/keyspace/frozen_view.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Latency } from "../../src/observability/latency.ts";
import { Log } from "../../src/observability/log.ts";
import { DISK } from "../../src/persistence/disk.ts";
import type { Storage } from "../../src/persistence/storage.ts";
import { Config } from "../../src/server/config.ts";
import type { ConfigValues } from "../../src/server/config_values.ts";
import { Persistence, type PersistenceHost } from "../../src/server/persistence.ts";
import type { UpstreamPositions } from "../../src/shard/follower.ts";
import { Node } from "../../src/shard/node.ts";
import { RdbWriter } from "../../src/snapshot/rdb_writer.ts";
import { SnapshotWorkerPool } from "../../src/snapshot/worker_pool.ts";
import { FakeEntries, type Item, pullAll } from "../snapshot/support.ts";

/** Keys as `<db> <key>` in latin-1, values, deadlines. */
export type Content = Map<string, { readonly value: Uint8Array; readonly expireAtMs: number }>;

const SET = ascii("SET");
/** Commands that an append-only file of these tests may hold. */
const TABLE = new CommandTable([
  ...STRING_COMMANDS,
  ...COUNTER_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
]);

/** A node that keeps its data in a directory: shards and persistence, no server around them. */
export class DataNode {
  readonly dir: string;
  readonly config: Config;
  readonly node: Node;
  readonly persistence: Persistence;
  /** Lines of the log. */
  readonly lines: string[] = [];
  /** Calls of other parts of the server, in order. */
  readonly calls: string[] = [];
  /** What a replica would say of its upstream. */
  positions: UpstreamPositions | null = null;

  constructor(
    dir: string,
    settings: Partial<ConfigValues> = {},
    storage: Storage = DISK,
    workers: SnapshotWorkerPool = new SnapshotWorkerPool(),
  ) {
    this.dir = dir;
    this.config = new Config({ arenaBytes: 64 * 2 ** 20, save: [], dir, ...settings });
    const log = new Log({
      level: "debug",
      format: "text",
      sink: { write: (line) => this.lines.push(line) > 0 },
      clock: SYSTEM_CLOCK,
    });
    this.node = new Node(this.config, log);
    const host: PersistenceHost = {
      storage,
      table: TABLE,
      config: this.config,
      node: this.node,
      log,
      clock: SYSTEM_CLOCK,
      gate: new Gate(1),
      latency: new Latency(0),
      clients: {
        holdWrites: () => {
          this.calls.push("hold writes");
          return () => this.calls.push("let writes go");
        },
      },
      workers,
      lockData: () => Promise.resolve(),
      replication: this.#replication(),
      updateGuards: () => this.calls.push("guards"),
    };
    this.persistence = new Persistence(host);
  }

  #replication(): PersistenceHost["replication"] {
    return {
      isFollowing: this.config.replicaOf !== null,
      positions: () => this.positions,
      suspend: () => this.calls.push("suspend"),
      resume: () => this.calls.push("resume"),
      reset: () => {
        this.calls.push("reset");
        return Promise.resolve();
      },
      synced: () => {},
      endLocalSyncs: () => {},
    };
  }

  /** A node whose data is loaded. */
  static async open(
    dir: string,
    settings?: Partial<ConfigValues>,
    storage?: Storage,
    workers?: SnapshotWorkerPool,
  ): Promise<DataNode> {
    const node = new DataNode(dir, settings, storage, workers);
    try {
      await node.persistence.load();
    } catch (error) {
      await node.close();
      throw error;
    }
    return node;
  }

  close(): Promise<void> {
    return this.persistence.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  keysOf(key: Uint8Array): Keyspace {
    return this.node.shards[this.node.shardOf(key, 0, key.length)].keys;
  }

  /** SET, with its frame where frames are kept. */
  set(key: string, value: string | Uint8Array, expireAtMs: number = NO_DEADLINE, db = 0): void {
    const name = ascii(key);
    const bytes = typeof value === "string" ? ascii(value) : value;
    const { keys, effects } = this.node.shards[this.node.shardOf(name, 0, name.length)];
    const a = keys.peek(db, name, 0, name.length);
    keys.storeString(db, a, name, 0, name.length, bytes, 0, bytes.length, expireAtMs);
    keys.dirty++;
    if (!effects.active) return;
    effects.begin(db, SET, 2, name.length + bytes.length);
    effects.arg(name, 0, name.length);
    effects.arg(bytes, 0, bytes.length);
    effects.end();
  }

  /** DEL without a frame. */
  remove(key: string, db = 0): void {
    const name = ascii(key);
    const keys = this.keysOf(name);
    const a = keys.peek(db, name, 0, name.length);
    if (a !== 0) keys.remove(db, a);
  }

  /** Everything in it, keys past their deadline included. */
  content(): Content {
    const content: Content = new Map();
    for (const [index, shard] of this.node.shards.entries()) {
      for (const [key, item] of contentOf(shard.keys)) {
        const name = Uint8Array.from(key.slice(key.indexOf(" ") + 1), (c) => c.charCodeAt(0));
        if (this.node.shardOf(name, 0, name.length) !== index) {
          throw new Error(`key ${JSON.stringify(key)} is on shard ${index}`);
        }
        content.set(key, item);
      }
    }
    return content;
  }

  /** Names of the files in its directory. */
  files(): string[] {
    return filesIn(this.dir);
  }
}

/** Everything in a keyspace. */
export function contentOf(keys: Keyspace): Content {
  const content: Content = new Map();
  const entries = new FrozenEntries(keys.freeze());
  while (entries.next()) {
    const key = latin1(entries.u8, entries.keyStart, entries.keyStop);
    const { db, expireAtMs } = entries;
    const value = new Uint8Array(entries.valueBytes);
    let at = 0;
    for (let i = 0; i < entries.pieces; i++) {
      entries.piece(i);
      value.set(entries.u8.subarray(entries.pieceStart, entries.pieceStop), at);
      at += entries.pieceStop - entries.pieceStart;
    }
    content.set(`${db} ${key}`, { value, expireAtMs });
  }
  keys.thaw();
  while (keys.arena.sweepDeferred(10_000));
  return content;
}

function equals(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && equalsBytes(a, 0, b, 0, a.length);
}

/** Whether two contents are the same; names the first difference otherwise. */
export function assertSameContent(got: Content, want: Content, where: string): void {
  for (const [key, item] of want) {
    const found = got.get(key);
    if (found === undefined) throw new Error(`${where}: key ${key} is missing`);
    if (!equals(found.value, item.value)) throw new Error(`${where}: value of ${key} differs`);
    if (found.expireAtMs !== item.expireAtMs) {
      throw new Error(
        `${where}: deadline of ${key} is ${found.expireAtMs}, not ${item.expireAtMs}`,
      );
    }
  }
  for (const key of got.keys()) {
    if (!want.has(key)) throw new Error(`${where}: there is a key ${key} too many`);
  }
}

/** Names of the files in a directory, in order; not those that only lock it. */
export function filesIn(dir: string): string[] {
  return Array.from(Deno.readDirSync(dir), (entry) => entry.name)
    .filter((name) => !name.endsWith(".lock"))
    .sort();
}

/** Runs a test with a directory that is removed afterwards. */
export async function withDir(test: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  try {
    await test(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** An RDB image with these facts and keys, as Redis or another shoal would have made it. */
export function image(
  aux: readonly (readonly [string, string])[],
  items: readonly Item[],
): Uint8Array<ArrayBuffer> {
  return pullAll(new RdbWriter(new FakeEntries(items), { aux, compress: true, checksum: true }));
}
