/**
 * Smoke test of a finished program file: `deno run -A tests/support/smoke.ts dist/shoal`.
 *
 * Starts it as a primary with two shards, writes, starts it again as a replica (which takes a
 * snapshot, and so the worker), writes once more, and ends both with SIGTERM. Prints a line for
 * each fact and `N passed, N failed` at the end; exits with 1 when a fact failed.
 *
 * @module
 */
// deno-lint-ignore-file no-console

/** Longest wait for one fact: the first start of a self-extracting file unpacks 100 MB. */
const FACT_WAIT_MS = 30_000;
const HOST = "127.0.0.1";
const ENCODER = new TextEncoder();
const DECODER = new TextDecoder();

interface Ready {
  readonly port: number;
  readonly pid: number;
}

/** One started program in a folder of its own. */
class Program {
  readonly name: string;
  readonly folder: string;
  readonly #child: Deno.ChildProcess;
  readonly #stderr: Promise<string>;
  readonly #output: ReadableStreamDefaultReader<string>;
  #lines = "";

  constructor(name: string, file: string, folder: string, args: string[]) {
    this.name = name;
    this.folder = folder;
    Deno.mkdirSync(folder);
    const env = { SHOAL_CACHE: `${folder}/../cache` };
    const command = new Deno.Command(file, {
      args,
      cwd: folder,
      env,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
    });
    this.#child = command.spawn();
    this.#stderr = new Response(this.#child.stderr).text();
    this.#output = this.#child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  }

  /** Reads standard output up to the ready line. */
  async ready(): Promise<Ready> {
    while (true) {
      const found = this.#lines.match(/^ready port=(\d+) .*\bpid=(\d+)$/m);
      if (found !== null) return { port: Number(found[1]), pid: Number(found[2]) };
      const { value, done } = await within(this.#output.read(), `${this.name}: no ready line`);
      if (done) throw new Error(`${this.name} ended before its ready line`);
      this.#lines += value;
    }
  }

  /** Sends SIGTERM and waits for the exit code; `null` when a signal ended it. */
  async terminate(): Promise<number | null> {
    this.#child.kill("SIGTERM");
    const status = await within(this.#child.status, `${this.name}: did not end on SIGTERM`);
    return status.signal === null ? status.code : null;
  }

  /** Waits for a start that fails; what it said. */
  async refusal(): Promise<string> {
    await within(this.#child.status, `${this.name}: did not end`);
    return await this.#stderr;
  }

  /** Ends it whatever it does, and returns all it printed. */
  async bury(): Promise<string> {
    try {
      this.#child.kill("SIGKILL");
    } catch {
      // It had ended.
    }
    await this.#child.status;
    for (let part = await this.#output.read(); !part.done; part = await this.#output.read()) {
      this.#lines += part.value;
    }
    return `--- ${this.name}, stdout\n${this.#lines}--- ${this.name}, stderr\n${await this
      .#stderr}`;
  }
}

/** Sends commands (words) one after the other on a connection of its own; the last reply as text. */
async function ask(port: number, ...commands: string[]): Promise<string> {
  using conn = await Deno.connect({ hostname: HOST, port });
  let reply = "";
  const buffer = new Uint8Array(4096);
  for (const command of commands) {
    const words = command.split(" ");
    let request = `*${words.length}\r\n`;
    for (const word of words) request += `$${ENCODER.encode(word).length}\r\n${word}\r\n`;
    await conn.write(ENCODER.encode(request));
    reply = "";
    while (!isWhole(reply)) {
      const count = await within(conn.read(buffer), `${command}: no reply`);
      if (count === null) throw new Error(`${command}: connection closed after '${reply}'`);
      reply += DECODER.decode(buffer.subarray(0, count));
    }
  }
  return reply;
}

/** Whether a reply of one line, or one bulk string, is complete. */
function isWhole(reply: string): boolean {
  const end = reply.indexOf("\r\n");
  if (end < 0) return false;
  const length = reply[0] === "$" ? Number(reply.slice(1, end)) : -1;
  return length < 0 || ENCODER.encode(reply).length >= end + 2 + length + 2;
}

async function within<T>(promise: Promise<T>, otherwise: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${otherwise} in ${FACT_WAIT_MS} ms`)), FACT_WAIT_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** The first of two neighbouring ports that are free now. */
function freePortPair(): number {
  for (let attempt = 0; attempt < 100; attempt++) {
    using first = Deno.listen({ hostname: HOST, port: 0 });
    const port = first.addr.port;
    try {
      Deno.listen({ hostname: HOST, port: port + 1 }).close();
      return port;
    } catch {
      // Taken, or past 65535: try another pair.
    }
  }
  throw new Error("no two neighbouring ports are free");
}

let passed = 0, failed = 0;

async function fact(
  what: string,
  check: () => Promise<unknown>,
  expected?: unknown,
): Promise<void> {
  const found = await check();
  if (expected === undefined || found === expected) {
    passed++;
    console.log(`ok      ${what}`);
  } else {
    failed++;
    console.log(`FAILED  ${what}: ${JSON.stringify(found)}, expected ${JSON.stringify(expected)}`);
  }
}

const file = await Deno.realPath(Deno.args[0] ?? "dist/shoal");
const folder = await Deno.realPath(await Deno.makeTempDir());
const programs: Program[] = [];
try {
  const start = (name: string, ...args: string[]): Program => {
    const program = new Program(name, file, `${folder}/${name}`, args);
    programs.push(program);
    return program;
  };
  const base = () => String(freePortPair());
  const settings = ["--port", "0", "--shards", "2", "--replication-port-base"];

  const primary = start("primary", ...settings, base());
  let port = 0, replicaPort = 0;
  await fact("a primary starts and says its port", async () => {
    port = (await primary.ready()).port;
  });
  await fact("SET", () => ask(port, "SET key värde"), "+OK\r\n");
  await fact("GET", () => ask(port, "GET key"), "$6\r\nvärde\r\n");

  const replica = start("replica", ...settings, base(), "--replicaof", `${HOST} ${port}`);
  await fact("a replica starts and says its port", async () => {
    replicaPort = (await replica.ready()).port;
  });
  await fact(
    "it confirms a write",
    () => ask(port, "SET second 2", `WAIT 1 ${FACT_WAIT_MS / 2}`),
    ":1\r\n",
  );
  await fact("it has that key", () => ask(replicaPort, "GET second"), "$1\r\n2\r\n");
  await fact("it has the one before", () => ask(replicaPort, "GET key"), "$6\r\nvärde\r\n");
  await fact(
    "it refuses writes",
    async () => (await ask(replicaPort, "SET key x")).split(" ")[0],
    "-READONLY",
  );

  await fact("SIGTERM ends the replica with 0", () => replica.terminate(), 0);
  await fact("SIGTERM ends the primary with 0", () => primary.terminate(), 0);
  for (const program of programs) {
    const made = Array.from(Deno.readDirSync(program.folder), (entry) => entry.name).join(" ");
    await fact(
      `the ${program.name} made ./data and nothing else`,
      () => Promise.resolve(made),
      "data",
    );
  }
  const refusals: [name: string, arg: string, says: string][] = [
    ["permission", "--allow-net=0.0.0.0", "not a setting: see Permissions in the README"],
    ["listener", "--bind=0.0.0.0", "not permitted to listen on 0.0.0.0:6379 and 0.0.0.0:16379"],
  ];
  for (const [name, arg, says] of refusals) {
    const said = await start(name, arg).refusal();
    await fact(
      `${arg}: it says why it does not start, and how to build it anew`,
      () =>
        Promise.resolve(said.includes(says) && said.includes("sh compile.sh --allow-net=0.0.0.0")),
      true,
    );
  }
} catch (error) {
  failed++;
  console.log(`FAILED  ${error instanceof Error ? error.message : error}`);
} finally {
  for (const program of programs) {
    const output = await program.bury();
    if (failed > 0) console.log(output);
  }
  await Deno.remove(folder, { recursive: true });
}
console.log(`smoke test of ${Deno.args[0] ?? "dist/shoal"}: ${passed} passed, ${failed} failed`);
Deno.exit(failed === 0 ? 0 : 1);
