import { assert } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { BuildingSink } from "../../src/snapshot/building_sink.ts";
import { KevySnapError, RdbError } from "../../src/snapshot/errors.ts";
import { KevySnapReader } from "../../src/snapshot/kevysnap_reader.ts";
import { KevySnapWriter } from "../../src/snapshot/kevysnap.ts";
import { RdbReader } from "../../src/snapshot/rdb_reader.ts";
import { RdbWriter } from "../../src/snapshot/rdb_writer.ts";
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
