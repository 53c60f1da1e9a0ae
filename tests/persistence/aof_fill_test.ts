/** When a log fills its file ahead, when it cuts it, and that a loss of power takes nothing that was synced. */

import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Gate } from "../../src/base/gate.ts";
import { AofLog } from "../../src/persistence/aof_log.ts";
import type { AofParser } from "../../src/persistence/aof_parser.ts";
import { type AofReadResult, readIncrement } from "../../src/persistence/aof_read.ts";
import {
  FILLED_BYTES,
  filling,
  GROUP_BYTES_MAX,
  sealedEnd,
  unsealedLine,
} from "../../src/persistence/aof_seals.ts";
import {
  FILLED_GROUP_BYTES_MAX,
  FillingPace,
  RETRY_FILLING_MS,
  SYNCS_BEFORE_FILLING,
  SYNCS_BEFORE_FILLING_MAX,
} from "../../src/persistence/filling_pace.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";
import { until } from "../support/until.ts";

const DIR = "/data";
const PATH = "/data/a.aof";

interface Bench {
  readonly storage: PowerStorage;
  readonly log: AofLog;
  readonly clock: { nowMs: number };
  readonly said: (string | null)[];
  /** How often the file was to be filled, and whether there is no room for that. */
  readonly disk: { fills: number; isFull: boolean };
}

/** A log with `always` on a new file, or behind the first `bytes` of one. */
async function open(storage: PowerStorage, bytes = -1, path = PATH): Promise<Bench> {
  const clock = { nowMs: 1_000 };
  const said: (string | null)[] = [];
  const host = {
    nowMs: () => clock.nowMs,
    statusChanged: (reason: string | null) => void said.push(reason),
    mark: () => 0,
    synced: () => {},
    flushSoon: () => void setImmediate(() => log.flush()),
    tookSync: () => {},
  };
  const writing = bytes < 0 ? await storage.create(path) : await storage.append(path);
  await storage.syncDirectory(DIR);
  const disk = { fills: 0, isFull: false };
  const file = await storage.append(path);
  const seek = (byte: number): Promise<void> => {
    disk.fills++;
    return disk.isFull ? Promise.reject(new Error("No space left")) : file.seek(byte);
  };
  const handles = { writing, syncing: { ...file, seek } };
  const log = new AofLog(host, "always", path, handles, Math.max(0, bytes));
  return { storage, log, clock, said, disk };
}

function newStorage(seed = testSeed(41)): PowerStorage {
  const storage = new PowerStorage(new Random(seed));
  storage.addDirectory(DIR);
  return storage;
}

/** Frame `n`: a command with a value of so many bytes. */
function frame(n: number, bytes: number): Uint8Array {
  return ascii(`*2\r\n$${String(n).length}\r\n${n}\r\n$${bytes}\r\n${"v".repeat(bytes)}\r\n`);
}

function append(log: AofLog, bytes: number): Promise<void> | null {
  const src = frame(log.appendedFrames + 1, bytes);
  log.append(src, null, 0, src.length, 1);
  setImmediate(() => log.flush());
  return log.whenSynced(log.appendedFrames);
}

/** `count` groups, each synced. */
async function groups(log: AofLog, count: number, bytes = 10): Promise<void> {
  for (let i = 0; i < count; i++) await append(log, bytes);
}

async function fillBench(): Promise<Bench> {
  const bench = await open(newStorage());
  await groups(bench.log, SYNCS_BEFORE_FILLING + 1);
  await until("it is filled", () => bench.log.filledAheadBytes > 0);
  return bench;
}

function textOf(storage: PowerStorage, path = PATH): string {
  return latin1(storage.contentOf(path));
}

/** What a start finds in a file: the numbers of its frames, which must be 1, 2, ... */
async function read(storage: PowerStorage): Promise<AofReadResult> {
  using file = await storage.open(PATH);
  let frames = 0;
  const sink = {
    command: ({ buf, starts, stops }: AofParser) =>
      assertEquals(latin1(buf, starts[0], stops[0]), String(++frames)),
    annotation: () => {},
  };
  let bytes = 0;
  const onBytes = (more: number): void => void (bytes += more);
  const result = await readIncrement(file, 0, sink, {
    gate: new Gate(1),
    onBytes,
    cancelled: () => null,
  });
  assertEquals(bytes, await file.size(), "all of it is told of");
  return result;
}

Deno.test("a file is worth filling when what is synced is little, up to the limit", () => {
  const pace = new FillingPace();
  const isDueAfter = (syncs: number, bytes = 10): boolean => {
    for (let i = 0; i < syncs; i++) pace.synced(bytes);
    return pace.isDue(0);
  };
  assertEquals(isDueAfter(SYNCS_BEFORE_FILLING - 1), false);
  assertEquals(isDueAfter(1), true);
  assertEquals(isDueAfter(1_000, FILLED_GROUP_BYTES_MAX), true);
  assertEquals(isDueAfter(1, FILLED_GROUP_BYTES_MAX * 2), false);
  assertEquals(isDueAfter(100), true);
  pace.isPlain();
  assertEquals([isDueAfter(0), pace.isDueForMore(0)], [false, true]);
  // Too large groups put it off, for longer each time, until what was filled is used.
  for (let needed = SYNCS_BEFORE_FILLING; needed < SYNCS_BEFORE_FILLING_MAX * 4; needed *= 2) {
    const most = Math.min(needed, SYNCS_BEFORE_FILLING_MAX);
    assertEquals([isDueAfter(most - 1), isDueAfter(1)], [false, true]);
    pace.wasTooLarge();
    pace.isPlain();
  }
  pace.wasUsed();
  assertEquals(isDueAfter(SYNCS_BEFORE_FILLING), true);
  pace.failed(5);
  assertEquals(pace.isDue(4 + RETRY_FILLING_MS), false);
  assertEquals(pace.isDue(5 + RETRY_FILLING_MS), true);
});

Deno.test("a file is filled ahead after some syncs, and cut to what is in it at the end", async () => {
  const { storage, log, disk } = await open(newStorage());
  await groups(log, SYNCS_BEFORE_FILLING - 1);
  assertEquals(disk.fills, 0);
  await groups(log, 1);
  await until("it is filled", () => log.filledAheadBytes > 0);
  await groups(log, 5);
  const file = storage.contentOf(PATH);
  assertEquals(file.length, log.fileBytes + log.filledAheadBytes);
  assertEquals(
    textOf(storage).slice(log.fileBytes),
    latin1(filling()).slice(-log.filledAheadBytes),
  );
  const { commands, wholeBytes, bytes } = await read(storage);
  assertEquals([commands, wholeBytes, bytes], [log.appendedFrames, log.fileBytes, log.fileBytes]);
  await log.close();
  assertEquals(storage.contentOf(PATH), file.subarray(0, wholeBytes));
});

Deno.test("when half of it is used, a file is filled for more, and writes go on", async () => {
  const { storage, log } = await fillBench();
  const bytes = 10_000;
  const half = Math.floor((log.filledAheadBytes - FILLED_BYTES / 2) / (bytes + 60));
  const filledTo = log.fileBytes + log.filledAheadBytes;
  await groups(log, half - 1, bytes);
  assertEquals(log.fileBytes + log.filledAheadBytes, filledTo);
  await groups(log, 3, bytes);
  await until(
    "more is filled",
    () => log.fileBytes + log.filledAheadBytes === filledTo + FILLED_BYTES,
  );
  await groups(log, 10, bytes);
  assertEquals((await read(storage)).commands, log.appendedFrames);
  await log.close();
});

Deno.test("a group at the limit is sealed, and one byte more makes the file plain", async () => {
  const { storage, log, disk } = await fillBench();
  const most = GROUP_BYTES_MAX - frame(log.appendedFrames + 1, GROUP_BYTES_MAX).length +
    GROUP_BYTES_MAX;
  await append(log, most);
  assert(log.filledAheadBytes > 0);
  const before = log.fileBytes;
  await append(log, most + 1);
  assertEquals(log.filledAheadBytes, 0);
  const line = latin1(unsealedLine(before));
  assertEquals(textOf(storage).slice(before, before + line.length), line);
  assertEquals(storage.contentOf(PATH).length, log.fileBytes);
  // The next time it takes twice as many syncs, that of the large one included.
  const { fills } = disk;
  await groups(log, 2 * SYNCS_BEFORE_FILLING - 2);
  assertEquals(disk.fills, fills);
  await groups(log, 1);
  await until("it is filled", () => log.filledAheadBytes > 0);
  assertEquals((await read(storage)).commands, log.appendedFrames);
  await log.close();
});

Deno.test("a file is not filled for groups that are large of late", async () => {
  const { log, disk } = await open(newStorage());
  await groups(log, 3 * SYNCS_BEFORE_FILLING, FILLED_GROUP_BYTES_MAX * 1.2);
  assertEquals(disk.fills, 0);
  await groups(log, 3 * SYNCS_BEFORE_FILLING, FILLED_GROUP_BYTES_MAX * 0.9);
  await until("it is filled", () => log.filledAheadBytes > 0);
  // What is there is used up, and the file is plain again.
  while (log.filledAheadBytes > 0) await append(log, 2 * FILLED_GROUP_BYTES_MAX);
  await log.close();
});

for (
  const [what, set] of [
    ["another policy", (log: AofLog) => void (log.policy = "everysec")],
    ["that it is not to be", (log: AofLog) => void (log.fillsAhead = false)],
  ] as const
) {
  Deno.test(`a filled file is plain again when settings say ${what}`, async () => {
    const { storage, log, clock } = await fillBench();
    set(log);
    void append(log, 10);
    await until("it is written", () => log.writtenFrames === log.appendedFrames);
    assertEquals(log.filledAheadBytes, 0);
    assertStringIncludes(textOf(storage), "#unsealed ");
    clock.nowMs += 1_000;
    log.tick();
    await until("it is synced", () => log.syncedFrames === log.appendedFrames);
    assertEquals(storage.contentOf(PATH).length, log.fileBytes);
    assertEquals((await read(storage)).commands, log.appendedFrames);
    await log.close();
  });
}

Deno.test("a rewrite cuts the file before it, and the next one is filled in its turn", async () => {
  const { storage, log } = await fillBench();
  const next = "/data/b.aof";
  const handles = { writing: await storage.create(next), syncing: await storage.append(next) };
  const wait = append(log, 10);
  log.continueIn(next, handles, true);
  await wait;
  await append(log, 10);
  assertEquals(await isFilled(storage, PATH), false);
  assertEquals((await read(storage)).commands, SYNCS_BEFORE_FILLING + 2);
  await groups(log, SYNCS_BEFORE_FILLING + 2);
  await until("it is filled", () => log.filledAheadBytes > 0);
  assertEquals(await isFilled(storage, next), true);
  await log.close();
});

async function isFilled(storage: PowerStorage, path: string): Promise<boolean> {
  using file = await storage.open(path);
  return await sealedEnd(file, await file.size()) !== null;
}

Deno.test("a disk without room for it does not fail, and is tried again a minute later", async () => {
  const { storage, log, clock, said, disk } = await open(newStorage());
  disk.isFull = true;
  await groups(log, 3 * SYNCS_BEFORE_FILLING);
  assertEquals([disk.fills, log.filledAheadBytes, said], [1, 0, []]);
  clock.nowMs += RETRY_FILLING_MS - 1;
  await groups(log, SYNCS_BEFORE_FILLING);
  assertEquals(disk.fills, 1);
  disk.isFull = false;
  clock.nowMs += 1;
  await groups(log, 2);
  await until("it is filled", () => log.filledAheadBytes > 0);
  assertEquals((await read(storage)).commands, log.appendedFrames);
  await log.close();
});

Deno.test("where there is no room for more, what is there is used up and the file is plain again", async () => {
  const { storage, log, said, disk } = await fillBench();
  disk.isFull = true;
  await groups(log, FILLED_BYTES / 10_000, 10_000);
  assertEquals([disk.fills, log.filledAheadBytes, said], [2, 0, []]);
  assertEquals((await read(storage)).commands, log.appendedFrames);
  await log.close();
});

Deno.test("a sync of more filling that fails gives the file up: it may have been a group's", async () => {
  const { storage, log, disk } = await fillBench();
  while (log.filledAheadBytes > FILLED_BYTES / 2 + 10_000) await append(log, 5_000);
  const { fills } = disk;
  storage.fault = (operation) =>
    disk.fills > fills && operation === "sync" ? new Error("I/O error") : null;
  const waits: (Promise<void> | null)[] = [];
  for (let i = 0; i < 4; i++) waits.push(append(log, 5_000));
  await until("the file is given up", () => log.isBroken);
  assertEquals(log.failure, "I/O error");
  log.endWaits();
  await Promise.all(waits);
  await log.close();
});

Deno.test("a write that fails in a filled file is made again behind what is good", async () => {
  const { storage, log, said } = await fillBench();
  let isFull = true;
  storage.fault = (operation) => isFull && operation === "write" ? new Error("I/O error") : null;
  const wait = append(log, 10);
  await until("the write fails", () => log.failure !== null);
  const later = append(log, 10);
  isFull = false;
  await Promise.all([wait, later]);
  assertEquals(said, ["I/O error", null]);
  await groups(log, 3);
  assertEquals((await read(storage)).commands, log.appendedFrames);
  assertEquals(log.filledAheadBytes, 0);
  await log.close();
});

Deno.test("a group's write that fails while more is filled is made again when that is done", async () => {
  const { storage, log, said } = await fillBench();
  const disk = Promise.withResolvers<void>();
  let isFilling = false;
  storage.delay = (operation) => {
    if (operation !== "write" || isFilling || log.filledAheadBytes >= FILLED_BYTES / 2) return null;
    isFilling = true;
    return disk.promise;
  };
  while (!isFilling) await append(log, 10_000);
  let isFull = true;
  storage.fault = (operation) => isFull && operation === "write" ? new Error("I/O error") : null;
  const wait = append(log, 10);
  await until("the write fails", () => log.failure !== null);
  isFull = false;
  // The end has what failed written again at once, and the filling is still under way.
  const closed = log.close();
  await new Promise((resolve) => setTimeout(resolve, 20));
  disk.resolve();
  await Promise.all([wait, closed]);
  assertEquals(said, ["I/O error", null]);
  assertEquals((await read(storage)).commands, log.appendedFrames);
  assertEquals(storage.contentOf(PATH).length, log.fileBytes);
});

Deno.test("whenever the power goes, what was synced is there, and of the rest a beginning", async () => {
  const first = testSeed(7_081);
  let filledLosses = 0;
  let torn = 0;
  for (let seed = first; seed < first + 150; seed++) {
    const random = new Random(seed);
    let storage = newStorage(seed);
    let bytes = -1;
    let had = 0;
    for (let life = 0; life < 3; life++) {
      const { log } = await open(storage, bytes);
      for (let n = 0; n < had; n++) log.append(new Uint8Array(0), null, 0, 0, 1);
      log.maySyncNow = random.next() < 0.5;
      // With a disk that takes its time all is left to threads, and writes come during a write or a sync.
      const isSlow = random.next() < 0.5;
      if (isSlow) storage.delay = () => random.next() < 0.5 ? soon() : null;
      storage.powerLossAt = storage.operations + 30 + random.below(400);
      await writeUntilLost(log, storage, random);
      const { syncedFrames, filledAheadBytes } = log;
      await log.close();
      storage = storage.afterPowerLoss();
      const found = await read(storage);
      const where = `seed ${seed}, life ${life}`;
      assert(found.commands >= syncedFrames, `${where}: ${found.commands} of ${syncedFrames}`);
      assert(found.commands <= log.appendedFrames, where);
      if (filledAheadBytes > 0) filledLosses++;
      if (found.wholeBytes < found.bytes) torn++;
      had = found.commands;
      bytes = found.wholeBytes;
      using file = await storage.append(PATH);
      await file.truncate(bytes);
      await file.sync();
    }
  }
  assert(filledLosses > 100 && torn > 50, `${filledLosses} of filled files, ${torn} torn`);
});

function soon(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Writes as many clients do, of which some wait, until the power goes. */
async function writeUntilLost(log: AofLog, storage: PowerStorage, random: Random): Promise<void> {
  const isLarge = random.next() < 0.3;
  for (let isOn = true; isOn;) {
    const bytes = isLarge && random.next() < 0.01
      ? GROUP_BYTES_MAX
      : random.below(random.next() < 0.1 ? 20_000 : 1_500);
    const wait = append(log, bytes);
    const turn = random.next() < 0.4 && wait !== null ? wait : soon();
    isOn = await Promise.race([
      turn.then(() => log.failure === null),
      storage.lost.then(() => false),
    ]);
  }
}
