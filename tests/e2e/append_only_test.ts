/** The append-only file of a server in this process, on a disk of its own that does as it is told. */

import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import type { AofLog } from "../../src/persistence/aof_log.ts";
import type { Storage } from "../../src/persistence/storage.ts";
import { withDir } from "../persistence/support.ts";
import { Client, plain } from "../support/client.ts";
import { writeEveryType } from "../support/every_type.ts";
import { listenOnRun } from "../support/ports.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

const ALWAYS: Settings = { appendonly: "yes", appendfsync: "always" };
const DEBUG: Settings = { "enable-debug-command": "yes" };

/** A directory on disk and in a file system in memory, where the server keeps its files. */
async function withStorage(
  test: (storage: PowerStorage, dir: string) => Promise<void>,
): Promise<void> {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const storage = new PowerStorage(new Random(testSeed(11)));
  storage.addDirectory(dir);
  try {
    await test(storage, dir);
  } finally {
    await Deno.remove(dir, { recursive: true });
  }
}

function start(dir: string, storage: Storage, settings: Settings = ALWAYS): Promise<TestServer> {
  return TestServer.start({ ...DEBUG, ...settings }, { dir, storage });
}

/** Ports that are free now, for a server that is to be reached before it says which it has. */
function freePorts(): { port: number; settings: Settings } {
  const { base, listeners } = listenOnRun(2);
  for (const listener of listeners) listener.close();
  return { port: base, settings: { port: `${base}`, "replication-port-base": `${base + 1}` } };
}

/** Whether a promise is still open after a while. */
async function isOpen(promise: Promise<unknown>): Promise<boolean> {
  const late = Symbol();
  const waited = new Promise((resolve) => setTimeout(() => resolve(late), 60));
  return await Promise.race([promise, waited]) === late;
}

Deno.test("with appendfsync always nothing of a turn leaves before the sync, and reads go on behind it", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, {
      ...ALWAYS,
      "latency-monitor-threshold": "50",
    });
    const [writer, listener, other] = await Promise.all(
      Array.from({ length: 3 }, () => server.connect()),
    );
    await listener.ask("SUBSCRIBE", "news");
    await server.ask("SET", "before", "1");
    const disk = Promise.withResolvers<void>();
    let syncs = 0;
    storage.delay = (operation) => {
      if (operation !== "sync") return null;
      syncs++;
      return disk.promise;
    };
    const replies = writer.pipeline(["SET", "k", "v"], ["PUBLISH", "news", "k is v"], ["GET", "k"]);
    const push = listener.read();
    assert(await isOpen(Promise.race([replies, push])), "nothing may leave before the sync");
    // Who reads what is not safe yet waits with it.
    const read = other.ask("GET", "k");
    assert(await isOpen(read));
    disk.resolve();
    assertEquals(await replies, ["OK", 1, "v"]);
    assertEquals(await read, "v");
    await push;
    assertEquals(syncs, 1, "one sync for the whole turn");
    const latest = await server.ask("LATENCY", "LATEST") as [string, number, number, number][];
    const sync = latest.find(([event]) => event === "aof-fsync-always");
    assert(sync !== undefined && sync[2] >= 50, JSON.stringify(latest));
    // With everything on disk a read does not touch it.
    const before = storage.operations;
    await other.ask("GET", "k");
    assertEquals(storage.operations, before);
  });
});

for (const policy of ["no", "everysec"]) {
  Deno.test(`who waits for a sync is answered when appendfsync becomes ${policy} meanwhile`, async () => {
    await withStorage(async (storage, dir) => {
      await using server = await start(dir, storage);
      const [one, other] = await Promise.all([server.connect(), server.connect()]);
      await one.ask("SET", "before", "1");
      const disk = Promise.withResolvers<void>();
      storage.delay = (operation) => operation === "sync" ? disk.promise : null;
      const first = one.ask("SET", "k1", "v");
      assert(await isOpen(first));
      const second = other.ask("SET", "k2", "v");
      assert(await isOpen(second));
      assertEquals(await server.ask("CONFIG", "SET", "appendfsync", policy), "OK");
      storage.delay = () => null;
      disk.resolve();
      assertEquals([await first, await second], ["OK", "OK"]);
    });
  });
}

Deno.test("CONFIG SET aof-fill-ahead no makes the file plain again", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage);
    const filled = () => server.server.persistence.appendOnly.filledAheadBytes;
    const write = () => server.ask("SET", "k", "v");
    await until("the file is filled", async () => await write() === "OK" && filled() > 0);
    assertEquals(await server.ask("CONFIG", "SET", "aof-fill-ahead", "no"), "OK");
    await until("it is cut", async () => await write() === "OK" && filled() === 0);
  });
});

Deno.test("with appendfsync everysec replies do not wait for the disk", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, { appendonly: "yes" });
    const disk = Promise.withResolvers<void>();
    storage.delay = (operation) => operation === "sync" ? disk.promise : null;
    for (let i = 0; i < 3; i++) assertEquals(await server.ask("SET", "k", String(i)), "OK");
    disk.resolve();
  });
});

for (const policy of ["always", "everysec"] as const) {
  Deno.test(`a full disk refuses writes, lets reads go on, and all goes on with it (${policy})`, async () => {
    await withStorage(async (storage, dir) => {
      const settings = { appendonly: "yes", appendfsync: policy };
      const acknowledged: number[] = [];
      {
        await using server = await start(dir, storage, settings);
        for (let i = 0; i < 10; i++) {
          assertEquals(await server.ask("SET", `k${i}`, String(i)), "OK");
          acknowledged.push(i);
        }
        // With everysec replies are ahead of the writes, which would fail instead of the next.
        await until("all is written", async () => await server.info("aof_buffer_length") === "0");
        let isFull = true;
        storage.fault = (operation) =>
          isFull && operation === "write"
            ? Object.assign(new Error("No space left on device"), { code: "ENOSPC" })
            : null;
        const doubtful = await server.connect();
        const tenth = doubtful.ask("SET", "k10", "10");
        await until(
          "the failure is told",
          () => server.server.persistence.appendOnly.failure !== null,
        );
        assertEquals(await isOpen(tenth), policy === "always");
        assertEquals(
          await server.ask("SET", "refused", "x"),
          "-MISCONF Errors writing to the AOF file: No space left on device",
        );
        assertEquals(
          await server.ask("PING"),
          "-MISCONF Errors writing to the AOF file: No space left on device",
        );
        assertEquals(await server.ask("GET", "k3"), "3", "reads go on");
        const listener = await server.connect();
        await listener.ask("SUBSCRIBE", "news");
        for (let i = 0; i < 3; i++) {
          assertEquals(await server.ask("PUBLISH", "news", `m${i}`), 1, "messages go on");
          assertEquals(plain(await listener.read()), ["message", "news", `m${i}`]);
        }
        assertEquals(await server.info("aof_last_write_status"), "err");
        const waiting = await server.info("aof_buffer_length");
        assert(Number(waiting) > 0);
        assertEquals(await server.info("mem_aof_buffer"), waiting);
        isFull = false;
        assertEquals(await tenth, "OK");
        acknowledged.push(10);
        await until(
          "writes are taken again",
          async () => await server.ask("SET", "k11", "11") === "OK",
        );
        acknowledged.push(11);
        assertEquals(await server.info("aof_last_write_status"), "ok");
        assert(server.log.some((line) => line.includes("No space left on device")));
      }
      await using server = await start(dir, storage, settings);
      for (const i of acknowledged) assertEquals(await server.ask("GET", `k${i}`), String(i));
      assertEquals(await server.ask("EXISTS", "refused"), 0);
    });
  });

  Deno.test(`a start on a full disk serves reads, and writes once there is room (${policy})`, async () => {
    await withStorage(async (storage, dir) => {
      const settings = { appendonly: "yes", appendfsync: policy };
      {
        await using server = await start(dir, storage, settings);
        assertEquals(await server.ask("SET", "k", "v"), "OK");
      }
      // As a crash leaves it before what was replaced is removed.
      const manifest = `${dir}/appendonlydir/appendonly.aof.manifest`;
      const listed = latin1(storage.contentOf(manifest));
      await storage.remove(manifest);
      storage.addFile(manifest, `${listed}file appendonly.aof.9.base.rdb seq 9 type h\n`);
      storage.fault = (operation, path) =>
        operation === "write" || (operation === "create" && !path.endsWith(".lock"))
          ? Object.assign(new Error("No space left on device"), { code: "ENOSPC" })
          : null;
      {
        await using server = await start(dir, storage, settings);
        assertEquals(await server.ask("GET", "k"), "v");
        await until(
          "writes are refused",
          () => server.server.persistence.appendOnly.failure !== null,
        );
        assertEquals(
          await server.ask("SET", "k", "w"),
          "-MISCONF Errors writing to the AOF file: No space left on device",
        );
        assertEquals(await server.ask("SAVE"), "-ERR");
        storage.fault = () => null;
        await until("writes are taken", async () => await server.ask("SET", "k", "w") === "OK");
        await server.ask("BGREWRITEAOF");
        await until("it is rewritten", async () => await server.info("aof_rewrites") === "1");
        assertEquals(latin1(storage.contentOf(manifest)).includes(" type h"), false);
      }
      await using server = await start(dir, storage, settings);
      assertEquals(await server.ask("GET", "k"), "w");
    });
  });

  Deno.test(`a sync that fails gives the file up, and a rewrite makes all good (${policy})`, async () => {
    await withStorage(async (storage, dir) => {
      const settings = { appendonly: "yes", appendfsync: policy };
      {
        await using server = await start(dir, storage, settings);
        assertEquals(await server.ask("SET", "before", "1"), "OK");
        let isFailing = true;
        // Of whatever file: a rewrite would make all good again before the refusal is seen.
        storage.fault = (operation) =>
          isFailing && operation === "sync"
            ? Object.assign(new Error("Input/output error"), { code: "EIO" })
            : null;
        const doubtful = await server.connect();
        const reply = doubtful.ask("SET", "doubtful", "2");
        await until(
          "the failure is told",
          () => server.server.persistence.appendOnly.failure !== null,
        );
        assertEquals(
          await server.ask("SET", "refused", "x"),
          "-MISCONF Errors writing to the AOF file: Input/output error",
        );
        assertEquals(await server.ask("GET", "before"), "1");
        isFailing = false;
        assertEquals(await reply, "OK");
        await until(
          "writes are taken again",
          async () => await server.ask("SET", "after", "3") === "OK",
        );
        assertEquals(await server.info("aof_last_bgrewrite_status"), "ok");
      }
      await using server = await start(dir, storage, settings);
      assertEquals(await server.ask("MGET", "before", "doubtful", "after"), ["1", "2", "3"]);
    });
  });
}

Deno.test("a server whose disk fails stops all the same", async () => {
  await withStorage(async (storage, dir) => {
    const server = await start(dir, storage);
    storage.fault = (operation) => operation === "write" ? new Error("full") : null;
    const client = await server.connect();
    const reply = client.ask("SET", "k", "v").catch((error) => error);
    await until("the failure is told", () => server.server.persistence.appendOnly.failure !== null);
    await server.stop();
    assert(await reply instanceof Error, "nothing was confirmed");
  });
});

Deno.test("a stop waits for the rewrite that puts replaced data into the files", async () => {
  await withStorage(async (storage, dir) => {
    const settings = { appendonly: "yes", appendfsync: "everysec", shards: "2" };
    {
      await using server = await start(dir, storage, settings);
      await server.ask("MSET", "a", "1", "b", "2");
      const disk = Promise.withResolvers<void>();
      storage.delay = (operation, path) =>
        operation === "write" && path.includes("/appendonlydir/temp-") ? disk.promise : null;
      assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
      await until("the rewrite begins", () => server.server.persistence.appendOnly.isRewriting);
      for (const key of ["c", "d", "e", "f"]) assertEquals(await server.ask("SET", key, "3"), "OK");
      const stopped = server.server.stop({ save: false, force: false, now: true });
      assert(await isOpen(stopped));
      disk.resolve();
      await stopped;
    }
    await using server = await start(dir, storage, settings);
    assertEquals(
      await server.ask("MGET", "a", "b", "c", "d", "e", "f"),
      ["1", "2", "3", "3", "3", "3"],
    );
  });
});

Deno.test("a stop puts replaced data into the files when no rewrite of them has begun", async () => {
  await withStorage(async (storage, dir) => {
    const settings = { appendonly: "yes", hz: "1", shards: "2" }; // a tick would begin one
    {
      await using server = await start(dir, storage, settings);
      await server.ask("MSET", "a", "1", "b", "2");
      assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
      for (const key of ["c", "d", "e", "f"]) assertEquals(await server.ask("SET", key, "3"), "OK");
    }
    await using server = await start(dir, storage, settings);
    assertEquals(
      await server.ask("MGET", "a", "b", "c", "d", "e", "f"),
      ["1", "2", "3", "3", "3", "3"],
    );
  });
});

Deno.test("a stop while files are being begun leaves files that the next start takes", async () => {
  const random = new Random(testSeed(23));
  for (let round = 0; round < 12; round++) {
    await withStorage(async (storage, dir) => {
      storage.delay = (operation) =>
        operation.startsWith("sync") || operation === "rename"
          ? new Promise((resolve) => setTimeout(resolve, random.below(6)))
          : null;
      const server = await start(dir, storage, {});
      await writeEveryType(await server.connect(), "a");
      const keys = await server.ask("DBSIZE");
      assertEquals(await server.ask("CONFIG", "SET", "appendonly", "yes"), "OK");
      if (round % 2 === 1) await new Promise((resolve) => setTimeout(resolve, random.below(15)));
      await server.stop();
      await using again = await start(dir, storage);
      assertEquals(await again.ask("DBSIZE"), keys, `round ${round}`);
    });
  }
});

Deno.test("a stop that saves lets an append-only file that is being begun come to its end", async () => {
  await withStorage(async (storage, dir) => {
    const settings = { appendonly: "yes", shards: "2" };
    {
      await using server = await start(dir, storage, settings);
      await server.ask("SET", "k", "old");
      assertEquals(await server.ask("CONFIG", "SET", "appendonly", "no"), "OK");
      await until("it is off", () => !server.server.persistence.appendOnly.isOpen);
      await server.ask("MSET", "k", "new", "a", "1", "b", "2", "c", "3");
      const disk = Promise.withResolvers<void>();
      storage.delay = (operation, path) =>
        operation === "write" && path.includes("/temp-appendonlydir-new/temp-")
          ? disk.promise
          : null;
      assertEquals(await server.ask("CONFIG", "SET", "appendonly", "yes"), "OK");
      await until("it is being begun", () => server.server.persistence.appendOnly.isRewriting);
      const stopped = server.server.stop({ save: true, force: false, now: true });
      assert(await isOpen(stopped));
      disk.resolve();
      assertEquals(await stopped, true);
    }
    // The next start goes by it, and not by the snapshot.
    await using server = await start(dir, storage, settings);
    assertEquals(await server.ask("MGET", "k", "a", "b", "c"), ["new", "1", "2", "3"]);
  });
});

/** Of every snapshot in `dir`, says a time of saving that is far ahead, as a clock that went wrong would. */
async function postdate(storage: PowerStorage, dir: string): Promise<void> {
  for (const { name } of await storage.list(dir)) {
    if (!name.endsWith(".rdb")) continue;
    const content = storage.contentOf(`${dir}/${name}`);
    const text = Array.from(content, (byte) => String.fromCharCode(byte)).join("");
    const at = text.search(/(?<=shoal-save-time[^])1\d{12}/);
    assert(at > 0, name);
    content[at] = "2".charCodeAt(0);
    storage.addFile(`${dir}/${name}`, content);
  }
}

Deno.test("a save is loaded by the next start although one that was there before says a later time", async () => {
  await withStorage(async (storage, dir) => {
    const fileless: Settings = { rdbchecksum: "no", save: "" };
    {
      await using server = await start(dir, storage);
      await server.ask("SET", "k", "new");
    }
    {
      await using server = await start(dir, storage, { ...fileless, shards: "2" });
      await server.ask("SET", "k", "old");
      assertEquals(await server.ask("SAVE"), "OK");
    }
    await postdate(storage, dir);
    {
      await using server = await start(dir, storage);
      assertEquals(await server.ask("GET", "k"), "new");
      assertEquals(await server.ask("SAVE"), "OK");
    }
    await using server = await start(dir, storage, fileless);
    assertEquals(await server.ask("GET", "k"), "new");
  });
});

Deno.test("a save that one in a directory set later hides says so in the log", async () => {
  await withStorage(async (storage, dir) => {
    const fileless: Settings = { rdbchecksum: "no", save: "", "enable-protected-configs": "yes" };
    const other = `${dir}/other`;
    await Deno.mkdir(other);
    storage.addDirectory(other);
    {
      await using server = await start(other, storage, { ...fileless, shards: "2" });
      await server.ask("SET", "k", "old");
      assertEquals(await server.ask("SAVE"), "OK");
    }
    await postdate(storage, other);
    await using server = await start(dir, storage, fileless);
    assertEquals(await server.ask("CONFIG", "SET", "dir", other), "OK");
    assertEquals(await server.ask("SAVE"), "OK");
    const told =
      /not put in order reason=.*a start would load .*\/other\/dump-0\.rdb, which says a later/;
    await until("it is said", () => server.log.some((line) => told.test(line)));
  });
});

Deno.test("a stop while a first start begins its files leaves files that the next start takes", async () => {
  const random = new Random(testSeed(29));
  for (let round = 0; round < 8; round++) {
    await withStorage(async (storage, dir) => {
      const before = await start(dir, storage, {});
      await writeEveryType(await before.connect(), "a");
      const keys = await before.ask("DBSIZE");
      assertEquals(await before.ask("SAVE"), "OK");
      await before.stop();
      let isBeginning = false;
      storage.delay = (operation, path) => {
        if (!operation.startsWith("sync")) return null;
        isBeginning ||= path.includes("appendonly");
        return new Promise((resolve) => setTimeout(resolve, 5 + random.below(20)));
      };
      const { port, settings } = freePorts();
      const starting = start(dir, storage, { ...ALWAYS, ...settings });
      await until("files are being begun", () => isBeginning);
      await new Promise((resolve) => setTimeout(resolve, random.below(60)));
      const client = await Client.connect(port);
      await client.send("SHUTDOWN", "NOSAVE");
      await client.readToEnd();
      client.close();
      await (await starting).server.stopped;
      storage.delay = () => null;
      await using again = await start(dir, storage);
      assertEquals(await again.ask("DBSIZE"), keys, `round ${round}`);
    });
  }
});

Deno.test("data that a failing rewrite leaves nowhere is not written to", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, { appendonly: "yes", save: "" });
    assertEquals(await server.ask("SET", "k", "v"), "OK");
    storage.fault = (operation, path) =>
      operation === "write" && path.includes("/appendonlydir/temp-") ? new Error("full") : null;
    assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
    await until(
      "writes are refused",
      async () => String(await server.ask("SET", "doubtful", "w")).startsWith("-MISCONF"),
    );
    assertEquals(await server.ask("GET", "k"), "v");
    assertEquals(await server.info("aof_rewrite_scheduled"), "1");
    storage.fault = () => null;
    assertEquals(await server.ask("BGREWRITEAOF"), "Background append only file rewriting started");
    await until("writes are taken again", async () => await server.ask("SET", "k", "w") === "OK");
    assertEquals(await server.info("aof_rewrite_scheduled"), "0");
  });
});

for (const by of ["DEBUG RELOAD", "an upstream's snapshot"]) {
  Deno.test(`a rewrite that has just begun when ${by} replaces the data goes on with the new data`, async () => {
    await using upstream = await TestServer.start();
    await upstream.ask("SET", "of", "the upstream");
    await withStorage(async (storage, dir) => {
      const settings = { appendonly: "yes", save: "", shards: "1" };
      const isOwn = by === "DEBUG RELOAD";
      {
        await using server = await start(dir, storage, settings);
        assertEquals(await server.ask("SET", "of", "its own"), "OK");
        const { appendOnly } = server.server.persistence;
        const listed = Promise.withResolvers<void>();
        storage.delay = (operation, path) =>
          operation === "rename" && path.endsWith(".manifest") ? listed.promise : null;
        assertEquals(appendOnly.startRewrite(), true);
        if (isOwn) {
          assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
        } else {
          await server.ask("REPLICAOF", "127.0.0.1", `${upstream.port}`);
          await until("it is shipped", async () => {
            return await server.ask("GET", "of") === "the upstream";
          });
          await server.ask("REPLICAOF", "NO", "ONE");
        }
        listed.resolve();
        await until("it is rewritten", async () => {
          assertEquals(await server.ask("SET", "k", "v"), "OK");
          return appendOnly.rewrites > 0;
        });
        assertEquals(await server.info("aof_last_bgrewrite_status"), "ok");
        assertEquals(await server.info("aof_rewrite_scheduled"), "0");
      }
      await using server = await start(dir, storage, settings);
      assertEquals(
        await server.ask("MGET", "of", "k"),
        [isOwn ? "its own" : "the upstream", "v"],
      );
    });
  });
}

Deno.test("a rewrite that fails while the file before it is synced can be made again", async () => {
  await withStorage(async (storage, dir) => {
    const settings = { appendonly: "yes", save: "" };
    {
      await using server = await start(dir, storage, settings);
      const disk = Promise.withResolvers<void>();
      storage.delay = (operation, path) =>
        operation === "sync" && path.endsWith(".incr.aof") ? disk.promise : null;
      assertEquals(await server.ask("SET", "k", "v"), "OK");
      storage.fault = (operation, path) =>
        operation === "write" && path.includes("/appendonlydir/temp-") ? new Error("full") : null;
      assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
      await until(
        "it has failed",
        async () => await server.info("aof_last_bgrewrite_status") === "err",
      );
      storage.fault = () => null;
      disk.resolve();
      await until(
        "the file is synced",
        async () => await server.info("aof_pending_bio_fsync") === "0",
      );
      server.server.persistence.appendOnly.startRewrite();
      await until("writes are taken again", async () => await server.ask("SET", "k", "w") === "OK");
      assertEquals(await server.info("aof_last_bgrewrite_status"), "ok");
    }
    await using server = await start(dir, storage, settings);
    assertEquals(await server.ask("GET", "k"), "w");
  });
});

Deno.test("a rewrite that fails on a full disk leaves files that join, messages between them included", async () => {
  await withStorage(async (storage, dir) => {
    const settings = { appendonly: "yes", save: "" };
    {
      await using server = await start(dir, storage, settings);
      assertEquals(await server.ask("SET", "k", "v"), "OK");
      storage.fault = (operation, path) =>
        operation === "write" && !path.includes(".manifest") ? new Error("full") : null;
      const { appendOnly } = server.server.persistence;
      await server.ask("SET", "k", "w");
      await until("it is full", () => appendOnly.failure !== null);
      for (let i = 0; i < 3; i++) assertEquals(await server.ask("PUBLISH", "channel", "m"), 0);
      appendOnly.startRewrite();
      await until("it has failed", () => appendOnly.lastRewriteFailed);
      storage.fault = () => null;
      await until("writes are taken", async () => await server.ask("SET", "k", "x") === "OK");
      const manifest = latin1(storage.contentOf(`${dir}/appendonlydir/appendonly.aof.manifest`));
      assertEquals(manifest.match(/ type i$/gm)!.length, 2);
    }
    await using server = await start(dir, storage, settings);
    assertEquals(await server.ask("GET", "k"), "x");
  });
});

Deno.test("a start that cannot write to an increment names it", async () => {
  await withStorage(async (storage, dir) => {
    {
      await using server = await start(dir, storage);
      assertEquals(await server.ask("SET", "k", "v"), "OK");
    }
    storage.fault = (operation, path) =>
      operation === "append" && path.endsWith(".incr.aof")
        ? Object.assign(new Error("Permission denied (os error 13)"), { code: "EACCES" })
        : null;
    const error = await assertRejects(() => start(dir, storage), Error);
    const path = `${dir}/appendonlydir/appendonly.aof.1.incr.aof`;
    assertEquals(error.message, `cannot write ${path}: Permission denied`);
  });
});

Deno.test("CONFIG SET appendonly begins files of what there is, and ends them, whatever the order", async () => {
  await withDir(async (dir) => {
    let digest;
    {
      const settings = { ...DEBUG, shards: "2", "enable-protected-configs": "yes" };
      await using server = await TestServer.start(settings, { dir });
      await writeEveryType(await server.connect(), "a");
      for (const word of ["yes", "no", "yes"]) {
        assertEquals(await server.ask("CONFIG", "SET", "appendonly", word), "OK");
      }
      const { appendOnly } = server.server.persistence;
      await until("it is written", () => appendOnly.isOpen && !appendOnly.isRewriting);
      assertEquals(await server.info("aof_enabled"), "1");
      assertStringIncludes(
        String(await server.ask("CONFIG", "SET", "dir", Deno.cwd())),
        "the append-only file is open in it: CONFIG SET appendonly no",
      );
      await writeEveryType(await server.connect(), "b");
      digest = await server.ask("DEBUG", "DIGEST");
    }
    await using server = await TestServer.start({ ...DEBUG, shards: "2", appendonly: "yes" }, {
      dir,
    });
    assertEquals(await server.ask("DEBUG", "DIGEST"), digest);
    assertEquals(await server.ask("CONFIG", "SET", "appendonly", "no"), "OK");
    await until("it is closed", async () => await server.info("aof_enabled") === "0");
    const refused = await server.ask("BGREWRITEAOF");
    assertEquals(refused, "-ERR there is no append-only file: CONFIG SET appendonly yes");
    assertEquals(await server.ask("SET", "k", "v"), "OK");
  });
});

const NOT_BEGUN = "-ERR CONFIG SET failed (possibly related to argument 'appendonly') - " +
  "Unable to turn on AOF. Check server logs.";

Deno.test("CONFIG SET appendonly yes that cannot be done is an error that changes nothing", async () => {
  for (const failing of ["makeDirectory", "create"] as const) {
    await withStorage(async (storage, dir) => {
      await using server = await start(dir, storage, {});
      const before = await server.ask("CONFIG", "GET", "maxclients");
      storage.fault = (operation) =>
        operation === failing ? new Deno.errors.PermissionDenied("Permission denied") : null;
      const request = ["CONFIG", "SET", "maxclients", "77", "AppendOnly", "YES"];
      assertEquals(await server.ask(...request), NOT_BEGUN);
      assertEquals(await server.ask("CONFIG", "GET", "appendonly"), ["appendonly", "no"]);
      assertEquals(await server.ask("CONFIG", "GET", "maxclients"), before);
      assertEquals(await server.info("errorstat_ERR"), "count=1");
      assert(server.log.some((line) => /was not begun.*Permission denied/.test(line)));
      assertEquals(await server.ask("SET", "k", "v"), "OK");
      storage.fault = () => null;
      assertEquals(await server.ask(...request), "OK");
      assertEquals(await server.ask("CONFIG", "GET", "maxclients"), ["maxclients", "77"]);
      await until("it is written", async () => await server.info("aof_enabled") === "1");
    });
  }
});

Deno.test("CONFIG SET appendonly yes lets others in while the disk makes it wait", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, {});
    const { promise: isFree, resolve: free } = Promise.withResolvers<void>();
    const { promise: isAsked, resolve: ask } = Promise.withResolvers<void>();
    storage.delay = (operation) => {
      if (operation !== "makeDirectory") return null;
      ask();
      return isFree;
    };
    const [one, other] = [await server.connect(), await server.connect()];
    await one.send("CONFIG", "SET", "appendonly", "yes");
    await isAsked;
    await other.send("CONFIG", "SET", "appendonly", "yes");
    assertEquals(await server.ask("SET", "k", "v"), "OK");
    assertEquals(await server.ask("CONFIG", "GET", "appendonly"), ["appendonly", "no"]);
    free();
    assertEquals(plain(await one.read()), "OK");
    assertEquals(plain(await other.read()), "OK");
    assertEquals(await server.ask("CONFIG", "GET", "appendonly"), ["appendonly", "yes"]);
    const { appendOnly } = server.server.persistence;
    await until("it is written", () => appendOnly.isOpen && !appendOnly.isRewriting);
  });
});

Deno.test("CONFIG SET appendonly yes with a setting that is refused leaves no files", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, {});
    const before = (await storage.list(dir)).map(({ name }) => name);
    const refused = await server.ask("CONFIG", "SET", "appendonly", "yes", "maxclients", "none");
    assertStringIncludes(String(refused), "'maxclients'");
    assertEquals(await server.ask("CONFIG", "GET", "appendonly"), ["appendonly", "no"]);
    const isNew = (name: string) => !before.includes(name) && !name.endsWith(".lock");
    await until(
      "its files are gone",
      async () => !(await storage.list(dir)).some(({ name }) => isNew(name)),
    );
    assertEquals(await server.ask("CONFIG", "SET", "appendonly", "yes"), "OK");
  });
});

Deno.test("CONFIG SET appendonly yes in a transaction does not wait", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, {});
    storage.fault = (operation) =>
      operation === "makeDirectory" ? new Deno.errors.PermissionDenied("Permission denied") : null;
    const client = await server.connect();
    await client.line("MULTI");
    await client.line("CONFIG SET appendonly yes");
    assertEquals(await client.line("EXEC"), ["OK"]);
    await until("it is no again", async () => {
      const [, value] = await server.ask("CONFIG", "GET", "appendonly") as string[];
      return value === "no";
    });
    assert(server.log.some((line) => /was not begun.*Permission denied/.test(line)));
  });
});

Deno.test("writes go on while the append-only file is rewritten, and none of them is lost", async () => {
  await withDir(async (dir) => {
    const settings = { ...DEBUG, appendonly: "yes", shards: "2" };
    let digest;
    {
      await using server = await TestServer.start(settings, { dir });
      const fill = await server.connect();
      for (let at = 0; at < 20_000; at += 1_000) {
        await fill.ask(
          "MSET",
          ...Array.from({ length: 1_000 }, (_, i) => [`k{${at}}${i}`, "x"]).flat(),
        );
      }
      let isOver = false;
      const writing = Array.from({ length: 4 }, async (_, w) => {
        const client = await server.connect();
        for (let n = 0; !isOver; n++) {
          await client.pipeline(["RPUSH", `list{${w}}`, `${n}`], ["SET", `k{${w}}`, `${n}`]);
        }
      });
      for (let i = 1; i <= 3; i++) {
        assertEquals(
          await server.ask("BGREWRITEAOF"),
          "Background append only file rewriting started",
        );
        await until("it is rewritten", async () => await server.info("aof_rewrites") === `${i}`);
      }
      isOver = true;
      await Promise.all(writing);
      assertEquals(await server.info("aof_last_bgrewrite_status"), "ok");
      const names = Array.from(Deno.readDirSync(`${dir}/appendonlydir`), ({ name }) => name);
      assertEquals(
        names.sort(),
        [0, 1].flatMap((i) => [
          `appendonly-${i}.aof.4.base.rdb`,
          `appendonly-${i}.aof.4.incr.aof`,
          `appendonly-${i}.aof.manifest`,
        ]),
      );
      digest = await server.ask("DEBUG", "DIGEST");
    }
    await using server = await TestServer.start(settings, { dir });
    assertEquals(await server.ask("DEBUG", "DIGEST"), digest);
  });
});

Deno.test("a file that has grown is rewritten by itself", async () => {
  await using server = await TestServer.start({
    appendonly: "yes",
    "auto-aof-rewrite-min-size": "100kb",
    "auto-aof-rewrite-percentage": "100",
  });
  const value = "x".repeat(1_000);
  for (let i = 0; i < 150; i++) await server.ask("SET", "k", value);
  await until("it is rewritten", async () => await server.info("aof_rewrites") === "1");
  // What came while it was being rewritten is in the new file.
  assert(Number(await server.info("aof_current_size")) < 100_000);
});

/** Settings under which a file is rewritten when it has doubled, but for `percentage`; ticks come seldom. */
function growing(percentage: string): Settings {
  return {
    appendonly: "yes",
    hz: "1",
    rdbcompression: "no",
    "auto-aof-rewrite-min-size": "10kb",
    "auto-aof-rewrite-percentage": percentage,
  };
}

async function writeKilobytes(server: TestServer, count: number): Promise<void> {
  const value = "x".repeat(1_000);
  for (let i = 0; i < count; i++) await server.ask("SET", `k${i}`, value);
}

/** Whether the next tick begins a rewrite. */
function isRewrittenNext({ server }: TestServer): boolean {
  const { appendOnly } = server.persistence;
  appendOnly.tick();
  return appendOnly.isRewriting;
}

/** Whether a tick has begun a rewrite, or this one does. */
async function isRewritten(server: TestServer): Promise<boolean> {
  return isRewrittenNext(server) || await server.info("aof_rewrites") !== "0";
}

Deno.test("growth is measured from the last rewrite, and behind a restart from what was loaded", async () => {
  await withDir(async (dir) => {
    {
      await using server = await TestServer.start(growing("0"), { dir });
      await writeKilobytes(server, 30);
      assertMatch(String(await server.ask("BGREWRITEAOF")), /started/);
      await until("it is rewritten", async () => await server.info("aof_rewrites") === "1");
      assert(Number(await server.info("aof_base_size")) > 30_000);
      await server.ask("CONFIG", "SET", "auto-aof-rewrite-percentage", "100");
      assertEquals(isRewrittenNext(server), false, "it has not grown");
      await writeKilobytes(server, 20);
      assertEquals(isRewrittenNext(server), false, "it has not doubled");
    }
    await using server = await TestServer.start(growing("100"), { dir });
    assert(Number(await server.info("aof_base_size")) > 50_000);
    await writeKilobytes(server, 40);
    assertEquals(isRewrittenNext(server), false, "it has not doubled since it was loaded");
    await writeKilobytes(server, 20);
    await until("it is rewritten, as it has doubled", () => isRewritten(server));
  });
});

Deno.test("with auto-aof-rewrite-percentage 0 no size has a file rewritten", async () => {
  await using server = await TestServer.start(growing("0"));
  await writeKilobytes(server, 30);
  const size = async () => Number(await server.info("aof_current_size"));
  await until("it is written", async () => await size() > 30_000);
  assertEquals([isRewrittenNext(server), await server.info("aof_rewrites")], [false, "0"]);
  await server.ask("CONFIG", "SET", "auto-aof-rewrite-percentage", "100");
  await until("it is rewritten", () => isRewritten(server));
});

Deno.test("no-appendfsync-on-rewrite spares the disk while a snapshot or a rewrite is written", async () => {
  await withStorage(async (storage, dir) => {
    await using server = await start(dir, storage, {
      appendonly: "yes",
      "no-appendfsync-on-rewrite": "yes",
    });
    const { node } = server.server;
    const { log } = node.shards[0].kept.log as unknown as { log: AofLog };
    await until("the files are begun", () => !log.sparesDisk);
    for (const command of ["BGSAVE", "BGREWRITEAOF"]) {
      const disk = Promise.withResolvers<void>();
      storage.delay = (operation) => operation === "rename" ? disk.promise : null;
      try {
        await server.ask(command);
        await until(`${command} spares it`, () => log.sparesDisk);
        await server.ask("CONFIG", "SET", "no-appendfsync-on-rewrite", "no");
        await until("the setting is another", () => !log.sparesDisk);
        await server.ask("CONFIG", "SET", "no-appendfsync-on-rewrite", "yes");
        await until("the setting is as before", () => log.sparesDisk);
      } finally {
        disk.resolve();
      }
      await until(`${command} is over`, () => !log.sparesDisk);
    }
  });
});

Deno.test("clients hear -LOADING while the append-only file is loaded", async () => {
  await withStorage(async (storage, dir) => {
    {
      await using server = await start(dir, storage);
      await server.ask("SET", "k", "v");
    }
    const disk = Promise.withResolvers<void>();
    storage.delay = (operation, path) =>
      operation === "read" && path.endsWith(".incr.aof") ? disk.promise : null;
    const { port, settings } = freePorts();
    const starting = start(dir, storage, { ...ALWAYS, ...settings });
    using client = await connected(port);
    assertEquals(await client.ask("GET", "k"), "-LOADING Redis is loading the dataset in memory");
    assertEquals(
      await client.ask("SET", "k", "w"),
      "-LOADING Redis is loading the dataset in memory",
    );
    assertStringIncludes(String(await client.ask("INFO", "persistence")), "loading:1\r\n");
    disk.resolve();
    await using server = await starting;
    assertEquals(await client.ask("GET", "k"), "v");
    assert(server.log.some((line) => line.includes("append-only file loaded")));
  });
});

Deno.test("no key is evicted while the rest is loaded, whatever clients queue meanwhile", async () => {
  await withStorage(async (storage, dir) => {
    {
      await using server = await start(dir, storage);
      for (let i = 0; i < 500; i++) await server.ask("SET", `k${i}`, "v".repeat(200));
      assert(!String(await server.ask("BGREWRITEAOF")).startsWith("-"));
      await until("it is written", () => !server.server.persistence.appendOnly.isRewriting);
      assertEquals(await server.ask("SET", "last", "v"), "OK");
    }
    const disk = Promise.withResolvers<void>();
    storage.delay = (operation, path) =>
      operation === "read" && path.endsWith(".incr.aof") ? disk.promise : null;
    const { port, settings } = freePorts();
    const limited = { maxmemory: "50kb", "maxmemory-policy": "allkeys-random" };
    const starting = start(dir, storage, { ...ALWAYS, ...settings, ...limited });
    using client = await connected(port);
    const stat = async (section: string, name: string) =>
      Number(String(await client.ask("INFO", section)).match(`${name}:(\\d+)`)?.[1]);
    await until("the base is loaded", async () => await stat("memory", "used_memory") > 100_000);
    assertEquals(await client.ask("MULTI"), "OK");
    for (let i = 0; i < 50; i++) assertEquals(await client.ask("SELECT", "0"), "QUEUED");
    assertEquals(await client.ask("DISCARD"), "OK");
    assertEquals(await stat("stats", "evicted_keys"), 0);
    disk.resolve();
    await using server = await starting;
    await until("keys go afterwards", async () => Number(await server.info("evicted_keys")) > 0);
  });
});

Deno.test("what is there after a load is told, and the commands of files and bases", async () => {
  await withDir(async (dir) => {
    const made = `${dir}/appendonlydir`;
    const set = (key: string) => `*3\r\n$3\r\nSET\r\n$1\r\n${key}\r\n$1\r\n1\r\n`;
    await Deno.mkdir(made);
    await Deno.writeTextFile(`${made}/appendonly.aof.1.base.aof`, set("a") + set("b"));
    const gone = "*2\r\n$3\r\nDEL\r\n$1\r\na\r\n";
    await Deno.writeTextFile(`${made}/appendonly.aof.1.incr.aof`, set("c") + gone);
    await Deno.writeTextFile(
      `${made}/appendonly.aof.manifest`,
      "file appendonly.aof.1.base.aof seq 1 type b\nfile appendonly.aof.1.incr.aof seq 1 type i\n",
    );
    await using server = await TestServer.start({ appendonly: "yes" }, { dir });
    assertEquals(await server.ask("DBSIZE"), 2);
    const told = server.log.find((line) => line.includes("append-only file loaded"));
    assertStringIncludes(told ?? "", " keys=2 commands=4 bytes=101 ");
  });
});

async function connected(port: number): Promise<Client> {
  for (let attempt = 0;; attempt++) {
    try {
      return await Client.connect(port);
    } catch (error) {
      if (attempt === 500) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

Deno.test("keys that expired by now are there for commands from before that, and gone afterwards", async () => {
  await withDir(async (dir) => {
    const settings = { ...DEBUG, appendonly: "yes" };
    // Those that were persisted in time, which a slow machine may not do.
    const persisted: string[] = [];
    {
      await using server = await TestServer.start(settings, { dir });
      const client = await server.connect();
      await client.ask("DEBUG", "SET-ACTIVE-EXPIRE", "0");
      for (let i = 0; i < 3_000; i++) {
        const key = `k${i}`;
        const requests = [["SET", key, "5", "PX", "40"], ["PERSIST", key]];
        const replies = await client.pipeline(...requests.slice(0, i % 3 === 0 ? 2 : 1));
        if (replies[1] === 1) persisted.push(key);
      }
      const late = await client.pipeline(["SET", "late", "1", "PX", "300"], [
        "APPEND",
        "late",
        "2",
      ]);
      assertEquals(late[0], "OK");
    }
    assert(persisted.length > 0);
    await new Promise((resolve) => setTimeout(resolve, 350));
    await using server = await TestServer.start(settings, { dir });
    assertEquals(await server.ask("GET", "late"), null);
    const kept = await server.ask("MGET", ...persisted) as string[];
    assert(kept.every((value) => value === "5"), "what was persisted in time is there");
    const left = persisted.length;
    await until("all others are removed", async () => await server.ask("DBSIZE") === left);
  });
});

Deno.test("a disk on which nothing can be made stops the start in one line", async () => {
  await withStorage(async (storage, dir) => {
    storage.fault = (operation, path) =>
      operation === "create" && path.includes("appendonlydir")
        ? Object.assign(new Error("Read-only file system"), { code: "EROFS" })
        : null;
    const error = await assertRejects(() => start(dir, storage));
    assertMatch(error instanceof Error ? error.message : "", /^cannot .*: Read-only file system$/);
  });
});

Deno.test("a replica confirms what its disk has, at once when it has it", async () => {
  await withStorage(async (storage, dir) => {
    await using primary = await TestServer.start();
    const replicaof = `127.0.0.1 ${primary.port}`;
    await using replica = await start(dir, storage, { ...ALWAYS, replicaof, hz: "10" });
    await primary.ask("SET", "k", "1");
    await until("it follows", async () => await primary.ask("WAIT", "1", "100") === 1);
    await until("it is rewritten", async () => await replica.info("aof_rewrites") === "1");
    const disk = Promise.withResolvers<void>();
    storage.delay = (operation) => operation === "sync" ? disk.promise : null;
    await primary.ask("SET", "k", "2");
    assertEquals(await primary.ask("WAIT", "1", "300"), 0);
    // Its clients see what is applied when it is safe.
    assert(await isOpen(replica.ask("GET", "k")));
    const waiting = primary.ask("WAIT", "1", "5000");
    disk.resolve();
    assertEquals(await waiting, 1);
    const slow = () => new Promise<void>((resolve) => setTimeout(resolve, 10));
    storage.delay = (operation) => operation === "sync" ? slow() : null;
    const began = performance.now();
    const ROUNDS = 10;
    for (let i = 0; i < ROUNDS; i++) {
      await primary.ask("SET", "k", String(i));
      assertEquals(await primary.ask("WAIT", "1", "5000"), 1);
    }
    const eachMs = (performance.now() - began) / ROUNDS;
    assert(eachMs < 70, `each WAIT took ${eachMs} ms, as if a tick had been waited for`);
  });
});
