import { assertEquals, assertMatch } from "@std/assert";
import { SaveError, saveError } from "../../src/persistence/save_error.ts";
import { SnapshotJobError } from "../../src/snapshot/job.ts";

const PATH = "/data/temp-1-1.rdb";

Deno.test("a save that failed says in one line what to do about it", () => {
  const full = Object.assign(new Error("No space left on device (os error 28)"), {
    code: "ENOSPC",
  });
  const cases: [unknown, string][] = [
    [full, `cannot write ${PATH}: No space left on device`],
    [
      new SnapshotJobError("sinkFailed", "x", full),
      `cannot write ${PATH}: No space left on device`,
    ],
    [
      new Deno.errors.NotCapable("Requires write access"),
      `not permitted to write ${PATH}: start with --allow-write=${PATH} before main.ts, ` +
      "beside what is allowed already (README, Permissions)",
    ],
    [
      new SnapshotJobError("aborted", "the arena is full"),
      "the snapshot was not finished: the arena is full",
    ],
    [new Error("odd"), `cannot write ${PATH}: odd`],
  ];
  for (const [cause, message] of cases) assertEquals(saveError(PATH, cause).message, message);
  const known = new SaveError("known");
  assertEquals(saveError(PATH, known), known);
});

Deno.test("a worker that may not be loaded is said to be so, with the flag that allows it", () => {
  const refused = 'Requires read access to "/x/src/snapshot/worker.ts", run again with ...';
  const { message } = saveError(PATH, new SnapshotJobError("notStarted", refused));
  assertMatch(
    message,
    /^not permitted to load the snapshot worker: start with --allow-read=\/.*\/src /,
  );
});
