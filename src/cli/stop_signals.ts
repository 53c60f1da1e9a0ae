/**
 * Signals: the first SIGTERM or SIGINT stops in order, as `shutdown-on-sigterm` and
 * `shutdown-on-sigint` say; another one meanwhile ends the process at once. Where the last snapshot
 * cannot be written the server goes on, and the next signal tries again (as in Redis). SIGHUP is left
 * without effect (as in Redis): a log file is opened for each line, so there is nothing to reopen.
 *
 * @module
 */

import type { Log } from "../observability/log.ts";
import type { Config } from "../server/config.ts";
import type { ShutdownFlag } from "../server/config_values.ts";
import type { Server } from "../server/server.ts";

/**
 * Milliseconds after the first signal in which another does not count: Ctrl-C reaches a process twice
 * when a parent that got it too passes it on.
 */
export const ECHO_MS = 500;

const IS_WINDOWS = Deno.build.os === "windows";
/** The signals that stop; Windows knows another name for the second. */
const STOP: readonly Deno.Signal[] = IS_WINDOWS ? ["SIGINT", "SIGBREAK"] : ["SIGINT", "SIGTERM"];

/** See the module's text. */
export class StopSignals {
  readonly #config: Config;
  readonly #log: Log;
  readonly #listeners: [Deno.Signal, () => void][] = [];
  #server: Server | null = null;
  #firstMs = -Infinity;

  /** Listens from now on; before `serve` a signal ends the process at once: nothing has changed yet. */
  constructor(config: Config, log: Log) {
    this.#config = config;
    this.#log = log;
    for (const signal of STOP) this.#listen(signal, () => this.#received(signal));
    this.#listen("SIGHUP", () => log.notice("SIGHUP: nothing to do"));
  }

  #listen(signal: Deno.Signal, act: () => void): void {
    Deno.addSignalListener(signal, act);
    this.#listeners.push([signal, act]);
  }

  /** The server has started: signals stop it. */
  serve(server: Server): void {
    this.#server = server;
  }

  /** Listens no more. */
  close(): void {
    for (const [signal, act] of this.#listeners) Deno.removeSignalListener(signal, act);
    this.#listeners.length = 0;
  }

  #received(signal: Deno.Signal): void {
    const server = this.#server;
    if (server === null) {
      this.#log.notice("ended by a signal while starting", { signal });
      Deno.exit(0);
    }
    if (server.isStopping) {
      if (performance.now() - this.#firstMs < ECHO_MS) return;
      this.#log.warning("ended by a second signal, without waiting for the stop", { signal });
      Deno.exit(1);
    }
    this.#firstMs = performance.now();
    this.#log.notice("a signal asks to stop", { signal });
    void this.#stop(server, signal);
  }

  async #stop(server: Server, signal: Deno.Signal): Promise<void> {
    const { shutdownOnSigint, shutdownOnSigterm } = this.#config;
    const options = stopOptions(signal === "SIGINT" ? shutdownOnSigint : shutdownOnSigterm);
    try {
      if (await server.stop(options)) return;
      this.#log.warning(
        "still serving: another signal tries again, SHUTDOWN NOSAVE ends without a save",
        { signal },
      );
    } catch (error) {
      this.#log.warning("the stop failed", { error });
    }
  }
}

/** What flags of `shutdown-on-sigterm` mean to `Server.stop`. */
export function stopOptions(
  flags: readonly ShutdownFlag[],
): { save: boolean | null; force: boolean; now: boolean } {
  const save = flags.includes("save") ? true : flags.includes("nosave") ? false : null;
  return { save, force: flags.includes("force"), now: flags.includes("now") };
}
