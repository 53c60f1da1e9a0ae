import { assert, assertEquals, assertRejects, assertStringIncludes } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { AofDirectory } from "../../src/persistence/aof_directory.ts";
import { SaveError } from "../../src/persistence/save_error.ts";
import { writeAll } from "../../src/persistence/storage.ts";
import type { ConfigValues } from "../../src/server/config_values.ts";
import { PowerLost, PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";
import { DataNode, filesIn, withDir } from "./support.ts";

const APPEND_ONLY: Partial<ConfigValues> = { appendOnly: true, appendFsync: "always" };

/** Copies a directory of plain files. */
function copyDirectory(from: string, to: string): void {
  Deno.mkdirSync(to);
  for (const name of filesIn(from)) Deno.copyFileSync(`${from}/${name}`, `${to}/${name}`);
}

/** Starts with these settings, writes a key, and stops. */
async function live(dir: string, key: string, settings: Partial<ConfigValues>): Promise<DataNode> {
  const node = await DataNode.open(dir, settings);
  node.set(key, "v");
  node.persistence.appendOnly.endTurn();
  await node.close();
  return node;
}

Deno.test("copies of the append-only directory are not touched, whatever their names", async () => {
  await withDir(async (dir) => {
    await live(dir, "a", APPEND_ONLY);
    const path = `${dir}/appendonlydir`;
    const copies = ["appendonlydir.old", "appendonlydir.new", "temp-appendonlydir-x"];
    for (const name of copies) copyDirectory(path, `${dir}/${name}`);
    const files = filesIn(path);
    for (const shards of [1, 2, 1]) {
      await live(dir, `with ${shards}`, { ...APPEND_ONLY, shards });
      for (const name of copies) assertEquals(filesIn(`${dir}/${name}`), files, name);
    }
    assertEquals(filesIn(dir), ["appendonlydir", ...copies].sort());
  });
});

Deno.test("an append-only directory that was moved away stays away", async () => {
  await withDir(async (dir) => {
    await live(dir, "a", APPEND_ONLY);
    for (const name of ["appendonlydir.old", "appendonlydir.new", "temp-appendonlydir-old"]) {
      Deno.renameSync(`${dir}/appendonlydir`, `${dir}/${name}`);
      const files = filesIn(`${dir}/${name}`);
      const starting = DataNode.open(dir, APPEND_ONLY);
      if (name.startsWith("temp-")) {
        const error = await assertRejects(() => starting, SaveError);
        assertStringIncludes(error.message, `${dir}/${name} is in the way`);
      } else {
        await using node = await starting;
        assertEquals(node.content().size, 0, "it begins anew");
        node.set("a", "v");
      }
      assertEquals(filesIn(`${dir}/${name}`), files);
    }
  });
});

Deno.test("what is in a replaced append-only directory and not of it is kept aside", async () => {
  await withDir(async (dir) => {
    await live(dir, "a", APPEND_ONLY);
    const path = `${dir}/appendonlydir`;
    const others = ["appendonly.aof.1.incr.aof.damaged", "NOTES.txt", "other.aof.1.incr.aof"];
    for (const [aside, shards] of [["", 2], ["-2", 3]] as const) {
      for (const name of others) Deno.writeTextFileSync(`${path}/${name}`, name);
      Deno.mkdirSync(`${path}/folder`);
      Deno.writeTextFileSync(`${path}/folder/deep.txt`, "deep");
      await using node = await DataNode.open(dir, { ...APPEND_ONLY, shards });
      assertEquals(node.content().size, 1);
      const kept = `${path}.replaced${aside}`;
      assertEquals(filesIn(kept), [...others, "folder"].sort());
      for (const name of others) assertEquals(Deno.readTextFileSync(`${kept}/${name}`), name);
      assertEquals(Deno.readTextFileSync(`${kept}/folder/deep.txt`), "deep");
      assert(node.lines.some((line) => /is kept aside.*path=/.test(line) && line.includes(kept)));
      assertEquals(filesIn(path).filter((name) => !name.startsWith("appendonly-")), []);
    }
    await live(dir, "b", { ...APPEND_ONLY, shards: 1 });
    assertEquals(
      filesIn(dir),
      ["appendonlydir", "appendonlydir.replaced", "appendonlydir.replaced-2"],
      "nothing is kept of what has nothing else",
    );
  });
});

const DIR = "/data";
const PATH = `${DIR}/appendonlydir`;
const OLD: Readonly<Record<string, string>> = {
  "appendonly.aof": "a base as Redis before 7 had it",
  "appendonly.aof.1.incr.aof": "old",
  "appendonly.aof.manifest": "file appendonly.aof seq 1 type b\n" +
    "file appendonly.aof.1.incr.aof seq 1 type i\n",
};
const OTHER = "NOTES.txt";
const NEW: Readonly<Record<string, string>> = {
  "appendonly-0.aof.1.incr.aof": "new 0",
  "appendonly-0.aof.manifest": "file appendonly-0.aof.1.incr.aof seq 1 type i\n",
  "appendonly-1.aof.1.incr.aof": "new 1",
  "appendonly-1.aof.manifest": "file appendonly-1.aof.1.incr.aof seq 1 type i\n",
};
type Before = "none" | "files" | "files and another";

/** A disk with an append-only directory on it, or none. */
function makeStorage(random: Random, before: Before): PowerStorage {
  const storage = new PowerStorage(random);
  storage.addDirectory(DIR);
  if (before === "none") return storage;
  storage.addDirectory(PATH);
  for (const [name, text] of Object.entries(OLD)) storage.addFile(`${PATH}/${name}`, text);
  if (before === "files and another") storage.addFile(`${PATH}/${OTHER}`, OTHER);
  return storage;
}

/** Replaces what is there by `NEW`, as a server does. */
async function replace(storage: PowerStorage): Promise<void> {
  const directory = new AofDirectory(storage, PATH, "appendonly.aof");
  try {
    const { made } = await directory.prepare();
    for (const [name, text] of Object.entries(NEW)) {
      using file = await storage.create(`${made}/${name}`);
      await writeAll(file, new TextEncoder().encode(text));
      await file.sync();
    }
    await storage.syncDirectory(made);
    await directory.replace();
  } catch (error) {
    await directory.drop().catch(() => {});
    throw error;
  }
  // Nothing depends on it: the next start does it, too.
  await directory.tidy().catch(() => {});
}

/** The files of a directory with what is in them; null when it is not there. */
async function contentOf(
  storage: PowerStorage,
  dir: string,
): Promise<Record<string, string> | null> {
  try {
    const names = (await storage.list(dir)).map(({ name }) => name).sort();
    return Object.fromEntries(
      names.map((name) => [name, latin1(storage.contentOf(`${dir}/${name}`))]),
    );
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}

/** What a start finds, and whether all is in order when it is through; throws what is wrong. */
async function startOn(storage: PowerStorage, before: Before): Promise<"none" | "old" | "new"> {
  const directory = new AofDirectory(storage, PATH, "appendonly.aof");
  await directory.recover();
  const found = await contentOf(storage, PATH);
  const which = found === null ? "none" : "appendonly.aof" in found ? "old" : "new";
  await directory.tidy();
  const content = await contentOf(storage, PATH);
  const others: Record<string, string> = before === "files and another" ? { [OTHER]: OTHER } : {};
  if (which === "old") assertEquals(content, { ...OLD, ...others });
  if (which === "new") assertEquals(content, NEW);
  const aside = await contentOf(storage, `${PATH}.replaced`);
  if (aside !== null) delete aside["shoal-unfinished"];
  if (which === "new" && before === "files and another") assertEquals(aside, others);
  else assertEquals(aside, null, "nothing else is kept");
  const names = (await storage.list(DIR)).map(({ name }) => name);
  assertEquals(names.filter((name) => name.startsWith("temp-")), [], "nothing is left over");
  return which;
}

for (const before of ["none", "files", "files and another"] as const) {
  const had = before === "none" ? "none" : "old";

  Deno.test(`power may go anywhere in the replacement of a directory: ${before}`, async () => {
    const seen = new Set<string>();
    for (let at = 1, isOver = false; !isOver; at++) {
      for (let round = 0; round < 10; round++) {
        const where = `seed ${testSeed(31)}, operation ${at}, round ${round}`;
        const random = new Random(testSeed(31) + at * 100 + round);
        const storage = makeStorage(random, before);
        storage.powerLossAt = at;
        isOver = await endsBeforeLoss(storage, replace(storage));
        const left = storage.afterPowerLoss();
        // It may go again in the start that follows.
        left.powerLossAt = 1 + random.below(30);
        const isThrough = await endsBeforeLoss(left, startOn(left, before));
        const last = isThrough ? left : left.afterPowerLoss();
        last.powerLossAt = Infinity;
        try {
          const which = await startOn(last, before);
          assert(which === "new" || (which === had && !isOver), `${which} is there`);
          seen.add(which);
        } catch (error) {
          throw new Error(`${where}: ${error instanceof Error ? error.message : error}`, {
            cause: error,
          });
        }
      }
    }
    assertEquals([...seen].sort(), [had, "new"].sort());
  });

  Deno.test(`the replacement of a directory may fail anywhere: ${before}`, async () => {
    for (const isLasting of [false, true]) {
      for (let at = 1, isReached = true; isReached; at++) {
        const storage = makeStorage(new Random(testSeed(32)), before);
        isReached = false;
        storage.fault = (_operation, _path, count) => {
          if (count !== at && !(isLasting && count > at)) return null;
          isReached = true;
          return Object.assign(new Error("Input/output error"), { code: "EIO" });
        };
        const isDone = await replace(storage).then(() => true, () => false);
        storage.fault = () => null;
        const which = await startOn(storage, before);
        const where = `operation ${at}${isLasting ? " and all that follow" : ""}`;
        if (isDone) assertEquals(which, "new", where);
        // A disk on which nothing works any more may be left with the new one alone in its place.
        else if (!isLasting) assertEquals(which, had, where);
      }
    }
  });
}

/** Whether it came to its end; false when the power went before. */
async function endsBeforeLoss(storage: PowerStorage, work: Promise<unknown>): Promise<boolean> {
  try {
    await work;
    return storage.operations < storage.powerLossAt;
  } catch (error) {
    for (let cause = error; cause instanceof Error; cause = cause.cause) {
      if (cause instanceof PowerLost) return false;
    }
    throw error;
  }
}
