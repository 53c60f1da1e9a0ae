import { assert, assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { KeyspaceEvents } from "../../src/commands/keyspace_events.ts";
import { STREAM_COMMANDS } from "../../src/commands/streams.ts";
import { StreamReader } from "../../src/keyspace/stream_reader.ts";
import { Random, testSeed } from "../support/random.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STREAM_COMMANDS, ...KEY_COMMANDS, ...OBJECT_COMMANDS];
const OOM = "-OOM command not allowed when used memory > 'maxmemory'.\r\n";
const NOW = 1_700_000_000_000;

/** Runs a line whose words are parted by spaces. */
function say(shell: Shell, line: string): string {
  return shell.run(...line.split(" "));
}

/** The bulks of a reply, in order. */
function bulks(reply: string): string[] {
  const lines = reply.split("\r\n");
  return lines.filter((_, i) => i > 0 && /^\$\d/.test(lines[i - 1]));
}

function bulk(text: string): string {
  return `$${text.length}\r\n${text}\r\n`;
}

/** Listpacks of a stream's nodes, as latin-1. */
function nodes(shell: Shell, key: string): string[] {
  const [keys] = shell.keys;
  const bytes = ascii(key);
  const reader = new StreamReader(keys.arena);
  const a = keys.peek(0, bytes, 0, bytes.length);
  const found: string[] = [];
  if (a === 0) return found;
  reader.open(keys.valueRoot(a));
  for (let is = reader.firstNode(); is; is = reader.nextNode()) {
    const { buf, base, byteLength, masterId } = reader.node;
    found.push(`${masterId} ${latin1(buf, base, base + byteLength)}`);
  }
  return found;
}

Deno.test("XADD * takes the time, and counts on where that stands still or goes back", () => {
  const shell = new Shell(SPECS);
  assertEquals(say(shell, "XADD s * f v"), bulk(`${NOW}-0`));
  assertEquals(say(shell, "XADD s * f v"), bulk(`${NOW}-1`));
  shell.nowMs = NOW - 5_000;
  assertEquals(say(shell, "XADD s * f v"), bulk(`${NOW}-2`));
  shell.nowMs = NOW + 1;
  assertEquals(say(shell, "XADD s * f v"), bulk(`${NOW + 1}-0`));
  assertEquals(say(shell, `XADD s ${NOW + 1}-* f v`), bulk(`${NOW + 1}-1`));
  assertEquals(say(shell, `XADD s ${NOW + 2}-* f v`), bulk(`${NOW + 2}-0`));
  assertEquals(shell.heard().at(-1), `0: XADD s ${NOW + 2}-0 f v`);
});

Deno.test("what a stream command did travels, not what it was told", () => {
  const shell = new Shell(SPECS);
  shell.keys[0].limits.streamNodeMaxEntries = 2;
  const claim = (who: string, id: string, ms: number, n: number, last: string) =>
    `0: XCLAIM s g ${who} 0 ${id} TIME ${ms} RETRYCOUNT ${n} FORCE JUSTID LASTID ${last}`;
  const cases: [line: string, ...effects: string[]][] = [
    ["XADD none NOMKSTREAM 1-1 f v"],
    ["XADD s NOMKSTREAM MAXLEN ~ 2 LIMIT 1 1-1 f v"],
    ["XADD s 1-1 f v", "0: XADD s 1-1 f v"],
    ["XADD s 1-1 f v"],
    ["XADD s MAXLEN 5 1-* f v", "0: XADD s 1-2 f v"],
    ["XADD s MAXLEN ~ 2 1-3 f v", "0: XADD s 1-3 f v"],
    ["XADD s MAXLEN ~ 1 1-4 f v", "0: XADD s MAXLEN = 2 1-4 f v"],
    ["XADD s MINID ~ 1-5 LIMIT 0 1-5 f v", "0: XADD s MAXLEN = 1 1-5 f v"],
    ["XADD s NOMKSTREAM 1-6 f v", "0: XADD s 1-6 f v"],
    ["XTRIM s MAXLEN 9"],
    ["XTRIM s MAXLEN ~ 1"],
    ["XTRIM s MINID = 1-6", "0: XTRIM s MAXLEN = 1"],
    ["XADD s 1-7 f v", "0: XADD s 1-7 f v"],
    ["XDEL s 1-1"],
    ["XDEL s 1-1 1-7", "0: XDEL s 1-1 1-7"],
    ["XADD s 1-8 f v", "0: XADD s 1-8 f v"],
    ["XGROUP CREATE s g 0", "0: XGROUP CREATE s g 0"],
    ["XGROUP CREATE s g 0"],
    ["XGROUP CREATE m g $ MKSTREAM", "0: XGROUP CREATE m g $ MKSTREAM"],
    [
      "XREADGROUP GROUP g c COUNT 1 STREAMS s >",
      "0: XGROUP CREATECONSUMER s g c",
      claim("c", "1-6", NOW, 1, "1-6"),
      "0: XGROUP SETID s g 1-6 ENTRIESREAD -1",
    ],
    ["XREADGROUP GROUP g d STREAMS m >", "0: XGROUP CREATECONSUMER m g d"],
    ["XREADGROUP GROUP g d STREAMS m >"],
    ["XREADGROUP GROUP g c STREAMS s 0", claim("c", "1-6", NOW, 2, "1-6")],
    ["XREADGROUP GROUP g c STREAMS s 1-6"],
    [
      "XREADGROUP GROUP g d NOACK STREAMS s >",
      "0: XGROUP CREATECONSUMER s g d",
      "0: XGROUP SETID s g 1-8 ENTRIESREAD 8",
    ],
    ["XCLAIM s g d 5000 1-6"],
    ["XCLAIM s g d 0 1-6 JUSTID", claim("d", "1-6", NOW, 2, "1-8")],
    ["XCLAIM s g d 0 1-7 1-8 FORCE IDLE 10", claim("d", "1-8", NOW - 10, 2, "1-8")],
    ["XCLAIM s g d 0 9-9 LASTID 2-2", "0: XGROUP SETID s g 2-2 ENTRIESREAD 8"],
    ["XCLAIM s g d 0 9-9 LASTID 2-2"],
    ["XAUTOCLAIM s g c 5 - COUNT 9", claim("c", "1-8", NOW, 3, "2-2")],
    ["XDEL s 1-8", "0: XDEL s 1-8"],
    ["XAUTOCLAIM s g c 0 (1-6", "0: XACK s g 1-8"],
    ["XACK s g 9-9"],
    ["XACK s g 1-6 9-9", "0: XACK s g 1-6 9-9"],
    ["XGROUP SETID s g $", "0: XGROUP SETID s g $"],
    ["XGROUP CREATECONSUMER s g e", "0: XGROUP CREATECONSUMER s g e"],
    ["XGROUP CREATECONSUMER s g e"],
    ["XGROUP DELCONSUMER s g e", "0: XGROUP DELCONSUMER s g e"],
    ["XGROUP DELCONSUMER s g e"],
    ["XGROUP DESTROY s g", "0: XGROUP DESTROY s g"],
    ["XGROUP DESTROY s g"],
    ["XSETID s 3-3", "0: XSETID s 3-3"],
    ["XRANGE s - +"],
    ["XREAD STREAMS s 0"],
  ];
  for (const [line, ...effects] of cases) {
    say(shell, line);
    assertEquals(shell.heard(), effects, line);
  }
});

/** What is known of a stream, without the times at which consumers were seen. */
function portrait(shell: Shell, key: string): string {
  return say(shell, `XINFO STREAM ${key} FULL COUNT 0`)
    .replace(/(seen|active)-time\r\n:-?\d+/g, "$1-time");
}

Deno.test("a replica that applies the effects has the same streams, groups and counters", () => {
  const seed = testSeed(20261130);
  const random = new Random(seed);
  const primary = new Shell(SPECS);
  const replica = new Shell(SPECS);
  const [upstream] = replica.keys;
  upstream.hidesExpired = false;
  upstream.removesExpired = false;
  for (const { keys: [keys] } of [primary, replica]) keys.limits.streamNodeMaxEntries = 5;
  // Its clock is late.
  replica.nowMs = NOW - 60_000;
  const keys = ["s", "t"];
  for (let step = 0; step < 3_000; step++) {
    primary.nowMs += random.below(20);
    const key = random.pick(keys);
    const consumer = random.pick(["c", "d", "e"]);
    const ids = bulks(say(primary, `XRANGE ${key} - +`)).filter((text) => /^\d+-\d+$/.test(text));
    const pending = bulks(say(primary, `XPENDING ${key} g - + 20`)).filter((text) =>
      /-/.test(text)
    );
    const id = () => ids.length === 0 ? "1-1" : random.pick(ids);
    const held = () => pending.length === 0 ? "1-1" : random.pick(pending);
    const line = random.pick([
      `XADD ${key} * f v`,
      `XADD ${key} * f v g ${step}`,
      `XADD ${key} MAXLEN ~ 30 LIMIT 6 * f v`,
      `XADD ${key} MINID ~ ${id()} * f v`,
      `XADD ${key} MAXLEN 25 * f v`,
      `XTRIM ${key} MAXLEN ~ 20`,
      `XDEL ${key} ${id()} ${id()}`,
      `XGROUP CREATE ${key} g ${random.pick(["0", "$"])} MKSTREAM`,
      `XGROUP SETID ${key} g ${id()}`,
      `XREADGROUP GROUP g ${consumer} COUNT 3 STREAMS ${key} >`,
      `XREADGROUP GROUP g ${consumer} COUNT 2 STREAMS ${key} ${keys[0]} > 0`,
      `XREADGROUP GROUP g ${consumer} NOACK COUNT 2 STREAMS ${key} >`,
      `XACK ${key} g ${held()} ${held()}`,
      `XCLAIM ${key} g ${consumer} 10 ${held()} ${id()}`,
      `XCLAIM ${key} g ${consumer} 0 ${held()} ${id()} FORCE JUSTID RETRYCOUNT 4 LASTID ${id()}`,
      `XAUTOCLAIM ${key} g ${consumer} 30 - COUNT 4`,
      ...(random.next() < 0.1 ? [`DEL ${key}`, `XGROUP DESTROY ${key} g`] : []),
      ...(random.next() < 0.1 ? [`XGROUP DELCONSUMER ${key} g ${consumer}`] : []),
    ]);
    say(primary, line);
    const effects = primary.heard();
    for (const effect of effects) {
      const reply = say(replica, effect.slice(3));
      assert(!reply.startsWith("-"), `seed ${seed} step ${step}: ${effect}: ${reply}`);
    }
    const context = `seed ${seed} step ${step}: ${line}\n${effects.join("\n")}`;
    for (const key of keys) assertEquals(portrait(replica, key), portrait(primary, key), context);
    if (step % 100 === 0) {
      for (const key of keys) assertEquals(nodes(replica, key), nodes(primary, key), context);
    }
  }
});

Deno.test("events of streams have Redis's names", () => {
  const heard: string[] = [];
  class Heard extends KeyspaceEvents {
    override classes = -1;
    override tell(kind: number, event: Uint8Array): void {
      if (kind === 1024 || latin1(event) === "del") heard.push(latin1(event));
    }
  }
  const shell = new Shell(SPECS);
  shell.call.events = new Heard();
  const cases: [line: string, ...events: string[]][] = [
    ["XADD s 1-1 f v", "xadd"],
    ["XADD s MAXLEN 1 1-2 f v", "xadd", "xtrim"],
    ["XADD s 1-2 f v"],
    ["XADD s 1-3 f v", "xadd"],
    ["XTRIM s MAXLEN 5"],
    ["XTRIM s MAXLEN 1", "xtrim"],
    ["XGROUP CREATE s g 0", "xgroup-create"],
    ["XGROUP SETID s g 0", "xgroup-setid"],
    ["XREADGROUP GROUP g c STREAMS s >", "xgroup-createconsumer"],
    ["XCLAIM s g d 0 1-3", "xgroup-createconsumer"],
    ["XAUTOCLAIM s g e 0 -", "xgroup-createconsumer"],
    ["XGROUP CREATECONSUMER s g f", "xgroup-createconsumer"],
    ["XGROUP CREATECONSUMER s g f"],
    ["XGROUP DELCONSUMER s g f", "xgroup-delconsumer"],
    ["XACK s g 1-3"],
    ["XDEL s 9-9"],
    ["XDEL s 1-3", "xdel"],
    ["XSETID s 5-5", "xsetid"],
    ["XGROUP DESTROY s g", "xgroup-destroy"],
    ["XGROUP DESTROY s g"],
  ];
  for (const [line, ...events] of cases) {
    say(shell, line);
    assertEquals(heard.splice(0), events, line);
  }
});

Deno.test("entries larger than a block are kept whole, read, delivered, copied and deleted", () => {
  const shell = new Shell(SPECS);
  const [keys] = shell.keys;
  const empty = keys.arena.usedBytes;
  const long = "v".repeat(300_000);
  const many = Array.from({ length: 20_000 }, (_, i) => [`field ${i}`, `${i}`]).flat();
  shell.run("XADD", "s", "1-1", "small", "1");
  shell.run("XADD", "s", "1-2", "long", long);
  shell.run("XADD", "s", "1-3", ...many);
  shell.run("XADD", "s", "1-4", "small", "2");
  shell.run("XADD", "s", "1-5", "small", "3");
  assertEquals(nodes(shell, "s").length, 4);
  const all = ["1-1", "small", "1", "1-2", "long", long, "1-3", ...many];
  all.push("1-4", "small", "2", "1-5", "small", "3");
  assertEquals(bulks(say(shell, "XRANGE s - +")), all);
  const first = bulks(say(shell, "XREVRANGE s 1-2 - COUNT 1"));
  assertEquals(first, ["1-2", "long", long]);
  say(shell, "XGROUP CREATE s g 0");
  assertEquals(bulks(say(shell, "XREADGROUP GROUP g c STREAMS s >")), ["s", ...all]);
  shell.run("COPY", "s", "t");
  assertEquals(nodes(shell, "t"), nodes(shell, "s"));
  assertEquals(portrait(shell, "t"), portrait(shell, "s"));
  assertEquals(say(shell, "XDEL s 1-2 1-3"), ":2\r\n");
  assertEquals(bulks(say(shell, "XRANGE s - +")), ["1-1", "small", "1", ...all.slice(-6)]);
  assertEquals(say(shell, "XTRIM t MAXLEN 2"), ":3\r\n");
  assertEquals(bulks(say(shell, "XRANGE t - +")), all.slice(-6));
  say(shell, "DEL s t");
  while (keys.reclaim());
  const root = keys.rootOf(0);
  assertEquals(keys.arena.usedBytes - keys.dict.overheadBytes(root), empty, "all blocks are back");
});

Deno.test("a stream without entries stays; MEMORY USAGE and OBJECT ENCODING know streams", () => {
  const shell = new Shell(SPECS);
  say(shell, "XADD s 1-1 f v");
  say(shell, "XDEL s 1-1");
  assertEquals(say(shell, "EXISTS s"), ":1\r\n");
  assertEquals(say(shell, "TYPE s"), "+stream\r\n");
  assertEquals(say(shell, "OBJECT ENCODING s"), bulk("stream"));
  assertEquals(say(shell, "XADD s 1-1 f v").startsWith("-ERR The ID"), true);
  const before = shell.keys[0].arena.usedBytes;
  for (let i = 0; i < 1_000; i++) say(shell, "XADD s * f v");
  const grown = shell.keys[0].arena.usedBytes - before;
  const usage = Number(say(shell, "MEMORY USAGE s").slice(1));
  assert(usage > grown && usage < grown + 1_000, `${usage} of ${grown}`);
});

Deno.test("names that do not fit a block are refused", () => {
  const shell = new Shell(SPECS);
  const name = "n".repeat(65_401);
  say(shell, "XADD s 1-1 f v");
  say(shell, "XGROUP CREATE s g 0");
  const group = "-ERR group name is longer than the maximum of 65400 bytes\r\n";
  const consumer = "-ERR consumer name is longer than the maximum of 65400 bytes\r\n";
  assertEquals(say(shell, `XGROUP CREATE s ${name} 0`), group);
  assertEquals(say(shell, `XGROUP CREATECONSUMER s g ${name}`), consumer);
  assertEquals(say(shell, `XREADGROUP GROUP g ${name} STREAMS s >`), consumer);
  assertEquals(say(shell, `XCLAIM s g ${name} 0 1-1`), consumer);
  assertEquals(say(shell, `XAUTOCLAIM s g ${name} 0 -`), consumer);
  assertEquals(say(shell, `XGROUP CREATECONSUMER s g ${name.slice(1)}`), ":1\r\n");
  assertEquals(say(shell, `XGROUP CREATE s ${name.slice(1)} 0`), "+OK\r\n");
  assertEquals(bulks(say(shell, `XINFO GROUPS s`)).includes(name.slice(1)), true);
});

Deno.test("a full arena refuses entries and deliveries, and lets go of them", () => {
  const shell = new Shell(SPECS, { arenaBytes: 4 * 2 ** 20 });
  const value = "v".repeat(1_000);
  let added = 0;
  while (shell.run("XADD", "s", "*", "f", value) !== OOM) added++;
  assert(added > 2_000, `${added} entries`);
  say(shell, "XTRIM s MAXLEN 100");
  say(shell, "XGROUP CREATE s g 0");
  let left = "";
  while ((left = shell.run("XADD", "t", "*", "f", value)) !== OOM);
  assertEquals(left, OOM);
  const length = Number(say(shell, "XLEN t").slice(1));
  assertEquals(say(shell, "XREADGROUP GROUP g c STREAMS s >"), OOM);
  assertEquals(say(shell, "XTRIM t MAXLEN 0"), `:${length}\r\n`);
  assertEquals(bulks(say(shell, "XREADGROUP GROUP g c STREAMS s >")).length, 1 + 300);
});

Deno.test("a group of many pending entries is gone at once, and freed in slices, also under a view", () => {
  const shell = new Shell(SPECS, { arenaBytes: 64 * 1024 * 1024 });
  const [keys] = shell.keys;
  const { arena } = keys;
  const settled = (): number => {
    while (keys.reclaim());
    while (arena.sweepDeferred(1 << 20));
    return arena.usedBytes;
  };
  for (let i = 1; i <= 20_000; i++) shell.run("XADD", "s", `${i}-1`, "f", "v");
  const before = settled();
  for (const isFrozen of [false, true]) {
    say(shell, "XGROUP CREATE s g 0");
    for (const consumer of ["a", "b"]) {
      say(shell, `XREADGROUP GROUP g ${consumer} COUNT 10000 STREAMS s >`);
    }
    assert(arena.usedBytes > before + 20_000 * 40, "what is pending takes memory");
    if (isFrozen) keys.freeze();
    assertEquals(say(shell, "XGROUP DESTROY s g"), ":1\r\n");
    assertEquals(say(shell, "XINFO GROUPS s"), "*0\r\n");
    assert(keys.hasGarbage, "it is not freed in one go");
    // Another of its name has nothing of it.
    say(shell, "XGROUP CREATE s g 0");
    assertEquals(say(shell, "XPENDING s g"), "*4\r\n:0\r\n$-1\r\n$-1\r\n*-1\r\n");
    say(shell, "XGROUP DESTROY s g");
    if (isFrozen) keys.thaw();
    assertEquals(settled(), before);
  }
});

Deno.test("XREADGROUP whose reply has no room delivers nothing, and the group is as it was", () => {
  const shell = new Shell(SPECS);
  const [keys] = shell.keys;
  say(shell, "XADD s 1-1 f v");
  say(shell, "XGROUP CREATE s g 0");
  say(shell, "XGROUP CREATECONSUMER s g c");
  const groups = say(shell, "XINFO GROUPS s");
  shell.heard();
  keys.freeze();
  shell.reply.overflow();
  say(shell, "XREADGROUP GROUP g c STREAMS s >");
  shell.reply.overflowed = false;
  assertEquals(shell.heard(), []);
  keys.thaw();
  while (keys.arena.sweepDeferred(1 << 20));
  // What takes up the blocks that are free now.
  for (let i = 1; i <= 200; i++) say(shell, `XADD other ${i}-1 f v`);
  for (let i = 1; i <= 20; i++) say(shell, `XGROUP CREATE other g${i} 0`);
  assertEquals(say(shell, "XINFO GROUPS s"), groups);
  assertEquals(bulks(say(shell, "XREADGROUP GROUP g c STREAMS s >")).slice(0, 2), ["s", "1-1"]);
});
