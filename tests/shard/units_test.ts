import { assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { NO_DATABASE } from "../../src/commands/effect.ts";
import { Backlog } from "../../src/replication/backlog.ts";
import { Commit, NodeSequence } from "../../src/shard/commit.ts";
import { HELD_BACK, HeldUnit, NOT_HELD, WHOLE } from "../../src/shard/held_unit.ts";
import { RequestParser } from "../../src/resp/request_parser.ts";

/** A commit over a backlog, and a reader of its frames. */
class Stream {
  readonly sequence = new NodeSequence();
  readonly commit = new Commit(this.sequence, true);
  readonly backlog = new Backlog({ limitBytes: 2 ** 24, firstOffset: 5 });
  readonly #cursor;

  constructor(db = 0) {
    this.commit.attach(this.backlog, db);
    this.#cursor = this.backlog.cursorAt(5)!;
  }

  /** The effect `words` on database `db`. */
  say(db: number, ...words: readonly string[]): void {
    const args = words.map((word) => ascii(word));
    const payload = args.slice(1).reduce((n, arg) => n + arg.length, 0);
    this.commit.begin(db, args[0], args.length - 1, payload);
    for (const arg of args.slice(1)) this.commit.arg(arg, 0, arg.length);
    this.commit.end();
  }

  /** The message `words`. */
  tell(...words: readonly string[]): void {
    const args = words.map((word) => ascii(word));
    const payload = args.slice(1).reduce((n, arg) => n + arg.length, 0);
    this.commit.begin(NO_DATABASE, args[0], args.length - 1, payload);
    for (const arg of args.slice(1)) this.commit.arg(arg, 0, arg.length);
    this.commit.endMessage();
  }

  /** Frames since the last call, `offset: WORDS`. */
  read(): string[] {
    const frames: string[] = [];
    while (true) {
      let { offset } = this.#cursor;
      const bytes = this.backlog.view(this.#cursor, 2 ** 24);
      if (bytes === null) return frames;
      this.backlog.advance(this.#cursor, bytes.length);
      const text = new TextDecoder("latin1").decode(bytes);
      for (const [body] of text.matchAll(/\*\d+\r\n[^*]*/g)) {
        const words = body.replace(/\*\d+\r\n|\$\d+\r\n/g, "").trim().replace(/\r\n/g, " ");
        frames.push(`${offset++}: ${words}`);
      }
    }
  }
}

Deno.test("a unit of several effects is MULTI, the effects, EXEC", () => {
  const stream = new Stream();
  stream.say(0, "SET", "a", "1");
  stream.commit.beginUnit();
  stream.say(0, "SET", "b", "2");
  stream.say(0, "DEL", "c");
  stream.say(3, "SET", "d", "4");
  stream.commit.endUnit();
  stream.say(3, "DEL", "e");
  assertEquals(stream.read(), [
    "5: SET a 1",
    "6: MULTI",
    "7: SET b 2",
    "8: DEL c",
    "9: SELECT 3",
    "10: SET d 4",
    "11: EXEC",
    "12: DEL e",
  ]);
  assertEquals(stream.sequence.value, 8);
});

Deno.test("a unit of one effect is that effect, of none nothing", () => {
  const stream = new Stream();
  stream.commit.beginUnit();
  stream.commit.endUnit();
  assertEquals([stream.read(), stream.sequence.value, stream.commit.appended], [[], 0, false]);
  stream.commit.beginUnit();
  stream.say(2, "SET", "a", "1");
  assertEquals([stream.read(), stream.sequence.value], [[], 0]);
  stream.commit.endUnit();
  assertEquals(stream.read(), ["5: SELECT 2", "6: SET a 1"]);
  assertEquals([stream.sequence.value, stream.commit.appended], [2, true]);
});

Deno.test("a unit of messages is those alone, and no write; with a write it is one of all of them", () => {
  const stream = new Stream();
  const { commit, sequence } = stream;
  const unit = (...effects: readonly (readonly string[])[]): string[] => {
    commit.beginUnit();
    for (const words of effects) {
      if (words[0] === "PUBLISH") stream.tell(...words);
      else stream.say(2, ...words);
    }
    commit.endUnit();
    return stream.read().map((frame) => frame.replace(/^.*?: /, ""));
  };
  const first = ["PUBLISH", "a", "first"], second = ["PUBLISH", "b", "second"];
  assertEquals(unit(first), ["PUBLISH a first"]);
  assertEquals(unit(first, second, first), [
    "PUBLISH a first",
    "PUBLISH b second",
    "PUBLISH a first",
  ]);
  assertEquals([sequence.value, sequence.writes, commit.messages], [4, 0, 4]);
  assertEquals(unit(first, second, ["SET", "k", "v"], first), [
    "MULTI",
    "PUBLISH a first",
    "PUBLISH b second",
    "SELECT 2",
    "SET k v",
    "PUBLISH a first",
    "EXEC",
  ]);
  assertEquals([sequence.value, sequence.writes, commit.messages], [11, 7, 4]);
  assertEquals(unit(["SET", "k", "v"], first), ["MULTI", "SET k v", "PUBLISH a first", "EXEC"]);
  assertEquals(unit(["SET", "k", "v"]), ["SET k v"]);
  assertEquals(unit(first), ["PUBLISH a first"]);
  assertEquals([sequence.writes, commit.messages], [12, 5]);
});

Deno.test("an effect of any size begins a unit", () => {
  const stream = new Stream();
  const long = "x".repeat(3_000_000);
  for (const value of [long, "y"]) {
    stream.commit.beginUnit();
    stream.say(0, "SET", "a", value);
    stream.say(0, "SET", "b", value);
    stream.commit.endUnit();
  }
  assertEquals(stream.read().map((frame) => frame.slice(0, 20)), [
    "5: MULTI",
    "6: SET a xxxxxxxxxxx",
    "7: SET b xxxxxxxxxxx",
    "8: EXEC",
    "9: MULTI",
    "10: SET a y",
    "11: SET b y",
    "12: EXEC",
  ]);
});

Deno.test("a history that begins inside a unit has none of what was before it", () => {
  const stream = new Stream();
  stream.commit.beginUnit();
  stream.say(0, "SET", "a", "1");
  stream.commit.attach(null, -1);
  stream.commit.attach(stream.backlog, -1);
  stream.say(0, "SET", "b", "1");
  stream.commit.endUnit();
  assertEquals(stream.read(), ["5: SELECT 0", "6: SET b 1"]);
  stream.commit.beginUnit();
  stream.say(0, "SET", "a", "1");
  stream.commit.attach(null, -1);
  stream.commit.endUnit();
  assertEquals(stream.read(), []);
});

/** What `unit` makes of frames given as words; a frame's words when it is whole. */
function take(unit: HeldUnit, line: string): unknown {
  const parser = new RequestParser();
  const buf = ascii(`${line}\r\n`);
  parser.parse(buf, buf.length);
  const taken = unit.take(buf, parser);
  if (taken !== WHOLE) return taken;
  const frames: string[] = [];
  unit.frames.rewind();
  while (unit.frames.next()) {
    const { buf, argc, starts, stops } = unit.frames;
    const words = Array.from({ length: argc }, (_, i) => buf.subarray(starts[i], stops[i]));
    frames.push(words.map((word) => new TextDecoder().decode(word)).join(" "));
  }
  unit.close();
  return frames;
}

Deno.test("frames between MULTI and EXEC are held until all are there", () => {
  const unit = new HeldUnit();
  for (let round = 0; round < 2; round++) {
    assertEquals(take(unit, "SET a 1"), NOT_HELD);
    assertEquals(take(unit, "MULTI"), HELD_BACK);
    assertEquals(take(unit, "SET a 1"), HELD_BACK);
    assertEquals(take(unit, "SELECT 3"), HELD_BACK);
    assertEquals(take(unit, "DEL exec"), HELD_BACK);
    assertEquals(unit.isOpen, true);
    assertEquals(take(unit, "exec"), ["SET a 1", "SELECT 3", "DEL exec"]);
    assertEquals([unit.isOpen, unit.frames.memoryBytes], [false, 0]);
  }
});

Deno.test("a unit in a unit, an end without a beginning, and too large a unit have names", () => {
  const unit = new HeldUnit(40);
  assertEquals(take(unit, "EXEC"), "StrayExec");
  assertEquals(take(unit, "MULTI"), HELD_BACK);
  assertEquals(take(unit, "MULTI"), "NestedUnit");
  assertEquals(take(unit, "SET a 1"), HELD_BACK); // 16 bytes of head, 5 of words
  assertEquals(take(unit, "SET a"), HELD_BACK); // 12 and 4: 37 in all
  assertEquals(take(unit, "S"), "UnitTooLarge");
  unit.close();
  assertEquals(take(unit, "MULTI"), HELD_BACK);
  assertEquals(take(unit, "SET a 1"), HELD_BACK);
});

Deno.test("an effect told whole makes the frames that one told word by word makes", () => {
  const encoded = (words: readonly string[]) =>
    ascii(`--*${words.length}\r\n` + words.map((w) => `$${w.length}\r\n${w}\r\n`).join(""));
  const tellings = [false, true].map((isWhole) => {
    const stream = new Stream();
    const say = (db: number, ...words: string[]): void => {
      if (!isWhole) return stream.say(db, ...words);
      const src = encoded(words);
      const view = words.length > 2 ? new DataView(src.buffer) : null;
      assertEquals(stream.commit.encoded(db, src, 2, src.length, view), true);
    };
    say(0, "SET", "a", "1");
    say(2, "DEL", "b");
    stream.commit.beginUnit();
    say(2, "SET", "c", "x".repeat(2000));
    stream.commit.endUnit();
    stream.commit.beginUnit();
    say(1, "SET", "d", "4");
    say(1, "SET", "e", "y".repeat(70));
    say(0, "DEL", "f");
    stream.commit.endUnit();
    for (let i = 0; i < 1000; i++) say(0, "SET", `key:${i}`, `${i}`);
    return [stream.read(), stream.sequence.value, stream.backlog.nextOffset];
  });
  assertEquals(tellings[1], tellings[0]);
});
