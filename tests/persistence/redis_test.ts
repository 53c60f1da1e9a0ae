import { assert, assertEquals } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { Random, testSeed } from "../support/random.ts";
import { RawConnection, RedisServer } from "../support/redis.ts";
import { assertSameContent, type Content, DataNode, withDir } from "./support.ts";

const FUTURE = 4_000_000_000_000;
const installed = await RedisServer.installed();
if (installed === null) {
  // deno-lint-ignore no-console
  console.warn("!!! redis-server is not installed: files are not exchanged with it");
}
const ignore = installed === null;

/** A redis-server of its own in `dir`, once it answers. */
async function redisIn(dir: string): Promise<{ redis: RawConnection; stop: () => Promise<void> }> {
  for (let attempt = 0; attempt < 5; attempt++) {
    const port = 20_000 + Math.floor(Math.random() * 20_000);
    const process = new Deno.Command("redis-server", {
      args: `--port ${port} --bind 127.0.0.1 --enable-debug-command yes --dir ${dir} --save`
        .split(" ").concat(""),
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const lines = process.stdout.pipeThrough(new TextDecoderStream()).getReader();
    let log = "", ended = false;
    while (!ended && !log.includes("Ready to accept connections")) {
      const { value, done } = await lines.read();
      ended = done;
      log += value ?? "";
    }
    if (ended) {
      await process.status;
      if (log.includes("Address already in use") || log.includes("bind")) continue;
      throw new Error(`redis-server did not start:\n${log}`);
    }
    const drained = (async () => {
      while (!(await lines.read()).done);
    })();
    const redis = new RawConnection(await Deno.connect({ hostname: "127.0.0.1", port }));
    const stop = async () => {
      redis.close();
      process.kill("SIGKILL");
      await process.status;
      await drained;
    };
    return { redis, stop };
  }
  throw new Error("redis-server found no free port");
}

/** What a redis-server holds of the databases. */
async function contentOfRedis(
  redis: RawConnection,
  databases: readonly number[],
): Promise<Content> {
  const content: Content = new Map();
  for (const db of databases) {
    await redis.run("SELECT", String(db));
    for (const key of bulks(await redis.run("KEYS", "*"))) {
      const name = bytes(key);
      const [value] = bulks(await redis.run("GET", name));
      const reply = await redis.run("PEXPIRETIME", name);
      content.set(`${db} ${key}`, { value: bytes(value), expireAtMs: Number(reply.slice(1, -2)) });
    }
  }
  return content;
}

function bytes(text: string): Uint8Array {
  return Uint8Array.from(text, (c) => c.charCodeAt(0));
}

/** The bulk strings of a reply, latin-1. */
function bulks(reply: string): string[] {
  const out: string[] = [];
  let at = reply.startsWith("*") ? reply.indexOf("\r\n") + 2 : 0;
  while (at < reply.length) {
    const line = reply.indexOf("\r\n", at);
    const length = Number(reply.slice(at + 1, line));
    out.push(reply.slice(line + 2, line + 2 + length));
    at = line + 2 + length + 2;
  }
  return out;
}

Deno.test({
  name: "redis-server loads our files, and redis-check-rdb finds nothing wrong with them",
  ignore,
  fn: async () => {
    const seed = testSeed(6);
    await withDir(async (dir) => {
      let content: Content;
      {
        await using node = await DataNode.open(dir);
        node.node.shards[0].openBacklog();
        node.positions = { shards: 1, positions: [{ history: "b".repeat(40), offset: 9, db: 0 }] };
        const random = new Random(seed);
        for (let i = 0; i < 500; i++) {
          const expireAtMs = i % 3 === 0 ? FUTURE + i : -1;
          node.set(`key:${i}`, random.bytes(random.below(300)), expireAtMs, random.pick([0, 0, 9]));
        }
        node.set("long", "abc".repeat(100_000));
        node.set("number", "123456");
        node.set("", "");
        content = node.content();
        assert(await node.persistence.save());
      }
      const check = await new Deno.Command("redis-check-rdb", { args: [`${dir}/dump.rdb`] })
        .output();
      assertEquals(check.code, 0, latin1(check.stdout));
      const { redis, stop } = await redisIn(dir);
      try {
        assertSameContent(await contentOfRedis(redis, [0, 9]), content, `seed ${seed}`);
      } finally {
        await stop();
      }
    });
  },
});

Deno.test({
  name: "files of redis-server load into any number of shards, its expired keys left out",
  ignore,
  fn: async () => {
    const seed = testSeed(7);
    await withDir(async (dir) => {
      const { redis, stop } = await redisIn(dir);
      let content: Content;
      try {
        const random = new Random(seed);
        for (let i = 0; i < 300; i++) {
          await redis.run("SELECT", String(random.pick([0, 3])));
          const key = bytes(`key:${i}`);
          await redis.run("SET", key, random.bytes(random.below(200)));
          if (i % 4 === 0) await redis.run("PEXPIREAT", key, String(FUTURE + i));
        }
        await redis.run("SET", "text", "lorem ipsum ".repeat(10_000));
        content = await contentOfRedis(redis, [0, 3]);
        await redis.run("DEBUG", "SET-ACTIVE-EXPIRE", "0");
        await redis.run("SET", "gone", "v", "PX", "1");
        await new Promise((resolve) => setTimeout(resolve, 5));
        await redis.run(
          "FUNCTION",
          "LOAD",
          "#!lua name=f\nredis.register_function('f',function() end)",
        );
        assertEquals(await redis.run("SAVE"), "+OK\r\n");
      } finally {
        await stop();
      }
      for (const shards of [1, 2]) {
        await using node = await DataNode.open(dir, { shards });
        assertSameContent(node.content(), content, `seed ${seed}, ${shards} shards`);
        assertEquals(node.persistence.lastLoad?.expired, 1);
        const told = node.lines.filter((line) => line.includes("function library was passed over"));
        assertEquals(told.length, 1, node.lines.join("\n"));
      }
    });
  },
});
