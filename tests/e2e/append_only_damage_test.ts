/** Starts on append-only files that are torn or damaged, and the tools that look at them. */

import { assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { historyAnnotation, upstreamAnnotation } from "../../src/persistence/aof_annotation.ts";
import { formatUpstreamPositions } from "../../src/server/upstream_facts.ts";
import { filesIn, withDir } from "../persistence/support.ts";
import { multibulk } from "../resp/support.ts";
import { Client } from "../support/client.ts";
import { PROJECT } from "../support/import_graph.ts";
import { Program } from "../support/program.ts";
import { killedWithFilling } from "../support/killed_with_filling.ts";
import { TestServer, until } from "../support/server.ts";

const APPEND_ONLY = { appendonly: "yes" };
const INCREMENT = "appendonlydir/appendonly.aof.1.incr.aof";
/** A place in an upstream, as a file says it. */
const PLACE = formatUpstreamPositions({
  shards: 1,
  positions: [{ history: "a".repeat(40), offset: 7, db: 0 }],
});

/** A data directory with ten keys, and the path of its increment. */
async function makeData(dir: string): Promise<string> {
  await using server = await TestServer.start(APPEND_ONLY, { dir });
  const client = await server.connect();
  for (let i = 0; i < 10; i++) await client.ask("SET", `key:${i}`, `value ${i}`);
  return `${dir}/${INCREMENT}`;
}

/** All files of a directory, by name. */
function contentsOf(dir: string): Map<string, string> {
  const contents = new Map<string, string>();
  for (const { name, isDirectory } of Deno.readDirSync(dir)) {
    if (name.endsWith(".lock")) continue;
    const path = `${dir}/${name}`;
    if (!isDirectory) contents.set(name, latin1(Deno.readFileSync(path)));
    else for (const [inner, text] of contentsOf(path)) contents.set(`${name}/${inner}`, text);
  }
  return contents;
}

/** How a start on `dir` ends, which must leave every file as it was. */
async function refusal(dir: string, ...args: string[]): Promise<string> {
  const before = contentsOf(dir);
  const program = new Program(dir, ["--appendonly", "yes", "--save", "", ...args]);
  const { code, stdout, stderr } = await program.end();
  assertEquals(code, 1);
  assertEquals(stdout, "");
  assertEquals(contentsOf(dir), before, "a start that fails changes no file");
  const lines = stderr.trimEnd().split("\n").filter((line) => line.startsWith("shoal: "));
  assertEquals(lines.length, 1, stderr);
  return lines[0].slice("shoal: ".length);
}

/** Runs `main.ts` with these words; what it printed, and its code. */
async function tool(dir: string, ...args: string[]): Promise<{ code: number; said: string }> {
  return await toolIn(dir, dir, ...args);
}

/** The same in a directory inside of it. */
async function toolIn(
  cwd: string,
  dir: string,
  ...args: string[]
): Promise<{ code: number; said: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [
      ...["run", "-q", "--no-prompt", "--no-remote", `--allow-read=${dir}`, `--allow-write=${dir}`],
      "--allow-env=SHOAL_*,DENO_TOKIO_EVENT_INTERVAL",
      ...["--config", new URL("deno.json", PROJECT).pathname],
      new URL("main.ts", PROJECT).pathname,
      ...args,
    ],
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  return { code, said: latin1(stdout) + latin1(stderr) };
}

Deno.test("a torn tail is cut off with a warning that names file and byte, where that is allowed", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const whole = Deno.statSync(path).size;
    const [torn] = [ascii("*3\r\n$3\r\nSET\r\n$5\r\nkey:x\r\n$9\r\nval")];
    Deno.writeFileSync(path, torn, { append: true });

    const line = await refusal(dir, "--aof-load-truncated", "no");
    assertEquals(
      line,
      `cannot load ${path}: byte ${whole} of ${whole + torn.length}: it ends inside a command or ` +
        `unit, and aof-load-truncated is no: shoal check-aof --fix ${path}`,
    );

    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 10);
    const warning = server.log.find((line) => line.includes("is cut off")) ?? "";
    assertStringIncludes(warning, `path=${path} byte=${whole} bytes=${torn.length}`);
    assertEquals(await server.ask("SET", "key:x", "again"), "OK");
    await server.stop();
    await using again = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await again.ask("DBSIZE"), 11);
    assertEquals(again.log.filter((line) => line.includes("is cut off")), []);
  });
});

Deno.test("half a transaction at the end is cut off as a whole", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const half = ascii("*1\r\n$5\r\nMULTI\r\n*3\r\n$3\r\nSET\r\n$5\r\nkey:x\r\n$1\r\nv\r\n");
    Deno.writeFileSync(path, half, { append: true });
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 10);
  });
});

Deno.test("a transaction whose EXEC is damaged is not cut off with all that follows it", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    {
      await using server = await TestServer.start(APPEND_ONLY, { dir });
      const client = await server.connect();
      await client.pipeline(["MULTI"], ["SET", "a", "1"], ["SELECT", "2"], ["SET", "b", "2"], [
        "EXEC",
      ]);
      await client.ask("SET", "c", "3");
    }
    const bytes = Deno.readFileSync(path);
    const exec = latin1(bytes).indexOf("EXEC");
    bytes[exec] = 70;
    Deno.writeFileSync(path, bytes);
    const unit = latin1(bytes).indexOf("*1\r\n$5\r\nMULTI");
    assertStringIncludes(
      await refusal(dir),
      `cannot load ${path}: byte ${unit}: a unit without EXEC has "FXEC", no command: ` +
        `shoal check-aof ${path}`,
    );
    bytes[exec] = 69;
    Deno.writeFileSync(path, bytes);
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 11);
  });
});

Deno.test("damage before the end stops the start, names file, byte and command, and changes nothing", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const sound = Deno.readFileSync(path);
    const text = latin1(sound);
    const cases: [change: (bytes: Uint8Array) => void, byte: number, why: string][] = [];
    const third = text.indexOf("*3", text.indexOf("key:2"));
    cases.push([(b) => b[third] = 120, third, "a command begins with '*', not with 'x'"]);
    const length = text.indexOf("$5\r\nkey:4") + 1;
    cases.push([(b) => b[length] = 54, length + 9, "a word does not end where its length says"]);
    const zeros = text.indexOf("value 5");
    cases.push([(b) => b.fill(0, zeros + 7, zeros + 40), zeros + 7, "a word does not end"]);
    const place = text.indexOf("#shoal upstream");
    cases.push([(b) => b[place + 9] = 88, place, "not understood: #shoal upXtream=none"]);
    for (const [change, byte, why] of cases) {
      const damaged = sound.slice();
      change(damaged);
      Deno.writeFileSync(path, damaged);
      const line = await refusal(dir);
      assertStringIncludes(line, `cannot load ${path}: byte ${byte}: ${why}`);
      assertStringIncludes(line, `: shoal check-aof ${path}`);
    }
  });
});

Deno.test("a command that is none of ours, or fails, stops the start with its byte and what helps", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const text = latin1(Deno.readFileSync(path));
    const begins = text.indexOf("*3", text.indexOf("key:6"));
    const helps = "have the server that wrote the file rewrite it (BGREWRITEAOF), or " +
      `keep a copy and cut it to ${begins} bytes`;
    const unknown = '"XET" is no write that this server knows';
    const behind = text.slice(begins);
    const inserted = (...commands: string[][]) =>
      text.slice(0, begins) + commands.map((words) => multibulk(...words)).join("") + behind;
    const cases: [file: string, line: string][] = [
      [text.slice(0, begins) + behind.replace("SET", "XET"), `${unknown}: ${helps}`],
      [inserted(["MULTI"], ["SET", "a", "1"], ["XET", "a"], ["EXEC"]), `${unknown}: ${helps}`],
      [
        inserted(["LPUSH", "key:1", "a"]),
        "a command failed: lpush: -WRONGTYPE Operation against a key holding the wrong kind of " +
        `value: ${helps}`,
      ],
      [
        inserted(["SELECT", "16"]),
        "a command failed: SELECT 16 with 16 databases: raise databases",
      ],
    ];
    for (const [file, line] of cases) {
      Deno.writeFileSync(path, ascii(file));
      assertEquals(await refusal(dir), `cannot load ${path}: byte ${begins}: ${line}`);
    }
    // Nothing to cut where others are behind it.
    Deno.writeFileSync(path, ascii(cases[0][0]));
    const next = "appendonly.aof.2.incr.aof";
    Deno.writeFileSync(`${dir}/appendonlydir/${next}`, ascii(multibulk("SELECT", "0")));
    const manifest = `${dir}/appendonlydir/appendonly.aof.manifest`;
    Deno.writeTextFileSync(manifest, `file ${next} seq 2 type i\n`, { append: true });
    assertMatch(await refusal(dir), /rewrite it \(BGREWRITEAOF\), or load a backup$/);
  });
});

Deno.test("in a replica's file the command that stops the start has its byte, too", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const text = latin1(Deno.readFileSync(path)).replace("upstream=none", `upstream=${PLACE}`);
    const command = multibulk("SET", "key:x", "y");
    const unknown = multibulk("XET", "key:x", "y");
    const begins = text.length + command.length;
    const place = `#shoal upstream=${PLACE}\r\n`;
    Deno.writeFileSync(path, ascii(text + command + unknown + command + place));
    assertStringIncludes(
      await refusal(dir),
      `byte ${begins}: "XET" is no write that this server knows: have the server that wrote the ` +
        `file rewrite it (BGREWRITEAOF), or keep a copy and cut it to ${begins} bytes`,
    );
  });
});

Deno.test("a file that is torn although another follows it stops the start", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const whole = Deno.statSync(path).size;
    const next = `${dir}/appendonlydir/appendonly.aof.2.incr.aof`;
    Deno.writeFileSync(path, ascii("*1\r\n$4\r\nPI"), { append: true });
    Deno.writeFileSync(next, ascii("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"));
    Deno.writeTextFileSync(
      `${dir}/appendonlydir/appendonly.aof.manifest`,
      "file appendonly.aof.2.incr.aof seq 2 type i\n",
      { append: true },
    );
    assertEquals(
      await refusal(dir),
      `cannot load ${path}: byte ${whole} of ${
        whole + 10
      }: it ends inside a command or unit, and ` +
        `${next} follows it: shoal check-aof ${path}`,
    );
  });
});

Deno.test("a base that should be an image and is none stops the start", async () => {
  await withDir(async (dir) => {
    await makeData(dir);
    const base = `${dir}/appendonlydir/appendonly.aof.1.base.rdb`;
    const image = Deno.readFileSync(base);
    const set = "*3\r\n$3\r\nSET\r\n$1\r\nk\r\n$1\r\nv\r\n";
    for (
      const text of ["", "\0".repeat(image.length), "REDI", "#\n#\n", set.slice(0, -3), set + "\0"]
    ) {
      Deno.writeFileSync(base, ascii(text));
      const line = await refusal(dir);
      if (text === "REDI") assertStringIncludes(line, `cannot load ${base}: byte 0: `);
      else assertEquals(line, `cannot load ${base}: it is no RDB image: load a backup of it`);
    }
    Deno.writeFileSync(base, image);
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 10);
  });
});

/** The line of the manifest for an increment. */
function incrementLine(sequence: number): string {
  return `file appendonly.aof.${sequence}.incr.aof seq ${sequence} type i\n`;
}

Deno.test("a manifest that lacks a file stops the start", async () => {
  await withDir(async (dir) => {
    await makeData(dir);
    const made = `${dir}/appendonlydir`;
    {
      await using server = await TestServer.start(APPEND_ONLY, { dir });
      await server.ask("BGREWRITEAOF");
      await until("it is rewritten", async () => await server.info("aof_rewrites") === "1");
      await server.ask("SET", "key:x", "v");
    }
    // As while a rewrite is under way: an increment goes on where the one before it ends.
    const [second, third] = [2, 3].map((n) => `${made}/appendonly.aof.${n}.incr.aof`);
    const text = latin1(Deno.readFileSync(second));
    const [, id, digits] = /^#shoal history=(\S+) offset=(\d+) /.exec(text)!;
    const begin = Number(digits);
    const end = begin + text.match(/^\*/gm)!.length;
    const goOnFrom = (offset: number) =>
      Deno.writeTextFileSync(
        third,
        historyAnnotation(id, offset, offset) + upstreamAnnotation(null) +
          multibulk("SELECT", "0") + multibulk("SET", "key:y", "v"),
      );
    const base = "file appendonly.aof.2.base.rdb seq 2 type b\n";
    const list = (...lines: string[]) =>
      Deno.writeTextFileSync(`${made}/appendonly.aof.manifest`, lines.join(""));
    const missing = (path: string, from: number, upTo: number) =>
      `cannot load ${path}: writes ${from} to ${upTo - 1} are missing before it: ` +
      "a file is missing in the manifest";

    goOnFrom(end);
    list(incrementLine(2), incrementLine(3));
    assertEquals(await refusal(dir), missing(second, 0, begin));
    list(incrementLine(3));
    assertEquals(await refusal(dir), missing(third, 0, end));
    list(base, incrementLine(3));
    assertEquals(await refusal(dir), missing(third, begin, end));
    list(base, incrementLine(2), incrementLine(3));
    goOnFrom(end + 2);
    assertEquals(await refusal(dir), missing(third, end, end + 2));
    goOnFrom(end);
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 12);
  });
});

Deno.test("a base that is there stays where the manifest lists none", async () => {
  await withDir(async (dir) => {
    const increment = await makeData(dir);
    const base = "appendonly.aof.1.base.rdb";
    const unlisted = "appendonly.aof.7.incr.aof";
    const made = `${dir}/appendonlydir`;
    Deno.writeTextFileSync(`${made}/appendonly.aof.manifest`, incrementLine(1));
    // Commands that nothing is said of: of redis-server, which may have written no base yet.
    Deno.writeFileSync(increment, ascii(multibulk("SET", "k", "v")));
    const image = Deno.readFileSync(`${made}/${base}`);
    for (let start = 0; start < 2; start++) {
      Deno.writeFileSync(`${made}/${unlisted}`, new Uint8Array());
      await using server = await TestServer.start(APPEND_ONLY, { dir });
      assertEquals(await server.ask("DBSIZE"), 1);
      await until("what is left over is removed", () => !filesIn(made).includes(unlisted));
      if (start > 0) {
        await server.ask("BGREWRITEAOF");
        await until("it is rewritten", async () => await server.info("aof_rewrites") === "1");
      }
      assertEquals(Deno.readFileSync(`${made}/${base}`), image);
    }
  });
});

Deno.test("files without the manifest that lists them stop the start", async () => {
  await withDir(async (dir) => {
    await makeData(dir);
    const manifest = `${dir}/appendonlydir/appendonly.aof.manifest`;
    const text = Deno.readTextFileSync(manifest);
    Deno.removeSync(manifest);
    assertMatch(await refusal(dir), /it has appendonly\.aof\.1\.\S+ and no manifest/);
    Deno.writeTextFileSync(manifest, text.slice(0, -3));
    assertMatch(
      await refusal(dir),
      /cannot load .*appendonly\.aof\.manifest: line \d has no line end/,
    );
    Deno.writeTextFileSync(manifest, text);
    Deno.removeSync(`${dir}/appendonlydir/appendonly.aof.1.base.rdb`);
    assertMatch(await refusal(dir), /cannot read .*appendonly\.aof\.1\.base\.rdb: No such file/);
  });
});

Deno.test("check-aof says what is in a file and where it breaks, and --fix cuts it there", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const manifest = `${dir}/appendonlydir/appendonly.aof.manifest`;
    const sound = await tool(dir, "check-aof", manifest);
    assertEquals(sound.code, 0, sound.said);
    assertMatch(
      sound.said,
      /appendonly\.aof\.1\.base\.rdb: \d+ bytes\n {2}RDB version \d+, 0 keys/,
    );
    assertMatch(sound.said, /incr\.aof: \d+ bytes\n {2}11 commands\n {2}SET: 10\n {2}SELECT: 1\n/);
    assertMatch(sound.said, /history [0-9a-f]{40} from offset 0\n {2}next offset 11\n {2}sound\n/);

    const whole = Deno.statSync(path).size;
    const torn = ascii("*1\r\n$4\r\nPI");
    Deno.writeFileSync(path, torn, { append: true });
    const found = await tool(dir, "check-aof", path);
    assertEquals(found.code, 1);
    assertStringIncludes(found.said, `torn: ends inside a command or unit behind byte ${whole}`);
    assertStringIncludes(found.said, "--fix cuts off the last 10 bytes and keeps a copy");
    assertEquals(Deno.statSync(path).size, whole + torn.length, "looking changes nothing");

    for (const copy of [`${path}.damaged`, `${path}.damaged-2`]) {
      const fixed = await tool(dir, "check-aof", "--fix", path);
      assertEquals(fixed.code, 0, fixed.said);
      assertStringIncludes(fixed.said, `cut to ${whole} bytes; as it was: ${copy}`);
      assertEquals(Deno.statSync(path).size, whole);
      assertEquals(Deno.statSync(copy).size, whole + torn.length);
      Deno.writeFileSync(path, torn, { append: true });
    }
    Deno.truncateSync(path, whole);
    assertEquals((await tool(dir, "check-aof", path)).code, 0);
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 10);

    // What a server is using is looked at, and not cut, whatever it is called by.
    Deno.writeFileSync(path, torn, { append: true });
    const { size } = Deno.statSync(path);
    const inside = `${dir}/appendonlydir`;
    const name = "appendonly.aof.1.incr.aof";
    await new Deno.Command("ln", { args: ["-s", inside, `${dir}/link`] }).output();
    for (
      const [cwd, file] of [
        [dir, path],
        [inside, name],
        [inside, `./${name}`],
        [inside, `../appendonlydir/${name}`],
        [dir, `appendonlydir/./${name}`],
        [dir, `link/${name}`],
      ]
    ) {
      const used = await toolIn(cwd, dir, "check-aof", "--fix", file);
      assertEquals(used.code, 1, file);
      assertStringIncludes(used.said, "a server that runs has locked", file);
      assertEquals(Deno.statSync(path).size, size, file);
    }
    Deno.truncateSync(path, whole);
  });
});

Deno.test("check-aof --fix cuts no file behind which another has something", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const manifest = `${dir}/appendonlydir/appendonly.aof.manifest`;
    const whole = Deno.statSync(path).size;
    const torn = ascii("*1\r\n$4\r\nPI");
    Deno.writeFileSync(path, torn, { append: true });
    const next = `${dir}/appendonlydir/appendonly.aof.2.incr.aof`;
    Deno.writeFileSync(next, ascii("*2\r\n$6\r\nSELECT\r\n$1\r\n0\r\n"));
    Deno.writeTextFileSync(manifest, "file appendonly.aof.2.incr.aof seq 2 type i\n", {
      append: true,
    });
    const before = contentsOf(dir);
    for (const file of [manifest, path]) {
      for (const words of [["--fix", file], [file]]) {
        const { code, said } = await tool(dir, "check-aof", ...words);
        assertEquals(code, 1, said);
        assertStringIncludes(said, `it is not cut: ${next} follows it`);
        assertEquals(contentsOf(dir), before, "nothing is changed");
      }
    }
    // Nothing is lost where what follows is empty; and of the last file the torn end is cut.
    Deno.truncateSync(next);
    const fixed = await tool(dir, "check-aof", "--fix", manifest);
    assertEquals(fixed.code, 0, fixed.said);
    assertEquals(Deno.statSync(path).size, whole);
    Deno.writeFileSync(next, torn);
    const last = await tool(dir, "check-aof", "--fix", manifest);
    assertEquals(last.code, 0, last.said);
    assertEquals(Deno.statSync(next).size, 0);
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 10);
  });
});

Deno.test("check-rdb says what is in a snapshot and where it breaks", async () => {
  await withDir(async (dir) => {
    {
      await using server = await TestServer.start({}, { dir });
      await server.ask("SET", "k", "v", "EX", "1000");
      await server.ask("RPUSH", "l", "a", "b");
      await server.ask("SAVE");
    }
    const path = `${dir}/dump.rdb`;
    const sound = await tool(dir, "check-rdb", path);
    assertEquals(sound.code, 0, sound.said);
    assertMatch(sound.said, /RDB version \d+, 2 keys, 1 that expire\n {2}database 0: 2 keys\n/);
    assertMatch(sound.said, /strings: 1\n {2}lists: 1\n/);
    Deno.truncateSync(path, Deno.statSync(path).size - 12);
    const broken = await tool(dir, "check-rdb", path);
    assertEquals(broken.code, 1);
    assertMatch(broken.said, /cannot load .*dump\.rdb: .*byte \d+/);
    const missing = await tool(dir, "check-rdb", `${dir}/nothing.rdb`);
    assertEquals(missing.code, 1);
    assertEquals(
      missing.said,
      `shoal: cannot read ${dir}/nothing.rdb: No such file or directory\n`,
    );
    const folder = await tool(dir, "check-rdb", dir);
    assertEquals([folder.code, folder.said], [1, `shoal: cannot read ${dir}: Is a directory\n`]);
    Deno.writeTextFileSync(`${dir}/none.rdb`, "hello");
    const none = await tool(dir, "check-rdb", `${dir}/none.rdb`);
    assertEquals(none.code, 1);
    assertMatch(none.said, /none\.rdb: 5 bytes\n {2}cannot load .*none\.rdb: RDB image, byte 0: /);
    const wrong = await tool(dir, "check-rdb");
    assertEquals([wrong.code, wrong.said], [1, "shoal: usage: shoal check-rdb FILE\n"]);
    for (const name of ["check-rdb", "check-aof"]) {
      for (const file of ["/elsewhere/a.rdb", "/elsewhere/a.manifest"]) {
        const refused = await tool(dir, name, file);
        assertEquals(refused.code, 1);
        assertStringIncludes(
          refused.said,
          `shoal: not permitted to read ${file}: start with --allow-read=${file} before main.ts, `,
        );
      }
    }
  });
});

Deno.test("a file where the directory should be stops the start in one line", async () => {
  await withDir(async (dir) => {
    const file = `${dir}/appendonlydir`;
    Deno.writeTextFileSync(file, "no directory");
    assertEquals(await refusal(dir), `cannot read ${file}: Not a directory`);
  });
});

Deno.test("clients of a server that was killed in a transaction find all of it or nothing", async () => {
  await withDir(async (dir) => {
    const program = new Program(dir, [
      "--appendonly",
      "yes",
      "--appendfsync",
      "always",
      "--save",
      "",
    ]);
    const { port } = await program.ready();
    using client = await Client.connect(port);
    const replies = await client.pipeline(["MULTI"], ["SET", "a", "1"], ["SET", "b", "2"], [
      "EXEC",
    ]);
    assertEquals(replies.at(-1), ["OK", "OK"]);
    program.signal("SIGKILL");
    await program.end();
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("MGET", "a", "b"), ["1", "2"]);
  });
});

Deno.test("a file that was filled ahead goes on without a word after a kill, and is cut where it is torn", async () => {
  await withDir(async (dir) => {
    const path = `${dir}/${INCREMENT}`;
    await killedWithFilling(dir);
    const killed = Deno.readFileSync(path);
    const said = await tool(dir, "check-aof", path);
    assertEquals(said.code, 0, said.said);
    const ahead = Number(/filled ahead for (\d+) bytes\n/.exec(said.said)?.[1]);
    assertMatch(said.said, /31 commands\n[^]* {2}sound\n$/);
    const end = killed.length - ahead;
    {
      await using server = await TestServer.start({ ...APPEND_ONLY, appendfsync: "always" }, {
        dir,
      });
      assertEquals(await server.ask("DBSIZE"), 30);
      assertEquals(server.log.filter((line) => line.includes("is cut off")), []);
      assertEquals(await server.ask("SET", "more", "1"), "OK");
      assertEquals(latin1(Deno.readFileSync(path)).slice(0, end), latin1(killed.slice(0, end)));
    }
    // As a loss of power may leave it: of the last group, a part.
    const torn = killed.slice();
    torn.set(killed.subarray(end, end + 10), end - 40);
    Deno.writeFileSync(path, torn);
    const found = await tool(dir, "check-aof", path);
    assertEquals(found.code, 1);
    const last = Number(
      /torn: ends inside a command or unit behind byte (\d+)/.exec(found.said)?.[1],
    );
    assertEquals(latin1(killed, last, last + 4), "*3\r\n");
    const line = await refusal(dir, "--aof-load-truncated", "no");
    assertStringIncludes(
      line,
      `cannot load ${path}: byte ${last} of ${end}: it ends inside a command`,
    );
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("DBSIZE"), 29);
    const warning = server.log.find((line) => line.includes("is cut off")) ?? "";
    assertStringIncludes(warning, `path=${path} byte=${last} bytes=${end - last}`);
  });
});
