import { assert, assertEquals } from "@std/assert";
import { withDir } from "../persistence/support.ts";
import { Client } from "../support/client.ts";
import { Program } from "../support/program.ts";
import { Random, testSeed } from "../support/random.ts";

const KEYS = 3_000;

/** Gives every key the value `round`. */
async function writeAll(client: Client, round: number): Promise<void> {
  const commands = Array.from({ length: KEYS }, (_, i) => ["SET", `key:${i}`, String(round)]);
  await client.pipeline(...commands);
}

Deno.test("a process killed at any moment of a save starts with one whole save or another", async () => {
  const seed = testSeed(8);
  const random = new Random(seed);
  await withDir(async (dir) => {
    let saved = -1;
    const outcomes = new Set<string>();
    for (let round = 0; round < 8; round++) {
      const where = `seed ${seed}, round ${round}`;
      const program = new Program(dir, ["--shards", String(1 + random.below(3)), "--save", ""]);
      const { port } = await program.ready();
      using client = await Client.connect(port);
      if (saved >= 0) {
        assertEquals(await client.ask("DBSIZE"), KEYS, where);
        const keys = Array.from({ length: KEYS }, (_, i) => `key:${i}`);
        const values = new Set(await client.ask("MGET", ...keys) as string[]);
        assertEquals(values.size, 1, `${where}: keys of two saves`);
        const [value] = values;
        assert(Number(value) === saved || Number(value) === round - 1, `${where}: ${value}`);
        outcomes.add(Number(value) === saved ? "the save before" : "the save under way");
        saved = Number(value);
      } else {
        await writeAll(client, round);
        assertEquals(await client.ask("SAVE"), "OK");
        saved = round;
      }
      await writeAll(client, round);
      assertEquals(await client.ask("BGSAVE"), "Background saving started");
      await new Promise((resolve) => setTimeout(resolve, random.below(150)));
      program.signal("SIGKILL");
      await program.end();
    }
    assert(outcomes.size > 0, "nothing was loaded");
  });
});
