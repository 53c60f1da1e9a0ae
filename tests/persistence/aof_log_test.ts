import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  AofLog,
  type AofLogHost,
  type FsyncPolicy,
  PENDING_BYTES_MAX,
} from "../../src/persistence/aof_log.ts";
import type { IncrementHandles } from "../../src/persistence/increment_file.ts";
import type { StorageFile } from "../../src/persistence/storage.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";

const DIR = "/data";
const PATH = "/data/a.aof";

interface Bench {
  storage: PowerStorage;
  log: AofLog;
  clock: { nowMs: number };
  said: (string | null)[];
  /** Frames of this log and of others beside it. */
  sequence: { frames: number };
}

async function open(policy: FsyncPolicy): Promise<Bench> {
  const storage = new PowerStorage(new Random(testSeed(7)));
  storage.addDirectory(DIR);
  const clock = { nowMs: 1_000 };
  const said: (string | null)[] = [];
  const sequence = { frames: 0 };
  const host: AofLogHost = {
    nowMs: () => clock.nowMs,
    statusChanged: (reason) => void said.push(reason),
    mark: () => sequence.frames,
    synced: () => {},
    flushSoon: () => void setImmediate(() => log.flush()),
    tookSync: () => {},
  };
  const log = new AofLog(host, policy, PATH, await handles(storage, PATH), 0);
  return { storage, log, clock, said, sequence };
}

async function handles(storage: PowerStorage, path: string): Promise<IncrementHandles> {
  return { writing: await storage.create(path), syncing: await storage.append(path) };
}

/** Appends a frame, as a turn does: what it made is written at its end. */
function append(log: AofLog, text: string): void {
  const bytes = ascii(text);
  log.append(bytes, null, 0, bytes.length, 1);
  setImmediate(() => log.flush());
}

function textOf(storage: PowerStorage, path: string): string {
  const content = storage.contentOf(path);
  return latin1(content, 0, content.length);
}

async function until(isTrue: () => boolean): Promise<void> {
  for (let i = 0; i < 5_000 && !isTrue(); i++) await new Promise((r) => setTimeout(r, 1));
  assert(isTrue(), "it never came to be");
}

Deno.test("with always, a wait ends when what was appended is synced, and one sync serves many", async () => {
  const { storage, log } = await open("always");
  append(log, "one");
  append(log, "two");
  const before = storage.operations;
  await Promise.all([log.whenSynced(1), log.whenSynced(2), log.whenSynced(2)]);
  assertEquals(log.syncedFrames, 2);
  assertEquals(log.whenSynced(2), null);
  assertEquals(textOf(storage, PATH), "onetwo");
  const operations = storage.operations - before;
  assert(operations <= 8, `${operations} operations for one group`);
  await log.close();
});

/** A log on a file that tells what is done with it, and whose syncs end when told. */
function openTold(policy: FsyncPolicy = "always"): {
  log: AofLog;
  clock: { nowMs: number };
  told: string[];
  /** Frames of this log and of others beside it, how often more was said to be synced, and a flush asked for. */
  sequence: { frames: number; told: number; flushes: number };
  /** What was said of how long syncs took. */
  tookMs: number[];
  writeMs: (ms: number) => void;
  /** What a sync in the caller's turn takes; an error that it throws; null when there can be none. */
  syncNow: (ms: number | Error | null) => void;
  endSync: () => void;
} {
  const clock = { nowMs: 1_000 };
  const told: string[] = [];
  const syncs: (() => void)[] = [];
  const tookMs: number[] = [];
  let slowMs = 0;
  let syncNowMs: number | Error | null = 0;
  const file: StorageFile = {
    write: (bytes) => {
      told.push(`write ${bytes.length}`);
      return Promise.resolve(bytes.length);
    },
    writeNow: (bytes) => {
      told.push(`now ${bytes.length}`);
      clock.nowMs += slowMs;
      return bytes.length;
    },
    sync: () => {
      told.push("sync");
      return new Promise((resolve) => syncs.push(resolve));
    },
    syncNow: () => {
      if (syncNowMs === null) return false;
      told.push("sync now");
      if (syncNowMs instanceof Error) throw syncNowMs;
      clock.nowMs += syncNowMs;
      return true;
    },
    read: () => Promise.resolve(null),
    seek: () => Promise.resolve(),
    size: () => Promise.resolve(0),
    truncate: () => Promise.resolve(),
    tryLock: () => Promise.resolve(true),
    close: () => {},
    [Symbol.dispose]: () => {},
  };
  const sequence = { frames: 0, told: 0, flushes: 0 };
  const host: AofLogHost = {
    nowMs: () => clock.nowMs,
    statusChanged: () => {},
    mark: () => sequence.frames,
    synced: () => void sequence.told++,
    flushSoon: () => void sequence.flushes++,
    tookSync: (ms) => void tookMs.push(ms),
  };
  const log = new AofLog(host, policy, PATH, { writing: file, syncing: file }, 0);
  log.fillsAhead = false;
  return {
    log,
    clock,
    told,
    sequence,
    tookMs,
    writeMs: (ms) => slowMs = ms,
    syncNow: (ms) => syncNowMs = ms,
    endSync: () => syncs.shift()!(),
  };
}

/** Appends a frame of so many bytes and writes it. */
function appendNow(log: AofLog, bytes: number): Promise<void> {
  log.append(new Uint8Array(bytes), null, 0, bytes, 1);
  log.flush();
  return log.whenSynced(log.appendedFrames)!;
}

Deno.test("who waits for the same write shares one wait, and nobody waits for a later one", async () => {
  const { log, told, endSync } = openTold();
  const add = () => log.append(new Uint8Array(5), null, 0, 5, 1);
  const first = appendNow(log, 10);
  assertEquals(log.whenSynced(1), first, "it waits for the same frame");
  add();
  const second = log.whenSynced(2);
  assert(second !== first, "its frame came after the write had begun");
  add();
  assertEquals(log.whenSynced(3), second, "one write will take both frames");
  assertEquals(log.whenSynced(2), second);
  assert(log.whenSynced(1) !== second, "its frame is being synced already");
  endSync(); // what waits is written and its sync begins
  await first;
  add();
  const third = log.whenSynced(4);
  assert(third !== second);
  log.suspend();
  add();
  assert(log.whenSynced(5) !== third, "what is dropped is waited for apart");
  endSync();
  await second;
  assertEquals([log.syncedFrames, told], [3, [
    "now 10",
    "sync",
    "now 10",
    "sync",
    "now 5",
    "sync",
  ]]);
  endSync();
  await third;
  log.endWaits();
  await log.close();
});

Deno.test("with always, the next write and sync begin before those who waited go on", async () => {
  const { log, told, endSync } = openTold();
  const first = appendNow(log, 10).then(() => told.push("one goes on"));
  const second = appendNow(log, 20).then(() => told.push("two goes on"));
  const third = appendNow(log, 30).then(() => told.push("three goes on"));
  assertEquals(told, ["now 10", "sync"]);
  endSync();
  await first;
  assertEquals(told.splice(0), ["now 10", "sync", "now 50", "sync", "one goes on"]);
  endSync();
  await Promise.all([second, third]);
  assertEquals(told, ["two goes on", "three goes on"]);
  assertEquals(log.syncedFrames, 3);
  await log.close();
});

Deno.test("a write that is large, or made when the disk was slow, is not made in the caller's turn", async () => {
  const { log, clock, told, writeMs, endSync } = openTold();
  /** What is done to the file for a frame of so many bytes. */
  const done = async (bytes: number): Promise<string[]> => {
    const wait = appendNow(log, bytes);
    await until(() => told.includes("sync"));
    endSync();
    await wait;
    return told.splice(0);
  };
  const limit = 131_072;
  assertEquals(await done(limit), [`now ${limit}`, "sync"]);
  assertEquals(await done(limit + 1), [`write ${limit + 1}`, "sync"]);
  writeMs(2);
  assertEquals(await done(10), ["now 10", "sync"]);
  writeMs(3);
  assertEquals(await done(10), ["now 10", "sync"]);
  assertEquals(await done(10), ["write 10", "sync"]);
  clock.nowMs += 999;
  assertEquals(await done(10), ["write 10", "sync"]);
  clock.nowMs += 1;
  // Still slow: for twice as long. Then fast, and slow once more.
  assertEquals(await done(10), ["now 10", "sync"]);
  clock.nowMs += 1_999;
  assertEquals(await done(10), ["write 10", "sync"]);
  clock.nowMs += 1;
  writeMs(0);
  assertEquals(await done(10), ["now 10", "sync"]);
  writeMs(3);
  assertEquals(await done(10), ["now 10", "sync"]);
  clock.nowMs += 1_000;
  // The pause ends after a minute, however often the disk is slow.
  for (const pauseMs of [2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]) {
    assertEquals(await done(10), ["now 10", "sync"]);
    clock.nowMs += pauseMs - 1;
    assertEquals(await done(10), ["write 10", "sync"]);
    clock.nowMs += 1;
  }
  await log.close();
});

Deno.test("with always, a disk that is fast of late is synced in the caller's turn", async () => {
  const { log, clock, told, tookMs, syncNow, endSync } = openTold();
  /** What is done to the file for a frame of so many bytes, with a thread's sync of so many ms. */
  const done = async (bytes: number, threadMs = 0): Promise<string> => {
    log.append(new Uint8Array(bytes), null, 0, bytes, 1);
    const wait = log.whenSynced(log.appendedFrames);
    log.flush();
    await until(() => told.some((text) => text.startsWith("sync")));
    if (told.at(-1) === "sync") {
      clock.nowMs += threadMs;
      endSync();
    } else {
      assertEquals(log.syncedFrames, log.appendedFrames, "it is synced when the call returns");
    }
    await wait;
    return told.splice(0).join(", ");
  };
  log.maySyncNow = true;
  // Two ms are taken for granted; each sync weighs an eighth: 2, 1.75, 1.53, 1.34, 1.17, 1.03, 0.9.
  for (let i = 0; i < 6; i++) assertEquals(await done(10), "now 10, sync");
  syncNow(1);
  assertEquals(await done(10), "now 10, sync now");
  assertEquals(await done(10), "now 10, sync now");
  assertEquals(tookMs, [0, 0, 0, 0, 0, 0, 1, 1]);
  // Not when others have something to sync, or when it cannot be.
  log.maySyncNow = false;
  assertEquals(await done(10, 1), "now 10, sync");
  log.maySyncNow = true;
  syncNow(null);
  assertEquals(await done(10, 1), "now 10, sync");
  syncNow(0);
  assertEquals(await done(10), "now 10, sync now");
  // A write that a thread makes ends with a thread's sync.
  assertEquals(await done(131_073), "write 131073, sync");
  assertEquals(await done(10), "now 10, sync now");
  // A slow one leaves the next ones to threads until they are fast again: 0.6, then 3.0, 2.7, ... 0.9.
  syncNow(20);
  assertEquals(await done(10), "now 10, sync now");
  let byThread = 0;
  syncNow(0);
  while (await done(10) === "now 10, sync") byThread++;
  assert(byThread >= 8 && byThread <= 9, `${byThread} by threads after one that took 20 ms`);
  // A disk that has become slow makes one turn wait.
  syncNow(5);
  assertEquals(await done(10), "now 10, sync now");
  for (let i = 0; i < 20; i++) assertEquals(await done(10, 5), "now 10, sync");
  log.policy = "everysec";
  clock.nowMs += 1_000;
  log.append(new Uint8Array(10), null, 0, 10, 1);
  log.flush();
  assertEquals(told.splice(0), ["now 10", "sync"], "nobody waits for it");
  endSync();
  await until(() => !log.isSyncing);
  await log.close();
});

Deno.test("a sync in the caller's turn that takes long is counted, one that fails gives the file up", async () => {
  const { log, syncNow, endSync } = openTold();
  log.maySyncNow = true;
  const add = (): Promise<void> | null => {
    log.append(new Uint8Array(10), null, 0, 10, 1);
    log.flush();
    return log.whenSynced(log.appendedFrames);
  };
  /** Fast syncs, until one is made in the caller's turn. */
  const calm = async (): Promise<void> => {
    syncNow(0);
    let wait: Promise<void> | null;
    while ((wait = add()) !== null) {
      endSync();
      await wait;
    }
  };
  await calm();
  syncNow(2_000);
  assertEquals([add(), log.delayedSyncs], [null, 0]);
  await calm();
  syncNow(2_001);
  assertEquals([add(), log.delayedSyncs], [null, 1]);
  await calm();
  syncNow(new Error("I/O error"));
  const { syncedFrames } = log;
  const wait = add();
  assert(wait !== null);
  assertEquals([log.isBroken, log.failure, log.syncedFrames], [true, "I/O error", syncedFrames]);
  log.endWaits();
  await wait;
  await log.close();
});

Deno.test("with everysec, little is written in the caller's turn, and not during a sync", async () => {
  const { log, clock, told, endSync } = openTold("everysec");
  const write = async (bytes: number): Promise<string[]> => {
    log.append(new Uint8Array(bytes), null, 0, bytes, 1);
    log.flush();
    await until(() => log.writtenFrames === log.appendedFrames);
    return told.splice(0);
  };
  assertEquals(await write(16_384), ["now 16384"]);
  assertEquals(await write(16_385), ["write 16385"]);
  clock.nowMs += 1_000;
  assertEquals(await write(10), ["now 10", "sync"]);
  assertEquals(await write(10), ["write 10"]);
  endSync();
  await until(() => log.syncedFrames === 3);
  assertEquals(await write(10), ["now 10"]);
  const closed = log.close();
  await until(() => told.includes("sync"));
  endSync();
  await closed;
});

Deno.test("with always, what comes during a write follows at once", async () => {
  const { log, told, sequence } = openTold("always");
  log.append(new Uint8Array(200_000), null, 0, 200_000, 1);
  log.flush();
  log.append(new Uint8Array(200_001), null, 0, 200_001, 1);
  await until(() => log.writtenFrames === 2);
  assertEquals(told, ["write 200000", "sync", "write 200001"]);
  assertEquals(sequence.flushes, 0);
});

Deno.test("otherwise it is gathered until the next flush, or the end", async () => {
  for (const policy of ["everysec", "no"] as const) {
    const { log, told, sequence, endSync } = openTold(policy);
    log.append(new Uint8Array(20_000), null, 0, 20_000, 1);
    log.flush();
    log.append(new Uint8Array(20_001), null, 0, 20_001, 1);
    await until(() => sequence.flushes === 1);
    assertEquals(told, ["write 20000"]);
    log.append(new Uint8Array(20_002), null, 0, 20_002, 1);
    log.flush();
    await until(() => log.writtenFrames === 3);
    assertEquals(told, ["write 20000", "write 40003"]);
    log.append(new Uint8Array(20_004), null, 0, 20_004, 1);
    const closed = log.close();
    assertEquals(told.splice(0), ["write 20000", "write 40003", "write 20004", "sync"]);
    endSync();
    await until(() => told.includes("sync"));
    endSync();
    await closed;
    assertEquals(log.syncedFrames, 4);
  }
});

Deno.test("with everysec, what is written is synced when a second has passed", async () => {
  const { log, clock } = await open("everysec");
  append(log, "one");
  await until(() => log.writtenFrames === 1);
  log.tick();
  assertEquals(log.syncedFrames, 0);
  clock.nowMs += 1_000;
  log.tick();
  await until(() => log.syncedFrames === 1);
  await log.close();
});

Deno.test("with everysec, nothing is synced while the disk is spared, and all of it afterwards", async () => {
  const { storage, log, clock } = await open("everysec");
  let syncs = 0;
  storage.delay = (operation) => {
    if (operation === "sync") syncs++;
    return null;
  };
  log.sparesDisk = true;
  for (let second = 1; second <= 3; second++) {
    append(log, "one");
    await until(() => log.writtenFrames === second);
    clock.nowMs += 1_000;
    log.tick();
  }
  assertEquals([syncs, log.syncedFrames], [0, 0]);
  log.sparesDisk = false;
  log.tick();
  await until(() => log.syncedFrames === 3);
  await log.close();
});

Deno.test("what is synced is told in the host's mark, as of the write that the sync covers", async () => {
  const { log, clock, told, sequence, endSync } = openTold("everysec");
  /** A frame of this log; some of others came before it. */
  const frame = (bytes: number, others = 0) => {
    log.append(new Uint8Array(bytes), null, 0, bytes, 1);
    sequence.frames += 1 + others;
  };
  assertEquals(log.syncedMark, 0, "there is nothing to sync");
  sequence.frames = 100;
  assertEquals(log.syncedMark, 100, "and others do not change that");
  frame(10);
  log.flush();
  assertEquals(log.syncedMark, -1, "written, and not synced");
  frame(10, 5);
  clock.nowMs += 1_000;
  log.flush();
  assertEquals(told.splice(0), ["now 10", "now 10", "sync"]);
  frame(10);
  const before = sequence.told;
  endSync();
  await until(() => log.syncedFrames === 2);
  assertEquals(log.syncedMark, 107, "not the frame that came during the sync");
  assertEquals(sequence.told, before + 1);
  // A write of a thread covers what there was when it began, and not what comes meanwhile.
  frame(20_000);
  log.flush();
  assertEquals(told.splice(0), ["now 10", "write 20000"]);
  frame(10);
  clock.nowMs += 1_000;
  await until(() => told.includes("sync"));
  endSync();
  await until(() => log.syncedFrames === 4);
  assertEquals([log.syncedMark, sequence.frames], [109, 110]);
  await until(() => log.writtenFrames === 5);
  clock.nowMs += 1_000;
  log.tick();
  endSync();
  await until(() => log.syncedFrames === 5);
  sequence.frames = 500;
  assertEquals(log.syncedMark, 500);
  await log.close();
});

Deno.test("data that were replaced are on no disk before a rewrite is complete", async () => {
  const { storage, log, sequence } = await open("always");
  const frame = async (text: string) => {
    sequence.frames++;
    append(log, text);
    await log.whenSynced(log.appendedFrames);
  };
  await frame("one");
  assertEquals(log.syncedMark, 1);
  log.suspend();
  assertEquals(log.syncedMark, 0);
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), false);
  const frozen = log.appendedFrames;
  sequence.frames++;
  append(log, "two");
  await until(() => textOf(storage, next) === "two");
  assertEquals(log.syncedMark, 0, "the file counts for nothing yet");
  log.forgetBefore(frozen);
  await log.whenSynced(2);
  assertEquals(log.syncedMark, 2);
  // Replaced once more while it was rewritten.
  log.suspend();
  const last = "/data/c.aof";
  log.continueIn(last, await handles(storage, last), false);
  log.suspend();
  log.forgetBefore(log.appendedFrames - 1);
  assertEquals(log.syncedMark, 1);
  await log.close();
});

Deno.test("late frames go to the file that they were appended to, as they were then", async () => {
  const { storage, log } = await open("everysec");
  const request = ascii("one two three");
  const view = new DataView(request.buffer);
  const disk = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "write" ? disk.promise : null;
  log.append(new Uint8Array(20_000), null, 0, 20_000, 1);
  log.flush();
  log.appendLate(request, view, 0, 4);
  log.appendLate(request, view, 4, 8);
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), true);
  request.fill(0x78);
  request.set(ascii("four"), 8);
  log.appendLate(request, view, 8, 12);
  log.settle();
  request.fill(0x78);
  disk.resolve();
  assertEquals(log.appendedFrames, 4);
  await log.close();
  assertEquals(textOf(storage, PATH).slice(20_000), "one two ");
  assertEquals(textOf(storage, next), "four");
});

Deno.test("late frames of a suspended log are dropped and counted", async () => {
  const { storage, log } = await open("everysec");
  const request = ascii("one two");
  log.appendLate(request, null, 0, 3);
  log.suspend();
  log.appendLate(request, null, 3, 7);
  assertEquals(log.appendedFrames, 2);
  await log.close();
  assertEquals(textOf(storage, PATH), "one");
});

Deno.test("a write of one file says nothing of what waits for the next", async () => {
  const { storage, log, sequence, clock } = await open("everysec");
  const frame = (bytes: number) => {
    log.append(new Uint8Array(bytes), null, 0, bytes, 1);
    sequence.frames++;
  };
  const disk = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "write" ? disk.promise : null;
  frame(20_000);
  log.flush();
  frame(30_000);
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), true);
  frame(10);
  const later = Promise.withResolvers<void>();
  storage.delay = (_, path) => path === next ? later.promise : null;
  disk.resolve();
  await until(() => log.syncedFrames === 2);
  assertEquals(log.syncedMark, 1, "up to where the first write took everything");
  storage.delay = () => null;
  later.resolve();
  await until(() => log.writtenFrames === 3);
  clock.nowMs += 1_000;
  log.tick();
  await until(() => log.syncedFrames === 3);
  assertEquals(log.syncedMark, 3);
  await log.close();
});

Deno.test("a sync that ends when the data have been replaced does not speak for the new ones", async () => {
  const { log, sequence, endSync } = openTold();
  sequence.frames++;
  const wait = appendNow(log, 10);
  log.suspend();
  endSync();
  await wait;
  assertEquals([log.syncedFrames, log.syncedMark], [1, -1]);
  await log.close();
});

Deno.test("with no, nothing is synced before the end", async () => {
  const { log, clock } = await open("no");
  append(log, "one");
  clock.nowMs += 10_000;
  log.tick();
  await until(() => log.writtenFrames === 1);
  log.tick();
  assertEquals(log.syncedFrames, 0);
  await log.close();
  assertEquals(log.syncedFrames, 1);
});

Deno.test("a write that fails is told, made again where it broke off, and nothing is lost", async () => {
  const { storage, log, said } = await open("always");
  append(log, "first ");
  await log.whenSynced(1);
  let isFull = true;
  let failed = 0;
  storage.fault = (operation) => {
    if (!isFull || operation !== "write") return null;
    // The disk is full behind a part of what is written.
    failed++;
    return Object.assign(new Error("No space left on device"), { code: "ENOSPC" });
  };
  append(log, "second ");
  const wait = log.whenSynced(2);
  assert(wait !== null);
  await until(() => log.failure !== null);
  assertEquals(log.failure, "No space left on device");
  append(log, "third");
  await new Promise((r) => setTimeout(r, 2));
  assertEquals(failed, 1, "nothing is written while it fails");
  isFull = false;
  await wait;
  await log.whenSynced(3);
  assertEquals(said, ["No space left on device", null]);
  assertEquals(textOf(storage, PATH), "first second third");
  await log.close();
});

Deno.test("a sync that fails asks for another file, which makes all good again", async () => {
  const { storage, log, said } = await open("always");
  let isFailing = true;
  storage.fault = (operation) => isFailing && operation === "sync" ? new Error("I/O error") : null;
  append(log, "one");
  const wait = log.whenSynced(1);
  await until(() => log.isBroken);
  isFailing = false;
  append(log, "two");
  assertEquals(log.syncedFrames, 0);
  // A rewrite puts all there is into a base, and goes on in a file of its own.
  const next = "/data/b.aof";
  const frozen = log.appendedFrames;
  log.continueIn(next, await handles(storage, next), false);
  append(log, "three");
  log.forgetBefore(frozen);
  log.mended();
  await wait;
  await log.whenSynced(3);
  assertEquals(said, ["I/O error", null]);
  assertEquals(textOf(storage, next), "three");
  await log.close();
});

Deno.test("frames of a file that nobody would load are not safe before it is listed", async () => {
  const { storage, log } = await open("always");
  append(log, "old");
  await log.whenSynced(1);
  log.suspend();
  append(log, "in the coming base");
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), false);
  const frozen = log.appendedFrames;
  append(log, "new");
  await until(() => log.writtenFrames === 3);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(log.syncedFrames, 1);
  log.forgetBefore(frozen);
  await until(() => log.syncedFrames === 3);
  assertEquals(textOf(storage, next), "new");
  assertEquals(textOf(storage, PATH), "old");
  await log.close();
});

Deno.test("who appends waits for a slow disk at the limit, and not one byte below", async () => {
  const { storage, log } = await open("no");
  const block = new Uint8Array(PENDING_BYTES_MAX);
  log.append(block, null, 0, block.length, 1);
  assertEquals(log.whenRoom(), null);
  log.append(block, null, 0, 1, 1);
  const wait = log.whenRoom();
  assert(wait !== null);
  log.flush();
  await wait;
  await until(() => log.pendingBytes === 0);
  assertEquals(storage.contentOf(PATH).length, PENDING_BYTES_MAX + 1);
  await log.close();
});

Deno.test("a write goes on while a sync is under way", async () => {
  const { storage, log, clock } = await open("everysec");
  const slow = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "sync" ? slow.promise : null;
  append(log, "one ");
  await until(() => log.writtenFrames === 1);
  clock.nowMs += 1_000;
  log.tick();
  assert(log.isSyncing);
  append(log, "two");
  await until(() => log.writtenFrames === 2);
  assertEquals(textOf(storage, PATH), "one two");
  assertEquals(log.syncedFrames, 0);
  clock.nowMs += 2_001;
  log.tick();
  assertEquals(log.delayedSyncs, 1);
  slow.resolve();
  await until(() => log.syncedFrames === 2);
  await log.close();
});

Deno.test("a rewrite that succeeds while a write fails makes all good again", async () => {
  const { storage, log, said } = await open("always");
  let isFull = true;
  storage.fault = (operation, path) =>
    isFull && operation === "write" && path === PATH ? new Error("No space left") : null;
  append(log, "one");
  const wait = log.whenSynced(1);
  await until(() => log.failure !== null);
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), true);
  const frozen = log.appendedFrames;
  append(log, "two");
  log.forgetBefore(frozen);
  await wait;
  await log.whenSynced(2);
  assertEquals(said, ["No space left", null]);
  assertEquals(textOf(storage, next), "two");
  isFull = false;
  await log.close();
});

Deno.test("data that is replaced in the middle of a rewrite is not safe when that ends", async () => {
  const { storage, log } = await open("always");
  append(log, "old");
  await log.whenSynced(1);
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), true);
  const frozen = log.appendedFrames;
  log.suspend();
  append(log, "dropped");
  log.forgetBefore(frozen);
  assertEquals(log.syncedFrames, 1);
  const last = "/data/c.aof";
  log.continueIn(last, await handles(storage, last), false);
  append(log, "new");
  await until(() => log.writtenFrames === 3);
  assertEquals(log.syncedFrames, 1);
  log.forgetBefore(2);
  await until(() => log.syncedFrames === 3);
  assertEquals(textOf(storage, last), "new");
  await log.close();
});

Deno.test("after a rewrite that came to nothing, the file before is the last again", async () => {
  const { storage, log } = await open("always");
  append(log, "old");
  await log.whenSynced(1);
  for (let i = 0; i < 3; i++) {
    log.suspend();
    const next = `/data/next${i}.aof`;
    log.continueIn(next, await handles(storage, next), false);
    append(log, "in no file that counts");
    log.abandonLast();
    assertEquals(log.syncedFrames, 1);
  }
  const next = "/data/b.aof";
  log.continueIn(next, await handles(storage, next), false);
  log.forgetBefore(log.appendedFrames);
  append(log, "new");
  await log.whenSynced(log.appendedFrames);
  assertEquals(textOf(storage, next), "new");
  await log.close();
});

Deno.test("a rewrite that comes to nothing while the file before it is synced leaves that file", async () => {
  const { storage, log, clock } = await open("everysec");
  const slow = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "sync" ? slow.promise : null;
  append(log, "old");
  await until(() => log.writtenFrames === 1);
  log.suspend();
  const next = "/data/next.aof";
  log.continueIn(next, await handles(storage, next), false);
  await until(() => log.isSyncing);
  log.abandonLast();
  slow.resolve();
  await until(() => log.syncedFrames === 1);
  clock.nowMs += 1_000;
  log.tick();
  assertEquals([log.path, log.writtenFrames], [PATH, 1]);
  const last = "/data/b.aof";
  log.continueIn(last, await handles(storage, last), false);
  log.forgetBefore(log.appendedFrames);
  append(log, "new");
  await until(() => log.writtenFrames === 2);
  await log.close();
  assertEquals([textOf(storage, PATH), textOf(storage, last)], ["old", "new"]);
});

Deno.test("what is dropped while it is written waits no more when that write fails", async () => {
  const { storage, log, clock } = await open("everysec");
  append(log, "old");
  await until(() => log.writtenFrames === 1);
  const sync = Promise.withResolvers<void>();
  const write = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "sync" ? sync.promise : write.promise;
  clock.nowMs += 1_000;
  log.tick();
  const block = new Uint8Array(PENDING_BYTES_MAX + 1);
  log.append(block, null, 0, block.length, 1);
  log.flush();
  const room = log.whenRoom();
  assert(log.isSyncing && room !== null);
  sync.reject(new Error("I/O error"));
  await room;
  assert(log.isBroken);
  write.reject(new Error("I/O error"));
  await log.close();
  assertEquals(log.pendingBytes, 0);
});

Deno.test("a log that is closed while writes fail tries once more", async () => {
  const { storage, log } = await open("no");
  let isFull = true;
  storage.fault = (operation) => isFull && operation === "write" ? new Error("full") : null;
  append(log, "one");
  await until(() => log.failure !== null);
  isFull = false;
  await log.close();
  assertEquals(textOf(storage, PATH), "one");
  assertEquals(log.syncedFrames, 1);
});

Deno.test("who still waits when a log is closed does not wait for ever", async () => {
  const { storage, log } = await open("always");
  storage.fault = (operation) => operation === "write" ? new Error("full") : null;
  append(log, "one");
  const wait = log.whenSynced(1);
  await until(() => log.failure !== null);
  await log.close();
  await wait;
  assertEquals(log.syncedFrames, 0);
});

Deno.test("who waits for a sync gets it, whatever the policy is by then", async () => {
  const { storage, log } = await open("always");
  const disk = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "sync" ? disk.promise : null;
  append(log, "one");
  const first = log.whenSynced(1);
  await until(() => textOf(storage, PATH) === "one");
  append(log, "two");
  const second = log.whenSynced(2);
  log.policy = "no";
  storage.delay = () => null;
  disk.resolve();
  await first;
  await second;
  assertEquals(log.syncedFrames, 2);
  await log.close();
});

Deno.test("who waits for room goes on when what waited is dropped", async () => {
  const { storage, log } = await open("everysec");
  log.suspend();
  const disk = Promise.withResolvers<void>();
  storage.delay = (operation) => operation === "write" ? disk.promise : null;
  log.continueIn("/data/b.aof", await handles(storage, "/data/b.aof"), false);
  const block = new Uint8Array(PENDING_BYTES_MAX + 1);
  log.append(block, null, 0, block.length, 1);
  const room = log.whenRoom();
  assert(room !== null);
  log.abandonLast();
  await room;
  assertEquals(log.pendingBytes, 0);
  disk.resolve();
  await log.close();
});
