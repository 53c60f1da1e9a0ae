import { assert, assertEquals } from "@std/assert";
import { ChunkServer } from "../../src/snapshot/chunk_server.ts";
import type { FrozenViewData } from "../../src/snapshot/entries.ts";
import { KevySnapWriter } from "../../src/snapshot/kevysnap.ts";
import type { FromWorker, SnapshotSpec } from "../../src/snapshot/messages.ts";
import { concat, FakeEntries, type Item, item, pullAll, Random } from "./support.ts";

const VIEW: FrozenViewData = {
  memory: new SharedArrayBuffer(8),
  epoch: 1,
  roots: new Int32Array(1),
  sizes: new Float64Array(1),
  volatileSizes: new Float64Array(1),
};
const KEVYSNAP: SnapshotSpec = { format: "kevysnap" };

/** A server whose turns and messages the test sees; `run` takes as many turns as there are. */
function bench(items: readonly Item[]) {
  const sent: FromWorker[] = [];
  const turns: (() => void)[] = [];
  const server = new ChunkServer({
    post: (message) => sent.push(message),
    soon: (turn) => turns.push(turn),
    open: () => new FakeEntries(items),
  });
  const run = () => {
    while (turns.length > 0) turns.shift()!();
    return sent.splice(0);
  };
  return { server, turns, run };
}

function start(job: number, credits: number, spec: SnapshotSpec = KEVYSNAP, chunkBytes = 1000) {
  return { kind: "start", job, view: VIEW, spec, credits, chunkBytes } as const;
}

const random = new Random(61);
const ITEMS = [item("a", random.bytes(2500)), item("b", "x"), item("c", random.bytes(900))];

Deno.test("a worker sends one chunk per credit, then its totals", () => {
  const { server, run } = bench(ITEMS);
  server.receive(start(7, 2));
  const parts: Uint8Array[] = [];
  let sent = run();
  assertEquals(sent.map((m) => m.kind), ["chunk", "chunk"]);
  for (let round = 0; round < 10 && sent.length > 0; round++) {
    for (const message of sent) {
      assertEquals(message.job, 7);
      if (message.kind !== "chunk") continue;
      parts.push(new Uint8Array(message.buffer, 0, message.bytes).slice());
      server.receive({ kind: "credit", job: 7, buffer: message.buffer });
    }
    const done = sent.find((m) => m.kind === "done");
    if (done) {
      const image = pullAll(new KevySnapWriter(new FakeEntries(ITEMS)));
      assertEquals(concat(parts), image);
      assertEquals(done, {
        kind: "done",
        job: 7,
        bytes: image.length,
        keys: 3,
        checksum: "0000000000000000",
      });
      return;
    }
    sent = run();
  }
  throw new Error("no end");
});

Deno.test("buffers that come back are filled again", () => {
  const { server, run } = bench(ITEMS);
  server.receive(start(1, 1));
  const buffers = new Set<ArrayBuffer>();
  for (let sent = run(); sent[0]?.kind === "chunk"; sent = run()) {
    buffers.add(sent[0].buffer);
    server.receive({ kind: "credit", job: 1, buffer: sent[0].buffer });
  }
  assertEquals(buffers.size, 1);
});

Deno.test("an abort is heard between two chunks, and the next job starts from its beginning", () => {
  const { server, turns, run } = bench(ITEMS);
  server.receive(start(1, 16));
  turns.shift()!();
  server.receive({ kind: "abort", job: 1 });
  assertEquals(run().map((m) => m.kind), ["chunk", "aborted"]);
  server.receive({ kind: "abort", job: 1 });
  server.receive({ kind: "credit", job: 1, buffer: null });
  assertEquals(run(), []);
  server.receive(start(2, 16));
  const sent = run();
  assert(sent.every((m) => m.job === 2));
  assertEquals(sent.map((m) => m.kind), ["chunk", "chunk", "chunk", "chunk", "done"]);
});

Deno.test("what a format cannot express fails the job, and the worker goes on", () => {
  const { server, run } = bench([item("a", "b", -1, 5)]);
  server.receive(start(1, 4));
  assertEquals(run(), [{
    kind: "failed",
    job: 1,
    name: "UnwritableEntryError",
    message: "KEVYSNAP holds database 0 only, and database 5 has 1 keys",
  }]);
  const options = { compress: false, checksum: true, aux: [] };
  server.receive(start(2, 4, { format: "rdb", options }));
  assertEquals(run().map((m) => m.kind), ["chunk", "done"]);
});

Deno.test("a second job while one is under way fails, and the first goes on", () => {
  const { server, run } = bench(ITEMS);
  server.receive(start(1, 16));
  server.receive(start(2, 16));
  const sent = run();
  assertEquals(sent.filter((m) => m.job === 2).map((m) => m.kind), ["failed"]);
  assertEquals(sent.at(-1)?.kind, "done");
});

Deno.test("an image that ends with a full chunk is done all the same", () => {
  const image = pullAll(new KevySnapWriter(new FakeEntries(ITEMS)));
  const { server, run } = bench(ITEMS);
  server.receive(start(1, 16, KEVYSNAP, image.length));
  assertEquals(run().map((m) => m.kind), ["chunk", "done"]);
});

Deno.test("fresh memory is touched when it is asked for, in the middle of a job, too", () => {
  const memory = new SharedArrayBuffer(64 * 1_048_576);
  const { server, run } = bench(ITEMS);
  server.receive(start(1, 1));
  const before = Deno.memoryUsage().rss;
  server.receive({ kind: "touch", memory, start: 0, stop: memory.byteLength });
  assert(Deno.memoryUsage().rss - before > memory.byteLength * 0.9);
  assertEquals(run().map(({ kind }) => kind), ["chunk"]);
});
