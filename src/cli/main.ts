/**
 * The program: reads the command line and the settings, starts the server, says that it is ready,
 * stops it when told. A mistake of the operator is one line on standard error and exit code 1.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../base/clock.ts";
import { checkDataDirectory, DataDirectoryError } from "../base/data_directory.ts";
import { explainFailure, isRefused } from "../base/permissions.ts";
import { SHOAL_VERSION } from "../base/version.ts";
import { Log } from "../observability/log.ts";
import { FileSink, LogFileError, type LogSink, StreamSink } from "../observability/log_sink.ts";
import type { Config } from "../server/config.ts";
import { ConfigError } from "../server/config_error.ts";
import { loadConfig, processEnvironment } from "../server/config_sources.ts";
import { Server, StartError } from "../server/server.ts";
import { parseArguments } from "./args.ts";
import { helpText } from "./help.ts";
import { versionLine } from "./version.ts";

/** What the runtime polls by when nothing was set (tokio's `event_interval`). */
const POLL_INTERVAL_DEFAULT = 61;

/** Runs the program; resolves with its exit code. */
export async function main(argv: readonly string[]): Promise<number> {
  try {
    const invocation = parseArguments(argv);
    switch (invocation.do) {
      case "help":
        print(helpText());
        return 0;
      case "version":
        print(versionLine());
        return 0;
      case "serve":
        return await serve(loadConfig(invocation.sources));
    }
  } catch (error) {
    const line = operatorsMistake(error);
    if (line === null) throw error;
    complain(line);
    return 1;
  }
}

/** The one line for what an operator can mend, or null for a bug of ours. */
function operatorsMistake(error: unknown): string | null {
  if (
    error instanceof ConfigError || error instanceof StartError ||
    error instanceof DataDirectoryError || error instanceof LogFileError
  ) return error.message;
  if (error instanceof Error && error.name === "LoadError") return error.message;
  if (isRefused(error)) return (error as Error).message.split("\n", 1)[0];
  return null;
}

async function serve(config: Config): Promise<number> {
  config.assign("dir", checkDataDirectory(config.dir));
  const log = new Log({
    level: config.logLevel,
    format: config.logFormat,
    sink: openSink(config.logFile),
    clock: SYSTEM_CLOCK,
  });
  log.notice("shoal starts", {
    version: SHOAL_VERSION,
    deno: Deno.version.deno,
    pid: Deno.pid,
    config: config.file ?? "none",
  });
  for (const warning of config.warnings) log.warning(warning);
  surviveBugs(log);
  const server = await Server.start(config, log, pollInterval());
  writePidFile(config.pidFile, log);
  print(
    `ready port=${server.port} replication-port-base=${server.replicationPortBase} ` +
      `shards=${config.shards} pid=${Deno.pid}`,
  );
  log.notice("ready to accept clients", {
    port: server.port,
    replication_ports: `${server.replicationPortBase}..${
      server.replicationPortBase + config.shards - 1
    }`,
  });
  const stopListening = stopOnSignals(server, config, log);
  await server.stopped;
  stopListening();
  removePidFile(config.pidFile);
  return 0;
}

function openSink(logFile: string): LogSink {
  return logFile === "" ? new StreamSink(Deno.stderr) : new FileSink(logFile);
}

/** The runtime's `DENO_TOKIO_EVENT_INTERVAL`, which decides how long fairness takes (gate.ts). */
function pollInterval(): number {
  const given = Number(processEnvironment("DENO_TOKIO_EVENT_INTERVAL"));
  return Number.isInteger(given) && given > 0 ? given : POLL_INTERVAL_DEFAULT;
}

/**
 * What nobody caught is a bug of ours. It is logged with its stack and the server goes on: the
 * connection or task that it happened in has ended, and ending everybody's would make it worse.
 */
function surviveBugs(log: Log): void {
  const told = (what: string, error: unknown) =>
    log.warning(what, {
      error: error instanceof Error ? error.stack ?? error.message : String(error),
    });
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    told("unhandled rejection: a bug, please report it", event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    told("uncaught error: a bug, please report it", event.error);
  });
}

/** SIGTERM and SIGINT stop the server as the settings say; a second one stops it whatever fails. */
function stopOnSignals(server: Server, config: Config, log: Log): () => void {
  let asked = 0;
  const stop = (signal: "SIGTERM" | "SIGINT") => {
    const flags = signal === "SIGTERM" ? config.shutdownOnSigterm : config.shutdownOnSigint;
    log.notice("signal received", { signal });
    const save = flags.includes("save") ? true : flags.includes("nosave") ? false : null;
    const again = asked++ > 0;
    void server.stop({
      save,
      force: again || flags.includes("force"),
      now: again || flags.includes("now"),
    });
  };
  const handlers = {
    SIGTERM: () => stop("SIGTERM"),
    SIGINT: () => stop("SIGINT"),
    // A terminal that goes away does not end a server; there is no other use for it.
    SIGHUP: () => log.notice("signal ignored", { signal: "SIGHUP" }),
  };
  const signals = Deno.build.os === "windows"
    ? (["SIGINT"] as const)
    : (["SIGTERM", "SIGINT", "SIGHUP"] as const);
  for (const signal of signals) Deno.addSignalListener(signal, handlers[signal]);
  return () => {
    for (const signal of signals) Deno.removeSignalListener(signal, handlers[signal]);
  };
}

function writePidFile(path: string, log: Log): void {
  if (path === "") return;
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`);
  } catch (error) {
    log.warning(explainFailure(error, { to: "write", path }));
  }
}

function removePidFile(path: string): void {
  if (path === "") return;
  try {
    Deno.removeSync(path);
  } catch {
    // It is gone, or never was.
  }
}

function print(line: string): void {
  writeAll(Deno.stdout, line);
}

function complain(line: string): void {
  writeAll(Deno.stderr, line);
}

function writeAll(stream: { writeSync(bytes: Uint8Array): number }, line: string): void {
  const bytes = new TextEncoder().encode(line.endsWith("\n") ? line : line + "\n");
  for (let written = 0; written < bytes.length;) {
    written += stream.writeSync(bytes.subarray(written));
  }
}
