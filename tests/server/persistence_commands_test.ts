import { assert, assertEquals } from "@std/assert";
import { TestServer, until } from "../support/server.ts";

Deno.test("SAVE replies when the data are on disk, and others go on meanwhile", async () => {
  await using server = await TestServer.start();
  const saver = await server.connect();
  const other = await server.connect();
  const commands = Array.from({ length: 5_000 }, (_, i) => ["SET", `key:${i}`, "v".repeat(50)]);
  await saver.pipeline(...commands);
  await saver.send("SAVE");
  assertEquals(await other.line("PING"), "PONG");
  assertEquals(await saver.read(), "OK");
  assert((await Deno.stat(`${server.dir}/dump.rdb`)).size > 5_000);
  assertEquals(await server.info("rdb_saves"), "1");
  assertEquals(await server.info("rdb_changes_since_last_save"), "0");
  const lastSave = await other.line("LASTSAVE") as number;
  assert(Math.abs(lastSave - Date.now() / 1000) < 60, `${lastSave}`);
});

Deno.test("replies around a SAVE keep their order", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  for (let i = 0; i < 20; i++) {
    assertEquals(
      await client.pipeline(["ECHO", "a"], ["SAVE"], ["ECHO", "b"], ["SAVE"], ["ECHO", "c"]),
      ["a", "OK", "b", "OK", "c"],
    );
  }
});

Deno.test("BGSAVE replies at once, and one save runs at a time", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  const commands = Array.from({ length: 5_000 }, (_, i) => ["SET", `key:${i}`, "v".repeat(50)]);
  await client.pipeline(...commands);
  const already = "-ERR Background save already in progress";
  assertEquals(
    await client.pipeline(["BGSAVE"], ["BGSAVE"], ["BGSAVE", "SCHEDULE"], ["SAVE"]),
    ["Background saving started", already, already, already],
  );
  await until("the save ends", () => !server.server.persistence.isSaving);
  assertEquals(await server.info("rdb_last_bgsave_status"), "ok");
  assertEquals(await client.line("BGSAVE SCHEDULE"), "Background saving started");
  await until("the save ends", () => !server.server.persistence.isSaving);
});

Deno.test("BGSAVE and BGREWRITEAOF in a transaction begin behind it", async () => {
  await using server = await TestServer.start({ appendonly: "yes" });
  const client = await server.connect();
  await client.pipeline(["MULTI"], ["SET", "a", "1"], ["BGSAVE"], ["BGREWRITEAOF"], [
    "SET",
    "b",
    "1",
  ]);
  assertEquals(await client.ask("EXEC"), [
    "OK",
    "Background saving scheduled",
    "Background append only file rewriting scheduled",
    "OK",
  ]);
  const { persistence } = server.server;
  await until("both end", () => !persistence.isSaving && !persistence.appendOnly.isRewriting);
  assertEquals(await server.info("rdb_last_bgsave_status"), "ok");
  assertEquals(await server.info("rdb_changes_since_last_save"), "0");
});

Deno.test("SHUTDOWN closes without a reply, and saves as it says", async () => {
  for (const [words, isSaved] of [[["SAVE"], true], [["NOSAVE", "NOW", "FORCE"], false]] as const) {
    const dir = await Deno.realPath(await Deno.makeTempDir());
    const server = await TestServer.start({}, { dir });
    const client = await server.connect();
    await client.line("SET k v");
    await client.send("SHUTDOWN", ...words);
    assertEquals(await client.readToEnd(), []);
    await server.server.stopped;
    const files = Array.from(Deno.readDirSync(dir), (entry) => entry.name);
    assertEquals(files.includes("dump.rdb"), isSaved);
    await server.stop();
    await Deno.remove(dir, { recursive: true });
  }
});

Deno.test("what SHUTDOWN saved is there after the next start", async () => {
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const first = await TestServer.start({ shards: "2" }, { dir });
  await first.ask("SET", "k", "v");
  const client = await first.connect();
  await client.send("SHUTDOWN", "SAVE");
  await client.readToEnd();
  await first.server.stopped;
  await first.stop();
  {
    await using second = await TestServer.start({ shards: "3" }, { dir });
    assertEquals(await second.ask("GET", "k"), "v");
    assertEquals(await second.info("rdb_last_load_keys_loaded"), "1");
  }
  await Deno.remove(dir, { recursive: true });
});

Deno.test("a SHUTDOWN that cannot save says so, and the server goes on", async () => {
  await using server = await TestServer.start();
  const client = await server.connect();
  await client.line("SET k v");
  await Deno.mkdir(`${server.dir}/dump.rdb`); // no file can be put in its place
  assertEquals(
    await client.line("SHUTDOWN SAVE"),
    "-ERR Errors trying to SHUTDOWN. Check logs.",
  );
  assertEquals(await client.line("SET k w"), "OK");
  assertEquals(await client.line("SAVE"), "-ERR");
  await Deno.remove(`${server.dir}/dump.rdb`);
  assertEquals(await client.line("SAVE"), "OK");
});
