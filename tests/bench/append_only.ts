/**
 * What an append-only file costs: writing to it, loading it, rewriting it.
 *
 * @module
 */

import {
  type Bench,
  type Findings,
  type Measurement,
  NO_SAVE,
  sampleSideBySide,
  type Table,
} from "./bench.ts";
import { Client, sleep } from "./client.ts";
import { OwnCore } from "./own_core.ts";
import type { Maker, Program } from "./programs.ts";
import {
  CONNECTIONS,
  KEY_RANGE,
  redisBenchmark,
  startRedisBenchmark,
  VALUE_BYTES,
} from "./redis_benchmark.ts";
import { fixed, mebibytes, ratioText, thousands } from "./report.ts";
import { median, summarize } from "./statistics.ts";

/** Files of measurements do not begin anew in their middle. */
const NO_REWRITE: readonly string[] = ["--auto-aof-rewrite-percentage", "0"];
/** Pipeline depths, and requests for some seconds of writing where nothing is awaited: several syncs. */
const DEPTHS: readonly { readonly depth: number; readonly requests: number }[] = [
  { depth: 1, requests: 200_000 },
  { depth: 16, requests: 2_000_000 },
];
/** What a server gets to have its last second synced, in ms, before it is stopped. */
const REST_MS = 1_500;
/** What a server that goes on gets to catch up with the time, in ms. */
const WAKE_MS = 300;
/** How many rounds are measured before all is started anew. */
const ROUNDS_PER_START = 2;
/** So many times fewer requests where each waits for the disk. */
const ALWAYS_DIVISOR = 2;
const QUICK_DIVISOR = 4;
/** Keys of files that are loaded, and commands of increments. */
const LOAD_KEYS = 500_000;
/** Keys that are rewritten. */
const REWRITE_KEYS = 1_000_000;
/** Requests of the writes that go on meanwhile: more than there is time for. */
const ENDLESS = 100_000_000;
/** How often. */
const REWRITES = 9;
const QUICK_REWRITES = 1;
/** How long the same writes are watched without a rewrite, in ms. */
const BASELINE_MS = 3_000;
/** Pause between two looks at memory, in ms. */
const LOOK_MS = 20;

/** What a rewrite cost. */
interface Rewrite {
  readonly seconds: number;
  readonly longestMs: number;
  readonly addedBytes: number;
}

type Policy = "off" | "everysec" | "always";
const POLICIES: readonly Policy[] = ["off", "everysec", "always"];

function settings(policy: Policy): string[] {
  if (policy === "off") return [...NO_SAVE];
  return [...NO_SAVE, ...NO_REWRITE, "--appendonly", "yes", "--appendfsync", policy];
}

/** See the module's text. */
export const APPEND_ONLY: Measurement = {
  name: "append-only",
  title: "the append-only file: writing, loading, rewriting",
  needsBenchmark: true,
  method: ({ rounds, quick }) =>
    `Writing: redis-benchmark SETs with ${CONNECTIONS} connections, ${VALUE_BYTES}-byte values and ` +
    `${KEY_RANGE} random keys against servers without an append-only file, with appendfsync ` +
    "everysec and with always, all on the same disk; all but the one that is measured are stopped " +
    `(SIGSTOP), ${REST_MS} ms after their last write, which is synced then. Before that a file is rewritten: ` +
    "the next one grows into memory that the system has used before, as wherever files are rewritten when " +
    "they have grown. (What is new to a virtual machine may have to be found by its host: without rewrites " +
    "shoal's writing thread took four times as long here.) All are started anew for every " +
    `${ROUNDS_PER_START} rounds (V8 optimizes otherwise from one start to the next), are written every key, and ` +
    "go through a round that is not counted, so that V8 has seen what is measured. A round measures each " +
    `once; who is first rotates. Ratios are medians of ${rounds} rounds. ` +
    `Loading: ${LOAD_KEYS} keys of 16 bytes with values of ${VALUE_BYTES}, once as a base and once ` +
    "as commands; the time is what the server's log says. Rewriting: BGREWRITEAOF of " +
    `${REWRITE_KEYS} keys while a pipeline of 16 writes as fast as it can, ${REWRITES} times; the ` +
    "longest piece of work of shoal's event loop in each, and in as many stretches of the same writes " +
    "before them, beside Redis's fork, and memory above what there was before. Shoal's event loop has " +
    "a core of its own meanwhile, all else the others (taskset), where redis-benchmark gives way to the " +
    "server's threads (nice): one that waits for it may hold what the loop wants. 'stolen' is what the " +
    "host of a virtual machine took of the loop's core in all the rewrites; kernel threads take some, too. " +
    "That can only add to a piece of work: the least is nearest to what a rewrite costs." +
    (quick ? " (quick: a quarter of the requests)" : ""),
  run,
};

async function run(bench: Bench): Promise<Findings> {
  const writing = await measureWriting(bench);
  const loading = await measureLoading(bench);
  const rewriting = await measureRewriting(bench);
  return {
    tables: [...writing.tables, ...loading.tables, ...rewriting.tables],
    data: { writing: writing.data, loading: loading.data, rewriting: rewriting.data },
  };
}

// ---- writing -----------------------------------------------------------------------------------

/** One server. */
interface Candidate {
  readonly name: string;
  readonly policy: Policy;
  readonly server: Program;
}

async function measureWriting(bench: Bench): Promise<Findings> {
  const { options, programs } = bench;
  const rates = await sampleSideBySide<Candidate, number>(bench, {
    perStart: ROUNDS_PER_START,
    depths: DEPTHS,
    start: () => startStopped(bench),
    nameOf: ({ name }) => name,
    measure(candidate, depth, requests) {
      const divisor = (candidate.policy === "always" ? ALWAYS_DIVISOR : 1) *
        (options.quick ? QUICK_DIVISOR : 1);
      return measureAlone(candidate, Math.round(requests / divisor), depth);
    },
    async stop(candidates) {
      for (const { server } of candidates) server.signal("SIGCONT");
      await programs.stop(...candidates.map(({ server }) => server));
    },
  });
  return writingFindings(rates);
}

/** Every maker with every policy, its keys written and its process stopped. */
async function startStopped({ makers, programs, say }: Bench): Promise<Candidate[]> {
  const candidates: Candidate[] = [];
  for (const maker of makers) {
    for (const policy of POLICIES) {
      const name = `${maker} ${policy}`;
      const server = await programs.start(maker, settings(policy));
      candidates.push({ name, policy, server });
      say(`filling: ${name}`);
      using client = await Client.connect(server.port);
      await client.load({ keys: KEY_RANGE, valueBytes: VALUE_BYTES });
      await putToRest(candidates.at(-1)!);
    }
  }
  return candidates;
}

/** The rate of a server that is stopped before and after: neither timers nor threads of the others run. */
async function measureAlone(
  candidate: Candidate,
  requests: number,
  pipeline: number,
): Promise<number> {
  const { server } = candidate;
  server.signal("SIGCONT");
  await sleep(WAKE_MS);
  const { port } = server;
  const rate = await redisBenchmark({ port, command: ["-t", "set"], requests, pipeline });
  await putToRest(candidate);
  return rate;
}

/** Stops a server when its file is rewritten and all is synced. */
async function putToRest({ policy, server }: Candidate): Promise<void> {
  if (policy !== "off") {
    using client = await Client.connect(server.port);
    await rewrite(client);
  }
  await sleep(REST_MS);
  server.signal("SIGSTOP");
}

function writingFindings(rates: Map<string, number[]>): Findings {
  const of = (maker: Maker, policy: Policy, depth: number) =>
    rates.get(`${maker} ${policy} ${depth}`) ?? [];
  const over = (these: number[], those: number[]) =>
    summarize(these.map((rate, round) => rate / (those[round] ?? NaN)));
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  const add = (name: string, these: number[], those: number[]) => {
    const ratio = over(these, those);
    rows.push([name, ratioText(ratio), thousands(median(these)), thousands(median(those))]);
    data[name] = { ratio, these, those };
  };
  for (const { depth } of DEPTHS) {
    const at = depth === 1 ? "no pipeline" : `pipeline of ${depth}`;
    for (const maker of ["shoal", "redis"] as const) {
      add(
        `${maker}: everysec / no file, ${at}`,
        of(maker, "everysec", depth),
        of(maker, "off", depth),
      );
    }
    for (const policy of ["everysec", "always"] as const) {
      add(
        `${policy}: shoal / redis, ${at}`,
        of("shoal", policy, depth),
        of("redis", policy, depth),
      );
    }
  }
  const columns = ["SET", "ratio (range)", "k/s", "of k/s"];
  return { tables: [{ title: "writing", table: { columns, rows } }], data };
}

// ---- loading -----------------------------------------------------------------------------------

async function measureLoading({ makers, programs, say }: Bench): Promise<Findings> {
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  for (const what of ["base", "increment"] as const) {
    const seconds = new Map<Maker, number>();
    for (const maker of makers) {
      say(`${maker}: loading ${LOAD_KEYS} keys as ${what}`);
      const { folder, bytes } = await makeFile({ maker, what, programs });
      const server = await programs.start(maker, settings("everysec"), folder);
      const took = await loadSeconds(server);
      await programs.stop(server);
      seconds.set(maker, took);
      data[`${maker} ${what}`] = { seconds: took, bytes, keys: LOAD_KEYS };
      const ratio = maker === "shoal" ? NaN : took / seconds.get("shoal")!;
      rows.push([
        `${maker}, ${what}`,
        fixed(took, 3),
        thousands(LOAD_KEYS / took),
        fixed(bytes / took / 1e6, 0),
        fixed(ratio),
      ]);
    }
  }
  const columns = ["", "seconds", "keys k/s", "MB/s", "shoal / redis"];
  return { tables: [{ title: "loading", table: { columns, rows } }], data };
}

/** A folder with an append-only file of `LOAD_KEYS` keys, and the bytes of its files. */
async function makeFile(
  { maker, what, programs }: {
    maker: Maker;
    what: "base" | "increment";
    programs: Bench["programs"];
  },
): Promise<{ folder: string; bytes: number }> {
  const server = await programs.start(maker, settings("everysec"));
  {
    using client = await Client.connect(server.port);
    await client.load({ keys: LOAD_KEYS, valueBytes: VALUE_BYTES });
    if (what === "base") await rewrite(client);
  }
  await programs.stop(server);
  let bytes = 0;
  for (const { name } of Deno.readDirSync(`${server.folder}/appendonlydir`)) {
    bytes += Deno.statSync(`${server.folder}/appendonlydir/${name}`).size;
  }
  return { folder: server.folder, bytes };
}

async function rewrite(client: Client): Promise<void> {
  await client.ask("BGREWRITEAOF");
  do await sleep(LOOK_MS); while (
    await client.figure("persistence", "aof_rewrite_in_progress") > 0
  );
}

/** How long the load took, as the log says. */
async function loadSeconds(server: Program): Promise<number> {
  const pattern = server.maker === "shoal"
    ? /append-only file loaded .*seconds=([\d.]+)/
    : /DB loaded from append only file: ([\d.]+) seconds/;
  return Number((await server.printed(pattern))[1]);
}

// ---- rewriting ---------------------------------------------------------------------------------

async function measureRewriting({ makers, options, programs, say }: Bench): Promise<Findings> {
  const rows: string[][] = [];
  const data: Record<string, unknown> = {};
  for (const maker of makers) {
    say(`${maker}: rewriting ${REWRITE_KEYS} keys under writes`);
    const server = await programs.start(maker, settings("everysec"));
    using client = await Client.connect(server.port);
    await client.load({ keys: REWRITE_KEYS, valueBytes: VALUE_BYTES });
    await rewrite(client); // the first one starts a worker
    await using core = maker === "shoal" ? await OwnCore.give(server) : null;
    const load = startRedisBenchmark({
      port: server.port,
      command: ["-t", "set"],
      requests: ENDLESS,
      pipeline: 16,
      givesWay: true,
    });
    await sleep(1_000);
    const usualMs: number[] = [];
    const rewrites: Rewrite[] = [];
    let stolenMs = 0;
    for (let i = 0; i < (options.quick ? QUICK_REWRITES : REWRITES); i++) {
      await client.ask("CONFIG", "RESETSTAT");
      await sleep(BASELINE_MS);
      if (maker === "shoal") usualMs.push(await longestWorkMs(client));
      const stolenBeforeMs = core?.stolenMs() ?? NaN;
      rewrites.push(await rewriteWatched(server, client));
      stolenMs += (core?.stolenMs() ?? NaN) - stolenBeforeMs;
    }
    load.stop();
    await programs.stop(server);
    data[maker] = { rewrites, usualMs, stolenMs };
    rows.push([
      maker === "shoal" ? "shoal, longest work" : "redis, fork",
      spread(rewrites.map(({ longestMs }) => longestMs)),
      maker === "shoal" ? spread(usualMs) : "-",
      Number.isNaN(stolenMs) ? "-" : fixed(stolenMs, 0),
      mebibytes(Math.max(...rewrites.map(({ addedBytes }) => addedBytes))),
      fixed(median(rewrites.map(({ seconds }) => seconds)), 1),
    ]);
  }
  const table: Table = {
    columns: ["", "ms, least / median / most", "without", "stolen", "added MiB, most", "rewrite s"],
    rows,
  };
  return { tables: [{ title: "rewriting under full write load", table }], data };
}

/** Rewrites, and watches what that costs. */
async function rewriteWatched(server: Program, client: Client): Promise<Rewrite> {
  const { maker } = server;
  const before = server.rssBytes();
  await client.ask("CONFIG", "RESETSTAT");
  const began = performance.now();
  let most = 0;
  await client.ask("BGREWRITEAOF");
  do {
    await sleep(LOOK_MS);
    most = Math.max(most, server.rssBytes());
  } while (await client.figure("persistence", "aof_rewrite_in_progress") > 0);
  const seconds = (performance.now() - began) / 1000;
  if (maker === "shoal") {
    return { seconds, longestMs: await longestWorkMs(client), addedBytes: most - before };
  }
  return {
    seconds,
    longestMs: await client.figure("stats", "latest_fork_usec") / 1000,
    addedBytes: await client.figure("persistence", "aof_last_cow_size"),
  };
}

function spread(times: readonly number[]): string {
  const [least, middle, most] = [Math.min(...times), median(times), Math.max(...times)];
  return `${fixed(least, 1)} / ${fixed(middle, 1)} / ${fixed(most, 1)}`;
}

function longestWorkMs(client: Client): Promise<number> {
  return client.figure("stats", "eventloop_longest_work_usec").then((us) => us / 1000);
}
