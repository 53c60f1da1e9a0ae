/** Client-side caching: what clients are told of keys, and what that costs the server at most. */

import { assert, assertEquals } from "@std/assert";
import { PREFIXES_MAX } from "../../src/server/commands_tracking.ts";
import { batch, RawSocket } from "../support/raw_socket.ts";
import { type Settings, TestServer, until } from "../support/server.ts";

/** A connection that says lines and gives back all that it hears until its own PING is answered. */
class Talker {
  readonly socket: RawSocket;
  #token = 0;

  private constructor(socket: RawSocket) {
    this.socket = socket;
  }

  static async of(server: TestServer, protocol: 2 | 3): Promise<Talker> {
    const talker = new Talker(await RawSocket.connect(server.port));
    await talker.say(`HELLO ${protocol}`);
    return talker;
  }

  /** Says the lines at once; line ends are shown as spaces. */
  async say(...lines: string[]): Promise<string> {
    const mark = `mark-${this.#token++}`;
    const requests = [...lines, `PING ${mark}`].map((line) => line.split(" "));
    await this.socket.write(batch(...requests));
    const heard = await this.socket.readThrough(`${mark}\r\n`);
    const stop = heard.length - `$${mark.length}\r\n${mark}\r\n`.length;
    return heard.slice(0, stop).replace(/\*2\r\n\$4\r\npong\r\n$/, "").trim()
      .replaceAll("\r\n", " ");
  }

  /** What it has heard without saying anything. */
  hear(): Promise<string> {
    return this.say();
  }

  /**
   * Says a line, and gives what it hears of it, too: that comes with the end of a turn, which may lie before
   * the answer to the PING or behind it.
   */
  async sayAndHear(line: string): Promise<string> {
    return `${await this.say(line)} ${await this.hear()}`.trim();
  }

  [Symbol.dispose](): void {
    this.socket.close();
  }
}

function invalidated(...keys: string[]): string {
  const list = keys.map((key) => `$${key.length} ${key}`).join(" ");
  return `>2 $10 invalidate *${keys.length} ${list}`;
}

const EVERYTHING = ">2 $10 invalidate _";

/** A server, and two RESP3 clients: one that caches and one that writes. */
async function scene(
  settings: Settings,
  use: (cacher: Talker, writer: Talker, server: TestServer) => Promise<void>,
): Promise<void> {
  await using server = await TestServer.start(settings);
  using cacher = await Talker.of(server, 3);
  using writer = await Talker.of(server, 3);
  await use(cacher, writer, server);
}

for (const shards of ["1", "3"]) {
  Deno.test(`a key that was read is told once when it changes, shards: ${shards}`, () =>
    scene({ shards }, async (cacher, writer) => {
      await cacher.say("CLIENT TRACKING ON", "MGET a b c", "GET d");
      await writer.say("SET a 1", "SET a 2", "SET other 1", "DEL c", "SET c 1");
      assertEquals(await cacher.hear(), `${invalidated("a")} ${invalidated("c")}`);
      await writer.say("SET a 3");
      assertEquals(await cacher.hear(), "");
      await cacher.say("GET a");
      await writer.say("SET a 4");
      assertEquals(await cacher.hear(), invalidated("a"));
    }));

  Deno.test(`emptied and exchanged databases are told once, shards: ${shards}`, () =>
    scene({ shards }, async (cacher, writer, server) => {
      await cacher.say("CLIENT TRACKING ON", "MGET a b c");
      await writer.say("FLUSHALL");
      assertEquals(await cacher.hear(), EVERYTHING);
      assertEquals(await server.info("tracking_total_keys"), "0");
      await writer.say("FLUSHDB", "FLUSHALL ASYNC");
      assertEquals(await cacher.hear(), `${EVERYTHING} ${EVERYTHING}`);
      await writer.say("MULTI", "FLUSHDB", "SET a 1", "FLUSHDB", "EXEC");
      assertEquals(await cacher.hear(), `${EVERYTHING} ${EVERYTHING}`);
      await writer.say("SWAPDB 0 1");
      assertEquals(await cacher.hear(), EVERYTHING);
      assertEquals(await cacher.say("FLUSHALL"), `+OK ${EVERYTHING}`);
    }));

  Deno.test(`keys under a prefix are told in one message a turn, shards: ${shards}`, () =>
    scene({ shards }, async (cacher, writer, server) => {
      await cacher.say("CLIENT TRACKING ON BCAST PREFIX user: PREFIX object:");
      await writer.say(
        "MULTI", // a busy machine may end a turn between commands, but not within a transaction
        "SET user:2 x",
        "SET object:1 x",
        "SET other x",
        "SET user:1 x",
        "DEL user:2",
        "EXEC",
      );
      assertEquals(
        await cacher.hear(),
        `${invalidated("object:1")} ${invalidated("user:1", "user:2")}`,
      );
      assertEquals(await cacher.say("SET user:9 x", "GET user:9"), "+OK $1 x");
      assertEquals(await cacher.hear(), invalidated("user:9"));
      assertEquals(await server.info("tracking_total_prefixes"), "2");
    }));
}

Deno.test("the message follows the reply of the command that caused it", () =>
  scene({}, async (cacher) => {
    await cacher.say("CLIENT TRACKING ON");
    assertEquals(
      await cacher.say("GET a", "SET a 1", "GET a", "MULTI", "GET b", "SET b 1", "SET a 2", "EXEC"),
      `_ +OK ${invalidated("a")} $1 1 +OK +QUEUED +QUEUED +QUEUED *3 _ +OK +OK ` +
        `${invalidated("b")} ${invalidated("a")}`,
    );
  }));

Deno.test("a RESP2 client is told through another that listens", () =>
  scene({}, async (_, writer, server) => {
    using listener = await Talker.of(server, 2);
    using cacher = await Talker.of(server, 2);
    const id = (await listener.say("CLIENT ID")).slice(1);
    await listener.say("SUBSCRIBE __redis__:invalidate");
    await cacher.say(`CLIENT TRACKING ON REDIRECT ${id}`, "GET a");
    await writer.say("SET a 1", "FLUSHALL");
    const message = "*3 $7 message $20 __redis__:invalidate";
    assertEquals(await listener.hear(), `${message} *1 $1 a ${message} $-1`);
    assertEquals(await cacher.hear(), "");
    const lines = String(await server.ask("CLIENT", "LIST")).split("\n");
    const line = lines.find((line) => line.includes(` redir=${id} `))!;
    assert(line.includes(" flags=t "), line);
  }));

Deno.test("a redirect to a client that has left is told to who set it, in RESP3", () =>
  scene({}, async (cacher, writer, server) => {
    const listener = await Talker.of(server, 3);
    const id = (await listener.say("CLIENT ID")).slice(1);
    await cacher.say(`CLIENT TRACKING ON REDIRECT ${id}`, "GET a", "GET b");
    listener.socket.close();
    await until("it is gone", () => server.server.clients.session(Number(id)) === undefined);
    await writer.say("SET a 1");
    assertEquals(await cacher.hear(), `>2 $21 tracking-redir-broken :${id}`);
    assert((await cacher.say("CLIENT TRACKINGINFO")).includes("$15 broken_redirect"));
    assert((await writer.say("CLIENT LIST")).includes(" flags=tR "));
  }));

Deno.test("keys whose time has come are told, read again or not", () =>
  scene({}, async (cacher) => {
    // In one transaction, which has one time: they are read before theirs has come.
    const reads = ["a", "b"].flatMap((key) => [`SET ${key} 1 PX 20`, `GET ${key}`]);
    await cacher.say("CLIENT TRACKING ON", "MULTI", ...reads, "EXEC");
    const heard: string[] = [];
    await until("both are told", async () => {
      heard.push(await cacher.hear());
      return heard.join("").length >= 2 * invalidated("a").length;
    });
    const told = heard.join(" ").trim().split(/ (?=>)/).map((text) => text.trim());
    assertEquals(told.sort(), [invalidated("a"), invalidated("b")]);
  }));

Deno.test("NOLOOP in broadcast mode tells keys whose time a client's own command finds to be over", () =>
  scene({}, async (cacher, writer) => {
    await writer.say("DEBUG SET-ACTIVE-EXPIRE 0");
    await cacher.say("CLIENT TRACKING ON BCAST NOLOOP");
    const end = Date.now() + 100;
    await cacher.say("HSET h f 1 g 1");
    await writer.say(`SET a 1 PXAT ${end}`, `SET b 1 PXAT ${end}`);
    await writer.say(`HPEXPIREAT h ${end} FIELDS 1 f`);
    await until("their time has come", () => Date.now() > end);
    await cacher.hear();
    assertEquals(await cacher.sayAndHear("GET a"), `_ ${invalidated("a")}`);
    assertEquals(await cacher.sayAndHear("HDEL h f"), `:0 ${invalidated("h")}`);
    await cacher.say("SET b 2"); // what comes last is its own
    assertEquals(await cacher.hear(), "");
  }));

Deno.test("NOLOOP beside what was read tells nothing of a client's own command, as in Redis", () =>
  scene({}, async (cacher, writer) => {
    await writer.say("DEBUG SET-ACTIVE-EXPIRE 0");
    const end = Date.now() + 100;
    await writer.say(`SET a 1 PXAT ${end}`);
    await cacher.say("CLIENT TRACKING ON NOLOOP", "GET a");
    await until("its time has come", () => Date.now() > end);
    assertEquals(await cacher.say("GET a"), "_");
    assertEquals(await cacher.hear(), "");
  }));

Deno.test("a hash whose field's time has come is told", () =>
  scene({}, async (cacher, writer) => {
    await writer.say("HSET h f 1 g 2", "HPEXPIRE h 300 FIELDS 1 f");
    await cacher.say("CLIENT TRACKING ON", "HGETALL h");
    await until("it is told", async () => (await cacher.hear()) === invalidated("h"));
  }));

Deno.test("keys that are evicted are told", () =>
  scene({ maxmemory: "2mb", "maxmemory-policy": "allkeys-random" }, async (cacher, writer) => {
    const keys = Array.from({ length: 50 }, (_, i) => `key:${i}`);
    await writer.say(...keys.map((key) => `SET ${key} ${"v".repeat(1_000)}`));
    await cacher.say("CLIENT TRACKING ON", `MGET ${keys.join(" ")}`);
    const told = new Set<string>();
    let filler = 0;
    await until("all are evicted", async () => {
      const batch = Array.from({ length: 100 }, () => `SET fill:${filler++} ${"v".repeat(1_000)}`);
      await writer.say(...batch);
      for (const [key] of (await cacher.hear()).matchAll(/key:\d+/g)) told.add(key);
      return (await writer.say(`EXISTS ${keys.join(" ")}`)) === ":0";
    });
    for (const [key] of (await cacher.hear()).matchAll(/key:\d+/g)) told.add(key);
    assertEquals([...told].sort(), keys.sort());
  }));

Deno.test("what is served to a client that waits is told behind the reply", () =>
  scene({}, async (cacher, writer, server) => {
    using waiter = await Talker.of(server, 3);
    await waiter.say("CLIENT TRACKING ON", "LRANGE l 0 -1");
    await cacher.say("CLIENT TRACKING ON", "LRANGE l 0 -1");
    const waiting = waiter.say("BLPOP l 0");
    await until("it waits", async () => await server.info("blocked_clients") === "1");
    // Its own push is told, and read again; then what the one that waits takes.
    assertEquals(
      await cacher.say("MULTI", "RPUSH l a", "LRANGE l 0 -1", "EXEC"),
      `+OK +QUEUED +QUEUED *2 :1 *1 $1 a ${invalidated("l")} ${invalidated("l")}`,
    );
    assertEquals(await waiting, `${invalidated("l")} *2 $1 l $1 a`);
    assertEquals(await writer.say("EXISTS l"), ":0");
  }));

Deno.test("a replica's clients are told of what the primary writes", async () => {
  await using primary = await TestServer.start({ shards: "2" });
  await using replica = await TestServer.start({ shards: "2" });
  using cacher = await Talker.of(replica, 3);
  await cacher.say("CLIENT TRACKING ON");
  await replica.ask("REPLICAOF", "127.0.0.1", String(primary.port));
  await until("the link is up", async () => await replica.info("master_link_status") === "up");
  await cacher.hear(); // the data set was replaced
  await cacher.say("GET a", "GET b");
  await primary.ask("MSET", "a", "1", "c", "1");
  await until("it is told", async () => (await cacher.hear()) === invalidated("a"));
  await primary.ask("FLUSHALL");
  await until("it is told", async () => (await cacher.hear()) === EVERYTHING);
});

Deno.test("a replica's client that is served while it waits is told of each FLUSHALL upstream", async () => {
  await using primary = await TestServer.start();
  await using replica = await TestServer.start();
  await replica.ask("REPLICAOF", "127.0.0.1", String(primary.port));
  await until("the link is up", async () => await replica.info("master_link_status") === "up");
  const socket = await RawSocket.connect(replica.port);
  try {
    await socket.write(batch(
      ["HELLO", "3"],
      ["CLIENT", "TRACKING", "ON"],
      ["XREAD", "BLOCK", "0", "STREAMS", "s", "0"],
    ));
    const { blocked, node } = replica.server;
    const [{ keys }] = node.shards;
    await until("it waits", () => blocked.keyCount === 1);
    // Nobody says anything to the replica from here on.
    await primary.ask("SET", "k", "v");
    await primary.ask("FLUSHALL");
    await socket.readThrough("invalidate\r\n_\r\n");
    await primary.ask("XADD", "s", "1-1", "f", "v");
    await socket.readThrough("$1\r\nv\r\n");
    await primary.ask("FLUSHALL");
    await until("it is flushed", () => keys.totalSize() === 0);
    await socket.write(batch(["PING"]));
    assertEquals(
      await socket.readThrough("+PONG\r\n"),
      ">2\r\n$10\r\ninvalidate\r\n_\r\n+PONG\r\n",
    );
  } finally {
    socket.close();
  }
});

Deno.test("a replica that takes over another data set tells that everything may have changed", async () => {
  await using primary = await TestServer.start();
  await primary.ask("SET", "a", "theirs");
  await using replica = await TestServer.start({ shards: "3" });
  using cacher = await Talker.of(replica, 3);
  await cacher.say("CLIENT TRACKING ON", "GET a");
  await replica.ask("REPLICAOF", "127.0.0.1", String(primary.port));
  await until("it is told", async () => (await cacher.hear()).includes(EVERYTHING));
});

Deno.test("no more keys are remembered than tracking-table-max-keys, dropped ones are told", () =>
  scene({ "tracking-table-max-keys": "100" }, async (cacher, writer, server) => {
    await cacher.say("CLIENT TRACKING ON");
    const keys = Array.from({ length: 250 }, (_, i) => `key:${i}`);
    await cacher.say(`MGET ${keys.slice(0, 100).join(" ")}`);
    assertEquals(await cacher.hear(), "");
    const heard = await cacher.say(`MGET ${keys.slice(100).join(" ")}`);
    assertEquals(heard.split(">2 $10 invalidate *1 ").length - 1, 150);
    assertEquals(await server.info("tracking_total_keys"), "100");
    assertEquals(await server.info("tracking_total_items"), "100");
    assertEquals(await server.info("tracking_dropped_keys"), "150");
    // A limit that is lowered is come to with the reads that follow.
    await writer.say("CONFIG SET tracking-table-max-keys 10");
    await cacher.say("GET key:0");
    assertEquals(await server.info("tracking_total_keys"), "10");
    await writer.say("CONFIG SET tracking-table-max-keys 0");
    await cacher.say(`MGET ${keys.join(" ")}`);
    assertEquals(await server.info("tracking_total_keys"), "250");
  }));

Deno.test("all who read a key are told, and counted", async () => {
  await using server = await TestServer.start();
  using writer = await Talker.of(server, 3);
  const cachers = await Promise.all(Array.from({ length: 100 }, () => Talker.of(server, 3)));
  try {
    for (const cacher of cachers) await cacher.say("CLIENT TRACKING ON", "GET a", "GET a");
    assertEquals(await server.info("tracking_clients"), "100");
    assertEquals(await server.info("tracking_total_keys"), "1");
    assertEquals(await server.info("tracking_total_items"), "100");
    cachers.splice(10, 50).forEach((cacher) => cacher.socket.close());
    await until("they are gone", async () => await server.info("tracking_clients") === "50");
    await writer.say("SET a 1");
    for (const cacher of cachers) assertEquals(await cacher.hear(), invalidated("a"));
    assertEquals(await server.info("tracking_total_items"), "0");
  } finally {
    for (const cacher of cachers) cacher.socket.close();
  }
});

Deno.test("nothing is kept, and nothing listened to, when nobody tracks", () =>
  scene({}, async (cacher, writer, server) => {
    const { tracking } = server.server;
    await cacher.say("CLIENT TRACKING ON", "GET a", "GET b");
    await cacher.say("CLIENT TRACKING OFF", "CLIENT TRACKING ON");
    await writer.say("SET a 1");
    assertEquals(await cacher.hear(), invalidated("a"));
    assert(tracking.bytes > 0);
    await cacher.say("CLIENT TRACKING OFF");
    await until("the table is given up", () => tracking.bytes === 0);
    assertEquals(await server.info("tracking_total_keys"), "0");
    await cacher.say("CLIENT TRACKING ON", "GET c", "RESET");
    assertEquals(await server.info("tracking_clients"), "0");
    await cacher.say("HELLO 3", "CLIENT TRACKING ON BCAST");
    cacher.socket.close();
    await until("it is gone", async () => await server.info("tracking_clients") === "0");
    assertEquals(await server.info("tracking_total_prefixes"), "0");
  }));

Deno.test("a client may have many prefixes, not any number of them", () =>
  scene({}, async (cacher, writer, server) => {
    const prefixes = Array.from({ length: PREFIXES_MAX }, (_, i) => `PREFIX p${i}:`).join(" ");
    assertEquals(await cacher.say(`CLIENT TRACKING ON BCAST ${prefixes}`), "+OK");
    const refused = await cacher.say("CLIENT TRACKING ON BCAST PREFIX q");
    assert(refused.startsWith("-ERR a client may have up to"), refused);
    assertEquals(await server.info("tracking_total_prefixes"), String(PREFIXES_MAX));
    await writer.say("MSET p7:x 1 p1023:y 1 q 1");
    assertEquals(await cacher.hear(), `${invalidated("p1023:y")} ${invalidated("p7:x")}`);
    const long = "x".repeat(300_000);
    assert(
      (await writer.say(`CLIENT TRACKING ON BCAST PREFIX ${long}`)).startsWith("-ERR a client"),
    );
  }));

Deno.test("prefixes that overlap are refused with one error", () =>
  scene({}, async (cacher) => {
    assertEquals(
      await cacher.say("CLIENT TRACKING ON BCAST PREFIX foo PREFIX bar PREFIX b"),
      "-ERR Prefix 'bar' overlaps with another provided prefix 'b'. Prefixes for a single client " +
        "must not overlap.",
    );
    assert((await cacher.say("CLIENT TRACKINGINFO")).includes("$3 off"));
  }));

Deno.test("very many keys that change in one turn are told in several messages", () =>
  scene({}, async (cacher, writer) => {
    await cacher.say("CLIENT TRACKING ON BCAST");
    const keys = Array.from({ length: 20_000 }, (_, i) => `key:${i}`);
    await writer.say(`MSET ${keys.map((key) => `${key} v`).join(" ")}`);
    const told = (await cacher.hear()).split(" ").filter((word) => word.startsWith("key:"));
    assertEquals(told.sort(), keys.sort());
  }));

Deno.test("a client that does not take its messages is closed at its limit", () =>
  scene({ "client-output-buffer-limit": "normal 1mb 0 0" }, async (cacher, writer, server) => {
    await cacher.say("CLIENT TRACKING ON BCAST");
    const value = "v";
    const keys = Array.from({ length: 2_000 }, (_, i) => `${"k".repeat(500)}:${i} ${value}`);
    await until("it is closed", async () => {
      await writer.say(`MSET ${keys.join(" ")}`);
      return await server.info("tracking_clients") === "0";
    });
  }));
