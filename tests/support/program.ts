import { PROJECT } from "./import_graph.ts";

/** Longest wait for a line or an end; a start takes a quarter of a second. */
const WAIT_MS = 20_000;

/** How a program ended. */
export interface Ended {
  readonly code: number;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What a program may have beside its directory. */
export interface ProgramLimits {
  /** What it may read; the sources if absent. */
  readonly readable?: readonly string[];
  /** Hosts that it may listen on and connect to; 127.0.0.1 if absent. */
  readonly hosts?: readonly string[];
  /** Files, sockets included, that it may have open at once; as many as this process if absent. */
  readonly openFiles?: number;
  /** Words of a command that runs it, which gets an input (`endInput`). */
  readonly within?: readonly string[];
}

/** `main.ts` in a process of its own, with the permissions of `deno task start` for `dir`. */
export class Program {
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  readonly #reader: ReadableStreamDefaultReader<string>;
  #stdout = "";

  constructor(
    dir: string,
    args: readonly string[],
    env: Record<string, string> = {},
    limits: ProgramLimits = {},
  ) {
    const {
      readable = [new URL("src", PROJECT).pathname],
      hosts = ["127.0.0.1"],
      openFiles,
      within = [],
    } = limits;
    const limited = openFiles === undefined
      ? []
      : ["sh", "-c", `ulimit -n ${openFiles}; exec "$0" "$@"`];
    const [command, ...before] = [...within, ...limited, Deno.execPath()];
    this.#child = new Deno.Command(command, {
      args: [
        ...before,
        ...["run", "-q", "--no-prompt", "--no-remote", `--allow-net=${hosts.join(",")}`],
        ...[
          `--allow-read=${[dir, ...readable].join(",")}`,
          `--allow-write=${dir}`,
          "--allow-env=SHOAL_*,DENO_TOKIO_EVENT_INTERVAL",
        ],
        ...["--config", new URL("deno.json", PROJECT).pathname],
        ...[new URL("main.ts", PROJECT).pathname, "--dir", dir, "--port", "0", ...args],
      ],
      env: { NO_COLOR: "1", ...env },
      cwd: dir,
      stdin: within.length === 0 ? "null" : "piped",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#stderr = new Response(this.#child.stderr).text();
    this.#reader = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  get pid(): number {
    return this.#child.pid;
  }

  /** The numbers of the ready line. */
  async ready(): Promise<{ port: number; base: number; shards: number; pid: number }> {
    const line = /^ready port=(\d+) replication-port-base=(\d+) shards=(\d+) pid=(\d+)\n/;
    let found = line.exec(this.#stdout);
    while (found === null) {
      const { value, done } = await within(this.#reader.read(), "the ready line");
      if (done) throw new Error(`it ended before its ready line: ${await this.#stderr}`);
      this.#stdout += value;
      found = line.exec(this.#stdout);
    }
    const [port, base, shards, pid] = found.slice(1).map(Number);
    return { port, base, shards, pid };
  }

  /** Ends the input of the command that runs it. */
  async endInput(): Promise<void> {
    await this.#child.stdin.close();
  }

  signal(signal: Deno.Signal): void {
    this.#child.kill(signal);
  }

  async end(): Promise<Ended> {
    try {
      const { code, signal } = await within(this.#child.status, "the end");
      for (let part = await this.#reader.read(); !part.done; part = await this.#reader.read()) {
        this.#stdout += part.value;
      }
      return { code, signal, stdout: this.#stdout, stderr: await this.#stderr };
    } catch (error) {
      this.#child.kill("SIGKILL");
      throw error;
    }
  }
}

async function within<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited ${WAIT_MS} ms for ${what}`)), WAIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
