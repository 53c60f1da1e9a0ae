import { assertEquals } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { NO_DEADLINE } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Watcher } from "../../src/keyspace/watches.ts";
import { Arena } from "../../src/memory/arena.ts";

const NOW = 1_700_000_000_000;

class Keys {
  readonly keys = new Keyspace(new Arena(16 * 2 ** 20), 4, { k0: 7, k1: 11 });

  constructor() {
    this.keys.nowMs = NOW;
  }

  watch(key: string, db = 0, watcher = new Watcher()): Watcher {
    const bytes = ascii(key);
    this.keys.watch(watcher, db, bytes, 0, bytes.length);
    return watcher;
  }

  set(key: string, value = "v", deadline: number = NO_DEADLINE, db = 0): number {
    const k = ascii(key);
    const v = ascii(value);
    const a = this.keys.lookupWrite(db, k, 0, k.length);
    return this.keys.storeString(db, a, k, 0, k.length, v, 0, v.length, deadline);
  }

  find(key: string, db = 0): number {
    const k = ascii(key);
    return this.keys.peek(db, k, 0, k.length);
  }
}

/** What is done to the watched key `k`, which holds a string, and whether that is a change. */
const CHANGES: readonly (readonly [name: string, act: (all: Keys) => void, touches: boolean])[] = [
  ["a store", (all) => all.set("k"), true],
  ["a longer store", (all) => all.set("k", "v".repeat(5000)), true],
  ["a store of another key", (all) => all.set("kk"), false],
  ["a store in another database", (all) => all.set("k", "v", NO_DEADLINE, 1), false],
  ["a read", ({ keys }) => keys.lookup(0, ascii("k"), 0, 1), false],
  ["a removal", (all) => all.keys.remove(0, all.find("k")), true],
  ["an append", (all) => all.keys.writeString(0, all.find("k"), 1, ascii("w"), 0, 1), true],
  ["a deadline", (all) => all.keys.setDeadline(0, all.find("k"), NOW + 5), true],
  ["no deadline, where none was", (all) => {
    all.keys.setDeadline(0, all.find("k"), NO_DEADLINE);
  }, false],
  ["moving it away", (all) => all.keys.move(0, all.find("k"), 1, ascii("k"), 0, 1), true],
  ["moving another key here", (all) => {
    all.keys.move(0, all.set("other"), 0, ascii("k"), 0, 1);
  }, true],
  ["copying it", (all) => all.keys.copy(all.find("k"), 0, ascii("other"), 0, 5), false],
  ["copying here", (all) => all.keys.copy(all.set("other"), 0, ascii("k"), 0, 1), true],
  ["an edit in place", (all) => all.keys.noteChange(0, all.find("k")), true],
  ["emptying its database", ({ keys }) => keys.flush(0), true],
  ["emptying another database", ({ keys }) => keys.flush(1), false],
  ["swapping its database", ({ keys }) => keys.swap(2, 0), true],
  ["swapping others", ({ keys }) => keys.swap(1, 2), false],
  ["swapping it with itself", ({ keys }) => keys.swap(0, 0), false],
  ["a snapshot in its place", ({ keys }) => keys.adopt(keys.fork()), true],
];

for (const [name, act, touches] of CHANGES) {
  Deno.test(`${name} ${touches ? "touches" : "does not touch"} a watched key`, () => {
    const all = new Keys();
    all.set("k");
    const [one, other] = [all.watch("k"), all.watch("k")];
    act(all);
    assertEquals([one.hasChanged(), other.hasChanged()], [touches, touches]);
    assertEquals(all.keys.watched, touches ? 0 : 2);
    one.clear();
    other.clear();
    assertEquals([all.keys.watched, one.bytes, one.hasChanged()], [0, 0, false]);
  });
}

Deno.test("a missing key is touched when it comes, not when nothing is emptied or swapped", () => {
  const all = new Keys();
  all.set("other");
  const watcher = all.watch("k");
  all.keys.flush(0);
  all.keys.swap(0, 1);
  assertEquals(watcher.hasChanged(), false);
  all.set("k");
  assertEquals(watcher.hasChanged(), true);
});

Deno.test("a key watched twice is one watch; in two databases it is two", () => {
  const all = new Keys();
  const watcher = all.watch("k");
  all.watch("k", 0, watcher);
  assertEquals(watcher.size, 1);
  all.watch("k", 1, watcher);
  assertEquals([watcher.size, all.keys.watched], [2, 2]);
  watcher.clear();
  assertEquals([watcher.size, all.keys.watched], [0, 0]);
});

Deno.test("a key that passes its deadline after it was watched has changed, removed or not", () => {
  const all = new Keys();
  all.set("k", "v", NOW + 10);
  all.set("l", "v", NOW + 10);
  const [kept, removed] = [all.watch("k"), all.watch("l")];
  assertEquals(kept.hasChanged(), false);
  all.keys.nowMs = NOW + 10;
  all.keys.lookup(0, ascii("l"), 0, 1);
  assertEquals([kept.isTouched, kept.hasChanged(), removed.isTouched], [false, true, true]);
});

Deno.test("a key past its deadline when watched is missing: its removal is no change, a store is", () => {
  const removals: readonly ((all: Keys) => void)[] = [
    (all) => all.keys.lookup(0, ascii("k"), 0, 1),
    (all) => all.keys.flush(0),
    (all) => all.keys.expireStep(),
    (all) => all.keys.swap(0, 1),
    () => {},
  ];
  for (const [i, remove] of removals.entries()) {
    const all = new Keys();
    all.set("k", "v", NOW + 10);
    all.keys.nowMs = NOW + 10;
    const watcher = all.watch("k");
    remove(all);
    assertEquals(watcher.hasChanged(), false, `removal ${i}`);
    all.set("k");
    assertEquals(watcher.hasChanged(), true, `removal ${i}`);
  }
});

Deno.test("a swap that brings a key past its deadline where there was none is no change", () => {
  const all = new Keys();
  all.set("k", "v", NOW + 10, 1);
  all.keys.nowMs = NOW + 10;
  const watcher = all.watch("k");
  all.keys.swap(0, 1);
  assertEquals(watcher.hasChanged(), false);
  all.keys.swap(0, 1);
  all.set("k", "v", NO_DEADLINE, 1);
  all.keys.swap(1, 0);
  assertEquals(watcher.hasChanged(), true);
});
