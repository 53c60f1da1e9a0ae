/**
 * Serving: from settings to a running server, and from a signal to its end.
 *
 * @module
 */

import { SYSTEM_CLOCK } from "../base/clock.ts";
import { DataDirectoryError } from "../base/data_directory.ts";
import { explainFailure, explainRefusal } from "../base/permissions.ts";
import { SHOAL_VERSION } from "../base/version.ts";
import { Log } from "../observability/log.ts";
import { FileSink, LogFileError, type LogSink, StreamSink } from "../observability/log_sink.ts";
import { LoadCancelled } from "../persistence/rdb_load.ts";
import type { Config } from "../server/config.ts";
import { type ConfigSources, loadConfig, processEnvironment } from "../server/config_sources.ts";
import { useDataDirectory } from "../server/persistence.ts";
import { Server, StartError } from "../server/server.ts";
import { explainRefusedWorker, mayLoadWorker } from "../snapshot/worker_source.ts";
import { logBugs } from "./bugs.ts";
import { StopSignals } from "./stop_signals.ts";

/** The runtime's variable for how often it looks at the sockets. */
const POLL_INTERVAL_VARIABLE = "DENO_TOKIO_EVENT_INTERVAL";
/** What the runtime does when the variable is not set. */
const POLL_INTERVAL_DEFAULT = 61;

/**
 * Serves until a signal or a client ends it; resolves with the exit code.
 *
 * @throws whatever stops the start; nothing was written to standard output then.
 */
export async function serve(sources: ConfigSources): Promise<number> {
  const config = loadConfig(sources);
  if (!mayLoadWorker()) throw new StartError(explainRefusedWorker());
  const log = new Log({
    level: config.logLevel,
    format: config.logFormat,
    sink: prepareFiles(config),
    clock: SYSTEM_CLOCK,
  });
  const forgetBugs = logBugs(log);
  const signals = new StopSignals(config, log);
  try {
    const server = await start(config, log);
    signals.serve(server);
    announce(server);
    const removePidFile = writePidFile(config, log);
    await server.stopped;
    removePidFile();
    return 0;
  } catch (error) {
    // A client's SHUTDOWN while the data were loading.
    if (error instanceof LoadCancelled) return 0;
    // Who reads a log file alone is to know as well; on a stream the line would come twice.
    if (config.logFile !== "" && error instanceof Error) {
      log.warning("not started", { reason: error.message });
    }
    throw error;
  } finally {
    signals.close();
    forgetBugs();
  }
}

async function start(config: Config, log: Log): Promise<Server> {
  const server = await Server.start(config, log, pollInterval());
  log.notice("shoal serves", {
    version: SHOAL_VERSION,
    port: server.port,
    replication_ports: `${server.replicationPortBase}..${
      server.replicationPortBase + config.shards - 1
    }`,
    shards: config.shards,
    dir: config.dir,
    pid: Deno.pid,
  });
  for (const warning of config.warnings) log.warning(warning);
  return server;
}

/** How many turns the event loop takes between two looks at the sockets, as far as it can be known. */
function pollInterval(): number {
  const value = Number(processEnvironment(POLL_INTERVAL_VARIABLE) ?? "");
  return Number.isInteger(value) && value > 0 ? value : POLL_INTERVAL_DEFAULT;
}

/**
 * Sees to the data directory and opens the log.
 *
 * @throws what either throws; where neither can be used, one error with a line for each.
 */
function prepareFiles(config: Config): LogSink {
  try {
    useDataDirectory(config);
  } catch (error) {
    if (error instanceof DataDirectoryError && config.logFile.startsWith("/")) {
      try {
        logSink(config);
      } catch (other) {
        if (other instanceof Error) throw new StartError(`${error.message}\n${other.message}`);
      }
    }
    throw error;
  }
  return logSink(config);
}

/** A relative log file lies in the data directory, where Redis puts it too. */
function logSink(config: Config): LogSink {
  const { logFile, dir } = config;
  if (logFile === "") return new StreamSink(Deno.stderr);
  const path = inDirectory(dir, logFile);
  try {
    return new FileSink(path);
  } catch (error) {
    if (!(error instanceof LogFileError)) throw error;
    const refusal = explainRefusal(error.cause, { to: "write", path });
    throw refusal === null ? error : new StartError(`log file: ${refusal}`, { cause: error });
  }
}

function inDirectory(dir: string, path: string): string {
  return path.startsWith("/") ? path : `${dir}/${path}`;
}

/** The line for whoever started this: the server answers from now on, here. */
function announce(server: Server): void {
  new StreamSink(Deno.stdout).write(
    `ready port=${server.port} replication-port-base=${server.replicationPortBase} ` +
      `shards=${server.node.shards.length} pid=${Deno.pid}`,
  );
}

/** Writes the file that `pidfile` asks for, and gives how to remove it. Never stops a start (as Redis). */
function writePidFile(config: Config, log: Log): () => void {
  if (config.pidFile === "") return () => {};
  const path = inDirectory(config.dir, config.pidFile);
  try {
    Deno.writeTextFileSync(path, `${Deno.pid}\n`);
  } catch (error) {
    const reason = explainFailure(error, { to: "write", path });
    log.warning("the pid file was not written", { path, reason });
    return () => {};
  }
  return () => {
    try {
      Deno.removeSync(path);
    } catch {
      // Removed by another.
    }
  };
}
