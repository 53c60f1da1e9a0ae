import { assertEquals, assertRejects } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { DataLock, DataLocks } from "../../src/persistence/data_lock.ts";
import { LoadError } from "../../src/persistence/load_error.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random } from "../support/random.ts";

const PATH = "/data/dump.rdb.lock";

function storageWith(content: string | null): PowerStorage {
  const storage = new PowerStorage(new Random(3));
  storage.addDirectory("/data");
  if (content !== null) storage.addFile(PATH, content);
  return storage;
}

/** There is no room for what `operation` would take. */
function fill(storage: PowerStorage, operation: string): void {
  storage.fault = (asked) =>
    asked === operation
      ? Object.assign(new Error("No space left on device (os error 28)"), { code: "ENOSPC" })
      : null;
}

Deno.test("a lock says whose it is, whatever its file said before", async () => {
  for (const before of [null, "", "1\n", "123456789\n"]) {
    const storage = storageWith(before);
    await DataLock.take(storage, PATH, 4711);
    assertEquals(latin1(storage.contentOf(PATH)), "4711\n");
  }
});

Deno.test("a full disk has locks, which say whose they are when there is room", async () => {
  const storage = storageWith("123456789\n");
  const locks = new DataLocks(storage, 4711);
  fill(storage, "write");
  await locks.take([PATH]);
  assertEquals(latin1(storage.contentOf(PATH)), "", "nobody rather than the wrong one");
  const refused = await assertRejects(() => new DataLocks(storage, 5).take([PATH]), LoadError);
  assertEquals(refused.message.includes("process unknown"), true, refused.message);
  storage.fault = () => null;
  await locks.take([PATH]);
  assertEquals(latin1(storage.contentOf(PATH)), "4711\n");
  await locks.release();
});

Deno.test("a lock that cannot be made says that there is no room", async () => {
  const storage = storageWith(null);
  fill(storage, "create");
  const error = await assertRejects(() => DataLock.take(storage, PATH, 4711), LoadError);
  assertEquals(error.message, `cannot write ${PATH}: No space left on device`);
});

Deno.test("a lock that cannot be written says so", async () => {
  const storage = storageWith("1\n");
  storage.fault = (asked) =>
    asked === "append"
      ? Object.assign(new Error("Permission denied (os error 13)"), { code: "EACCES" })
      : null;
  const error = await assertRejects(() => DataLock.take(storage, PATH, 4711), LoadError);
  assertEquals(error.message, `cannot write ${PATH}: Permission denied`);
});
