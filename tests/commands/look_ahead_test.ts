import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import type { ShardsPort } from "../../src/commands/call.ts";
import { LookAhead, ONE_KEY_PAUSE } from "../../src/commands/look_ahead.ts";
import { KEYS_AHEAD } from "../../src/keyspace/key_looks.ts";
import { multibulk } from "../resp/support.ts";
import { checksumsOf, KEYS, nodeOf } from "../support/many_keys.ts";
import { Random, testSeed } from "../support/random.ts";

/** Requests that are looked at beside the one at hand. */
const AHEAD = KEYS_AHEAD - 1;

/** A node in which every key is worth looking for; which were, in `sought`. */
function listeningNode(shards: number): { node: ShardsPort; sought: string[] } {
  const sought: string[] = [];
  const node = nodeOf(shards, 1);
  for (const { keys } of node.shards) {
    const { dict } = keys;
    dict.count = () => KEYS;
    dict.firstSlotOf = () => 1;
    dict.likelyEntryAt = () => 0;
    dict.hash = (buf, start, stop) => {
      sought.push(latin1(buf, start, stop));
      return 0;
    };
  }
  return { node, sought };
}

function frame(offset: number, ...words: string[]): string {
  return `*2\r\n:${offset}\r\n${multibulk(...words)}`;
}

function viewOf(buf: Uint8Array): DataView {
  return new DataView(buf.buffer, buf.byteOffset, buf.length);
}

/** How many requests behind a GET of `key:0` are looked at. */
function lookAt(node: ShardsPort, text: string, db = 0): number {
  const first = multibulk("GET", "key:0");
  const buf = ascii(first + text);
  const start = first.indexOf("key:0");
  const key = { argc: 2, starts: Int32Array.of(0, start), stops: Int32Array.of(0, start + 5) };
  return new LookAhead(node).look(db, buf, viewOf(buf), key, first.length, buf.length);
}

Deno.test("looks at whole requests and frames behind the one at hand, and no further than it can tell", () => {
  for (const node of [nodeOf(1), nodeOf(3)]) {
    const rows: [string, number][] = [
      ["", 0],
      [multibulk("GET", "key:1"), 1],
      [multibulk("SET", "key:1", "v".repeat(500), "EX", "100"), 1],
      [multibulk("GET", "key:1").repeat(AHEAD - 1), AHEAD - 1],
      [multibulk("GET", "key:1").repeat(AHEAD + 10), AHEAD],
      [frame(123456789, "SET", "key:1", "v").repeat(5), 5],
      [frame(1, "SET", "key:1", "v") + "+PING 123 4\r\n" + frame(2, "DEL", "key:1"), 1],
      [multibulk("GET", "key:1") + multibulk("PING") + multibulk("GET", "key:2"), 1],
      [multibulk("GET", "key:1") + "PING\r\n", 1],
      [multibulk("GET", "key:1") + multibulk("MSET", ..."abcdefghij".split("")), 1],
      [multibulk("SET", "key:1", "v".repeat(20_000)) + multibulk("GET", "key:1"), 0],
      ["*3\r\n$-1\r\n$1\r\nx\r\n", 0],
      ["*2\r\n:12", 0],
    ];
    for (const [text, expected] of rows) {
      const whole = lookAt(node, text);
      assertEquals(whole, expected, text.slice(0, 80));
      for (let cut = 0; cut < Math.min(text.length, 300); cut++) {
        const looked = lookAt(node, text.slice(0, cut));
        assert(looked <= expected, `${looked} requests of ${JSON.stringify(text.slice(0, cut))}`);
      }
    }
  }
});

Deno.test("it is the keys that are looked for, whatever the requests look like", () => {
  const seed = testSeed(31);
  const random = new Random(seed);
  const pick = (of: readonly string[]) => of[random.below(of.length)];
  const names = ["GET", "SET", "HSET", "SETRANGE", "x"];
  const keys = [
    "k",
    "key:1",
    "key:2",
    "key:31",
    "k".repeat(9),
    "k".repeat(10),
    "K".repeat(10),
    "k".repeat(11),
  ];
  const values = [
    "",
    "v",
    "w",
    "v".repeat(63),
    "v".repeat(64),
    "w".repeat(64),
    "v".repeat(65),
    "v".repeat(100),
  ];
  for (let round = 0; round < 3_000; round++) {
    const { node, sought } = listeningNode(1 + random.below(3));
    const words = () => {
      const more = Array.from({ length: random.below(3) }, () => pick(values));
      return [pick(names), pick(keys), ...more];
    };
    // Few shapes, so that neighbours are often alike.
    const shapes = [words(), words()];
    const requests = Array.from({ length: AHEAD }, () => {
      const shape = [...shapes[random.below(2)]];
      if (random.below(2) === 0) shape[1] = pick(keys);
      return shape;
    });
    const text = requests.map((shape, i) =>
      random.below(4) === 0 ? frame(i * 997, ...shape) : multibulk(...shape)
    );
    const expected = ["key:0", ...requests.map(([, key]) => key)]
      .filter((key, i, all) => key !== all[i - 1]);
    lookAt(node, text.join(""));
    assertEquals(sought, expected, `seed ${seed}, round ${round}: ${JSON.stringify(requests)}`);
  }
});

Deno.test("requests of the same length that divide it in another way are told apart", () => {
  for (let name = 1; name <= 9; name++) {
    const { node, sought } = listeningNode(1);
    const keys = [12, 13, 11, 19].map((bytes) => "k".repeat(bytes));
    lookAt(
      node,
      keys.map((key) => multibulk("x".repeat(name), key, "v".repeat(90 - key.length))).join(""),
    );
    assertEquals(sought, ["key:0", ...keys], `a name of ${name}`);
  }
});

Deno.test("where requests all have one key, those behind them are not looked at", () => {
  for (const node of [nodeOf(1), nodeOf(3)]) {
    const same = multibulk("GET", "key:0");
    assertEquals(lookAt(node, same.repeat(AHEAD - 1)), AHEAD - 1);
    assertEquals(lookAt(node, same.repeat(AHEAD)), ONE_KEY_PAUSE);
    assertEquals(lookAt(node, frame(7, "DEL", "key:0").repeat(AHEAD + 1)), ONE_KEY_PAUSE);
    for (const other of ["key:1", "key:10", "key:20", "key:60000"]) {
      for (let i = 0; i < AHEAD; i++) {
        const text = same.repeat(i) + multibulk("GET", other) + same.repeat(AHEAD - 1 - i);
        assertEquals(lookAt(node, text), AHEAD, `${other} at ${i}`);
      }
    }
  }
});

Deno.test("looks at nothing where keys are few", () => {
  const many = multibulk("GET", "key:1").repeat(20);
  assertEquals(lookAt(nodeOf(1, 65_535), many), AHEAD + 1);
  assertEquals(lookAt(nodeOf(1, 65_536), many), AHEAD);
  assertEquals(lookAt(nodeOf(1), many, 1), AHEAD + 1, "a database without keys");
});

Deno.test("looks through 16,384 bytes, and not one more", () => {
  const node = nodeOf(1);
  const head = (bytes: number) => `*3\r\n$3\r\nSET\r\n$5\r\nkey:1\r\n$${bytes}\r\n`;
  for (const [end, expected] of [[16_384, 1], [16_385, 0]]) {
    const bytes = end - head(end).length;
    assertEquals(lookAt(node, head(bytes) + "v".repeat(bytes) + "\r\n"), expected);
  }
});

Deno.test("a long key is not looked for, nor what follows it", () => {
  const node = nodeOf(1);
  const many = multibulk("GET", "key:1").repeat(20);
  for (const [bytes, expected] of [[1_024, AHEAD], [1_025, KEYS_AHEAD]]) {
    const buf = ascii("k".repeat(bytes) + many);
    const key = { argc: 2, starts: Int32Array.of(0, 0), stops: Int32Array.of(0, bytes) };
    assertEquals(new LookAhead(node).look(0, buf, viewOf(buf), key, bytes, buf.length), expected);
  }
});

Deno.test("whatever has come, looking changes nothing and ends", () => {
  const seed = testSeed(23);
  const random = new Random(seed);
  const node = nodeOf(2);
  const before = checksumsOf(node);
  const lookAhead = new LookAhead(node);
  const text = ascii(
    Array.from(
      { length: 40 },
      (_, i) => i % 2 === 0 ? multibulk("SET", `key:${i}`, "v") : frame(i, "DEL", `key:${i}`),
    ).join(""),
  );
  for (let i = 0; i < 20_000; i++) {
    const buf = text.slice();
    for (let n = random.below(6); n > 0; n--) {
      buf[random.below(buf.length)] = random.below(2) === 0
        ? random.below(256)
        : "*$:0123456789\r\n".charCodeAt(random.below(15));
    }
    const at = random.below(buf.length);
    const to = at + random.below(buf.length - at + 1);
    const start = random.below(at + 1);
    const key = { argc: 2, starts: Int32Array.of(0, start), stops: Int32Array.of(0, at) };
    const looked = lookAhead.look(0, buf, viewOf(buf), key, at, to);
    assert(looked >= 0 && looked <= ONE_KEY_PAUSE, `seed ${seed}, round ${i}: ${looked}`);
  }
  assertEquals(checksumsOf(node), before);
});
