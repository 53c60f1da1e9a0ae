/**
 * The servers that are compared: started as a user would, on free loopback ports, each with a folder
 * of its own, and stopped by process id whatever happens.
 *
 * shoal is started with the variables, flags and permission set of the task "start" in deno.json; only the
 * data folder in the set is replaced. Linux's /proc gives what a process took; elsewhere those figures are NaN.
 *
 * @module
 */

const HOST = "127.0.0.1";
/** Longest wait for a server's first words. */
const READY_WAIT_MS = 30_000;
/** Longest wait for a server to end on SIGTERM. */
const STOP_WAIT_MS = 10_000;
/** Clock ticks of /proc/<pid>/stat in a second. */
const TICKS_PER_SECOND = 100;

/** Which server. */
export type Maker = "shoal" | "redis";

/** The project's folder. */
export const PROJECT_FOLDER: string = new URL("../..", import.meta.url).pathname.replace(/\/$/, "");

/** How the task "start" starts shoal: the variables before `deno`, and what is between that and `main.ts`. */
const START = startTask();

function startTask(): { readonly env: Record<string, string>; readonly flags: readonly string[] } {
  const { tasks } = JSON.parse(Deno.readTextFileSync(`${PROJECT_FOLDER}/deno.json`));
  const words: string[] = tasks.start.command.split(" ");
  const deno = words.indexOf("deno");
  return {
    env: Object.fromEntries(
      words.slice(0, deno).map((word) => {
        const at = word.indexOf("=");
        return [word.slice(0, at), word.slice(at + 1)];
      }),
    ),
    flags: words.slice(deno + 1, words.indexOf("main.ts")),
  };
}

/** A running server. */
export class Program {
  /** Which server. */
  readonly maker: Maker;
  /** Its folder. */
  readonly folder: string;
  /** Port for clients, once it is ready. */
  port = 0;
  /** Port of shard 0's replication listener (shoal). */
  replicationPortBase = 0;
  /** All it has printed. */
  output = "";
  readonly #child: Deno.ChildProcess;
  readonly #drained: Promise<void>[];
  #news: () => void = () => {};
  #hasEnded = false;

  /** Starts it; `ready` is to be awaited. */
  constructor(maker: Maker, folder: string, file: string, args: string[], cwd: string) {
    this.maker = maker;
    this.folder = folder;
    this.#child = new Deno.Command(file, {
      args,
      cwd,
      env: { NO_COLOR: "1", ...maker === "shoal" ? START.env : {} },
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    }).spawn();
    this.#drained = [this.#drain(this.#child.stdout), this.#drain(this.#child.stderr)];
    void this.#child.status.then(() => {
      this.#hasEnded = true;
      this.#news();
    });
  }

  /** Process id. */
  get pid(): number {
    return this.#child.pid;
  }

  async #drain(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      this.output += text;
      this.#news();
    }
  }

  /**
   * Waits until what it prints matches, from the character `from` of its output on.
   *
   * @throws {Error} when it ends before, or after `limitMs`.
   */
  async printed(pattern: RegExp, limitMs = READY_WAIT_MS, from = 0): Promise<RegExpMatchArray> {
    const deadline = performance.now() + limitMs;
    while (true) {
      const found = this.output.slice(from).match(pattern);
      if (found !== null) return found;
      const leftMs = deadline - performance.now();
      if (this.#hasEnded || leftMs <= 0) {
        const how = this.#hasEnded ? "ended" : `said nothing like it in ${limitMs} ms`;
        throw new Error(`${this.maker} ${how}; waited for ${pattern}; it said:\n${this.output}`);
      }
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, leftMs);
        this.#news = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
  }

  /** Sends a signal; nothing happens when it has ended. */
  signal(name: Deno.Signal): void {
    if (!this.#hasEnded) this.#child.kill(name);
  }

  /** Ends it: SIGTERM, and SIGKILL after a while. */
  async stop(): Promise<void> {
    this.signal("SIGTERM");
    const timer = setTimeout(() => this.signal("SIGKILL"), STOP_WAIT_MS);
    await this.#child.status;
    clearTimeout(timer);
    await Promise.all(this.#drained);
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.signal("SIGKILL");
    await this.#child.status;
    await Promise.all(this.#drained);
  }

  /** Seconds of processor time used so far, all threads. */
  cpuSeconds(): number {
    const stat = readProc(`/proc/${this.pid}/stat`);
    const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  }

  /** Ms that its main thread was ready to run so far and had no core to run on. */
  coreWaitMs(): number {
    const fields = readProc(`/proc/${this.pid}/schedstat`).split(" ");
    return fields.length < 2 ? NaN : Number(fields[1]) / 1e6;
  }

  /** Ids of its threads; none when it has ended. */
  threads(): string[] {
    try {
      return [...Deno.readDirSync(`/proc/${this.pid}/task`)].map(({ name }) => name);
    } catch {
      return [];
    }
  }

  /** Resident bytes. */
  rssBytes(): number {
    const found = readProc(`/proc/${this.pid}/status`).match(/^VmRSS:\s+(\d+) kB/m);
    return found === null ? NaN : Number(found[1]) * 1024;
  }
}

/** The text of a file in /proc; "" when it is not there. */
export function readProc(path: string): string {
  try {
    return Deno.readTextFileSync(path);
  } catch {
    return "";
  }
}

/** Starts programs and remembers them, so that `stopAll` misses none. */
export class Programs {
  readonly #running = new Set<Program>();
  readonly #folder: string;
  #started = 0;

  private constructor(folder: string) {
    this.#folder = folder;
  }

  /** With a temporary folder of its own. */
  static async open(): Promise<Programs> {
    return new Programs(await Deno.realPath(await Deno.makeTempDir({ prefix: "shoal-" })));
  }

  /** Starts shoal and waits until it takes clients. `folder` starts it on the data of an earlier one. */
  async shoal(args: readonly string[] = [], folder = this.#newFolder()): Promise<Program> {
    // The client port's own default offset of 10000 may pass 65535 from a port the system picks.
    const base = args.includes("--replication-port-base")
      ? []
      : ["--replication-port-base", String(freePorts(shardsOf(args)))];
    const program = new Program("shoal", folder, Deno.execPath(), [
      ...START.flags,
      `--allow-read=${folder},${PROJECT_FOLDER}/src`,
      `--allow-write=${folder}`,
      "main.ts",
      "--port",
      "0",
      "--dir",
      folder,
      ...base,
      ...args,
    ], PROJECT_FOLDER);
    this.#running.add(program);
    const ready = await program.printed(/^ready port=(\d+) replication-port-base=(\d+) /m);
    program.port = Number(ready[1]);
    program.replicationPortBase = Number(ready[2]);
    return program;
  }

  /** Starts redis-server and waits until it takes clients. `folder` as for shoal. */
  async redis(args: readonly string[] = [], folder = this.#newFolder()): Promise<Program> {
    const port = freePorts(1);
    const program = new Program("redis", folder, "redis-server", [
      "--port",
      String(port),
      "--bind",
      HOST,
      "--dir",
      folder,
      ...args,
    ], folder);
    this.#running.add(program);
    await program.printed(/Ready to accept connections/);
    program.port = port;
    return program;
  }

  /** Starts either. */
  start(maker: Maker, args: readonly string[] = [], folder = this.#newFolder()): Promise<Program> {
    return maker === "shoal" ? this.shoal(args, folder) : this.redis(args, folder);
  }

  /** Ends these and forgets them. */
  async stop(...programs: Program[]): Promise<void> {
    await Promise.all(programs.map((program) => program.stop()));
    for (const program of programs) this.#running.delete(program);
  }

  /** Ends one by SIGKILL and forgets it. */
  async kill(program: Program): Promise<void> {
    await program.kill();
    this.#running.delete(program);
  }

  /** Ends all that still run, and removes the folder. */
  async close(): Promise<void> {
    await this.stop(...this.#running);
    await Deno.remove(this.#folder, { recursive: true });
  }

  #newFolder(): string {
    const folder = `${this.#folder}/${++this.#started}`;
    Deno.mkdirSync(folder);
    return folder;
  }
}

function shardsOf(args: readonly string[]): number {
  const at = args.indexOf("--shards");
  return at < 0 ? 1 : Number(args[at + 1]);
}

/** The first of `count` neighbouring ports that are free now. */
export function freePorts(count: number): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    const held: Deno.TcpListener[] = [];
    try {
      const first = Deno.listen({ hostname: HOST, port: 0 });
      held.push(first);
      for (let i = 1; i < count; i++) {
        held.push(Deno.listen({ hostname: HOST, port: first.addr.port + i }));
      }
      return first.addr.port;
    } catch {
      // One was taken, or lies past 65535: try others.
    } finally {
      for (const listener of held) listener.close();
    }
  }
  throw new Error(`no ${count} neighbouring ports are free`);
}

/** First line of what a program says of its version, or null when it is not installed. */
export async function versionOf(program: string): Promise<string | null> {
  try {
    const { stdout } = await new Deno.Command(program, { args: ["--version"] }).output();
    return new TextDecoder().decode(stdout).split("\n")[0];
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
}
