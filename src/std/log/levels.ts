/** Names and numbers of the levels. @module */

/** Every level; a logger lets through what is at its own level or above. */
export const LogLevels = {
  NOTSET: 0,
  DEBUG: 10,
  INFO: 20,
  WARN: 30,
  ERROR: 40,
  CRITICAL: 50,
} as const;

/** A level's number. */
export type LogLevel = typeof LogLevels[LevelName];

/** A level's name. */
export type LevelName = keyof typeof LogLevels;

/** All level names, from the lowest up. */
export const LogLevelNames: LevelName[] = Object.keys(LogLevels) as LevelName[];

/** The number of a level; throws an `Error` when there is none of that name. */
export function getLevelByName(name: LevelName): LogLevel {
  const level: LogLevel | undefined = LogLevels[name];
  if (level === undefined) {
    throw new Error(`Cannot get log level as its name must be known: got '${name}'`);
  }
  return level;
}

/** The name of a level; throws an `Error` when there is none of that number. */
export function getLevelName(level: LogLevel): LevelName {
  for (const name of LogLevelNames) {
    if (LogLevels[name] === level) return name;
  }
  throw new Error(`Cannot get name of log level as its number must be known: got ${level}`);
}
