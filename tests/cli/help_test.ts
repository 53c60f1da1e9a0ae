import { assert, assertEquals, assertMatch, assertStringIncludes, assertThrows } from "@std/assert";
import { parseArguments } from "../../src/cli/args.ts";
import { helpText, settingsMarkdown } from "../../src/cli/help.ts";
import { versionLine } from "../../src/cli/version.ts";
import { ConfigError } from "../../src/server/config_error.ts";
import { loadConfig, replicationPortBase } from "../../src/server/config_sources.ts";
import { SETTINGS } from "../../src/server/settings.ts";
import { INERT_SETTINGS } from "../../src/server/settings_inert.ts";

Deno.test("help names every setting with its default, in lines that fit a terminal", () => {
  const help = helpText();
  for (const { name } of Object.values(SETTINGS)) assertStringIncludes(help, `\n  --${name} `);
  assertStringIncludes(help, '--save "3600 1 300 100 60 10000"');
  assertStringIncludes(help, "--proto-max-bulk-len 512mb");
  for (const line of help.split("\n")) assert(line.length <= 100, line);
  assert(help.endsWith("\n"));
});

Deno.test("help's examples stay inside the sandbox, and can all be started side by side", () => {
  const examples = [...helpText().matchAll(/^ {2}shoal (.*--port \d+.*)$/gm)].map(([, line]) =>
    [...line.matchAll(/"([^"]*)"|\S+/g)].map(([word, quoted]) => quoted ?? word)
  );
  assertEquals(examples.length, 3);
  const taken = new Set<number | string>();
  const take = (what: number | string) => {
    assert(!taken.has(what), `two examples have ${what}`);
    taken.add(what);
  };
  for (const argv of examples) {
    const invocation = parseArguments(argv);
    assert(invocation.do === "serve");
    const { configFile, directives } = invocation.sources;
    assert(configFile === null || configFile.startsWith("./data/"), `${configFile}`);
    const config = loadConfig({ configFile: null, stdin: false, directives }, () => undefined);
    assertMatch(config.dir, /^\.\/data(\/\w+)?$/);
    take(config.dir);
    take(config.port);
    const base = replicationPortBase(config, config.port);
    for (let shard = 0; shard < config.shards; shard++) take(base + shard);
    const needed = config.bind.filter((address) => !address.startsWith("-"));
    assertEquals(needed, ["127.0.0.1"]);
  }
});

Deno.test("help about settings shows these alone, under any of their names", () => {
  const help = helpText(["port", "SLAVE-priority", "io-threads"]);
  for (const name of ["port 6379", "replica-priority 100", "io-threads 1"]) {
    assertStringIncludes(help, `  --${name} `);
  }
  assertStringIncludes(help, "allowed: an integer between 0 and 65535");
  assertStringIncludes(help, "variable: SHOAL_REPLICA_PRIORITY");
  assert(!help.includes("usage:") && !help.includes("--bind"), help);
  const { message } = assertThrows(() => helpText(["prot"]), ConfigError);
  assertStringIncludes(message, "'prot': did you mean 'port'?");
});

Deno.test("the Markdown table has a row for every setting", () => {
  const table = settingsMarkdown();
  for (const { name } of Object.values(SETTINGS)) assertStringIncludes(table, `\n| \`${name}\` |`);
  for (const { name } of INERT_SETTINGS) assertStringIncludes(table, `\`${name}\``);
});

Deno.test("the version is one line that names shoal, Redis and Deno", () => {
  assertMatch(
    versionLine(),
    /^shoal v=\d+\.\d+\.\d+ redis=7\.2\.\d+ deno=\d\S* v8=\S+ target=\S+$/,
  );
});
