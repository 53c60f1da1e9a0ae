import { assertEquals, assertThrows } from "@std/assert";
import {
  formatManifest,
  ManifestError,
  nextSequences,
  parseManifest,
} from "../../src/persistence/aof_manifest.ts";

const TEXT = "file appendonly.aof.2.base.rdb seq 2 type b\n" +
  "file appendonly.aof.3.incr.aof seq 3 type h\n" +
  "file appendonly.aof.4.incr.aof seq 4 type i\n" +
  "file appendonly.aof.5.incr.aof seq 5 type i\n";

Deno.test("a manifest of Redis is read, and written as it was", () => {
  const manifest = parseManifest(TEXT);
  assertEquals(manifest.base, { name: "appendonly.aof.2.base.rdb", sequence: 2 });
  assertEquals(manifest.increments.map(({ sequence }) => sequence), [4, 5]);
  assertEquals(manifest.history.map(({ sequence }) => sequence), [3]);
  assertEquals(formatManifest(manifest), TEXT);
  assertEquals(nextSequences(manifest), { base: 4, increment: 6 });
});

Deno.test("names with spaces, quotes and other bytes come back as they were", () => {
  for (const name of ["a b.aof", 'say "hi".aof', "it's.aof", "tab\t.aof", "\\back.aof"]) {
    const manifest = { base: null, increments: [{ name, sequence: 1 }], history: [] };
    assertEquals(parseManifest(formatManifest(manifest)), manifest);
  }
});

Deno.test("comments, other keys and line ends of other systems are passed over", () => {
  const text = "# a comment\nFILE x SEQ 1 TYPE b startoffset 0\r\nfile y seq 2 type i\n";
  const manifest = parseManifest(text);
  assertEquals(manifest.base?.name, "x");
  assertEquals(manifest.increments, [{ name: "y", sequence: 2 }]);
});

for (
  const [text, why] of [
    ["", "it is empty"],
    ["file a seq 1 type b", "line 1 has no line end"],
    ["file a seq 1\n", "line 1: it is not of the form 'file <name> seq <number> type <b|i|h>'"],
    ['file "a seq 1 type b\n', "line 1: it is not of the form"],
    ["file ../a seq 1 type b\n", "line 1: the file's name is no plain name"],
    ["file a seq 0 type b\n", "line 1: its number is not one from 1 on"],
    ["file a seq x type b\n", "line 1: its number is not one from 1 on"],
    ["file a seq 1 type x\n", "line 1: its type is none of b, i, h"],
    ["file a seq 1 type b\nfile b seq 2 type b\n", "line 2: there is a base file already"],
    ["file a seq 1 type i\nfile a seq 1 type h\n", "line 2: the file is listed already"],
    ["file a seq 1 type i\nfile a seq 2 type i\n", "line 2: the file is listed already"],
    [
      "file a seq 2 type i\nfile b seq 2 type i\n",
      "line 2: increments are not in ascending order",
    ],
  ] as const
) {
  Deno.test(`a manifest is refused: ${why}`, () => {
    const error = assertThrows(() => parseManifest(text), ManifestError);
    assertEquals(error.message.slice(0, why.length), why);
  });
}
