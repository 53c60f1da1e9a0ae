import { assert, assertEquals, assertRejects } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Gate } from "../../src/base/gate.ts";
import { AofDamage, type AofParser } from "../../src/persistence/aof_parser.ts";
import { type AofReadResult, readIncrement } from "../../src/persistence/aof_read.ts";
import { multibulk } from "../resp/support.ts";
import { PowerStorage } from "../support/power_storage.ts";
import { Random, testSeed } from "../support/random.ts";

const PATH = "/data/a.aof";

/** Reads a file; also the names of the commands that it had. */
async function read(
  content: string | Uint8Array,
  from = 0,
): Promise<AofReadResult & { names: string[] }> {
  const storage = new PowerStorage(new Random(1));
  storage.addDirectory("/data");
  storage.addFile(PATH, content);
  using file = await storage.open(PATH);
  const names: string[] = [];
  const sink = {
    command: ({ buf, starts, stops }: AofParser) => names.push(latin1(buf, starts[0], stops[0])),
    annotation: (text: string) => names.push(`#${text}`),
  };
  const options = { gate: new Gate(1), onBytes: () => {}, cancelled: () => null };
  return { ...await readIncrement(file, from, sink, options), names };
}

const SET = multibulk("SET", "key", "value");
const UNIT = multibulk("MULTI") + SET + SET + multibulk("EXEC");

Deno.test("a file cut anywhere is torn, and what is whole before is read", async () => {
  const file = SET + "#TS:1\r\n" + UNIT + SET;
  const ends = [0, SET.length, SET.length + 7, SET.length + 7 + UNIT.length, file.length];
  for (let cut = 0; cut <= file.length; cut++) {
    const { bytes, wholeBytes } = await read(file.slice(0, cut));
    assertEquals(bytes, cut);
    assertEquals(wholeBytes, ends.findLast((end) => end <= cut), `cut ${cut}`);
  }
});

Deno.test("a torn file may end in zeros", async () => {
  for (let cut = 0; cut <= SET.length; cut++) {
    for (const zeros of [1, 100, 70_000]) {
      const { wholeBytes } = await read(SET + SET.slice(0, cut) + "\0".repeat(zeros));
      assertEquals(wholeBytes, cut === SET.length ? 2 * SET.length : SET.length, `cut ${cut}`);
    }
  }
});

Deno.test("zeros with something behind them are damage", async () => {
  const file = SET + "\0".repeat(100) + SET;
  const damage = await assertRejects(() => read(file), AofDamage);
  assertEquals(damage.byteOffset, SET.length);
  assertEquals(damage.wholeBytes, SET.length);
});

Deno.test("positions are those of the file, wherever reading begins", async () => {
  const file = "REDIS image" + SET + UNIT.slice(0, -4);
  const { bytes, wholeBytes, names } = await read(file, 11);
  assertEquals([bytes, wholeBytes], [file.length, 11 + SET.length]);
  assertEquals(names, ["SET", "MULTI", "SET", "SET"]);
  const damage = await assertRejects(() => read("REDIS image" + SET + "x", 11), AofDamage);
  assertEquals(damage.message, `byte ${11 + SET.length}: a command begins with '*', not with 'x'`);
});

Deno.test("a damaged length that takes in all the rest is no torn tail", async () => {
  const value = multibulk("SET", "key", "x".repeat(2_000));
  const file = value + SET.repeat(50) + UNIT + SET.slice(0, 9);
  const at = file.indexOf("$2000");
  for (const digits of ["$9000", "$92000", "$2147483647"]) {
    const damaged = file.slice(0, at) + digits + file.slice(at + 5);
    const damage = await assertRejects(() => read(damaged), AofDamage);
    assertEquals(damage.wholeBytes, 0);
    const first = damaged.indexOf(SET);
    assertEquals(
      damage.message,
      `byte 0: a command without an end, in which commands lie from byte ${first} on: ` +
        "a length is damaged",
    );
  }
  // A value that is only beginning to look like a command is none.
  const { wholeBytes } = await read(
    SET + multibulk("SET", "k", "a\r\n*3\r\n$1\r\n".repeat(9)).slice(0, -9),
  );
  assertEquals(wholeBytes, SET.length);
});

Deno.test("whatever byte of a file is changed, all before it is read, and what is behind is not lost silently", async () => {
  const random = new Random(testSeed(5));
  const file = ascii(Array.from({ length: 40 }, (_, i) => i % 7 === 3 ? UNIT : SET).join(""));
  const all = (await read(file)).names.length;
  for (let round = 0; round < 600; round++) {
    const damaged = file.slice();
    // The tail is left alone: a byte changed there may well look torn.
    const at = random.below(file.length - 2 * UNIT.length);
    damaged[at] ^= 1 << random.below(8);
    try {
      // In a value or a name, where nobody can see it, or in an EXEC, which who runs the unit looks for.
      const { names } = await read(damaged);
      assertEquals(names.length, all, `byte ${at}`);
    } catch (error) {
      if (!(error instanceof AofDamage)) throw error;
      // A command may lose a word, a unit its MULTI, before something is missed.
      assert(error.wholeBytes <= at + UNIT.length, `byte ${at}: ${error.message}`);
    }
  }
});
