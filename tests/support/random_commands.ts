/**
 * Random command lines over all families, for comparing servers: most are valid, some are not. Keys
 * are few, so that commands meet each other's values.
 */

import type { Random } from "./random.ts";

/** Words of one command; spaces and bytes allowed in them. */
export type Command = readonly string[];

/** Commands that must run behind each other, and what of their replies has no order. */
export interface Unit {
  readonly commands: readonly Command[];
  /** Elements of the reply are sorted before they are compared. */
  readonly unordered?: true;
}

/** Names of the words that begin a command, for `Maker.needs`. */
type Name = string;

interface Maker {
  /** Commands that must exist. */
  readonly needs: readonly Name[];
  /** How often it is drawn. */
  readonly weight: number;
  make(): Unit;
}

const FAR_MS = 4_000_000_000_000;

/** Draws units of commands. */
export class RandomCommands {
  readonly #random: Random;
  readonly #drawn: Maker[] = [];
  /** Names that are not drawn since `exists` does not know them. */
  readonly leftOut: string[] = [];
  /** Names that are drawn. */
  readonly names = new Set<string>();

  /** Draws those commands that `exists` knows, by their lower-case names. */
  constructor(random: Random, exists: (name: string) => boolean) {
    this.#random = random;
    for (const maker of this.#makers()) {
      const missing = maker.needs.filter((name) => !exists(name));
      this.leftOut.push(...missing);
      if (missing.length > 0) continue;
      for (const name of maker.needs) this.names.add(name);
      for (let i = 0; i < maker.weight; i++) this.#drawn.push(maker);
    }
  }

  /** The next unit. */
  next(): Unit {
    return this.#random.pick(this.#drawn).make();
  }

  // ---- parts -----------------------------------------------------------------------------------

  key(): string {
    const { below, pick } = this.#parts();
    if (below(40) === 0) return pick(["", "\x00\r\n", "k".repeat(300), "k0 "]);
    return `k${below(8)}`;
  }

  #parts() {
    const random = this.#random;
    return {
      below: (n: number) => random.below(n),
      pick: <T>(list: readonly T[]) => random.pick(list),
    };
  }

  #value(): string {
    const { below, pick } = this.#parts();
    switch (below(8)) {
      case 0:
        return `${below(2_000) - 1_000}`;
      case 1:
        return this.#integer();
      case 2:
        return pick([
          "",
          "x",
          "3.0e2",
          "1.5",
          "-0",
          " 1",
          "1 ",
          "0x10",
          "nan",
          "inf",
          "\r\n",
          "\xff\x00",
        ]);
      case 3:
        return "v".repeat(below(100));
      case 4:
        return "v".repeat(8_100 + below(100));
      case 5:
        return `${below(1_000)}.${below(1_000)}`;
      default:
        return `value:${below(1_000)}`;
    }
  }

  #integer(): string {
    return this.#random.pick([
      "0",
      "1",
      "-1",
      "2147483647",
      "2147483648",
      "-2147483649",
      "9007199254740993",
      "-9007199254740993",
      "9223372036854775807",
      "-9223372036854775808",
      "9223372036854775808",
      "99999999999999999999",
    ]);
  }

  #small(): string {
    const { below, pick } = this.#parts();
    return below(12) === 0 ? pick(["x", "", "1.5", this.#integer()]) : `${below(24) - 8}`;
  }

  #time(): string {
    const { below, pick } = this.#parts();
    if (below(6) === 0) {
      return pick(["x", "0", "-1", "-9223372036854775808"]);
    }
    return `${FAR_MS + below(5) * 1_000}`;
  }

  #seconds(): string {
    const time = this.#time();
    return time.startsWith("4000000") ? time.slice(0, -3) : time;
  }

  #bit(): string {
    const { below, pick } = this.#parts();
    return below(10) === 0 ? pick(["-1", "x", "4294967296"]) : `${below(200)}`;
  }

  /** Some of the options, in random order, sometimes twice, in any case. */
  #options(...lists: (readonly string[])[]): string[] {
    const { below } = this.#parts();
    const out: string[] = [];
    for (const words of lists) {
      if (below(4) !== 0) continue;
      for (const word of words) out.push(below(6) === 0 ? word.toLowerCase() : word);
    }
    if (below(30) === 0 && out.length > 0) out.push(...out);
    if (below(40) === 0) out.push("FOO");
    return out;
  }

  // ---- the families ----------------------------------------------------------------------------

  #makers(): Maker[] {
    const { below, pick } = this.#parts();
    const key = () => this.key();
    const value = () => this.#value();
    const small = () => this.#small();
    const integer = () => this.#integer();
    const time = () => this.#time();
    const seconds = () => this.#seconds();
    const bit = () => this.#bit();
    const options = (...lists: (readonly string[])[]) => this.#options(...lists);
    const keys = () => Array.from({ length: 1 + below(4) }, key);
    const makers: Maker[] = [];
    const add = (weight: number, name: string, args: () => readonly string[]) =>
      makers.push({
        needs: [name.toLowerCase().replace(" ", "|")],
        weight,
        make: () => ({ commands: [[...name.split(" "), ...args()]] }),
      });
    const unit = (weight: number, needs: string[], make: () => Unit) =>
      makers.push({ needs, weight, make });

    // strings
    add(14, "SET", () => [
      key(),
      value(),
      ...options(["GET"], ["NX"], ["XX"], ["KEEPTTL"], ["PXAT", time()], ["EXAT", seconds()]),
    ]);
    add(10, "GET", () => [key()]);
    add(2, "SETNX", () => [key(), value()]);
    add(1, "SETEX", () => [key(), pick(["0", "-1", "x", "9223372036854775807"]), value()]);
    add(1, "PSETEX", () => [key(), pick(["0", "-1", "x"]), value()]);
    add(2, "GETSET", () => [key(), value()]);
    add(2, "GETDEL", () => [key()]);
    add(2, "GETEX", () => [
      key(),
      ...options(["PERSIST"], ["PXAT", time()], ["EXAT", seconds()]),
    ]);
    add(3, "MGET", keys);
    add(2, "MSET", () => keys().flatMap((k) => [k, value()]).slice(0, below(10) === 0 ? -1 : 99));
    add(2, "MSETNX", () => keys().flatMap((k) => [k, value()]));
    add(4, "APPEND", () => [key(), value()]);
    add(2, "STRLEN", () => [key()]);
    add(3, "GETRANGE", () => [key(), small(), small()]);
    add(1, "SUBSTR", () => [key(), small(), small()]);
    add(3, "SETRANGE", () => [key(), pick([`${below(300)}`, "-1", "x", "536870912"]), value()]);
    add(3, "INCR", () => [key()]);
    add(2, "DECR", () => [key()]);
    add(3, "INCRBY", () => [key(), pick([small(), integer()])]);
    add(3, "DECRBY", () => [key(), pick([small(), integer()])]);
    // On keys of its own: an integer that it makes is no "int" to OBJECT ENCODING in Redis.
    add(3, "INCRBYFLOAT", () => [`f${below(3)}`, value()]);
    add(1, "GETDEL", () => [`f${below(3)}`]);
    add(2, "LCS", () => [
      key(),
      key(),
      ...options(["LEN"], ["IDX"], ["MINMATCHLEN", small()], ["WITHMATCHLEN"]),
    ]);

    // bits
    add(4, "SETBIT", () => [key(), bit(), pick(["0", "1", "1", "2"])]);
    add(3, "GETBIT", () => [key(), bit()]);
    add(3, "BITCOUNT", () => [
      key(),
      ...(below(3) === 0 ? [] : [small(), small()]),
      ...options(["BIT"], ["BYTE"]),
    ]);
    add(3, "BITPOS", () => [
      key(),
      pick(["0", "1", "2"]),
      ...pick([[], [small()], [small(), small()], [small(), small(), "BIT"]]),
    ]);
    add(3, "BITOP", () => [pick(["AND", "OR", "xor", "NOT", "FOO"]), key(), ...keys()]);
    const bitFieldPart = () => {
      const type = `${pick(["i", "u"])}${pick([1, 3, 8, 16, 31, 63, 64])}`;
      const at = `${pick(["", "#"])}${below(100)}`;
      return pick([
        ["GET", type, at],
        ["SET", type, at, small()],
        ["INCRBY", type, at, pick([small(), integer()])],
        ["OVERFLOW", pick(["WRAP", "SAT", "FAIL", "x"])],
      ]);
    };
    add(3, "BITFIELD", () => [key(), ...Array.from({ length: below(4) }, bitFieldPart).flat()]);
    add(1, "BITFIELD_RO", () => [key(), ...bitFieldPart()]);

    // HyperLogLog, on keys of its own as well
    const hll = () => (below(8) === 0 ? key() : `h${below(4)}`);
    const members = () => Array.from({ length: below(6) }, () => `m${below(5_000)}`);
    add(5, "PFADD", () => [hll(), ...members()]);
    add(3, "PFCOUNT", () => [hll(), ...(below(2) === 0 ? [] : [hll()])]);
    add(2, "PFMERGE", () => [hll(), hll(), ...(below(2) === 0 ? [] : [hll()])]);

    // keys of any type
    add(4, "DEL", keys);
    add(2, "UNLINK", keys);
    add(2, "EXISTS", keys);
    add(1, "TOUCH", keys);
    add(2, "TYPE", () => [key()]);
    add(2, "RENAME", () => [key(), key()]);
    add(2, "RENAMENX", () => [key(), key()]);
    add(2, "COPY", () => [key(), key(), ...options(["REPLACE"], ["DB", small()])]);
    add(2, "MOVE", () => [key(), small()]);
    add(1, "DBSIZE", () => []);
    add(1, "SWAPDB", () => [pick(["0", "1", "2", "x", "99"]), pick(["0", "1", "2", "x", "99"])]);
    unit(2, ["select"], () => ({ commands: [["SELECT", pick(["0", "0", "1", "2", "16", "x"])]] }));
    unit(2, ["keys"], () => ({
      commands: [["KEYS", pick(["*", "k*", "k[0-4]", "k?", "h*", "", "[", "k\\*"])]],
      unordered: true,
    }));
    unit(1, ["scan"], () => ({
      commands: [["SCAN", "0", "COUNT", "100000", ...options(["MATCH", "k*"], ["TYPE", "string"])]],
      unordered: true,
    }));
    add(1, "SCAN", () => [pick(["x", "1x", "-"]), ...options(["COUNT", "0"], ["MATCH"])]);
    add(1, "FLUSHDB", () => pick([["x"], ["ASYNC", "SYNC"], ["ASYNC"]]));
    for (const name of ["EXPIRE", "PEXPIRE"]) {
      add(
        1,
        name,
        () => [key(), pick(["0", "-1", "x", "99999999999999999999"]), ...options(["NX"], ["XX"])],
      );
    }
    const comparisons = [["NX"], ["XX"], ["GT"], ["LT"]] as const;
    add(3, "EXPIREAT", () => [key(), seconds(), ...options(...comparisons)]);
    add(3, "PEXPIREAT", () => [key(), time(), ...options(...comparisons)]);
    add(2, "EXPIRETIME", () => [key()]);
    add(2, "PEXPIRETIME", () => [key()]);
    add(2, "PERSIST", () => [key()]);
    unit(1, ["ttl", "set"], () => {
      const k = key();
      return { commands: [["SET", k, "v", "EX", "1000"], ["TTL", k], ["DEL", k], ["TTL", k]] };
    });
    add(1, "PTTL", () => [`none${below(3)}`]);
    unit(2, ["dump"], () => {
      const k = key();
      return { commands: [["SET", k, pick(["", "12", "-300", "70000", "abc"])], ["DUMP", k]] };
    });
    add(1, "RESTORE", () => [
      key(),
      pick(["0", "-1", "x"]),
      pick(["\x00\xc0\x0c\n\x00\x96\xc7\xbe\xde\x4d\xa1\x50\x3e", "", "x", "nonsense".repeat(3)]),
      ...options(["REPLACE"], ["ABSTTL"], ["IDLETIME", "1"], ["FREQ", "1"]),
    ]);
    add(2, "OBJECT ENCODING", () => [key()]);
    add(1, "OBJECT REFCOUNT", () => [`none${below(3)}`]);
    add(1, "OBJECT FREQ", () => [key()]);

    // connection and server
    add(2, "PING", () => pick([[], [value()], ["a", "b"]]));
    add(1, "ECHO", () => pick([[value()], [], ["a", "b"]]));
    add(1, "CLIENT SETNAME", () => [pick(["me", "", "a b"])]);
    add(1, "CLIENT GETNAME", () => []);
    add(1, "CLIENT NO-EVICT", () => [pick(["ON", "off", "x"])]);
    add(1, "CLIENT KILL", () => [pick(["x", "1.2.3.4:5"])]);
    add(1, "CONFIG GET", () => [pick(["none", "maxmemory", "appendfsync", "dbfilename"])]);
    add(1, "COMMAND GETKEYS", () => [
      pick(["GET", "DEL", "MSET", "NOPE", "PING", "SET", "RENAME", "BITOP", "PFCOUNT"]),
      ...keys(),
    ]);
    add(1, "WAIT", () => [pick(["0", "-1", "x"]), pick(["0", "1", "-1", "x"])]);
    add(1, "HELLO", () => [pick(["4", "x", "1"])]);
    add(1, "AUTH", () => pick([[], ["a", "b", "c"]]));
    unit(2, [], () => ({ commands: [[pick(["NOPE", "get ", "", "client"]), ...keys()]] }));
    unit(1, ["get"], () => ({ commands: [["GET"]] }));
    unit(1, ["client|reply"], () => ({
      commands: [["CLIENT", "REPLY", "SKIP"], ["INCR", "skipped"], ["GET", "skipped"]],
    }));

    // transactions: a few drawn commands between MULTI and EXEC
    unit(5, ["multi", "exec", "discard", "watch", "unwatch"], () => {
      const inside: Command[] = [];
      for (let n = below(5); n > 0;) {
        const drawn = this.next();
        if (drawn.unordered || drawn.commands.length > 1 || CHANGES_CONNECTION.has(nameOf(drawn))) {
          continue;
        }
        inside.push(...drawn.commands);
        n--;
      }
      const before: Command[] = below(3) === 0 ? [["WATCH", key()]] : [];
      if (before.length > 0 && below(2) === 0) before.push(["SET", before[0][1], "touched"]);
      if (below(6) === 0) before.push(["UNWATCH"]);
      const end = pick([["EXEC"], ["EXEC"], ["EXEC"], ["DISCARD"], ["exec", "x"]]);
      const after: Command[] = end.length > 1 ? [["DISCARD"]] : [];
      return { commands: [...before, ["MULTI"], ...inside, end, ...after, ["UNWATCH"]] };
    });
    add(1, "EXEC", () => []);
    add(1, "DISCARD", () => []);
    add(1, "UNWATCH", () => []);

    // channels
    const channel = () => `c${below(3)}`;
    add(1, "PUBLISH", () => [channel(), value()]);
    add(1, "PUBSUB CHANNELS", () => pick([[], ["c*"], ["c", "d"]]));
    add(1, "PUBSUB NUMSUB", () => pick([[], [channel(), channel()]]));
    add(1, "PUBSUB NUMPAT", () => []);
    unit(1, ["subscribe", "unsubscribe", "psubscribe", "punsubscribe"], () => {
      const one = channel();
      return {
        commands: [
          ["SUBSCRIBE", one, channel()],
          ["PSUBSCRIBE", "c*"],
          ["PING", "x"],
          ["UNSUBSCRIBE", one],
          ["PUNSUBSCRIBE"],
          ["UNSUBSCRIBE", "c0", "c1", "c2"],
        ],
      };
    });
    return makers;
  }
}

/** Commands that a transaction of the generator must not hold: they change what a reply looks like. */
const CHANGES_CONNECTION: ReadonlySet<string> = new Set([
  ..."multi exec discard watch unwatch hello auth client subscribe reset wait".split(" "),
]);

function nameOf(unit: Unit): string {
  return unit.commands[0][0].toLowerCase();
}
