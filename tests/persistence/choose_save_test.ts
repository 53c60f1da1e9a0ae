import { assertEquals, assertStringIncludes } from "@std/assert";
import { chooseSave, type Decision } from "../../src/persistence/choose_save.ts";
import {
  isSnapshotFileName,
  isTempFileName,
  isTempSnapshotName,
  snapshotFileName,
  tempFileName,
} from "../../src/persistence/file_names.ts";
import type { FileHead, FoundFile } from "../../src/persistence/save_catalog.ts";
import { newSaveId, type PlainFileId } from "../../src/persistence/save_facts.ts";

function found(name: string, head: FileHead): FoundFile {
  return { name, path: `/data/${name}`, bytes: 100, isTemp: isTempFileName(name), head };
}

/** A file of a save that is named `id` here. */
function ours(
  name: string,
  id: string,
  savedAtMs: number,
  shard: number,
  shards: number,
  replaces: PlainFileId[] = [],
): FoundFile {
  const facts = {
    saveId: id,
    savedAtMs,
    shards,
    shard,
    sequence: 0,
    history: null,
    upstream: null,
    replaces,
  };
  return found(name, { kind: "save", facts });
}

function plain(name: string, tail = "00"): FoundFile {
  return found(name, { kind: "plain", id: { name, bytes: 100, tail } });
}

function bad(name: string): FoundFile {
  return found(name, { kind: "bad", why: `cannot load /data/${name}: RDB image, byte 3: junk` });
}

function choose(files: FoundFile[], shards: number): Decision {
  return chooseSave(files, { dbFilename: "dump.rdb", shards });
}

/** What a decision loads, in a word. */
function loads({ choice }: Decision): string {
  switch (choice.kind) {
    case "nothing":
      return "nothing";
    case "refused":
      return choice.why;
    default:
      return `${choice.kind} ${choice.files.map((file) => file.name).join(" ")}`;
  }
}

function names(files: readonly FoundFile[]): string[] {
  return files.map((file) => file.name);
}

Deno.test("a shard's file is named after dbfilename, with its number before the dot", () => {
  assertEquals(snapshotFileName("dump.rdb", 0, 1), "dump.rdb");
  assertEquals(snapshotFileName("dump.rdb", 0, 2), "dump-0.rdb");
  assertEquals(snapshotFileName("a.b.rdb", 11, 12), "a.b-11.rdb");
  assertEquals(snapshotFileName("dump", 1, 2), "dump-1");
  assertEquals(snapshotFileName(".rdb", 1, 2), ".rdb-1");
});

Deno.test("only names that shoal gives are taken for snapshots", () => {
  for (const name of ["dump.rdb", "dump-0.rdb", "dump-12.rdb", "dump-1023.rdb"]) {
    assertEquals(isSnapshotFileName("dump.rdb", name), true, name);
  }
  const others = [
    "dump-.rdb",
    "dump-01.rdb",
    "dump-1024.rdb",
    "dump-x.rdb",
    "dump.rdb.bak",
    "-0.rdb",
  ];
  for (const name of [...others, "dump-2024-01-01.rdb", "xdump-1.rdb"]) {
    assertEquals(isSnapshotFileName("dump.rdb", name), false, name);
  }
  assertEquals(isTempFileName(tempFileName(17, 3)), true);
  assertEquals(isTempFileName("temp-17.rdb"), false, "one of Redis's own");
});

Deno.test("a snapshot cannot be called what files are called that are being written", () => {
  for (const name of ["temp-1-1.rdb", "temp-17.rdb"]) {
    assertEquals(isTempSnapshotName(name), true, name);
  }
  for (const name of ["temp.rdb", "temp-a.rdb", "temp-1-1.rdb.bak", "dump-1-1.rdb"]) {
    assertEquals(isTempSnapshotName(name), false, name);
  }
});

Deno.test("an empty directory loads nothing", () => {
  assertEquals(loads(choose([], 2)), "nothing");
});

Deno.test("a save of any number of shards is loaded whole", () => {
  const one = [ours("dump.rdb", "a", 5, 0, 1)];
  const three = [0, 1, 2].map((i) => ours(`dump-${i}.rdb`, "b", 5, i, 3));
  for (const shards of [1, 2, 3, 7]) {
    assertEquals(loads(choose(one, shards)), "save dump.rdb");
    assertEquals(loads(choose(three, shards)), "save dump-0.rdb dump-1.rdb dump-2.rdb");
  }
});

Deno.test("of several complete saves the newest wins and the others are stale", () => {
  const files = [
    ours("dump.rdb", "new", 9, 0, 1),
    ours("dump-0.rdb", "old", 5, 0, 2),
    ours("dump-1.rdb", "old", 5, 1, 2),
    ours("dump-2.rdb", "older", 4, 2, 3),
  ];
  const decision = choose(files, 1);
  assertEquals(loads(decision), "save dump.rdb");
  assertEquals(names(decision.stale), ["dump-0.rdb", "dump-1.rdb", "dump-2.rdb"]);
});

Deno.test("a save whose renaming was interrupted is loaded from both kinds of names", () => {
  const files = [
    ours("dump-0.rdb", "new", 9, 0, 2),
    ours("dump-1.rdb", "old", 5, 1, 2),
    ours("temp-1-2.rdb", "new", 9, 1, 2),
    ours("temp-1-9.rdb", "never", 10, 1, 2),
  ];
  const decision = choose(files, 2);
  assertEquals(loads(decision), "save dump-0.rdb temp-1-2.rdb");
  assertEquals(names(decision.leftovers), ["temp-1-9.rdb"]);
  assertEquals(names(decision.stale), ["dump-1.rdb"]);
});

Deno.test("files that are all temporary are no save", () => {
  const temps = [ours("temp-1-1.rdb", "x", 9, 0, 2), ours("temp-1-2.rdb", "x", 9, 1, 2)];
  const decision = choose([...temps, bad("temp-1-3.rdb")], 2);
  assertEquals(loads(decision), "nothing");
  assertEquals(decision.leftovers.length, 3);
  const old = ours("dump.rdb", "old", 5, 0, 1);
  assertEquals(loads(choose([old, ...temps], 2)), "save dump.rdb");
});

Deno.test("a start is refused when the newest save lacks a file, whatever else is there", () => {
  const half = ours("dump-0.rdb", "new", 9, 0, 2);
  const why = loads(choose([half, ours("dump.rdb", "old", 5, 0, 1)], 2));
  assertStringIncludes(why, "/data/dump-0.rdb");
  assertStringIncludes(why, "dump-1.rdb of 2 files is missing");
  assertStringIncludes(loads(choose([half], 1)), "is missing");
});

Deno.test("files of Redis are loaded, one or numbered ones, but not both", () => {
  assertEquals(loads(choose([plain("dump.rdb")], 3)), "plain dump.rdb");
  const numbered = [plain("dump-0.rdb"), plain("dump-1.rdb")];
  assertEquals(loads(choose(numbered, 1)), "plain dump-0.rdb dump-1.rdb");
  const why = loads(choose([...numbered, plain("dump.rdb")], 1));
  assertStringIncludes(why, "/data/dump.rdb and /data/dump-0.rdb could both be the data set");
});

Deno.test("a start is refused when the next save would overwrite what nobody loaded", () => {
  const save = [ours("dump-0.rdb", "a", 5, 0, 2), ours("dump-1.rdb", "a", 5, 1, 2)];
  assertStringIncludes(
    loads(choose([...save, plain("dump.rdb")], 2)),
    "/data/dump.rdb is not part",
  );
  const one = ours("dump.rdb", "a", 5, 0, 1);
  assertStringIncludes(
    loads(choose([one, plain("dump-1.rdb")], 2)),
    "/data/dump-1.rdb is not part",
  );
  const copy = ours("dump-1.rdb", "a", 5, 0, 1);
  assertStringIncludes(loads(choose([one, copy], 2)), "/data/dump-1.rdb is not part");
});

Deno.test("what looks like a snapshot but is in nobody's way is left alone", () => {
  const one = ours("dump.rdb", "a", 5, 0, 1);
  const copy = ours("dump-7.rdb", "a", 5, 0, 1);
  for (const file of [plain("dump-7.rdb"), copy]) {
    const decision = choose([one, file], 1);
    assertEquals(loads(decision), "save dump.rdb");
    assertEquals(names(decision.ignored), ["dump-7.rdb"]);
    assertEquals([decision.stale.length, decision.leftovers.length], [0, 0]);
  }
});

Deno.test("a file of Redis under a name of unfinished files is left alone", () => {
  const temp = plain("temp-1-1.rdb");
  for (const files of [[], [plain("dump.rdb")], [ours("dump.rdb", "a", 5, 0, 1)]]) {
    const decision = choose([...files, temp, bad("temp-1-2.rdb")], 1);
    assertEquals(names(decision.ignored), ["temp-1-1.rdb"]);
    assertEquals(names(decision.leftovers), ["temp-1-2.rdb"]);
  }
});

Deno.test("a plain file that the save says it replaced is known by name, size and end", () => {
  const replaces = [{ name: "dump.rdb", bytes: 100, tail: "aa" }];
  const save = [0, 1].map((i) => ours(`dump-${i}.rdb`, "a", 5, i, 2, replaces));
  const decision = choose([...save, plain("dump.rdb", "aa")], 2);
  assertEquals(loads(decision), "save dump-0.rdb dump-1.rdb");
  assertEquals(names(decision.replaced), ["dump.rdb"]);
  assertStringIncludes(loads(choose([...save, plain("dump.rdb", "ab")], 2)), "is not part");
});

Deno.test("a file under another's name is said to be so when there is nothing else", () => {
  const why = loads(choose([ours("dump.rdb", "a", 5, 1, 2)], 1));
  assertStringIncludes(why, "shard 1 of a save of 2, which is called dump-1.rdb");
});

Deno.test("an unreadable file refuses the start, unless it was still being written", () => {
  const one = ours("dump.rdb", "a", 5, 0, 1);
  assertStringIncludes(loads(choose([one, bad("dump-3.rdb")], 1)), "byte 3: junk");
  assertEquals(loads(choose([one, bad("temp-1-1.rdb")], 1)), "save dump.rdb");
});

Deno.test("no two saves have the same id", () => {
  assertEquals(new Set(Array.from({ length: 100 }, newSaveId)).size, 100);
});
