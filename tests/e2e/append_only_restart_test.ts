/** Servers with an append-only file in processes of their own, stopped and killed and started again. */

import { assertEquals, assertMatch } from "@std/assert";
import { snapshotFileName } from "../../src/persistence/file_names.ts";
import { filesIn, withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { everyType, writeEveryType } from "../support/every_type.ts";
import { onRunOfPorts } from "../support/ports.ts";
import { Program } from "../support/program.ts";
import { until } from "../support/server.ts";

const APPEND_ONLY = ["--appendonly", "yes", "--save", "", "--enable-debug-command", "yes"];
const ALWAYS = ["--appendfsync", "always"];
const REWRITING = "Background append only file rewriting started";
/** Commands whose effects kevy's words do not tell, or not wholly. */
const UNKNOWN_TO_KEVY = [
  ["GEOADD", "places", "15", "37", "a", "15.1", "37.1", "b"],
  ["ZADD", "old", "1", "x"],
  ["GEORADIUS", "places", "15", "37", "500", "km", "STORE", "stored"],
  ["GEORADIUSBYMEMBER", "places", "a", "500", "km", "STOREDIST", "old"],
  ["HSET", "hash", "f", "v", "g", "w"],
  ["HPEXPIREAT", "hash", "4000000000000", "FIELDS", "1", "f"],
  ["XADD", "stream", "5-1", "a", "b"],
  ["XADD", "stream", "6-1", "a", "b"],
  ["XDEL", "stream", "6-1"],
  ["COPY", "stream", "copied"],
  ["XGROUP", "CREATE", "stream", "group", "0"],
  ["XREADGROUP", "GROUP", "group", "one", "STREAMS", "stream", ">"],
];

/** A server that comes again on the same ports and the same directory. */
class Life {
  readonly dir: string;
  readonly port: number;
  readonly #args: readonly string[];
  #program: Program | null = null;
  #client: Client | null = null;

  constructor(dir: string, args: readonly string[], shards: number) {
    this.dir = dir;
    const base = onRunOfPorts(shards + 1, (base) => {
      for (let i = 0; i <= shards; i++) {
        Deno.listen({ hostname: "127.0.0.1", port: base + i }).close();
      }
      return base;
    });
    this.port = base;
    this.#args = [
      ...APPEND_ONLY,
      ...["--port", String(base), "--replication-port-base", String(base + 1)],
      ...["--shards", String(shards), ...args],
    ];
  }

  async start(...more: string[]): Promise<void> {
    this.#program = new Program(this.dir, [...this.#args, ...more]);
    await this.#program.ready();
    this.#client = await Client.connect(this.port);
  }

  async end(signal: Deno.Signal): Promise<void> {
    this.#client?.close();
    this.#program?.signal(signal);
    await this.#program?.end();
    this.#program = null;
  }

  ask(...words: string[]): Promise<unknown> {
    return this.#client!.ask(...words);
  }

  async writeEveryType(tag: string): Promise<void> {
    await writeEveryType(this.#client!, tag);
    // Whoever asks for a key that has expired deletes it: nothing is written later by itself.
    await until("a key expires", async () => await this.ask("EXISTS", `{${tag}}gone`) === 0);
  }

  async info(field: string): Promise<string> {
    const text = String(await this.ask("INFO", "everything"));
    return new RegExp(`^${field}:(.*)\r$`, "m").exec(text)?.[1] ?? "";
  }

  /** Whether the files of all shards hold what a snapshot from the upstream brought. */
  async isRewritten(): Promise<boolean> {
    return await this.info("aof_rewrite_scheduled") === "0" &&
      await this.info("aof_rewrite_in_progress") === "0";
  }
}

async function withDirs(test: (one: string, other: string) => Promise<void>): Promise<void> {
  await withDir((one) => withDir((other) => test(one, other)));
}

Deno.test("values of all types survive kill -9, with any number of shards, crashes on the way included", async () => {
  await withDir(async (dir) => {
    const one = new Life(dir, ALWAYS, 1);
    await one.start();
    for (const tag of ["a", "b", "c"]) await one.writeEveryType(tag);
    await one.ask("HSET", "hash", "f", "v", "g", "w");
    assertEquals(await one.ask("HPEXPIREAT", "hash", "4000000000000", "FIELDS", "1", "f"), [1]);
    const digest = await one.ask("DEBUG", "DIGEST");
    await one.end("SIGKILL");

    await one.start();
    assertEquals(await one.ask("DEBUG", "DIGEST"), digest, "one shard again");
    assertEquals(await one.ask("HPEXPIRETIME", "hash", "FIELDS", "1", "f"), [4000000000000]);
    await one.end("SIGKILL");

    // Killed while it makes the files for three shards: the old ones count until the new are complete.
    const three = new Life(dir, ALWAYS, 3);
    for (const afterMs of [350, 500, 650]) {
      const program = new Program(dir, [...APPEND_ONLY, ...ALWAYS, "--shards", "3"]);
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      program.signal("SIGKILL");
      await program.end();
    }
    await three.start();
    assertEquals(await three.ask("DEBUG", "DIGEST"), digest, "three shards");
    await three.writeEveryType("d");
    const later = await three.ask("DEBUG", "DIGEST");
    await three.end("SIGKILL");
    const manifests = filesIn(`${dir}/appendonlydir`).filter((name) => name.endsWith(".manifest"));
    assertEquals(
      manifests,
      [0, 1, 2].map((i) => `${snapshotFileName("appendonly.aof", i, 3)}.manifest`),
    );

    const two = new Life(dir, ALWAYS, 2);
    await two.start();
    assertEquals(await two.ask("DEBUG", "DIGEST"), later, "two shards");
    await two.end("SIGTERM");
    assertEquals(filesIn(dir), ["appendonlydir"]);
  });
});

Deno.test("messages are not in the files, and replicas go on with frames behind a kill -9 all the same", async () => {
  await withDirs(async (one, other) => {
    const primary = new Life(one, ALWAYS, 1);
    await primary.start();
    const replica = new Life(other, [...ALWAYS, "--replicaof", `127.0.0.1 ${primary.port}`], 1);
    await replica.start();
    const inStep = () =>
      until("the replica has all", async () => {
        const offset = await primary.info("master_repl_offset");
        return await replica.info("master_link_status") === "up" &&
          await replica.info("slave_repl_offset") === offset && await replica.isRewritten();
      });
    const file = () => Deno.readTextFileSync(`${one}/appendonlydir/appendonly.aof.1.incr.aof`);
    const publish = (n: number) => primary.ask("PUBLISH", "news", `message ${n}`);

    await inStep();
    await primary.ask("SET", "a", "1");
    await publish(1);
    await publish(2);
    await primary.ask("SET", "b", "2");
    await publish(3);
    await inStep();
    await until(
      "the last message is counted",
      () => (file().match(/#shoal skip=\d/g) ?? []).length > 1,
    );
    const offset = await primary.info("master_repl_offset");
    await primary.end("SIGKILL");
    assertEquals(file().includes("message"), false);
    await primary.start();
    assertEquals(await primary.info("master_repl_offset"), offset);
    await inStep();
    assertEquals(
      [await primary.info("sync_full"), await primary.info("sync_partial_ok")],
      ["0", "1"],
      "nothing to catch up with",
    );

    // What a replica missed is in the file, but for the messages; it is sent as many frames. First its
    // own file has to know where it stands with the upstream that has come again.
    await primary.ask("SET", "b", "3");
    assertEquals(await primary.ask("WAIT", "1", "10000"), 1);
    await replica.end("SIGKILL");
    await primary.ask("SELECT", "3");
    await primary.ask("SET", "c", "3");
    await publish(4);
    await publish(5);
    await primary.ask("SET", "d", "4");
    await primary.end("SIGKILL");
    await primary.start();
    await replica.start();
    await inStep();
    assertEquals([await primary.info("sync_full"), await primary.info("sync_partial_ok")], [
      "0",
      "1",
    ]);
    await replica.ask("SELECT", "3");
    assertEquals(await replica.ask("MGET", "c", "d"), ["3", "4"]);
    await primary.ask("SELECT", "3");
    await primary.ask("SET", "e", "5");
    await inStep();
    assertEquals(await replica.ask("DBSIZE"), 3);
    for (const life of [primary, replica]) await life.end("SIGTERM");
  });
});

Deno.test("under replication-dialect kevy the files keep what happened, in our words", async () => {
  await withDir(async (dir) => {
    const life = new Life(dir, [...ALWAYS, "--replication-dialect", "kevy"], 1);
    const digests: unknown[] = [];
    try {
      await life.start();
      for (const words of everyType("t")) if (words[0] !== "SELECT") await life.ask(...words);
      await until("a key expires", async () => await life.ask("EXISTS", "{t}gone") === 0);
      for (const words of UNKNOWN_TO_KEVY) {
        assertMatch(String(await life.ask(...words)), /^[^-]/, words.join(" "));
      }
      // kevy's replicas know the frames up to here, whose number only an end in good order tells.
      const next = (await life.info("shard0_offsets")).split("next=")[1];
      digests.push(await life.ask("DEBUG", "DIGEST"));
      await life.end("SIGTERM");
      const [file] = filesIn(`${dir}/appendonlydir`).filter((name) => name.endsWith(".incr.aof"));
      const text = await Deno.readTextFile(`${dir}/appendonlydir/${file}`);
      assertMatch(text, /^#shoal history=none sequence=0\r\n/);
      assertMatch(text, /\$5\r\nMULTI\r\n[^]*\$4\r\nEXEC\r\n/);
      // The write that ends with it has a seal: the file was filled ahead.
      const seal = "#seal=\\d+ [0-9a-f]{16} ?\n";
      assertMatch(
        text,
        new RegExp(`#shoal history=[0-9a-f]{40} offset=${next} sequence=\\d+\r\n${seal}$`),
      );
      await life.start();
      digests.push(await life.ask("DEBUG", "DIGEST"));
      assertMatch(await life.info("shard0_offsets"), new RegExp(`next=${next}$`));
      for (const signal of ["SIGKILL", "SIGTERM"] as const) {
        await life.ask("HSET", "later", signal, "v");
        await life.ask("HPEXPIREAT", "later", "4000000000000", "FIELDS", "1", signal);
        digests.push(await life.ask("DEBUG", "DIGEST"));
        await life.end(signal);
        await life.start();
        digests.push(await life.ask("DEBUG", "DIGEST"));
        const expiries = await life.ask("HPEXPIRETIME", "later", "FIELDS", "1", signal);
        assertEquals(expiries, [4000000000000]);
      }
      assertEquals(await life.ask("BGREWRITEAOF"), REWRITING);
      await until("it is rewritten", async () => await life.info("aof_rewrites") === "1");
      await life.ask("GEORADIUS", "places", "15", "37", "500", "km", "STORE", "again");
      digests.push(await life.ask("DEBUG", "DIGEST"));
      await life.end("SIGKILL");
      await life.start();
      digests.push(await life.ask("DEBUG", "DIGEST"));
    } finally {
      await life.end("SIGKILL");
    }
    for (let i = 0; i < digests.length; i += 2) assertEquals(digests[i], digests[i + 1], `${i}`);
  });
});

Deno.test("a second server on the same data is refused, and one behind a killed server is not", async () => {
  await withDir(async (dir) => {
    const first = new Program(dir, [...APPEND_ONLY]);
    const { pid } = await first.ready();
    const second = await new Program(dir, [...APPEND_ONLY, "--dbfilename", "other.rdb"]).end();
    assertEquals(second.code, 1);
    assertEquals(second.stdout, "");
    const [line, ...more] = second.stderr.trimEnd().split("\n");
    assertEquals(more, []);
    assertEquals(
      line,
      `shoal: the data is in use by another server, process ${pid}, which has locked ` +
        `${dir}/appendonlydir.lock: stop it, or give this one a dir of its own`,
    );
    const third = await new Program(dir, ["--save", ""]).end();
    assertEquals(third.code, 1);
    assertMatch(third.stderr, /the data is in use by another server/);
    first.signal("SIGKILL");
    await first.end();
    const again = new Program(dir, [...APPEND_ONLY]);
    await again.ready();
    again.signal("SIGTERM");
    assertEquals((await again.end()).code, 0);
  });
});

/** Who is stopped; whom the other one finds where it was. */
const ENDINGS = [
  { who: ["primary"], signal: "SIGTERM" },
  { who: ["primary"], signal: "SIGKILL" },
  { who: ["replica"], signal: "SIGTERM" },
  { who: ["replica"], signal: "SIGKILL" },
  { who: ["primary", "replica"], signal: "SIGTERM" },
  { who: ["primary", "replica"], signal: "SIGKILL" },
] as const;

Deno.test("a primary and a replica that end in any way resume with frames", async () => {
  await withPair(async (primary, replica) => {
    const nodes = { primary, replica };
    for (const [round, { who, signal }] of ENDINGS.entries()) {
      const where = `${who.join(" and ")}, ${signal}`;
      await primary.writeEveryType(`round${round}`);
      await inStep(primary, replica);
      const fulls = Number(await primary.info("sync_full"));
      for (const name of who) await nodes[name].end(signal);
      for (const name of who) await nodes[name].start();
      await inStep(primary, replica);
      const isNew = (who as readonly string[]).includes("primary");
      assertEquals(Number(await primary.info("sync_full")), isNew ? 0 : fulls, where);
    }
  });
});

Deno.test("a replica that was away while its upstream wrote and started anew gets the frames it missed", async () => {
  await withPair(async (primary, replica) => {
    for (const signal of ["SIGTERM", "SIGKILL"] as const) {
      await replica.end(signal);
      await primary.writeEveryType(`missed${signal}`);
      await primary.end(signal);
      await primary.start();
      await replica.start();
      await inStep(primary, replica);
      assertEquals(await primary.info("sync_full"), "0", signal);
    }
  });
});

Deno.test("a replica keeps its place while its upstream is away, and its data when it is promoted", async () => {
  await withPair(async (primary, replica) => {
    await primary.end("SIGKILL");
    await replica.end("SIGTERM");
    await replica.start();
    const started = await replica.ask("BGREWRITEAOF");
    assertEquals(started, REWRITING);
    await until("it is rewritten", async () => await replica.info("aof_rewrites") === "1");
    await replica.end("SIGKILL");
    await primary.start();
    await replica.start();
    await inStep(primary, replica);
    assertEquals(await primary.info("sync_full"), "0");

    await primary.end("SIGKILL");
    await replica.ask("REPLICAOF", "NO", "ONE");
    await replica.writeEveryType("promoted");
    const digest = await replica.ask("DEBUG", "DIGEST");
    await replica.end("SIGKILL");
    const promoted = new Life(replica.dir, ALWAYS, 2);
    await promoted.start();
    assertEquals(await promoted.ask("DEBUG", "DIGEST"), digest);
    await promoted.end("SIGTERM");
  });
});

Deno.test("all go on by frames when a primary is killed, one of its replicas promoted, and it comes back", async () => {
  await withPair(async (primary, replica) => {
    await withDir(async (dir) => {
      const other = new Life(dir, ["--replicaof", `127.0.0.1 ${primary.port}`], 3);
      try {
        await other.start();
        await until("it follows", async () => await other.info("master_link_status") === "up");
        // What the one that is promoted knows must come from its files.
        await replica.end("SIGKILL");
        await replica.start();
        await inStep(primary, replica, 2);
        await primary.writeEveryType("last");
        await inStep(primary, replica, 2);
        await primary.end("SIGKILL");

        await replica.ask("REPLICAOF", "NO", "ONE");
        await replica.writeEveryType("promoted");
        await other.ask("REPLICAOF", "127.0.0.1", String(replica.port));
        await inStep(replica, other);
        await primary.start("--replicaof", `127.0.0.1 ${replica.port}`);
        await until("it is back", async () => await primary.info("master_link_status") === "up");
        await inStep(replica, other, 2);
        await inStep(replica, primary, 2);
        assertEquals(await replica.info("sync_full"), "0");
        assertEquals(await replica.info("sync_partial_ok"), "4");
      } finally {
        await other.end("SIGKILL");
      }
    });
  });
});

/** A primary and a replica of two shards, in step, whose files hold all there is. */
async function withPair(test: (primary: Life, replica: Life) => Promise<void>): Promise<void> {
  await withDirs(async (primaryDir, replicaDir) => {
    const primary = new Life(primaryDir, ALWAYS, 2);
    const upstream = `127.0.0.1 ${primary.port}`;
    const replica = new Life(replicaDir, [...ALWAYS, "--replicaof", upstream], 2);
    try {
      await primary.start();
      await primary.writeEveryType("before");
      await replica.start();
      await inStep(primary, replica);
      await until("it is rewritten", async () => await replica.isRewritten());
      await test(primary, replica);
    } finally {
      await primary.end("SIGKILL");
      await replica.end("SIGKILL");
    }
  });
}

/** Waits until the replica, one of so many, has all that the primary has. */
async function inStep(primary: Life, replica: Life, replicas = 1): Promise<void> {
  await primary.ask("INCR", "steps");
  await until("the replica is there", async () => {
    return await primary.ask("WAIT", String(replicas), "100") === replicas;
  });
  assertEquals(await replica.ask("DEBUG", "DIGEST"), await primary.ask("DEBUG", "DIGEST"));
}

Deno.test("a writable replica's own writes survive kill -9, and rewrites", async () => {
  const otherDir = await Deno.makeTempDir();
  await withDirs(async (primaryDir, replicaDir) => {
    const primary = new Life(primaryDir, ALWAYS, 1);
    const upstream = `127.0.0.1 ${primary.port}`;
    const args = [...ALWAYS, "--replicaof", upstream, "--replica-read-only", "no"];
    const replica = new Life(replicaDir, args, 1);
    try {
      await primary.start();
      await primary.ask("SET", "k", "v");
      await replica.start();
      await until("the replica is there", async () => await primary.ask("WAIT", "1", "100") === 1);
      await until("it is rewritten", async () => await replica.isRewritten());
      assertEquals(await replica.ask("SET", "own", "1"), "OK");
      await primary.end("SIGKILL");
      await replica.end("SIGKILL");
      await replica.start();
      assertEquals(await replica.ask("GET", "own"), "1");
      assertEquals(await replica.ask("SET", "own", "2"), "OK");
      await replica.ask("BGREWRITEAOF");
      await until("it is rewritten", async () => await replica.info("aof_rewrites") === "1");
      assertEquals(await replica.ask("SET", "own", "3"), "OK");
      await replica.end("SIGKILL");
      await replica.start();
      assertEquals(await replica.ask("GET", "own"), "3");
      assertEquals(await replica.ask("GET", "k"), "v");

      // Its files say that its data is not its upstream's alone: it cannot take its place by frames.
      await primary.start();
      const other = new Life(otherDir, ["--replicaof", `127.0.0.1 ${primary.port}`], 1);
      await other.start();
      await until("it follows", async () => await other.info("master_link_status") === "up");
      await until("both do", async () => await replica.info("master_link_status") === "up");
      await primary.end("SIGKILL");
      await replica.ask("REPLICAOF", "NO", "ONE");
      await other.ask("REPLICAOF", "127.0.0.1", String(replica.port));
      await inStep(replica, other);
      assertEquals(await replica.info("sync_full"), "1");
      assertEquals(await other.ask("GET", "own"), "3");
      await other.end("SIGKILL");
    } finally {
      await primary.end("SIGKILL");
      await replica.end("SIGKILL");
      await Deno.remove(otherDir, { recursive: true });
    }
  });
});
