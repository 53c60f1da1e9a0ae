import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { categoriesOf, keySpecsOf } from "../../src/commands/command_info.ts";
import { GEO_COMMANDS } from "../../src/commands/geo.ts";
import { HYPERLOGLOG_COMMANDS } from "../../src/commands/hyperloglog.ts";
import { introspectionCommands } from "../../src/commands/introspection.ts";
import { type CommandSpec, CommandTable } from "../../src/commands/registry.ts";
import { SORT_COMMANDS } from "../../src/commands/sort.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { type Reply, ReplyParser } from "../../src/resp/reply_parser.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { CONNECTION, GENERIC } from "../support/generic_commands.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...GENERIC, ...CONNECTION];

/** A plain form of a reply: bulks and statuses as text, sets sorted, maps as objects. */
type Plain = null | number | string | Plain[] | { [name: string]: Plain };

function plain(reply: Reply): Plain {
  if (reply instanceof Uint8Array) return new TextDecoder().decode(reply);
  if (reply instanceof Set) return [...reply].map(plain).sort();
  if (reply instanceof Map) {
    return Object.fromEntries(
      [...reply].map(([name, value]) => [String(plain(name)), plain(value)]),
    );
  }
  if (Array.isArray(reply)) return reply.map(plain);
  assert(reply === null || typeof reply === "number" || typeof reply === "string", `${reply}`);
  return reply;
}

function parse(raw: string): Plain {
  const parser = new ReplyParser();
  parser.push(Uint8Array.from(raw, (c) => c.charCodeAt(0)));
  const reply = parser.next();
  assert(reply !== undefined);
  return plain(reply);
}

function resp3Shell(): Shell {
  const shell = new Shell(SPECS);
  shell.reply.resp3 = true;
  return shell;
}

/** All specs, subcommands included. */
function flat(specs: readonly CommandSpec[]): CommandSpec[] {
  return specs.flatMap((spec) => [spec, ...flat(spec.subcommands ?? [])]);
}

Deno.test("COMMAND, COMMAND INFO and COMMAND COUNT tell of every command", () => {
  for (const resp3 of [false, true]) {
    const shell = new Shell(SPECS);
    shell.reply.resp3 = resp3;
    const all = parse(shell.run("COMMAND"));
    assert(Array.isArray(all));
    assertEquals(parse(shell.run("COMMAND", "COUNT")), all.length);
    assertEquals(parse(shell.run("COMMAND", "INFO")), all);
    const names = all.map((info) => (info as Plain[])[0] as string);
    assertEquals(names, SPECS.map((spec) => spec.name));
    assertEquals(parse(shell.run("COMMAND", "INFO", ...names)), all);
  }
});

Deno.test("COMMAND INFO names flags and categories as statuses, and an unknown name as nil", () => {
  const shell = new Shell(SPECS);
  assertEquals(
    shell.run("COMMAND", "INFO", "pExPiRe", "nope"),
    "*2\r\n*10\r\n$7\r\npexpire\r\n:-3\r\n*2\r\n+write\r\n+fast\r\n:1\r\n:1\r\n:1\r\n" +
      "*3\r\n+@keyspace\r\n+@write\r\n+@fast\r\n*0\r\n" +
      "*1\r\n*6\r\n$5\r\nflags\r\n*2\r\n+RW\r\n+update\r\n" +
      "$12\r\nbegin_search\r\n*4\r\n$4\r\ntype\r\n$5\r\nindex\r\n" +
      "$4\r\nspec\r\n*2\r\n$5\r\nindex\r\n:1\r\n" +
      "$9\r\nfind_keys\r\n*4\r\n$4\r\ntype\r\n$5\r\nrange\r\n" +
      "$4\r\nspec\r\n*6\r\n$7\r\nlastkey\r\n:0\r\n$7\r\nkeystep\r\n:1\r\n$5\r\nlimit\r\n:0\r\n" +
      "*0\r\n$-1\r\n",
  );
});

Deno.test("COMMAND DOCS tells what the spec tells", () => {
  const shell = resp3Shell();
  const docs = parse(shell.run("COMMAND", "DOCS", "quit", "nope", "OBJECT|FREQ", "copy"));
  assertEquals(docs, {
    "quit": {
      summary: "Closes the connection once its replies are sent.",
      since: "1.0.0",
      group: "connection",
      complexity: "O(1)",
      doc_flags: ["deprecated"],
      deprecated_since: "7.2.0",
      replaced_by: "closing the connection",
    },
    "object|freq": {
      summary: "Tells how often a key is used, on a logarithmic scale.",
      since: "4.0.0",
      group: "generic",
      complexity: "O(1)",
      arguments: [{ name: "key", type: "key", display_text: "key", key_spec_index: 0 }],
    },
    "copy": {
      summary: "Copies a key's value, and its time to live, to another key.",
      since: "6.2.0",
      group: "generic",
      complexity: "O(N) in the size of the value",
      arguments: [
        { name: "source", type: "key", display_text: "source", key_spec_index: 0 },
        { name: "destination", type: "key", display_text: "destination", key_spec_index: 1 },
        {
          name: "destination-db",
          type: "integer",
          display_text: "destination-db",
          token: "DB",
          flags: ["optional"],
        },
        {
          name: "replace",
          type: "pure-token",
          display_text: "replace",
          token: "REPLACE",
          flags: ["optional"],
        },
      ],
    },
  });
  const all = parse(shell.run("COMMAND", "DOCS"));
  assertEquals(Object.keys(all as Record<string, Plain>), SPECS.map((spec) => spec.name));
});

Deno.test("COMMAND DOCS marks what is for tests and for nodes among themselves", () => {
  const table = new CommandTable(HYPERLOGLOG_COMMANDS);
  const shell = new Shell(introspectionCommands(() => table));
  shell.reply.resp3 = true;
  const docs = parse(shell.run("COMMAND", "DOCS", "pfselftest", "pfdebug", "pfcount"));
  const { pfselftest, pfdebug, pfcount } = docs as Record<string, Record<string, Plain>>;
  assertEquals(pfselftest, {
    summary: "Tests how HyperLogLogs are stored and counted.",
    since: "2.8.9",
    group: "hyperloglog",
    complexity: "O(1): some hundredths of a second",
    doc_flags: ["syscmd"],
  });
  assertEquals(pfdebug.doc_flags, ["syscmd"]);
  assertEquals(pfcount.doc_flags, undefined);
  assertEquals(parse(shell.run("COMMAND", "INFO", "pfselftest")), [
    [
      "pfselftest",
      1,
      ["admin"],
      0,
      0,
      0,
      ["@admin", "@dangerous", "@hyperloglog", "@slow"],
      [],
      [],
      [],
    ],
  ]);
});

Deno.test("COMMAND LIST names subcommands too, and filters by name and category", () => {
  const shell = resp3Shell();
  const list = (...words: string[]) => parse(shell.run("COMMAND", "LIST", ...words));
  assertEquals(list(), flat(SPECS).map((spec) => spec.name));
  assertEquals(list("FILTERBY", "PATTERN", "EXPIRET*"), ["expiretime"]);
  assertEquals(list("filterby", "pattern", "memory|us*"), ["memory|usage"]);
  assertEquals(list("FILTERBY", "MODULE", "any"), []);
  assertEquals(list("FILTERBY", "ACLCAT", "nope"), []);
  const dangerous = list("FILTERBY", "ACLCAT", "DANGEROUS") as string[];
  assertEquals(dangerous.sort(), ["flushall", "flushdb", "keys", "restore", "swapdb"]);
  assertEquals(shell.run("COMMAND", "LIST", "X"), "-ERR syntax error\r\n");
});

Deno.test("COMMAND GETKEYS finds keys by range, and by a command's own finder", () => {
  const finder: CommandSpec = {
    name: "pick",
    arity: -3,
    flags: ["write", "movablekeys"],
    findKeys: (call) => Array.from({ length: call.integer(1) }, (_, i) => i + 2),
    group: "generic",
    since: "1.0.0",
    summary: "",
    complexity: "",
    run() {},
  };
  const shell = new Shell([...CONNECTION, finder]);
  // The command asks the table it was given, which lacks this one.
  assertEquals(shell.run("COMMAND", "GETKEYS", "pick", "1", "a"), INVALID);
  const request = shell.table.find(ascii("PICK"), 0, 4);
  assertEquals(request?.checksSlots, true);
  assertEquals(keySpecsOf(finder), [
    {
      access: ["RW", "access", "update", "incomplete"],
      begin: { type: "unknown" },
      found: { type: "unknown" },
    },
  ]);
  assertEquals(
    shell.run("COMMAND", "GETKEYS", "MSET", "a", "1", "b", "2"),
    "*2\r\n$1\r\na\r\n$1\r\nb\r\n",
  );
});

Deno.test("no key specification counts other arguments as keys", () => {
  const found = (name: string) => {
    const spec = [...SORT_COMMANDS, ...ZSET_COMMANDS, ...GEO_COMMANDS]
      .find((spec) => spec.name === name)!;
    return keySpecsOf(spec).map(({ access, begin, found }) => [access.join(" "), begin, found]);
  };
  const one = { type: "range", lastKey: 0, step: 1, limit: 0 } as const;
  assertEquals(found("sort"), [
    ["RO access", { type: "index", index: 1 }, one],
    ["RO access", { type: "unknown" }, { type: "unknown" }],
    ["OW update", { type: "unknown" }, { type: "unknown" }],
  ]);
  assertEquals(found("zunionstore"), [
    ["OW update", { type: "index", index: 1 }, one],
    ["RO access", { type: "index", index: 2 }, { type: "keynum" }],
  ]);
  assertEquals(found("georadius"), [
    ["RO access", { type: "index", index: 1 }, one],
    ["OW update", { type: "keyword", keyword: "STORE", startFrom: 6 }, one],
    ["OW update", { type: "keyword", keyword: "STOREDIST", startFrom: 6 }, one],
  ]);
});

const INVALID = "-ERR Invalid command specified\r\n";

Deno.test("a command that names another group's category does not get its own group's", () => {
  const spec: CommandSpec = {
    name: "x",
    arity: 1,
    flags: [],
    group: "generic",
    since: "",
    summary: "",
    complexity: "",
    run() {},
  };
  assertEquals(categoriesOf(spec), ["keyspace", "slow"]);
  assertEquals(categoriesOf({ ...spec, categories: ["connection"] }), ["slow", "connection"]);
  assertEquals(categoriesOf({ ...spec, categories: ["dangerous"] }), [
    "keyspace",
    "slow",
    "dangerous",
  ]);
  assertEquals(categoriesOf({ ...spec, arity: -2, subcommands: [] }), ["slow"]);
});

/** Tips, arity and words that 7.2 has otherwise than 7.0. */
const CHANGED_IN_7_2 = /^(msetnx|randomkey|scan|command\|getkeys|command\|getkeysandflags)$/;
/** Commands with arguments that 7.2 names or tells of otherwise. */
const REDOCUMENTED_IN_7_2 = /^(lcs|command)$/;

/** COMMAND INFO without what 7.2 changed, subcommands as a map. */
function facts(info: Plain): Plain {
  const [name, arity, flags, first, last, step, categories, tips, keySpecs, subcommands] =
    info as Plain[];
  const isChanged = CHANGED_IN_7_2.test(String(name));
  const specs = (keySpecs as { [name: string]: Plain }[]).map(({ notes: _, ...rest }) => rest);
  return {
    "arity": isChanged ? null : arity,
    "flags": flags,
    "range": [first, last, step],
    "categories": categories,
    "tips": isChanged ? null : tips,
    specs,
    "subcommands": Object.fromEntries(
      (subcommands as Plain[]).map((sub) => [(sub as Plain[])[0] as string, facts(sub)]),
    ),
  };
}

/** COMMAND DOCS without what is said in words of ours, and what 7.2 added. */
function documented(docs: Plain): Plain {
  if (Array.isArray(docs)) return docs.map(documented);
  if (docs === null || typeof docs !== "object") return docs;
  const out: { [name: string]: Plain } = {};
  for (const [name, value] of Object.entries(docs)) {
    if (name === "summary" && typeof value === "string") continue;
    if (["complexity", "display_text"].includes(name)) continue;
    // 7.2 deprecates more than 7.0 does.
    if (["doc_flags", "deprecated_since", "replaced_by"].includes(name)) continue;
    // Groups of arguments got other names.
    if (name === "name" && (docs.type === "oneof" || docs.type === "block")) continue;
    if (name === "history") out[name] = (value as Plain[][]).map(([since]) => since).sort();
    else out[name] = documented(value);
  }
  return out;
}

asksRedis("COMMAND INFO and DOCS agree with redis-server's on every fact", async (redis) => {
  const shell = resp3Shell();
  await redis.run("HELLO", "3");
  for (const { name } of SPECS) {
    const theirs = parse(await redis.run("COMMAND", "INFO", name)) as Plain[];
    const ours = parse(shell.run("COMMAND", "INFO", name)) as Plain[];
    assertEquals(facts(ours[0]), facts(theirs[0]), name);
    if (REDOCUMENTED_IN_7_2.test(name)) continue;
    const theirDocs = parse(await redis.run("COMMAND", "DOCS", name));
    const ourDocs = parse(shell.run("COMMAND", "DOCS", name));
    assertEquals(documented(ourDocs), documented(theirDocs), name);
  }
});
