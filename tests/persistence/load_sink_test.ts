import { assert, assertEquals, assertThrows } from "@std/assert";
import { ascii } from "../../src/base/ascii.ts";
import { TYPE_STRING } from "../../src/keyspace/entry.ts";
import { Keyspace } from "../../src/keyspace/keyspace.ts";
import { Arena } from "../../src/memory/arena.ts";
import { LoadLimitError } from "../../src/persistence/load_error.ts";
import { LoadSink } from "../../src/persistence/load_sink.ts";
import { LONG_STRING_BYTES } from "../../src/snapshot/long_string.ts";

const NOW = 1_700_000_000_000;
const PIECE = new Uint8Array(65_536).fill(9);

/** A sink into two shards of 4 MiB, and what was dropped. The shard of a key is its first digit. */
function opened() {
  const keyspaces = [0, 1].map(() => new Keyspace(new Arena(4 * 2 ** 20), 16, { k0: 1, k1: 2 }));
  const dropped: string[] = [];
  const sink = new LoadSink({
    keyspaces,
    shardOf: (buf, start) => buf[start] - 48,
    dropsExpired: true,
    dropped: (shard, db, buf, start, stop) =>
      dropped.push(`${shard} ${db} ${new TextDecoder().decode(buf.slice(start, stop))}`),
  });
  sink.nowMs = NOW;
  return { sink, keyspaces, dropped };
}

function load(sink: LoadSink, name: string, expireAtMs: number, pieces: number): void {
  const key = ascii(name);
  sink.beginCollection(TYPE_STRING, key, 0, key.length, expireAtMs);
  for (let i = 0; i < pieces; i++) sink.stringPiece(PIECE, 0, PIECE.length);
  sink.endCollection();
}

Deno.test("a long string goes to its key's shard; one past its deadline is left out and told", () => {
  const { sink, keyspaces, dropped } = opened();
  assert(2 * PIECE.length > LONG_STRING_BYTES);
  sink.selectDb(3);
  load(sink, "0 lasts", -1, 2);
  load(sink, "1 lasts", NOW + 1, 3);
  load(sink, "1 is over", NOW, 3);
  assertEquals([sink.loaded, sink.expired, dropped], [2, 1, ["1 3 1 is over"]]);
  assertEquals(keyspaces.map((keys) => keys.size(3)), [1, 1]);
  const [keys] = keyspaces;
  const a = keys.peek(3, ascii("0 lasts"), 0, 7);
  assertEquals([keys.stringBytes(a), keys.deadlineOf(a)], [2 * PIECE.length, -1]);
});

Deno.test("a long string that does not fit, or whose key is there, is refused and leaves nothing", () => {
  const { sink, keyspaces: [keys] } = opened();
  load(sink, "0", -1, 2);
  const { usedBytes } = keys.arena;
  const text = "its data do not fit: shard 0 has";
  assertThrows(() => load(sink, "0 large", -1, 70), LoadLimitError, text);
  sink.abortCollection();
  assertEquals(keys.arena.usedBytes, usedBytes);
  assertThrows(() => load(sink, "0", -1, 2), LoadLimitError, "is there a second time");
  sink.abortCollection();
  assertEquals(keys.arena.usedBytes, usedBytes);
});
