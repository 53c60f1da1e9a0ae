/** Where records go. @module */

import { getLevelByName, getLevelName, type LevelName, type LogLevel } from "./levels.ts";
import type { LogRecord } from "./logger.ts";

/** Turns a record into a line. */
export type FormatterFunction = (logRecord: LogRecord) => string;

/** Options of any handler. */
export interface BaseHandlerOptions {
  /** Turns a record into a line; by default `<LEVEL> <message>`. */
  formatter?: FormatterFunction;
}

/** What every handler does: check the level, format, pass the line to `log`. */
export abstract class BaseHandler {
  /** Turns a record into a line. */
  formatter: FormatterFunction;
  #level: LogLevel;

  /** A handler that takes records at `levelName` and above. */
  constructor(levelName: LevelName, options: BaseHandlerOptions = {}) {
    this.#level = getLevelByName(levelName);
    this.formatter = options.formatter ?? (({ levelName, msg }) => `${levelName} ${msg}`);
  }

  /** The lowest level taken. */
  get level(): LogLevel {
    return this.#level;
  }
  set level(level: LogLevel) {
    getLevelName(level);
    this.#level = level;
  }

  /** The name of the lowest level taken. */
  get levelName(): LevelName {
    return getLevelName(this.#level);
  }
  set levelName(levelName: LevelName) {
    this.#level = getLevelByName(levelName);
  }

  /** Takes a record, or leaves it when its level is below the handler's. */
  handle(logRecord: LogRecord): void {
    if (this.#level > logRecord.level) return;
    this.log(this.format(logRecord));
  }

  /** The record as a line. */
  format(logRecord: LogRecord): string {
    return this.formatter(logRecord);
  }

  /** Puts a line where it belongs. */
  abstract log(msg: string): void;

  /** Called when `setup` takes the handler in. */
  setup(): void {}

  /** Called when `setup` lets the handler go. */
  destroy(): void {}
}

/** Options of the console handler. */
export interface ConsoleHandlerOptions extends BaseHandlerOptions {
  /** Whether lines are coloured by their level; they are unless this is `false`. */
  useColors?: boolean;
}

const COLOR_OF_LEVEL: Partial<Record<LevelName, string>> = {
  INFO: "\x1b[34m",
  WARN: "\x1b[33m",
  ERROR: "\x1b[31m",
  CRITICAL: "\x1b[1m\x1b[31m",
};

/** Prints lines with `console.log`. */
export class ConsoleHandler extends BaseHandler {
  readonly #useColors: boolean;

  /** A handler that prints records at `levelName` and above. */
  constructor(levelName: LevelName, options: ConsoleHandlerOptions = {}) {
    super(levelName, options);
    this.#useColors = options.useColors ?? true;
  }

  /** The record as a line, coloured by its level. */
  override format(logRecord: LogRecord): string {
    const line = super.format(logRecord);
    const color = this.#useColors ? COLOR_OF_LEVEL[logRecord.levelName] : undefined;
    return color === undefined ? line : `${color}${line}\x1b[0m`;
  }

  /** Prints a line. */
  override log(msg: string): void {
    // deno-lint-ignore no-console
    console.log(msg);
  }
}
