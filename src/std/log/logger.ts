/** A logger and the record it hands to its handlers. @module */

import type { BaseHandler } from "./handlers.ts";
import { getLevelByName, getLevelName, type LevelName, type LogLevel } from "./levels.ts";

/** A function in place of a message: called only when the level is on. */
// deno-lint-ignore no-explicit-any
export type GenericFunction = (...args: any[]) => any;

/** What a record is made of. */
export interface LogRecordOptions {
  /** The message. */
  msg: string;
  /** What was passed behind the message. */
  args: unknown[];
  /** The level it was logged at. */
  level: LogLevel;
  /** The name of its logger. */
  loggerName: string;
}

/** One thing said, on its way to the handlers. */
export class LogRecord {
  /** The message. */
  readonly msg: string;
  /** The level it was logged at. */
  readonly level: LogLevel;
  /** That level's name. */
  readonly levelName: LevelName;
  /** The name of its logger. */
  readonly loggerName: string;
  readonly #args: unknown[];
  readonly #unixMs: number;

  /** A record of this moment. */
  constructor(options: LogRecordOptions) {
    this.msg = options.msg;
    this.level = options.level;
    this.levelName = getLevelName(options.level);
    this.loggerName = options.loggerName;
    this.#args = [...options.args];
    this.#unixMs = Date.now();
  }

  /** What was passed behind the message, a copy. */
  get args(): unknown[] {
    return [...this.#args];
  }

  /** When the record was made, a copy. */
  get datetime(): Date {
    return new Date(this.#unixMs);
  }
}

/** Options of a logger. */
export interface LoggerOptions {
  /** Where its records go. */
  handlers?: BaseHandler[];
}

/** One entry of `LogConfig.loggers`. */
export interface LoggerConfig {
  /** The lowest level let through. */
  level?: LevelName;
  /** Names of handlers in `LogConfig.handlers`. */
  handlers?: string[];
}

/** What `setup` takes. */
export interface LogConfig {
  /** Handlers by name. */
  handlers?: { [name: string]: BaseHandler };
  /** Loggers by name. */
  loggers?: { [name: string]: LoggerConfig };
}

/** Turns calls into records and hands them on, from its own level up. */
export class Logger {
  /** Where records go. */
  handlers: BaseHandler[];
  readonly #name: string;
  #level: LogLevel;

  /** A logger that is in no registry; `getLogger` gives the registered ones. */
  constructor(loggerName: string, levelName: LevelName, options: LoggerOptions = {}) {
    this.#name = loggerName;
    this.#level = getLevelByName(levelName);
    this.handlers = options.handlers ?? [];
  }

  /** The name that its records carry. */
  get loggerName(): string {
    return this.#name;
  }

  /** The lowest level let through. */
  get level(): LogLevel {
    return this.#level;
  }
  set level(level: LogLevel) {
    getLevelName(level);
    this.#level = level;
  }

  /** The name of the lowest level let through. */
  get levelName(): LevelName {
    return getLevelName(this.#level);
  }
  set levelName(levelName: LevelName) {
    this.#level = getLevelByName(levelName);
  }

  /** Logs at DEBUG what `msg` returns, which is called only when DEBUG is on. */
  debug<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at DEBUG. */
  debug<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  debug<T>(msg: T | (() => T), ...args: unknown[]): T | undefined {
    return this.#log(10, msg, args);
  }

  /** Logs at INFO what `msg` returns, which is called only when INFO is on. */
  info<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at INFO. */
  info<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  info<T>(msg: T | (() => T), ...args: unknown[]): T | undefined {
    return this.#log(20, msg, args);
  }

  /** Logs at WARN what `msg` returns, which is called only when WARN is on. */
  warn<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at WARN. */
  warn<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  warn<T>(msg: T | (() => T), ...args: unknown[]): T | undefined {
    return this.#log(30, msg, args);
  }

  /** Logs at ERROR what `msg` returns, which is called only when ERROR is on. */
  error<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at ERROR. */
  error<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  error<T>(msg: T | (() => T), ...args: unknown[]): T | undefined {
    return this.#log(40, msg, args);
  }

  /** Logs at CRITICAL what `msg` returns, which is called only when CRITICAL is on. */
  critical<T>(msg: () => T, ...args: unknown[]): T | undefined;
  /** Logs at CRITICAL. */
  critical<T>(msg: T extends GenericFunction ? never : T, ...args: unknown[]): T;
  critical<T>(msg: T | (() => T), ...args: unknown[]): T | undefined {
    return this.#log(50, msg, args);
  }

  #log<T>(level: LogLevel, msg: T | (() => T), args: unknown[]): T | undefined {
    if (this.#level > level) return typeof msg === "function" ? undefined : msg;
    const said = typeof msg === "function" ? (msg as () => T)() : msg;
    const record = new LogRecord({ msg: asText(said), args, level, loggerName: this.#name });
    for (const handler of this.handlers) handler.handle(record);
    return said;
  }
}

function asText(value: unknown): string {
  if (typeof value === "string") return value;
  if (value instanceof Error) return value.stack ?? String(value);
  return typeof value === "object" && value !== null ? JSON.stringify(value) : String(value);
}
