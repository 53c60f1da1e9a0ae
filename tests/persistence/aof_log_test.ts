import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  AofLog,
  type AofLogHost,
  type FsyncPolicy,
  PENDING_BYTES_MAX,
} from "../../src/persistence/aof_log.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";

const DIR = "/data";
const PATH = "/data/a.aof";

interface Bench {
  storage: PowerStorage;
  log: AofLog;
  clock: { nowMs: number };
  said: (string | null)[];
}

async function open(policy: FsyncPolicy): Promise<Bench> {
  const storage = new PowerStorage(new Random(testSeed(7)));
  storage.addDirectory(DIR);
  const clock = { nowMs: 1_000 };
  const said: (string | null)[] = [];
  const host: AofLogHost = {
    nowMs: () => clock.nowMs,
    statusChanged: (reason) => void said.push(reason),
  };
  const log = new AofLog(host, policy, await storage.create(PATH), PATH, 0);
  return { storage, log, clock, said };
}

function append(log: AofLog, text: string): void {
  const bytes = ascii(text);
  log.append(bytes, 0, bytes.length, 1);
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
  assertEquals(latin1(storage.contentOf(PATH), 0, 6), "onetwo");
  const operations = storage.operations - before;
  assert(operations <= 8, `${operations} operations for one group`);
  await log.close();
});

Deno.test("with everysec, what is written is synced when a second has passed", async () => {
  const { log, clock } = await open("everysec");
  append(log, "one");
  log.flush();
  await until(() => log.writtenFrames === 1);
  log.tick();
  assertEquals(log.syncedFrames, 0);
  clock.nowMs += 1_000;
  log.tick();
  await until(() => log.syncedFrames === 1);
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
  log.flush();
  assertEquals(failed, 1, "nothing is written while it fails");
  isFull = false;
  await wait;
  await log.whenSynced(3);
  assertEquals(said, ["No space left on device", null]);
  const content = storage.contentOf(PATH);
  assertEquals(latin1(content, 0, content.length), "first second third");
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
  log.flush();
  assertEquals(log.syncedFrames, 0);
  // A rewrite puts all there is into a base, and goes on in a file of its own.
  const next = "/data/b.aof";
  const frozen = log.appendedFrames;
  log.continueIn(await storage.create(next), next, false);
  append(log, "three");
  log.forgetBefore(frozen);
  log.mended();
  await wait;
  await log.whenSynced(3);
  assertEquals(said, ["I/O error", null]);
  assertEquals(latin1(storage.contentOf(next), 0, 5), "three");
  await log.close();
});

Deno.test("frames of a file that nobody would load are not safe before it is listed", async () => {
  const { storage, log } = await open("always");
  append(log, "old");
  await log.whenSynced(1);
  log.suspend();
  append(log, "in the coming base");
  const next = "/data/b.aof";
  log.continueIn(await storage.create(next), next, false);
  const frozen = log.appendedFrames;
  append(log, "new");
  log.flush();
  await until(() => log.writtenFrames === 3);
  await new Promise((resolve) => setTimeout(resolve, 5));
  assertEquals(log.syncedFrames, 1);
  log.forgetBefore(frozen);
  await until(() => log.syncedFrames === 3);
  assertEquals(latin1(storage.contentOf(next), 0, 3), "new");
  assertEquals(latin1(storage.contentOf(PATH), 0, 3), "old");
  await log.close();
});

Deno.test("who appends waits for a slow disk at the limit, and not one byte below", async () => {
  const { storage, log } = await open("no");
  const block = new Uint8Array(PENDING_BYTES_MAX);
  log.append(block, 0, block.length, 1);
  assertEquals(log.whenRoom(), null);
  log.append(block, 0, 1, 1);
  const wait = log.whenRoom();
  assert(wait !== null);
  await wait;
  await until(() => log.pendingBytes === 0);
  assertEquals(storage.contentOf(PATH).length, PENDING_BYTES_MAX + 1);
  await log.close();
});
