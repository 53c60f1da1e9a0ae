/**
 * `deno task test`: every test, most of them two files at a time. With arguments it is `deno test` for
 * those alone, one file after the other.
 *
 * Files that hold the whole process to a measure (its memory, or how soon something is done) cannot
 * have a neighbour: they run by themselves, behind the others.
 */

/** With what each measures. */
const ALONE: readonly string[] = [
  "tests/commands/lists_test.ts", // time of one command
  "tests/commands/sets_test.ts", // time of one command
  "tests/commands/zsets_test.ts", // time of one command
  "tests/e2e/append_only_test.ts", // time of WAIT
  "tests/e2e/big_values_test.ts", // time and heap of one command
  "tests/e2e/fuzz_test.ts", // memory of the process
  "tests/e2e/limits_test.ts", // memory of the process
  "tests/e2e/replication_roles_test.ts", // time of REPLICAOF
  "tests/memory/prefault_test.ts", // memory of the process
  "tests/snapshot/job_test.ts", // memory of the process
];
/** Files at a time: each starts servers and clients of its own, and two cores are all that is assumed. */
const JOBS = 2;

const TEST = ["test", "-q", "--no-check", "-P=test", "--no-prompt"];

/** Runs `deno test` with `args`; returns its exit code. */
async function test(args: readonly string[]): Promise<number> {
  const command = new Deno.Command(Deno.execPath(), {
    args: [...TEST, ...args],
    env: { DENO_JOBS: String(JOBS) },
  });
  return (await command.spawn().status).code;
}

if (Deno.args.length > 0) Deno.exit(await test(Deno.args));
const beside = await test(["--parallel", `--ignore=${ALONE.join()}`]);
const alone = await test(ALONE);
Deno.exit(beside || alone);
