import { assertEquals, AssertionError, assertThrows } from "@std/assert";
import { concat, copy, endsWith, equals, includesNeedle, indexOfNeedle } from "@std/bytes";
import { startsWith } from "@std/bytes/starts-with";
import { parseArgs } from "@std/cli/parse-args";

const bytes = (...of: number[]): Uint8Array => new Uint8Array(of);

Deno.test("a failed assertion throws an AssertionError", () => {
  assertThrows(() => assertEquals(1, 2), AssertionError, "not equal");
});

Deno.test("bytes are joined, copied, compared and searched", () => {
  const joined = concat([bytes(1, 2), bytes(), bytes(3)]);
  assertEquals(joined, bytes(1, 2, 3));
  assertEquals([equals(joined, bytes(1, 2, 3)), equals(joined, bytes(1, 2))], [true, false]);
  assertEquals([startsWith(joined, bytes(1)), endsWith(joined, bytes(2))], [true, false]);
  assertEquals([indexOfNeedle(joined, bytes(2, 3)), includesNeedle(joined, bytes(4))], [1, false]);
  const short = new Uint8Array(2);
  assertEquals([copy(joined, short), short], [2, bytes(1, 2)]);
});

Deno.test("command-line arguments become typed flags and positionals", () => {
  const flags = parseArgs(["file", "--port", "07", "--help", "--save", "a", "--save=b"], {
    string: ["port", "save", "dir"],
    boolean: ["help", "version"],
    collect: ["save"],
  });
  const port: string | undefined = flags.port;
  const help: boolean = flags.help;
  const save: string[] = flags.save;
  assertEquals([port, help, flags.version, save], ["07", true, false, ["a", "b"]]);
  assertEquals([flags._, flags.dir], [["file"], undefined]);
});
