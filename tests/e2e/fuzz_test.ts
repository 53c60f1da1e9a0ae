/**
 * Mutated requests and handshakes to a running server, over many short connections.
 */

import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { SYSTEM_CLOCK } from "../../src/base/clock.ts";
import { Log } from "../../src/observability/log.ts";
import { ReplyParser } from "../../src/resp/reply_parser.ts";
import { loadConfig } from "../../src/server/config_sources.ts";
import { Server } from "../../src/server/server.ts";
import { Client } from "../support/client.ts";
import { Random, testSeed } from "../support/random.ts";
import { RandomCommands } from "../support/random_commands.ts";
import { encodeRequest } from "../support/redis.ts";
import { until } from "../support/server.ts";

/** Mutated requests on the client port: connections, and requests of each. */
const CONNECTIONS = 6_000;
const REQUESTS_EACH = 31;
/** Connections to the replication port, each with a mutated handshake and what follows it. */
const HANDSHAKES = 4_000;
const LINES_EACH = 4;
/** Connections at once. */
const AT_ONCE = 16;
/** Memory that the process may take meanwhile, what is still to be collected included. */
const MEMORY_BYTES = 512 * 2 ** 20;

/** What the log said of the ends of connections. */
class Closings {
  readonly clients = new Map<string, string>();
  readonly counts = new Map<string, number>();
  readonly faults: string[] = [];

  write(line: string): boolean {
    const message = /"msg":"([^"]*)"/.exec(line)?.[1] ?? /Z \w+ +(.*?) \w+=/.exec(line)?.[1] ?? "";
    this.counts.set(message, (this.counts.get(message) ?? 0) + 1);
    if (message === "client closed") {
      const id = /client=(\d+)/.exec(line)![1];
      this.clients.set(id, /reason="?([^"]*)/.exec(line)?.[1] ?? "");
    }
    // A v1 replica is refused what its image cannot hold; every other error is a fault of ours.
    if (/Error: |invariant|bug/.test(line.replace("UnwritableEntryError: ", ""))) {
      this.faults.push(line);
    }
    return true;
  }

  count(message: string): number {
    return this.counts.get(message) ?? 0;
  }
}

async function startServer(dir: string, closings: Closings): Promise<Server> {
  const settings = {
    dir,
    bind: "127.0.0.1",
    port: "0",
    "arena-size": "64mb",
    hz: "100",
    "client-query-buffer-limit": "1mb",
    "repl-backlog-size": "1mb",
    "proto-max-bulk-len": "1mb",
    "client-output-buffer-limit": "normal 16mb 0 0",
  };
  const directives = Object.entries(settings).map(([name, value]) => ({
    name,
    words: name === "client-output-buffer-limit" ? value.split(" ") : [value],
    where: "test",
  }));
  directives.push({ name: "save", words: [""], where: "test" });
  const config = loadConfig({ configFile: null, stdin: false, directives }, () => undefined);
  const everything = { burstLines: Infinity, linesPerSecond: Infinity, kindsMax: 512 };
  const log = new Log({
    level: "verbose",
    format: "text",
    sink: closings,
    clock: SYSTEM_CLOCK,
    flood: everything,
  });
  return await Server.start(config, log, Number(Deno.env.get("DENO_TOKIO_EVENT_INTERVAL") ?? 61));
}

const LENGTHS = "0 1 -1 9 10 99 100 16385 65536 1048576 1048577 536870912 536870913 2147483648"
  .split(" ").concat("9223372036854775807", "18446744073709551616", "-", "", "+1", "01", "1e3");

/** Spoils bytes: what a broken client, or a malicious one, may send. */
function mutateBytes(random: Random, bytes: Uint8Array): Uint8Array {
  let out = [...bytes];
  for (let n = 1 + random.below(3); n > 0; n--) {
    const at = random.below(out.length + 1);
    switch (random.below(8)) {
      case 0:
        out[at % out.length] ^= 1 << random.below(8);
        break;
      case 1:
        out.splice(at, 1 + random.below(4));
        break;
      case 2:
        out.splice(at, 0, ...random.bytes(1 + random.below(4)));
        break;
      case 3:
        out = out.slice(0, at);
        break;
      case 4:
        out.splice(at, 0, ...out.slice(at, at + random.below(20)));
        break;
      case 5:
        out.splice(at, 0, ...ascii(random.pick(["\r\n", "\n", "*", "$", '"', "'", "\0", " "])));
        break;
      default: {
        // A length or a count becomes another.
        const text = String.fromCharCode(...out);
        const found = [...text.matchAll(/([*$])-?\d+\r\n/g)];
        if (found.length === 0) break;
        const one = random.pick(found);
        const header = ascii(`${one[1]}${random.pick(LENGTHS)}\r\n`);
        out.splice(one.index, one[0].length, ...header);
      }
    }
    if (out.length === 0) out = [13];
  }
  return new Uint8Array(out);
}

/** Commands beyond those of `RandomCommands` that do no harm whatever their arguments become. */
const OTHERS = [
  "INFO everything",
  "INFO",
  "CLIENT LIST",
  "CLIENT INFO",
  "CLIENT ID",
  "CLIENT SETINFO lib-name x",
  "CLIENT NO-TOUCH on",
  "COMMAND DOCS get set",
  "COMMAND INFO get",
  "COMMAND COUNT",
  "COMMAND GETKEYSANDFLAGS set a b",
  "CONFIG GET *",
  "MEMORY USAGE k1",
  "MEMORY STATS",
  "OBJECT HELP",
  "OBJECT FREQ k1",
  "SLOWLOG GET 10",
  "LATENCY LATEST",
  "HELLO 3",
  "HELLO 2",
  "RESET",
  "ROLE",
  "REPLCONF LAYOUT",
  "REPLCONF CAPA x",
  "REPLCONF LISTENING-PORT 1",
  "TIME",
  "LASTSAVE",
  "SUBSCRIBE c1",
  "PSUBSCRIBE c*",
  "SSUBSCRIBE c1",
  "UNSUBSCRIBE",
  "MULTI",
  "EXEC",
  "DISCARD",
  "WATCH k1",
  "WAIT 1 1",
  "RANDOMKEY",
  "FLUSHALL",
  "CLIENT REPLY SKIP",
  "CLIENT REPLY OFF",
  "READONLY",
  "PFDEBUG ENCODING h1",
].map((line) => line.split(" "));

/** Names whose second word must stay: another one may pause, stop or reconfigure the server. */
const CONTAINERS = new Set(["client", "config", "command", "debug", "pfdebug", "replconf"]);

/** Changes the words of a command, which is well framed all the same. */
function mutateWords(random: Random, words: readonly string[], others: string[]): string[] {
  const out = [...words];
  const first = CONTAINERS.has(words[0].toLowerCase()) ? 2 : 1;
  for (let n = random.below(3); n > 0; n--) {
    const at = first + random.below(Math.max(1, out.length - first + 1));
    const odd = random.pick([
      ...LENGTHS,
      "\xff\xfe\0",
      "nan",
      "x".repeat(random.below(300)),
      "*",
      "[",
    ]);
    switch (random.below(5)) {
      case 0:
        out.splice(at, 1);
        break;
      case 1:
        out.splice(at, 0, odd);
        break;
      case 2:
        if (at < out.length) out[at] = odd;
        break;
      case 3:
        if (at < out.length) out[at] = random.pick(others);
        break;
      default:
        out.push(...out.slice(at));
    }
  }
  return out.slice(0, 60);
}

const HISTORY = "0123456789abcdef0123456789abcdef01234567";
const SHOOK: readonly string[][] = [
  ["REPLICATE", "FROM", "0", "ID", "a"],
  ["REPLICATE", "FROM", "12", "ID", "b", "HISTORY", "?", "LISTENING-PORT", "7000"],
  ["REPLICATE", "FROM", "0", "ID", "c", "HISTORY", HISTORY, "CAPA", "x", "AUTH", "secret"],
  ["PING"],
];
const SAID: readonly string[][] = [
  ["REPLCONF", "ACK", "0"],
  ["REPLCONF", "ACK", "99999999999"],
  ["REPLCONF", "GETACK", "*"],
  ["PING"],
  ["REPLICATE", "FROM", "0", "ID", "again"],
];

/** Sends everything, in pieces; then leaves in one of several ways. Gives back what came. */
async function visit(random: Random, port: number, bytes: Uint8Array): Promise<Uint8Array[]> {
  const conn = await Deno.connect({ hostname: "127.0.0.1", port });
  const came: Uint8Array[] = [];
  const leaves = random.below(8);
  const reading = (async () => {
    const chunk = new Uint8Array(16_384);
    try {
      for (let n = await conn.read(chunk); n !== null; n = await conn.read(chunk)) {
        came.push(chunk.slice(0, n));
      }
    } catch {
      // Closed by us, or reset.
    }
  })();
  try {
    const pieces = 1 + random.below(3);
    for (let piece = 0, at = 0; piece < pieces; piece++) {
      const stop = piece === pieces - 1 ? bytes.length : at + random.below(bytes.length - at + 1);
      while (at < stop) at += await conn.write(bytes.subarray(at, stop));
    }
    if (leaves > 0) {
      await conn.closeWrite();
      await reading;
    }
  } catch {
    // The server was faster.
  }
  try {
    conn.close();
  } catch {
    // It was closed by an error.
  }
  await reading;
  return came;
}

Deno.test("200,000 mutated requests and handshakes leave the server as it was", async () => {
  const seed = testSeed(31_337);
  const random = new Random(seed);
  const dir = await Deno.realPath(await Deno.makeTempDir());
  const closings = new Closings();
  const server = await startServer(dir, closings);
  try {
    using admin = await Client.connect(server.port);
    const before = Deno.memoryUsage();
    let known: Set<string> | null = new Set(await admin.ask("COMMAND", "LIST") as string[]);
    const names = known;
    const commands = new RandomCommands(random, (name) => names.has(name));
    known = null;
    const values = Array.from({ length: 50 }, () => commands.next().commands[0].slice(1)).flat();
    let sent = 0;
    let shook = 0;

    const requestsOf = (): { bytes: Uint8Array; isFramed: boolean } => {
      const parts: Uint8Array[] = [];
      while (parts.length < REQUESTS_EACH) {
        const drawn = random.below(4) === 0 ? [random.pick(OTHERS)] : commands.next().commands;
        for (const words of drawn) {
          parts.push(encodeRequest(mutateWords(random, words, values)));
          sent++;
        }
      }
      const isFramed = random.below(4) === 0;
      if (!isFramed) {
        for (let n = 0; n < 2; n++) {
          const at = parts.length - 1 - random.below(3);
          parts[at] = mutateBytes(random, parts[at]);
        }
      }
      return { bytes: concat(parts), isFramed };
    };
    const handshakeOf = (): Uint8Array => {
      const words = random.pick(SHOOK);
      const first = random.below(3) === 0
        ? encodeRequest(mutateWords(random, words, values))
        : mutateBytes(random, encodeRequest(words));
      const parts = [first];
      for (let n = 0; n < LINES_EACH; n++) {
        const line = encodeRequest(random.pick(SAID));
        parts.push(random.below(2) === 0 ? line : mutateBytes(random, line));
      }
      sent += parts.length;
      shook++;
      return concat(parts);
    };

    let connections = 0;
    let peak = 0;
    let visits = 0;
    const work = async () => {
      while (connections < CONNECTIONS + HANDSHAKES) {
        const turn = connections++;
        // Spread evenly over the run.
        if ((turn * HANDSHAKES) % (CONNECTIONS + HANDSHAKES) < HANDSHAKES) {
          await visit(random, server.replicationPortBase, handshakeOf());
          continue;
        }
        const { bytes, isFramed } = requestsOf();
        const came = await visit(random, server.port, bytes);
        if (isFramed) mustBeReplies(came, seed);
        if (++visits % 250 === 0) {
          peak = Math.max(peak, Deno.memoryUsage().rss);
          assertEquals(await admin.ask("PING"), "PONG", `seed ${seed}`);
        }
      }
    };
    await Promise.all(Array.from({ length: AT_ONCE }, work));
    assert(sent >= 200_000, `${sent} requests were sent`);
    assert(shook >= HANDSHAKES, `${shook} handshakes were sent`);
    const { executor } = server;
    const ran = executor.commands + executor.rejected;
    assert(ran > 100_000, `${ran} requests came through as such`);
    const errors = server.errorStats.total;
    assert(
      errors > ran / 5 && errors < ran * 4 / 5,
      `${errors} of ${ran} were answered with errors`,
    );

    assertEquals(await admin.ask("PING"), "PONG", `seed ${seed}`);
    await until("all clients are gone", () => server.clients.count === 1);
    const { primaries } = server.replication;
    await until("all links are gone", () => primaries.every((primary) => primary.linkCount === 0));
    assertEquals(closings.faults.slice(0, 5), [], `seed ${seed}`);
    assertEquals(closings.clients.size, server.clients.accepted - 1, "each end has a line");
    assertEquals([...closings.clients.values()].filter((reason) => reason === ""), []);
    assert(closings.count("handshake rejected") > HANDSHAKES / 4, "handshakes were rejected");
    assert(closings.count("replica link closed") > 10, "and some were not");
    const more = Math.max(peak, Deno.memoryUsage().rss) - before.rss;
    assert(more < MEMORY_BYTES, `${more} bytes more, seed ${seed}`);
    assert(server.clients.bufferBytes() < 2 ** 20, "buffers are given back");
    assertEquals(await admin.ask("FLUSHALL"), "OK");
    assertEquals(await admin.ask("SET", "k", "v"), "OK");
  } finally {
    await server.stop({ save: false, force: true, now: true });
    await server.stopped;
    await Deno.remove(dir, { recursive: true });
  }
});

/** What a server answers to well framed requests can be read, whatever the requests say. */
function mustBeReplies(came: readonly Uint8Array[], seed: number): void {
  const parser = new ReplyParser();
  try {
    for (const chunk of came) {
      parser.push(chunk);
      while (parser.next() !== undefined);
    }
  } catch (error) {
    const bytes = JSON.stringify(new TextDecoder("latin1").decode(concat(came)).slice(-400));
    throw new Error(`seed ${seed}: what came is no reply: ${bytes}`, { cause: error });
  }
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}
