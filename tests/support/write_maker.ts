/**
 * Random writes of all families. Keys are few, so that commands meet each other's values; most commands
 * do something. What cannot be repeated elsewhere is drawn often: random pops, IDs and times that the
 * server makes up, deadlines that pass soon.
 */

import type { Random } from "./random.ts";

/** Seconds that a client waits for a key. */
const WAIT_SECONDS = "0.03";
/** Ms within which what expires soon has expired. */
export const SOON_MS = 250;
/** Keys, members and fields of this many characters make a value leave its pack. */
const LONG = 1_500;

/** What is drawn from. */
export interface TypedWritesOptions {
  /** Keys of each type under each tag. */
  readonly keys: number;
  /** Hash tags, each with keys of its own; 0 for a server of one shard, whose keys need none. */
  readonly tags: number;
  /** Databases used, from 0 on. */
  readonly databases?: number;
}

/** Words of a command. */
export type Line = readonly string[];

/** Draws commands. */
export class WriteMaker {
  readonly #random: Random;
  readonly #options: TypedWritesOptions;
  readonly #draws: (() => Line)[] = [];
  /** The tag of the command being drawn. */
  #tag = "";
  /** Makes IDs of streams that ascend. */
  #clock = 1;

  constructor(random: Random, options: TypedWritesOptions) {
    this.#random = random;
    this.#options = options;
    this.#strings();
    this.#lists();
    this.#hashes();
    this.#sets();
    this.#zsets();
    this.#places();
    this.#streams();
    this.#anyKeys();
  }

  /** The next commands, which belong together. */
  next(): Line[] {
    if (this.#below(20) > 0) return [this.#draw()];
    const inside = Array.from({ length: 1 + this.#below(6) }, () => this.#draw());
    return [["MULTI"], ...inside, [this.#below(8) === 0 ? "DISCARD" : "EXEC"]];
  }

  /** A command that waits, not for long, if it finds nothing. */
  waiting(): Line {
    this.#retag();
    const side = () => this.#random.pick(["LEFT", "RIGHT"]);
    const [l, m] = [this.#key("l"), this.#key("l")];
    const [z, y] = [this.#key("z"), this.#key("z")];
    return this.#random.pick([
      ["BLPOP", l, m, WAIT_SECONDS],
      ["BRPOP", l, WAIT_SECONDS],
      ["BLMOVE", l, m, side(), side(), WAIT_SECONDS],
      ["BRPOPLPUSH", l, m, WAIT_SECONDS],
      ["BLMPOP", WAIT_SECONDS, "2", l, m, side(), "COUNT", "3"],
      ["BZPOPMIN", z, y, WAIT_SECONDS],
      ["BZPOPMAX", z, WAIT_SECONDS],
      ["BZMPOP", WAIT_SECONDS, "2", z, y, "MIN", "COUNT", "2"],
      ["XREAD", "BLOCK", "30", "STREAMS", this.#key("x"), "$"],
      ...Array.from({ length: 3 }, () => [
        ...["XREADGROUP", "GROUP", this.#group(), this.#consumer(), "COUNT", "3", "BLOCK", "30"],
        ...["STREAMS", this.#key("x"), ">"],
      ]),
    ]);
  }

  #draw(): Line {
    this.#retag();
    return this.#random.pick(this.#draws)();
  }

  #retag(): void {
    const { tags } = this.#options;
    this.#tag = tags === 0 ? "" : `{t${this.#below(tags)}}`;
  }

  #add(weight: number, draw: () => Line): void {
    for (let i = 0; i < weight; i++) this.#draws.push(draw);
  }

  #below(n: number): number {
    return this.#random.below(n);
  }

  #key(type: string): string {
    return `${this.#tag}${type}${this.#below(this.#options.keys)}`;
  }

  #word(): string {
    const text = `w${this.#below(200)}`;
    return this.#below(60) === 0 ? text.padEnd(LONG, "+") : text;
  }

  #some(most: number, draw: () => Line): string[] {
    return Array.from({ length: 1 + this.#below(most) }, draw).flat();
  }

  #words(most: number): string[] {
    return this.#some(most, () => [this.#word()]);
  }

  #number(): string {
    return this.#random.pick([`${this.#below(100)}`, `-${this.#below(9)}.25`, "1e3", "0.1"]);
  }

  #group(): string {
    return `g${this.#below(2)}`;
  }

  #consumer(): string {
    return `c${this.#below(4)}`;
  }

  /** Ms that are over soon, or not before the test is. */
  #ms(): string {
    return String(this.#below(3) === 0 ? 1 + this.#below(SOON_MS) : 500_000 + this.#below(500_000));
  }

  #strings(): void {
    const k = () => this.#key("k");
    this.#add(8, () => ["SET", k(), this.#word()]);
    this.#add(2, () => ["SET", k(), "soon", "PX", this.#ms(), "GET"]);
    this.#add(1, () => ["SET", k(), this.#word(), "KEEPTTL"]);
    this.#add(1, () => ["SET", k(), this.#word(), this.#random.pick(["NX", "XX"])]);
    this.#add(2, () => ["MSET", k(), this.#word(), k(), this.#word()]);
    this.#add(1, () => ["MSETNX", k(), "a", k(), "b"]);
    this.#add(2, () => ["APPEND", k(), this.#word()]);
    this.#add(1, () => ["SETRANGE", k(), `${this.#below(50)}`, this.#word()]);
    this.#add(1, () => ["GETEX", k(), "PX", this.#ms()]);
    this.#add(1, () => ["GETDEL", k()]);
    this.#add(2, () => ["INCRBY", this.#key("n"), `${this.#below(1000)}`]);
    this.#add(2, () => ["INCRBYFLOAT", this.#key("n"), this.#number()]);
    this.#add(1, () => ["SET", this.#key("n"), "7", "PX", this.#ms()]);
    this.#add(1, () => ["SETBIT", k(), `${this.#below(400)}`, `${this.#below(2)}`]);
    this.#add(1, () => ["BITFIELD", k(), "SET", "u8", "#3", "200", "INCRBY", "i5", "9", "3"]);
    this.#add(1, () => ["BITOP", this.#random.pick(["AND", "OR", "XOR"]), k(), k(), k()]);
    this.#add(2, () => ["PFADD", this.#key("p"), ...this.#words(20)]);
    this.#add(1, () => ["PFMERGE", this.#key("p"), this.#key("p"), this.#key("p")]);
    this.#add(1, () => ["PFCOUNT", this.#key("p")]);
  }

  #lists(): void {
    const l = () => this.#key("l");
    const side = () => this.#random.pick(["LEFT", "RIGHT"]);
    this.#add(6, () => [this.#random.pick(["LPUSH", "RPUSH"]), l(), ...this.#words(20)]);
    this.#add(1, () => [this.#random.pick(["LPUSHX", "RPUSHX"]), l(), this.#word()]);
    this.#add(2, () => [this.#random.pick(["LPOP", "RPOP"]), l(), `${this.#below(9)}`]);
    this.#add(1, () => [this.#random.pick(["LPOP", "RPOP"]), l()]);
    this.#add(3, () => ["LMOVE", l(), l(), side(), side()]);
    this.#add(1, () => ["RPOPLPUSH", l(), l()]);
    this.#add(2, () => ["LMPOP", "2", l(), l(), side(), "COUNT", `${1 + this.#below(5)}`]);
    this.#add(1, () => ["LINSERT", l(), "AFTER", this.#word(), this.#word()]);
    this.#add(1, () => ["LSET", l(), `-${1 + this.#below(9)}`, this.#word()]);
    this.#add(1, () => ["LREM", l(), `${this.#below(5) - 2}`, this.#word()]);
    this.#add(1, () => ["LTRIM", l(), `${this.#below(4)}`, "150"]);
  }

  #hashes(): void {
    const h = () => this.#key("h");
    const f = () => this.#word();
    this.#add(6, () => ["HSET", h(), ...this.#some(20, () => [f(), this.#word()])]);
    this.#add(1, () => ["HSETNX", h(), f(), this.#word()]);
    this.#add(2, () => ["HDEL", h(), ...this.#words(6)]);
    this.#add(2, () => ["HINCRBY", h(), `i${this.#below(20)}`, `${this.#below(50)}`]);
    this.#add(2, () => ["HINCRBYFLOAT", h(), `i${this.#below(20)}`, this.#number()]);
    const fields = (): Line => {
      const some = [...this.#words(5), `i${this.#below(20)}`];
      return ["FIELDS", `${some.length}`, ...some];
    };
    this.#add(3, () => ["HPEXPIRE", h(), this.#ms(), ...fields()]);
    this.#add(1, () => ["HEXPIRE", h(), `${this.#below(2) * 1000}`, ...fields()]);
    this.#add(1, () => ["HPEXPIREAT", h(), `${Date.now() + Number(this.#ms())}`, ...fields()]);
    this.#add(1, () => ["HPERSIST", h(), ...fields()]);
  }

  #sets(): void {
    const s = () => this.#key("s");
    this.#add(5, () => ["SADD", s(), ...this.#words(25)]);
    this.#add(2, () => ["SADD", this.#key("i"), ...this.#some(25, () => [`${this.#below(900)}`])]);
    this.#add(2, () => ["SREM", s(), ...this.#words(8)]);
    this.#add(3, () => ["SPOP", this.#random.pick([s(), this.#key("i")])]);
    this.#add(2, () => ["SPOP", this.#random.pick([s(), this.#key("i")]), `${this.#below(40)}`]);
    this.#add(2, () => ["SMOVE", s(), s(), this.#word()]);
    this.#add(2, () => [`S${this.#random.pick(["UNION", "INTER", "DIFF"])}STORE`, s(), s(), s()]);
  }

  #zsets(): void {
    const z = () => this.#key("z");
    this.#add(6, () => ["ZADD", z(), ...this.#some(20, () => [this.#number(), this.#word()])]);
    this.#add(1, () => ["ZADD", z(), "GT", "CH", this.#number(), this.#word()]);
    this.#add(2, () => ["ZADD", z(), "INCR", this.#number(), this.#word()]);
    this.#add(2, () => ["ZINCRBY", z(), this.#number(), this.#word()]);
    this.#add(2, () => ["ZREM", z(), ...this.#words(8)]);
    this.#add(3, () => [this.#random.pick(["ZPOPMIN", "ZPOPMAX"]), z(), `${this.#below(9)}`]);
    this.#add(2, () => ["ZMPOP", "2", z(), z(), "MAX", "COUNT", `${1 + this.#below(5)}`]);
    this.#add(1, () => ["ZREMRANGEBYRANK", z(), "0", `${this.#below(5)}`]);
    this.#add(1, () => ["ZREMRANGEBYSCORE", z(), "90", "(200"]);
    this.#add(1, () => ["ZRANGESTORE", z(), z(), "0", "150", "REV"]);
    this.#add(1, () => ["ZUNIONSTORE", z(), "2", z(), this.#key("s"), "WEIGHTS", "2", "0.5"]);
    this.#add(1, () => ["ZINTERSTORE", z(), "2", z(), z(), "AGGREGATE", "MAX"]);
    this.#add(1, () => ["ZDIFFSTORE", z(), "2", z(), z()]);
  }

  #places(): void {
    const g = () => this.#key("g");
    const degrees = () => (this.#random.next() * 60).toFixed(5);
    this.#add(
      3,
      () => ["GEOADD", g(), ...this.#some(5, () => [degrees(), degrees(), this.#word()])],
    );
    this.#add(1, () => [
      ...["GEOSEARCHSTORE", g(), g(), "FROMLONLAT", degrees(), degrees()],
      ...["BYRADIUS", "2000", "km", ...this.#random.pick([[], ["STOREDIST"]])],
    ]);
    this.#add(1, () => ["GEORADIUS", g(), degrees(), degrees(), "2500", "km", "STORE", g()]);
  }

  #streams(): void {
    const x = () => this.#key("x");
    /** Streams whose IDs are known. */
    const y = () => this.#key("y");
    const id = () => `${Math.max(1, this.#clock - this.#below(60))}-1`;
    const ids = () => this.#some(5, () => [id()]);
    const stream = () => this.#random.pick([x(), y()]);
    const at = (): Line => [stream(), this.#group()];
    const entry = () => this.#some(3, () => [this.#word(), this.#word()]);
    this.#add(6, () => ["XADD", x(), "*", ...entry()]);
    this.#add(2, () => ["XADD", x(), "MAXLEN", "~", "150", "*", "f", this.#word(), "g", "v"]);
    this.#add(1, () => ["XADD", x(), "NOMKSTREAM", "MAXLEN", "120", "*", "f", this.#word()]);
    this.#add(6, () => ["XADD", y(), `${++this.#clock}-1`, ...entry()]);
    this.#add(1, () => ["XADD", y(), `${++this.#clock}-*`, "f", "v"]);
    this.#add(2, () => ["XDEL", y(), ...ids()]);
    this.#add(1, () => ["XTRIM", stream(), "MAXLEN", "~", "100"]);
    this.#add(1, () => ["XTRIM", y(), "MINID", id()]);
    this.#add(1, () => ["XSETID", y(), `${++this.#clock}-1`]);
    this.#add(3, () => ["XGROUP", "CREATE", ...at(), this.#random.pick(["0", "$"]), "MKSTREAM"]);
    this.#add(1, () => ["XGROUP", "SETID", ...at(), this.#random.pick(["0", "$", id()])]);
    this.#add(1, () => ["XGROUP", "CREATECONSUMER", ...at(), this.#consumer()]);
    this.#add(1, () => ["XGROUP", "DELCONSUMER", ...at(), this.#consumer()]);
    this.#add(8, () => [
      ...["XREADGROUP", "GROUP", this.#group(), this.#consumer(), "COUNT", `${1 + this.#below(8)}`],
      ...this.#random.pick([[], [], ["NOACK"]]),
      ...["STREAMS", stream(), this.#random.pick([">", ">", ">", "0"])],
    ]);
    this.#add(3, () => ["XACK", y(), this.#group(), ...ids()]);
    this.#add(3, () => [
      ...["XCLAIM", y(), this.#group(), this.#consumer(), "0", ...ids()],
      ...this.#random.pick([[], ["JUSTID"], ["FORCE"], ["IDLE", "5"], ["RETRYCOUNT", "3"]]),
    ]);
    this.#add(3, () => [
      ...["XAUTOCLAIM", ...at(), this.#consumer(), "0", "-", "COUNT", `${1 + this.#below(9)}`],
      ...this.#random.pick([[], ["JUSTID"]]),
    ]);
  }

  #anyKeys(): void {
    const types = ["k", "l", "h", "s", "i", "z", "g", "x", "y", "p", "n"];
    const any = () => this.#key(this.#random.pick(types));
    const two = (): Line => {
      const type = this.#random.pick(types);
      return [this.#key(type), this.#key(type)];
    };
    this.#add(3, () => ["DEL", any(), any()]);
    this.#add(1, () => ["UNLINK", any()]);
    this.#add(3, () => ["RENAME", ...two()]);
    this.#add(1, () => ["RENAMENX", ...two()]);
    this.#add(3, () => ["COPY", ...two(), "REPLACE"]);
    this.#add(2, () => ["PEXPIRE", any(), this.#ms()]);
    this.#add(1, () => ["EXPIRE", any(), this.#random.pick(["-1", "1000"])]);
    this.#add(2, () => ["PERSIST", any()]);
    this.#add(2, () => [
      ...["SORT", this.#random.pick([this.#key("s"), this.#key("z")]), "ALPHA", "LIMIT", "0", "40"],
      ...["STORE", this.#key("l")],
    ]);
    this.#add(1, () => ["PUBLISH", any(), this.#word()]);
    this.#add(1, () => ["SPUBLISH", any(), this.#word()]);
    const { databases = 1 } = this.#options;
    if (databases < 2) return;
    const db = () => String(this.#below(databases));
    this.#add(2, () => ["MOVE", any(), db()]);
    this.#add(1, () => ["COPY", ...two(), "DB", db()]);
    this.#add(4, () => ["SELECT", db()]);
  }
}
