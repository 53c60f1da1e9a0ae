/** The registry of loggers by name. @module */

import { type BaseHandler, ConsoleHandler } from "./handlers.ts";
import { type LogConfig, Logger } from "./logger.ts";

const DEFAULT_LEVEL = "INFO";
const handlersByName = new Map<string, BaseHandler>();
const loggersByName = new Map<string, Logger>();

/** Replaces all handlers and loggers by those of `config`, over a `default` of each. */
export function setup(config: LogConfig): void {
  for (const handler of handlersByName.values()) handler.destroy();
  handlersByName.clear();
  loggersByName.clear();

  const handlers = { default: new ConsoleHandler(DEFAULT_LEVEL), ...config.handlers };
  for (const [name, handler] of Object.entries(handlers)) {
    handler.setup();
    handlersByName.set(name, handler);
  }
  const loggers = {
    default: { level: DEFAULT_LEVEL, handlers: ["default"] },
    ...config.loggers,
  } satisfies LogConfig["loggers"];
  for (const [name, { level, handlers: names }] of Object.entries(loggers)) {
    const own: BaseHandler[] = [];
    for (const handlerName of names ?? []) {
      const handler = handlersByName.get(handlerName);
      if (handler !== undefined) own.push(handler);
    }
    loggersByName.set(name, new Logger(name, level ?? DEFAULT_LEVEL, { handlers: own }));
  }
}

/** The logger of that name, by default `default`; one that `setup` did not name has no handlers. */
export function getLogger(name = "default"): Logger {
  let logger = loggersByName.get(name);
  if (logger === undefined) {
    logger = new Logger(name, "NOTSET");
    loggersByName.set(name, logger);
  }
  return logger;
}

setup({});
