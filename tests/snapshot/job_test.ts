import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Arena } from "../../src/memory/arena.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { KevySnapReader } from "../../src/snapshot/kevysnap_reader.ts";
import type { FrozenViewData } from "../../src/snapshot/entries.ts";
import { SnapshotJob, SnapshotJobError, type SnapshotJobOptions } from "../../src/snapshot/job.ts";
import type { SnapshotSpec } from "../../src/snapshot/messages.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { SnapshotWorkerPool, type WorkerPoolOptions } from "../../src/snapshot/worker_pool.ts";
import { assertSameItems, concat, type Item, item, MemorySink, Random } from "./support.ts";

const RDB: SnapshotSpec = {
  format: "rdb",
  options: { compress: true, checksum: true, aux: [["shoal-history", "abc"]] },
};
const KEVYSNAP: SnapshotSpec = { format: "kevysnap" };

function keyspaceOf(items: readonly Item[]): Keyspace {
  const keys = new Keyspace(new Arena(64 * 1024 * 1024), 16, { k0: 1, k1: 2 });
  for (const i of items) store(keys, i);
  return keys;
}

/** A view of these items that nobody ends: any number of jobs may read it. */
function viewOf(items: readonly Item[]): FrozenViewData {
  return keyspaceOf(items).freeze();
}

function store(keys: Keyspace, i: Item): void {
  const a = keys.lookupWrite(i.db, i.key, 0, i.key.length);
  const { db, key, value, expireAtMs } = i;
  keys.storeString(db, a, key, 0, key.length, value, 0, value.length, expireAtMs);
}

function someItems(seed: number, count = 3000): Item[] {
  const random = new Random(seed);
  const items = [item("big", random.bytes(700_000)), item("in db 2", "two", -1, 2)];
  for (let i = 0; i < count; i++) {
    const value = i % 2 === 0 ? random.bytes(random.below(400)) : random.repetitive(i);
    items.push(item(`key:${i}`, value, i % 5 === 0 ? 4_000_000_000_000 + i : -1));
  }
  return items;
}

/** Runs with a pool and closes it, so that no worker outlives its test. */
async function withPool(
  options: WorkerPoolOptions,
  run: (pool: SnapshotWorkerPool) => Promise<void>,
): Promise<void> {
  const pool = new SnapshotWorkerPool(options);
  try {
    await run(pool);
  } finally {
    pool.close();
  }
}

/** A worker of a few lines, for those that misbehave. */
function spawnScript(script: string): () => Worker {
  const url = `data:application/javascript,${encodeURIComponent(script)}`;
  return () => new Worker(url, { type: "module", deno: { permissions: "none" } });
}

/**
 * What happens to two jobs, one after the other, in a program of their own: a crashing worker's
 * error is printed by Deno itself, and a sandbox is a program's. `pool` is the pool's options.
 */
async function jobsInProgram(pool: string): Promise<string[]> {
  const script = `
    import { SnapshotJob, SnapshotWorkerPool } from "./src/snapshot/job.ts";
    const spawnScript = ${spawnScript};
    const memory = new SharedArrayBuffer(8);
    const none = new Float64Array(0);
    const view = { memory, epoch: 1, roots: new Int32Array(0), sizes: none, volatileSizes: none };
    const pool = new SnapshotWorkerPool(${pool});
    const spec = { format: "kevysnap" };
    for (let round = 0; round < 2; round++) {
      let released = 0;
      const viewReleased = () => released++;
      const job = SnapshotJob.start(pool, { view, spec, sink() {}, viewReleased });
      const fault = await job.done.then(() => "none", (error) => error.fault + " " + error.message);
      const { started, crashed, running } = pool;
      console.log([fault, released, started, crashed, running].join("|"));
    }
    pool.close();
  `;
  const program = new Deno.Command(Deno.execPath(), {
    args: ["run", "-q", "--no-prompt", "--no-check", "--ext=js", "-"],
    cwd: new URL("../../", import.meta.url),
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const stdin = program.stdin.getWriter();
  await stdin.write(ascii(script));
  await stdin.close();
  const { stdout, stderr, code } = await program.output();
  assertEquals(code, 0, latin1(stdout) + latin1(stderr));
  return latin1(stdout).trim().split("\n");
}

/** A job whose image is collected. */
function collect(pool: SnapshotWorkerPool, options: Omit<SnapshotJobOptions, "sink">) {
  const parts: Uint8Array[] = [];
  const sink = (chunk: Uint8Array) => void parts.push(chunk.slice());
  const job = SnapshotJob.start(pool, { sink, ...options });
  return { job, image: () => concat(parts) };
}

Deno.test("a worker makes an image of a frozen keyspace that goes on changing", async () => {
  const items = someItems(71);
  const keys = keyspaceOf(items);
  await withPool({}, async (pool) => {
    const view = keys.freeze();
    let released = 0;
    const { job, image } = collect(pool, {
      view,
      spec: RDB,
      viewReleased: () => {
        released++;
        keys.thaw();
      },
    });
    for (const i of items) store(keys, { ...i, value: new Uint8Array(10), expireAtMs: -1 });
    const totals = await job.done;
    assertEquals(released, 1);
    assertEquals([totals.keys, totals.bytes], [items.length, image().length]);
    assert(totals.chunks >= totals.bytes / 65_536);
    assertEquals([job.keys, job.bytes, job.chunks], [totals.keys, totals.bytes, totals.chunks]);
    const stored = [...image().slice(-8)].reverse();
    assertEquals(totals.checksum, stored.map((b) => b.toString(16).padStart(2, "0")).join(""));
    const sink = new MemorySink();
    const reader = new RdbReader(sink);
    reader.push(image());
    reader.end();
    assertSameItems(sink.items, items, "frozen");
    assertEquals(sink.facts, [["shoal-history", "abc"]]);
  });
});

Deno.test("a warm worker serves many jobs, of both formats, without a second start", async () => {
  const items = someItems(72, 300).filter((i) => i.db === 0);
  const view = viewOf(items);
  await withPool({}, async (pool) => {
    for (let round = 0; round < 6; round++) {
      const spec = round % 2 === 0 ? RDB : KEVYSNAP;
      const { job, image } = collect(pool, { view, spec });
      await job.done;
      const sink = new MemorySink();
      const reader = round % 2 === 0 ? new RdbReader(sink) : new KevySnapReader(sink, { nowMs: 0 });
      reader.push(image());
      reader.end();
      assertSameItems(sink.items, items, `round ${round}`);
    }
    assertEquals([pool.started, pool.crashed, pool.running], [1, 0, 1]);
  });
});

Deno.test("a sink that does not take its chunk holds the worker at its window", async () => {
  const view = viewOf([item("big", new Random(73).bytes(4 << 20))]);
  await withPool({}, async (pool) => {
    const gate = Promise.withResolvers<void>();
    let chunks = 0, isBusy = false;
    const job = SnapshotJob.start(pool, {
      view,
      spec: KEVYSNAP,
      creditWindow: 4,
      sink: async () => {
        assert(!isBusy, "one chunk at a time");
        isBusy = true;
        if (++chunks === 2) await gate.promise;
        else await new Promise((resolve) => setImmediate(resolve));
        isBusy = false;
      },
    });
    // A job beside it tells when the machine has had time to send more, had it wanted to.
    for (let i = 0; i < 3; i++) await collect(pool, { view, spec: RDB }).job.done;
    assertEquals([chunks, job.chunks], [2, 1]);
    gate.resolve();
    const totals = await job.done;
    assertEquals(totals.chunks, Math.ceil(totals.bytes / 65_536));
  });
});

Deno.test("a sink may give a chunk's buffer away, and the job goes on", async () => {
  const items = [item("big", new Random(74).bytes(3 << 20))];
  const view = viewOf(items);
  await withPool({}, async (pool) => {
    const parts: Uint8Array[] = [];
    const job = SnapshotJob.start(pool, {
      view,
      spec: KEVYSNAP,
      creditWindow: 2,
      sink: (chunk) => {
        const { length } = chunk;
        parts.push(new Uint8Array(chunk.buffer.transfer(), 0, length));
      },
    });
    await job.done;
    const sink = new MemorySink();
    new KevySnapReader(sink, { nowMs: 0 }).push(concat(parts));
    assertSameItems(sink.items, items, "given away");
  });
});

Deno.test("abort ends a job that has begun, in its sink, and the worker serves on", async () => {
  const view = viewOf([item("big", new Random(75).bytes(8 << 20))]);
  await withPool({}, async (pool) => {
    const never = Promise.withResolvers<void>();
    const began = Promise.withResolvers<void>();
    let released = 0, chunks = 0;
    const job = SnapshotJob.start(pool, {
      view,
      spec: RDB,
      viewReleased: () => released++,
      sink: () => {
        chunks++;
        began.resolve();
        return never.promise;
      },
    });
    await began.promise;
    job.abort("the replica has left");
    job.abort("twice");
    const error = await assertRejects(() => job.done, SnapshotJobError, "the replica has left");
    assertEquals([error.fault, released, chunks], ["aborted", 1, 1]);

    const { job: next, image } = collect(pool, { view, spec: RDB });
    const totals = await next.done;
    assertEquals([totals.bytes, pool.started], [image().length, 1]);
    never.resolve();
  });
});

Deno.test("abort before the worker has begun, and after the end, is harmless", async () => {
  const view = viewOf(someItems(76, 10));
  await withPool({ workersMax: 1 }, async (pool) => {
    let released = 0;
    const options = { spec: RDB, viewReleased: () => released++ };
    const first = collect(pool, { view, ...options });
    const second = collect(pool, { view, ...options });
    assertEquals(pool.waiting, 1);
    second.job.abort("not needed any more");
    assertEquals(released, 1, "nobody reads the view of a job in line");
    await assertRejects(() => second.job.done, SnapshotJobError, "not needed any more");
    await first.job.done;
    first.job.abort("too late");
    await first.job.done;
    assertEquals([released, second.image().length], [2, 0]);
    await collect(pool, { view, ...options }).job.done;
    assertEquals([pool.started, pool.waiting], [1, 0]);
  });
});

Deno.test("jobs beyond the number of workers wait and are all done", async () => {
  const view = viewOf(someItems(77, 200));
  await withPool({ workersMax: 2 }, async (pool) => {
    const jobs = Array.from({ length: 7 }, () => collect(pool, { view, spec: RDB }));
    assertEquals(pool.waiting, 5);
    await Promise.all(jobs.map(({ job }) => job.done));
    for (const { image } of jobs) assertEquals(image(), jobs[0].image());
    assertEquals([pool.started, pool.running, pool.waiting], [2, 2, 0]);
  });
});

Deno.test("a sink that throws ends the job with its error as the cause", async () => {
  const view = viewOf(someItems(78));
  await withPool({}, async (pool) => {
    const cause = new Deno.errors.BrokenPipe("peer is gone");
    for (
      const sink of [() => Promise.reject(cause), () => {
        throw cause;
      }]
    ) {
      let released = 0;
      const viewReleased = () => released++;
      const job = SnapshotJob.start(pool, { view, spec: RDB, sink, viewReleased });
      const error = await assertRejects(() => job.done, SnapshotJobError, "peer is gone");
      assertEquals([error.fault, error.cause, released], ["sinkFailed", cause, 1]);
    }
    assertEquals([pool.started, pool.crashed], [1, 0]);
  });
});

Deno.test("what cannot be written fails the job with the writer's words", async () => {
  const view = viewOf([item("k", "v", -1, 3)]);
  await withPool({}, async (pool) => {
    const { job } = collect(pool, { view, spec: KEVYSNAP });
    const error = await assertRejects(() => job.done, SnapshotJobError, "database 0 only");
    assertEquals(error.fault, "unwritable");
    const { job: next } = collect(pool, { view, spec: RDB });
    assertEquals([(await next.done).keys, pool.started], [1, 1]);
  });
});

Deno.test("a worker that crashes fails its job, not the program, and is replaced", async () => {
  const crash = "throw new Error('out of cheese')";
  const ready = "postMessage({ kind: 'ready' });";
  for (
    const script of [
      `${ready} onmessage = () => { ${crash}; }`,
      `${ready} onmessage = () => setTimeout(() => { ${crash}; }, 0)`,
    ]
  ) {
    const said = await jobsInProgram(`{ spawn: spawnScript(${JSON.stringify(script)}) }`);
    const text = "workerCrashed the snapshot was not finished: Uncaught Error: out of cheese";
    assertEquals(said, [`${text}|1|1|1|0`, `${text}|1|2|2|0`], script);
  }
});

Deno.test("a worker that is silent is given up, and ended", async () => {
  const view = viewOf([]);
  const busy = "onmessage = () => { while (true); }";
  for (const script of [busy, "onmessage = () => {}"]) {
    await withPool({ spawn: spawnScript(script) }, async (pool) => {
      let released = 0;
      const { job } = collect(pool, {
        view,
        spec: RDB,
        stallMs: 20,
        viewReleased: () => released++,
      });
      const error = await assertRejects(() => job.done, SnapshotJobError, "silent for 20 ms");
      assertEquals([error.fault, released, pool.terminated, pool.running], [
        "workerSilent",
        1,
        1,
        0,
      ]);
    });
  }
});

Deno.test("a worker that does not answer an abort is ended", async () => {
  const view = viewOf([]);
  const spawn = spawnScript("onmessage = () => { while (true); }");
  await withPool({ spawn }, async (pool) => {
    const { job } = collect(pool, { view, spec: RDB, abortAnswerMs: 20 });
    await Promise.resolve(); // the worker is the job's from here on
    job.abort("enough");
    const error = await assertRejects(() => job.done, SnapshotJobError, "enough");
    assertEquals([error.fault, pool.terminated, pool.running], ["aborted", 1, 0]);
  });
});

Deno.test("a worker that cannot be started fails the job with the reason", async () => {
  const text = "notStarted the snapshot was not finished:";
  const cheese = "throw new Error('out of cheese')";
  assertEquals(await jobsInProgram(`{ spawn() { ${cheese}; } }`), [
    `${text} out of cheese|1|0|0|0`,
    `${text} out of cheese|1|0|0|0`,
  ]);
  const [loading] = await jobsInProgram(`{ spawn: spawnScript(${JSON.stringify(cheese)}) }`);
  assertMatch(loading, /^notStarted .*out of cheese\|1\|1\|1\|0$/);
});

Deno.test("a sandbox that forbids the worker's file fails the job with the flag to allow it", async () => {
  const [said] = await jobsInProgram("{}");
  assertMatch(said, /^notStarted .*Requires read access to ".*worker\.ts".*--allow-read/);
  assertMatch(said, /\|1\|1\|1\|0$/);
});

Deno.test("an idle worker is ended after a while, and a later job starts another", async () => {
  const view = viewOf(someItems(79, 5));
  await withPool({ idleMs: 0 }, async (pool) => {
    await collect(pool, { view, spec: RDB }).job.done;
    while (pool.running > 0) await new Promise((resolve) => setTimeout(resolve, 0));
    await collect(pool, { view, spec: RDB }).job.done;
    assertEquals([pool.started, pool.crashed, pool.terminated], [2, 0, 0]);
  });
});

Deno.test("a worker touches fresh memory, with a job and without; nobody does without a worker", async () => {
  const bytes = 64 * 1_048_576;
  const kept: SharedArrayBuffer[] = []; // memory that is freed meanwhile would hide what is added
  const touched = async (pool: SnapshotWorkerPool) => {
    const memory = new SharedArrayBuffer(bytes);
    kept.push(memory);
    const before = Deno.memoryUsage().rss;
    if (!pool.touch(memory, 0, bytes)) return false;
    while (Deno.memoryUsage().rss - before < bytes * 0.9) {
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
    return true;
  };
  const view = viewOf(someItems(81, 500));
  await withPool({ workersMax: 1 }, async (pool) => {
    assertEquals(await touched(pool), false);
    pool.warm();
    assertEquals(await touched(pool), true);
    const { job } = collect(pool, { view, spec: RDB });
    assertEquals(await touched(pool), true);
    await job.done;
    assertEquals([pool.started, pool.crashed], [1, 0]);
  });
});

Deno.test("closing the pool ends its jobs and refuses new ones", async () => {
  const view = viewOf(someItems(80));
  await withPool({ workersMax: 1 }, async (pool) => {
    const first = collect(pool, { view, spec: RDB });
    const second = collect(pool, { view, spec: RDB });
    pool.close();
    const one = await assertRejects(() => first.job.done, SnapshotJobError);
    assertStringIncludes(one.message, "shut down");
    const two = await assertRejects(() => second.job.done, SnapshotJobError, "shut down");
    assertEquals(two.fault, "notStarted");
    assertEquals(pool.running, 0);
  });
});
