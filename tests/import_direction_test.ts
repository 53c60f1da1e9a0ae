import { assert, assertEquals } from "@std/assert";
import { importArrows, productFiles, unreachedFiles } from "./support/import_graph.ts";
import { type Arrow, brokenArrows } from "./support/import_graph.ts";

const arrow = (from: string, to: string): Arrow => ({ from, to, line: 1 });

Deno.test("imports go from each room only to the rooms below it", async () => {
  const arrows = await importArrows(await productFiles());
  assert(arrows.length > 0, "the graph has no arrows: deno info told nothing");
  assertEquals(brokenArrows(arrows), []);
});

Deno.test("every file of src is loaded by main.ts or by a worker it starts", async () => {
  const files = await productFiles();
  const unreached = unreachedFiles(files, await importArrows(files), ["main.ts"]);
  assertEquals(unreached, [], "these files are dead");
});

Deno.test("an arrow against the order of the rooms is named, with the reason", () => {
  const inOrder = [
    arrow("main.ts", "src/cli/main.ts"),
    arrow("src/shard/shard.ts", "src/commands/registry.ts"),
    arrow("src/shard/shard.ts", "src/base/clock.ts"),
    arrow("src/shard/shard.ts", "src/shard/tick.ts"),
    arrow("tests/shard/shard_test.ts", "src/shard/shard.ts"),
  ];
  const broken = [
    arrow("src/base/clock.ts", "src/resp/request_parser.ts"),
    arrow("src/replication/wire.ts", "src/snapshot/job.ts"),
    arrow("src/commands/set.ts", "src/replication/backlog.ts"),
    arrow("src/server/server.ts", "tests/support/client.ts"),
    arrow("src/server/server.ts", "src/std/assert/mod.ts"),
    arrow("src/server/server.ts", "src/attic/old.ts"),
    arrow("src/cli/args.ts", "main.ts"),
  ];
  assertEquals(brokenArrows([...inOrder, ...broken]), [
    "src/base/clock.ts:1 -> src/resp/request_parser.ts: resp/ lies above base/",
    "src/replication/wire.ts:1 -> src/snapshot/job.ts: replication/ must not know snapshot/",
    "src/commands/set.ts:1 -> src/replication/backlog.ts: commands/ must not know replication/",
    "src/server/server.ts:1 -> tests/support/client.ts: the product must not import tests",
    "src/server/server.ts:1 -> src/std/assert/mod.ts: @std/assert is for tests; use src/base/invariant.ts",
    "src/server/server.ts:1 -> src/attic/old.ts: attic/ is not a known room",
    "src/cli/args.ts:1 -> main.ts: main.ts is where imports start",
  ]);
});

Deno.test("two rooms that import each other are always named once", () => {
  const cycle = [
    arrow("src/shard/a.ts", "src/server/b.ts"),
    arrow("src/server/b.ts", "src/shard/a.ts"),
  ];
  assertEquals(brokenArrows(cycle), [
    "src/shard/a.ts:1 -> src/server/b.ts: server/ lies above shard/",
  ]);
});

Deno.test("a file that nothing on the way from the roots imports is dead", () => {
  const files = ["main.ts", "src/a/used.ts", "src/a/alone.ts", "src/a/island.ts", "src/std/x/y.ts"];
  const arrows = [
    arrow("main.ts", "src/a/used.ts"),
    arrow("src/a/island.ts", "src/a/alone.ts"),
    arrow("src/a/alone.ts", "src/a/island.ts"),
  ];
  assertEquals(unreachedFiles(files, arrows, ["main.ts"]), ["src/a/alone.ts", "src/a/island.ts"]);
});
