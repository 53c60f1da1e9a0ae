/**
 * Random commands to redis-server and to us over sockets, in one order; the replies are the same
 * bytes.
 */

import { assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { Random, testSeed } from "../support/random.ts";
import { RandomCommands, type Unit } from "../support/random_commands.ts";
import { batch, RawSocket } from "../support/raw_socket.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer } from "../support/server.ts";

/** Commands to compare, in each protocol. */
const COMMANDS = 20_000;
/** Units that are sent together. */
const BATCH_UNITS = 40;

const REDIS = await RedisServer.installed();

/** Text for a test's output: what a server said, in one line. */
function shown(text: string): string {
  const quoted = JSON.stringify(text).slice(1, -1);
  return quoted.length > 300 ? `${quoted.slice(0, 300)}... (${quoted.length})` : quoted;
}

/** Sorts the lines of a reply whose elements have no order; its header stays first. */
function sorted(reply: string): string {
  return reply.split("\r\n").sort().join("\r\n");
}

/**
 * The replies to each unit. Between units stands an ECHO of a mark, so that they can be told apart
 * whatever they are.
 */
async function ask(socket: RawSocket, units: readonly Unit[], from: number): Promise<string[]> {
  const requests = units.flatMap((unit, i) => [...unit.commands, ["ECHO", `<mark ${from + i}>`]]);
  const bytes = requests.map((words) => words.map((word) => ascii(word)));
  const last = `<mark ${from + units.length - 1}>\r\n`;
  const [replies] = await Promise.all([
    socket.readThrough(last),
    socket.write(batch(...bytes)),
  ]);
  let rest = replies;
  return units.map((unit, i) => {
    const mark = `<mark ${from + i}>`;
    const echo = `$${mark.length}\r\n${mark}\r\n`;
    const at = rest.indexOf(echo);
    const reply = rest.slice(0, at);
    rest = rest.slice(at + echo.length);
    return unit.unordered ? sorted(reply) : reply;
  });
}

/** The last units before `unit` that touched its first key. */
function history(past: readonly Unit[], unit: Unit): string[] {
  const key = unit.commands.flatMap((words) => words.slice(1)).find((word) => /^[kh]\d/.test(word));
  if (key === undefined) return [];
  const touching = past.filter(({ commands }) => commands.some((words) => words.includes(key)));
  return touching.slice(-6, -1).flatMap(({ commands }) =>
    commands.map((words) => `  before: ${words.map(shown).join(" ")}`)
  );
}

for (const protocol of ["2", "3"]) {
  const skipped = REDIS === null ? " (SKIPPED: no redis-server on PATH to ask)" : "";
  Deno.test({
    name: `20,000 random commands are answered as redis-server answers, RESP${protocol}${skipped}`,
    ignore: REDIS === null,
    async fn() {
      const seed = testSeed(1_009 + Number(protocol));
      await using server = await TestServer.start({ "arena-size": "256mb" });
      const redis = (await RedisServer.start())!;
      try {
        using theirs = await RawSocket.connect(redis.port);
        using ours = await RawSocket.connect(server.port);
        for (const socket of [theirs, ours]) {
          await socket.write(batch(["HELLO", protocol], ["ECHO", "ready"]));
          await socket.readThrough("ready\r\n");
        }
        const known = new Set((await server.ask("COMMAND", "LIST") as string[]).map(String));
        const commands = new RandomCommands(new Random(seed), (name) => known.has(name));
        const differences: string[] = [];
        const past: Unit[] = [];
        for (let done = 0; done < COMMANDS && differences.length < 20;) {
          const units = Array.from({ length: BATCH_UNITS }, () => commands.next());
          const [wanted, got] = await Promise.all([
            ask(theirs, units, done),
            ask(ours, units, done),
          ]);
          for (const [i, unit] of units.entries()) {
            done += unit.commands.length;
            past.push(unit);
            if (wanted[i] === got[i]) continue;
            differences.push(
              [
                ...history(past, unit),
                ...unit.commands.map((words) => words.map(shown).join(" ")),
                `  redis: ${shown(wanted[i])}`,
                `  ours:  ${shown(got[i])}`,
              ].join("\n"),
            );
          }
        }
        assertEquals(differences.join("\n"), "", `RESP${protocol}, redis ${REDIS}, seed ${seed}`);
      } finally {
        await redis.stop();
      }
    },
  });
}
