/**
 * `deno task bench`: compares shoal with redis-server on this machine, in this run.
 *
 *     deno task bench [--quick] [--rounds N] [--only NAME]... [--json FILE]
 *
 * What is compared stands in the files named after the measurements. Nothing here is a single time on
 * its own: throughput is given as ratios of paired rounds, everything else beside redis-server's.
 *
 * @module
 */
// deno-lint-ignore-file no-console

import { parseArgs } from "@std/cli/parse-args";
import { versionLine } from "../../src/cli/version.ts";
import { APPEND_ONLY } from "./append_only.ts";
import { ATTACH } from "./attach.ts";
import { BIG_VALUES } from "./big_values.ts";
import type { Bench, Measurement } from "./bench.ts";
import { FLOOD } from "./flood.ts";
import { FREEZE } from "./freeze.ts";
import { LAG } from "./lag.ts";
import { MEMORY } from "./memory.ts";
import { type Maker, Programs, versionOf } from "./programs.ts";
import { paragraph, tableText } from "./report.ts";
import { SHIP } from "./ship.ts";
import { THROUGHPUT } from "./throughput.ts";

const MEASUREMENTS: readonly Measurement[] = [
  THROUGHPUT,
  MEMORY,
  FREEZE,
  SHIP,
  ATTACH,
  LAG,
  FLOOD,
  BIG_VALUES,
  APPEND_ONLY,
];
const NAMES = MEASUREMENTS.map(({ name }) => name).join(", ");
const ROUNDS = 5;
const QUICK_ROUNDS = 2;
/** Load average, in processes, from which the machine counts as busy before the first measurement. */
const BUSY_LOAD = 0.5;

const USAGE = `deno task bench [options]

  --quick        fewer and shorter rounds: for a look, not for publishing
  --rounds N     paired rounds (default ${ROUNDS}, quick ${QUICK_ROUNDS})
  --only NAME    one measurement, may be repeated: ${NAMES}
  --json FILE    also write all figures to FILE
  --help
`;

const INSTALL = "redis-server and redis-benchmark are in Debian's and Ubuntu's package redis:\n" +
  "    sudo apt-get install --no-install-recommends redis-server redis-tools\n";

class UsageError extends Error {}

interface Request {
  readonly quick: boolean;
  readonly rounds: number;
  readonly chosen: readonly Measurement[];
  readonly json: string | null;
}

function readRequest(args: readonly string[]): Request | null {
  const flags = parseArgs(args, {
    boolean: ["quick", "help"],
    string: ["rounds", "only", "json"],
    collect: ["only"],
    unknown: (arg) => {
      throw new UsageError(`'${arg}' is not understood`);
    },
  });
  if (flags.help) return null;
  const rounds = Number(flags.rounds ?? (flags.quick ? QUICK_ROUNDS : ROUNDS));
  if (!Number.isInteger(rounds) || rounds < 1) {
    throw new UsageError(`--rounds ${flags.rounds}: allowed is a number from 1`);
  }
  for (const name of flags.only) {
    if (!MEASUREMENTS.some((measurement) => measurement.name === name)) {
      throw new UsageError(`--only ${name}: allowed are ${NAMES}`);
    }
  }
  const chosen = flags.only.length === 0
    ? MEASUREMENTS
    : MEASUREMENTS.filter(({ name }) => flags.only.includes(name));
  return { quick: flags.quick, rounds, chosen, json: flags.json ?? null };
}

function loadText(): string {
  return Deno.loadavg().map((load) => load.toFixed(2)).join(" ");
}

function machineText(): string {
  const { hardwareConcurrency } = navigator;
  const gib = Deno.systemMemoryInfo().total / 2 ** 30;
  return `${Deno.build.os} ${Deno.build.arch}, ${hardwareConcurrency} cores, ${gib.toFixed(0)} GiB`;
}

async function main(request: Request): Promise<void> {
  const redis = await versionOf("redis-server");
  const benchmark = await versionOf("redis-benchmark");
  const makers: Maker[] = redis === null ? ["shoal"] : ["shoal", "redis"];
  console.log(`shoal beside redis-server, ${new Date().toISOString().slice(0, 16)}Z\n`);
  console.log(`  ${versionLine()}`);
  console.log(`  ${redis ?? "redis-server: not installed"}`);
  console.log(`  ${benchmark ?? "redis-benchmark: not installed"}`);
  console.log(`  ${machineText()}; load average before: ${loadText()}`);
  const mode = request.quick ? ", quick: not for publishing" : "";
  console.log(`  rounds: ${request.rounds}${mode}\n`);
  if (redis === null || benchmark === null) console.log(`${INSTALL}`);
  if (Deno.loadavg()[0] > BUSY_LOAD) {
    console.log(
      "  the machine is busy: ratios of paired rounds are worth more than anything else\n",
    );
  }

  const programs = await Programs.open();
  const interrupted = async () => {
    await programs.close();
    Deno.exit(130);
  };
  Deno.addSignalListener("SIGINT", interrupted);
  Deno.addSignalListener("SIGTERM", interrupted);
  const bench: Bench = {
    options: request,
    programs,
    makers,
    hasBenchmark: benchmark !== null,
    say: (text) => console.error(`    ${text}`),
  };
  const results: Record<string, unknown> = {};
  try {
    for (const measurement of request.chosen) {
      const { name, title, needsBenchmark } = measurement;
      console.log(`== ${name}: ${title}\n`);
      if (needsBenchmark && !bench.hasBenchmark) {
        console.log("  left out: redis-benchmark is not installed\n");
        continue;
      }
      console.log(`${paragraph(measurement.method(request))}\n`);
      const { tables, data } = await measurement.run(bench);
      for (const { title, table } of tables) console.log(`  ${title}\n\n${tableText(table)}\n`);
      console.log(`  load average after: ${loadText()}\n`);
      results[name] = data;
    }
  } finally {
    await programs.close();
    Deno.removeSignalListener("SIGINT", interrupted);
    Deno.removeSignalListener("SIGTERM", interrupted);
  }
  if (request.json !== null) {
    const about = { shoal: versionLine(), redis, benchmark, machine: machineText() };
    const { quick, rounds } = request;
    const text = JSON.stringify({ ...about, quick, rounds, results }, null, 2);
    await Deno.writeTextFile(request.json, `${text}\n`);
  }
}

try {
  const request = readRequest(Deno.args);
  if (request === null) console.log(USAGE);
  else await main(request);
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  console.error(`bench: ${error.message}\n\n${USAGE}`);
  Deno.exit(2);
}
