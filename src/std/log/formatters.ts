/** Ready-made formatters. @module */

import type { LogRecord } from "./logger.ts";

/** One JSON object: `level` (name), `datetime` (Unix milliseconds), `message`, `args` (none, one or a list). */
export function jsonFormatter(logRecord: LogRecord): string {
  const { args } = logRecord;
  return JSON.stringify({
    level: logRecord.levelName,
    datetime: logRecord.datetime.getTime(),
    message: logRecord.msg,
    args: args.length > 1 ? args : args[0],
  });
}
