/** Starts on a file system that is full: a small one of its own, in a namespace of the system's. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/server.ts";

const NAMESPACE = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c"];
/**
 * Mounts a file system on the first argument, with what the second has, fills it, and runs the rest. When the
 * input ends there is room.
 */
const FULL = `
mount -t tmpfs -o size=1m tmpfs "$1" && cp -a "$2/." "$1" || exit 1
cat /dev/zero >"$1/ballast" 2>/dev/null
exec 3<&0
{ cat >/dev/null; rm "$1/ballast"; } <&3 >/dev/null 2>&1 &
shift 2
exec "$@" 3<&-
`;
/** More than what is left of the block in which a file ends. */
const LARGE = "x".repeat(8_192);

async function canMount(): Promise<boolean> {
  try {
    const [command, ...args] = NAMESPACE;
    const mount = 'mount -t tmpfs tmpfs "$(pwd)"';
    return (await new Deno.Command(command, { args: [...args, mount] }).output()).success;
  } catch {
    return false;
  }
}

const IS_LEFT_OUT = !await canMount();

/** A test with a directory that has `key`, set by a server with `args` that was killed. */
function testWhenFull(
  name: string,
  args: readonly string[],
  test: (start: (...args: string[]) => Program) => Promise<void>,
): void {
  Deno.test({
    name: IS_LEFT_OUT ? `${name} (LEFT OUT: nothing can be mounted)` : name,
    ignore: IS_LEFT_OUT,
    fn: () =>
      withDir(async (dir) => {
        const [seed, full] = [`${dir}/seed`, `${dir}/full`];
        for (const made of [seed, full]) Deno.mkdirSync(made);
        const program = new Program(seed, args);
        {
          using client = await Client.connect((await program.ready()).port);
          assertEquals(await client.ask("SET", "key", "value"), "OK");
          assertEquals(await client.ask("SAVE"), "OK");
        }
        program.signal("SIGKILL");
        await program.end();
        const within = [...NAMESPACE, FULL, "sh", full, seed];
        await test((...args) => new Program(full, args, {}, { within }));
      }),
  });
}

const APPEND_ONLY = ["--appendonly", "yes", "--save", ""];

testWhenFull(
  "a full disk: the append-only file is loaded, and written when there is room",
  APPEND_ONLY,
  async (start) => {
    const program = start(...APPEND_ONLY);
    {
      using client = await Client.connect((await program.ready()).port);
      assertEquals(await client.ask("GET", "key"), "value");
      let said: unknown;
      await until("writes are refused", async () => {
        said = await client.ask("SET", "large", LARGE);
        return said !== "OK";
      });
      assertEquals(
        said,
        "-MISCONF Errors writing to the AOF file: No space left on device (os error 28)",
      );
      assertEquals(await client.ask("GET", "key"), "value");
      assertEquals(await client.ask("SAVE"), "-ERR");
      await program.endInput();
      await until("writes are taken", async () => await client.ask("SET", "large", LARGE) === "OK");
      assertMatch(String(await client.ask("INFO", "persistence")), /aof_last_write_status:ok\r\n/);
      assertEquals(await client.ask("SAVE"), "OK");
    }
    program.signal("SIGTERM");
    const { code, stderr } = await program.end();
    assertEquals(code, 0);
    const warnings = stderr.split("\n").filter((line) =>
      line.includes("the data directory is full")
    );
    assertEquals(warnings.length, 1, stderr);
    assertMatch(warnings[0], /reason="cannot write \S+\/full: No space left on device"$/);
  },
);

testWhenFull(
  "a full disk: a snapshot is loaded, and saved when there is room",
  ["--save", ""],
  async (start) => {
    const program = start("--save", "");
    {
      using client = await Client.connect((await program.ready()).port);
      assertEquals(await client.ask("GET", "key"), "value");
      assertEquals(await client.ask("SET", "key", "other"), "OK");
      assertEquals(await client.ask("SAVE"), "-ERR");
      await program.endInput();
      await until("it is saved", async () => await client.ask("SAVE") === "OK");
    }
    program.signal("SIGTERM");
    assertEquals((await program.end()).code, 0);
  },
);

testWhenFull("a full disk: an append-only file cannot be begun, which ends the start", [
  "--save",
  "",
], async (start) => {
  const program = start(...APPEND_ONLY);
  const { code, stdout, stderr } = await program.end();
  await program.endInput();
  assertEquals([code, stdout], [1, ""]);
  assertStringIncludes(stderr, "shoal: the append-only file cannot be begun: cannot write ");
  assertMatch(stderr, /\/full\/temp-appendonlydir-new\S*: No space left on device\n$/);
});
