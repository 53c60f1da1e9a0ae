import { assert } from "@std/assert";
import { MeasuringSink } from "../../src/snapshot/measuring_sink.ts";
import { testSeed } from "../support/random.ts";
import { Random } from "./support.ts";
import { everyValue, KeyspaceSink, newKeyspace, tell } from "./values.ts";

Deno.test("what a value is measured to take is hardly less than it takes, and not many times that", () => {
  const seed = testSeed(31);
  for (const value of everyValue(new Random(seed))) {
    const keys = newKeyspace();
    const before = keys.arena.usedBytes;
    tell(new KeyspaceSink(keys), value);
    const taken = keys.arena.usedBytes - before;
    const sink = new MeasuringSink();
    tell(sink, value);
    const context = `${value.key}, seed ${seed}: ${taken} bytes, measured ${sink.bytes}`;
    assert(taken * 0.8 <= sink.bytes, context);
    // A packed value is measured as a table of as many elements as a pack may have.
    assert(sink.bytes <= 4 * taken + 80_000, context);
  }
});
