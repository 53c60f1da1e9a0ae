/**
 * redis-benchmark, run once.
 *
 * @module
 */

/** What it is to send. */
export interface Run {
  /** Port of the server. */
  readonly port: number;
  /** `-t` and a test's name, or a command's words; `__rand_int__` in a word becomes 12 random digits. */
  readonly command: readonly string[];
  /** Requests in all. */
  readonly requests: number;
  /** Requests per connection before it waits. */
  readonly pipeline: number;
  /** Connections. */
  readonly connections?: number;
  /** Numbers that random keys are made of. */
  readonly keyRange?: number;
  /** Whether all others that want its core go first (`nice`). */
  readonly givesWay?: boolean;
}

/** Connections unless told otherwise. */
export const CONNECTIONS = 50;
/** Bytes of values. */
export const VALUE_BYTES = 64;
/** Numbers that random keys are made of. */
export const KEY_RANGE = 1_000_000;

/** What runs a program so that all others go first. */
const LAST: readonly string[] = ["nice", "-n", "19"];

/** Requests per second. @throws {Error} when it or the server reports an error. */
export async function redisBenchmark(run: Run): Promise<number> {
  return await startRedisBenchmark(run).rate;
}

/** Starts it; `stop` ends it before its time, and then `rate` is NaN. */
export function startRedisBenchmark(run: Run): { rate: Promise<number>; stop(): void } {
  const { port, command, requests, pipeline, connections = CONNECTIONS, keyRange = KEY_RANGE } =
    run;
  const [program, ...before] = [...run.givesWay ? LAST : [], "redis-benchmark"];
  const child = new Deno.Command(program, {
    args: [
      ...before,
      ...["-p", port, "-n", requests, "-P", pipeline, "-c", connections].map(String),
      ...["-d", VALUE_BYTES, "-r", keyRange].map(String),
      "--csv",
      ...command,
    ],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let isStopped = false;
  const rate = child.output().then(({ stdout, stderr, success }) => {
    const said = new TextDecoder().decode(stdout);
    const errors = new TextDecoder().decode(stderr);
    if (isStopped) return NaN;
    const line = said.trimEnd().split("\n").at(-1) ?? "";
    const found = Number(line.match(/^"[^"]*","([\d.]+)"/)?.[1]);
    if (!success || !(found > 0) || /error/i.test(errors)) {
      throw new Error(`redis-benchmark ${command.join(" ")}: ${errors.trim()} ${said.trim()}`);
    }
    return found;
  });
  rate.catch(() => {}); // whoever started it listens later
  return {
    rate,
    stop() {
      isStopped = true;
      try {
        child.kill("SIGTERM");
      } catch {
        // It had ended.
      }
    },
  };
}
