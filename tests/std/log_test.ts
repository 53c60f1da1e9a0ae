import { assertEquals, assertMatch, assertThrows } from "@std/assert";
import { BaseHandler, getLogger, type LevelName, Logger, type LogRecord, setup } from "@std/log";
import { jsonFormatter } from "@std/log/formatters";

class Lines extends BaseHandler {
  readonly lines: string[] = [];
  calls = "";
  override log(line: string): void {
    this.lines.push(line);
  }
  override setup(): void {
    this.calls += "setup ";
  }
  override destroy(): void {
    this.calls += "destroy ";
  }
}

Deno.test("a logger lets through its own level and above, a handler likewise", () => {
  const handler = new Lines("WARN");
  const logger = new Logger("test", "INFO", { handlers: [handler] });
  logger.debug("no");
  logger.info("let through by the logger alone");
  logger.warn("yes");
  logger.levelName = "CRITICAL";
  logger.error("no more");
  logger.critical(new RangeError("boom"));
  assertEquals(handler.lines.length, 2);
  assertEquals(handler.lines[0], "WARN yes");
  assertMatch(handler.lines[1], /^CRITICAL RangeError: boom\n/);
});

Deno.test("a message function is called only when its level is on", () => {
  const handler = new Lines("NOTSET");
  const logger = new Logger("test", "INFO", { handlers: [handler] });
  let calls = 0;
  assertEquals(logger.debug(() => ++calls), undefined);
  assertEquals(logger.info(() => ++calls), 1);
  assertEquals(handler.lines, ["INFO 1"]);
});

Deno.test("setup names loggers and handlers, and lets the former ones go", () => {
  const first = new Lines("DEBUG"), second = new Lines("DEBUG");
  try {
    setup({ handlers: { mine: first }, loggers: { a: { level: "ERROR", handlers: ["mine"] } } });
    getLogger("a").warn("below");
    getLogger("a").error("heard");
    getLogger("unnamed").error("has no handler");
    setup({ handlers: { mine: second } });
    getLogger("a").error("no handler any more");
  } finally {
    setup({});
  }
  assertEquals([first.lines, first.calls], [["ERROR heard"], "setup destroy "]);
  assertEquals([second.lines, second.calls], [[], "setup destroy "]);
});

Deno.test("an unknown level stops with its name", () => {
  assertThrows(() => new Logger("x", "LOUD" as LevelName), Error, "LOUD");
});

Deno.test("the JSON formatter prints level, time, message and arguments", () => {
  const records: LogRecord[] = [];
  const handler = new Lines("DEBUG", {
    formatter: (record) => {
      records.push(record);
      return jsonFormatter(record);
    },
  });
  new Logger("x", "DEBUG", { handlers: [handler] }).info("said", { port: 1 });
  const datetime = records[0].datetime.getTime();
  assertEquals(JSON.parse(handler.lines[0]), {
    level: "INFO",
    datetime,
    message: "said",
    args: { port: 1 },
  });
});
