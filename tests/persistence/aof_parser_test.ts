import { assertEquals, assertThrows } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import {
  AOF_ANNOTATION,
  AOF_COMMAND,
  AOF_MORE,
  AofDamage,
  AofParser,
} from "../../src/persistence/aof_parser.ts";
import { multibulk } from "../resp/support.ts";

/** What a parser makes of a file that arrives in the given pieces. */
function read(...pieces: readonly string[]): { parts: string[]; parser: AofParser } {
  const parser = new AofParser();
  const parts: string[] = [];
  for (const piece of pieces) {
    const bytes = ascii(piece);
    const at = parser.room(bytes.length);
    parser.buf.set(bytes, at);
    parser.took(bytes.length);
    for (let found = parser.next(); found !== AOF_MORE; found = parser.next()) {
      if (found === AOF_ANNOTATION) {
        parts.push(`#${parser.annotation}`);
        parser.acceptAnnotation();
      }
      if (found !== AOF_COMMAND) continue;
      const words = Array.from(
        { length: parser.argc },
        (_, i) => latin1(parser.buf, parser.starts[i], parser.stops[i]),
      );
      parts.push(words.join(" "));
    }
  }
  return { parts, parser };
}

const SEAL = "#seal=35 0123456789abcdef \n";
const FILE = "#shoal upstream=none\r\n" + multibulk("SELECT", "0") +
  multibulk("SET", "k", "a\r\nb") +
  multibulk("MULTI") + SEAL + multibulk("INCR", "n") + multibulk("exec") + "#TS:1700000000\n" +
  multibulk("DEL", "") + SEAL + SEAL;

Deno.test("commands and annotations of an append-only file are read at every split, seals passed over", () => {
  const whole = ["#shoal upstream=none", "SELECT 0", "SET k a\r\nb", "MULTI", "INCR n", "exec"];
  whole.push("#TS:1700000000", "DEL ");
  for (let cut = 0; cut <= FILE.length; cut++) {
    const { parts, parser } = read(FILE.slice(0, cut), FILE.slice(cut));
    assertEquals(parts, whole, `cut ${cut}`);
    assertEquals(parser.wholeBytes, FILE.length);
    assertEquals(parser.wholeCommands, 6);
  }
});

Deno.test("no byte of a command is read twice, in however many pieces it comes", () => {
  const words = Array.from({ length: 50 }, (_, i) => `word ${i}`);
  const before = multibulk("SET", "k", "v");
  assertEquals(read(...(before + multibulk(...words))).parts, ["SET k v", words.join(" ")]);
  const pieces = words.map((word) => ascii(`$${word.length}\r\n${word}\r\n`));
  const parser = new AofParser();
  for (const piece of [ascii(`${before}*50\r\n`), ...pieces]) {
    const at = parser.room(piece.length);
    parser.buf.set(piece, at);
    parser.took(piece.length);
    while (parser.next() !== AOF_MORE);
    // Were the head of any word so far read once more, it would be found damaged.
    const spoilt = latin1(parser.buf, 0, at + piece.length).replaceAll("$", "!");
    parser.buf.set(ascii(spoilt));
  }
  assertEquals(parser.commands, 2);
  const found = words.map((_, i) => latin1(parser.buf, parser.starts[i], parser.stops[i]));
  assertEquals(found, words);
});

Deno.test("whatever a file is cut to, what is whole ends between two commands or units", () => {
  const unit = FILE.indexOf(multibulk("MULTI"));
  const behind = FILE.indexOf("#TS");
  const ends = [0, FILE.indexOf("*2\r\n$6"), FILE.indexOf("*3"), unit, behind];
  ends.push(FILE.lastIndexOf("*2"), FILE.length - 2 * SEAL.length);
  ends.push(FILE.length - SEAL.length, FILE.length);
  for (let length = 0; length <= FILE.length; length++) {
    const { parser } = read(FILE.slice(0, length));
    const last = ends.filter((end) => end <= length).pop();
    assertEquals(parser.wholeBytes, last, `${length} bytes`);
  }
});

for (
  const [bytes, byte, why] of [
    ["PING\r\n", 0, "a command begins with '*', not with 'P'"],
    ["\0\0", 0, "a command begins with '*', not with byte 0"],
    ["*0\r\n", 0, "a command has at least one word"],
    ["*x\r\n", 1, "a number and a line end are wanted"],
    ["*-1\r\n", 1, "a number and a line end are wanted"],
    ["*1\n", 2, "a number and a line end are wanted"],
    ["*1048577\r\n", 1, "1048577 is more than 1048576"],
    ["*12345678901\r\n", 1, "a number is too long"],
    ["*1\r\n:4\r\n", 4, "a word begins with '$', not with ':'"],
    ["*1\r\n$-1\r\n", 5, "a number and a line end are wanted"],
    ["*1\r\n$4\r\nPING!!", 12, "a word does not end where its length says"],
    [multibulk("MULTI") + multibulk("MULTI"), 15, "MULTI inside MULTI"],
    [multibulk("SET", "a", "b") + multibulk("EXEC"), 27, "EXEC without MULTI"],
  ] as const
) {
  Deno.test(`${JSON.stringify(bytes)} is no append-only file: ${why}`, () => {
    const damage = assertThrows(() => read(bytes), AofDamage);
    assertEquals(damage.message, `byte ${byte}: ${why}`);
  });
}
