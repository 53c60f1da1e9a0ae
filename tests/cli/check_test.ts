import { assert, assertEquals, assertStringIncludes } from "@std/assert";
import { latin1 } from "../../src/base/ascii.ts";
import { check } from "../../src/cli/check.ts";
import { filesIn, withDir } from "../persistence/support.ts";
import { TestServer } from "../support/server.ts";

const APPEND_ONLY = { appendonly: "yes" };
const INCREMENT = "appendonly.aof.1.incr.aof";

/** A data directory with a few keys, and the path of its increment. */
async function makeData(dir: string): Promise<string> {
  await using server = await TestServer.start(APPEND_ONLY, { dir });
  const client = await server.connect();
  await client.ask("SET", "a", "1");
  await client.pipeline(["MULTI"], ["SET", "b", "2"], ["EXEC"]);
  await client.ask("PUBLISH", "news", "1"); // makes an annotation in the middle
  await client.ask("SET", "c", "3");
  return `${dir}/appendonlydir/${INCREMENT}`;
}

/** What `check` says of an append-only file, and whether all is well. */
async function checked(path: string, fix: boolean): Promise<{ isWell: boolean; said: string }> {
  const lines: string[] = [];
  const isWell = await check({ what: "aof", path, fix }, (line) => lines.push(line));
  return { isWell, said: lines.join("\n") };
}

Deno.test("a damaged annotation is named by its first byte and cut off with what follows it, once", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const sound = Deno.readFileSync(path);
    const text = latin1(sound);
    const starts = [...text.matchAll(/#shoal /g)].map(({ index }) => index);
    assertEquals(starts.length, 3, "a history, a place and a message");
    for (const start of starts) {
      const damaged = sound.slice();
      damaged.set([88, 88], text.indexOf("=", start) - 2);
      Deno.writeFileSync(path, damaged);
      const found = await checked(path, false);
      assert(!found.isWell);
      assertStringIncludes(found.said, `damaged: byte ${start}: not understood: #shoal `);
      const fixed = await checked(path, true);
      assert(fixed.isWell, fixed.said);
      assertStringIncludes(fixed.said, `cut to ${start} bytes; as it was: ${path}.damaged`);
      assertEquals(latin1(Deno.readFileSync(path)), text.slice(0, start));
      assert((await checked(path, false)).isWell);
      Deno.removeSync(`${path}.damaged`);
    }
    await using server = await TestServer.start(APPEND_ONLY, { dir });
    assertEquals(await server.ask("MGET", "a", "b", "c"), ["1", "2", null]);
  });
});

Deno.test("whatever byte of a file is changed, what --fix says is mended is sound", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const sound = Deno.readFileSync(path);
    const copy = `${path}.damaged`;
    let mended = 0;
    for (let at = 0; at < sound.length; at++) {
      for (const flip of [1, 128]) {
        const damaged = sound.slice();
        damaged[at] ^= flip;
        Deno.writeFileSync(path, damaged);
        const fixed = await checked(path, true);
        assert(fixed.isWell, `byte ${at}: ${fixed.said}`);
        if (!filesIn(`${dir}/appendonlydir`).includes(`${INCREMENT}.damaged`)) continue;
        mended++;
        assertEquals(latin1(Deno.readFileSync(copy)), latin1(damaged), "the copy is as it was");
        Deno.removeSync(copy);
        assert((await checked(path, false)).isWell, `byte ${at}`);
      }
    }
    assert(mended > sound.length, `${mended} of ${2 * sound.length}`);
  });
});

Deno.test("zeros behind a damaged annotation do not make it torn", async () => {
  await withDir(async (dir) => {
    const path = await makeData(dir);
    const sound = Deno.readFileSync(path);
    const start = latin1(sound).indexOf("#shoal upstream");
    const damaged = new Uint8Array(sound.length + 100);
    damaged.set(sound);
    damaged[start + 8] = 88;
    Deno.writeFileSync(path, damaged);
    const found = await checked(path, false);
    assertStringIncludes(found.said, `damaged: byte ${start}: not understood: #shoal `);
  });
});
