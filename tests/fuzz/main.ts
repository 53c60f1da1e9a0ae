/**
 * `deno task fuzz [--commands N] [--seed S]`: random commands to redis-server and to a server of this
 * checkout, in RESP2 and RESP3, for as long as wanted. Says what differs, and with which seed.
 */

import { parseArgs } from "@std/cli/parse-args";
import { fuzzDifferential, FUZZED_REDIS } from "../support/fuzz_differential.ts";
import { RedisServer } from "../support/redis.ts";
import { TestServer } from "../support/server.ts";

const ENCODER = new TextEncoder();

function say(line: string): void {
  Deno.stdout.writeSync(ENCODER.encode(`${line}\n`));
}

function complain(line: string): void {
  Deno.stderr.writeSync(ENCODER.encode(`${line}\n`));
}

const given = parseArgs(Deno.args, { string: ["commands", "seed"] });
const seed = Number(given.seed ?? Date.now() % 1_000_000);
const total = Number(given.commands ?? 1_000_000);
if (!(total > 0) || !Number.isInteger(seed)) {
  complain("usage: deno task fuzz [--commands <number>] [--seed <integer>]");
  Deno.exit(2);
}

const redis = await RedisServer.start(FUZZED_REDIS);
if (redis === null) {
  complain("there is no redis-server on PATH to ask");
  Deno.exit(2);
}
let found = 0;
try {
  for (const protocol of [2, 3] as const) {
    await using server = await TestServer.start({ "arena-size": "1gb" });
    const began = performance.now();
    const report = await fuzzDifferential({
      redisPort: redis.port,
      port: server.port,
      protocol,
      seed: seed * 10 + protocol,
      commands: Math.ceil(total / 2),
      progress: (done) => {
        if (done % 100_000 < 4_000 && done > 0) say(`RESP${protocol}: ${done} commands`);
      },
    });
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    found += report.differences.length;
    say(
      `RESP${protocol}: ${report.commands} commands in ${seconds} s, seed ${seed}, ` +
        `${report.differences.length} differences from redis-server ${redis.version}`,
    );
    for (const difference of report.differences) say(`\n${difference}`);
    for (const [what, times] of report.known) say(`known, ${times} times: ${what}`);
    if (report.leftOut.length > 0) say(`not drawn: ${report.leftOut.join(" ")}`);
  }
} finally {
  await redis.stop();
}
Deno.exit(found === 0 ? 0 : 1);
