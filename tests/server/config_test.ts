import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { Config } from "../../src/server/config.ts";
import { ConfigError } from "../../src/server/config_error.ts";
import type { Setting } from "../../src/server/setting.ts";
import { SETTINGS } from "../../src/server/settings.ts";
import { INERT_SETTINGS } from "../../src/server/settings_inert.ts";

const ALL: readonly Setting[] = [...Object.values(SETTINGS), ...INERT_SETTINGS];

function value(config: Config, name: string): string | undefined {
  return config.get([name])[0]?.[1];
}

Deno.test("settings are named once, aliases included", () => {
  const names = ALL.flatMap((s) => s.alias === undefined ? [s.name] : [s.name, s.alias]);
  assertEquals(new Set(names).size, names.length);
  for (const name of names) assertEquals(name, name.toLowerCase());
});

Deno.test("every default is allowed, and read back as it is shown", () => {
  for (const { name, kind, initial } of ALL) {
    const shown = kind.format(initial);
    const words = kind.words === "list" && shown !== "" ? shown.split(" ") : [shown];
    const parsed = kind.parse(words, initial, true);
    assert("value" in parsed, `${name}: ${JSON.stringify(parsed)}`);
    assertEquals(parsed.value, initial, name);
  }
});

Deno.test("fields hold the defaults, and what the caller gives instead", () => {
  const config = new Config({ port: 0, shards: 3 });
  assertEquals(
    [config.port, config.shards, config.protoMaxBulkBytes, config.bind],
    [0, 3, 536_870_912, ["127.0.0.1"]],
  );
  assertEquals(config.sourceOf("port"), "command line");
  assertEquals(config.sourceOf("hz"), "default");
  assertEquals(value(config, "port"), "0");
});

Deno.test("CONFIG GET answers globs with names, and plain names as they were asked for", () => {
  const config = new Config();
  assertEquals(config.get(["MaxClients"]), [["MaxClients", "10000"]]);
  assertEquals(config.get(["max[C]lient?"]), [["maxclients", "10000"]]);
  assertEquals(config.get(["hz", "HZ", "h[z]"]), [["hz", "10"]]);
  assertEquals(config.get(["nosuch", "nosuch*"]), []);
  const names = config.get(["*"]).map(([name]) => name);
  assertEquals(names.length, new Set(names).size);
  assert(names.includes("slave-priority") && names.includes("replica-priority"));
  assertEquals(value(config, "save"), "3600 1 300 100 60 10000");
  assertEquals(
    value(config, "client-output-buffer-limit"),
    "normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60",
  );
});

// Replies of redis-server 7.0.15, and of 7.2 for loglevel.
const FAILED = "ERR CONFIG SET failed (possibly related to argument ";
const BAD: [pairs: [string, string][], reply: string][] = [
  [[["nosuch", "1"]], "ERR Unknown option or number of arguments for CONFIG SET - 'nosuch'"],
  [
    [["maxclients", "10"], ["NoSuch", "3"]],
    "ERR Unknown option or number of arguments for CONFIG SET - 'NoSuch'",
  ],
  [[["maxclients", "abc"]], `${FAILED}'maxclients') - argument couldn't be parsed into an integer`],
  [[["maxclients", "010"]], `${FAILED}'maxclients') - argument couldn't be parsed into an integer`],
  [[["maxclients", " 10"]], `${FAILED}'maxclients') - argument couldn't be parsed into an integer`],
  [
    [["MAXCLIENTS", "0"]],
    `${FAILED}'maxclients') - argument must be between 1 and 4294967295 inclusive`,
  ],
  [[["maxclients", "10"], ["maxclients", "11"]], `${FAILED}'maxclients') - duplicate parameter`],
  [[["databases", "3"]], `${FAILED}'databases') - can't set immutable config`],
  [[["databases", "3"], ["nosuch", "3"]], `${FAILED}'databases') - can't set immutable config`],
  [[["dir", "/"]], `${FAILED}'dir') - can't set protected config`],
  [
    [["loglevel", "foo"]],
    `${FAILED}'loglevel') - argument(s) must be one of the following: debug, verbose, notice, ` +
    "warning, nothing",
  ],
  [[["rdbcompression", "maybe"]], `${FAILED}'rdbcompression') - argument must be 'yes' or 'no'`],
  [[["maxmemory", "1zb"]], `${FAILED}'maxmemory') - argument must be a memory value`],
  [[["maxmemory", "-1"]], `${FAILED}'maxmemory') - argument must be a memory value`],
  [[["maxmemory", "1.5gb"]], `${FAILED}'maxmemory') - argument must be a memory value`],
  [
    [["proto-max-bulk-len", "1"]],
    `${FAILED}'proto-max-bulk-len') - argument must be between 1048576 and 9223372036854775807 ` +
    "inclusive",
  ],
  [
    [["maxmemory-clients", "101%"]],
    `${FAILED}'maxmemory-clients') - percentage argument must be less or equal to 100`,
  ],
  [
    [["maxmemory-clients", "5%%"]],
    `${FAILED}'maxmemory-clients') - argument must be a memory or percent value`,
  ],
  [[["save", "1 2 3"]], `${FAILED}'save') - Invalid save parameters`],
  [[["save", "0 1"]], `${FAILED}'save') - Invalid save parameters`],
  [
    [["client-output-buffer-limit", "foo 1 2 3"]],
    `${FAILED}'client-output-buffer-limit') - Invalid client class specified in buffer limit ` +
    "configuration.",
  ],
  [
    [["client-output-buffer-limit", "normal 1 2"]],
    `${FAILED}'client-output-buffer-limit') - Wrong number of arguments in buffer limit ` +
    "configuration.",
  ],
  [
    [["client-output-buffer-limit", "normal 1 2 -3"]],
    `${FAILED}'client-output-buffer-limit') - Error in hard, soft or soft_seconds setting in ` +
    "buffer limit configuration.",
  ],
  [
    [["notify-keyspace-events", "KEQ"]],
    `${FAILED}'notify-keyspace-events') - Invalid event class character. Use 'Ag$lshzxeKEtmdn'.`,
  ],
  [
    [["shutdown-on-sigterm", "save foo"]],
    `${FAILED}'shutdown-on-sigterm') - argument(s) must be one of the following: default, save, ` +
    "nosave, now, force",
  ],
  [
    [["shutdown-on-sigint", "nosave now save"]],
    `${FAILED}'shutdown-on-sigint') - shutdown options SAVE and NOSAVE can't be used simultaneously`,
  ],
  [
    [["tls-replication", "yes"]],
    `${FAILED}'tls-replication') - TLS is not supported: only no is allowed`,
  ],
];

Deno.test("CONFIG SET refuses with Redis's words and changes nothing", () => {
  for (const [pairs, reply] of BAD) {
    const config = new Config();
    const before = config.get(["*"]);
    assertEquals(config.set(pairs, true), reply);
    assertEquals(config.get(["*"]), before, reply);
  }
});

const GOOD: [name: string, value: string, shown: string][] = [
  ["maxmemory", "1k", "1000"],
  ["maxmemory", "2KB", "2048"],
  ["maxmemory", "3gb", "3221225472"],
  ["hz", "1000", "500"],
  ["hz", "0", "1"],
  ["LogLevel", "DEBUG", "debug"],
  ["save", "", ""],
  ["save", "60 10 3 4", "60 10 3 4"],
  ["notify-keyspace-events", "KExgA", "AKE"],
  ["notify-keyspace-events", "KEgn", "gnKE"],
  ["notify-keyspace-events", "g$lshzxetd", "A"],
  [
    "client-output-buffer-limit",
    "replica 1mb 2mb 60",
    "normal 0 0 0 slave 1048576 2097152 60 pubsub 33554432 8388608 60",
  ],
  ["maxmemory-clients", "5%", "5%"],
  ["shutdown-on-sigterm", "now SAVE", "save now"],
  ["slave-priority", "3", "3"],
  ["requirepass", "a b", "a b"],
  ["bind", "127.0.0.1 -::1", "127.0.0.1 -::1"],
  ["list-max-listpack-size", "-5", "-5"],
  ["lfu-log-factor", "3", "3"],
];

Deno.test("CONFIG SET takes what Redis takes and shows it as Redis does", () => {
  for (const [name, given, shown] of GOOD) {
    const config = new Config();
    assertEquals(config.set([[name, given]], false), null, name);
    assertEquals(value(config, name.toLowerCase()), shown, `${name} ${given}`);
  }
});

Deno.test("values above 2^53 act as the largest safe integer", () => {
  const config = new Config();
  assertEquals(config.set([["maxmemory", "18446744073709551615"]], false), null);
  assertEquals(config.maxMemoryBytes, Number.MAX_SAFE_INTEGER);
});

Deno.test("a later bad value undoes the earlier good ones of the same CONFIG SET", () => {
  const config = new Config();
  let heard = 0;
  config.onChange(["maxMemoryBytes"], () => (heard++, null));
  assert(config.set([["maxmemory", "1mb"], ["maxclients", "0"]], false) !== null);
  assertEquals([config.maxMemoryBytes, config.maxClients, heard], [0, 10_000, 0]);
  assertEquals(config.sourceOf("maxMemoryBytes"), "default");
});

Deno.test("a listener hears once of a CONFIG SET that changed its fields, with all values in force", () => {
  const config = new Config();
  const heard: unknown[] = [];
  const stop = config.onChange(["port", "bind"], (c) => (heard.push([c.port, c.bind, c.hz]), null));
  config.set([["hz", "20"]], false);
  config.set([["port", "6379"]], false);
  assertEquals(heard, [], "nothing it listens to changed");
  config.set([["port", "7000"], ["bind", "::1"], ["hz", "30"]], false);
  assertEquals(heard, [[7000, ["::1"], 30]]);
  stop();
  config.set([["port", "7001"]], false);
  assertEquals(heard.length, 1);
});

Deno.test("a listener's veto undoes the whole CONFIG SET, and those before it act again", () => {
  const config = new Config();
  const seen: number[] = [];
  config.onChange(["hz"], (c) => (seen.push(c.hz), null));
  config.onChange(["port"], (c) => c.port === 7000 ? "Unable to listen on this port." : null);
  assertEquals(
    config.set([["hz", "20"], ["port", "7000"]], false),
    `${FAILED}'port') - Unable to listen on this port.`,
  );
  assertEquals([config.hz, config.port, seen], [10, 6379, [20, 10]]);
});

Deno.test("who follows a change hears of it when nobody has refused it, whatever the order", () => {
  const config = new Config();
  const heard: number[] = [];
  const stop = config.afterChange(["hz"], (c) => heard.push(c.hz));
  config.onChange(["port"], (c) => c.port === 7000 ? "no" : null);
  assert(config.set([["hz", "20"], ["port", "7000"]], false) !== null);
  assertEquals(heard, []);
  assertEquals(config.set([["hz", "20"], ["port", "7001"]], false), null);
  assertEquals(heard, [20]);
  stop();
  assertEquals(config.set([["hz", "30"]], false), null);
  assertEquals(heard, [20]);
});

Deno.test("protected settings change only for those who are allowed to", () => {
  const refused = `${FAILED}'dir') - can't set protected config`;
  const local = new Config({ enableProtectedConfigs: "local" });
  assertEquals(local.set([["dir", "/a"]], false), refused);
  assertEquals(local.set([["dir", "/a"]], true), null);
  assertEquals(new Config({ enableProtectedConfigs: "yes" }).set([["dir", "/a"]], false), null);
  assertEquals(
    local.set([["dbfilename", "a/b"]], true),
    `${FAILED}'dbfilename') - dbfilename can't be a path, just a filename`,
  );
  for (const name of ["temp-1-1.rdb", "temp-17.rdb"]) {
    assertEquals(
      local.set([["dbfilename", name]], true),
      `${FAILED}'dbfilename') - dbfilename can't be a name that begins so: files being written are ` +
        "called like that, and removed when they are left over",
    );
  }
  assertEquals(local.set([["dbfilename", "temp.rdb"]], true), null);
});

Deno.test("what the server decides itself shows in CONFIG GET and calls no listener", () => {
  const config = new Config();
  config.onChange(["replicaOf"], () => "no");
  config.assign("replicaOf", { host: "::1", port: 7000 });
  assertEquals(value(config, "slaveof"), "::1 7000");
  config.assign("replicaOf", null);
  assertEquals(value(config, "replicaof"), "");
});

// [directive and words, what the one line has to say]
const REFUSED_AT_START: [directive: string[], says: string[]][] = [
  [["prot", "7000"], ["unknown setting 'prot'", "'7000'", "did you mean 'port'?"]],
  [["max_clients", "3"], ["did you mean 'maxclients'?"]],
  [["replicaof-shard", "3"], ["did you mean 'replicaof-shards'?"]],
  [["qqqqqqqqqqqq", "3"], ["unknown setting", "--help"]],
  [["port", "x"], ["'port'", "'x'", "an integer between 0 and 65535"]],
  [["port", "1", "2"], ["'1 2'", "exactly one value"]],
  [["port"], ["needs a value"]],
  [["shards", "1025"], ["between 1 and 1024"]],
  [["maxmemory-policy", "lru"], ["one of volatile-lru"]],
  [["replicaof", "host", "0"], ['"<host> <port>"']],
  [["aof-use-rdb-preamble", "no"], ["the base of an append-only file is an RDB image"]],
  [["cluster-enabled", "yes"], ["Redis Cluster is not supported"]],
  [["daemonize", "yes"], ["shoal runs in the foreground"]],
  [["rename-command", "FLUSHALL", ""], ["commands cannot be renamed"]],
  [["user", "a", "on"], ["ACL users are not supported"]],
  [["loadmodule", "a.so"], ["modules are not supported"]],
  [["loglevel", "a\nb\x1b[0m"], ["'a\\x0ab\\x1b[0m'"]],
  [["loglevel", "x".repeat(1000)], ["xxx..."]],
];

Deno.test("a setting that cannot be used is refused in one line with its name, value and what is allowed", () => {
  for (const [[name, ...words], says] of REFUSED_AT_START) {
    const load = () => new Config().load(name, words, "file", "a.conf line 3");
    const { message } = assertThrows(load, ConfigError);
    for (const part of [...says, name, "(a.conf line 3)"]) assertStringIncludes(message, part);
    assert(!message.includes("\n") && message.length < 400, message);
  }
});

Deno.test("a secret is not repeated in an error", () => {
  const load = () => new Config().load("requirepass", ["my", "secret"], "file", "here");
  assert(!assertThrows(load, ConfigError).message.includes("secret"));
});

Deno.test("save lines add up within a source and start over in the next", () => {
  const config = new Config();
  config.load("save", ["900", "1"], "file", "a");
  config.load("save", ["60", "1000"], "file", "a");
  assertEquals(value(config, "save"), "900 1 60 1000");
  config.load("save", ["5 1"], "command line", "b");
  assertEquals(value(config, "save"), "5 1");
  config.load("save", [], "command line", "b");
  assertEquals(value(config, "save"), "");
  const ofFile = new Config();
  ofFile.load("save", [], "file", "a");
  assertEquals(
    value(ofFile, "save"),
    "",
    "a line of nothing but `save` empties the list, as in Redis",
  );
  assertThrows(() => ofFile.load("appendonly", [], "file", "a"), ConfigError, "needs a value");
});

Deno.test("an option without a value means yes on the command line and nothing in a file", () => {
  const config = new Config({ rdbCompression: false });
  assertThrows(() => config.load("rdbcompression", [], "file", "a"), ConfigError);
  config.load("rdbcompression", [], "command line", "b");
  assertEquals(config.rdbCompression, true);
});
