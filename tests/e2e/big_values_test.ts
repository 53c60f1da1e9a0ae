/**
 * Values of a million elements: nothing that takes one away holds the loop up, nothing that reads a
 * part of one looks at all of it, and nothing makes an object of each element.
 *
 * Counted where it can be counted: what a command itself frees of the memory that it makes free. Times
 * are generous here; the exact ones are in `deno task bench --only big-values`.
 */

import { assert, assertEquals, assertGreater } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { type Client, plain } from "../support/client.ts";
import { encodeRequest } from "../support/redis.ts";
import { TestServer, until } from "../support/server.ts";

const ELEMENTS = 1_000_000;
/** Elements of one request while a value is filled. */
const FILL_STEP = 10_000;
/** Eight digits that count the elements; none begins with 0, so that they are scores and IDs, too. */
const FIRST = 10_000_000;
const DIGITS = "########";
/** Longest time for a command that looks at a part, the best of three on a busy machine. */
const PART_MS = 40;
/** Longest time for which the loop may be held up while a value is freed, on a busy machine. */
const SLICE_MS = 250;
/** Growth of the JavaScript heap during one command: an object of each element would take more. */
const HEAP_BYTES = 12 * 2 ** 20;

interface Subject {
  readonly type: string;
  /** What a request begins with; without it each element is a request of its own. */
  readonly head: readonly string[];
  /** What each element adds to it. */
  readonly unit: readonly string[];
  readonly sizeCommand: string;
  /** Commands that look at a few elements. */
  readonly parts: readonly string[];
  /** Commands that look at all. */
  readonly wholes: readonly string[];
  /** Share of its memory that the command that ends it may free itself: its blocks may be large. */
  readonly freedAtOnce: number;
}

const SUBJECTS: readonly Subject[] = [
  {
    type: "list",
    head: ["RPUSH", "list"],
    unit: [`item:${DIGITS}`],
    sizeCommand: "LLEN",
    parts: [
      "LPUSH list x",
      "RPOP list",
      "LINDEX list 500000",
      "LSET list 500000 y",
      "LRANGE list 500000 500099",
      "LINSERT list BEFORE item:10000010 z",
      "LTRIM list 5 -5",
    ],
    wholes: ["LRANGE list 0 -1", "COPY list other REPLACE"],
    freedAtOnce: 0.3,
  },
  {
    type: "hash",
    head: ["HSET", "hash"],
    unit: [`field:${DIGITS}`, `value:${DIGITS}`],
    sizeCommand: "HLEN",
    parts: [
      "HSET hash x y",
      "HGET hash field:10500000",
      "HINCRBY hash n 1",
      "HDEL hash field:10500000",
      "HRANDFIELD hash 10",
      "HSCAN hash 0",
    ],
    wholes: ["HGETALL hash", "COPY hash other REPLACE"],
    freedAtOnce: 0.02,
  },
  {
    type: "set",
    head: ["SADD", "set"],
    unit: [`member:${DIGITS}`],
    sizeCommand: "SCARD",
    parts: [
      "SADD set x",
      "SREM set member:10500000",
      "SISMEMBER set member:10500001",
      "SPOP set 5",
      "SRANDMEMBER set 10",
      "SINTER set few",
      "SDIFF few set",
      "SSCAN set 0",
    ],
    wholes: [
      "SMEMBERS set",
      "SUNIONSTORE other set few",
      "SINTERSTORE other set set",
    ],
    freedAtOnce: 0.02,
  },
  {
    type: "zset",
    head: ["ZADD", "zset"],
    unit: [DIGITS, `member:${DIGITS}`],
    sizeCommand: "ZCARD",
    parts: [
      "ZADD zset 5 x",
      "ZRANK zset member:10500000",
      "ZINCRBY zset 100000 member:10000500",
      "ZRANGE zset 500000 500099",
      "ZRANGE zset 10400000 +inf BYSCORE LIMIT 50 50",
      "ZCOUNT zset 10100000 10900000",
      "ZPOPMIN zset 5",
      "ZREM zset member:10500000",
      "ZREMRANGEBYRANK zset 0 9",
      "ZSCAN zset 0",
    ],
    wholes: [
      "ZRANGE zset 0 -1 WITHSCORES",
      "ZRANGESTORE other zset 0 -1",
      "ZUNIONSTORE other 2 zset few",
    ],
    freedAtOnce: 0.02,
  },
  {
    type: "stream",
    head: [],
    unit: ["XADD", "stream", `${DIGITS}-1`, "field", `value:${DIGITS}`],
    sizeCommand: "XLEN",
    parts: [
      "XADD stream * field x",
      "XRANGE stream 10500000 + COUNT 50",
      "XREVRANGE stream + - COUNT 50",
      "XREAD COUNT 50 STREAMS stream 10500000",
      "XDEL stream 10500000-1",
      "XTRIM stream MINID ~ 10000500",
    ],
    wholes: ["XRANGE stream - +", "COPY stream other REPLACE"],
    freedAtOnce: 0.3,
  },
];

/** What the server's one loop does, command by command. */
class Observed {
  /** Commands so far. */
  commands = 0;
  /** Milliseconds of the last command. */
  ms = 0;
  /** Bytes that the last command freed. */
  freedBytes = 0;
  /** How much the JavaScript heap had grown at the end of the last command, while that is wanted. */
  heapBytes = 0;
  wantsHeap = false;
  readonly #server: TestServer;

  constructor(server: TestServer) {
    this.#server = server;
    const { executor } = server.server;
    const execute = executor.execute.bind(executor);
    executor.execute = (...request) => {
      const used = this.usedBytes;
      const heap = this.#heapBytes();
      const began = performance.now();
      const outcome = execute(...request);
      this.ms = performance.now() - began;
      this.heapBytes = this.#heapBytes() - heap;
      this.freedBytes = used - this.usedBytes;
      this.commands++;
      return outcome;
    };
  }

  #heapBytes(): number {
    return this.wantsHeap ? Deno.memoryUsage().heapUsed : 0;
  }

  get usedBytes(): number {
    return this.#server.server.node.usedBytes();
  }

  /** Waits until all that was ended is freed. */
  settled(): Promise<void> {
    const [{ keys }] = this.#server.server.node.shards;
    return until("all is freed", () => !keys.hasGarbage);
  }
}

/** Runs a command and drops its reply, which would take the test's memory instead of the server's. */
async function runSilently(client: Client, observed: Observed, line: string): Promise<void> {
  await client.send("CLIENT", "REPLY", "SKIP");
  const { commands } = observed;
  await client.send(...line.split(" "));
  await until(line, () => observed.commands > commands);
}

async function fill(client: Client, { head, unit }: Subject): Promise<void> {
  const isOneRequest = head.length > 0;
  const words = (count: number) => {
    const units = Array.from({ length: count }, () => unit);
    return isOneRequest ? [[...head, ...units.flat()]] : units;
  };
  const requests = words(FILL_STEP).map((request) => encodeRequest(request));
  const bytes = new Uint8Array(requests.reduce((sum, request) => sum + request.length, 0));
  let end = 0;
  for (const request of requests) {
    bytes.set(request, end);
    end += request.length;
  }
  const places: number[] = [];
  const mark = ascii(DIGITS);
  for (let at = bytes.indexOf(mark[0]); at >= 0; at = bytes.indexOf(mark[0], at + mark.length)) {
    places.push(at);
  }
  const perUnit = places.length / FILL_STEP;
  for (let from = 0; from < ELEMENTS; from += FILL_STEP) {
    places.forEach((at, i) => putDigits(bytes, at, FIRST + from + Math.floor(i / perUnit)));
    const sent = client.sendRaw(bytes);
    for (let i = 0; i < requests.length; i++) {
      const reply = plain(await client.read());
      assert(!String(reply).startsWith("-"), String(reply));
    }
    await sent;
  }
}

function putDigits(bytes: Uint8Array, at: number, number: number): void {
  for (let digit = at + DIGITS.length - 1; digit >= at; digit--) {
    bytes[digit] = 48 + number % 10;
    number = Math.floor(number / 10);
  }
}

/** How each of the values ends; the last ones end together. */
const ENDS: readonly { readonly type: string; readonly line: string }[] = [
  { type: "list", line: "RENAME other-key list" },
  { type: "hash", line: "UNLINK hash" },
  { type: "set", line: "SET set v" },
  { type: "zset", line: "SUNIONSTORE zset few" },
  { type: "stream", line: "DEL stream" },
];

Deno.test("a million elements of each type", async (t) => {
  await using server = await TestServer.start({ "arena-size": "2gb" });
  const client = await server.connect();
  const observed = new Observed(server);
  const { gate } = server.server;
  await client.line("SADD few member:10000001 member:10000002 no-member");
  const bytesOf = new Map<string, number>();

  for (const subject of SUBJECTS) {
    const { type, sizeCommand, parts, wholes } = subject;
    const before = observed.usedBytes;
    await fill(client, subject);
    assertEquals(await client.line(`${sizeCommand} ${type}`), ELEMENTS);
    bytesOf.set(type, observed.usedBytes - before);

    await t.step(`what looks at a part of a ${type} does not look at all of it`, async () => {
      const every = [
        ...parts,
        `OBJECT ENCODING ${type}`,
        `MEMORY USAGE ${type} SAMPLES 5`,
        `TYPE ${type}`,
      ];
      for (const line of every) {
        let leastMs = Infinity;
        for (let n = 0; n < 3; n++) {
          const reply = await client.line(line);
          assert(!String(reply).startsWith("-"), `${line}: ${reply}`);
          leastMs = Math.min(leastMs, observed.ms);
        }
        assert(leastMs < PART_MS, `${line} took ${leastMs} ms`);
      }
    });

    await t.step(`what looks at all of a ${type} makes no object of each element`, async () => {
      observed.wantsHeap = true;
      for (const line of wholes) {
        await runSilently(client, observed, line);
        const { heapBytes } = observed;
        assert(heapBytes < HEAP_BYTES, `${line}: the heap grew by ${heapBytes} bytes`);
      }
      observed.wantsHeap = false;
      await client.line("UNLINK other");
      await observed.settled();
    });
  }

  await t.step("a snapshot is begun at once, and what it holds is given back", async () => {
    const [{ keys }] = server.server.node.shards;
    const began = performance.now();
    keys.freeze();
    assert(performance.now() - began < PART_MS);
    for (const { type, parts } of SUBJECTS) {
      await client.line(parts[0]);
      assert(observed.ms < SLICE_MS, `${type}: the first write took ${observed.ms} ms`);
    }
    keys.thaw();
  });

  await t.step("EXPIRE, MOVE and RENAME take no longer than on a small value", async () => {
    for (const { type } of SUBJECTS) {
      for (const line of [`EXPIRE ${type} 1000`, `RENAME ${type} moved`, `RENAME moved ${type}`]) {
        await client.line(line);
        assert(observed.ms < SLICE_MS, `${line} took ${observed.ms} ms`);
        assertGreater(bytesOf.get(type)! * 0.02, Math.abs(observed.freedBytes), line);
      }
    }
  });

  await t.step("values go in slices, whatever ends them", async () => {
    for (const { type, line } of ENDS) {
      const { freedAtOnce } = SUBJECTS.find((subject) => subject.type === type)!;
      const bytes = bytesOf.get(type)!;
      await client.line("SET other-key v");
      const before = observed.usedBytes;
      gate.longestMs = 0;
      const reply = await client.line(line);
      assert(!String(reply).startsWith("-"), `${line}: ${reply}`);
      const share = observed.freedBytes / bytes;
      assert(share <= freedAtOnce, `${line} freed ${share} of the value at once`);
      await observed.settled();
      assertGreater(before - observed.usedBytes, bytes * 0.8, line);
      assert(gate.longestMs < SLICE_MS, `${line}: a slice took ${gate.longestMs} ms`);
    }
  });

  await t.step("a database and a value that expires go in slices, too", async () => {
    await fill(client, SUBJECTS.find(({ type }) => type === "hash")!);
    const bytes = bytesOf.get("hash")!;
    for (const line of ["PEXPIRE hash 1", "FLUSHDB ASYNC", "FLUSHDB SYNC", "FLUSHALL"]) {
      await client.line("COPY hash hash DB 1");
      await client.line("SELECT 1");
      const before = observed.usedBytes;
      gate.longestMs = 0;
      await client.line(line);
      assertGreater(bytes * 0.02, observed.freedBytes, line);
      await until("it is gone", async () => await client.line("EXISTS hash") === 0);
      await observed.settled();
      assertGreater(before - observed.usedBytes, bytes * 0.8, line);
      assert(gate.longestMs < SLICE_MS, `${line}: a slice took ${gate.longestMs} ms`);
      await client.line("SELECT 0");
    }
    assertEquals(await client.line("DBSIZE"), 0);
  });
});
