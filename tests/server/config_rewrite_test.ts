import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { Config } from "../../src/server/config.ts";
import { readConfigFile } from "../../src/server/config_file.ts";
import { REWRITE_MARK } from "../../src/server/config_rewrite.ts";
import { loadConfig } from "../../src/server/config_sources.ts";

function inTemporary(body: (folder: string) => void): void {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function load(
  file: string,
  environment: Record<string, string> = {},
  ...options: string[]
): Config {
  const directives = options.map((option) => {
    const [name, ...words] = option.split(" ");
    return { name, words, where: "command line" };
  });
  return loadConfig({ configFile: file, stdin: false, directives }, (name) => environment[name]);
}

/** Rewrites `old` after the given CONFIG SET pairs. */
function rewritten(old: string, pairs: [string, string][]): string {
  let text = "";
  inTemporary((folder) => {
    Deno.writeTextFileSync(`${folder}/a.conf`, old);
    const config = load(`${folder}/a.conf`);
    assertEquals(config.set(pairs, true), null);
    assertEquals(config.rewrite(), null);
    text = Deno.readTextFileSync(`${folder}/a.conf`);
    assertEquals([...Deno.readDirSync(folder)].length, 1, "nothing else is left behind");
    const again = load(`${folder}/a.conf`);
    assertEquals(again.get(["*"]), config.get(["*"]), "the file says what is in force");
  });
  return text;
}

Deno.test("a rewrite keeps comments, blank lines and order, and replaces values in place", () => {
  const old = "# head\n\nport 7000\n  # indented\nhz 10\nmaxmemory 1mb\n\n# tail\n";
  assertEquals(
    rewritten(old, [["hz", "20"], ["maxmemory", "2gb"]]),
    "# head\n\nport 7000\n  # indented\nhz 20\nmaxmemory 2gb\n\n# tail\n",
  );
});

Deno.test("new values go to the end under the mark, and under the same mark the next time", () => {
  const once = rewritten("port 7000\n", [["hz", "20"]]);
  assertEquals(once, `port 7000\n\n${REWRITE_MARK}\nhz 20\n`);
  assertEquals(rewritten(once, [["timeout", "5"]]), `${once}timeout 5\n`);
});

Deno.test("a default is not written, but a line that says it stays", () => {
  assertEquals(rewritten("hz 20\n", [["hz", "10"]]), "hz 10\n");
  assertEquals(rewritten("# empty\n", [["hz", "10"]]), "# empty\n");
});

Deno.test("settings of several lines take the lines there are, then lose or gain some", () => {
  const old = "save 900 1\nport 7000\nsave 300 10\nsave 60 10000\n";
  assertEquals(rewritten(old, [["save", "5 1"]]), "save 5 1\nport 7000\n");
  assertEquals(rewritten(old, [["save", ""]]), 'save ""\nport 7000\n');
  const grown = rewritten("port 7000\nsave 900 1\n", [["save", "5 1 6 2"]]);
  assertEquals(grown, `port 7000\nsave 5 1\n\n${REWRITE_MARK}\nsave 6 2\n`);
});

Deno.test("an older name is replaced by the setting's name", () => {
  assertEquals(
    rewritten("slave-priority 5\n", [["replica-priority", "6"]]),
    "replica-priority 6\n",
  );
});

Deno.test("texts are quoted and an emptied one leaves the file", () => {
  assertEquals(
    rewritten("requirepass old\n", [["requirepass", 'a b"c']]),
    'requirepass "a b\\"c"\n',
  );
  assertEquals(rewritten("requirepass old\nhz 20\n", [["requirepass", ""]]), "hz 20\n");
});

Deno.test("REPLICAOF NO ONE takes the upstream out of the file", () => {
  inTemporary((folder) => {
    const file = `${folder}/a.conf`;
    Deno.writeTextFileSync(file, "replicaof 127.0.0.1 7000\nport 7001\n");
    const config = load(file);
    config.assign("replicaOf", null);
    assertEquals(config.rewrite(), null);
    assertEquals(Deno.readTextFileSync(file), "port 7001\n");
  });
});

Deno.test("values of the environment stay out of the file, those of the command line go in", () => {
  inTemporary((folder) => {
    const file = `${folder}/a.conf`;
    Deno.writeTextFileSync(file, "requirepass old\n");
    const config = load(file, { SHOAL_REQUIREPASS: "hidden", SHOAL_TIMEOUT: "9" }, "port 7000");
    assertEquals([config.requirePass, config.timeoutSeconds], ["hidden", 9]);
    assertEquals(config.rewrite(), null);
    assertEquals(
      Deno.readTextFileSync(file),
      `requirepass old\n\n${REWRITE_MARK}\nport 7000\n`,
    );
  });
});

Deno.test("includes stay, and bytes that are no UTF-8 survive in comments", () => {
  inTemporary((folder) => {
    const file = `${folder}/a.conf`;
    Deno.writeTextFileSync(`${folder}/b.conf`, "hz 20\n");
    const head = new Uint8Array([0x23, 0x20, 0xff, 0xfe, 0x0a]);
    const tail = new TextEncoder().encode(`include ${folder}/b.conf\ntimeout 3\n`);
    Deno.writeFileSync(file, new Uint8Array([...head, ...tail]));
    const config = load(file);
    config.set([["timeout", "4"]], false);
    assertEquals(config.rewrite(), null);
    const bytes = Deno.readFileSync(file);
    assertEquals(bytes.subarray(0, 5), head);
    assertStringIncludes(new TextDecoder().decode(bytes), `include ${folder}/b.conf\ntimeout 4\n`);
    assertEquals(readConfigFile(file).map((d) => d.name), ["hz", "timeout", "hz"]);
  });
});

Deno.test("a rewrite keeps the file's mode and follows a link to the file", () => {
  inTemporary((folder) => {
    Deno.writeTextFileSync(`${folder}/real.conf`, "hz 20\n", { mode: 0o640 });
    Deno.chmodSync(`${folder}/real.conf`, 0o640);
    new Deno.Command("ln", { args: ["-s", "real.conf", `${folder}/a.conf`] }).outputSync();
    const config = load(`${folder}/a.conf`);
    config.set([["hz", "30"]], false);
    assertEquals(config.rewrite(), null);
    assert(Deno.lstatSync(`${folder}/a.conf`).isSymlink);
    assertEquals(Deno.readTextFileSync(`${folder}/real.conf`), "hz 30\n");
    assertEquals((Deno.statSync(`${folder}/real.conf`).mode ?? 0) & 0o777, 0o640);
  });
});

Deno.test("a rewrite that cannot be done says why and leaves the old file", () => {
  assertEquals(new Config().rewrite(), "ERR The server is running without a config file");
  inTemporary((folder) => {
    const file = `${folder}/gone/a.conf`;
    assertEquals(
      new Config({}, file).rewrite(),
      "ERR Rewriting config file: No such file or directory",
    );
  });
  assertStringIncludes(
    new Config({}, "/no/such/a.conf").rewrite() ?? "",
    "ERR Rewriting config file: not permitted to write /no/such: start with --allow-write=/no/such",
  );
});
