import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { type SlowCall, SlowLog } from "../../src/observability/slowlog.ts";

/** A request of these words, run at `nowMs`. */
function call(words: readonly string[], nowMs = 1_700_000_000_999): SlowCall {
  const buf = ascii(words.join(""));
  const starts = new Int32Array(words.length);
  const stops = new Int32Array(words.length);
  let at = 0;
  words.forEach((word, i) => {
    starts[i] = at;
    at += word.length;
    stops[i] = at;
  });
  const session = { peer: "127.0.0.1:5", name: "me" };
  return { buf, starts, stops, argc: words.length, nowMs, session };
}

const argsOf = (log: SlowLog) => log.get(1)[0].args.map((arg) => latin1(arg));

Deno.test("an entry says what ran, when, for how long, and for whom", () => {
  const log = new SlowLog(4);
  log.record(call(["GET", "k"]), 12.9);
  assertEquals(log.get(10), [{
    id: 0,
    unixSeconds: 1_700_000_000,
    microseconds: 12,
    args: [ascii("GET"), ascii("k")],
    peer: "127.0.0.1:5",
    name: "me",
  }]);
});

Deno.test("the newest entries come first and the oldest make room", () => {
  const log = new SlowLog(3);
  for (let i = 0; i < 5; i++) log.record(call([`C${i}`]), i);
  assertEquals(log.get(-1).map((e) => e.id), [4, 3, 2]);
  assertEquals(log.get(2).map((e) => e.id), [4, 3]);
  assertEquals(log.get(0), []);
  log.maxEntries = 1;
  assertEquals(log.get(-1).map((e) => e.id), [4]);
  log.reset();
  assertEquals(log.length, 0);
  log.record(call(["X"]), 1);
  assertEquals(log.get(-1).map((e) => e.id), [5], "ids are not used twice");
});

Deno.test("a log of no entries keeps none", () => {
  const log = new SlowLog(0);
  log.record(call(["X"]), 1);
  assertEquals(log.length, 0);
});

Deno.test("an entry keeps an argument of 128 bytes whole and says what it cut from a longer one", () => {
  const log = new SlowLog(4);
  log.record(call(["SET", "x".repeat(128), "y".repeat(130)]), 1);
  assertEquals(argsOf(log), ["SET", "x".repeat(128), "y".repeat(128) + "... (2 more bytes)"]);
});

Deno.test("an entry keeps 32 arguments, or 31 and the number of the others", () => {
  const log = new SlowLog(4);
  const words = Array.from({ length: 33 }, (_, i) => `w${i}`);
  log.record(call(words.slice(0, 32)), 1);
  assertEquals(argsOf(log), words.slice(0, 32));
  log.record(call(words), 1);
  assertEquals(argsOf(log), [...words.slice(0, 31), "... (2 more arguments)"]);
});

Deno.test("a secret is not kept", () => {
  const log = new SlowLog(4);
  log.record(call(["AUTH", "hunter2"]), 1, [1]);
  assertEquals(argsOf(log), ["AUTH", "(redacted)"]);
});
