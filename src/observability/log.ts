/**
 * shoal's log, on `@std/log`: Redis's levels, one line an event, with the shard and the replica it
 * is about and key=value fields.
 *
 * A level that is off costs one comparison, provided that the caller asks before it builds fields:
 *
 * ```ts ignore
 * if (log.isVerbose()) log.verbose("client connected", { address, clients: clients.size });
 * ```
 *
 * No call here throws. Lines that repeat too often are held back and counted (`log_flood.ts`);
 * lines that the destination refuses are counted and told of in the next one it takes.
 *
 * @module
 */

import { BaseHandler, Logger, type LogLevel, LogLevels, type LogRecord } from "@std/log";
import type { Clock } from "../base/clock.ts";
import { FloodGate, type FloodLimits, HELD_BACK } from "./log_flood.ts";
import {
  formatJson,
  formatText,
  type LogEntry,
  type LogFields,
  type LogFormatter,
  type LogScope,
} from "./log_format.ts";
import type { LogSink } from "./log_sink.ts";

/** Redis's names of the levels, from the lowest up; `nothing` is for the setting alone. */
export type LogLevelName = "debug" | "verbose" | "notice" | "warning" | "nothing";

/** The level names that the `loglevel` setting takes. */
export const LOG_LEVEL_NAMES: readonly LogLevelName[] = [
  "debug",
  "verbose",
  "notice",
  "warning",
  "nothing",
];

/** How a line looks. */
export type LogFormat = "text" | "json";

/** What a log is made of. */
export interface LogOptions {
  /** The lowest level written. */
  readonly level: LogLevelName;
  /** How lines look. */
  readonly format: LogFormat;
  /** Where lines go. */
  readonly sink: LogSink;
  /** Times the lines and the flood limits. */
  readonly clock: Clock;
  /** Flood limits to use instead of the default ones. */
  readonly flood?: FloodLimits;
}

const DEBUG = LogLevels.DEBUG;
const VERBOSE = LogLevels.INFO;
const NOTICE = LogLevels.WARN;
const WARNING = LogLevels.ERROR;

const LEVEL_OF_NAME: Record<LogLevelName, LogLevel> = {
  debug: DEBUG,
  verbose: VERBOSE,
  notice: NOTICE,
  warning: WARNING,
  nothing: LogLevels.CRITICAL,
};
const FORMATTERS: Record<LogFormat, LogFormatter> = { text: formatText, json: formatJson };
const NO_SCOPE: LogScope = {};
const NO_FIELDS: LogFields = {};

/** The handler of `@std/log` under a log: formats by our clock, counts what the sink refuses. */
class SinkHandler extends BaseHandler {
  sink: LogSink;
  lineFormat: LogFormat;
  lost = 0;
  #lostUntold = 0;
  readonly #clock: Clock;

  constructor(options: LogOptions) {
    super("DEBUG");
    this.sink = options.sink;
    this.lineFormat = options.format;
    this.#clock = options.clock;
  }

  override format(record: LogRecord): string {
    const args = record.args;
    const fields = args[1] as LogFields;
    return FORMATTERS[this.lineFormat](
      {
        unixMs: this.#clock.nowMs(),
        level: nameOfLevel(record.level),
        message: record.msg,
        scope: args[0] as LogScope,
        fields: this.#lostUntold === 0 ? fields : { ...fields, lines_lost: this.#lostUntold },
      } satisfies LogEntry,
    );
  }

  override log(line: string): void {
    if (this.sink.write(line)) {
      this.#lostUntold = 0;
    } else {
      this.lost++;
      this.#lostUntold++;
    }
  }
}

/** A log and its scopes: `forShard` and `forReplica` give views that share everything but the scope. */
export class Log {
  readonly #core: LogCore;
  readonly #scope: LogScope;

  /** A log of its own, or another view of `from` whose lines carry `scope`. */
  constructor(from: LogOptions | Log, scope: LogScope = NO_SCOPE) {
    this.#core = from instanceof Log ? from.#core : new LogCore(from);
    this.#scope = scope;
  }

  /** The same log, its lines marked with a shard. */
  forShard(shard: number): Log {
    return new Log(this, { ...this.#scope, shard });
  }

  /** The same log, its lines marked with a replica's id. */
  forReplica(replica: string): Log {
    return new Log(this, { ...this.#scope, replica });
  }

  /** The lowest level written, of this log and all its scopes. */
  get level(): LogLevelName {
    return nameOfLevel(this.#core.logger.level);
  }
  set level(level: LogLevelName) {
    this.#core.logger.level = LEVEL_OF_NAME[level];
  }

  /** How lines look, of this log and all its scopes. */
  get format(): LogFormat {
    return this.#core.handler.lineFormat;
  }
  set format(format: LogFormat) {
    this.#core.handler.lineFormat = format;
  }

  /** Where lines go, of this log and all its scopes. */
  get sink(): LogSink {
    return this.#core.handler.sink;
  }
  set sink(sink: LogSink) {
    this.#core.handler.sink = sink;
  }

  /** Lines that the destination refused. */
  get linesLost(): number {
    return this.#core.handler.lost;
  }

  /** Lines held back because they repeated too often. */
  get linesHeldBack(): number {
    return this.#core.flood.heldBackTotal;
  }

  /** Whether `debug` writes anything. */
  isDebug(): boolean {
    return this.#core.logger.level <= DEBUG;
  }

  /** Whether `verbose` writes anything. */
  isVerbose(): boolean {
    return this.#core.logger.level <= VERBOSE;
  }

  /** Whether `notice` writes anything. */
  isNotice(): boolean {
    return this.#core.logger.level <= NOTICE;
  }

  /** For someone looking for a fault; never held back. */
  debug(message: string, fields: LogFields = NO_FIELDS): void {
    this.#core.write(DEBUG, message, this.#scope, fields);
  }

  /** What happens often in ordinary operation. */
  verbose(message: string, fields: LogFields = NO_FIELDS): void {
    this.#core.write(VERBOSE, message, this.#scope, fields);
  }

  /** What an operator wants to see: starts, stops, links, snapshots. */
  notice(message: string, fields: LogFields = NO_FIELDS): void {
    this.#core.write(NOTICE, message, this.#scope, fields);
  }

  /** What an operator should do something about. */
  warning(message: string, fields: LogFields = NO_FIELDS): void {
    this.#core.write(WARNING, message, this.#scope, fields);
  }

  /** Writes one line for each flood that is over, with the number held back; for a once-a-second tick. */
  reportHeldBack(): void {
    this.#core.reportHeldBack();
  }
}

/** What a log and its scopes share. */
class LogCore {
  readonly logger: Logger;
  readonly handler: SinkHandler;
  readonly flood: FloodGate;
  readonly #clock: Clock;

  constructor(options: LogOptions) {
    this.handler = new SinkHandler(options);
    this.logger = new Logger("shoal", "NOTSET", { handlers: [this.handler] });
    this.logger.level = LEVEL_OF_NAME[options.level];
    this.flood = new FloodGate(options.flood);
    this.#clock = options.clock;
  }

  write(level: LogLevel, message: string, scope: LogScope, fields: LogFields): void {
    if (this.logger.level > level) return;
    if (level === DEBUG) return this.#hand(level, message, scope, fields);
    const heldBack = this.flood.admit(`${level} ${message}`, this.#clock.monotonicMs());
    if (heldBack === HELD_BACK) return;
    const told = heldBack === 0 ? fields : { ...fields, held_back: heldBack };
    this.#hand(level, message, scope, told);
  }

  reportHeldBack(): void {
    this.flood.settle(this.#clock.monotonicMs(), (kind, heldBack) => {
      const space = kind.indexOf(" ");
      const level = space < 0 ? NOTICE : Number(kind.slice(0, space)) as LogLevel;
      const message = space < 0 ? "lines of many kinds" : kind.slice(space + 1);
      this.#hand(level, message, NO_SCOPE, { held_back: heldBack });
    });
  }

  #hand(level: LogLevel, message: string, scope: LogScope, fields: LogFields): void {
    try {
      if (level === DEBUG) this.logger.debug(message, scope, fields);
      else if (level === VERBOSE) this.logger.info(message, scope, fields);
      else if (level === NOTICE) this.logger.warn(message, scope, fields);
      else this.logger.error(message, scope, fields);
    } catch {
      // A field that cannot be printed (a throwing toString) loses its line, not the caller's work.
      this.handler.lost++;
    }
  }
}

function nameOfLevel(level: LogLevel): LogLevelName {
  for (const name of LOG_LEVEL_NAMES) {
    if (LEVEL_OF_NAME[name] >= level) return name;
  }
  return "nothing";
}
