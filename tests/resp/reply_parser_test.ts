import { assertEquals, assertThrows } from "@std/assert";
import {
  DEFAULT_REPLY_LIMITS,
  PushReply,
  type Reply,
  ReplyError,
  ReplyParser,
  ReplyProtocolError,
  VerbatimReply,
} from "../../src/resp/reply_parser.ts";
import { ReplyWriter } from "../../src/resp/reply_writer.ts";
import { Random, testSeed } from "../support/random.ts";
import { bytesOf } from "./support.ts";

const SEED = 55_001;

/** All replies of `wire`, pushed in pieces that end at `cuts`. */
function replies(wire: Uint8Array, cuts: number[], limits = DEFAULT_REPLY_LIMITS): Reply[] {
  const parser = new ReplyParser(limits);
  const out: Reply[] = [];
  let from = 0;
  for (const cut of [...cuts, wire.length]) {
    parser.push(wire.subarray(from, cut));
    from = cut;
    for (let reply; (reply = parser.next()) !== undefined;) out.push(reply);
  }
  return out;
}

const b = bytesOf;
const REPLIES: [string, Reply[]][] = [
  ["+OK\r\n+\r\n", ["OK", ""]],
  ["-ERR no\r\n", [new ReplyError("ERR no")]],
  [":0\r\n:-5\r\n:9007199254740991\r\n", [0, -5, Number.MAX_SAFE_INTEGER]],
  [":9007199254740992\r\n:-9223372036854775808\r\n", [2n ** 53n, -(2n ** 63n)]],
  ["$-1\r\n*-1\r\n_\r\n", [null, null, null]],
  ["$0\r\n\r\n$4\r\na\r\nb\r\n", [b(""), b("a\r\nb")]],
  ["*0\r\n*2\r\n:1\r\n*1\r\n$1\r\na\r\n", [[], [1, [b("a")]]]],
  ["*3\r\n*0\r\n*1\r\n*0\r\n%0\r\n", [[[], [[]], new Map()]]],
  ["#t\r\n#f\r\n", [true, false]],
  [",3.5\r\n,inf\r\n,-inf\r\n,1e+19\r\n", [3.5, Infinity, -Infinity, 1e19]],
  ["(-123456789012345678901234567890\r\n", [-123456789012345678901234567890n]],
  ["=8\r\ntxt:ab\r\n\r\n", [new VerbatimReply("txt", "ab\r\n")]],
  ["!8\r\nERR a\r\nb\r\n", [new ReplyError("ERR a\r\nb")]],
  ["%2\r\n+a\r\n:1\r\n+b\r\n*1\r\n_\r\n", [new Map<Reply, Reply>([["a", 1], ["b", [null]]])]],
  ["~2\r\n+a\r\n:1\r\n", [new Set<Reply>(["a", 1])]],
  [">2\r\n+pubsub\r\n:1\r\n+OK\r\n", [new PushReply(["pubsub", 1]), "OK"]],
  ["|1\r\n+ttl\r\n:1\r\n*2\r\n|1\r\n+x\r\n+y\r\n:1\r\n|0\r\n:2\r\n", [[1, 2]]],
];

Deno.test("reply parser: every reply of the table, at every cut and byte by byte", () => {
  for (const [chars, wanted] of REPLIES) {
    const wire = bytesOf(chars);
    for (let cut = 0; cut <= wire.length; cut++) {
      assertEquals(replies(wire, [cut]), wanted, `${JSON.stringify(chars)} cut ${cut}`);
    }
    const bytewise = Array.from({ length: wire.length }, (_, i) => i);
    assertEquals(replies(wire, bytewise), wanted, JSON.stringify(chars));
  }
});

Deno.test("reply parser: what is no reply is refused", () => {
  const bad = [
    ...[
      "x\r\n",
      "\r\n",
      "+OK\n",
      ":x\r\n",
      ":1.5\r\n",
      ":9223372036854775808\r\n",
      "$x\r\n",
      "$-2\r\n",
    ],
    ...[
      "*-2\r\n",
      "%-1\r\n",
      "~-1\r\n",
      "=-1\r\n",
      "$?\r\n",
      "*?\r\n",
      "#x\r\n",
      "#\r\n",
      "_x\r\n",
    ],
    ...[",x\r\n", ",\r\n", "(1.5\r\n", "$1\r\nabc\r\n", "=2\r\nab\r\n", "*1\r\nPING\r\n"],
    "*1\r\n".repeat(65),
  ];
  for (const chars of bad) {
    assertThrows(() => replies(bytesOf(chars), []), ReplyProtocolError, "Cannot read", chars);
  }
});

Deno.test("reply parser: limits bound lines, bulks, elements and depth", () => {
  const limits = { maxLineBytes: 16, maxBulkBytes: 8, maxElements: 4, maxDepth: 2 };
  const parse = (chars: string) => replies(bytesOf(chars), [], limits);
  assertEquals(parse("*1\r\n*1\r\n$8\r\n12345678\r\n").length, 1);
  for (const chars of ["+" + "x".repeat(17), "$9\r\n", "*5\r\n", "*1\r\n*1\r\n*1\r\n"]) {
    assertThrows(() => parse(chars), ReplyProtocolError, undefined, chars);
  }
});

Deno.test("reply parser: a declared length holds no memory", () => {
  const parser = new ReplyParser();
  parser.push(bytesOf("*2147483647\r\n$536870912\r\nabc"));
  assertEquals(parser.next(), undefined);
  assertEquals(parser.pendingBytes, 3);
});

Deno.test("reply parser: an error reply names its code", () => {
  assertEquals(new ReplyError("WRONGTYPE Operation against").code, "WRONGTYPE");
});

Deno.test("reply parser: raw bytes can be taken between replies", () => {
  const parser = new ReplyParser();
  parser.push(bytesOf("+GO\r\nabcdef+OK\r"));
  assertEquals(parser.next(), "GO");
  assertEquals(parser.takeRaw(6), bytesOf("abcdef"));
  assertEquals(parser.takeRaw(100), undefined);
  parser.push(bytesOf("\n"));
  assertEquals(parser.next(), "OK");
});

/** Writes a random reply and returns what the parser must make of it. */
function writeRandom(random: Random, reply: ReplyWriter, depth: number): Reply {
  const bytes = random.bytes(random.below(300));
  const count = random.below(5);
  const items = () => Array.from({ length: count }, () => writeRandom(random, reply, depth + 1));
  switch (random.below(depth < 4 ? 12 : 8)) {
    case 0:
      reply.ok();
      return "OK";
    case 1:
      reply.nil();
      return null;
    case 2:
      reply.bigint(BigInt(bytes.length) << 54n);
      return bytes.length === 0 ? 0 : BigInt(bytes.length) << 54n;
    case 3:
      reply.integer(-bytes.length - 1);
      return -bytes.length - 1;
    case 4:
      reply.double(bytes.length / 8);
      return reply.resp3 ? bytes.length / 8 : bytesOf(String(bytes.length / 8));
    case 5:
      reply.boolean(true);
      return reply.resp3 ? true : 1;
    case 6:
      reply.errorText("ERR x");
      return new ReplyError("ERR x");
    case 7:
      reply.bulk(bytes, 0, bytes.length);
      return bytes;
    case 8: {
      const mark = reply.deferArray();
      const all = items();
      reply.finishArray(mark, count);
      return all;
    }
    case 9: {
      reply.map(count);
      const pairs = Array.from({ length: count }, (_, i): [Reply, Reply] => {
        reply.integer(i);
        return [i, writeRandom(random, reply, depth + 1)];
      });
      return reply.resp3 ? new Map(pairs) : pairs.flat();
    }
    case 10: {
      reply.push(count);
      const all = items();
      return reply.resp3 ? new PushReply(all) : all;
    }
    default:
      reply.array(count);
      return items();
  }
}

Deno.test("what the writer writes the parser reads, in both protocols, at random cuts", () => {
  const seed = testSeed(SEED);
  const random = new Random(seed);
  for (let round = 0; round < 2000; round++) {
    const reply = new ReplyWriter(1);
    reply.resp3 = random.below(2) === 0;
    const wanted = [writeRandom(random, reply, 0), writeRandom(random, reply, 0)];
    const wire = reply.buf.subarray(0, reply.at);
    const cuts = Array.from({ length: random.below(6) }, () => random.below(wire.length + 1));
    cuts.sort((x, y) => x - y);
    assertEquals(replies(wire, cuts), wanted, `seed ${seed} round ${round}`);
  }
});

Deno.test("20,000 mutated replies end in a value, a wait or a ReplyProtocolError", () => {
  const seed = testSeed(SEED + 1);
  const random = new Random(seed);
  for (let round = 0; round < 20_000; round++) {
    const wire = bytesOf(random.pick(REPLIES)[0] + random.pick(REPLIES)[0]);
    for (let i = random.below(4); i >= 0; i--) wire[random.below(wire.length)] = random.below(256);
    try {
      replies(wire, [random.below(wire.length + 1)]);
    } catch (error) {
      if (!(error instanceof ReplyProtocolError)) {
        throw new Error(`seed ${seed} round ${round}`, { cause: error });
      }
    }
  }
});
