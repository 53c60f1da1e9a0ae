import { assertEquals, assertStringIncludes } from "@std/assert";
import { Gate } from "../../src/base/gate.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { checkRdb } from "../../src/persistence/check_rdb.ts";
import { DISK } from "../../src/persistence/disk.ts";
import { LoadError } from "../../src/persistence/load_error.ts";
import { LoadSink } from "../../src/persistence/load_sink.ts";
import { loadRdbFile } from "../../src/persistence/rdb_load.ts";
import { image, length, littleEndian, string } from "../snapshot/encodings.ts";
import { withDir } from "./support.ts";

type Entry = readonly [type: number, key: string, body: readonly Uint8Array[]];

/** A stream without entries, and what its one group has behind its name and ID. */
function stream(group: string, rest: readonly Uint8Array[]): readonly Uint8Array[] {
  const facts = [length(0), length(0), length(0), length(0)];
  return [...facts, length(1), string(group), length(0), length(0), ...rest];
}

const LONG = "n".repeat(70_000);
const CONSUMER = [string("c"), littleEndian(0, 8)];
/** An ID as pending entries have it. */
const ID = new Uint8Array(16).fill(1);
const PENDING = [ID, littleEndian(0, 8), length(1)];

const SOUND: readonly Entry[] = [
  [0, "string", [string("v")]],
  [0, "long", [string(LONG)]],
  [1, "list", [length(2), string("a"), string("a")]],
  [2, "set", [length(2), string("a"), string("b")]],
  [15, "stream", stream("g", [length(1), ...PENDING, length(1), ...CONSUMER, length(1), ID])],
];

/** What is wrong with an entry, and what is said of it. */
const FAULTS: readonly (readonly [fault: string, entry: Entry])[] = [
  ["a set has a member twice", [2, "k", [length(2), string("a"), string("a")]]],
  ["a hash has a field twice", [4, "k", [length(2), ...["a", "1", "a", "2"].map(string)]]],
  ["an entry that nobody owns", [15, "k", stream("g", [length(1), ...PENDING, length(0)])]],
  [
    "that is not pending",
    [15, "k", stream("g", [length(0), length(1), ...CONSUMER, length(1), ID])],
  ],
  [
    'key "k" has a consumer group or consumer\'s name of 70000 bytes, longer than one may be here',
    [15, "k", stream(LONG, [length(0), length(0)])],
  ],
  [
    'key "k" has a consumer group or consumer\'s name of 70000 bytes, longer than one may be here',
    [15, "k", stream("g", [length(0), length(1), string(LONG), littleEndian(0, 8), length(0)])],
  ],
  ["a member or field of 70000 bytes, longer", [2, "k", [length(1), string(LONG)]]],
  ["it has a key of 70000 bytes, longer", [0, LONG, [string("v")]]],
  ["it has a key of 70000 bytes, longer", [0, LONG, [string(LONG)]]],
  ["it has a key of 70000 bytes, longer", [1, LONG, [length(1), string("v")]]],
];

/** Why a load refuses the file; null when it does not. */
async function refusal(path: string): Promise<string | null> {
  const sink = new LoadSink({
    keyspaces: [new Keyspace(new Arena(16 * 2 ** 20), 16, { k0: 1, k1: 2 })],
    shardOf: () => 0,
    dropsExpired: false,
    dropped() {},
  });
  try {
    await loadRdbFile(DISK, path, sink, {
      gate: new Gate(1),
      checksum: true,
      onBytes() {},
      onWarning() {},
      cancelled: () => null,
    });
    return null;
  } catch (error) {
    if (error instanceof LoadError) return error.message;
    throw error;
  }
}

Deno.test("what a load refuses of an image, its check finds, in the same words", async () => {
  await withDir(async (dir) => {
    const path = `${dir}/dump.rdb`;
    for (const [fault, entry] of [[null, SOUND[0]] as const, ...FAULTS]) {
      Deno.writeFileSync(path, image([...SOUND.slice(1), entry]));
      using file = await DISK.open(path);
      const report = await checkRdb(path, file);
      assertEquals(report.fault, await refusal(path));
      if (fault === null) assertEquals(report.fault, null);
      else assertStringIncludes(report.fault!, fault);
    }
  });
});
