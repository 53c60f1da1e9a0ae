import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  TYPE_HASH,
  TYPE_LIST,
  TYPE_SET,
  TYPE_STREAM,
  TYPE_ZSET,
} from "../../src/keyspace/entry.ts";
import { DUMP_BAD_VALUE, DUMP_OK, restoreDump } from "../../src/snapshot/dump_payload.ts";
import { RdbError } from "../../src/snapshot/errors.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { RedisServer } from "../support/redis.ts";
import {
  double,
  image,
  intset,
  length,
  listpack,
  littleEndian,
  payload,
  string,
  ziplist,
  zipmap,
} from "./encodings.ts";
import { type Collection, concat, hex, MemorySink } from "./support.ts";
import { commandsOf, KeyspaceSink, newKeyspace, readImage } from "./values.ts";

const VERSION = await RedisServer.installed();

/** One way to write a value. */
interface Case {
  readonly name: string;
  readonly typeByte: number;
  readonly body: readonly Uint8Array[];
  readonly type: number;
  readonly content: unknown;
  /** First version of RDB that knows it. */
  readonly version?: number;
}

/** Strings at every border of the packed formats. */
const STRINGS: readonly string[] = [
  ...[
    "",
    "a",
    "0",
    "12",
    "13",
    "-1",
    "127",
    "128",
    "-128",
    "-129",
    "4095",
    "4096",
    "-4096",
    "-4097",
  ],
  ...["32767", "32768", "-32768", "-32769", "8388607", "8388608", "-8388608", "-8388609"],
  ...["2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807"],
  ...["-9223372036854775808", "9223372036854775808", "01", "-0", "1.5", "\xff\x00\r\n"],
  ...[62, 63, 64, 126, 127, 128, 250, 252, 253, 254, 255, 4095, 4096, 16_383, 16_384, 70_000]
    .map((size) => "x".repeat(size - 1) + String.fromCharCode(size & 255)),
];
const PAIRS = STRINGS.map((text, i): [string, string] => [`f${i}`, text]);
const FIELDS = PAIRS.map(([field, value]): [string, string, number] => [field, value, -1])
  .sort(([a], [b]) => a < b ? -1 : 1);
const SCORES: [string, number][] = [
  ["a", -Infinity],
  ["b", -1.5],
  ["c", 0],
  ["d", 0.1],
  ["e", 17],
  ["f", 123456789],
  ["g", 1e300],
  ["h", Infinity],
];
const INTEGERS = [
  [-32768n, -1n, 0n, 32767n],
  [-2147483648n, 0n, 32768n],
  [-(2n ** 63n), 7n, 2n ** 31n, 2n ** 63n - 1n],
];
const scoreText = (n: number) => n === Infinity ? "inf" : n === -Infinity ? "-inf" : String(n);
/** Scores as text of type 3. */
const textScore = (n: number) =>
  n === Infinity ? hex("fe") : n === -Infinity ? hex("ff") : string(String(n));
const flat = (pairs: readonly (readonly string[])[]) => pairs.flat();

const STREAM_FACTS = [length(2), length(5), length(1), length(3), length(7)];
const CONSUMER_AND_GROUP = (version: 1 | 2 | 3) => {
  const rawId = hex("0000000000000005 0000000000000001");
  return [
    length(1),
    string("group"),
    ...[length(5), length(1)],
    ...(version > 1 ? [length(2n ** 64n - 1n)] : []),
    length(1),
    rawId,
    littleEndian(1234, 8),
    length(3),
    length(2),
    ...[
      string("idle"),
      littleEndian(77, 8),
      ...(version > 2 ? [littleEndian(-1, 8)] : []),
      length(0),
    ],
    ...[string("one"), littleEndian(99, 8), ...(version > 2 ? [littleEndian(88, 8)] : [])],
    ...[length(1), rawId],
  ];
};
/** Two live entries and a deleted one; the second has fields of its own. */
const NODE = listpack(
  ["2", "1", "2", "f", "g", "0"]
    .concat(["2", "0", "0", "v1", "v2", "5"], ["3", "0", "0", "x", "y", "5"].with(1, "1"))
    .concat(["0", "5", "-1", "1", "other", "v3", "6"]),
);
const MASTER = hex("0000000000000000 0000000000000002");

function streamBody(version: 1 | 2 | 3): Uint8Array[] {
  return [
    length(1),
    string(MASTER),
    string(NODE),
    length(2),
    ...[length(5), length(1)],
    ...(version > 1
      ? [length(0), length(2), length(1), length(2), length(9)] // first, greatest deleted, added
      : []),
    ...CONSUMER_AND_GROUP(version),
  ];
}

function streamContent(version: 1 | 2 | 3) {
  return {
    entries: [["0-2", ["f", "v1", "g", "v2"]], ["5-1", ["other", "v3"]]],
    facts: {
      last: "5-1",
      maxDeleted: version > 1 ? "1-2" : "0-0",
      added: version > 1 ? "9" : "2",
    },
    groups: [{
      name: "group",
      last: "5-1",
      read: version > 1 ? "-1" : "2",
      pending: [["5-1", 1234, 3, "one"]],
      consumers: [["idle", 77, version > 2 ? -1 : 77], ["one", 99, version > 2 ? 88 : 99]],
    }],
  };
}

const CASES: readonly Case[] = [
  {
    name: "list",
    typeByte: 1,
    body: [length(STRINGS.length), ...STRINGS.map(string)],
    type: TYPE_LIST,
    content: STRINGS,
  },
  {
    name: "set",
    typeByte: 2,
    body: [length(STRINGS.length), ...STRINGS.map(string)],
    type: TYPE_SET,
    content: STRINGS.toSorted(),
  },
  {
    name: "zset with text scores",
    typeByte: 3,
    body: [length(SCORES.length), ...SCORES.flatMap(([m, n]) => [string(m), textScore(n)])],
    type: TYPE_ZSET,
    content: SCORES,
  },
  {
    name: "zset with binary scores",
    typeByte: 5,
    body: [length(SCORES.length), ...SCORES.flatMap(([m, n]) => [string(m), double(n)])],
    type: TYPE_ZSET,
    content: SCORES,
  },
  {
    name: "hash",
    typeByte: 4,
    body: [length(PAIRS.length), ...flat(PAIRS).map(string)],
    type: TYPE_HASH,
    content: FIELDS,
  },
  ...[0, 3].map((free): Case => ({
    name: `zipmap, ${free} bytes free`,
    typeByte: 9,
    body: [string(zipmap(PAIRS, free))],
    type: TYPE_HASH,
    content: FIELDS,
  })),
  ...[false, true].flatMap((longBack): Case[] => [
    {
      name: `list in a ziplist, long back lengths ${longBack}`,
      typeByte: 10,
      body: [string(ziplist(STRINGS, longBack))],
      type: TYPE_LIST,
      content: STRINGS,
    },
    {
      name: `zset in a ziplist, long back lengths ${longBack}`,
      typeByte: 12,
      body: [string(ziplist(SCORES.flatMap(([m, n]) => [m, scoreText(n)]), longBack))],
      type: TYPE_ZSET,
      content: SCORES,
    },
    {
      name: `hash in a ziplist, long back lengths ${longBack}`,
      typeByte: 13,
      body: [string(ziplist(flat(PAIRS), longBack))],
      type: TYPE_HASH,
      content: FIELDS,
    },
  ]),
  ...INTEGERS.map((integers): Case => ({
    name: `intset up to ${integers.at(-1)}`,
    typeByte: 11,
    body: [string(intset(integers))],
    type: TYPE_SET,
    content: integers.map(String).sort(),
  })),
  {
    name: "quicklist of ziplists",
    typeByte: 14,
    body: [
      length(3),
      string(ziplist(STRINGS.slice(0, 5))),
      string(ziplist(STRINGS.slice(5))),
      string(ziplist(["last"])),
    ],
    type: TYPE_LIST,
    content: [...STRINGS, "last"],
  },
  {
    name: "quicklist of listpacks and plain items",
    typeByte: 18,
    body: [
      length(3),
      ...[length(2), string(listpack(STRINGS.slice(0, 9)))],
      ...[length(1), string("plain".repeat(3000))],
      ...[length(2), string(listpack(STRINGS.slice(9)))],
    ],
    type: TYPE_LIST,
    content: [...STRINGS.slice(0, 9), "plain".repeat(3000), ...STRINGS.slice(9)],
  },
  {
    name: "hash in a listpack",
    typeByte: 16,
    body: [string(listpack(flat(PAIRS)))],
    type: TYPE_HASH,
    content: FIELDS,
  },
  {
    name: "zset in a listpack",
    typeByte: 17,
    body: [string(listpack(SCORES.flatMap(([m, n]) => [m, scoreText(n)])))],
    type: TYPE_ZSET,
    content: SCORES,
  },
  {
    name: "set in a listpack",
    typeByte: 20,
    body: [string(listpack(STRINGS))],
    type: TYPE_SET,
    content: STRINGS.toSorted(),
    version: 11,
  },
  ...([[15, 1], [19, 2], [21, 3]] as const).map(([typeByte, version]): Case => ({
    name: `stream, version ${version}`,
    typeByte,
    body: streamBody(version),
    type: TYPE_STREAM,
    content: streamContent(version),
    version: version === 3 ? 11 : 10,
  })),
  {
    name: "hash with field deadlines",
    typeByte: 24,
    body: [
      littleEndian(4_000_000_000_000, 8),
      length(3),
      ...[length(1), string("a"), string("1")],
      ...[length(0), string("b"), string("2")],
      ...[length(1001), string("c"), string("3")],
    ],
    type: TYPE_HASH,
    content: [["a", "1", 4_000_000_000_000], ["b", "2", -1], ["c", "3", 4_000_000_001_000]],
    version: 12,
  },
  {
    name: "hash with field deadlines in a listpack",
    typeByte: 25,
    body: [
      littleEndian(4_000_000_000_000, 8),
      string(listpack(["12", "13", "4000000000000", "b", "x", "0"])),
    ],
    type: TYPE_HASH,
    content: [["12", "13", 4_000_000_000_000], ["b", "x", -1]],
    version: 12,
  },
];

const KEY = ascii("k");

function restored(bytes: Uint8Array): [outcome: number, Collection | undefined] {
  const sink = new MemorySink();
  const outcome = restoreDump(bytes, 0, bytes.length, KEY, 0, 1, -1, sink);
  return [outcome, sink.collections[0]];
}

for (const { name, typeByte, body, type, content, version = 10 } of CASES) {
  const want = { db: 0, key: "k", type, expireAtMs: -1, content };

  Deno.test(`${name}: read from payloads, and from images at every push size`, () => {
    assertEquals(restored(payload(typeByte, body, version)), [DUMP_OK, want]);
    const whole = image([[typeByte, "k", body]], version);
    for (const pushBytes of [1, 3, 100, whole.length]) {
      assertEquals(readImage(whole, pushBytes), [want], `push ${pushBytes}`);
    }
  });

  if (version > 10) continue; // newer than the redis-server to compare with

  Deno.test({
    name: `${name}: redis-server reads the same`,
    ignore: VERSION === null,
    async fn() {
      const server = (await RedisServer.start(["--sanitize-dump-payload", "yes"]))!;
      const redis = await server.connect();
      try {
        const said = await redis.run("RESTORE", "theirs", "0", payload(typeByte, body, version));
        assertEquals(said, "+OK\r\n");
        for (const words of commandsOf(want)) {
          const reply = await redis.run(...words);
          assert(!reply.startsWith("-"), reply);
        }
        const digest = await redis.run("DEBUG", "DIGEST-VALUE", "theirs");
        assertEquals(digest, await redis.run("DEBUG", "DIGEST-VALUE", "k"));
      } finally {
        redis.close();
        await server.stop();
      }
    },
  });
}

Deno.test("files of every version have the types of their time", () => {
  for (const version of [1, 4, 5, 6, 9, 11]) {
    const entries = CASES.slice(0, 5).map(({ name, typeByte, body }) =>
      [typeByte, name, body] as const
    );
    const got = readImage(image(entries, version)).map(({ key }) => key);
    assertEquals(got, CASES.slice(0, 5).map(({ name }) => name).sort(), `version ${version}`);
  }
});

/**
 * Of a stream of type 15 with the entries 0-2 and 5-1: its last ID, its group's, and the entries that the
 * group has read, as redis-server 7 estimates them; "" where it says that nobody knows.
 */
const ESTIMATES: readonly [last: [number, number], group: [number, number], read: string][] = [
  [[5, 1], [0, 0], "0"],
  [[5, 1], [0, 1], "0"],
  [[5, 1], [0, 2], "1"],
  [[5, 1], [0, 3], ""],
  [[5, 1], [5, 0], ""],
  [[5, 1], [5, 1], "2"],
  [[5, 1], [5, 2], ""],
  [[7, 0], [0, 2], "1"],
  [[7, 0], [5, 1], ""],
  [[7, 0], [7, 0], "2"],
];

function oldStream(last: [number, number], group: [number, number]): Uint8Array[] {
  return [
    ...streamBody(1).slice(0, 4),
    ...last.map(length),
    ...[length(1), string("group"), ...group.map(length), length(0), length(0)],
  ];
}

Deno.test("what a group of a stream of Redis 6 has read is estimated", () => {
  for (const [last, group, read] of ESTIMATES) {
    const [outcome, value] = restored(payload(15, oldStream(last, group), 9));
    assertEquals(outcome, DUMP_OK);
    const { groups } = value!.content as ReturnType<typeof streamContent>;
    assertEquals(groups.map(({ read }) => read), [read || "-1"], `${last}, ${group}`);
  }
});

Deno.test({
  name: "redis-server estimates the same",
  ignore: VERSION === null,
  async fn() {
    const server = (await RedisServer.start([]))!;
    const redis = await server.connect();
    try {
      for (const [last, group, read] of ESTIMATES) {
        const image = payload(15, oldStream(last, group), 9);
        assertEquals(await redis.run("RESTORE", "k", "0", image, "REPLACE"), "+OK\r\n");
        const said = await redis.run("XINFO", "GROUPS", "k");
        const count = read === "" ? "$-1" : `:${read}`;
        assert(said.includes(`entries-read\r\n${count}\r\n`), `${last}, ${group}: ${said}`);
      }
    } finally {
      redis.close();
      await server.stop();
    }
  },
});

/** Bodies that break a rule of their format, which Redis's deep checks know too. */
const BAD: readonly [why: string, typeByte: number, body: readonly Uint8Array[]][] = [
  ["a set with a member twice", 2, [length(2), string("a"), string("a")]],
  ["a hash with a field twice", 4, [length(2), ...["a", "1", "a", "2"].map(string)]],
  ["a zset with a member twice", 5, [length(2), string("a"), double(1), string("a"), double(2)]],
  ["a score that is NaN", 5, [length(1), string("a"), double(NaN)]],
  ["a text score that is NaN", 3, [length(1), string("a"), hex("fd")]],
  ["a text score that is none", 3, [length(1), string("a"), string("x")]],
  ["a count that is too large", 2, [length(3), string("a"), string("b")]],
  ["a set in a listpack with a member twice", 20, [string(listpack(["a", "b", "a"]))]],
  ["a hash in a listpack with a field twice", 16, [string(listpack(["a", "1", "a", "2"]))]],
  ["a hash in a listpack without a value", 16, [string(listpack(["a", "1", "b"]))]],
  ["a zset in a listpack without a score", 17, [string(listpack(["a", "1", "b"]))]],
  ["a zset in a listpack with a word as score", 17, [string(listpack(["a", "one"]))]],
  ["a hash in a ziplist with a field twice", 13, [string(ziplist(["a", "1", "a", "2"]))]],
  ["an intset in disorder", 11, [string(intset([2n, 1n]))]],
  ["an intset with an integer twice", 11, [string(intset([1n, 1n]))]],
  ["an intset of another length", 11, [string(intset([1n, 2n]).slice(0, -1))]],
  ["an intset of no width", 11, [string(hex("03000000 01000000 010203"))]],
  ["a list of a plain item of no bytes", 18, [length(1), length(1), string("")]],
  ["a list of a container of no kind", 18, [length(1), length(3), string("a")]],
  ["a ziplist with another count", 10, [string(ziplist(["a", "b"]).with(8, 3))]],
  ["a ziplist with another length", 10, [string(ziplist(["a", "b"]).with(0, 99))]],
  ["a ziplist whose last entry is elsewhere", 10, [string(ziplist(["a", "b"]).with(4, 10))]],
  ["a ziplist with a wrong back length", 10, [string(ziplist(["a", "b"]).with(13, 9))]],
  ["a ziplist with an encoding of no kind", 10, [string(ziplist(["a"]).with(11, 0xc1))]],
  ["a ziplist without an end", 10, [string(ziplist(["a"]).with(13, 0))]],
  ["a ziplist of no bytes", 10, [string("")]],
  ["a listpack with another count", 16, [string(listpack(["a", "b"]).with(4, 3))]],
  ["a listpack with a wrong back length", 16, [string(listpack(["a", "b"]).with(8, 7))]],
  ["a listpack with an encoding of no kind", 16, [string(listpack(["1", "b"]).with(6, 0xf6))]],
  ["a zipmap without an end", 9, [string(zipmap([["a", "b"]]).with(6, 0))]],
  ["a zipmap with another count", 9, [string(zipmap([["a", "b"]]).with(0, 2))]],
  ["a zipmap with a field alone", 9, [string(hex("01 0161 ff"))]],
  ["a zipmap that breaks off", 9, [string(hex("01 0961 ff"))]],
  ["an empty list", 1, [length(0)]],
  ["a list of empty ziplists", 14, [length(2), string(ziplist([])), string(ziplist([]))]],
  ["an empty hash", 16, [string(listpack([]))]],
  ["a deadline beyond all times", 24, [
    littleEndian(2 ** 48, 8),
    length(1),
    ...[length(0), string("a"), string("b")],
  ]],
  ["a field's deadline that is no time", 25, [
    littleEndian(1, 8),
    string(listpack(["a", "b", "soon"])),
  ]],
  ["a stream of another length", 15, streamBody(1).with(3, length(3))],
  ["a stream whose last ID is too small", 15, streamBody(1).with(4, length(1))],
  ["a stream with a node ID of another size", 15, streamBody(1).with(1, string("short"))],
  ["a stream with a node twice", 15, [
    length(2),
    ...streamBody(1).slice(1, 3),
    ...streamBody(1).slice(1, 3),
    ...STREAM_FACTS,
  ]],
  ["a stream with an empty node", 15, streamBody(1).with(2, string(listpack([])))],
  ["a stream with a pending entry of nobody", 15, streamBody(1).slice(0, -2).concat([length(0)])],
  ["a stream with a pending entry of two", 15, [
    ...streamBody(1).slice(0, -2),
    length(2),
    ...[hex("0000000000000005 0000000000000001"), hex("0000000000000005 0000000000000001")],
  ]],
  [
    "a node that counts another number of entries",
    15,
    streamBody(1).with(
      2,
      string(NODE.with(6, 3)),
    ),
  ],
  ["a release candidate's hash", 22, [length(1), length(0), string("a"), string("b")]],
];

Deno.test("values that break their format are refused, and leave nothing behind", () => {
  for (const [why, typeByte, body] of BAD) {
    const bytes = payload(typeByte, body, 12);
    const [outcome, value] = restored(bytes);
    assertEquals([outcome === DUMP_OK, value], [false, undefined], why);
    if (typeByte !== 22) assertEquals(outcome, DUMP_BAD_VALUE, why);
    // Into a keyspace, whose own checks (members that are there already) decide, too.
    const keys = newKeyspace(8);
    const sink = new KeyspaceSink(keys);
    assert(restoreDump(bytes, 0, bytes.length, KEY, 0, 1, -1, sink) !== DUMP_OK, why);
    while (keys.reclaim());
    assertEquals([keys.totalSize(), keys.arena.usedBytes], [0, 0], why);
  }
});

Deno.test("in files they are errors with their place, and empty values are passed over", () => {
  for (const [why, typeByte, body] of BAD) {
    const warnings: string[] = [];
    const reader = new RdbReader(new MemorySink(), { onWarning: (text) => warnings.push(text) });
    let error: unknown = null;
    try {
      reader.push(image([[typeByte, "key", body], [1, "l", [length(1), string("a")]]]));
      reader.end();
    } catch (thrown) {
      error = thrown;
    }
    if (/empty (list|hash|ziplists)/.test(why)) {
      assertEquals(error, null, why);
      assertEquals(warnings, ['key "key" was passed over: its value has no elements'], why);
    } else {
      assert(error instanceof RdbError, `${why}: ${error}`);
      assert(error.byteOffset > 9, why);
    }
  }
});

Deno.test("what a value is made of is not believed before it is there", () => {
  for (const typeByte of [1, 2, 4, 5, 14, 15, 18, 19, 24]) {
    const head = typeByte === 24 ? [littleEndian(1, 8)] : [];
    const sink = new MemorySink();
    const reader = new RdbReader(sink);
    reader.push(concat([ascii("REDIS0012"), Uint8Array.of(typeByte), string("k"), ...head]));
    reader.push(concat([length(2n ** 62n), length(3)]));
    assert(reader.heldBytes < 5000, `type ${typeByte}: ${reader.heldBytes}`);
  }
  assertEquals(latin1(KEY), "k");
});
