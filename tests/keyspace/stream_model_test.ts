import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { Int64 } from "../../src/base/int64.ts";
import { defaultCollectionLimits } from "../../src/keyspace/collection_limits.ts";
import { FORM_TABLE } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Streams } from "../../src/keyspace/stream.ts";
import { StreamEntries } from "../../src/keyspace/stream_entries.ts";
import { StreamId } from "../../src/keyspace/stream_id.ts";
import {
  ConsumerReader,
  GroupReader,
  PendingReader,
  StreamReader,
} from "../../src/keyspace/stream_reader.ts";
import { Arena, FrozenMemory, type ReadMemory } from "../../src/memory/arena.ts";
import { Random, testSeed } from "../support/random.ts";

const MiB = 2 ** 20;

interface Pending {
  consumer: string;
  deliveredMs: number;
  deliveries: number;
}

interface Group {
  lastId: string;
  readonly consumers: Set<string>;
  readonly pending: Map<string, Pending>;
}

/** A stream as plain data; IDs are `<ms>-<seq>`, and entries in order. */
class Model {
  readonly entries = new Map<string, string[]>();
  readonly groups = new Map<string, Group>();
  lastId = "0-0";
  maxDeleted = "0-0";
  added = 0;
}

function id(text: string): StreamId {
  const id = new StreamId();
  const bytes = ascii(text);
  assertEquals(id.parse(bytes, 0, bytes.length, false), 1, text);
  return id;
}

/** Arguments as a command has them. */
function pack(words: readonly string[]): [Uint8Array, Int32Array, Int32Array] {
  const bytes = ascii(words.join(""));
  const starts = new Int32Array(words.length);
  const stops = new Int32Array(words.length);
  words.reduce((at, word, i) => {
    starts[i] = at;
    return stops[i] = at + word.length;
  }, 0);
  return [bytes, starts, stops];
}

/** All that readers see of the stream at `root`, times of looking aside. */
function describe(memory: ReadMemory, root: number, isReverse = false): string[] {
  const stream = new StreamReader(memory);
  const entries = new StreamEntries(memory);
  const groups = new GroupReader(memory);
  const consumers = new ConsumerReader(memory);
  const pending = new PendingReader(memory);
  stream.open(root);
  const lines: string[] = [
    `${stream.length} ${stream.lastId} ${stream.maxDeletedId} ${stream.entriesAdded.toNumber()}`,
    `first ${stream.firstId}`,
  ];
  const found: string[] = [];
  entries.rangeAll(root, isReverse);
  while (entries.nextEntry()) {
    const words: string[] = [];
    for (let n = entries.fieldCount; n > 0; n--) {
      entries.readName();
      words.push(latin1(entries.u8, entries.start, entries.stop));
      entries.readValue();
      words.push(latin1(entries.u8, entries.start, entries.stop));
    }
    found.push(`${entries.id} ${words.join(" ")}`);
  }
  lines.push(...(isReverse ? found.reverse() : found));
  for (let is = groups.first(root); is; is = groups.next()) {
    const { name } = groups;
    const read = groups.entriesRead.toNumber();
    lines.push(`group ${latin1(name.u8, name.start, name.stop)} ${groups.lastId} ${read}`);
    for (let is = pending.first(groups.pendingRoot); is; is = pending.next()) {
      pending.readOwner();
      const owner = latin1(pending.owner.u8, pending.owner.start, pending.owner.stop);
      lines.push(`pending ${pending.id} ${owner} ${pending.deliveredMs} ${pending.deliveries}`);
    }
    for (let is = consumers.first(groups.consumersRoot); is; is = consumers.next()) {
      const { name } = consumers;
      const ids: string[] = [];
      for (let is = pending.first(consumers.pendingRoot); is; is = pending.next()) {
        ids.push(`${pending.id}`);
      }
      lines.push(`consumer ${latin1(name.u8, name.start, name.stop)}: ${ids.join(" ")}`);
    }
  }
  return lines;
}

function byId(a: string, b: string): number {
  return id(a).compare(id(b));
}

/** The same of a model. */
function describeModel(model: Model): string[] {
  const lines = [
    `${model.entries.size} ${model.lastId} ${model.maxDeleted} ${model.added}`,
    `first ${model.entries.keys().next().value ?? "0-0"}`,
  ];
  for (const [key, words] of model.entries) lines.push(`${key} ${words.join(" ")}`);
  for (const [name, group] of [...model.groups].sort(([a], [b]) => a < b ? -1 : 1)) {
    lines.push(`group ${name} ${group.lastId} -1`);
    const pending = [...group.pending].sort(([a], [b]) => byId(a, b));
    for (const [key, { consumer, deliveredMs, deliveries }] of pending) {
      lines.push(`pending ${key} ${consumer} ${deliveredMs} ${deliveries}`);
    }
    for (const consumer of [...group.consumers].sort()) {
      const own = pending.filter(([, entry]) => entry.consumer === consumer).map(([key]) => key);
      lines.push(`consumer ${consumer}: ${own.join(" ")}`);
    }
  }
  return lines;
}

/** Edits a stream and its model alike. */
class Twin {
  readonly streams: Streams;
  readonly model = new Model();
  readonly #keys: Keyspace;
  readonly #random: Random;
  #ms = 0;
  #seq = 0;
  root: number;

  constructor(keys: Keyspace, random: Random) {
    this.streams = new Streams(keys);
    this.#keys = keys;
    this.#random = random;
    this.streams.begin();
    this.root = this.streams.root;
  }

  #someId(): string {
    const ids = [...this.model.entries.keys()];
    return ids.length > 0 && this.#random.next() < 0.9
      ? this.#random.pick(ids)
      : `${this.#random.below(this.#ms + 2)}-${this.#random.below(5)}`;
  }

  #groupName(): string {
    return this.#random.pick(["g", "group", "group two", "groupie"]);
  }

  #consumerName(): string {
    return this.#random.pick(["c", "consumer one", "consumer two", "consume"]);
  }

  #add(): void {
    const random = this.#random;
    if (random.next() < 0.7) this.#seq++;
    else {
      this.#ms += random.pick([1, 1, 300, 5_000_000_000]);
      this.#seq = random.below(3);
    }
    const dice = random.next();
    const length = dice < 0.97 ? random.below(40) : dice < 0.995 ? random.below(3_000) : 90_000;
    const value = "x".repeat(length);
    const words = random.next() < 0.7
      ? ["field", value, "n", `${random.below(1e6)}`]
      : [random.pick(["field", "other"]), value];
    if (this.#ms === 0 && this.#seq === 0) this.#seq = 1;
    const key = `${this.#ms}-${this.#seq}`;
    this.streams.append(id(key), ...pack(words), 0, words.length);
    this.model.entries.set(key, words);
    this.model.lastId = key;
    this.model.added++;
  }

  #remove(): void {
    const key = this.#someId();
    assertEquals(
      this.streams.remove(id(key)),
      this.model.entries.delete(key) && this.#tombstone(key),
    );
  }

  #tombstone(key: string): boolean {
    if (byId(key, this.model.maxDeleted) > 0) this.model.maxDeleted = key;
    return true;
  }

  #trim(): void {
    const { entries } = this.model;
    const ids = [...entries.keys()];
    const random = this.#random;
    const whole = random.next() < 0.5;
    let expected: number;
    let removed: number;
    if (random.next() < 0.5) {
      const most = Math.max(0, ids.length - random.below(60));
      removed = this.streams.trimToLength(most, whole, 0);
      expected = ids.length - most;
    } else {
      const least = this.#someId();
      removed = this.streams.trimBelow(id(least), whole, 0);
      expected = ids.filter((key) => byId(key, least) < 0).length;
    }
    assertEquals(whole ? removed <= expected : removed === expected, true, "entries trimmed");
    for (const key of ids.slice(0, removed)) entries.delete(key);
  }

  #editGroup(): void {
    const random = this.#random;
    const { groups } = this.streams;
    const name = this.#groupName();
    const bytes = ascii(name);
    const group = this.model.groups.get(name);
    assertEquals(groups.find(bytes, 0, bytes.length), group !== undefined);
    if (group === undefined) {
      const unknown = new Int64();
      unknown.set(-1);
      groups.create(bytes, 0, bytes.length, id("0-0"), unknown);
      this.model.groups.set(name, { lastId: "0-0", consumers: new Set(), pending: new Map() });
      return;
    }
    if (random.next() < 0.01) {
      this.#keys.takeApart(groups.destroy());
      this.model.groups.delete(name);
      return;
    }
    const consumer = this.#consumerName();
    const named = ascii(consumer);
    const isThere = groups.findConsumer(named, 0, named.length);
    assertEquals(isThere, group.consumers.has(consumer));
    if (!isThere) {
      assertEquals(groups.createConsumer(named, 0, named.length, 1, -1), true);
      group.consumers.add(consumer);
      return;
    }
    if (random.next() < 0.02) {
      const own = [...group.pending].filter(([, entry]) => entry.consumer === consumer);
      assertEquals(groups.deleteConsumer(), own.length);
      for (const [key] of own) group.pending.delete(key);
      group.consumers.delete(consumer);
      return;
    }
    for (let n = random.below(8); n >= 0; n--) this.#editPending(group, consumer);
  }

  #editPending(group: Group, consumer: string): void {
    const random = this.#random;
    const { groups } = this.streams;
    const key = this.#someId();
    const had = group.pending.get(key);
    const dice = random.next();
    assertEquals(groups.findPending(id(key)), had !== undefined);
    if (had === undefined) {
      groups.addPending(id(key), 5, 1);
      groups.give();
      group.pending.set(key, { consumer, deliveredMs: 5, deliveries: 1 });
    } else if (dice < 0.5) {
      groups.removePending();
      group.pending.delete(key);
    } else if (dice < 0.75) {
      groups.setDelivery(9, had.deliveries + 1);
      groups.give();
      group.pending.set(key, { consumer, deliveredMs: 9, deliveries: had.deliveries + 1 });
    } else {
      groups.setActive(random.below(100));
      groups.setLastId(id(key));
      group.lastId = key;
    }
  }

  step(): void {
    const dice = this.#random.below(100);
    this.streams.open(FORM_TABLE, this.root);
    if (dice < 55) this.#add();
    else if (dice < 65) this.#remove();
    else if (dice < 67) this.#trim();
    else this.#editGroup();
    this.root = this.streams.root;
  }
}

function freed(keys: Keyspace): number {
  while (keys.reclaim());
  while (keys.arena.sweepDeferred(1 << 20));
  return keys.arena.usedBytes;
}

Deno.test("streams answer like plain data over random edits, frozen views included", () => {
  const seed = testSeed(20261128);
  const random = new Random(seed);
  const arena = new Arena(256 * MiB);
  const keys = new Keyspace(arena, 1, { k0: seed, k1: 1 }, {
    ...defaultCollectionLimits(),
    streamNodeMaxEntries: 20,
    streamNodeMaxBytes: 2_000,
  });
  const before = arena.usedBytes;
  const twin = new Twin(keys, random);
  const frozen = new FrozenMemory(arena.memory);
  let view: { root: number; lines: string[] } | null = null;
  let views = 0;
  for (let step = 0; step < 40_000; step++) {
    twin.step();
    if (random.below(4) === 0) keys.reclaim();
    const context = `seed ${seed} step ${step}`;
    if (step % 1_000 === 999) {
      const lines = describeModel(twin.model);
      assertEquals(describe(arena, twin.root), lines, context);
      assertEquals(describe(arena, twin.root, true), lines, `${context}, backwards`);
    }
    if (view === null && random.below(300) === 0) {
      view = { root: twin.root, lines: describe(arena, twin.root) };
      keys.freeze();
    } else if (view !== null && random.below(300) === 0) {
      assertEquals(describe(frozen, view.root), view.lines, `${context}: the frozen view`);
      keys.thaw();
      view = null;
      views++;
      const bytes = freed(keys) - before;
      assertEquals(twin.streams.memoryBytes(FORM_TABLE, twin.root), bytes, `${context}: bytes`);
    }
  }
  if (view !== null) keys.thaw();
  assertEquals(views > 30, true, `views checked: ${views}`);

  // A copy has the same content and a life of its own.
  const lines = describe(arena, twin.root);
  const copy = twin.streams.copy(FORM_TABLE, twin.root);
  assertEquals(describe(arena, copy), lines);
  const grave = twin.streams.bury(FORM_TABLE, twin.root);
  while (!grave.step());
  assertEquals(describe(arena, copy), lines);
  assertEquals(freed(keys) - before, twin.streams.memoryBytes(FORM_TABLE, copy));
  // Buried while a view reads it, it stays for the view.
  keys.freeze();
  const buried = twin.streams.bury(FORM_TABLE, copy);
  while (!buried.step());
  assertEquals(describe(frozen, copy), lines);
  keys.thaw();
  assertEquals(freed(keys), before, "every block is back");
});
