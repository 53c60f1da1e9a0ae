/**
 * `deno task demo`: replication in some ten seconds, on real servers. A primary with two shards, a
 * replica, live writes; the link is cut and the replica resumes; the backlog is overrun and a snapshot
 * is shipped; at the end both hold the same. Exits with 1 when any of it did not happen.
 *
 * @module
 */

import { Client, encode, sleep } from "../bench/client.ts";
import { type Program, Programs } from "../bench/programs.ts";
import { Random } from "../support/random.ts";
import { Link } from "./link.ts";
import { count, type Positions, Stage } from "./stage.ts";

const SHARDS = 2;
/** Longest wait for anything that is to happen. */
const PATIENCE_MS = 10_000;
/** Time between two looks at what is awaited. */
const LOOK_MS = 20;
/** Time between two rows. */
const ROW_MS = 400;
/** Writes of one batch, a batch every so many ms: about ten thousand a second. */
const BATCH = 100;
const BATCH_MS = 10;
/** What the backlog holds in the second half, and what overruns it. */
const SMALL_BACKLOG = "1mb";
const FLOOD_BATCHES = 150;
const FLOOD_VALUE_BYTES = 400;

class StoryError extends Error {}

/** Both servers, and what can be asked of them. */
class Pair {
  readonly #primary: Client;
  readonly #replica: Client;

  constructor(primary: Client, replica: Client) {
    this.#primary = primary;
    this.#replica = replica;
  }

  async positions(): Promise<Positions> {
    // The replica first: what the primary writes in between must not make it look ahead.
    const lower = await this.#replica.info("replication");
    const upper = await this.#primary.info("replication");
    const shards = Array.from({ length: SHARDS }, (_, i) => i);
    const up = lower.get("master_link_status") === "up";
    const syncing = lower.get("master_sync_in_progress") === "1";
    return {
      primary: shards.map((i) => field(upper, `shard${i}_offsets`, "next")),
      oldest: shards.map((i) => field(upper, `shard${i}_offsets`, "oldest")),
      replica: shards.map((i) => field(lower, `master_shard${i}`, "next")),
      link: syncing ? "snapshot" : up ? "up" : "down",
    };
  }

  /** How often replicas got a snapshot, and how often they went on where they were. */
  async syncs(): Promise<{ full: number; partial: number; aborted: number }> {
    const stats = await this.#primary.info("stats");
    return {
      full: Number(stats.get("sync_full")),
      partial: Number(stats.get("sync_partial_ok")),
      aborted: Number(stats.get("sync_full_aborted")),
    };
  }
}

/** One number of a line like `shard0_offsets:history=...,oldest=3,next=7`. */
function field(info: Map<string, string>, line: string, name: string): number {
  const found = info.get(line)?.split(",").find((part) => part.startsWith(`${name}=`));
  return found === undefined ? 0 : Number(found.slice(name.length + 1));
}

/** A client that keeps writing. */
class Writer {
  writes = 0;
  readonly #client: Client;
  readonly #random = new Random(2026);
  #running: Promise<void> | null = null;
  #stopped = false;

  constructor(client: Client) {
    this.#client = client;
  }

  async batch(valueBytes: number): Promise<void> {
    const parts: Uint8Array[] = [];
    for (let i = 0; i < BATCH; i++) {
      const key = `user:${this.#random.below(50_000)}`;
      parts.push(encode(["SET", key, `${this.writes + i} `.padEnd(valueBytes, "~")]));
    }
    await this.#client.pipeline(parts, BATCH);
    this.writes += BATCH;
  }

  start(): void {
    this.#stopped = false;
    this.#running = (async () => {
      while (!this.#stopped) {
        await this.batch(64);
        await sleep(BATCH_MS);
      }
    })();
    this.#running.catch(() => {}); // `stop` hears of it
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }
}

async function tell(programs: Programs, stage: Stage): Promise<void> {
  stage.title("shoal: two shards, one replica, a cut link, an overrun backlog");

  stage.act("A primary with two shards starts");
  const settings = ["--shards", String(SHARDS), "--save", ""];
  const primary = await programs.shoal(settings);
  const last = primary.replicationPortBase + SHARDS - 1;
  stage.note(`clients   127.0.0.1:${primary.port}`);
  stage.note(
    `replicas  127.0.0.1:${primary.replicationPortBase} to ${last}, a port for each shard`,
  );

  stage.act("A replica follows it, over a link that can be cut");
  const link = new Link(primary, SHARDS);
  try {
    await replicate(programs, stage, primary, link, settings);
  } finally {
    link.close();
  }
}

async function replicate(
  programs: Programs,
  stage: Stage,
  primary: Program,
  link: Link,
  settings: readonly string[],
): Promise<void> {
  const replica = await programs.shoal([...settings, "--replicaof", `127.0.0.1 ${link.port}`]);
  stage.note(`clients   127.0.0.1:${replica.port}`);
  using upper = await Client.connect(primary.port);
  using lower = await Client.connect(replica.port);
  using pen = await Client.connect(primary.port);
  const pair = new Pair(upper, lower);
  const writer = new Writer(pen);

  const show = async () => {
    const positions = await pair.positions();
    stage.row(positions);
    return positions;
  };
  const showFor = async (ms: number) => {
    for (let left = ms; left > 0; left -= ROW_MS) {
      await sleep(ROW_MS);
      await show();
    }
  };
  const until = async (what: string, isTrue: () => Promise<boolean>, rows = false) => {
    const began = performance.now();
    let shown = began;
    while (!await isTrue()) {
      const now = performance.now();
      if (now - began > PATIENCE_MS) throw new StoryError(`not in ${PATIENCE_MS} ms: ${what}`);
      if (rows && now - shown >= ROW_MS) {
        shown = now;
        await show();
      }
      await sleep(LOOK_MS);
    }
  };
  const isEqual = async () => {
    const { primary, replica, link } = await pair.positions();
    return link === "up" && primary.every((offset, i) => offset === replica[i]);
  };
  const expect = (what: string, found: number, wanted: number) => {
    if (found !== wanted) throw new StoryError(`${what} is ${found}, not ${wanted}`);
  };

  await until("the replica streams from both shards", isEqual);
  stage.fact("both shards stream");

  stage.act("Live writes: about ten thousand a second");
  stage.heading(SHARDS);
  writer.start();
  await showFor(2_000);

  stage.act("The link is cut, and writes go on");
  stage.heading(SHARDS);
  const before = await pair.syncs();
  link.cut();
  await showFor(2_000);
  link.restore();
  stage.note("the link is whole again");
  await until("the link comes up", async () => (await pair.positions()).link === "up", true);
  await showFor(800);
  const resumed = await pair.syncs();
  expect("sync_full", resumed.full, before.full);
  expect("sync_partial_ok", resumed.partial, before.partial + SHARDS);
  stage.fact(`each shard went on where it was: ${SHARDS} partial resyncs, no snapshot`);

  stage.act(`The backlog shrinks to ${SMALL_BACKLOG}, the link is cut, the backlog is overrun`);
  await writer.stop();
  await until("the replica has everything", isEqual);
  await upper.ask("CONFIG", "SET", "repl-backlog-size", SMALL_BACKLOG);
  stage.heading(SHARDS);
  link.cut();
  for (let i = 0; i < FLOOD_BATCHES; i++) {
    await writer.batch(FLOOD_VALUE_BYTES);
    if (i % 50 === 49) await show();
  }
  const { oldest, replica: needed } = await pair.positions();
  oldest.forEach((offset, i) => {
    if (offset <= needed[i]) throw new StoryError(`shard ${i}'s backlog was not overrun`);
    stage.note(
      `shard ${i} keeps frames from ${count(offset)} on; the replica needs ${count(needed[i])}`,
    );
  });

  stage.act("Whole again: the missing frames are gone, so a snapshot is shipped");
  writer.start();
  stage.heading(SHARDS);
  link.restore();
  await until("a snapshot has arrived and the link is up", async () => {
    const { link } = await pair.positions();
    return link === "up" && (await pair.syncs()).full > resumed.full;
  }, true);
  await showFor(1_200);
  const shipped = await pair.syncs();
  expect("sync_full", shipped.full, resumed.full + SHARDS);
  expect("sync_full_aborted", shipped.aborted, 0);
  stage.fact(`${SHARDS} snapshots, one a shard, each at the first attempt, while writes went on`);

  stage.act("The writer stops: do both hold the same?");
  await writer.stop();
  await until("the replica has everything", isEqual);
  stage.heading(SHARDS);
  await show();
  const digests = [await upper.text("DEBUG", "DIGEST"), await lower.text("DEBUG", "DIGEST")];
  stage.note(`primary   ${digests[0]}`);
  stage.note(`replica   ${digests[1]}`);
  if (digests[0] !== digests[1]) throw new StoryError("the digests differ");
  const keys = Number(await lower.ask("DBSIZE"));
  stage.fact(`${count(keys)} keys after ${count(writer.writes)} writes, the same on both`);
}

const programs = await Programs.open();
const stage = new Stage();
let failure: unknown = null;
const interrupted = async () => {
  await programs.close();
  Deno.exit(130);
};
Deno.addSignalListener("SIGINT", interrupted);
Deno.addSignalListener("SIGTERM", interrupted);
try {
  await tell(programs, stage);
} catch (error) {
  failure = error;
  const text = error instanceof StoryError ? error.message : String(error);
  stage.failure(`the story did not happen: ${text}`);
} finally {
  await programs.close();
}
stage.title(
  `${failure === null ? "done" : "over"} in ${stage.seconds()} s; both servers are stopped`,
);
Deno.exit(failure === null ? 0 : 1);
