/**
 * A stream counts in 64 bits what was added to it and what a group has read, and goes on below zero where 63
 * end, as redis-server does. Files and replicas are told of it in commands that take no negative number of a
 * client: they must take it of their own kind, or the file would not load.
 */

import { assert, assertEquals } from "@std/assert";
import { Crc64 } from "../../src/snapshot/crc64.ts";
import type { Client, Plain } from "../support/client.ts";
import { assertHoldsSame, assertSame, linkUp, stateOf } from "../support/replicas.ts";
import { TestServer } from "../support/server.ts";

const MOST = "9223372036854775807";
const LEAST = "-9223372036854775808";

/** What XINFO says of a stream, or of its only group, under a name. */
async function told(client: Client, of: "STREAM" | "GROUPS", name: string): Promise<Plain> {
  const reply = await client.line(`XINFO ${of} s`) as Plain[];
  const fields = of === "STREAM" ? reply : reply[0] as Plain[];
  const value = fields[fields.indexOf(name) + 1];
  return typeof value === "bigint" ? String(value) : value;
}

/** `payload` of DUMP with one 64-bit number in place of another, and its checksum. */
function withNumber(payload: Uint8Array, from: bigint, to: bigint): Uint8Array {
  const bytes = payload.slice();
  const view = new DataView(bytes.buffer);
  const at = bytes.findIndex((_, i) =>
    i + 8 <= bytes.length && view.getBigUint64(i) === BigInt.asUintN(64, from)
  );
  assert(at > 0, "the payload has the number");
  view.setBigInt64(at, to);
  const crc = new Crc64();
  crc.update(bytes, 0, bytes.length - 8);
  crc.put(bytes, bytes.length - 8);
  return bytes;
}

const CASES: Readonly<Record<string, (client: Client) => Promise<void>>> = {
  async "a group that has read more than can be counted"(client) {
    await client.line("XADD s 1-1 a b");
    await client.line("XADD s 2-1 a b");
    await client.line(`XGROUP CREATE s g 0 ENTRIESREAD ${MOST}`);
    assertEquals(await told(client, "GROUPS", "entries-read"), MOST);
    assert(Array.isArray(await client.line("XREADGROUP GROUP g c COUNT 1 STREAMS s >")));
    assertEquals(await told(client, "GROUPS", "entries-read"), LEAST);
  },
  async "a stream to which more was added than can be counted"(client) {
    await client.line("XADD s 1-1 a b");
    await client.line(`XSETID s 1-1 ENTRIESADDED ${MOST} MAXDELETEDID 0-0`);
    await client.line("XADD s 2-1 a b");
    assertEquals(await told(client, "STREAM", "entries-added"), LEAST);
    await client.line("XGROUP CREATE s g 0");
    assert(Array.isArray(await client.line("XREADGROUP GROUP g c STREAMS s >")));
    assertEquals(await told(client, "GROUPS", "entries-read"), LEAST);
  },
  async "a restored group whose counter is negative"(client) {
    await client.line("XADD s 1-1 a b");
    await client.line("XADD s 2-1 a b");
    await client.line("XGROUP CREATE s g 0 ENTRIESREAD 81985529216486895");
    const payload = await client.run("DUMP", "s") as Uint8Array;
    const changed = withNumber(payload, 81985529216486895n, -5n);
    assertEquals(await client.ask("RESTORE", "s", "0", changed, "REPLACE"), "OK");
    assertEquals(await told(client, "GROUPS", "entries-read"), -5);
    assert(Array.isArray(await client.line("XREADGROUP GROUP g c COUNT 1 STREAMS s >")));
  },
  async "a restored stream whose counter is negative"(client) {
    await client.line("XADD s 1-1 a b");
    await client.line("XADD s 2-1 a b");
    await client.line("XSETID s 2-1 ENTRIESADDED 81985529216486895 MAXDELETEDID 0-0");
    await client.line("XGROUP CREATE s g 0");
    const payload = await client.run("DUMP", "s") as Uint8Array;
    const changed = withNumber(payload, 81985529216486895n, -5n);
    assertEquals(await client.ask("RESTORE", "s", "0", changed, "REPLACE"), "OK");
    assertEquals(await told(client, "STREAM", "entries-added"), -5);
    assert(Array.isArray(await client.line("XREADGROUP GROUP g c STREAMS s >")));
  },
};

for (const [name, fill] of Object.entries(CASES)) {
  Deno.test(`${name}: replicas follow, the file loads`, async () => {
    const dir = await Deno.realPath(await Deno.makeTempDir());
    try {
      await using replica = await TestServer.start();
      {
        await using primary = await TestServer.start({ appendonly: "yes" }, { dir });
        await replica.ask("REPLICAOF", "127.0.0.1", `${primary.port}`);
        await linkUp(primary, replica);
        await fill(await primary.connect());
        await primary.ask("SET", "later", "v");
        await assertSame(primary, replica, "on the replica");
        assertEquals(await primary.info("sync_full"), "1");
        assertEquals(Object.keys(await stateOf(primary)), ["0:later", "0:s"]);
      }
      await using restarted = await TestServer.start({ appendonly: "yes" }, { dir });
      await assertHoldsSame(replica, restarted, "behind a start");
    } finally {
      await Deno.remove(dir, { recursive: true });
    }
  });
}
