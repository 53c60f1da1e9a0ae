/**
 * The settings at start: defaults, then the config file, then the environment, then the command
 * line, each over the one before.
 *
 * @module
 */
import { ARENA_BYTES_MAX, ARENA_BYTES_MIN } from "../memory/arena.ts";
import { Config, type Source } from "./config.ts";
import { ConfigError, shown } from "./config_error.ts";
import { type Directive, readConfigFile, readConfigStdin } from "./config_file.ts";
import type { ConfigValues } from "./config_values.ts";
import { PORT } from "./setting.ts";
import { formatBytes } from "./setting_kinds.ts";
import { SETTINGS } from "./settings.ts";
import { ARENA_SIZE_MIN } from "./settings_data.ts";
import { INERT_SETTINGS, REFUSED_DIRECTIVES } from "./settings_inert.ts";

/** What the command line says about settings. */
export interface ConfigSources {
  /** Config file to read, or null. */
  readonly configFile: string | null;
  /** Whether more of it comes on standard input. */
  readonly stdin: boolean;
  /** Settings given as options. */
  readonly directives: readonly Directive[];
}

/** Gives a variable's value, or undefined when it is not set or not to be read. */
export type Environment = (name: string) => string | undefined;

/** Distance from `port` to the default of `replication-port-base`, that of Redis Cluster's bus. */
export const REPLICATION_PORT_OFFSET = 10_000;

/** The variable that sets `directive`: `SHOAL_` and the name with underscores. */
export function environmentName(directive: string): string {
  return "SHOAL_" + directive.toUpperCase().replaceAll("-", "_");
}

/**
 * The process's environment. A variable that the permissions do not cover counts as not set: asking
 * for it would throw, or prompt on a terminal.
 */
export function processEnvironment(name: string): string | undefined {
  const { state } = Deno.permissions.querySync({ name: "env", variable: name });
  return state === "granted" ? Deno.env.get(name) : undefined;
}

/**
 * Reads all sources and checks them.
 *
 * @throws {ConfigError} with a line for each setting that is wrong; for what is wrong with a source as a
 * whole, or with settings beside others, one line.
 */
export function loadConfig(
  sources: ConfigSources,
  environment: Environment = processEnvironment,
): Config {
  const fromFile = sources.configFile === null ? [] : readConfigFile(sources.configFile);
  const fromStdin = sources.stdin ? readConfigStdin() : [];
  const file = sources.configFile === null ? null : Deno.realPathSync(sources.configFile);
  const config = new Config({}, file);
  const errors: ConfigError[] = [];
  const load = (name: string, words: readonly string[], source: Source, where: string) => {
    try {
      config.load(name, words, source, where);
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      errors.push(error);
    }
  };
  for (const d of [...fromFile, ...fromStdin]) load(d.name, d.words, "file", d.where);
  const settings = [...Object.values(SETTINGS), ...INERT_SETTINGS].map(({ name }) => name);
  // What cannot be ignored in a file, such as a protection, cannot be here either.
  for (const name of [...settings, ...REFUSED_DIRECTIVES.keys()]) {
    const variable = environmentName(name);
    const value = environment(variable);
    if (value !== undefined) load(name, [value], "environment", variable);
  }
  for (const d of sources.directives) load(d.name, d.words, "command line", d.where);
  if (errors.length === 1) throw errors[0];
  if (errors.length > 1) throw new ConfigError(errors.map(({ message }) => message).join("\n"));
  checkTogether(config);
  addWarnings(config);
  return config;
}

/** Port of shard 0's replication listener when clients are served on `port` (the one bound). */
export function replicationPortBase(config: Config, port: number): number {
  const base = config.replicationPortBase;
  return base !== 0 ? base : port + REPLICATION_PORT_OFFSET;
}

/** Greatest port for clients that leaves replication listeners theirs, as the settings are. */
export function greatestPort({ replicationPortBase, shards }: Config): number {
  return replicationPortBase !== 0 ? PORT.max : PORT.max + 1 - shards - REPLICATION_PORT_OFFSET;
}

/** What each setting allows by itself but not beside the others. @throws {ConfigError} */
function checkTogether(config: Config): void {
  const { shards, port, arenaBytes } = config;
  if (config.replicationDialect === "kevy" && config.databases !== 1) {
    // kevy has one database; who did not ask for more gets one.
    if (config.sourceOf("databases") === "default") config.assign("databases", 1);
    else {
      conflict(
        config,
        "databases",
        String(config.databases),
        "with replication-dialect kevy, allowed is 1",
      );
    }
  }
  const last = PORT.max + 1 - shards;
  // With port 0 the replication ports are picked with it.
  if (config.replicationPortBase > last) {
    conflict(
      config,
      "replicationPortBase",
      String(config.replicationPortBase),
      `with shards ${shards}, allowed is a port up to ${last}`,
    );
  }
  const greatest = greatestPort(config);
  if (port > greatest) {
    conflict(
      config,
      "port",
      String(port),
      `with shards ${shards} and no replication-port-base, allowed is a port up to ` +
        `${greatest}; or set replication-port-base`,
    );
  }
  const least = Math.max(ARENA_SIZE_MIN, ARENA_BYTES_MIN * shards);
  const most = ARENA_BYTES_MAX * shards;
  if (arenaBytes < least || arenaBytes > most) {
    conflict(
      config,
      "arenaBytes",
      formatBytes(arenaBytes),
      `with shards ${shards}, allowed is a size between ${formatBytes(least)} and ` +
        formatBytes(most),
    );
  }
}

function conflict(config: Config, field: keyof ConfigValues, value: string, why: string): never {
  const { name } = SETTINGS[field];
  throw new ConfigError(
    `setting '${name}' cannot be '${shown(value)}' (${config.whereOf(field)}): ${why}`,
  );
}

function addWarnings(config: Config): void {
  const inert = config.inertGiven();
  if (inert.length > 0) {
    config.warnings.push(`settings accepted for Redis's sake, without effect: ${inert.join(", ")}`);
  }
  if (config.maxMemoryBytes > config.arenaBytes) {
    config.warnings.push(
      `setting 'maxmemory' is ${formatBytes(config.maxMemoryBytes)}, above arena-size ` +
        `${formatBytes(config.arenaBytes)}, which bounds it`,
    );
  }
  if (config.replTimeoutSeconds <= config.replPingReplicaPeriodSeconds) {
    config.warnings.push(
      `setting 'repl-timeout' is ${config.replTimeoutSeconds}, not above ` +
        `repl-ping-replica-period ${config.replPingReplicaPeriodSeconds}: idle links will be closed`,
    );
  }
}
