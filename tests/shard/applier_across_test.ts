import { assert, assertEquals } from "@std/assert";
import { BIT_COMMANDS } from "../../src/commands/bits.ts";
import { HYPERLOGLOG_COMMANDS } from "../../src/commands/hyperloglog.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { SORT_COMMANDS } from "../../src/commands/sort.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { Applier, type FramePlace } from "../../src/shard/applier.ts";
import { Shell } from "../support/shell.ts";

/** Applies the frames of an upstream's shard to a shell's shards; bytes as latin-1. */
function applyAll(shell: Shell, frames: readonly string[], shard = 0, shards = 1): void {
  const applier = new Applier(shell.table);
  const place: FramePlace = { shard, shards, db: 0, lenient: false };
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

Deno.test("PFMERGE of an upstream with fewer shards does so too, and PFCOUNT is applied", () => {
  const shell = new Shell([...STRING_COMMANDS, ...HYPERLOGLOG_COMMANDS], { shards: 4 });
  const frames = ["PFADD a x y", "PFADD b y z", "PFMERGE d a b", "PFMERGE d", "PFCOUNT d"];
  applyAll(shell, ["PFADD c x y z", "PFCOUNT c", ...frames]);
  const merged = shell.run("GET", "d").split("\r\n").slice(1).join("\r\n").slice(0, -2);
  assertEquals(shell.run("GET", "d"), shell.run("GET", "c"));
  const stale = merged.slice(0, 8) + "\0".repeat(7) + "\x80" + merged.slice(16);
  const told = ["PFADD c x y z", "PFCOUNT c", ...frames].map((frame) =>
    frame === "PFMERGE d a b" ? `0: SET d ${stale} KEEPTTL` : `0: ${frame}`
  );
  assertEquals(shell.heard().sort(), told.sort());
});

Deno.test("SWAPDB of a shard whose slots lie on several of ours swaps its keys alone", () => {
  const shell = new Shell([...STRING_COMMANDS, ...KEY_COMMANDS], { shards: 2 });
  const keys = Array.from({ length: 60 }, (_, i) => `k${i}`);
  applyAll(shell, ["SELECT 1", ...keys.map((key) => `SET ${key} one`), "SELECT 2", "SET k0 two"]);
  applyAll(shell, ["SWAPDB 1 1", "SWAPDB 2 2"], 1, 3);
  const get = (db: number, key: string) => {
    shell.session.db = db;
    return shell.run("GET", key).split("\r\n")[1];
  };
  assertEquals(keys.filter((key) => get(1, key) === "one").length, 60);
  assertEquals(get(2, "k0"), "two");
  applyAll(shell, ["SWAPDB 1 2"], 1, 3);
  const moved = keys.filter((key) => get(2, key) === "one");
  assert(moved.length > 10 && moved.length < 30, `${moved.length}`);
  for (const key of keys) assertEquals(get(1, key) === "one", !moved.includes(key), key);
});

Deno.test("what is made of sets is told itself when a key of another shard was read, even for nothing", () => {
  const shell = new Shell(SET_TYPE_COMMANDS, { shards: 4 });
  const shardOf = (key: string) => {
    const buf = Uint8Array.from(key, (c) => c.charCodeAt(0));
    return shell.call.node.shardOf(buf, 0, buf.length);
  };
  const names = Array.from({ length: 40 }, (_, i) => `k${i}`);
  const [source, target] = names.filter((name) => shardOf(name) === shardOf(names[0]));
  const away = names.find((name) => shardOf(name) !== shardOf(source))!;
  applyAll(shell, [`SADD ${source} m`]);
  shell.heard();
  // Who follows us hears of each shard by itself: there may be anything under the other key by then.
  for (const name of ["SUNIONSTORE", "SDIFFSTORE"]) {
    applyAll(shell, [`${name} ${target} ${source} ${away}`]);
    assertEquals(shell.heard().map((text) => text.slice(3)), [`DEL ${target}`, `SADD ${target} m`]);
    applyAll(shell, [`${name} ${target} ${source}`]);
    assertEquals(shell.heard().map((text) => text.slice(3)), [`${name} ${target} ${source}`]);
  }
});

Deno.test("SORT of an upstream with fewer shards finds what its patterns name on any shard of ours", () => {
  const commands = [...STRING_COMMANDS, ...LIST_COMMANDS, ...SORT_COMMANDS];
  const shell = new Shell(commands, { shards: 4 });
  const names = Array.from({ length: 12 }, (_, i) => `${i}`);
  applyAll(shell, names.flatMap((name) => [`SET w${name} -${name}`, `RPUSH names ${name}`]));
  shell.heard();
  const told = names.toReversed().map((name) => `${name} -${name}`).join(" ");
  // Of six names some lie with the list that is sorted, and some do not.
  for (const target of ["a", "b", "c", "d", "e", "f"]) {
    applyAll(shell, [`SORT names BY w* GET # GET w* STORE ${target}`]);
    assertEquals(shell.heard().map((text) => text.slice(3)), [`RPUSH ${target} ${told}`]);
    applyAll(shell, [`SORT nothing BY w* STORE ${target}`]);
    assertEquals(shell.heard().map((text) => text.slice(3)), [`DEL ${target}`]);
  }
});
