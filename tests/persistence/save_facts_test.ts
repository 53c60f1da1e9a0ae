import { assertEquals, assertThrows } from "@std/assert";
import { factsAsAux, factsFromAux, type SaveFacts } from "../../src/persistence/save_facts.ts";
import { RdbError } from "../../src/snapshot/errors.ts";

const FACTS: SaveFacts = {
  saveId: "0123456789abcdef".repeat(2),
  savedAtMs: 1_700_000_000_000,
  shards: 3,
  shard: 2,
  sequence: Number.MAX_SAFE_INTEGER,
  history: { id: "f".repeat(40), offset: 12 },
  upstream: '{"shards":1}',
  replaces: [{ name: "dump.rdb", bytes: 10, tail: "00ff" }],
};

Deno.test("facts of a save come back from its AUX fields", () => {
  for (
    const facts of [
      FACTS,
      { ...FACTS, history: null, upstream: null, replaces: [] },
      { ...FACTS, shards: 1, shard: 0, sequence: 0, savedAtMs: 0 },
    ]
  ) {
    assertEquals(factsFromAux(new Map(factsAsAux(facts))), facts);
  }
});

Deno.test("a file without a save's id is plain, whatever else it says", () => {
  assertEquals(factsFromAux(new Map([["redis-ver", "7.2.4"], ["shoal-shards", "x"]])), null);
});

Deno.test("facts that no save writes are an error that names them", () => {
  const bad: [name: string, value: string | null][] = [
    ["shoal-save-id", "xyz"],
    ["shoal-save-time", ""],
    ["shoal-save-time", "-1"],
    ["shoal-shards", "0"],
    ["shoal-shards", "1025"],
    ["shoal-shards", null],
    ["shoal-shard", "3"],
    ["shoal-shard", "1e0"],
    ["shoal-sequence", "9007199254740993"],
    ["shoal-history", "F".repeat(40)],
    ["shoal-offset", null],
    ["shoal-replaces", "{}"],
    ["shoal-replaces", "[1]"],
    ["shoal-replaces", "["],
  ];
  for (const [name, value] of bad) {
    const aux = new Map(factsAsAux(FACTS));
    if (value === null) aux.delete(name);
    else aux.set(name, value);
    assertThrows(() => factsFromAux(aux), RdbError, `its fact ${name} is `);
  }
});
