/**
 * A core for a server's event loop alone, with the kernel's `taskset`: what its longest piece of work
 * takes then is its own, not a wait for a core that the benchmark, a receiver or the server's
 * background threads have. All others share the rest of the cores.
 *
 * @module
 */

import { type Program, readProc } from "./programs.ts";

const LOOP_CORE = "0";
/** How often the server is looked at for new threads. */
const WATCH_MS = 20;
/** Milliseconds of a tick in /proc/stat. */
const TICK_MS = 10;
/** Which field of a line of /proc/stat counts the ticks that the host of a virtual machine took. */
const STOLEN_FIELD = 8;

/** See the module's text. */
export class OwnCore implements AsyncDisposable {
  readonly #program: Program;
  readonly #others: string;
  /** Threads of the server that are where they belong. */
  readonly #moved: Set<string>;
  readonly #watch: ReturnType<typeof setInterval>;

  private constructor(program: Program, others: string) {
    this.#program = program;
    this.#others = others;
    this.#moved = new Set([String(program.pid)]);
    this.#watch = setInterval(() => void this.#moveThreads(), WATCH_MS);
  }

  /**
   * Moves the main thread of `program` to a core of its own and all that this program has started, or
   * starts from now on, to the others. Null where there is one core only, or no `taskset`.
   */
  static async give(program: Program): Promise<OwnCore | null> {
    const cores = navigator.hardwareConcurrency;
    if (cores < 2) return null;
    const others = `1-${cores - 1}`;
    if (!await taskset("-apc", others, Deno.pid)) return null;
    await taskset("-pc", LOOP_CORE, program.pid);
    const core = new OwnCore(program, others);
    await core.#moveThreads();
    return core;
  }

  /** Moves the server's other threads away: those that the main thread starts begin on its core. */
  async #moveThreads(): Promise<void> {
    for (const name of this.#program.threads()) {
      if (this.#moved.has(name)) continue;
      this.#moved.add(name);
      await taskset("-pc", this.#others, Number(name));
    }
  }

  /** Ms of the core so far that the host of a virtual machine took. */
  stolenMs(): number {
    const stat = readProc("/proc/stat");
    const line = stat.split("\n").find((line) => line.startsWith(`cpu${LOOP_CORE} `)) ?? "";
    return Number(line.split(" ")[STOLEN_FIELD]) * TICK_MS;
  }

  /** Everything may run everywhere again. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#watch);
    const all = `0-${navigator.hardwareConcurrency - 1}`;
    for (const pid of [Deno.pid, this.#program.pid]) await taskset("-apc", all, pid);
  }
}

async function taskset(flags: string, cores: string, pid: number): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("taskset", {
      args: [flags, cores, String(pid)],
      stdout: "null",
      stderr: "null",
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
