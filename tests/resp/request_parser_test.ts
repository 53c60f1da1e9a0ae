import { assert, assertEquals } from "@std/assert";
import {
  DEFAULT_REQUEST_LIMITS,
  GUEST_REQUEST_LIMITS,
  NEED_MORE,
  PROTOCOL_ERROR,
  REQUEST,
  RequestParser,
} from "../../src/resp/request_parser.ts";
import { Random, testSeed } from "../support/random.ts";
import {
  argumentsOf,
  BAD_REQUESTS,
  bytesOf,
  feed,
  multibulk,
  type Outcome,
  REQUESTS,
  type Row,
  WIRES,
} from "./support.ts";

const SEED = 20_250_117;

function outcomeOf(row: Row): Outcome {
  return { requests: row.requests, error: row.error ?? null };
}

function limitsOf(row: Row) {
  return row.guest ? GUEST_REQUEST_LIMITS : DEFAULT_REQUEST_LIMITS;
}

function randomCuts(random: Random, length: number, count: number): number[] {
  return Array.from({ length: count }, () => random.below(length + 1)).sort((a, b) => a - b);
}

for (const row of [...REQUESTS, ...BAD_REQUESTS]) {
  Deno.test(`request parser, ${row.name}: the same at every cut`, () => {
    const wire = bytesOf(row.wire);
    const limits = limitsOf(row);
    const wanted = outcomeOf(row);
    assertEquals(feed(wire, { cuts: [], limits }), wanted, "whole");
    for (let cut = 0; cut <= wire.length; cut++) {
      for (const compact of [undefined, () => true]) {
        assertEquals(
          feed(wire, { cuts: [cut], limits, ...(compact && { compact }) }),
          wanted,
          `cut ${cut}`,
        );
      }
    }
    const bytewise = Array.from({ length: wire.length }, (_, i) => i);
    assertEquals(feed(wire, { cuts: bytewise, limits }), wanted, "byte by byte");
    assertEquals(
      feed(wire, { cuts: bytewise, limits, compact: () => true }),
      wanted,
      "byte by byte, compacted each time",
    );
  });
}

Deno.test("the whole table in one pipeline survives random cuts and compaction", () => {
  const seed = testSeed(SEED);
  const random = new Random(seed);
  const rows = REQUESTS.filter((row) => !row.guest);
  const wire = bytesOf(rows.map((row) => row.wire).join(""));
  const wanted: Outcome = { requests: rows.flatMap((row) => row.requests), error: null };
  for (let round = 0; round < 300; round++) {
    const cuts = randomCuts(random, wire.length, random.below(60));
    const feeding = { cuts, compact: () => random.below(3) === 0 };
    assertEquals(feed(wire, feeding), wanted, `seed ${seed} round ${round}`);
  }
});

/** One change of the kind that line noise, a broken client or an attacker makes. */
function mutate(random: Random, wire: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const at = random.below(wire.length + 1);
  const stop = Math.min(wire.length, at + random.below(6));
  const hostile = [
    "\r\n",
    "*",
    "$",
    "\r",
    "\n",
    "-1",
    "9999999999",
    '"',
    "'",
    "\\x",
    " ",
    "\0",
    "*3\r\n",
  ];
  let middle: Uint8Array;
  switch (random.below(5)) {
    case 0:
      middle = random.bytes(stop - at);
      break;
    case 1:
      middle = new Uint8Array(0);
      break;
    case 2:
      middle = bytesOf(random.pick(hostile));
      break;
    case 3:
      middle = wire.subarray(at, stop); // with the original below: twice
      return Uint8Array.from([...wire.subarray(0, stop), ...middle, ...wire.subarray(stop)]);
    default:
      middle = bytesOf(String(random.below(2 ** random.below(32))));
  }
  return Uint8Array.from([...wire.subarray(0, at), ...middle, ...wire.subarray(stop)]);
}

Deno.test("100,000 mutated wires: no exception, no endless loop, the same at any cut", () => {
  const seed = testSeed(SEED + 1);
  const random = new Random(seed);
  const short = WIRES.filter((wire) => wire.length < 200);
  for (let round = 0; round < 100_000; round++) {
    let wire = Uint8Array.from([...random.pick(short), ...random.pick(short)]);
    for (let i = random.below(4); i >= 0; i--) wire = mutate(random, wire);
    const limits = random.below(4) === 0 ? GUEST_REQUEST_LIMITS : DEFAULT_REQUEST_LIMITS;
    const cuts = randomCuts(random, wire.length, random.below(8));
    const whole = feed(wire, { cuts: [], limits });
    const cut = feed(wire, { cuts, limits, compact: () => random.below(2) === 0 });
    if (JSON.stringify(whole) !== JSON.stringify(cut)) {
      assertEquals(cut, whole, `seed ${seed} round ${round}`);
    }
  }
});

Deno.test("bytes before the resumption point are not read again", () => {
  for (const row of REQUESTS) {
    if (row.guest || !row.wire.startsWith("*")) continue;
    const wire = bytesOf(row.wire);
    const parser = new RequestParser();
    const buf = wire.slice();
    const requests: string[][] = [];
    for (let to = 0; to <= wire.length; to++) {
      // What is accepted turns to garbage; the arguments are then taken from the wire itself.
      buf.fill(0xee, 0, parser.at);
      while (parser.parse(buf, to) === REQUEST) {
        if (parser.argc > 0) requests.push(argumentsOf(parser, wire));
      }
    }
    assertEquals(requests, row.requests, row.name);
  }
});

Deno.test("header lines and inline requests of 64 KiB end in their errors, wherever the cut", () => {
  const digits = "1".repeat(65_536);
  const rows: [string, string | null][] = [
    ["*" + digits, "Protocol error: too big mbulk count string"],
    ["*" + digits.slice(1), null],
    ["*" + digits.slice(1) + "\r\n", "Protocol error: invalid multibulk length"],
    ["*1\r\n$" + digits, "Protocol error: too big bulk count string"],
    ["*1\r\n$" + digits.slice(1), null],
    ["*1\r\n$" + digits.slice(1) + "\r\n", "Protocol error: invalid bulk length"],
    ["*1\r\nA" + digits, "Protocol error: too big bulk count string"],
    ["A" + digits, "Protocol error: too big inline request"],
    ["A" + digits + "\n", "Protocol error: too big inline request"],
    ["A" + digits.slice(1), null],
  ];
  const seed = testSeed(SEED + 2);
  const random = new Random(seed);
  for (const [chars, error] of rows) {
    const wire = bytesOf(chars);
    for (let round = 0; round < 20; round++) {
      const cuts = randomCuts(random, wire.length, round);
      const outcome = feed(wire, { cuts });
      assertEquals(outcome, { requests: [], error }, `${chars.slice(0, 8)} seed ${seed}`);
    }
  }
  const inline = feed(bytesOf("A" + digits.slice(1) + "\n"), { cuts: [65_536] });
  assertEquals(inline.requests, [["A" + digits.slice(1)]]);
});

Deno.test("an inline request whose quotes do not balance stays as it was sent, at every cut", () => {
  const lines = ['"abc', '"a" \'b', '"\\x41\\n" "b"c', "'it\\'s' 'x\\'", 'a"b\\"" "\\'];
  for (const words of lines) {
    const wire = bytesOf(`SET ${words}\r\n`);
    for (let cut = 0; cut < wire.length; cut++) {
      const parser = new RequestParser();
      const buf = wire.slice();
      assertEquals(parser.parse(buf, cut), NEED_MORE);
      assertEquals(parser.parse(buf, buf.length), PROTOCOL_ERROR);
      assertEquals(buf, wire, `${words}, cut ${cut}`);
    }
  }
});

Deno.test("a line that trickles in costs its bytes once", () => {
  // A parser that searched from the line's start each time would make 2 * 10^9 steps here.
  const wire = bytesOf("$" + "1".repeat(65_000));
  const outcome = feed(wire, { cuts: Array.from({ length: wire.length }, (_, i) => i) });
  assertEquals(outcome, { requests: [], error: null });
});

Deno.test("declared lengths allocate nothing", () => {
  const parser = new RequestParser();
  const wire = bytesOf("*1048576\r\n$3\r\nSET\r\n$536870912\r\nabc");
  assertEquals(parser.parse(wire, wire.length), NEED_MORE);
  assertEquals(parser.starts.length, 16);
  assertEquals(parser.stops.length, 16);
  assertEquals(parser.pendingBulkBytes, 536_870_912);
});

Deno.test("the awaited length is known while an argument is incomplete, and only then", () => {
  const parser = new RequestParser();
  const wire = bytesOf(multibulk("SET", "k", "0123456789"));
  const seen: number[] = [];
  for (let to = 1; to <= wire.length; to++) {
    parser.parse(wire, to);
    seen.push(parser.pendingBulkBytes);
  }
  assertEquals(new Set(seen.slice(0, 8)), new Set([-1, 3]));
  assertEquals(seen.at(-2), 10);
  assertEquals(seen.at(-1), -1);
});

Deno.test("a huge request's room is given back once the parser has caught up", () => {
  const parser = new RequestParser();
  const args = Array.from({ length: 5000 }, (_, i) => `${i}`);
  const wire = bytesOf(multibulk(...args) + multibulk("PING"));
  assertEquals(parser.parse(wire, wire.length), REQUEST);
  assertEquals(argumentsOf(parser, wire), args);
  assert(parser.starts.length >= 5000);
  assertEquals(parser.parse(wire, wire.length), REQUEST);
  assertEquals(argumentsOf(parser, wire), ["PING"]);
  assertEquals(parser.parse(wire, wire.length), NEED_MORE);
  assertEquals(parser.starts.length, 16);
});

Deno.test("rebase moves a finished request and one under way", () => {
  const parser = new RequestParser();
  const first = multibulk("SET", "a", "1");
  const chars = first + multibulk("GET", "b") + "*2\r\n$3\r\nDEL\r\n$1";
  const buf = bytesOf(chars);
  let to = buf.length;
  const drop = (by: number) => {
    buf.copyWithin(0, by, to);
    to -= by;
    parser.rebase(by);
  };
  assertEquals(parser.parse(buf, to), REQUEST);
  assertEquals(parser.parse(buf, to), REQUEST);
  assertEquals(parser.begin, first.length);
  drop(parser.begin);
  assertEquals(parser.begin, 0);
  assertEquals(argumentsOf(parser, buf), ["GET", "b"]);
  assertEquals(parser.parse(buf, to), NEED_MORE);
  drop(parser.begin);
  buf.set(bytesOf("\r\nc\r\n"), to);
  to += 5;
  assertEquals(parser.parse(buf, to), REQUEST);
  assertEquals(argumentsOf(parser, buf), ["DEL", "c"]);
  assertEquals(parser.at, to);
});

Deno.test("authentication lifts the guest's limits in the middle of a pipeline", () => {
  const parser = new RequestParser(GUEST_REQUEST_LIMITS);
  const wire = bytesOf(multibulk("AUTH", "pw") + multibulk("MSET", ..."abcdefghijkl"));
  assertEquals(parser.parse(wire, wire.length), REQUEST);
  parser.limits = DEFAULT_REQUEST_LIMITS;
  assertEquals(parser.parse(wire, wire.length), REQUEST);
  assertEquals(parser.argc, 13);
});

Deno.test("limits below the plain form's are kept", () => {
  const limits = { maxArgs: 2, maxBulkBytes: 8, maxInlineBytes: 32 };
  const outcomes = [
    multibulk("a", "b"),
    multibulk("a", "b", "c"),
    multibulk("a", "12345678"),
    multibulk("a", "123456789"),
    multibulk("0123456789"),
    "x".repeat(33),
  ].map((chars) => feed(bytesOf(chars), { cuts: [], limits }));
  assertEquals(outcomes, [
    { requests: [["a", "b"]], error: null },
    { requests: [], error: "Protocol error: invalid multibulk length" },
    { requests: [["a", "12345678"]], error: null },
    { requests: [], error: "Protocol error: invalid bulk length" },
    { requests: [], error: "Protocol error: invalid bulk length" },
    { requests: [], error: "Protocol error: too big inline request" },
  ]);
});

Deno.test("an error's line is bytes: the unexpected byte comes back as it was", () => {
  const parser = new RequestParser();
  const wire = bytesOf("*1\r\n\xff\r\n");
  assertEquals(parser.parse(wire, wire.length), PROTOCOL_ERROR);
  assertEquals(parser.errorLine(), bytesOf("ERR Protocol error: expected '$', got '\xff'"));
  parser.reset();
  assertEquals(parser.parse(bytesOf("PING\r\n"), 6), REQUEST);
});
