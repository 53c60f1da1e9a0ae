import { assertEquals, assertNotEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { DatasetDigest, valueDigest } from "../../src/commands/digest.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { Random, testSeed } from "../support/random.ts";
import { RedisServer } from "../support/redis.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STRING_COMMANDS, ...KEY_COMMANDS, ...EXPIRY_COMMANDS];
const INSTALLED = await RedisServer.installed();
const EMPTY = "0".repeat(40);

function digest(shell: Shell, keysAStep = Infinity): string {
  const whole = new DatasetDigest(shell.keys);
  while (!whole.step(keysAStep));
  return whole.hex();
}

/** Commands that fill databases with strings of all sorts. */
function* filling(random: Random, keys: number): Generator<(string | Uint8Array)[]> {
  for (const db of [0, 1, 9]) {
    yield ["SELECT", String(db)];
    for (let i = 0; i < keys; i++) {
      const key = random.below(5) === 0 ? random.bytes(random.below(100)) : ascii(`key:${i}`);
      const value = random.below(4) === 0
        ? ascii(String(random.below(2 ** 31) - 2 ** 30))
        : random.bytes(random.below(random.below(40) === 0 ? 100_000 : 200));
      yield random.below(3) === 0
        ? ["SET", key, value, "PXAT", String(4_000_000_000_000 + i)]
        : ["SET", key, value];
    }
  }
}

function fill(shell: Shell, seed: number, keys: number): void {
  for (const words of filling(new Random(seed), keys)) {
    if (words[0] === "SELECT") shell.session.db = Number(words[1]);
    else shell.run(...words);
  }
}

Deno.test({
  name: "the digest of a data set, and of a value, is redis-server's",
  ignore: INSTALLED === null,
  async fn() {
    const seed = testSeed(41);
    const server = await RedisServer.start();
    const redis = await server!.connect();
    try {
      assertEquals(await redis.run("DEBUG", "DIGEST"), `+${EMPTY}\r\n`);
      for (const words of filling(new Random(seed), 300)) await redis.run(...words);
      const theirs = await redis.run("DEBUG", "DIGEST");
      for (const shards of [1, 2, 7]) {
        const shell = new Shell(SPECS, { shards });
        fill(shell, seed, 300);
        assertEquals(`+${digest(shell)}\r\n`, theirs, `${shards} shards, seed ${seed}`);
        for (const keys of shell.keys) {
          const a = keys.randomEntry(9, Math.random);
          const start = keys.keyStart(a);
          const key = keys.bytesOf(a).slice(start, start + keys.keyLength(a));
          const value = `*1\r\n+${valueDigest(keys, a)}\r\n`;
          assertEquals(value, await redis.run("DEBUG", "DIGEST-VALUE", key), latin1(key));
        }
      }
      const none = `*1\r\n+${EMPTY}\r\n`;
      assertEquals(await redis.run("DEBUG", "DIGEST-VALUE", "none of them"), none);
      assertEquals(valueDigest(new Shell(SPECS).keys[0], 0), EMPTY);
    } finally {
      redis.close();
      await server!.stop();
    }
  },
});

Deno.test("the digest depends neither on shards nor on slices nor on history", () => {
  const seed = testSeed(42);
  const whole = new Shell(SPECS);
  fill(whole, seed, 500);
  const expected = digest(whole);
  for (const shards of [1, 3]) {
    for (const keysAStep of [1, 10, 333]) {
      const shell = new Shell(SPECS, { shards });
      for (let i = 0; i < 2_000; i++) shell.run("SET", `other:${i}`, "v");
      fill(shell, seed, 500);
      shell.session.db = 0;
      for (let i = 0; i < 2_000; i++) shell.run("DEL", `other:${i}`);
      assertEquals(digest(shell, keysAStep), expected, `${shards} shards, ${keysAStep} a step`);
    }
  }
});

Deno.test("the digest tells apart keys, values, databases, and whether a key expires", () => {
  const seen = new Set<string>();
  for (
    const lines of [
      [],
      ["SET a 1"],
      ["SET b 1"],
      ["SET a 2"],
      ["SET a 1", "SET b 1"],
      ["SET a 1 PXAT 4000000000000"],
      ["SET a 1", "SWAPDB 0 1"],
      ["SET a 1", "COPY a a DB 1"],
    ]
  ) {
    const shell = new Shell(SPECS);
    for (const line of lines) shell.run(...line.split(" "));
    seen.add(digest(shell));
  }
  assertEquals(seen.size, 8);
});

Deno.test("a digest in slices ends although databases are flushed meanwhile", () => {
  const shell = new Shell(SPECS);
  for (let i = 0; i < 5_000; i++) shell.run("SET", `key:${i}`, "v");
  const whole = new DatasetDigest(shell.keys);
  assertEquals(whole.step(100), false);
  shell.run("FLUSHALL");
  while (!whole.step(100));
  assertNotEquals(whole.hex(), EMPTY); // some were counted before they went
});
