import { assertEquals } from "@std/assert";
import { Log } from "../../src/observability/log.ts";
import { FAILING_TOLD_MS, FailureLog } from "../../src/shard/failure_log.ts";

/** A log of failures, and its lines without their times. */
function failureLog(): { failures: FailureLog; take: () => string[] } {
  const lines: string[] = [];
  const log = new Log({
    level: "notice",
    format: "text",
    sink: { write: (line) => lines.push(line.replace(/^.*warning\s+/i, "").trimEnd()) > 0 },
    clock: { nowMs: () => 0, monotonicMs: () => 0 },
  });
  return { failures: new FailureLog(log), take: () => lines.splice(0) };
}

const LINK = { upstream_shard: 0 };

Deno.test("a failure is told once for each reason, then once a minute with how often", () => {
  const { failures, take } = failureLog();
  const fail = (reason: string, nowMs: number) =>
    failures.failed("shard 0", "upstream link failed", LINK, reason, nowMs);
  fail("refused", 1_000);
  assertEquals(take(), ["upstream link failed upstream_shard=0 error=refused"]);
  for (let ms = 2_000; ms < 1_000 + FAILING_TOLD_MS; ms += 1_000) fail("refused", ms);
  assertEquals(take(), []);
  fail("refused", 1_000 + FAILING_TOLD_MS);
  assertEquals(take(), [
    "the upstream cannot be followed, still failures=60 " +
    'last="upstream link failed" upstream_shard=0 error=refused',
  ]);
  fail("refused", 2_000 + FAILING_TOLD_MS);
  assertEquals(take(), []);
  fail("reset", 3_000 + FAILING_TOLD_MS);
  assertEquals(take(), ["upstream link failed upstream_shard=0 error=reset"]);
});

Deno.test("a failure behind a success is told at once, and parts have reasons of their own", () => {
  const { failures, take } = failureLog();
  const fail = (shard: number) =>
    failures.failed(`shard ${shard}`, "failed", { upstream_shard: shard }, "refused", 0);
  for (const shard of [0, 1, 0, 1]) fail(shard);
  assertEquals(take().length, 2);
  failures.worked("shard 1");
  for (const shard of [0, 1]) fail(shard);
  assertEquals(take(), ["failed upstream_shard=1 error=refused"]);
});

Deno.test("reasons that are another each time do not flood the log", () => {
  const { failures, take } = failureLog();
  const day = 86_400_000;
  for (let ms = 0; ms < day; ms += 2_000) {
    failures.failed("shard 0", "failed", LINK, `frame ${ms} is bad`, ms);
  }
  const lines = take().length;
  assertEquals(lines <= day / FAILING_TOLD_MS * 9, true, `${lines} lines`);
});
