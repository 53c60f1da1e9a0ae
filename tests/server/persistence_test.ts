import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { DISK } from "../../src/persistence/disk.ts";
import type { Storage } from "../../src/persistence/storage.ts";
import { RETRY_MS } from "../../src/server/persistence.ts";
import { filesIn, withDir } from "../persistence/support.ts";
import { type Client, plain } from "../support/client.ts";
import { linkUp } from "../support/replicas.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

/** Sets `count` keys. */
async function write(server: TestServer, count: number): Promise<void> {
  for (let i = 0; i < count; i++) await server.ask("SET", `key:${i}`, "value");
}

/** What the server would do by itself some seconds later. */
function later(server: TestServer, seconds: number): void {
  server.server.persistence.tick(Date.now() + seconds * 1000);
}

function notSaving(server: TestServer): Promise<void> {
  return until("the save ends", () => !server.server.persistence.isSaving);
}

Deno.test("a save point saves when its changes and its seconds have both come", async () => {
  await using server = await TestServer.start({ save: "60 10 300 1" });
  const { persistence, node } = server.server;
  await write(server, 9);
  later(server, 61);
  assertEquals(persistence.isSaving, false, "too few changes");
  await write(server, 1);
  later(server, 59);
  assertEquals(persistence.isSaving, false, "too early");
  later(server, 61);
  assertEquals(persistence.isSaving, true);
  assertEquals(await server.info("rdb_bgsave_in_progress"), "1");
  await notSaving(server);
  assertEquals(filesIn(server.dir), ["dump.rdb"]);
  assertEquals([persistence.saves, node.dirty()], [1, 0]);
  await write(server, 1);
  later(server, 200);
  assertEquals(persistence.isSaving, false);
  later(server, 301);
  assertEquals(persistence.isSaving, true);
  await notSaving(server);
});

Deno.test("what expires, fields included, and what a snapshot brings are changes for save points", async () => {
  await using primary = await TestServer.start();
  const client = await primary.connect();
  await client.pipeline(
    ["DEBUG", "SET-ACTIVE-EXPIRE", "0"],
    ["SET", "k", "v", "PX", "1"],
    ["HSET", "h", "f", "1", "g", "2", "stays", "3"],
    ["HPEXPIRE", "h", "1", "FIELDS", "2", "f", "g"],
  );
  const changes = async (server: TestServer) =>
    Number(await server.info("rdb_changes_since_last_save"));
  const before = await changes(primary);
  await client.ask("DEBUG", "SET-ACTIVE-EXPIRE", "1");
  const [{ keys }] = primary.server.node.shards;
  await until("they are gone", () => keys.expiredKeys === 1 && keys.expiredFields === 2);
  assertEquals(await changes(primary), before + 3);
  await write(primary, 20);
  await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
  await linkUp(primary, replica);
  assertEquals(await replica.ask("DBSIZE"), 21);
  assert(await changes(replica) >= 21);
});

Deno.test("data that are gone altogether are saved soon, once, where save points are set", async () => {
  for (const save of ["3600 1000", ""]) {
    await using server = await TestServer.start({ save, shards: "2" });
    const { persistence } = server.server;
    await write(server, 5);
    assertEquals(await server.ask("SAVE"), "OK");
    assertEquals(await server.ask("FLUSHALL"), "OK");
    later(server, 1);
    assertEquals(persistence.isSaving, save !== "");
    await notSaving(server);
    assertEquals(persistence.saves, save === "" ? 1 : 2);
    assertEquals(await server.info("rdb_changes_since_last_save"), save === "" ? "5" : "0");
    // There is nothing left on disk that could come back.
    await write(server, 1);
    await server.ask("FLUSHALL");
    later(server, 1);
    assertEquals(persistence.isSaving, false);
  }
});

Deno.test("a failed save refuses writes and is tried again after five seconds", async () => {
  await using server = await TestServer.start({ save: "60 1" });
  const { persistence } = server.server;
  await Deno.mkdir(`${server.dir}/dump.rdb`);
  await write(server, 1);
  const beforeMs = Date.now();
  later(server, 61);
  await notSaving(server);
  assertEquals(await server.info("rdb_last_bgsave_status"), "err");
  assertMatch(String(await server.ask("SET", "k", "v")), /^-MISCONF /);
  assertEquals(await server.ask("GET", "key:0"), "value");
  const client = await server.connect();
  const [ping, , queued, exec] = await client.pipeline(["PING"], ["MULTI"], ["PING"], ["EXEC"]);
  assertMatch(`${ping} ${queued} ${exec}`, /^-MISCONF .* -MISCONF .* -EXECABORT /);
  const line = server.log.find((line) => line.includes("the data were not saved"));
  assertStringIncludes(line ?? "", `${server.dir}/dump.rdb`);

  persistence.lastSaveUnixMs -= 100_000;
  persistence.tick(beforeMs + RETRY_MS);
  assertEquals(persistence.isSaving, false, "too early");
  later(server, RETRY_MS / 1000 + 1);
  assertEquals(persistence.isSaving, true);
  await notSaving(server);
  assertEquals(persistence.lastSaveFailed, true);

  assertEquals(await server.ask("CONFIG", "SET", "save", ""), "OK");
  assertEquals(await server.ask("SET", "k", "v"), "OK", "nobody counts on saves now");
  assertEquals(await server.ask("PING"), "PONG");
  assertEquals(await server.ask("CONFIG", "SET", "save", "60 1"), "OK");
  await Deno.remove(`${server.dir}/dump.rdb`);
  assertEquals(await server.ask("SAVE"), "OK");
  assertEquals(await server.ask("SET", "k", "v"), "OK", "at once");
  assertEquals(await server.info("rdb_last_bgsave_status"), "ok");
});

Deno.test("while a failed save has writes refused, saves are tried until one works", async () => {
  let isFull = false;
  const storage: Storage = Object.assign(Object.create(DISK), {
    create: (path: string) =>
      isFull ? Promise.reject(new Error("No space left on device")) : DISK.create(path),
  });
  for (
    const [settings, retries] of [
      [{ save: "3600 1000" }, true],
      [{ save: "3600 1000", "stop-writes-on-bgsave-error": "no" }, false],
      [{ save: "" }, false],
    ] as const
  ) {
    isFull = false;
    await using server = await TestServer.start(settings, { storage });
    isFull = true;
    const { persistence } = server.server;
    await write(server, 1);
    assertEquals(await server.ask("BGSAVE"), "Background saving started");
    await notSaving(server);
    assertEquals(persistence.lastSaveFailed, true);
    assertEquals(String(await server.ask("SET", "k", "v")).startsWith("-MISCONF "), retries);
    persistence.tick(Date.now() + RETRY_MS - 1_000);
    assertEquals(persistence.isSaving, false, "too early");
    later(server, RETRY_MS / 1000 + 1);
    assertEquals(persistence.isSaving, retries, "no save point is due");
    await notSaving(server);
    assertEquals(persistence.lastSaveFailed, true, "there is still no room");
    isFull = false;
    later(server, RETRY_MS / 1000 + 1);
    await notSaving(server);
    assertEquals(persistence.lastSaveFailed, !retries);
    assertEquals(await server.ask("SET", "k", "v"), "OK");
    if (!retries) continue;
    later(server, 600);
    assertEquals(persistence.isSaving, false, "it has worked");
  }
});

Deno.test("SAVE and BGSAVE", async () => {
  await using server = await TestServer.start({ shards: "2" });
  await write(server, 20);
  assertEquals(await server.ask("SAVE"), "OK");
  assertEquals(filesIn(server.dir), ["dump-0.rdb", "dump-1.rdb"]);
  const client = await server.connect();
  assertEquals(await client.pipeline(["BGSAVE"], ["BGSAVE"], ["SAVE"]), [
    "Background saving started",
    "-ERR Background save already in progress",
    "-ERR Background save already in progress",
  ]);
  await notSaving(server);
  assertEquals(await server.info("rdb_saves"), "2");
  assertEquals(await server.info("rdb_changes_since_last_save"), "0");
});

Deno.test("a load of more than a little has a worker to touch its memory, a small one does without", async () => {
  await withDir(async (dir) => {
    for (const [values, workers] of [[1, 0], [200, 1]]) {
      const before = await TestServer.start({}, { dir });
      for (let i = 0; i < values; i++) await before.ask("SET", `key:${i}`, "v".repeat(65_536));
      await before.ask("SAVE");
      await before.stop();
      const server = await TestServer.start({ hz: "1" }, { dir });
      const { persistence, clock, startedMs } = server.server;
      await until("all is loaded", () => !persistence.isLoading);
      const isYoung = clock.nowMs() - startedMs < 1_000; // later there is a worker in any case
      if (isYoung || workers > 0) assertEquals(persistence.workers.running, workers, `${values}`);
      await server.stop();
    }
  });
});

Deno.test("what a client writes during a save is not counted as saved", async () => {
  const { storage, asked, release } = heldDisk();
  await using server = await TestServer.start({ shards: "2" }, { storage });
  await write(server, 50);
  await server.ask("BGSAVE");
  await asked;
  const client = await server.connect();
  await client.pipeline(...Array.from({ length: 7 }, (_, i) => ["SET", `later:${i}`, "v"]));
  release();
  await notSaving(server);
  assertEquals(await server.info("rdb_changes_since_last_save"), "7");
});

Deno.test("DEBUG RELOAD gives the same data, deadlines and databases, and a new history", async () => {
  for (const shards of ["1", "3"]) {
    await using server = await TestServer.start({ shards });
    const [shard] = server.server.node.shards;
    shard.openBacklog();
    const history = shard.lineage.id;
    await write(server, 100);
    await server.ask("SET", "short", "v", "PXAT", "4000000000000");
    await server.ask("SET", "gone", "v", "PX", "1");
    await server.ask("SELECT", "5");
    await server.ask("SET", "elsewhere", "x".repeat(100_000));
    await server.ask("SELECT", "0");
    await until("the deadline passes", async () => await server.ask("GET", "gone") === null);
    const digest = await server.ask("DEBUG", "DIGEST");
    assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
    assertEquals(await server.ask("DEBUG", "DIGEST"), digest);
    assertEquals(await server.ask("PEXPIRETIME", "short"), 4_000_000_000_000);
    assertEquals(await server.ask("DBSIZE"), 101);
    assertEquals(await server.info("rdb_changes_since_last_save"), "0");
    assert(shard.lineage.id !== history);
    assertEquals(shard.lineage.beganEmpty, false, "its data were never frames");
    assertEquals(await server.ask("SET", "k", "v"), "OK", "writes go on");
  }
});

Deno.test("one DEBUG RELOAD at a time", async () => {
  await using server = await TestServer.start();
  await write(server, 100);
  const [one, two] = [await server.connect(), await server.connect()];
  await Promise.all([one.send("DEBUG", "RELOAD"), two.send("DEBUG", "RELOAD")]);
  const replies = [String(plain(await one.read())), String(plain(await two.read()))].sort();
  assertMatch(replies[0], /^-ERR /);
  assertEquals(replies[1], "OK");
  assertEquals(await server.ask("DBSIZE"), 100);
});

/** A disk on which a file gets its name only once `release` was called; `asked` resolves when one is to. */
function heldDisk(): { storage: Storage; asked: Promise<void>; release: () => void } {
  const asked = Promise.withResolvers<void>();
  const released = Promise.withResolvers<void>();
  const rename = async (from: string, to: string): Promise<void> => {
    asked.resolve();
    await released.promise;
    await DISK.rename(from, to);
  };
  const storage: Storage = Object.create(DISK, { rename: { value: rename } });
  return { storage, asked: asked.promise, release: () => released.resolve() };
}

/** Sends `SET late value`; resolves when the server holds it back. */
async function sendHeld(server: TestServer): Promise<Client> {
  const client = await server.connect();
  const id = Number(await client.ask("CLIENT", "ID"));
  await client.send("SET", "late", "value");
  await until("the write is held", () => server.server.clients.session(id)!.wake !== null);
  return client;
}

Deno.test("DEBUG RELOAD loads what it saved, whatever dir and dbfilename are set meanwhile", async () => {
  await withDir(async (elsewhere) => {
    for (const [setting, value] of [["dir", elsewhere], ["dbfilename", "other.rdb"]]) {
      const { storage, asked, release } = heldDisk();
      const settings = { "enable-protected-configs": "yes", shards: "2" };
      await using server = await TestServer.start(settings, { storage });
      await write(server, 100);
      const reloading = await server.connect();
      await reloading.send("DEBUG", "RELOAD");
      await asked;
      assertEquals(await server.ask("CONFIG", "SET", setting, value), "OK");
      release();
      assertEquals(plain(await reloading.read()), "OK");
      assertEquals(await server.ask("DBSIZE"), 100, setting);
    }
  });
});

Deno.test("CLIENT UNPAUSE ends no DEBUG RELOAD's hold of writes", async () => {
  const { storage, asked, release } = heldDisk();
  await using server = await TestServer.start({}, { storage });
  await write(server, 100);
  const reloading = await server.connect();
  await reloading.send("DEBUG", "RELOAD");
  await asked;
  assertEquals(await server.ask("CLIENT", "UNPAUSE"), "OK");
  const writer = await sendHeld(server);
  assertEquals(await server.ask("CLIENT", "UNPAUSE"), "OK");
  release();
  assertEquals(plain(await reloading.read()), "OK");
  assertEquals(plain(await writer.read()), "OK");
  assertEquals([await server.ask("GET", "late"), await server.ask("DBSIZE")], ["value", 101]);
});

Deno.test("a replica stays one during DEBUG RELOAD, and REPLICAOF meanwhile is what holds then", async () => {
  await using primary = await TestServer.start();
  await using other = await TestServer.start();
  await write(primary, 100);
  await other.ask("SET", "other", "v");
  const rows = [["127.0.0.1", `${primary.port}`], ["NO", "ONE"], ["127.0.0.1", `${other.port}`]];
  for (const [host, port] of rows) {
    const { storage, asked, release } = heldDisk();
    const replicaof = `127.0.0.1 ${primary.port}`;
    await using replica = await TestServer.start({ replicaof }, { storage });
    const { replication } = replica.server;
    await until("the link is up", () => replication.isLinkUp);
    const reloading = await replica.connect();
    await reloading.send("DEBUG", "RELOAD");
    await asked;
    const role = await replica.ask("ROLE") as unknown[];
    assertEquals(role.slice(0, 3), ["slave", "127.0.0.1", primary.port]);
    assertMatch(await replica.ask("REPLICAOF", host, port) as string, /^OK/);
    release();
    assertEquals(plain(await reloading.read()), "OK");
    if (host === "NO") {
      assertEquals((await replica.ask("ROLE") as unknown[])[0], "master");
      assertEquals(await replica.ask("SET", "k", "v"), "OK");
      assertEquals(await replica.ask("DBSIZE"), 101);
    } else {
      await until("the link is up again", () => replication.isLinkUp);
      assertEquals(replication.upstream, { host, port: Number(port) });
      assertEquals(await replica.ask("DBSIZE"), Number(port) === primary.port ? 100 : 1);
    }
    if (Number(port) === primary.port) {
      assertEquals(primary.server.replication.stats.partialOk, 1, "it resumes");
    }
  }
});

Deno.test("DEBUG RELOAD ends no CLIENT PAUSE", async () => {
  await using server = await TestServer.start();
  assertEquals(await server.ask("CLIENT", "PAUSE", "100000", "WRITE"), "OK");
  assertEquals(await server.ask("DEBUG", "RELOAD"), "OK");
  assertEquals(await server.info("paused_actions"), "write");
  const writer = await sendHeld(server);
  assertEquals(await server.ask("CLIENT", "UNPAUSE"), "OK");
  assertEquals(plain(await writer.read()), "OK");
});

Deno.test("a write during a stop is not acknowledged, whatever UNPAUSE and a RELOAD's end say", async () => {
  for (const isReloading of [false, true]) {
    const { storage, asked, release } = heldDisk();
    await using server = await TestServer.start({ save: "60 1" }, { storage });
    await write(server, 100);
    const [stopping, reloading] = [await server.connect(), await server.connect()];
    if (isReloading) await reloading.send("DEBUG", "RELOAD");
    else await stopping.send("SHUTDOWN", "SAVE");
    await asked;
    if (isReloading) await stopping.send("SHUTDOWN", "SAVE");
    await until("it stops", () => server.server.isStopping);
    const writer = await sendHeld(server);
    assertEquals(await server.ask("CLIENT", "UNPAUSE"), "OK");
    release();
    assertEquals(await writer.readToEnd(), [], `reloading: ${isReloading}`);
    await server.server.stopped;
  }
});

Deno.test("a DEBUG RELOAD that cannot save keeps the data", async () => {
  await using server = await TestServer.start();
  await write(server, 10);
  await Deno.mkdir(`${server.dir}/dump.rdb`);
  assertMatch(String(await server.ask("DEBUG", "RELOAD")), /^-ERR /);
  assertEquals(await server.ask("DBSIZE"), 10);
  assertEquals(await server.ask("SET", "k", "v"), "OK", "writes go on");
});

Deno.test("a stop saves where that is configured, and a start loads it", async () => {
  await withDir(async (dir) => {
    const first = await TestServer.start({ save: "3600 1", shards: "2" }, { dir });
    await write(first, 30);
    await first.ask("SET", "volatile", "v", "PXAT", "4000000000000");
    assertEquals(await first.server.stop({ save: null, force: false, now: false }), true);
    await first.stop();
    await using second = await TestServer.start({ shards: "3" }, { dir });
    assertEquals(await second.ask("DBSIZE"), 31);
    assertEquals(await second.ask("PEXPIRETIME", "volatile"), 4_000_000_000_000);
    assertEquals(await second.ask("GET", "key:29"), "value");
  });
});

Deno.test("a stop whose save fails does not stop, and writes and expiry go on", async () => {
  await using server = await TestServer.start({ save: "3600 1" });
  await write(server, 3);
  await Deno.mkdir(`${server.dir}/dump.rdb`);
  assertEquals(await server.server.stop({ save: null, force: false, now: false }), false);
  assertEquals(await server.ask("SET", "k", "v"), "OK");
  for (const { keys } of server.server.node.shards) assertEquals(keys.removesExpired, true);
});

Deno.test("CONFIG SET dir takes only a directory that is there", async () => {
  await withDir(async (dir) => {
    await using server = await TestServer.start({ "enable-protected-configs": "yes" });
    const refused = await server.ask("CONFIG", "SET", "dir", `${dir}/missing`);
    assertEquals(
      refused,
      "-ERR CONFIG SET failed (possibly related to argument 'dir') - No such file or directory",
    );
    assertEquals(await server.ask("CONFIG", "GET", "dir"), ["dir", server.dir]);
    assertEquals(await server.ask("CONFIG", "SET", "dir", dir), "OK");
    assertEquals(await server.ask("SAVE"), "OK");
    assertEquals(filesIn(dir), ["dump.rdb"]);
    assertEquals(filesIn(server.dir), []);
  });
});

Deno.test("no save is made in a directory that another server has by now", async () => {
  await using one = await TestServer.start();
  await using two = await TestServer.start({ "enable-protected-configs": "yes" });
  await one.ask("SET", "k", "one");
  assertEquals(await one.ask("SAVE"), "OK");
  const saved = Deno.readFileSync(`${one.dir}/dump.rdb`);
  assertEquals(await two.ask("CONFIG", "SET", "dir", one.dir), "OK");
  assertMatch(String(await two.ask("SAVE")), /^-ERR/);
  assert(two.log.some((line) => line.includes("not saved") && line.includes(one.dir)));
  assertEquals(Deno.readFileSync(`${one.dir}/dump.rdb`), saved);
});

/** Settings with the ports that a server had, so that it comes back where it was. */
function again(server: TestServer, settings: Settings): Settings {
  const base = String(server.server.replicationPortBase);
  return { ...settings, port: String(server.port), "replication-port-base": base };
}

Deno.test("a primary and a replica that restart in order resume with frames", async () => {
  await withDir(async (primaryDir) => {
    await withDir(async (replicaDir) => {
      const settings = { save: "3600 1", shards: "2" };
      let primary = await TestServer.start(settings, { dir: primaryDir });
      const replicaSettings = {
        save: "3600 1",
        shards: "3",
        replicaof: `127.0.0.1 ${primary.port}`,
      };
      let replica = await TestServer.start(replicaSettings, { dir: replicaDir });
      const stop = async (server: TestServer) => {
        assertEquals(await server.server.stop({ save: null, force: false, now: false }), true);
        await server.stop();
      };
      const same = async (what: string) => {
        await until(what, async () => {
          const digests = await Promise.all(
            [primary, replica].map((s) => s.ask("DEBUG", "DIGEST")),
          );
          return replica.server.replication.isLinkUp && digests[0] === digests[1];
        });
      };
      try {
        await write(primary, 50);
        await same("the first sync");
        assertEquals(await primary.info("sync_full"), "2");
        await primary.ask("SET", "one", "1");
        await same("a frame");

        await stop(primary);
        primary = await TestServer.start(again(primary, settings), { dir: primaryDir });
        await primary.ask("INCR", "one");
        await same("the primary is back");
        assertEquals(await primary.info("sync_full"), "0");
        assertEquals(await primary.info("sync_partial_ok"), "2");

        await stop(replica);
        await primary.ask("INCR", "one");
        replica = await TestServer.start(replicaSettings, { dir: replicaDir });
        await same("the replica is back");
        assertEquals(await replica.ask("GET", "one"), "3");
        assertEquals(await primary.info("sync_full"), "0");
        assertEquals(await primary.info("sync_partial_ok"), "4");
      } finally {
        await replica.stop();
        await primary.stop();
      }
    });
  });
});

Deno.test("a primary that lost writes in a crash ships its data instead of resuming", async () => {
  await withDir(async (dir) => {
    const settings = { shards: "1" };
    let primary = await TestServer.start(settings, { dir });
    await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
    try {
      await write(primary, 10);
      await until("the first sync", async () => await replica.ask("GET", "key:9") === "value");
      assertEquals(await primary.ask("SAVE"), "OK");
      await primary.ask("SET", "lost", "v");
      await until("a frame", async () => await replica.ask("GET", "lost") === "v");
      await primary.stop(false);
      primary = await TestServer.start(again(primary, settings), { dir });
      await until("the replica drops what was lost", async () => {
        return await replica.ask("GET", "lost") === null && replica.server.replication.isLinkUp;
      });
      assertEquals(await primary.info("sync_full"), "1");
    } finally {
      await primary.stop();
    }
  });
});

Deno.test("DEBUG RELOAD of a replica goes on from where its data stand", async () => {
  await using primary = await TestServer.start({ shards: "2" });
  await using replica = await TestServer.start({ replicaof: `127.0.0.1 ${primary.port}` });
  await write(primary, 40);
  await until("the first sync", async () => await replica.ask("GET", "key:39") === "value");
  assertEquals(await replica.ask("DEBUG", "RELOAD"), "OK");
  await primary.ask("SET", "key:0", "after");
  await until("a frame", async () => await replica.ask("GET", "key:0") === "after");
  assertEquals(await replica.ask("DBSIZE"), 40);
  assertEquals(await primary.info("sync_full"), "2");
  assertEquals(await primary.info("sync_partial_ok"), "2");
  assertMatch(String(await replica.ask("SET", "k", "v")), /^-READONLY /);
});

Deno.test("a stop gives up a save under way, for one of what there is by then", async () => {
  await withDir(async (dir) => {
    const first = await TestServer.start({ shards: "2", save: "3600 1" }, { dir });
    await write(first, 200);
    await first.ask("SET", "long", "x".repeat(2_000_000));
    assertEquals(await first.ask("BGSAVE"), "Background saving started");
    await first.ask("SET", "after", "the freeze");
    assertEquals(await first.server.stop({ save: null, force: false, now: false }), true);
    await first.stop();
    assertEquals(filesIn(dir), ["dump-0.rdb", "dump-1.rdb"]);
    await using second = await TestServer.start({ shards: "2" }, { dir });
    assertEquals(await second.ask("GET", "after"), "the freeze");
    assertEquals(await second.ask("DBSIZE"), 202);
  });
});
