import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { StreamReader } from "../../src/keyspace/stream_reader.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { differences, type Line, makeList, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";
import type { RawConnection } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STREAM_COMMANDS, ...KEY_COMMANDS];

/** Node sizes small enough that short streams have many, and what DUMP needs to be read easily. */
const NODE_ENTRIES = 7;
const NODE_BYTES = 400;
const REDIS_ARGUMENTS = [
  ..."--rdbcompression no --sanitize-dump-payload no".split(" "),
  ...`--stream-node-max-entries ${NODE_ENTRIES} --stream-node-max-bytes ${NODE_BYTES}`.split(" "),
];

/** A test that asks a redis-server of its own, with small nodes. */
function asks(name: string, ask: (redis: RawConnection) => Promise<void>): void {
  asksRedis(name, ask, REDIS_ARGUMENTS);
}

function useSmallNodes(shell: Shell): void {
  shell.keys[0].limits.streamNodeMaxEntries = NODE_ENTRIES;
  shell.keys[0].limits.streamNodeMaxBytes = NODE_BYTES;
}

// deno-fmt-ignore
const SINGLES = [
  "XADD", "XADD s", "XADD s * f", "XADD s * f v g", "XADD s 0-0 f v", "XADD s 0 f v", "XADD list 1 f v",
  "XADD s 1-1 f v", "XADD s 1-1 f v", "XADD s 1-0 f v", "XADD s 1 f v", "XADD s 1-* f v g w",
  "XADD s 1-* f v", "XADD s 0-* f v", "XADD s 2-* f v", "XADD s 3 f v", "XADD s 3-* f v",
  "XADD s +3-5 f v", "XADD s 003-6 f v", "XADD s -3-7 f v", "XADD s 4--5 f v", "XADD s 4--05 f v",
  "XADD s 3-7x f v", "XADD s x f v", "XADD s - f v", "XADD s + f v", "XADD s 5- f v", "XADD s -5 f v",
  "XADD s '' f v", "XADD s 99999999999999999999999-1 f v", "XADD s 5-18446744073709551615 f v",
  "XADD s 5-* f v", "XADD s 5-18446744073709551616 f v", "XADD s 6-0 '' ''", "XADD s 7-0 f '' f v",
  "XADD n NOMKSTREAM", "XADD n NOMKSTREAM * f v", "XADD n NOMKSTREAM 1-1 f v", "EXISTS n",
  "XADD s NOMKSTREAM 8-1 f v", "XADD s MAXLEN", "XADD s MAXLEN 5", "XADD s MAXLEN x 9-1 f v",
  "XADD s MAXLEN -1 9-1 f v", "XADD s MAXLEN ~ 9-1 f v", "XADD s MAXLEN ~ 1 LIMIT x 9-1 f v",
  "XADD s MAXLEN 1 LIMIT 1 9-1 f v", "XADD s MAXLEN ~ 1 LIMIT -1 9-1 f v", "XADD s LIMIT 1 9-1 f v",
  "XADD s LIMIT 0 9-1 f v", "XADD s MAXLEN 1 MINID 1 9-2 f v", "XADD s MINID x 9-2 f v",
  "XADD s MINID = 3-0 9-2 f v", "XADD s MAXLEN = 4 9-3 f v", "XADD s maxlen ~ 100 limit 0 9-4 f v",
  "XRANGE s - +", "XLEN s", "XINFO STREAM s", "XADD s MAXLEN 0 10-1 f v", "XLEN s", "XINFO STREAM s",
  "XADD s 18446744073709551615-18446744073709551614 f v", "XADD s * f v", "XRANGE s + +",
  "XADD s * f v", "XADD s 18446744073709551615-* f v", "XRANGE s - +", "XINFO STREAM s", "DEL s",
  "XLEN", "XLEN none", "XLEN list", "XLEN a b",
  "XRANGE", "XRANGE s -", "XRANGE none - +", "XRANGE list - +", "XRANGE none x +", "XRANGE none - x",
  "XRANGE none - + COUNT", "XRANGE none - + COUNT x", "XRANGE none - + FOO 1", "XRANGE list - + COUNT x",
  "XADD r 1-1 f 1", "XADD r 1-2 f 2", "XADD r 2-1 g 3", "XADD r 3-1 f 4", "XADD r 4-1 f 5 g 6",
  "XRANGE r - +", "XRANGE r 1 2", "XRANGE r (1 2", "XRANGE r (1-1 (3-1", "XRANGE r 2 1", "XRANGE r 1-2 1-2",
  "XRANGE r (1-2 (1-2", "XRANGE r ( +", "XRANGE r (- +", "XRANGE r - (+", "XRANGE r - (0", "XRANGE r - (0-0",
  "XRANGE r (18446744073709551615-18446744073709551615 +", "XRANGE r (18446744073709551615 +",
  "XRANGE r - + COUNT 0", "XRANGE r - + COUNT -1", "XRANGE r - + COUNT 2", "XRANGE r - + COUNT 2 COUNT 3",
  "XRANGE r - + COUNT 9223372036854775807", "XRANGE r - + COUNT 9223372036854775808", "XRANGE r + -",
  "XREVRANGE r + -", "XREVRANGE r + - COUNT 2", "XREVRANGE r 3 (1", "XREVRANGE r (3-1 1", "XREVRANGE r - +",
  "XREVRANGE r (4-1 (1-1 COUNT 1", "XREVRANGE none + -", "XREVRANGE list + -", "XREVRANGE r + - COUNT 0",
  "XREVRANGE r x y", "XREVRANGE r + y",
  "XDEL", "XDEL r", "XDEL none 1", "XDEL none x", "XDEL list x", "XDEL r x", "XDEL r 9-9", "XDEL r 1-1 x",
  "XDEL r 1-1 1-1 2-1", "XRANGE r - +", "XINFO STREAM r", "XDEL r 4-1", "XINFO STREAM r", "XLEN r",
  "XADD r 4-1 f v", "XADD r 5-1 f v",
  "XTRIM", "XTRIM r", "XTRIM r FOO 1", "XTRIM r MAXLEN", "XTRIM none MAXLEN 1", "XTRIM list MAXLEN 1",
  "XTRIM list MAXLEN x", "XTRIM r MAXLEN x", "XTRIM r MAXLEN -1", "XTRIM r MAXLEN 1 2", "XTRIM r LIMIT 1",
  "XTRIM r LIMIT 0", "XTRIM r MAXLEN 100", "XTRIM r MAXLEN 1 LIMIT 1", "XTRIM r MAXLEN ~ 1 LIMIT 0",
  "XTRIM r MINID x", "XTRIM r MINID 3-1", "XTRIM r MINID = 4", "XRANGE r - +", "XTRIM r MAXLEN = 0",
  "XLEN r", "EXISTS r", "XINFO STREAM r", "XINFO STREAM r FULL", "XADD r 5-2 f v",
  "XSETID", "XSETID r", "XSETID none 1-1", "XSETID list 1-1", "XSETID r x", "XSETID r - ", "XSETID r 1-1",
  "XSETID r 5-1", "XSETID r 5-2", "XSETID r 6-1 ENTRIESADDED", "XSETID r 6-1 ENTRIESADDED x",
  "XSETID r 6-1 ENTRIESADDED -1", "XSETID r 6-1 ENTRIESADDED 0", "XSETID r 6-1 MAXDELETEDID x",
  "XSETID r 6-1 MAXDELETEDID 7-1", "XSETID r 6-1 MAXDELETEDID 6-1 ENTRIESADDED 100", "XSETID r 6-0",
  "XSETID r 6-1 ENTRIESADDED 9223372036854775807", "XADD r 6-2 f v", "XINFO STREAM r",
  "XSETID r 6-2 ENTRIESADDED 5 FOO", "XSETID r 6-2 ENTRIESADDED 9007199254740993", "XINFO STREAM r",
  "XGROUP", "XGROUP FOO", "XGROUP CREATE", "XGROUP CREATE r", "XGROUP CREATE r g", "XGROUP CREATE none g $",
  "XGROUP CREATE none g x MKSTREAM", "EXISTS none", "XGROUP CREATE list g $", "XGROUP CREATE r g x",
  "XGROUP CREATE r g -", "XGROUP CREATE r g 0 FOO", "XGROUP CREATE r g 0 ENTRIESREAD",
  "XGROUP CREATE r g 0 ENTRIESREAD x", "XGROUP CREATE r g 0 ENTRIESREAD -2", "XGROUP CREATE r g 0",
  "XGROUP CREATE r g 0", "XGROUP CREATE r h $", "XGROUP CREATE m g $ MKSTREAM", "XLEN m",
  "XGROUP CREATE m h 0 ENTRIESREAD 3 MKSTREAM", "XINFO GROUPS m", "XINFO STREAM m",
  "XGROUP CREATE m i 0 MKSTREAM MKSTREAM MKSTREAM MKSTREAM",
  "XGROUP CREATE r i 0 ENTRIESREAD 9223372036854775807", "XINFO GROUPS r", "XGROUP SETID r i $",
  "XGROUP SETID", "XGROUP SETID none g 0", "XGROUP SETID r none 0", "XGROUP SETID list g 0",
  "XGROUP SETID r g x", "XGROUP SETID r g -", "XGROUP SETID r g +", "XGROUP SETID r g 6-1 ENTRIESREAD 2",
  "XINFO GROUPS r", "XGROUP SETID r g $ MKSTREAM", "XGROUP SETID r g $ ENTRIESREAD 1 ENTRIESREAD 2",
  "XGROUP CREATECONSUMER", "XGROUP CREATECONSUMER none g c", "XGROUP CREATECONSUMER r none c",
  "XGROUP CREATECONSUMER r g c", "XGROUP CREATECONSUMER r g c", "XGROUP CREATECONSUMER list g c",
  "XGROUP CREATECONSUMER r g c d", "XGROUP DELCONSUMER none g c", "XGROUP DELCONSUMER r none c",
  "XGROUP DELCONSUMER r g none", "XGROUP DELCONSUMER r g c", "XGROUP DELCONSUMER r g c",
  "XGROUP DESTROY none g", "XGROUP DESTROY r none", "XGROUP DESTROY list g", "XGROUP DESTROY r i",
  "XGROUP DESTROY r i", "XGROUP HELP x", "XINFO", "XINFO FOO",
  "XINFO STREAM", "XINFO STREAM none", "XINFO STREAM list", "XINFO STREAM r FOO", "XINFO STREAM r FULL COUNT",
  "XINFO STREAM r FULL COUNT x", "XINFO STREAM r FULL FOO 1", "XINFO STREAM r FULL COUNT 1 2",
  "XINFO GROUPS", "XINFO GROUPS none", "XINFO GROUPS list", "XINFO GROUPS m x", "XINFO CONSUMERS",
  "XINFO CONSUMERS r", "XINFO CONSUMERS none g", "XINFO CONSUMERS r none", "XINFO CONSUMERS r g",
  "XINFO CONSUMERS list g",
  "XREAD", "XREAD STREAMS", "XREAD STREAMS r", "XREAD COUNT 1 STREAMS r", "XREAD COUNT 1 r 0", "XREAD COUNT x STREAMS r 0",
  "XREAD COUNT 1 FOO STREAMS r 0", "XREAD BLOCK x STREAMS r 0", "XREAD BLOCK -1 STREAMS r 0",
  "XREAD BLOCK 1.5 STREAMS r 0", "XREAD STREAMS r x", "XREAD STREAMS r >", "XREAD STREAMS r -",
  "XREAD STREAMS r 0", "XREAD STREAMS r $", "XREAD STREAMS none 0", "XREAD STREAMS list 0",
  "XREAD STREAMS none r 0 0", "XREAD STREAMS r m 0 0", "XREAD STREAMS r r 0 0", "XREAD STREAMS r list 0 0",
  "XREAD COUNT 0 STREAMS r 0", "XREAD COUNT -1 STREAMS r 0", "XREAD GROUP a b STREAMS r 0",
  "XREAD NOACK STREAMS r 0", "XREAD STREAMS r 18446744073709551615-18446744073709551615",
  "XREAD BLOCK 1 STREAMS r $", "XREAD BLOCK 1 STREAMS none 0", "XREAD STREAMS STREAMS r 0 1",
  "XREADGROUP", "XREADGROUP GROUP g c STREAMS", "XREADGROUP GROUP g c COUNT 1 STREAMS r", "XREADGROUP GROUP g c FOO r >",
  "XREADGROUP GROUP g c COUNT x STREAMS r >", "XREADGROUP NOACK COUNT 1 STREAMS r s >",
  "XREADGROUP GROUP none c STREAMS r >", "XREADGROUP GROUP g c STREAMS none >",
  "XREADGROUP GROUP g c STREAMS list >", "XREADGROUP GROUP g c STREAMS r $", "XREADGROUP GROUP g c STREAMS r x",
  "XGROUP CREATECONSUMER r g c", "XREADGROUP GROUP g c STREAMS r >", "XGROUP SETID r g 0",
  "XREADGROUP GROUP g c COUNT 1 STREAMS r >", "XREADGROUP GROUP g c STREAMS r 0",
  "XREADGROUP GROUP g c STREAMS r r > >", "XREADGROUP GROUP g c STREAMS r 6-2",
  "XREADGROUP GROUP g c STREAMS r 18446744073709551615-18446744073709551615",
  "XREADGROUP GROUP g c BLOCK 1 STREAMS r >", "XREADGROUP GROUP g c NOACK STREAMS r >",
  "XPENDING", "XPENDING r", "XPENDING none g", "XPENDING r none", "XPENDING list g", "XPENDING r g", "XPENDING r h",
  "XPENDING r g -", "XPENDING r g - +", "XPENDING r g - + x", "XPENDING r g x + 1", "XPENDING r g - x 1",
  "XPENDING r g - + 0", "XPENDING r g - + -1", "XPENDING r g - + 10 none", "XPENDING r g (6-2 + 10",
  "XPENDING r g IDLE x - + 10", "XPENDING r g IDLE 5 - +", "XPENDING r g IDLE 100000 - + 10",
  "XPENDING r g IDLE 100000 - + 10 c", "XPENDING r g - + 10 c d e f", "XPENDING r g (x + 10",
  "XPENDING r g (18446744073709551615-18446744073709551615 + 1", "XPENDING r g - (0-0 1",
  "XACK", "XACK r g", "XACK none g 1", "XACK none g x", "XACK r none x", "XACK list g 1", "XACK r g x",
  "XACK r g 6-2 x", "XACK r g 6-2 6-2", "XACK r g 6-2", "XPENDING r g",
  "XCLAIM", "XCLAIM r g c 0", "XCLAIM none g c 0 1", "XCLAIM r none c 0 1", "XCLAIM list g c 0 1",
  "XCLAIM r g c x 1", "XCLAIM r g c 0 x", "XCLAIM r g c 0 6-2", "XCLAIM r g c 0 6-2 FOO", "XCLAIM r g c 0 1 IDLE",
  "XCLAIM r g c 0 1 IDLE x", "XCLAIM r g c 0 1 TIME x", "XCLAIM r g c 0 1 RETRYCOUNT x", "XCLAIM r g c 0 1 LASTID x",
  "XCLAIM r g c 0 6-2 FORCE", "XCLAIM r g c 0 6-2 JUSTID", "XCLAIM r g c -5 6-2 6-2 FORCE JUSTID",
  "XCLAIM r g c 0 9-9 FORCE", "XCLAIM r g c 100000 6-2", "XCLAIM r g c 0 6-2 RETRYCOUNT 7 TIME 5 JUSTID",
  "XPENDING r g", "XCLAIM r g c 0 6-2 LASTID 8-8", "XINFO GROUPS r", "XCLAIM r g c 0 6-2 RETRYCOUNT -1 IDLE -5",
  "XAUTOCLAIM", "XAUTOCLAIM r g c 0", "XAUTOCLAIM none g c 0 -", "XAUTOCLAIM r none c 0 -",
  "XAUTOCLAIM list g c 0 -", "XAUTOCLAIM r g c x -", "XAUTOCLAIM r g c 0 x", "XAUTOCLAIM r g c 0 - COUNT",
  "XAUTOCLAIM r g c 0 - COUNT 0", "XAUTOCLAIM r g c 0 - COUNT x", "XAUTOCLAIM r g c 0 - COUNT -1",
  "XAUTOCLAIM r g c 0 - COUNT 576460752303423488", "XAUTOCLAIM r g c 0 - FOO", "XAUTOCLAIM none g c 0 x",
  "XAUTOCLAIM r g c 0 -", "XAUTOCLAIM r g c 0 - JUSTID", "XAUTOCLAIM r g c 100000 -", "XAUTOCLAIM r g c 0 (6-2",
  "XAUTOCLAIM r g c 0 7", "XAUTOCLAIM r g c 0 (18446744073709551615-18446744073709551615", "XDEL r 6-2",
  "XREADGROUP GROUP g c STREAMS r 0", "XAUTOCLAIM r g c 0 -", "XPENDING r g", "XINFO GROUPS r",
];

function unbalanced(name: string, symbol: string): string {
  return `-ERR Unbalanced '${name}' list of streams: for each stream key an ID or '${symbol}' must ` +
    "be specified.\r\n";
}
const BELOW_DELETED =
  "-ERR The ID specified in XSETID is smaller than current max_deleted_entry_id\r\n";

/** Where 7.2 answers otherwise than the 7.0 that is asked. */
const CHANGED: ReadonlyMap<string, string> = new Map([
  ["XREAD COUNT 1 STREAMS r", unbalanced("xread", "$")],
  ["XREADGROUP GROUP g c COUNT 1 STREAMS r", unbalanced("xreadgroup", ">")],
  ["XREADGROUP NOACK COUNT 1 STREAMS r s >", unbalanced("xreadgroup", ">")],
  ["XSETID r 1-1", BELOW_DELETED],
  ["XSETID r 6-0", BELOW_DELETED],
  // 7.0 tells the wrong one of two errors.
  [
    "XADD s 5-* f v",
    "-ERR The ID specified in XADD is equal or smaller than the target stream top item\r\n",
  ],
]);

asks("stream commands reply as redis-server does", async (connection) => {
  const lines: Line[] = SINGLES.map((line) => {
    const ours = CHANGED.get(line);
    return ours === undefined ? { words: words(line) } : { words: words(line), ours };
  });
  for (const protocol of [2, 3] as const) {
    const found = await differences(connection, SPECS, lines, protocol, useSmallNodes);
    assertEquals(found, [], `RESP${protocol}`);
  }
});

/** Takes out of a reply what depends on the moment, and what 7.2 has and 7.0 has not. */
function steady(line: readonly string[], reply: string): string {
  if (line[0] === "XPENDING" && line.length > 3) {
    return reply.replace(/(\*4\r\n\$\d+\r\n.*?\r\n\$\d+\r\n.*?\r\n):\d+/g, "$1:IDLE");
  }
  if (line[0] !== "XINFO") return reply;
  return reply
    .replace(/:1\d{12}\r\n/g, ":TIME\r\n")
    .replace(/idle\r\n:\d+/g, "idle\r\n:IDLE")
    .replace(/\$8\r\ninactive\r\n:[-\d]+\r\n/g, "")
    .replace(/\$11\r\nactive-time\r\n:(-1|TIME)\r\n/g, "")
    .replace(/\*10(\r\n\$4\r\nname)/g, "*8$1")
    .replace(/%5(\r\n\$4\r\nname)/g, "%4$1")
    .replace(/\*8(\r\n\$4\r\nname\r\n\$2\r\n..\r\n\$7\r\npending)/g, "*6$1")
    .replace(/%4(\r\n\$4\r\nname\r\n\$2\r\n..\r\n\$7\r\npending)/g, "%3$1");
}

/** Random commands on few streams, groups and consumers, all IDs explicit. */
class Steps {
  readonly #random: Random;
  #ms = 1;
  #seq = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  #key(): string {
    return this.#random.pick(["sa", "sb", "sc"]);
  }

  #group(): string {
    return this.#random.pick(["ga", "gb"]);
  }

  #consumer(): string {
    return this.#random.pick(["ca", "cb", "cc"]);
  }

  #nextId(): string {
    const { next } = { next: this.#random.next() };
    if (next < 0.6) this.#seq += 1 + this.#random.below(2);
    else if (next < 0.95) {
      this.#ms += 1 + this.#random.below(3);
      this.#seq = this.#random.below(4);
    } else {
      this.#ms += this.#random.pick([200, 40_000, 10_000_000, 5_000_000_000]);
      this.#seq = this.#random.pick([0, 127, 5_000, 9_007_199_254_740_991]);
    }
    return `${this.#ms}-${this.#seq}`;
  }

  /** An ID that may well exist. */
  #someId(): string {
    const back = this.#random.below(12);
    return this.#random.next() < 0.8
      ? `${this.#ms}-${Math.max(0, this.#seq - back)}`
      : `${Math.max(0, this.#ms - back)}-${this.#random.below(4)}`;
  }

  #ids(): string[] {
    return Array.from({ length: 1 + this.#random.below(6) }, () => this.#someId());
  }

  #fields(): string[] {
    const random = this.#random;
    const dice = random.next();
    const value = () =>
      random.pick([
        "v",
        "12",
        "-7",
        "",
        "9223372036854775807",
        "x".repeat(random.below(80)),
        "300",
      ]);
    if (dice < 0.6) return ["a", value(), "b", value()];
    if (dice < 0.8) return ["a", value()];
    if (dice < 0.95) return [random.pick(["a", "c", "17"]), value(), "b", value()];
    return ["a", "x".repeat(random.below(500)), "b", value(), "c", value()];
  }

  #trim(): string[] {
    const random = this.#random;
    const how = random.pick([[], ["="], ["~"], ["~"]]);
    const limit = how[0] === "~" && random.next() < 0.4 ? ["LIMIT", String(random.below(20))] : [];
    return random.next() < 0.5
      ? ["MAXLEN", ...how, String(random.below(40)), ...limit]
      : ["MINID", ...how, this.#someId(), ...limit];
  }

  next(): string[] {
    const random = this.#random;
    const dice = random.below(100);
    const [key, group, consumer] = [this.#key(), this.#group(), this.#consumer()];
    const named = [key, group, consumer];
    if (dice < 32) return ["XADD", key, this.#nextId(), ...this.#fields()];
    if (dice < 35) return ["XADD", key, ...this.#trim(), this.#nextId(), ...this.#fields()];
    if (dice < 37) return ["XTRIM", key, ...this.#trim()];
    if (dice < 42) return ["XDEL", key, ...this.#ids()];
    if (dice < 45) {
      const name = random.pick(["XRANGE", "XREVRANGE"]);
      return [name, key, this.#someId(), this.#someId(), "COUNT", String(1 + random.below(9))];
    }
    if (dice < 46) return [random.pick(["XRANGE", "XREVRANGE"]), key, "-", "+"];
    if (dice < 47) return ["XREVRANGE", key, "+", "-"];
    if (dice < 49) return ["XREAD", "COUNT", "5", "STREAMS", "sa", "sb", this.#someId(), "0"];
    if (dice < 52) return ["XGROUP", "CREATE", key, group, random.pick(["0", "$", this.#someId()])];
    if (dice < 53) return ["XGROUP", "DESTROY", key, group];
    if (dice < 54) return ["XGROUP", "DELCONSUMER", ...named];
    if (dice < 55) return ["XGROUP", "SETID", key, group, random.pick(["0", "$", this.#someId()])];
    if (dice < 67) {
      const from = random.next() < 0.8 ? ">" : random.pick(["0", this.#someId()]);
      const noack = random.next() < 0.1 ? ["NOACK"] : [];
      const count = ["COUNT", String(1 + random.below(6))];
      const who = ["GROUP", group, consumer];
      return ["XREADGROUP", ...who, ...count, ...noack, "STREAMS", key, from];
    }
    if (dice < 74) return ["XACK", key, group, ...this.#ids()];
    if (dice < 81) {
      const options = ["RETRYCOUNT 9", "TIME 5", "IDLE 70000", "FORCE", "JUSTID", "LASTID 3-3"]
        .filter(() => random.next() < 0.3).flatMap((option) => option.split(" "));
      return ["XCLAIM", ...named, random.pick(["0", "30000"]), ...this.#ids(), ...options];
    }
    if (dice < 86) {
      const justId = random.next() < 0.4 ? ["JUSTID"] : [];
      const count = ["COUNT", String(1 + random.below(5))];
      const idle = random.pick(["0", "30000"]);
      return [
        "XAUTOCLAIM",
        ...named,
        idle,
        random.pick(["-", this.#someId()]),
        ...count,
        ...justId,
      ];
    }
    if (dice < 88) return ["XPENDING", key, group];
    if (dice < 91) return ["XPENDING", key, group, "IDLE", "0", "-", "+", "20", consumer];
    if (dice < 92) return ["XPENDING", key, group, this.#someId(), "+", "5"];
    if (dice < 94) return ["XINFO", "STREAM", key];
    if (dice < 96) return ["XINFO", "STREAM", key, "FULL", "COUNT", String(random.below(20))];
    if (dice < 98) return ["XINFO", "GROUPS", key];
    if (dice < 99) return ["XINFO", "CONSUMERS", key, group];
    return random.next() < 0.3
      ? ["DEL", key]
      : ["XSETID", key, this.#nextId(), "ENTRIESADDED", "5000", "MAXDELETEDID", this.#someId()];
  }
}

/** Redis 7.2 creates the consumer whatever else a command finds, 7.0 only when it has something for it. */
function consumerOf(line: readonly string[]): string[] | null {
  if (line[0] === "XREADGROUP") return [line[line.length - 2], line[2], line[3]];
  return line[0] === "XCLAIM" || line[0] === "XAUTOCLAIM" ? line.slice(1, 4) : null;
}

/** The nodes in a DUMP payload of a stream, as `master ID: listpack` in latin-1. */
function dumpedNodes(payload: string): string[] {
  let at = 1;
  const length = () => {
    const c = payload.charCodeAt(at++);
    if (c < 64) return c;
    if (c < 128) return ((c & 63) << 8) | payload.charCodeAt(at++);
    const n = [0, 1, 2, 3].reduce((sum, i) => sum * 256 + payload.charCodeAt(at + i), 0);
    at += 4;
    return n;
  };
  const text = () => {
    const bytes = length();
    at += bytes;
    return payload.slice(at - bytes, at);
  };
  return Array.from({ length: length() }, () => `${text()}: ${text()}`);
}

/** The nodes of a stream as it lies in a shell's memory, likewise. */
function heldNodes(shell: Shell, key: string): string[] {
  const [keys] = shell.keys;
  const bytes = ascii(key);
  const a = keys.peek(0, bytes, 0, bytes.length);
  if (a === 0) return [];
  const reader = new StreamReader(keys.arena);
  const nodes: string[] = [];
  reader.open(keys.valueRoot(a));
  for (let is = reader.firstNode(); is; is = reader.nextNode()) {
    const { masterId, buf, base, byteLength } = reader.node;
    const words = [masterId.msHigh, masterId.msLow, masterId.seqHigh, masterId.seqLow];
    const id = words.map((w) =>
      String.fromCharCode(w >>> 24, (w >>> 16) & 255, (w >>> 8) & 255, w & 255)
    );
    nodes.push(`${id.join("")}: ${latin1(buf, base, base + byteLength)}`);
  }
  return nodes;
}

async function compareNodes(redis: RawConnection, shell: Shell, context: string): Promise<void> {
  for (const key of ["sa", "sb", "sc"]) {
    const dump = await redis.run("DUMP", key);
    const nodes = dump.startsWith("$-1") || dump.startsWith("_")
      ? []
      : dumpedNodes(dump.slice(dump.indexOf("\r\n") + 2));
    assertEquals(heldNodes(shell, key), nodes, `${context}: nodes of ${key}`);
  }
}

asks(
  "streams stay the same as redis-server's through random commands, to the byte",
  async (connection) => {
    const seed = testSeed(20261127);
    for (const protocol of [2, 3] as const) {
      await connection.run("HELLO", String(protocol));
      await connection.run("FLUSHALL");
      const shell = new Shell(SPECS);
      useSmallNodes(shell);
      shell.reply.resp3 = protocol === 3;
      await makeList(connection, shell, "list");
      const steps = new Steps(new Random(seed + protocol));
      for (let step = 0; step < 4_000; step++) {
        const line = steps.next();
        const context = `seed ${seed} RESP${protocol} step ${step}: ${
          line.join(" ").slice(0, 200)
        }`;
        shell.nowMs = Date.now();
        const consumer = consumerOf(line);
        if (consumer !== null) {
          const create = ["XGROUP", "CREATECONSUMER", ...consumer];
          assertEquals(shell.run(...create), await connection.run(...create), context);
        }
        const theirs = steady(line, await connection.run(...line));
        assertEquals(steady(line, shell.run(...line)), theirs, context);
        if (step % 500 === 499) await compareNodes(connection, shell, context);
      }
    }
  },
);

asks("an entry larger than a block is kept as redis-server keeps it", async (connection) => {
  const shell = new Shell(SPECS);
  useSmallNodes(shell);
  const numbers = ["0", "127", "128", "-1", "4095", "-4096", "4096", "32767", "-32769", "8388607"];
  numbers.push("-8388609", "2147483647", "-2147483649", "9223372036854775807", "007", "");
  const texts = ["x".repeat(63), "x".repeat(64), "x".repeat(4_095), "x".repeat(4_096)];
  const words = [...numbers, ...texts, "x".repeat(70_000)];
  const many = Array.from({ length: 30_000 }, (_, i) => `${i}`);
  for (
    const [id, fields] of [
      ["1-1", ["a", "b"]],
      ["1-2", words.flatMap((word) => [word, word])],
      ["1-3", many],
      ["1-4", ["a", "b"]],
      ["1-5", ["a", "c"]],
    ] as const
  ) {
    const line = ["XADD", "sa", id, ...fields];
    assertEquals(shell.run(...line), await connection.run(...line), id);
  }
  await compareNodes(connection, shell, "large entries");
  for (const line of ["XRANGE sa - +", "XDEL sa 1-2 1-1", "XREVRANGE sa + -"]) {
    assertEquals(shell.run(...line.split(" ")), await connection.run(...line.split(" ")), line);
  }
  await compareNodes(connection, shell, "large entries, some deleted");
});
