/** What an upstream says of values of every type reaches nodes of any number of shards, and on. */

import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Call, type ShardPort, type ShardsPort } from "../../src/commands/call.ts";
import { DatasetDigest } from "../../src/commands/digest.ts";
import { DUMP_COMMANDS } from "../../src/commands/dump.ts";
import type { EffectSink } from "../../src/commands/effect.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { GEO_COMMANDS } from "../../src/commands/geo.ts";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { CommandTable } from "../../src/commands/registry.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { SORT_COMMANDS } from "../../src/commands/sort.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { Session } from "../../src/commands/session.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { Applier, type FramePlace } from "../../src/shard/applier.ts";
import { Commit, NodeSequence } from "../../src/shard/commit.ts";
import { KevyDialect } from "../../src/shard/kevy_dialect.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = testSeed(515);
const NOW = 1_700_000_000_000;
const TABLE = new CommandTable([
  ...STRING_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...DUMP_COMMANDS,
  ...LIST_COMMANDS,
  ...SET_TYPE_COMMANDS,
  ...ZSET_COMMANDS,
  ...HASH_COMMANDS,
  ...STREAM_COMMANDS,
  ...SORT_COMMANDS,
  ...GEO_COMMANDS,
]);

/** A frame: its database and its words. */
type Frame = readonly [db: number, words: readonly Uint8Array[]];

/** Keeps effects as frames, in the order of the whole node. */
class Recorder implements EffectSink {
  readonly active = true;
  inUnit = false;
  readonly #frames: Frame[];
  #open: Uint8Array[] = [];
  #db = 0;

  constructor(frames: Frame[]) {
    this.#frames = frames;
  }

  begin(db: number, name: Uint8Array): void {
    this.#db = db;
    this.#open = [name.slice()];
  }

  arg(src: Uint8Array, start: number, stop: number): void {
    this.#open.push(src.slice(start, stop));
  }

  argInteger(n: number): void {
    this.#open.push(ascii(String(n)));
  }

  endMessage(): void {
    this.end();
  }

  end(): void {
    this.#frames.push([this.#db, this.#open]);
  }

  encoded(): boolean {
    return false;
  }

  beginUnit(): void {
    assert(!this.inUnit, "a unit in a unit");
    this.inUnit = true;
  }

  endUnit(): void {
    this.inUnit = false;
  }
}

/** Shards, and what they say. */
class Node {
  readonly frames: Frame[] = [];
  readonly port: ShardsPort;
  readonly shards: ShardPort[];
  readonly applier = new Applier(TABLE);
  readonly #call: Call;
  readonly #reply = new ReplyWriter();
  readonly #session = new Session({
    id: 1,
    peer: "",
    local: "",
    nowMs: NOW,
    authenticated: true,
    reply: this.#reply,
  });

  constructor(shards: number, sink: (keys: Keyspace, frames: Frame[]) => EffectSink) {
    this.shards = Array.from({ length: shards }, () => {
      const keys = new Keyspace(new Arena(32 * 2 ** 20), 4, { k0: 7, k1: 11 });
      keys.nowMs = NOW;
      return { keys, effects: sink(keys, this.frames) };
    });
    const shardOf = (buf: Uint8Array, start: number, stop: number) =>
      stop === start ? 0 : buf[stop - 1] % shards;
    this.port = { shards: this.shards, shardOf, slotOf: shardOf };
    this.#call = new Call(this.port);
  }

  /** Runs a client's command; its reply. */
  run(db: number, words: readonly string[]): string {
    const { buf, starts, stops } = layOut(words.map((word) => ascii(word)));
    const named = TABLE.find(buf, starts[0], stops[0])!;
    const command = named.subcommands?.find(buf, starts[1], stops[1]) ?? named;
    const call = this.#call;
    Object.assign(call, { buf, starts, stops, argc: words.length, session: this.#session });
    Object.assign(call, { reply: this.#reply, spec: command.spec, nowMs: NOW, db });
    this.#reply.at = 0;
    call.useShard(0);
    if (command.firstKey > 0) call.route(command.firstKey);
    command.run(call);
    return latin1(this.#reply.buf, 0, this.#reply.at);
  }

  /** Applies the frames of an upstream with one shard. */
  apply(frames: readonly Frame[], where: string): void {
    const place: FramePlace = { shard: 0, shards: 1, db: 0, lenient: false };
    this.applier.open(this.port, place, NOW);
    for (const [db, words] of frames) {
      place.db = db;
      const { buf, starts, stops } = layOut(words);
      const failure = this.applier.apply(place, buf, { argc: words.length, starts, stops });
      const said = words.map((word) => latin1(word).slice(0, 60)).join(" ");
      assertEquals(failure, null, `${where}: ${said}`);
    }
    this.applier.close();
  }

  get digest(): string {
    const whole = new DatasetDigest(this.shards.map(({ keys }) => keys));
    while (!whole.step(1000));
    return whole.hex();
  }

  get size(): number {
    return this.shards.reduce((sum, { keys }) => sum + keys.totalSize(), 0);
  }
}

function layOut(words: readonly Uint8Array[]) {
  const buf = new Uint8Array(words.reduce((sum, word) => sum + word.length, 0));
  const starts = new Int32Array(words.length + 2).fill(-1);
  const stops = new Int32Array(words.length + 2).fill(-1);
  let at = 0;
  words.forEach((word, i) => {
    starts[i] = at;
    buf.set(word, at);
    stops[i] = at += word.length;
  });
  return { buf, starts, stops };
}

/** A random command of a client, on few keys, so that they meet. */
function someCommand(random: Random): string[] {
  const of = (type: string) => `${type}${random.below(6)}`;
  const word = () => `w${random.below(40)}`;
  const number = () => String(random.below(40) - 20);
  const words = (n: number) => Array.from({ length: 1 + random.below(n) }, word);
  const long = () => "x".repeat(random.below(3) === 0 ? 3000 : 3);
  switch (random.below(44)) {
    case 0:
    case 1:
      return ["RPUSH", of("l"), ...words(9)];
    case 2:
      return ["LPUSH", of("l"), word() + long()];
    case 3:
      return ["LPOP", of("l")];
    case 4:
      return ["RPOP", of("l"), String(1 + random.below(3))];
    case 5:
    case 6:
      return [
        "LMOVE",
        of("l"),
        of("l"),
        random.pick(["LEFT", "RIGHT"]),
        random.pick(["left", "RIGHT"]),
      ];
    case 7:
      return ["RPOPLPUSH", of("l"), of("l")];
    case 8:
      return ["LINSERT", of("l"), "BEFORE", word(), word()];
    case 9:
      return ["LREM", of("l"), "1", word()];
    case 10:
      return ["LTRIM", of("l"), "0", "30"];
    case 11:
    case 12:
      return ["SADD", of("s"), ...words(9)];
    case 13:
      return ["SADD", of("s"), number(), number()];
    case 14:
      return ["SREM", of("s"), word()];
    case 15:
    case 16:
      return ["SMOVE", of("s"), of("s"), word()];
    case 17:
      return ["SPOP", of("s"), "2"];
    case 18:
      return ["SUNIONSTORE", of("s"), of("s"), of("s")];
    case 19:
      return ["SINTERSTORE", of("s"), of("s"), of("s")];
    case 20:
      return ["SDIFFSTORE", of("s"), of("s"), of("s")];
    case 21:
    case 22:
      return ["ZADD", of("z"), ...words(5).flatMap((member) => [number(), member])];
    case 23:
      return ["ZADD", of("z"), random.pick(["NX", "XX", "GT"]), "CH", "1.5", word(), "-7", word()];
    case 24:
      return ["ZINCRBY", of("z"), "2.25", word()];
    case 25:
      return ["ZREM", of("z"), word()];
    case 26:
      return ["ZPOPMIN", of("z"), "2"];
    case 27:
      return ["ZUNIONSTORE", of("z"), "2", of("z"), of("s"), "WEIGHTS", "2", "3"];
    case 28:
      return ["ZINTERSTORE", of("z"), "2", of("z"), of("z"), "AGGREGATE", "MAX"];
    case 29:
      return ["ZDIFFSTORE", of("z"), "2", of("z"), of("z")];
    case 30:
      return ["ZRANGESTORE", of("z"), of("z"), "0", "4"];
    case 31:
      return ["ZREMRANGEBYRANK", of("z"), "0", "1"];
    case 32:
    case 33:
      return ["HSET", of("h"), ...words(6).flatMap((field) => [field, word() + long()])];
    case 34:
      return ["HSETNX", of("h"), word(), number()];
    case 35:
      return ["HDEL", of("h"), word(), word()];
    case 36:
      return ["HPEXPIREAT", of("h"), String(NOW + 1e6 + random.below(1e6)), "FIELDS", "1", word()];
    case 37:
      return ["XADD", of("x"), "*", "field", word(), "other", long()];
    case 38:
      return random.pick([
        ["XGROUP", "CREATE", of("x"), "g", "0", "MKSTREAM"],
        ["XREADGROUP", "GROUP", "g", word(), "COUNT", "2", "STREAMS", of("x"), ">"],
        ["XTRIM", of("x"), "MAXLEN", "20"],
      ]);
    case 39:
      return ["SORT", of("s"), "ALPHA", "STORE", of("l")];
    case 40:
      return random.pick([["PEXPIREAT", of("z"), String(NOW + 1e7)], ["PERSIST", of("z")]]);
    case 41: {
      const type = random.pick(["l", "s", "z", "h", "x", "str"]);
      return ["RENAME", of(type), of(type)];
    }
    case 42: {
      const type = random.pick(["l", "s", "z", "h", "x", "str"]);
      return [
        "COPY",
        of(type),
        of(type),
        ...random.pick([[], ["REPLACE"], ["REPLACE", "DB", "1"]]),
      ];
    }
    default:
      return random.pick([["SET", of("str"), word()], ["DEL", of("l"), of("s"), of("z")]]);
  }
}

Deno.test(`values of every type follow an upstream to any number of shards, seed ${SEED}`, () => {
  const record = (_: Keyspace, frames: Frame[]) => new Recorder(frames);
  for (const shards of [1, 2, 5]) {
    const random = new Random(SEED + shards);
    const upstream = new Node(1, record);
    const replica = new Node(shards, record);
    const third = new Node(3, record);
    for (let round = 0; round < 15; round++) {
      for (let i = 0; i < 150; i++) {
        upstream.run(random.below(8) === 0 ? 1 : 0, someCommand(random));
      }
      const where = `seed ${SEED}, ${shards} shards, round ${round}`;
      replica.apply(upstream.frames.splice(0), where);
      assertEquals(replica.digest, upstream.digest, where);
      assertEquals(replica.size, upstream.size, where);
      // What the replica says of it is as good for those who follow that.
      third.apply(replica.frames.splice(0), `${where}, its replica`);
      assertEquals(third.digest, upstream.digest, `${where}, its replica`);
    }
  }
});

// ---- kevy's words --------------------------------------------------------------------------------

/** What kevy 1.18 applies as Redis does, and with how many arguments at most. */
const KEVY: ReadonlySet<string> = new Set(
  ("SET DEL PEXPIREAT PERSIST RPUSH LPUSH LPOP RPOP LSET LREM LTRIM SADD SREM ZADD ZREM HSET HDEL " +
    "HINCRBY XADD XDEL XTRIM XACK XGROUP XCLAIM XSETID").split(" "),
);

/** A commit that keeps frames; the dialect asks nothing more of it. */
class RecordingCommit extends Commit {
  readonly #recorder: Recorder;

  constructor(frames: Frame[]) {
    super({ value: 0, writes: 0 }, false);
    this.active = true;
    this.#recorder = new Recorder(frames);
  }

  override begin(db: number, name: Uint8Array): void {
    this.#recorder.begin(db, name);
  }

  override arg(src: Uint8Array, start: number, stop: number): void {
    this.#recorder.arg(src, start, stop);
  }

  override argInteger(n: number): void {
    this.#recorder.argInteger(n);
  }

  override end(): void {
    this.#recorder.end();
  }
}

/** A node whose frames are in kevy's words. */
function kevysUpstream(): Node {
  return new Node(
    1,
    (keys, frames) =>
      new KevyDialect(new RecordingCommit(frames), new Commit(new NodeSequence(), true), keys),
  );
}

Deno.test(`kevy's replicas are told of values of every type in its words, seed ${SEED}`, () => {
  const random = new Random(SEED + 99);
  const upstream = kevysUpstream();
  const replica = new Node(1, (_, frames) => new Recorder(frames));
  for (let round = 0; round < 15; round++) {
    for (let i = 0; i < 150; i++) {
      const words = someCommand(random);
      if (words.includes("DB") || words[0] === "HPEXPIREAT") continue; // it has neither
      upstream.run(0, words);
    }
    const frames = upstream.frames.splice(0);
    for (const [db, words] of frames) {
      const said = words.map((word) => latin1(word));
      assertEquals(db, 0);
      assert(KEVY.has(said[0]), said.join(" ").slice(0, 200));
      if (said[0] === "ZADD") assert(!Number.isNaN(Number(said[2])), said.join(" "));
      if (said[0] === "LPOP" || said[0] === "RPOP") assertEquals(said.length, 2);
      assert(!said.includes("LASTID") && !said.includes("ENTRIESREAD"), said.join(" "));
      assert(words.reduce((sum, word) => sum + word.length, 0) < 200_000);
    }
    replica.apply(frames, `seed ${SEED} round ${round}`);
    assertEquals(replica.digest, upstream.digest, `seed ${SEED} round ${round}`);
  }
});

Deno.test("kevy's replicas are told of what a search by radius has stored", () => {
  const upstream = kevysUpstream();
  const replica = new Node(1, (_, frames) => new Recorder(frames));
  const around = ["15", "37", "500", "km"];
  const steps = [
    ["GEOADD", "from", "15", "37", "a", "15.1", "37.1", "b", "80", "10", "far"],
    ["ZADD", "old", "1", "x"],
    ["SADD", "set", "y"],
    ["GEORADIUS", "from", ...around, "STORE", "new"],
    ["GEORADIUS", "from", ...around, "store", "unused", "ASC", "STOREDIST", "old"],
    ["GEORADIUSBYMEMBER", "from", "a", "500", "km", "STOREDIST", "set"],
    ["GEORADIUSBYMEMBER", "from", "b", "1", "m", "COUNT", "1", "STORE", "STORE"],
    ["GEOSEARCHSTORE", "searched", "from", "FROMLONLAT", "15", "37", "BYRADIUS", "9", "km"],
    ["GEORADIUS", "nothing", ...around, "STORE", "new"],
    ["GEORADIUS", "from", ...around, "STORE", "from"],
  ];
  for (const words of steps) {
    upstream.run(0, words);
    replica.apply(upstream.frames.splice(0), words.join(" "));
    assertEquals(replica.digest, upstream.digest, words.join(" "));
  }
  assertEquals(replica.size, 5);
});
