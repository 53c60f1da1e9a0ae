/** Links of replication among the clients: CLIENT LIST shows them, CLIENT KILL ends them, and they come again. */

import { assert, assertEquals } from "@std/assert";
import { Client } from "../support/client.ts";
import { RedisServer } from "../support/redis.ts";
import { assertSame, inStep, linkUp } from "../support/replicas.ts";
import { TestServer, until } from "../support/server.ts";

type Fields = Record<string, string>;

/** The lines of CLIENT LIST, field by field. */
async function list(client: Client, ...which: string[]): Promise<Fields[]> {
  const lines = await client.ask("CLIENT", "LIST", ...which) as string;
  return lines.split("\n").slice(0, -1).map((line) =>
    Object.fromEntries(
      line.split(" ").map((field) => {
        const at = field.indexOf("=");
        return [field.slice(0, at), field.slice(at + 1)];
      }),
    )
  );
}

/** The value of a field of INFO. */
async function infoOf(client: Client, section: string, field: string): Promise<string> {
  const text = await client.ask("INFO", section) as string;
  return text.split("\r\n").find((line) => line.startsWith(`${field}:`))!.split(":")[1];
}

/** Fields that are the same on every server, whatever it keeps in which buffers. */
const COMPARED = "name flags db sub psub ssub multi multi-mem obl cmd user " +
  "redir resp";

function compared(line: Fields): string {
  return COMPARED.split(" ").map((name) => `${name}=${line[name]}`).join(" ");
}

/** A kill, with the fields of the links on both sides: `S` of the primary's line, `M` of the replica's. */
type Kill = (links: { S: Fields; M: Fields }) => ["primary" | "replica", ...string[]];

const KILLS: readonly Kill[] = [
  () => ["primary", "TYPE", "replica"],
  () => ["primary", "TYPE", "SLAVE", "SKIPME", "no"],
  () => ["primary", "TYPE", "master"],
  () => ["primary", "TYPE", "pubsub"],
  () => ["primary", "USER", "default"],
  ({ S }) => ["primary", "ID", S.id],
  ({ S }) => ["primary", "ADDR", S.addr],
  ({ S }) => ["primary", "LADDR", S.laddr],
  ({ S }) => ["primary", "LADDR", S.laddr, "ADDR", S.laddr],
  ({ S }) => ["primary", S.addr],
  () => ["replica", "TYPE", "master"],
  () => ["replica", "TYPE", "replica"],
  () => ["replica", "USER", "default"],
  () => ["replica", "USER", "(superuser)"],
  ({ M }) => ["replica", "ID", M.id],
  ({ M }) => ["replica", "ADDR", M.addr],
  ({ M }) => ["replica", "LADDR", M.laddr],
  ({ M }) => ["replica", M.addr],
];

/** What a pair of servers says of its link and of kills: what it is, but for numbers of its own. */
async function told(primaryPort: number, replicaPort: number): Promise<string[]> {
  const primary = await Client.connect(primaryPort);
  const replica = await Client.connect(replicaPort);
  const said: string[] = [];
  try {
    await replica.ask("REPLICAOF", "127.0.0.1", String(primaryPort));
    let S: Fields = {}, M: Fields = {};
    // Each link is another one than before.
    const linked = (before: string) =>
      until("there is a new link", async () => {
        [S = {}] = await list(primary, "TYPE", "replica");
        [M = {}] = await list(replica, "TYPE", "master");
        return S.addr !== undefined && S.addr !== before && S.addr === M.laddr &&
          (before !== "" || S.cmd === "replconf") &&
          await infoOf(replica, "replication", "master_link_status") === "up";
      });
    await linked("");
    said.push(compared(M));
    await primary.ask("SET", "key", "value");
    await until("it is there", async () => await replica.ask("GET", "key") === "value");
    for (const [client, type] of [[primary, "replica"], [replica, "master"]] as const) {
      for (const line of await list(client)) said.push(compared(line));
      const [{ id }] = await list(client, "TYPE", type);
      said.push((await list(client, "ID", "4000", id)).map(compared).join("\n"));
    }
    said.push(`connected_clients ${await infoOf(primary, "clients", "connected_clients")}`);
    for (const [i, kill] of KILLS.entries()) {
      const [side, ...words] = kill({ S, M });
      const before = S.addr;
      const reply = await (side === "primary" ? primary : replica).ask("CLIENT", "KILL", ...words);
      said.push(`kill ${i}: ${reply}`);
      if (reply === "OK" || reply === 1) await linked(before);
    }
    await primary.ask("SET", "key", "other");
    await until("it follows", async () => await replica.ask("GET", "key") === "other");
    said.push(`sync_full ${await infoOf(primary, "stats", "sync_full")}`);
  } finally {
    primary.close();
    replica.close();
  }
  return said;
}

Deno.test("CLIENT LIST and CLIENT KILL say of links of replication what redis-server says", async (t) => {
  // A ping would be the last command that came.
  const args = "--repl-diskless-sync-delay 0 --repl-ping-replica-period 3600".split(" ");
  const theirs = [await RedisServer.start(args), await RedisServer.start(args)];
  if (theirs[0] === null || theirs[1] === null) {
    await t.step({ name: "no redis-server on PATH", ignore: true, fn: () => {} });
    return;
  }
  try {
    await using primary = await TestServer.start();
    await using replica = await TestServer.start();
    const ours = await told(primary.port, replica.port);
    assertEquals(ours, await told(theirs[0].port, theirs[1].port));
  } finally {
    for (const redis of theirs) await redis?.stop();
  }
});

/** A primary and a replica of it in step. */
async function pair(shards: string, others = shards): Promise<[TestServer, TestServer]> {
  const primary = await TestServer.start({ shards });
  const replica = await TestServer.start({
    shards: others,
    replicaof: `127.0.0.1 ${primary.port}`,
  });
  await linkUp(primary, replica);
  return [primary, replica];
}

Deno.test("each shard's link has a line, an id among the clients' and the addresses that INFO tells", async () => {
  const [one, other] = await pair("2", "3");
  await using primary = one;
  await using replica = other;
  const asked = await primary.connect();
  const late = await primary.connect();
  const lines = await list(late);
  assertEquals(new Set(lines.map((line) => Object.keys(line).join(" "))).size, 1);
  const byShard = (a: Fields, b: Fields) => a.laddr < b.laddr ? -1 : 1;
  const links = (await list(late, "TYPE", "replica")).sort(byShard);
  const all = lines.filter(({ flags }) => flags === "S").sort(byShard);
  assertEquals(links.map(({ id }) => id), all.map(({ id }) => id));
  assertEquals(
    links.map(({ laddr }) => laddr),
    [0, 1].map((shard) => `127.0.0.1:${primary.server.replicationPortBase + shard}`),
  );
  for (const [shard, { addr }] of links.entries()) {
    const told = await primary.info(`shard${shard}_link0`) ?? "";
    assertEquals(/peer=([^,]+)/.exec(told)?.[1], addr);
  }
  const upstream = await list(await replica.connect(), "TYPE", "master");
  assertEquals(
    new Set(upstream.map(({ addr, laddr }) => `${addr} ${laddr}`)),
    new Set(links.map(({ addr, laddr }) => `${laddr} ${addr}`)),
  );
  // One counter: who came later has a greater id, whatever came.
  const ids = lines.map(({ id }) => Number(id));
  assertEquals(ids, ids.toSorted((a, b) => a - b));
  assertEquals(ids.at(-1), await late.ask("CLIENT", "ID"));
  assert(Number(links[1].id) < Number(await asked.ask("CLIENT", "ID")));
  assertEquals((await list(late, "ID", links[1].id)).map(({ addr }) => addr), [links[1].addr]);
  const [normal, info] = await late.pipeline(
    ["CLIENT", "LIST", "TYPE", "normal"],
    ["INFO", "clients"],
  ) as string[];
  const connected = /connected_clients:(\d+)/.exec(info)?.[1];
  assertEquals(Number(connected), normal.split("\n").length - 1);
  assertEquals(await replica.info("connected_clients"), "2");
});

Deno.test("a link shows the database and the command of its last frame", async () => {
  const [one, other] = await pair("1");
  await using primary = one;
  await using replica = other;
  const client = await primary.connect();
  await client.pipeline(["SELECT", "3"], ["XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM"]);
  await inStep(primary, replica);
  const asked = await replica.connect();
  const [{ db, cmd, multi, flags }] = await list(asked, "TYPE", "master");
  assertEquals([db, cmd, multi, flags], ["3", "xgroup|create", "-1", "M"]);
  await asked.ask("CLIENT", "KILL", "TYPE", "master");
  await linkUp(primary, replica);
  const [anew] = await list(asked, "TYPE", "master");
  assertEquals([anew.db, anew.cmd], ["3", "NULL"]);
});

Deno.test("a link that is killed comes again by frames, and is no failure where it was killed", async () => {
  for (const [shards, others] of [["1", "1"], ["2", "3"]]) {
    const [one, other] = await pair(shards, others);
    await using primary = one;
    await using replica = other;
    const { stats } = primary.server.replication;
    const client = await primary.connect();
    const full = await primary.info("sync_full");
    for (let round = 0; round < 6; round++) {
      const isHere = round % 2 === 0;
      const [killer, type] = isHere ? [primary, "replica"] : [replica, "master"];
      const had = stats.partialOk;
      const writing = client.pipeline(
        ...Array.from({ length: 500 }, (_, i) => ["APPEND", `key:${i % 50}`, `${round},`]),
      );
      const kill = [["CLIENT", "KILL", "TYPE", type], ["CLIENT", "LIST", "TYPE", type]];
      const killing = await killer.connect();
      assertEquals(await killing.pipeline(...kill), [Number(shards), ""]);
      await writing;
      await until("they are back", () => stats.partialOk === had + Number(shards));
      await inStep(primary, replica);
      assertEquals((await list(client, "TYPE", "replica")).length, Number(shards));
    }
    assertEquals(await primary.info("sync_full"), full);
    assertEquals(await replica.info("master_last_error"), "");
    await assertSame(primary, replica, `with ${shards} and ${others} shards`);
    const failed = replica.log.filter((line) => line.includes("upstream link failed"));
    assert(failed.every((line) => line.includes("PeerClosed")), failed.join("\n"));
    const closed = primary.log.filter((line) => line.includes("because=Killed"));
    assertEquals(closed.length, 3 * Number(shards));
  }
});

Deno.test("where the data stands is known to the command behind the kill", async () => {
  const [one, other] = await pair("1");
  await using primary = one;
  await using replica = other;
  for (let i = 0; i < 100; i++) await primary.ask("APPEND", "key", `${i},`);
  await inStep(primary, replica);
  const client = await replica.connect();
  const { stats } = primary.server.replication;
  const had = stats.partialOk;
  assertEquals(
    await client.pipeline(
      ["CLIENT", "KILL", "TYPE", "master"],
      ["REPLICAOF", "NO", "ONE"],
      ["REPLICAOF", "127.0.0.1", String(primary.port)],
    ),
    [1, "OK", "OK"],
  );
  await linkUp(primary, replica);
  assertEquals(stats.partialOk, had + 1);
  await assertSame(primary, replica, "behind the kill");
});

Deno.test("MAXAGE chooses links by their age, and the kill of a client leaves them", async () => {
  const [one, other] = await pair("1");
  await using primary = one;
  await using replica = other;
  const client = await primary.connect();
  const [before] = await list(client, "TYPE", "replica");
  assertEquals(await client.ask("CLIENT", "KILL", "MAXAGE", "1000"), 0);
  assertEquals(await client.ask("CLIENT", "KILL", "TYPE", "normal"), 0);
  await until(
    "it is a second old",
    async () => (await list(client, "TYPE", "replica"))[0].age !== "0",
  );
  assertEquals((await list(client, "TYPE", "replica"))[0].id, before.id);
  assertEquals(await client.ask("CLIENT", "KILL", "TYPE", "replica", "MAXAGE", "1"), 1);
  await until("it is back", async () => (await list(client, "TYPE", "replica")).length === 1);
  assert(Number((await list(client, "TYPE", "replica"))[0].id) > Number(before.id));
  await linkUp(primary, replica);
});

Deno.test("a kill ends what was let in before the password was changed", async () => {
  const [one, other] = await pair("2");
  await using primary = one;
  await using replica = other;
  const { stats } = primary.server.replication;
  await primary.ask("SET", "key", "before");
  await inStep(primary, replica);
  assertEquals(await primary.ask("CONFIG", "SET", "requirepass", "new"), "OK");
  await primary.ask("SET", "key", "after");
  await inStep(primary, replica);
  assertEquals(await primary.ask("CLIENT", "KILL", "TYPE", "replica"), 2);
  await until("it is refused", () => (stats.rejections.get("NotPermitted") ?? 0) > 0);
  await primary.ask("SET", "key", "secret");
  assertEquals(await replica.ask("GET", "key"), "after");
  assertEquals(await primary.ask("CLIENT", "LIST", "TYPE", "replica"), "");
  assertEquals(await replica.ask("CONFIG", "SET", "masterauth", "new"), "OK");
  await linkUp(primary, replica);
  await inStep(primary, replica);
  assertEquals(await replica.ask("GET", "key"), "secret");
  assertEquals(await primary.info("sync_full"), "2");
});
