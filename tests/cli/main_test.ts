import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { filesIn, withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { PROJECT } from "../support/import_graph.ts";
import { type Ended, Program } from "../support/program.ts";
import { until } from "../support/until.ts";

function run(dir: string, ...args: string[]): Promise<Ended> {
  return new Program(dir, args).end();
}

Deno.test("a start says where it listens, SIGTERM saves and ends with 0, a start loads", async () => {
  await withDir(async (dir) => {
    for (const round of [0, 1]) {
      const program = new Program(dir, ["--shards", "2", "--pidfile", "shoal.pid"]);
      const { port, base, shards, pid } = await program.ready();
      assertEquals([base > 0, shards, pid], [true, 2, program.pid]);
      using client = await Client.connect(port);
      assertEquals(await client.ask("INCR", "starts"), round + 1);
      assertEquals(Deno.readTextFileSync(`${dir}/shoal.pid`), `${pid}\n`);
      program.signal("SIGHUP");
      assertEquals(await client.ask("PING"), "PONG");
      program.signal(round === 0 ? "SIGTERM" : "SIGINT");
      const { code, signal, stderr } = await program.end();
      assertEquals([code, signal], [0, null], stderr);
      assertEquals(filesIn(dir), ["dump-0.rdb", "dump-1.rdb"]);
      assertStringIncludes(stderr, "data saved");
    }
  });
});

Deno.test("shutdown-on-sigterm nosave keeps what was on disk; a client's SHUTDOWN ends with 0", async () => {
  await withDir(async (dir) => {
    for (const end of ["SIGTERM", "SHUTDOWN"]) {
      const program = new Program(dir, ["--shutdown-on-sigterm", "nosave"]);
      const { port } = await program.ready();
      using client = await Client.connect(port);
      assertEquals(await client.ask("SET", "k", "v"), "OK");
      if (end === "SIGTERM") program.signal("SIGTERM");
      else await client.send("SHUTDOWN", "NOSAVE");
      const { code, stderr } = await program.end();
      assertEquals(code, 0, stderr);
      assertEquals(filesIn(dir), []);
    }
  });
});

Deno.test("a second signal ends a stop that waits", async () => {
  await withDir(async (dir) => {
    const program = new Program(dir, ["--shutdown-timeout", "1000"]);
    const { port, base } = await program.ready();
    using client = await Client.connect(port);
    // A replica that never says what it has: the stop waits for it.
    using replica = await Client.connect(base);
    await replica.send("REPLICATE", "FROM", "0", "ID", "silent", "HISTORY", "?");
    let line: unknown = "";
    while (line !== "SNAPSHOT_END 0") line = await replica.read();
    assertEquals(await client.ask("SET", "k", "v"), "OK");
    let ended: Ended | null = null;
    void program.end().then((how) => ended = how);
    while (ended === null) {
      program.signal("SIGTERM");
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    const { code, stderr } = ended as Ended;
    assertEquals(code, 1, stderr);
    assertStringIncludes(stderr, "ended by a second signal");
  });
});

Deno.test("a second signal that comes with the first one, as when Ctrl-C is passed on, ends no stop", async () => {
  await withDir(async (dir) => {
    const program = new Program(dir, []);
    const { port } = await program.ready();
    using client = await Client.connect(port);
    assertEquals(await client.ask("SET", "k", "v".repeat(1_000_000)), "OK");
    program.signal("SIGTERM");
    program.signal("SIGINT");
    const { code, stderr } = await program.end();
    assertEquals(code, 0, stderr);
    assertEquals(filesIn(dir), ["dump.rdb"]);
  });
});

Deno.test("each of the signals stops as the setting of its own says", async () => {
  for (const [signal, files] of [["SIGINT", []], ["SIGTERM", ["dump.rdb"]]] as const) {
    await withDir(async (dir) => {
      const program = new Program(dir, ["--shutdown-on-sigint", "nosave"]);
      const { port } = await program.ready();
      using client = await Client.connect(port);
      assertEquals(await client.ask("SET", "k", "v"), "OK");
      program.signal(signal);
      const { code, stderr } = await program.end();
      assertEquals([code, filesIn(dir)], [0, files], stderr);
    });
  }
});

Deno.test("what an operator got wrong is one line on standard error and exit code 1", async () => {
  await withDir(async (dir) => {
    using taken = Deno.listen({ hostname: "127.0.0.1", port: 0 });
    const port = String((taken.addr as Deno.NetAddr).port);
    Deno.writeTextFileSync(`${dir}/dump.rdb`, "REDIS0010 and then nothing");
    Deno.mkdirSync(`${dir}/log`);
    const cases: [string[], RegExp][] = [
      [["--port", "x"], /^shoal: setting 'port' cannot be 'x' \(command line\): /],
      [["--prot", "1"], /^shoal: unknown setting 'prot' .*did you mean 'port'\?/],
      [["--port", port], /^shoal: cannot listen on 127\.0\.0\.1:\d+: Address already in use$/],
      [["--bind", "0.0.0.0"], /^shoal: not permitted to listen on 0\.0\.0\.0:\d+: .*--allow-net=/],
      [
        ["--bind", "0.0.0.0", "--port", "7000"],
        /^shoal: .* 0\.0\.0\.0:7000 and 0\.0\.0\.0:17000: .*=0\.0\.0\.0:7000,0\.0\.0\.0:17000 before/,
      ],
      [["--bind", "-::1"], /^shoal: nowhere to listen: .*: -::1$/],
      [["--bind", ""], /^shoal: setting 'bind' cannot be '' .*allowed is 1 to 16 addresses$/],
      [
        ["--replication-port-base", port],
        new RegExp(`^shoal: cannot listen on 127\\.0\\.0\\.1:${port}: Address already in use$`),
      ],
      [
        ["--dir", "/elsewhere"],
        /^shoal: data directory '\/elsewhere' .*--allow-read=\/elsewhere --allow-write=\/elsewhere /,
      ],
      [["--logfile", "/elsewhere/log"], /^shoal: .*not permitted to write \/elsewhere\/log: /],
      [["--logfile", "log"], /^shoal: Cannot open log file '.*\/log' for appending: /],
      [[], /^shoal: cannot load .*\/dump\.rdb: RDB image, byte 9: /],
      [["a.conf"], /^shoal: setting 'port' cannot be '0 a\.conf' \(command line\): /],
      [["--"], /^shoal: unknown setting ''/],
    ];
    await Promise.all(cases.map(async ([args, line]) => {
      const { code, stdout, stderr } = await run(dir, ...args);
      assertEquals([code, stdout], [1, ""], stderr);
      const lines = stderr.trimEnd().split("\n").filter((one) => !one.includes("is left out"));
      assertMatch(lines.join("\n"), line);
      assertEquals(lines.length, 1, stderr);
    }));
  });
});

Deno.test("a start that cannot use the directory nor the log file names both", async () => {
  await withDir(async (dir) => {
    const { code, stderr } = await run(dir, "--dir", "/elsewhere", "--logfile", "/elsewhere/log");
    assertEquals(code, 1);
    const [directory, log, ...more] = stderr.trimEnd().split("\n");
    assertMatch(directory, /^shoal: data directory '\/elsewhere' cannot be used: not permitted /);
    assertMatch(log, /^shoal: log file: not permitted to write \/elsewhere\/log: /);
    assertEquals(more, []);
  });
});

Deno.test("an address that bind names twice, or excuses and may not use, stops no start", async () => {
  await withDir(async (dir) => {
    const program = new Program(dir, ["--bind", "127.0.0.1", "-::1", "-127.0.0.1"]);
    const { port } = await program.ready();
    using client = await Client.connect(port);
    assertEquals(await client.ask("PING"), "PONG");
    program.signal("SIGTERM");
    const { code, stderr } = await program.end();
    assertEquals(code, 0);
    assertMatch(
      stderr,
      /warning an address of bind is left out address=::1 .*listen on \[::1\]:0: .*--allow-net=\[::1\] /,
    );
  });
});

Deno.test("a server that could never save does not start", async () => {
  await withDir(async (dir) => {
    const main = new URL("main.ts", PROJECT).pathname;
    const unread = await new Program(dir, [], {}, { readable: [main] }).end();
    assertEquals([unread.code, unread.stdout], [1, ""]);
    assertMatch(
      unread.stderr,
      /^shoal: not permitted to load the snapshot worker: start with --allow-read=\/.*\/src .*\n$/,
    );
    Deno.mkdirSync(`${dir}/dump-1.rdb`);
    for (const kept of ["no", "yes"]) {
      const { code, stderr } = await run(dir, "--shards", "2", "--appendonly", kept);
      assertEquals(code, 1);
      assertMatch(stderr, /^shoal: \/.*\/dump-1\.rdb is a directory, .* or set dbfilename\n$/);
    }
    const program = new Program(dir, ["--shards", "1"]);
    await program.ready();
    program.signal("SIGTERM");
    const { code, stderr } = await program.end();
    assertEquals(code, 0, stderr);
  });
});

Deno.test("a stop that cannot save is called off, and each signal tries again", async () => {
  await withDir(async (dir) => {
    const data = `${dir}/data`;
    const program = new Program(dir, ["--dir", data, "--logfile", `${dir}/log`]);
    const { port } = await program.ready();
    using client = await Client.connect(port);
    assertEquals(await client.ask("SET", "k", "v"), "OK");
    Deno.removeSync(data, { recursive: true });
    for (const [i, signal] of (["SIGTERM", "SIGTERM", "SIGINT"] as const).entries()) {
      program.signal(signal);
      const calledOff = () =>
        Deno.readTextFileSync(`${dir}/log`).split("still serving: another signal tries again")
          .length;
      await until(`stop ${i} is called off`, () => calledOff() === i + 2);
      assertEquals(await client.ask("GET", "k"), "v");
    }
    Deno.mkdirSync(data);
    program.signal("SIGTERM");
    const { code, stderr } = await program.end();
    assertEquals(code, 0, stderr);
    assertEquals(filesIn(data), ["dump.rdb"]);
  });
});

Deno.test("--help and --version answer and end with 0", async () => {
  await withDir(async (dir) => {
    const help = await run(dir, "--help");
    assertEquals([help.code, help.stderr], [0, ""]);
    assertStringIncludes(help.stdout, "usage:");
    const version = await run(dir, "--version");
    assertEquals(version.code, 0);
    assertMatch(version.stdout, /^shoal v=[\d.]+ .*\n$/);
  });
});

Deno.test("a log file lies in the data directory and also has the reason of a failed start", async () => {
  await withDir(async (dir) => {
    Deno.writeTextFileSync(`${dir}/dump.rdb`, "not a snapshot");
    const { code, stderr } = await run(dir, "--logfile", "shoal.log", "--log-format", "json");
    assertEquals(code, 1);
    const [line] = Deno.readTextFileSync(`${dir}/shoal.log`).trimEnd().split("\n");
    const entry = JSON.parse(line);
    assertEquals([entry.level, entry.message], ["warning", "not started"]);
    assertEquals(`shoal: ${entry.reason}\n`, stderr);
  });
});

Deno.test("settings come from the environment too", async () => {
  await withDir(async (dir) => {
    const program = new Program(dir, [], { SHOAL_SHARDS: "3", SHOAL_SAVE: "" });
    const { shards } = await program.ready();
    assertEquals(shards, 3);
    program.signal("SIGTERM");
    const { code } = await program.end();
    assertEquals(code, 0);
    assertEquals(filesIn(dir), [], "no save points, so no save");
  });
});
