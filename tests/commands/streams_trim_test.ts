import { assert, assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { DUMP_COMMANDS } from "../../src/commands/dump.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { StreamEntries } from "../../src/keyspace/stream_entries.ts";
import { StreamReader } from "../../src/keyspace/stream_reader.ts";
import { FrozenMemory, type ReadMemory } from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STREAM_COMMANDS, ...KEY_COMMANDS, ...DUMP_COMMANDS];

/** An entry as a number: milliseconds times 100 and the sequence number. */
type Id = number;

function text(id: Id): string {
  return `${Math.floor(id / 100)}-${id % 100}`;
}

/** Runs a line whose words are parted by spaces. */
function say(shell: Shell, line: string): string {
  return shell.run(...line.split(" "));
}

/** The IDs of a reply with entries, whose only field and value are `f` and `v`. */
function idsOf(reply: string): string[] {
  return reply.split("\r\n").filter((line) => /^\d+-\d+$/.test(line));
}

/** The IDs of the stream at `root` as readers of snapshots and of commands find them. */
function idsAt(memory: ReadMemory, root: number): string[] {
  const entries = new StreamEntries(memory);
  const stream = new StreamReader(memory);
  const found: string[] = [];
  const byNode: string[] = [];
  entries.rangeAll(root, false);
  while (entries.nextEntry()) found.push(`${entries.id}`);
  stream.open(root);
  for (let is = stream.firstNode(); is; is = stream.nextNode()) {
    const { node } = stream;
    for (let is = node.first(); is; is = node.next()) {
      if (!node.isDeleted) byNode.push(`${node.id}`);
    }
  }
  assertEquals(byNode, found);
  return found;
}

/** Edits one stream and a plain array alike. */
class Twin {
  entries: Id[] = [];
  /** How often nodes went and no entry. */
  uncounted = 0;
  /** Where in the test this is, for what fails. */
  context = "";
  readonly #shell: Shell;
  readonly #random: Random;
  readonly #key: string;
  /** Whether the last ID is sometimes set below entries that were deleted. */
  readonly #lowers: boolean;
  #last: Id = 0;
  #deleted: Id = 1;

  constructor(shell: Shell, random: Random, key: string, lowers: boolean) {
    this.#shell = shell;
    this.#random = random;
    this.#key = key;
    this.#lowers = lowers;
  }

  #nodes(): number {
    const stream = new StreamReader(this.#shell.keys[0].arena);
    stream.open(this.root());
    stream.countNodes();
    return stream.nodeCount;
  }

  root(): number {
    const [keys] = this.#shell.keys;
    const bytes = ascii(this.#key);
    const a = keys.peek(0, bytes, 0, bytes.length);
    return a === 0 ? 0 : keys.valueRoot(a);
  }

  /** An ID near the first entries, which are those that trimming is about, or the last deleted one. */
  #someId(): Id {
    const { entries } = this;
    if (this.#random.next() < 0.4) return this.#deleted;
    if (entries.length === 0) return this.#random.below(this.#last + 200);
    const at = Math.min(this.#random.below(8), this.#random.below(entries.length));
    return entries[at] + this.#random.pick([0, 0, 1, 100]);
  }

  /** Words that say how to trim, and how many entries must go at most; exactly so many without `~`. */
  #trimming(): { words: string; most: number; isExact: boolean } {
    const random = this.#random;
    const { length } = this.entries;
    const isExact = random.next() < 0.6;
    const limit = !isExact && random.next() < 0.5 ? ` LIMIT ${random.below(8)}` : "";
    const sign = isExact ? random.pick([" ", " = "]) : " ~ ";
    if (random.next() < 0.4) {
      // Seldom nearly all, so that the tree of nodes loses its upper level.
      const kept = Math.max(
        0,
        random.next() < 0.05 ? Math.min(length, random.below(20)) : length - random.below(8),
      );
      return { words: `MAXLEN${sign}${kept}${limit}`, most: length - kept, isExact };
    }
    const least = this.#someId();
    const most = this.entries.filter((id) => id < least).length;
    // An entry that was deleted from behind `least` may hide entries before it, as it does in Redis.
    return { words: `MINID${sign}${text(least)}${limit}`, most, isExact: isExact && !this.#lowers };
  }

  #cut(removed: number, most: number, isExact: boolean, line: string): void {
    assert(
      isExact ? removed === most : removed >= 0 && removed <= most,
      `${this.context}: ${line}: ${removed}`,
    );
    this.entries.splice(0, removed);
  }

  #add(): void {
    const id = this.#last + this.#random.pick([1, 1, 3, 100, 250]);
    this.#last = id;
    if (this.#random.next() < 0.9) {
      say(this.#shell, `XADD ${this.#key} ${text(id)} f v`);
      this.entries.push(id);
      return;
    }
    this.entries.push(id);
    const { words, most, isExact } = this.#trimming();
    const line = `XADD ${this.#key} ${words} ${text(id)} f v`;
    assertEquals(idsOf(say(this.#shell, line)), [text(id)], line);
    const left = Number(say(this.#shell, `XLEN ${this.#key}`).slice(1));
    this.#cut(this.entries.length - left, most, isExact, line);
  }

  #trim(): void {
    const { words, most, isExact } = this.#trimming();
    this.#trimBy(words, most, isExact);
  }

  #trimBy(words: string, most: number, isExact: boolean): void {
    const line = `XTRIM ${this.#key} ${words}`;
    const nodes = this.#nodes();
    const removed = Number(say(this.#shell, line).slice(1));
    if (removed === 0 && this.#nodes() < nodes) this.uncounted++;
    this.#cut(removed, most, isExact, line);
  }

  #delete(): void {
    const { entries } = this;
    const at = Math.min(this.#random.below(8), this.#random.below(entries.length));
    const id = entries[at];
    assertEquals(say(this.#shell, `XDEL ${this.#key} ${text(id)}`), ":1\r\n");
    entries.splice(at, 1);
    this.#deleted = id;
    // If it was the last of the first node, that is left without live entries, and then goes.
    if (this.#random.next() < 0.5) return;
    this.#trimBelow(id);
    if (this.#random.next() < 0.5) this.#trimBelow(id + 1);
  }

  #trimBelow(least: Id): void {
    const most = this.entries.filter((id) => id < least).length;
    this.#trimBy(`MINID ${text(least)}`, most, !this.#lowers);
  }

  #lower(): void {
    const { entries } = this;
    for (let n = this.#random.below(4); n > 0 && entries.length > 0; n--) {
      say(this.#shell, `XDEL ${this.#key} ${text(entries.pop()!)}`);
    }
    const least = entries.length > 0 ? entries[entries.length - 1] : 1;
    if (this.#last <= least) return;
    const id = least + this.#random.below(this.#last - least);
    // The greatest ID that was deleted is forgotten, or it would be the least that is allowed.
    say(this.#shell, `XSETID ${this.#key} ${text(this.#last)} MAXDELETEDID 0-1`);
    assertEquals(say(this.#shell, `XSETID ${this.#key} ${text(id)}`), "+OK\r\n");
    this.#last = id;
  }

  step(): void {
    const dice = this.#random.below(100);
    if (dice === 0) { for (let n = 200; n > 0; n--) this.#add(); }
    else if (this.root() === 0 || dice < 40) this.#add();
    else if (dice < 70) this.#trim();
    else if (dice < 95 && this.entries.length > 0) this.#delete();
    else if (this.#lowers) this.#lower();
  }

  /** All that XINFO STREAM tells but the nodes, which may be fewer after a restore. */
  #facts(): string {
    const info = say(this.#shell, `XINFO STREAM ${this.#key}`);
    return info.replace(/radix-tree-(keys|nodes)\r\n:\d+/g, "");
  }

  /** Puts a copy of the stream, or what a snapshot has of it, in its place. */
  replace(): void {
    const shell = this.#shell;
    const key = this.#key;
    const facts = this.#facts();
    if (this.#random.next() < 0.5) {
      const dump = say(shell, `DUMP ${key}`);
      const payload = dump.slice(dump.indexOf("\n") + 1, -2);
      const bytes = Uint8Array.from(payload, (c) => c.charCodeAt(0));
      assertEquals(shell.run("RESTORE", key, "0", bytes, "REPLACE"), "+OK\r\n", this.context);
    } else {
      assertEquals(say(shell, `COPY ${key} copy`), ":1\r\n");
      say(shell, `RENAME copy ${key}`);
    }
    assertEquals(this.#facts(), facts, this.context);
  }

  /** Whether the stream is what the array is, whoever asks. */
  check(context: string): void {
    const [keys] = this.#shell.keys;
    const ids = this.entries.map(text);
    const key = this.#key;
    assertEquals(say(this.#shell, `XLEN ${key}`), `:${ids.length}\r\n`, context);
    assertEquals(idsAt(keys.arena, this.root()), ids, context);
    assertEquals(idsOf(say(this.#shell, `XREVRANGE ${key} + -`)), ids.toReversed(), context);
    const from = this.#someId();
    const to = this.#someId() + 300;
    const within = this.entries.filter((id) => id >= from && id <= to).map(text);
    const range = `${text(from)} ${text(to)}`;
    assertEquals(idsOf(say(this.#shell, `XRANGE ${key} ${range}`)), within, context);
    const back = `${text(to)} ${text(from)}`;
    const reversed = idsOf(say(this.#shell, `XREVRANGE ${key} ${back}`));
    assertEquals(reversed, within.toReversed(), context);
    for (const id of ids.slice(0, 10)) {
      assertEquals(idsOf(say(this.#shell, `XRANGE ${key} ${id} ${id}`)), [id], context);
    }
    const info = say(this.#shell, `XINFO STREAM ${key}`);
    const first = /recorded-first-entry-id\r\n\$\d+\r\n([\d-]+)/.exec(info)?.[1];
    assertEquals(first, ids[0] ?? "0-0", context);
  }
}

function freed(shell: Shell): number {
  const [keys] = shell.keys;
  while (keys.reclaim());
  while (keys.arena.sweepDeferred(1 << 20));
  return keys.arena.usedBytes;
}

function compareWithArrays(lowers: boolean): void {
  const seed = testSeed(20261129);
  let uncounted = 0;
  for (const nodeEntries of [1, 2, 3, 7]) {
    const random = new Random(seed + nodeEntries);
    const shell = new Shell(SPECS);
    const [keys] = shell.keys;
    keys.limits.streamNodeMaxEntries = nodeEntries;
    const names = ["s", "t"];
    for (const key of names) say(shell, `XADD ${key} 0-1 f v`);
    for (const key of names) say(shell, `DEL ${key}`);
    const before = freed(shell);
    const twins = names.map((key) => new Twin(shell, random, key, lowers));
    const frozen = new FrozenMemory(keys.arena.memory);
    let views: { root: number; ids: string[] }[] | null = null;
    for (let step = 0; step < 2_000; step++) {
      const context = `seed ${seed}, nodes of ${nodeEntries}, step ${step}`;
      const twin = random.pick(twins);
      twin.context = context;
      twin.step();
      if (twin.root() !== 0 && (twin.entries.length < 40 || step % 20 === 0)) twin.check(context);
      if (twin.root() !== 0 && random.below(50) === 0) twin.replace();
      shell.heard();
      if (random.below(10) > 0) continue;
      if (views === null) {
        views = twins.filter((twin) => twin.root() !== 0)
          .map((twin) => ({ root: twin.root(), ids: twin.entries.map(text) }));
        keys.freeze();
      } else {
        for (const { root, ids } of views) assertEquals(idsAt(frozen, root), ids, context);
        keys.thaw();
        freed(shell);
        views = null;
      }
    }
    if (views !== null) keys.thaw();
    uncounted += twins.reduce((sum, twin) => sum + twin.uncounted, 0);
    for (const key of names) say(shell, `DEL ${key}`);
    assertEquals(
      freed(shell),
      before,
      `seed ${seed}, nodes of ${nodeEntries}: every block is back`,
    );
  }
  assert(uncounted > 20, `seed ${seed}: only ${uncounted} nodes without live entries went`);
}

Deno.test("streams that are trimmed over nodes without live entries are like plain arrays", () => {
  compareWithArrays(false);
});

Deno.test("so are streams whose last ID was set below entries that are deleted", () => {
  compareWithArrays(true);
});

Deno.test("XTRIM that removes a node without live entries counts none, and the rest is there", () => {
  for (const isFrozen of [false, true]) {
    const shell = new Shell(SPECS);
    const [keys] = shell.keys;
    keys.limits.streamNodeMaxEntries = 3;
    // So many nodes that their tree has two levels until the first are gone.
    for (let i = 1; i <= 192; i++) say(shell, `XADD s ${i}-1 f v`);
    assertEquals(say(shell, "XTRIM s MINID 187-1"), ":186\r\n");
    assertEquals(say(shell, "XDEL s 189-1"), ":1\r\n");
    assertEquals(say(shell, "XTRIM s MINID 189-1"), ":2\r\n");
    shell.heard();
    if (isFrozen) keys.freeze();
    assertEquals(say(shell, "XTRIM s MINID 190-1"), ":0\r\n");
    assertEquals(shell.heard(), []);
    if (isFrozen) keys.thaw();
    freed(shell);
    say(shell, `XADD q 1-1 f ${"v".repeat(300)}`);
    say(shell, `XADD q 2-1 f ${"v".repeat(300)}`);
    assertEquals(idsOf(say(shell, "XRANGE s - +")), ["190-1", "191-1", "192-1"]);
    assertEquals(say(shell, "XLEN s"), ":3\r\n");
  }
});
