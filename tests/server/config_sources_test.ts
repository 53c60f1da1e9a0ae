import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseArguments } from "../../src/cli/args.ts";
import type { Config } from "../../src/server/config.ts";
import { ConfigError } from "../../src/server/config_error.ts";
import {
  environmentName,
  loadConfig,
  replicationPortBase,
} from "../../src/server/config_sources.ts";

function load(args: string[], environment: Record<string, string> = {}): Config {
  const invocation = parseArguments(args);
  assert(invocation.do === "serve");
  return loadConfig(invocation.sources, (name) => environment[name]);
}

function withFile(content: string, body: (path: string) => void): void {
  const path = Deno.makeTempFileSync({ suffix: ".conf" });
  try {
    Deno.writeTextFileSync(path, content);
    body(path);
  } finally {
    Deno.removeSync(path);
  }
}

Deno.test("the command line wins over the environment, that over the file, that over defaults", () => {
  withFile("hz 20\ntimeout 20\nport 20\n", (path) => {
    const environment = { SHOAL_TIMEOUT: "30", SHOAL_PORT: "30" };
    const config = load([path, "--port", "40"], environment);
    assertEquals(
      [config.databases, config.hz, config.timeoutSeconds, config.port],
      [16, 20, 30, 40],
    );
    assertEquals(config.sourceOf("hz"), "file");
    assertEquals(config.sourceOf("timeoutSeconds"), "environment");
    assertEquals(config.sourceOf("port"), "command line");
    assertEquals(config.file, Deno.realPathSync(path));
  });
});

Deno.test("a variable's name is the directive's with underscores, and its value is split into words", () => {
  assertEquals(environmentName("replication-port-base"), "SHOAL_REPLICATION_PORT_BASE");
  const config = load([], {
    SHOAL_BIND: "127.0.0.1 -::1",
    SHOAL_SAVE: "",
    SHOAL_REQUIREPASS: "a b",
    SHOAL_REPLICAOF: "host 7000",
  });
  assertEquals(config.bind, ["127.0.0.1", "-::1"]);
  assertEquals(config.save, []);
  assertEquals(config.requirePass, "a b");
  assertEquals(config.replicaOf, { host: "host", port: 7000 });
});

Deno.test("a variable stops the start where a line of a file would", () => {
  const rows: [string, string, string][] = [
    ["SHOAL_RENAME_COMMAND", "FLUSHALL x", "commands cannot be renamed"],
    ["SHOAL_USER", "bob on", "ACL users are not supported"],
    ["SHOAL_LOADMODULE", "/x.so", "modules are not supported"],
    ["SHOAL_SENTINEL", "monitor m", "shoal is no sentinel"],
    ["SHOAL_INCLUDE", "/x.conf", "allowed in a config file alone"],
  ];
  for (const [variable, value, why] of rows) {
    const { message } = assertThrows(() => load([], { [variable]: value }), ConfigError);
    assertStringIncludes(message, `cannot be '${value}' (${variable}): ${why}`);
  }
});

Deno.test("a bad variable is refused under its own name", () => {
  const { message } = assertThrows(() => load([], { SHOAL_SHARDS: "many" }), ConfigError);
  assertStringIncludes(message, "'shards' cannot be 'many' (SHOAL_SHARDS)");
});

Deno.test("settings that do not fit together are refused in one line", () => {
  const rows: [args: string[], says: string][] = [
    [["--replication-port-base", "65530", "--shards", "7"], "allowed is a port up to 65529"],
    [["--port", "60000"], "'port' cannot be '60000' (command line): with shards 1"],
    [["--port", "60000"], "or set replication-port-base"],
    [["--arena-size", "32gb"], "between 16mb and 8gb"],
    [["--arena-size", "16mb", "--shards", "100"], "between 100mb and 800gb"],
    [["--arena-size", "1mb"], "of at least 16mb"],
  ];
  for (const [args, says] of rows) {
    const { message } = assertThrows(() => load(args), ConfigError);
    assertStringIncludes(message, says);
    assert(!message.includes("\n"));
  }
  assertEquals(load(["--replication-port-base", "65529", "--shards", "7"]).shards, 7);
  assertEquals(load(["--port", "0"]).port, 0);
});

Deno.test("what does not fit together names the file and the line, or the variable", () => {
  withFile("shards 2\narena-size 32gb\n", (path) => {
    const { message } = assertThrows(() => load([path]), ConfigError);
    assertStringIncludes(message, `'arena-size' cannot be '32gb' (${path} line 2): with shards 2`);
  });
  const { message } = assertThrows(
    () => load([], { SHOAL_REPLICATION_DIALECT: "kevy", SHOAL_DATABASES: "4" }),
    ConfigError,
  );
  assertStringIncludes(message, "'databases' cannot be '4' (SHOAL_DATABASES): ");
});

Deno.test("all settings that are refused are named at once, a line for each", () => {
  withFile("daemonize yes\nport 7000\nsupervised systemd\nuser a on\n", (path) => {
    const { message } = assertThrows(
      () => load([path, "--hz", "x"], { SHOAL_TIMEOUT: "soon" }),
      ConfigError,
    );
    const places = ["line 1", "line 3", "line 4", "SHOAL_TIMEOUT", "command line"];
    const lines = message.split("\n");
    assertEquals(lines.length, places.length, message);
    for (const [i, place] of places.entries()) assertStringIncludes(lines[i], place);
  });
});

Deno.test("a permission of Deno given as a setting is told where it goes", () => {
  const rows: [args: string[], command: string][] = [
    [["--allow-net=0.0.0.0"], "deno run -q -P=server --no-prompt --allow-net=0.0.0.0 main.ts"],
    [["--allow-read", "/x"], "deno run -q -P=server --no-prompt --allow-read=/x main.ts"],
    [["--deny-write"], "deno run -q -P=server --no-prompt --deny-write main.ts"],
  ];
  for (const [args, command] of rows) {
    const { message } = assertThrows(() => load(args), ConfigError);
    assertStringIncludes(
      message,
      "a permission of Deno, not a setting: see Permissions in the README",
    );
    assert(message.endsWith(command), message);
  }
});

Deno.test("an empty bind is refused, at the start and at run time", () => {
  for (const args of [["--bind", ""], ["--bind="]]) {
    const { message } = assertThrows(() => load(args), ConfigError);
    assertStringIncludes(
      message,
      "'bind' cannot be '' (command line): allowed is 1 to 16 addresses",
    );
  }
  const config = load([]);
  assertStringIncludes(config.set([["bind", ""]], true) ?? "", "allowed is 1 to 16 addresses");
  assertEquals(config.bind, ["127.0.0.1"]);
});

Deno.test("the replication port base follows the client port unless it is set", () => {
  assertEquals(replicationPortBase(load(["--port", "7000"]), 7000), 17_000);
  assertEquals(replicationPortBase(load(["--replication-port-base", "8000"]), 7000), 8000);
});

Deno.test("settings without effect are named in one warning, when they are not at their default", () => {
  const config = load([
    "--io-threads",
    "4",
    "--activerehashing",
    "yes",
    "--active-defrag-cycle-min",
    "3",
  ]);
  assertEquals(config.warnings, [
    "settings accepted for Redis's sake, without effect: io-threads, active-defrag-cycle-min",
  ]);
  assertEquals(load([]).warnings, []);
});

Deno.test("settings that promise more than they do are warned of", () => {
  const config = load([
    "--maxmemory",
    "8gb",
    "--repl-timeout",
    "1",
  ]);
  const about = ["arena-size", "repl-timeout"];
  assertEquals(config.warnings.length, about.length);
  for (const [i, name] of about.entries()) assertStringIncludes(config.warnings[i], name);
});

Deno.test("a redis.conf as distributions ship it loads", () => {
  const text = `bind 127.0.0.1 -::1
protected-mode yes
port 6379
tcp-backlog 511
daemonize no
supervised no
pidfile /run/redis/redis-server.pid
loglevel notice
logfile ""
databases 16
always-show-logo no
set-proc-title yes
proc-title-template "{title} {listen-addr} {server-mode}"
stop-writes-on-bgsave-error yes
rdbcompression yes
rdb-del-sync-files no
dir ./
replica-serve-stale-data yes
repl-diskless-sync yes
repl-diskless-sync-max-replicas 0
acllog-max-len 128
lazyfree-lazy-eviction no
oom-score-adj no
oom-score-adj-values 0 200 800
disable-thp yes
appendonly no
appendfilename "appendonly.aof"
appendfsync everysec
auto-aof-rewrite-min-size 64mb
slowlog-log-slower-than 10000
notify-keyspace-events ""
hash-max-ziplist-entries 512
list-max-listpack-size -2
set-max-listpack-value 64
client-output-buffer-limit normal 0 0 0
client-output-buffer-limit replica 256mb 64mb 60
client-output-buffer-limit pubsub 32mb 8mb 60
hz 10
dynamic-hz yes
jemalloc-bg-thread yes
lua-time-limit 5000
latency-tracking-info-percentiles 50 99 99.9
`;
  withFile(text, (path) => assertEquals(load([path]).warnings, []));
});

Deno.test("without permission for the environment a start goes on, and with a terminal asks nothing", async () => {
  const module = new URL("../../src/server/config_sources.ts", import.meta.url).href;
  const program = `import { loadConfig } from ${JSON.stringify(module)};
    const c = loadConfig({ configFile: null, stdin: true, directives: [] });
    console.log(c.port, c.hz, c.timeoutSeconds);`;
  const file = Deno.makeTempFileSync({ suffix: ".ts" });
  try {
    Deno.writeTextFileSync(file, program);
    const run = async (...grants: string[]) => {
      const child = new Deno.Command(Deno.execPath(), {
        args: ["run", "-q", "--no-check", "--no-config", ...grants, file],
        env: { SHOAL_PORT: "7000", SHOAL_HZ: "20" },
        stdin: "piped",
        stdout: "piped",
        stderr: "inherit",
      }).spawn();
      const input = child.stdin.getWriter();
      await input.write(new TextEncoder().encode("timeout 7\n"));
      await input.close();
      return new TextDecoder().decode((await child.output()).stdout).trim();
    };
    assertEquals(await run(), "6379 10 7");
    assertEquals(await run("--allow-env=SHOAL_PORT"), "7000 10 7");
    assertEquals(await run("--allow-env=SHOAL_*"), "7000 20 7");
  } finally {
    Deno.removeSync(file);
  }
});
