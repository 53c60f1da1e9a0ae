import { assert } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { valueDigest } from "../../src/commands/digest.ts";
import { BuildRefusedError } from "../../src/keyspace/builder.ts";
import { TYPE_LIST, TYPE_STREAM } from "../../src/keyspace/entry.ts";
import type { Keyspace } from "../../src/keyspace/keyspace.ts";
import { BuildingSink } from "../../src/snapshot/building_sink.ts";
import { collectionDump, DUMP_OK, restoreDump } from "../../src/snapshot/dump_payload.ts";
import { KevySnapError, RdbError } from "../../src/snapshot/errors.ts";
import { KevySnapReader } from "../../src/snapshot/kevysnap_reader.ts";
import { KevySnapWriter } from "../../src/snapshot/kevysnap.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { RdbWriter } from "../../src/snapshot/rdb_writer.ts";
import { testSeed } from "../support/random.ts";
import { image, intset, length, listpack, payload, string, ziplist, zipmap } from "./encodings.ts";
import { KeyspaceSink, newKeyspace, someValue, store } from "./values.ts";
import { concat, FakeEntries, hex, item, pullAll, Random } from "./support.ts";

const IMAGES = 25_000;
/** Far above what the largest unmutated string needs, far below what a mutated length can claim. */
const HELD_BYTES_MAX = 1024 * 1024;

/** A sink that keeps nothing. */
class NoSink extends BuildingSink {
  override aux(): void {}
  override selectDb(): void {}
  override string(): void {}
  protected override builderOf(): null {
    return null;
  }
  protected override store(): void {}
}

/** Changes, cuts, doubles or removes a few bytes. */
function mutate(image: Uint8Array, random: Random): Uint8Array {
  let out = image.slice();
  for (let n = 1 + random.below(4); n > 0; n--) {
    const at = random.below(out.length);
    switch (random.below(6)) {
      case 0:
        out[at] = random.next();
        break;
      case 1:
        out[at] ^= 1 << random.below(8);
        break;
      case 2:
        out[at] = [0, 0xff, 0x80, 0x81, 0xc3, 0x7f, 0xfc, 0xf7][random.below(8)];
        break;
      case 3:
        out = out.slice(0, at + 1);
        break;
      case 4:
        out = concat([out.slice(0, at), out.slice(Math.max(0, at - random.below(30)))]);
        break;
      case 5:
        out = concat([out.slice(0, at), random.bytes(random.below(8)), out.slice(at)]);
        break;
    }
  }
  return out;
}

interface Reader {
  push(bytes: Uint8Array, start: number, stop: number): number;
  end(): void;
  readonly heldBytes: number;
}

/** Feeds mutated images in random pieces; whatever they are, only `allowed` may come of it. */
function fuzz(
  seed: number,
  originals: readonly Uint8Array[],
  open: () => Reader,
  allowed: typeof RdbError | typeof KevySnapError,
): void {
  const random = new Random(seed);
  let errors = 0;
  for (let round = 0; round < IMAGES; round++) {
    const image = mutate(originals[round % originals.length], random);
    const reader = open();
    try {
      for (let at = 0; at < image.length;) {
        const stop = Math.min(image.length, at + 1 + random.below(random.below(3) ? 600 : 20));
        reader.push(image, at, stop);
        at = stop;
        if (reader.heldBytes > HELD_BYTES_MAX) {
          throw new Error(`seed ${seed} round ${round}: ${reader.heldBytes} bytes held`);
        }
      }
      reader.end();
    } catch (error) {
      if (!(error instanceof allowed)) {
        throw new Error(`seed ${seed} round ${round}`, { cause: error });
      }
      errors++;
    }
  }
  assert(errors > IMAGES / 2, `only ${errors} of ${IMAGES} mutations were noticed`);
}

const random = new Random(77);
const ITEMS = [
  item("k", "v"),
  item("12", "-70000"),
  item("due", "x".repeat(50), 1_700_000_000_000),
  item("packed", random.repetitive(400)),
  item("plain", random.bytes(300)),
];

Deno.test("25,000 mutated RDB images give nothing but RdbError, in bounded memory", () => {
  const aux: [string, string][] = [["redis-ver", "7.2.4"]];
  const items = [...ITEMS, item("other", "db", -1, 3)];
  const parts = concat([
    ascii("REDIS0012"),
    hex("f5 05 6162636465 f7 05 02 02 01 05 02 4003 05 03 616263 03 00000000 04 0000000000000000"),
    hex("00 f4 05 4100 80 00000001 f8 4101 f9 ff fd 00000001 00 016b 0176 ff 0000000000000000"),
  ]);
  const originals = [
    pullAll(new RdbWriter(new FakeEntries(items), { compress: true, checksum: true, aux })),
    pullAll(new RdbWriter(new FakeEntries(items), { compress: false, checksum: false, aux })),
    parts,
  ];
  fuzz(101, originals, () => new RdbReader(new NoSink()), RdbError);
  // Strings in pieces, plain and compressed.
  fuzz(106, originals, () => new RdbReader(new NoSink(), { longStringBytes: 60 }), RdbError);
});

Deno.test("25,000 mutated KEVYSNAP images give nothing but KevySnapError, in bounded memory", () => {
  const read = (name: string) =>
    Deno.readFileSync(new URL(`../fixtures/${name}.snap`, import.meta.url));
  const originals = [
    pullAll(new KevySnapWriter(new FakeEntries(ITEMS))),
    read("strings"),
    read("collections"),
    read("v2"),
  ];
  const options = { nowMs: 0 };
  fuzz(102, originals, () => new KevySnapReader(new NoSink(), options), KevySnapError);
});

// ---- values of every type, into a keyspace -------------------------------------------------------

const VALUES = 8_000;

/** Bytes of values in every encoding, by type byte. */
function everyBody(): [type: number, body: Uint8Array[]][] {
  const random = new Random(303);
  const strings = ["a", "b", "", "12", "-70000", "9223372036854775807", "x".repeat(70)];
  const pairs = strings.map((text, i): [string, string] => [`f${i}`, text]);
  const scored = strings.flatMap((text, i) => [text, String(i * 1.5 - 3)]);
  const stream = someValue(random, TYPE_STREAM, "k", 12, 20);
  const keys = newKeyspace(8);
  store(keys, [stream, someValue(random, TYPE_LIST, "l", 3, 20_000)]);
  const dumped = ["k", "l"].map((name): [number, Uint8Array[]] => {
    const a = keys.peek(0, ascii(name), 0, 1);
    const type = keys.typeOf(a);
    const dump = collectionDump(keys.arena, type, keys.formOf(a), keys.valueRoot(a))!;
    return [dump[0], [dump.slice(1, -10)]];
  });
  return [
    ...dumped,
    [1, [length(7), ...strings.map(string)]],
    [2, [length(7), ...strings.map(string)]],
    [3, [length(2), string("a"), string("1.5"), string("b"), hex("fe")]],
    [4, [length(7), ...pairs.flat().map(string)]],
    [5, [length(2), string("a"), hex("000000000000f83f"), string("b"), hex("000000000000f07f")]],
    [9, [string(zipmap(pairs, 2))]],
    [10, [string(ziplist(strings))]],
    [11, [string(intset([-5n, 7n, 99_999n]))]],
    [12, [string(ziplist(scored))]],
    [13, [string(ziplist(pairs.flat(), true))]],
    [14, [length(2), string(ziplist(strings)), string(ziplist(["z"]))]],
    [16, [string(listpack(pairs.flat()))]],
    [17, [string(listpack(scored))]],
    [18, [length(2), length(2), string(listpack(strings)), length(1), string("plain")]],
    [20, [string(listpack(strings))]],
    [24, [hex("0010a5d4e8000000"), length(1), length(5), string("a"), string("b")]],
    [25, [hex("0010a5d4e8000000"), string(listpack(["a", "b", "1000000000000"]))]],
  ];
}

/** What a value's building may throw besides `RdbError`: it was sound, and cannot be kept here. */
function isRefusal(error: unknown): boolean {
  return error instanceof BuildRefusedError;
}

function assertNothingIsLeft(keys: Keyspace, where: string): void {
  for (let db = 0; db < keys.databases; db++) keys.flush(db);
  while (keys.reclaim());
  if (keys.arena.usedBytes !== 0) throw new Error(`${where}: ${keys.arena.usedBytes} bytes left`);
}

Deno.test(`${VALUES} mutated payloads of every type are refused or sound, and leave nothing`, () => {
  const seed = testSeed(104);
  const random = new Random(seed);
  const bodies = everyBody();
  const keys = newKeyspace(8);
  let sound = 0;
  for (let round = 0; round < VALUES; round++) {
    const [type, body] = bodies[round % bodies.length];
    // The footer is right, so that the value itself is looked at.
    const bytes = payload(type, [mutate(concat(body), random)], 12);
    const where = `seed ${seed} round ${round} type ${type}`;
    const sink = new KeyspaceSink(keys);
    try {
      if (restoreDump(bytes, 0, bytes.length, ascii("k"), 0, 1, -1, sink) === DUMP_OK) {
        sound++;
        const a = keys.peek(0, ascii("k"), 0, 1);
        if (a === 0) throw new Error("sound, and not there");
        valueDigest(keys, a); // what was taken can be read to its end
        if (type !== 0) {
          collectionDump(keys.arena, keys.typeOf(a), keys.formOf(a), keys.valueRoot(a));
        }
      }
    } catch (error) {
      if (!isRefusal(error)) throw new Error(where, { cause: error });
    }
    assertNothingIsLeft(keys, where);
  }
  assert(sound > VALUES / 100 && sound < VALUES / 2, `${sound} of ${VALUES} were sound`);
});

Deno.test(`${VALUES} mutated images with every type give RdbError or load, and leave nothing`, () => {
  const seed = testSeed(105);
  const random = new Random(seed);
  const whole = image(everyBody().map(([type, body], i) => [type, `key${i}`, body] as const));
  const keys = newKeyspace(8);
  for (let round = 0; round < VALUES; round++) {
    const bytes = mutate(whole, random);
    const where = `seed ${seed} round ${round}`;
    const reader = new RdbReader(new KeyspaceSink(keys), { checksum: false });
    const step = 1 + random.below(300);
    try {
      for (let at = 0; at < bytes.length; at += step) {
        reader.push(bytes, at, Math.min(bytes.length, at + step));
        if (reader.finished) break;
      }
      reader.end();
    } catch (error) {
      const isDatabase = error instanceof RangeError && error.message.startsWith("database");
      if (!(error instanceof RdbError) && !isRefusal(error) && !isDatabase) {
        throw new Error(where, { cause: error });
      }
    }
    assertNothingIsLeft(keys, where);
  }
});
