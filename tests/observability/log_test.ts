import { assertEquals } from "@std/assert";
import type { Clock } from "../../src/base/clock.ts";
import { Log, LOG_LEVEL_NAMES, type LogOptions } from "../../src/observability/log.ts";
import type { LogSink } from "../../src/observability/log_sink.ts";

class Lines implements LogSink {
  lines: string[] = [];
  accepts = true;
  write(line: string): boolean {
    if (this.accepts) this.lines.push(line);
    return this.accepts;
  }
}

class HandClock implements Clock {
  ms = 0;
  nowMs(): number {
    return this.ms;
  }
  monotonicMs(): number {
    return this.ms;
  }
}

const T0 = "1970-01-01T00:00:00.000Z";

function openLog(options: Partial<LogOptions> = {}): { log: Log; sink: Lines; clock: HandClock } {
  const sink = new Lines(), clock = new HandClock();
  return {
    log: new Log({ level: "notice", format: "text", sink, clock, ...options }),
    sink,
    clock,
  };
}

Deno.test("each level writes itself and what is above it", () => {
  const written = LOG_LEVEL_NAMES.map((level) => {
    const { log, sink } = openLog({ level });
    log.debug("m");
    log.verbose("m");
    log.notice("m");
    log.warning("m");
    assertEquals(log.level, level);
    return [
      log.isDebug(),
      log.isVerbose(),
      log.isNotice(),
      ...sink.lines.map((l) => l.split(" ")[1]),
    ];
  });
  assertEquals(written, [
    [true, true, true, "debug", "verbose", "notice", "warning"],
    [false, true, true, "verbose", "notice", "warning"],
    [false, false, true, "notice", "warning"],
    [false, false, false, "warning"],
    [false, false, false],
  ]);
});

Deno.test("a scope marks its lines and shares everything else", () => {
  const { log, sink } = openLog();
  const link = log.forShard(2).forReplica("r 1");
  link.notice("streaming", { offset: 5 });
  log.notice("plain");
  log.level = "verbose";
  log.format = "json";
  link.verbose("acknowledged");
  assertEquals(sink.lines, [
    `${T0} notice  streaming shard=2 replica="r 1" offset=5`,
    `${T0} notice  plain`,
    `{"time":"${T0}","level":"verbose","message":"acknowledged","shard":2,"replica":"r 1"}`,
  ]);
});

Deno.test("the destination can be changed while scopes are in use", () => {
  const { log, sink } = openLog();
  const shard = log.forShard(0);
  const other = new Lines();
  log.sink = other;
  shard.notice("moved");
  assertEquals([sink.lines.length, other.lines.length], [0, 1]);
});

Deno.test("a flood of one message is held back and counted, debug lines are not", () => {
  const { log, sink, clock } = openLog({
    level: "debug",
    flood: { burstLines: 2, linesPerSecond: 1, kindsMax: 8 },
  });
  for (let i = 0; i < 5; i++) {
    log.notice("bad peer", { i });
    log.debug("detail", { i });
  }
  log.warning("bad peer");
  clock.ms = 1000;
  log.forShard(1).notice("bad peer", { i: 5 });
  assertEquals(sink.lines.filter((line) => !line.includes("debug")), [
    `${T0} notice  bad peer i=0`,
    `${T0} notice  bad peer i=1`,
    `${T0} warning bad peer`,
    "1970-01-01T00:00:01.000Z notice  bad peer shard=1 i=5 held_back=3",
  ]);
  assertEquals(sink.lines.filter((line) => line.includes("debug")).length, 5);
  assertEquals(log.linesHeldBack, 3);
});

Deno.test("what a flood held back is told of when it is over", () => {
  const { log, sink, clock } = openLog({
    flood: { burstLines: 1, linesPerSecond: 1, kindsMax: 8 },
  });
  for (let i = 0; i < 4; i++) log.warning("bad peer");
  log.reportHeldBack();
  clock.ms = 1000;
  log.reportHeldBack();
  log.reportHeldBack();
  assertEquals(sink.lines, [
    `${T0} warning bad peer`,
    "1970-01-01T00:00:01.000Z warning bad peer held_back=3",
  ]);
});

Deno.test("lines that the destination refused are counted and told of in the next", () => {
  const { log, sink } = openLog();
  sink.accepts = false;
  log.notice("one");
  log.notice("two");
  sink.accepts = true;
  log.notice("three");
  log.notice("four");
  assertEquals(sink.lines, [`${T0} notice  three lines_lost=2`, `${T0} notice  four`]);
  assertEquals(log.linesLost, 2);
});

Deno.test("a field that cannot be printed loses its line and throws nothing", () => {
  const { log, sink } = openLog();
  log.notice("odd", {
    value: {
      toString(): string {
        throw new Error("no");
      },
    },
  });
  log.notice("odd", { value: Object.create(null) });
  assertEquals([sink.lines.length, log.linesLost], [0, 2]);
});
