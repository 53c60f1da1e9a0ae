import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { NO_DATABASE } from "../../src/commands/effect.ts";
import { Backlog } from "../../src/replication/backlog.ts";
import { Commit, type FrameLog, NodeSequence } from "../../src/shard/commit.ts";
import { multibulk } from "../resp/support.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = 20_261_128;
const DATABASES = 3;

/** A commit with a backlog and an append-only file, which remembers what it got. */
class Kept implements FrameLog {
  readonly sequence = new NodeSequence();
  readonly commit = new Commit(this.sequence, true);
  readonly backlog = new Backlog({ limitBytes: 100_000, firstOffset: 0 });
  /** What the file got. */
  readonly entries: string[] = [];

  constructor() {
    this.commit.log = this;
    this.commit.attach(this.backlog, 0);
  }

  frame(buf: Uint8Array, view: DataView | null, start: number, stop: number): void {
    this.entries.push(latin1(buf, start, stop));
    assertEquals(view?.byteOffset ?? buf.byteOffset, buf.byteOffset);
    assertEquals(view?.buffer ?? buf.buffer, buf.buffer);
  }

  lateFrame(buf: Uint8Array, view: DataView | null, start: number, stop: number): void {
    this.frame(buf, view, start, stop);
  }

  settle(): void {}

  message(buf: Uint8Array, _view: DataView | null, start: number, stop: number): void {
    this.entries.push("message " + latin1(buf, start, stop));
  }

  replaced(): void {}

  get place(): unknown[] {
    const { sequence, commit, backlog, entries } = this;
    const { value, writes } = sequence;
    return [value, writes, commit.messages, commit.database, backlog.nextOffset, entries];
  }
}

function encoded(words: readonly string[]): Uint8Array<ArrayBuffer> {
  return ascii(multibulk(...words));
}

function say(commit: Commit, db: number, words: readonly string[], isMessage: boolean): void {
  const [name, ...args] = words.map(ascii);
  commit.begin(db, name, args.length, args.reduce((n, arg) => n + arg.length, 0));
  for (const arg of args) commit.arg(arg, 0, arg.length);
  if (isMessage) commit.endMessage();
  else commit.end();
}

Deno.test("a file gets the same frames whether the backlog holds them or not", () => {
  for (let round = 0; round < 20; round++) {
    const seed = testSeed(SEED) + round;
    const rnd = new Random(seed);
    const held = new Kept();
    const sometimes = new Kept();
    const both = (act: (commit: Commit) => void) => {
      act(held.commit);
      act(sometimes.commit);
    };
    for (let step = 0; step < 1500; step++) {
      const db = rnd.below(8) === 0 ? rnd.below(DATABASES) : 0;
      const words = ["SET", "k" + step, "v".repeat(rnd.below(300))];
      const isViewed = rnd.below(2) === 0;
      const dice = rnd.below(20);
      if (dice === 0 && !held.commit.inUnit) both((commit) => commit.beginUnit());
      else if (dice === 1 && held.commit.inUnit) both((commit) => commit.endUnit());
      else if (dice === 2) both((commit) => commit.restateDatabase());
      else if (dice < 6) both((commit) => say(commit, db, words, false));
      else if (dice === 6) both((commit) => say(commit, NO_DATABASE, ["PUBLISH", "c", "m"], true));
      else if (dice === 7 && sometimes.backlog.isHolding) sometimes.backlog.holdNothing();
      else if (dice === 8) sometimes.backlog.hold();
      else {
        const bytes = encoded(words);
        const view = isViewed ? new DataView(bytes.buffer) : null;
        both((commit) => commit.encoded(db, bytes, 0, bytes.length, view));
      }
      assertEquals(sometimes.place.slice(0, -1), held.place.slice(0, -1), `seed ${seed}`);
      assertEquals(sometimes.entries.length, held.entries.length, `seed ${seed}`);
      assertEquals(sometimes.entries.at(-1), held.entries.at(-1), `seed ${seed}`);
    }
    assertEquals(sometimes.entries, held.entries, `seed ${seed}`);
  }
});

Deno.test("a frame that is encoded already is written nowhere but to the file when nothing is held", () => {
  const kept = new Kept();
  kept.backlog.holdNothing();
  const bytes = encoded(["SET", "k", "v"]);
  for (let i = 0; i < 1000; i++) {
    kept.commit.encoded(0, bytes, 0, bytes.length, new DataView(bytes.buffer));
  }
  assertEquals([kept.entries.length, kept.backlog.nextOffset], [1000, 1000]);
  assertEquals(kept.backlog.memoryBytes, 0);
});
