import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { ConfigError } from "../../src/server/config_error.ts";
import {
  CONFIG_BYTES_MAX,
  CONFIG_INCLUDE_DEPTH_MAX,
  parseConfig,
  readConfigFile,
} from "../../src/server/config_file.ts";

function withFiles(files: Record<string, string>, body: (folder: string) => void): void {
  const folder = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    for (const [name, content] of Object.entries(files)) {
      Deno.writeTextFileSync(`${folder}/${name}`, content.replaceAll("HERE", folder));
    }
    body(folder);
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}

function refusal(read: () => unknown): string {
  const { message } = assertThrows(read, ConfigError);
  assert(!message.includes("\n"), message);
  return message;
}

Deno.test("directives come with their words and line, comments and blank lines do not", () => {
  const source = '# a\r\n\n port 7000 \nrequirepass "a b"\r\n\t#x\nsave ""\nbind a b';
  assertEquals([...parseConfig(source, "a.conf", 1)], [
    { name: "port", words: ["7000"], where: "a.conf line 3" },
    { name: "requirepass", words: ["a b"], where: "a.conf line 4" },
    { name: "save", words: [""], where: "a.conf line 6" },
    { name: "bind", words: ["a", "b"], where: "a.conf line 7" },
  ]);
});

Deno.test("quotes that do not balance are refused with the line", () => {
  const said = refusal(() => [...parseConfig('hz 1\nrequirepass "abc\n', "a.conf", 1)]);
  assertStringIncludes(said, "a.conf line 2");
  assertStringIncludes(said, "quotes must balance");
});

Deno.test("includes stand in the place of their line, globs in order of names", () => {
  withFiles({
    "a.conf": "hz 1\ninclude HERE/b.conf\nhz 4\nINCLUDE HERE/x*.conf\ninclude HERE/none*.conf\n",
    "b.conf": "hz 2\nhz 3",
    "x2.conf": "hz 6",
    "x1.conf": "hz 5",
    ".x.conf": "hz 9",
  }, (folder) => {
    assertEquals(
      readConfigFile(`${folder}/a.conf`).map((d) => d.words[0]),
      ["1", "2", "3", "4", "5", "6"],
    );
  });
});

Deno.test("a file that includes itself ends at the depth limit", () => {
  withFiles({ "a.conf": "include HERE/a.conf\n" }, (folder) => {
    const said = refusal(() => readConfigFile(`${folder}/a.conf`));
    assertStringIncludes(said, "include");
    assertStringIncludes(said, String(CONFIG_INCLUDE_DEPTH_MAX));
  });
});

Deno.test("a missing file and a missing include are refused by name", () => {
  assertStringIncludes(refusal(() => readConfigFile("/no/such.conf")), "/no/such.conf");
  withFiles({ "a.conf": "hz 1\ninclude HERE/b.conf\n" }, (folder) => {
    const said = refusal(() => readConfigFile(`${folder}/a.conf`));
    assertStringIncludes(said, `${folder}/b.conf`);
    assertStringIncludes(said, "a.conf line 2");
  });
  assertStringIncludes(refusal(() => [...parseConfig("include a b", "x", 1)]), "'a b'");
});

Deno.test("a file beyond the size limit is not read", () => {
  withFiles({ "a.conf": "" }, (folder) => {
    Deno.truncateSync(`${folder}/a.conf`, CONFIG_BYTES_MAX + 1);
    assertStringIncludes(refusal(() => readConfigFile(`${folder}/a.conf`)), "too large");
  });
});
