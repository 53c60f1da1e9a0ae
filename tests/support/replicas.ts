/** Servers that follow each other: when they are in step, and whether they hold the same. */

import { assertEquals } from "@std/assert";
import type { Client, Plain } from "./client.ts";
import { LayoutPort } from "./layout.ts";
import { Peer } from "./peer.ts";
import type { Proxy } from "./proxy.ts";
import { encodeRequest } from "./redis.ts";
import { type TestServer, until } from "./server.ts";

/** A client port that sends replicas of a server through a proxy of its replication ports. */
export function layoutThrough(proxy: Proxy, { server }: TestServer): LayoutPort {
  return new LayoutPort(() => ({
    base: proxy.port,
    node: server.node.id,
    histories: server.node.shards.map((shard) => shard.lineage.id),
    password: server.config.requirePass,
  }));
}

/**
 * A replica of one shard of a server that shakes hands, reads the answer and nothing behind it, and never
 * says what it has. It goes on from where the shard is, or begins anew where it knows no history.
 */
export async function quietReplica(
  { server }: TestServer,
  options: { shard?: number; isNew?: boolean } = {},
): Promise<Peer> {
  const { shard = 0, isNew = false } = options;
  const { lineage, nextOffset } = server.node.shards[shard];
  const peer = await Peer.connect(server.replicationPortBase + shard);
  const from = isNew
    ? ["0", "ID", "quiet", "HISTORY", "?"]
    : [String(nextOffset), "ID", "quiet", "HISTORY", lineage.id];
  await peer.send(encodeRequest(["REPLICATE", "FROM", ...from]));
  const answer = await peer.word();
  if (!answer?.startsWith("+ACK ")) throw new Error(`the primary said ${answer}`);
  return peer;
}

/** Waits until all links of a replica stream. */
export async function linkUp(primary: TestServer, replica: TestServer): Promise<void> {
  try {
    await until("the link is up", () => replica.server.replication.isLinkUp);
  } catch (error) {
    const logs = [primary, replica].map(({ log }) => log.slice(-20).join("\n"));
    throw new Error(`primary:\n${logs[0]}\nreplica:\n${logs[1]}`, { cause: error });
  }
}

/** Waits until a replica has applied all that its primary has, while nobody writes. */
export async function inStep(primary: TestServer, replica: TestServer): Promise<void> {
  const { shards } = primary.server.node;
  const { replication } = replica.server;
  await until("the replica has everything", () => {
    const links = replication.status().upstream?.links;
    return replication.isLinkUp && links !== undefined &&
      links.every(({ shard, nextOffset }) => nextOffset === shards[shard].nextOffset);
  });
}

/** What one key holds, as its clients see it. */
async function valueOf(client: Client, key: string, type: string): Promise<Plain> {
  switch (type) {
    case "string":
      return await client.ask("GET", key);
    case "list":
      return await client.ask("LRANGE", key, "0", "-1");
    case "set":
      return (await client.ask("SMEMBERS", key) as string[]).sort();
    case "zset":
      return await client.ask("ZRANGE", key, "0", "-1", "WITHSCORES");
    case "stream":
      return await streamOf(client, key);
  }
  const pairs = Object.entries(await client.ask("HGETALL", key) as Record<string, string>).sort();
  if (pairs.length === 0) return [];
  const fields = pairs.map(([field]) => field);
  const deadlines = await client.ask(
    ...["HPEXPIRETIME", key, "FIELDS", `${fields.length}`, ...fields],
  );
  return pairs.map((pair, i) => [...pair, (deadlines as number[])[i]]);
}

/** A reply in words, infinite and large numbers included, fields whose names are `hidden` left out. */
function textOf(reply: Plain | undefined, hidden = /(?!)/): string {
  return JSON.stringify(reply, (name, value) => {
    if (hidden.test(name)) return undefined;
    return typeof value === "number" || typeof value === "bigint" ? String(value) : value;
  }) ?? "nothing";
}

/** What XINFO tells of a stream, but for how it lies in memory and when a consumer was last seen. */
async function streamOf(client: Client, key: string): Promise<Plain> {
  const info = await client.ask("XINFO", "STREAM", key, "FULL", "COUNT", "0");
  return JSON.parse(textOf(info, /^(radix-tree-(keys|nodes)|(seen|active)-time)$/));
}

/**
 * All that a server's clients see: `db:key` to its type, deadline and value, groups and consumers of streams
 * and deadlines of fields included, in words that tell where it differs from another server's, and the
 * value's digest, since not all bytes are words.
 */
export async function stateOf(server: TestServer): Promise<Record<string, Plain>> {
  const client = await server.connect();
  const state: Record<string, Plain> = {};
  await client.ask("HELLO", "3");
  for (let db = 0; db < server.server.config.databases; db++) {
    await client.ask("SELECT", `${db}`);
    for (const key of (await client.ask("KEYS", "*") as string[]).sort()) {
      const type = String(await client.ask("TYPE", key));
      const deadline = await client.ask("PEXPIRETIME", key);
      const digest = await client.ask("DEBUG", "DIGEST-VALUE", key);
      state[`${db}:${key}`] = [type, deadline, await valueOf(client, key, type), digest];
    }
  }
  client.close();
  return state;
}

/** Whether keys, or fields of hashes, are past their deadline but still there. */
async function hasExpired(server: TestServer): Promise<boolean> {
  const { node } = server.server;
  const state = await stateOf(server);
  const seen = Object.keys(state).length;
  if (node.shards.reduce((sum, { keys }) => sum + keys.totalSize(), 0) !== seen) return true;
  const client = await server.connect();
  let fields = 0;
  for (const [name, value] of Object.entries(state)) {
    const [type, , pairs] = value as Plain[];
    if (type !== "hash") continue;
    const [, db, key] = /^(\d+):(.*)$/s.exec(name)!;
    await client.ask("SELECT", db);
    fields += Number(await client.ask("HLEN", key)) - (pairs as Plain[]).length;
  }
  client.close();
  return fields > 0;
}

/** Waits until what was to expire within `withinMs` is gone from a primary. */
export async function expiredAll(primary: TestServer, withinMs: number): Promise<void> {
  await new Promise((resolve) => setTimeout(resolve, withinMs));
  await until("what is past its deadline is gone", async () => !await hasExpired(primary));
}

/** Where two texts begin to differ. */
function differenceOf(name: string, wanted: string, found: string): string {
  let at = 0;
  while (wanted[at] === found[at]) at++;
  const [a, b] = [wanted, found].map((text) => text.slice(Math.max(0, at - 60), at + 60));
  return `${name}, at ${at}: wanted ${a}, found ${b}`;
}

/**
 * Checks that a replica in step with its primary holds exactly what that holds; nobody writes, and
 * nothing expires meanwhile.
 */
export async function assertSame(
  primary: TestServer,
  replica: TestServer,
  what: string,
): Promise<void> {
  await inStep(primary, replica);
  await assertHoldsSame(primary, replica, what);
  const digests = [await primary.ask("DEBUG", "DIGEST"), await replica.ask("DEBUG", "DIGEST")];
  assertEquals(digests[1], digests[0], `digests ${what}`);
}

/**
 * Checks that a server shows its clients exactly what another does; nobody writes, and nothing expires
 * meanwhile. A replica that has lost its primary keeps what is past its deadline, unseen.
 */
export async function assertHoldsSame(
  one: TestServer,
  other: TestServer,
  what: string,
): Promise<void> {
  const [wanted, found] = [await stateOf(one), await stateOf(other)];
  const names = new Set([...Object.keys(wanted), ...Object.keys(found)]);
  // One after the other, and in short: a difference between two large states takes for ever to show.
  const differences = [...names].map((name) => {
    const [a, b] = [wanted, found].map((state) => textOf(state[name]));
    return a === b ? "" : differenceOf(name, a, b);
  });
  assertEquals(differences.filter((text) => text !== ""), [], what);
}
