import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { parseArguments, RESERVED_WORDS } from "../../src/cli/args.ts";
import { ConfigError } from "../../src/server/config_error.ts";

type Row = [
  args: string[],
  configFile: string | null,
  stdin: boolean,
  directives: [name: string, ...words: string[]][],
];

const ROWS: Row[] = [
  [[], null, false, []],
  [["a.conf"], "a.conf", false, []],
  [["a.conf", "--port", "7000"], "a.conf", false, [["port", "7000"]]],
  [["--save", "", "--port", "7000"], null, false, [["save", ""], ["port", "7000"]]],
  [["--bind", "a", "b", "--hz", "1"], null, false, [["bind", "a", "b"], ["hz", "1"]]],
  [["--save", "60", "1", "--save", "5", "1"], null, false, [["save", "60", "1"], [
    "save",
    "5",
    "1",
  ]]],
  [["--rdbcompression", "--port", "1"], null, false, [["rdbcompression"], ["port", "1"]]],
  [["--list-max-listpack-size", "-1"], null, false, [["list-max-listpack-size", "-1"]]],
  [["--requirepass=--x=y"], null, false, [["requirepass", "--x=y"]]],
  [["--save="], null, false, [["save", ""]]],
  [["--maxmemory 7mb", "--save 60 1"], null, false, [["maxmemory", "7mb"], ["save", "60", "1"]]],
  [["--save ''", "--bind a", "b"], null, false, [["save", ""], ["bind", "a", "b"]]],
  [["--requirepass=a b=c"], null, false, [["requirepass", "a b=c"]]],
  [["--requirepass a=b"], null, false, [["requirepass", "a=b"]]],
  [['--requirepass "a'], null, false, [['requirepass "a']]],
  [["--"], null, false, [[""]]],
  [["-"], null, true, []],
  [["-", "--port", "1"], null, true, [["port", "1"]]],
  [["a.conf", "--port", "1", "-"], "a.conf", true, [["port", "1"]]],
];

Deno.test("the command line is a config file, then options with all their words", () => {
  for (const [args, configFile, stdin, directives] of ROWS) {
    const invocation = parseArguments(args);
    assert(invocation.do === "serve", args.join(" "));
    assertEquals(invocation.sources, {
      configFile,
      stdin,
      directives: directives.map(([name, ...words]) => ({ name, words, where: "command line" })),
    });
  }
});

Deno.test("help and version are answered wherever they stand", () => {
  for (
    const args of [["--help"], ["-h"], ["help"], ["--port", "1", "--help"], ["a.conf", "--help"]]
  ) {
    assertEquals(parseArguments(args), { do: "help" });
  }
  for (const args of [["--help", "port", "hz"], ["help", "port", "--hz"], ["-h", "port", "hz"]]) {
    assertEquals(parseArguments(args), { do: "help", about: ["port", "hz"] });
  }
  for (const args of [["--version"], ["-v"], ["version"]]) {
    assertEquals(parseArguments(args), { do: "version" });
  }
});

Deno.test("what is neither a file nor an option is refused in one line", () => {
  for (const args of [["a.conf", "b.conf"], ["-p", "7000"], [""], ["a.conf", "-x"]]) {
    const { message } = assertThrows(() => parseArguments(args), ConfigError);
    assertStringIncludes(message, "allowed is one config file");
    assert(!message.includes("\n"));
  }
});

Deno.test("reserved words are no config files, unless written as a path", () => {
  for (const word of RESERVED_WORDS) {
    const { message } = assertThrows(() => parseArguments([word]), ConfigError);
    assertStringIncludes(message, `./${word}`);
    assertEquals(parseArguments([`./${word}`]).do, "serve");
  }
});
