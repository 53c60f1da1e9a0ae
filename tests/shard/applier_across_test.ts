import { assertEquals } from "@std/assert";
import { BIT_COMMANDS } from "../../src/commands/bits.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { Applier, type FramePlace } from "../../src/shard/applier.ts";
import { Shell } from "../support/shell.ts";

/** Applies the frames of an upstream with one shard to a shell's; bytes as latin-1. */
function applyAll(shell: Shell, frames: readonly string[]): void {
  const applier = new Applier(shell.table);
  const place: FramePlace = { shard: 0, shards: 1, db: 0, lenient: false };
  applier.open(shell.call.node, place, shell.nowMs);
  for (const frame of frames) {
    const words = frame.split(" ");
    const buf = Uint8Array.from(words.join(""), (c) => c.charCodeAt(0));
    const starts = new Int32Array(16).fill(-1); // what lies behind the arguments is not to be read
    const stops = new Int32Array(16).fill(-1);
    let at = 0;
    words.forEach((word, i) => {
      starts[i] = at;
      stops[i] = at += word.length;
    });
    assertEquals(applier.apply(place, buf, { argc: words.length, starts, stops }), null, frame);
  }
  applier.close();
}

Deno.test("BITOP of an upstream with fewer shards reads its sources on any shard of ours", () => {
  const shell = new Shell([...STRING_COMMANDS, ...BIT_COMMANDS], { shards: 4 });
  const frames = ["SET a \x0f", "SET b \xf0\x01", "SET c \x3c"];
  applyAll(shell, [...frames, "BITOP OR d a b", "BITOP XOR a a b c", "BITOP NOT e b"]);
  assertEquals(shell.run("GET", "d"), "$2\r\n\xff\x01\r\n");
  assertEquals(shell.run("GET", "a"), "$2\r\n\xc3\x01\r\n");
  assertEquals(shell.run("GET", "e"), "$2\r\n\x0f\xfe\r\n");
  const results = ["0: SET a \xc3\x01", "0: SET d \xff\x01", "0: SET e \x0f\xfe"];
  assertEquals(shell.heard().sort(), [...frames.map((f) => `0: ${f}`), ...results].sort());
});
