import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { DatasetDigest, valueDigest } from "../../src/commands/digest.ts";
import { TYPE_STREAM } from "../../src/keyspace/entry.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import {
  collectionDump,
  DUMP_OK,
  putStringDump,
  restoreDump,
  stringDumpBytesMax,
} from "../../src/snapshot/dump_payload.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { RdbWriter, redisAux } from "../../src/snapshot/rdb_writer.ts";
import { type RawConnection, RedisServer } from "../support/redis.ts";
import {
  assertSameItems,
  type Collection,
  FakeEntries,
  type Item,
  item,
  MemorySink,
  pullAll,
  Random,
  type StreamContent,
} from "./support.ts";
import {
  bytes,
  commandsOf,
  contentsOf,
  everyValue,
  imageOf,
  KeyspaceSink,
  newKeyspace,
  readImage,
  store,
} from "./values.ts";

const VERSION = await RedisServer.installed();
/** Version 10 of RDB is that of Redis 7. */
const INSTALLED = VERSION !== null && Number(VERSION.split(".")[0]) >= 7;

/** A test that needs a redis-server; where there is none its name says that it was left out. */
function testWithRedis(name: string, run: () => Promise<void>): void {
  const why = VERSION === null
    ? "no redis-server on PATH"
    : `redis-server ${VERSION} is older than 7`;
  Deno.test({
    name: INSTALLED ? name : `${name} (LEFT OUT: ${why})`,
    ignore: !INSTALLED,
    fn: run,
  });
}

async function withTempDir(run: (dir: string) => Promise<void>): Promise<void> {
  const dir = await Deno.makeTempDir();
  try {
    await run(dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

/** Starts a redis-server in `dir` (it loads `dump.rdb` there), runs, and stops it. */
async function withRedis(
  args: readonly string[],
  run: (redis: RawConnection) => Promise<void>,
): Promise<void> {
  const server = await RedisServer.start(args);
  assert(server !== null);
  try {
    const redis = await server.connect();
    await run(redis);
    redis.close();
  } finally {
    await server.stop();
  }
}

/** The bytes of a bulk reply, or null. */
function bulk(reply: string): Uint8Array | null {
  if (reply.startsWith("$-1")) return null;
  assert(reply.startsWith("$"), reply.slice(0, 200));
  const from = reply.indexOf("\n") + 1;
  return Uint8Array.from(reply.slice(from, -2), (c) => c.charCodeAt(0));
}

/** All strings of the databases given, as the server has them. */
async function contents(redis: RawConnection, items: readonly Item[]): Promise<Item[]> {
  const found: Item[] = [];
  let db = -1;
  for (const { key, db: itsDb } of items) {
    if (itsDb !== db) await redis.run("SELECT", String(db = itsDb));
    const value = bulk(await redis.run("GET", key));
    if (value === null) continue;
    const expireAtMs = Number((await redis.run("PEXPIRETIME", key)).slice(1));
    found.push({ db, key, value, expireAtMs });
  }
  return found;
}

/** Keys whose values take every encoding there is, in three databases, some with a deadline. */
function everyKind(seed: number): Item[] {
  const random = new Random(seed);
  const far = Date.now() + 3_600_000;
  const integers = ["0", "-1", "127", "128", "-128", "-129", "32767", "32768", "-32769"]
    .concat("2147483647", "2147483648", "-2147483648", "-2147483649", "9223372036854775807")
    .concat("-0", "007", "+1", "1e3", "12345678901");
  const items = integers.flatMap((n) => [item(`int:${n}`, n), item(n, "its key is a number")]);
  for (const size of [0, 1, 11, 12, 20, 21, 63, 64, 100, 1000, 16_383, 16_384, 70_000, 300_000]) {
    items.push(item(`random:${size}`, random.bytes(size), size % 2 === 0 ? far + size : -1));
    items.push(item(`repetitive:${size}`, random.repetitive(size)));
    items.push(item(`same:${size}`, new Uint8Array(size).fill(120), -1, 2));
  }
  items.push(item("key ".repeat(30), "a compressed key", far, 2));
  items.push(item(random.bytes(200), random.bytes(20), -1, 9));
  for (let i = 0; i < 500; i++) items.push(item(`k${i}`, random.repetitive(i), -1, 9));
  return items.sort((a, b) => a.db - b.db);
}

testWithRedis("redis-check-rdb accepts our files and redis-server loads them", async () => {
  const items = everyKind(51);
  const aux = redisAux({
    redisVersion: "7.2.4",
    createdAtMs: Date.now(),
    usedMemoryBytes: 1,
    aofBase: false,
  });
  aux.push(["shoal-history", "0123456789abcdef"]);
  for (const compress of [true, false]) {
    for (const checksum of [true, false]) {
      await withTempDir(async (dir) => {
        const where = `compress ${compress} checksum ${checksum}`;
        const path = `${dir}/dump.rdb`;
        const options = { compress, checksum, aux };
        await Deno.writeFile(path, pullAll(new RdbWriter(new FakeEntries(items), options), 1000));

        const check = await new Deno.Command("redis-check-rdb", { args: [path] }).output();
        const said = latin1(check.stdout);
        assertEquals(check.code, 0, said);
        assertStringIncludes(said, "\\o/ RDB looks OK! \\o/", where);
        assertStringIncludes(said, `[info] ${items.length} keys read`, where);
        assert(!checksum || said.includes("Checksum OK"), `${where}: ${said}`);

        await withRedis(["--dir", dir], async (redis) => {
          assertSameItems(await contents(redis, items), items, where);
          const info = await redis.run("INFO", "keyspace");
          for (const db of [0, 2, 9]) {
            const keys = items.filter((i) => i.db === db).length;
            assertStringIncludes(info, `db${db}:keys=${keys},`, where);
          }
        });
      });
    }
  }
});

testWithRedis("our file and the same SETs have the same digest in redis-server", async () => {
  const items = everyKind(52);
  await withTempDir(async (dir) => {
    const options = { compress: true, checksum: true, aux: [] };
    await Deno.writeFile(
      `${dir}/dump.rdb`,
      pullAll(new RdbWriter(new FakeEntries(items), options)),
    );
    await withRedis(["--dir", dir], async (redis) => {
      const loaded = await redis.run("DEBUG", "DIGEST");
      await redis.run("FLUSHALL");
      await fill(redis, items);
      assertEquals(await redis.run("DEBUG", "DIGEST"), loaded);
      assert(!/^\+0+\r/.test(loaded), loaded);
    });
  });
});

async function fill(redis: RawConnection, items: readonly Item[]): Promise<void> {
  let db = -1;
  for (const i of items) {
    if (i.db !== db) await redis.run("SELECT", String(db = i.db));
    const expiry = i.expireAtMs < 0 ? [] : ["PXAT", String(i.expireAtMs)];
    assertEquals(await redis.run("SET", i.key, i.value, ...expiry), "+OK\r\n");
  }
}

testWithRedis("files that redis-server wrote are read at every push size", async () => {
  const items = everyKind(53);
  for (const compression of ["yes", "no"]) {
    await withTempDir(async (dir) => {
      let image = new Uint8Array(0);
      await withRedis(["--dir", dir, "--rdbcompression", compression], async (redis) => {
        await fill(redis, items);
        const library = "#!lua name=lib\nredis.register_function('f', function() return 1 end)\n";
        assertStringIncludes(await redis.run("FUNCTION", "LOAD", library), "lib");
        assertEquals(await redis.run("SAVE"), "+OK\r\n");
        image = await Deno.readFile(`${dir}/dump.rdb`);
      });
      for (const pushBytes of [1, 7, 1000, 65_536]) {
        const sink = new MemorySink();
        const warnings: string[] = [];
        const reader = new RdbReader(sink, { onWarning: (text) => warnings.push(text) });
        for (let at = 0; at < image.length; at += pushBytes) {
          reader.push(image, at, Math.min(image.length, at + pushBytes));
        }
        reader.end();
        const where = `compression ${compression} push ${pushBytes}`;
        assertSameItems(sink.items, items, where);
        assertEquals(warnings.length, 1, where);
        assertStringIncludes(warnings[0], "function library");
        assertEquals(sink.sizes.map(([db]) => db), [0, 2, 9], where);
        assert(sink.facts.some(([name]) => name === "redis-ver"), where);
      }
    });
  }
});

testWithRedis("long strings are read from redis-server's files, compressed ones too", async () => {
  // Redis compresses strings of any length, we up to 1 MiB.
  const random = new Random(55);
  const items = [
    item("text", random.repetitive(3_000_000)),
    item("zeros", new Uint8Array(20_000_000)),
    item("noise", random.bytes(300_000)),
  ];
  await withTempDir(async (dir) => {
    await withRedis(["--dir", dir], async (redis) => {
      await fill(redis, items);
      assertEquals(await redis.run("SAVE"), "+OK\r\n");
    });
    const image = await Deno.readFile(`${dir}/dump.rdb`);
    assert(image.length < 3_000_000, "compressed");
    for (const pushBytes of [777, 65_536]) {
      const sink = new MemorySink();
      const reader = new RdbReader(sink);
      for (let at = 0; at < image.length; at += pushBytes) {
        reader.push(image, at, Math.min(image.length, at + pushBytes));
        assert(reader.heldBytes < 200_000, `${reader.heldBytes} bytes`);
      }
      reader.end();
      assertSameItems(sink.items, items, `push ${pushBytes}`);
      assertEquals(sink.inPieces, items.length);
    }
  });
});

testWithRedis("DUMP and RESTORE pass values to redis-server and back", async () => {
  const items = everyKind(54).filter((i) => i.db !== 9);
  await withRedis([], async (redis) => {
    for (const { value } of items) {
      assertEquals(await redis.run("SET", "k", value), "+OK\r\n");
      const theirs = bulk(await redis.run("DUMP", "k"))!;
      const sink = new MemorySink();
      const outcome = restoreDump(theirs, 0, theirs.length, ascii("k"), 0, 1, -1, sink);
      assertEquals(outcome, DUMP_OK);
      assertSameItems(sink.items, [item("k", value)], "theirs");

      const room = new Uint8Array(stringDumpBytesMax(value.length));
      const ours = room.slice(0, putStringDump(room, 0, value, 0, value.length, true));
      assertEquals(await redis.run("RESTORE", "k", "0", ours, "REPLACE"), "+OK\r\n");
      const got = bulk(await redis.run("GET", "k"))!;
      assertSameItems([{ ...sink.items[0], value: got }], [item("k", value)], "ours");
      if (value.length <= 20) assertEquals(ours, theirs);
    }
  });
});

// ---- all types -----------------------------------------------------------------------------------

/** Values that Redis 7.0 has: no fields with deadlines. */
function valuesOfRedis(seed: number): Collection[] {
  return everyValue(new Random(seed)).filter(({ key }) => !key.startsWith("due:"));
}

/** A value without what commands cannot set: when consumers were seen. */
function timeless(value: Collection): Collection {
  if (value.type !== TYPE_STREAM) return value;
  const content = value.content as StreamContent;
  const groups = content.groups.map((group) => ({
    ...group,
    consumers: group.consumers.map(([name]) => [name, 0, 0]),
  }));
  return { ...value, content: { ...content, groups } };
}

function assertSameValues(
  got: readonly Collection[],
  want: readonly Collection[],
  where: string,
): void {
  assertEquals(got.map(({ key }) => key), want.map(({ key }) => key), where);
  got.forEach((value, i) => {
    const [mine, theirs] = [timeless(value), timeless(want[i])];
    if (JSON.stringify(mine) === JSON.stringify(theirs)) return; // which is quicker to tell
    assertEquals(mine, theirs, `${where}: ${value.key}`);
  });
}

async function runAll(redis: RawConnection, values: readonly Collection[]): Promise<void> {
  for (const value of values) {
    await redis.run("SELECT", String(value.db));
    for (const words of commandsOf(value)) {
      const reply = await redis.run(...words);
      assert(!reply.startsWith("-"), `${words[0]} ${value.key}: ${reply}`);
    }
  }
}

function digestOf(keys: Keyspace): string {
  const whole = new DatasetDigest([keys]);
  while (!whole.step(1000));
  return `+${whole.hex()}\r\n`;
}

testWithRedis("redis-server loads values of every type and size from our files", async () => {
  const values = valuesOfRedis(61);
  const keys = newKeyspace();
  store(keys, values);
  const image = imageOf(keys.freeze());
  await withTempDir(async (dir) => {
    const path = `${dir}/dump.rdb`;
    await Deno.writeFile(path, image);
    const check = await new Deno.Command("redis-check-rdb", { args: [path] }).output();
    assertEquals(check.code, 0, latin1(check.stdout));
    assertStringIncludes(latin1(check.stdout), `[info] ${values.length} keys read`);
    await withRedis(["--dir", dir, "--sanitize-dump-payload", "yes"], async (redis) => {
      assertEquals(await redis.run("DEBUG", "DIGEST"), digestOf(keys));
      // What it writes of them is what we wrote.
      assertEquals(await redis.run("SAVE"), "+OK\r\n");
      const theirs = readImage(await Deno.readFile(path));
      assertSameValues(theirs, values, "saved by redis-server");
      theirs.forEach((value, i) => assertEquals(value, values[i], value.key)); // times, too
      await redis.run("FLUSHALL");
      await runAll(redis, values);
      assertEquals(await redis.run("DEBUG", "DIGEST"), digestOf(keys), "made by commands");
    });
  });
});

/** Settings under which redis-server keeps values in other encodings. */
const ENCODINGS: Record<string, string> = {
  "as it is set by default": "",
  "with packed values": "--hash-max-listpack-entries 5000 --hash-max-listpack-value 500 " +
    "--zset-max-listpack-entries 5000 --zset-max-listpack-value 500 --list-max-listpack-size -5 " +
    "--set-max-intset-entries 5000",
  "with nothing packed": "--hash-max-listpack-entries 0 --zset-max-listpack-entries 0 " +
    "--list-max-listpack-size 1 --set-max-intset-entries 0 --stream-node-max-entries 1",
  "with compressed lists and no compression": "--list-compress-depth 1 --rdbcompression no",
};

for (const [how, settings] of Object.entries(ENCODINGS)) {
  testWithRedis(`redis-server's files of every type are loaded, ${how}`, async () => {
    const values = valuesOfRedis(62);
    await withTempDir(async (dir) => {
      await withRedis(["--dir", dir, ...settings.split(" ").filter(Boolean)], async (redis) => {
        await runAll(redis, values);
        assertEquals(await redis.run("SAVE"), "+OK\r\n");
        const image = await Deno.readFile(`${dir}/dump.rdb`);
        assertSameValues(readImage(image, 1000), values, "read");
        const keys = newKeyspace();
        const reader = new RdbReader(new KeyspaceSink(keys));
        reader.push(image);
        reader.end();
        assertEquals(digestOf(keys), await redis.run("DEBUG", "DIGEST"));
        assertSameValues(contentsOf(keys), values, "built");
      });
    });
  });
}

testWithRedis("DUMP and RESTORE pass values of every type to redis-server and back", async () => {
  const values = valuesOfRedis(63).map((value) => ({ ...value, db: 0, expireAtMs: -1 }));
  await withRedis(["--sanitize-dump-payload", "yes"], async (redis) => {
    const keys = newKeyspace();
    for (const value of values) {
      await runAll(redis, [value]);
      const key = bytes(value.key);
      const theirs = bulk(await redis.run("DUMP", key))!;
      const sink = new KeyspaceSink(keys);
      const outcome = restoreDump(theirs, 0, theirs.length, key, 0, key.length, -1, sink);
      assertEquals(outcome, DUMP_OK, value.key);
      const a = keys.peek(0, key, 0, key.length);
      const digest = `*1\r\n+${valueDigest(keys, a)}\r\n`;
      assertEquals(await redis.run("DEBUG", "DIGEST-VALUE", key), digest, value.key);
      const ours = collectionDump(keys.arena, value.type, keys.formOf(a), keys.valueRoot(a))!;
      assertEquals(await redis.run("RESTORE", "k", "0", ours, "REPLACE"), "+OK\r\n", value.key);
      assertEquals(await redis.run("DEBUG", "DIGEST-VALUE", "k"), digest, value.key);
      if (value.type !== TYPE_STREAM) continue;
      const full = await redis.run("XINFO", "STREAM", "k", "FULL", "COUNT", "0");
      // The trees of theirs are as large as they happen to be.
      const comparable = (reply: string) =>
        reply.replaceAll(/\$15\r\nradix-tree-\w+\r\n:\d+\r\n/g, "");
      const original = await redis.run("XINFO", "STREAM", key, "FULL", "COUNT", "0");
      assertEquals(comparable(full), comparable(original), value.key);
    }
  });
});
