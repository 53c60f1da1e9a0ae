import { assertEquals } from "@std/assert";
import { ascii, latin1 } from "../../src/base/ascii.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { CommandTable } from "../../src/commands/registry.ts";
import { upstreamAnnotation } from "../../src/persistence/aof_annotation.ts";
import { AOF_COMMAND, AofParser, type AofPlace } from "../../src/persistence/aof_parser.ts";
import { Backlog } from "../../src/replication/backlog.ts";
import { Replay } from "../../src/server/aof_replay.ts";
import { ReplayTail, SKIPPED_MAX } from "../../src/server/replay_tail.ts";
import { formatUpstreamPositions } from "../../src/server/upstream_facts.ts";
import { UNIT_BYTES_MAX } from "../../src/shard/held_unit.ts";
import { multibulk } from "../resp/support.ts";
import { TestNode } from "../support/node.ts";

/** Bytes of the one key of each command. */
const KEY_BYTES = 64 * 2 ** 20;
/** Commands that are larger together than what is held of an upstream's unit. */
const COMMANDS: number = UNIT_BYTES_MAX / KEY_BYTES + 1;

/** The history of a file that tells one. */
const HISTORY = "a".repeat(40);

/** Where an annotation lies that ends before byte `byteOffset`. */
function before(byteOffset: number): AofPlace {
  return { partOffset: 0, byteOffset };
}

/** A replay that keeps a tail, in database `db`, of a file whose first frame is 100 of `HISTORY`. */
function startReplay({ node }: TestNode, db: number): { replay: Replay; tail: ReplayTail } {
  const host = { node, table: new CommandTable(KEY_COMMANDS), nowMs: Date.now };
  const tail = new ReplayTail((firstOffset) => new Backlog({ limitBytes: 2 ** 24, firstOffset }));
  const replay = new Replay(host, { shard: 0, shards: 1, db, lenient: false }, null, tail);
  replay.annotation(`shoal history=${HISTORY} offset=100 sequence=500`, before(1));
  return { replay, tail };
}

/** A parser to which `text`, so many zeros, and a line end are given. */
function given(text: string, zeros = 0): AofParser {
  const parser = new AofParser();
  const bytes = text.length + zeros + 2;
  const at = parser.room(bytes);
  parser.buf.set(ascii(text), at);
  parser.buf.set(ascii("\r\n"), at + bytes - 2);
  parser.took(bytes);
  return parser;
}

for (const whose of ["primary", "replica"]) {
  Deno.test(`a unit of any size is read from the file of a ${whose}`, async () => {
    await using node = TestNode.start();
    const table = new CommandTable(KEY_COMMANDS);
    const place = { shard: 0, shards: 1, db: 0, lenient: false };
    const replay = new Replay({ node: node.node, table, nowMs: Date.now }, place, null);
    const words = given("*1\r\n$5\r\nMULTI\r\n*1\r\n$4\r\nEXEC");
    const command = given(`*2\r\n$6\r\nUNLINK\r\n$${KEY_BYTES}\r\n`, KEY_BYTES);
    assertEquals([words.next(), command.next()], [AOF_COMMAND, AOF_COMMAND]);
    const position = { history: "a".repeat(40), offset: 7, db: 0 };
    const text = upstreamAnnotation(formatUpstreamPositions({ shards: 1, positions: [position] }));
    const told = text.slice(1, -2);

    replay.beginFile();
    replay.beginSlice();
    if (whose === "replica") replay.annotation(told, before(1));
    replay.command(words);
    for (let i = 0; i < COMMANDS; i++) replay.command(command);
    assertEquals(words.next(), AOF_COMMAND);
    replay.command(words);
    if (whose === "replica") replay.annotation(told, before(2));
    replay.endSlice();
    replay.endFile();

    assertEquals(replay.frames, COMMANDS + 2);
    assertEquals(replay.position, whose === "replica" ? position : null);
  });
}

Deno.test("the tail has the frames that were read, however they were written", async () => {
  await using node = TestNode.start();
  const { replay, tail } = startReplay(node, 0);
  const keys = (count: number) => Array.from({ length: count }, (_, i) => `key ${i}`);
  const commands = [
    ["UNLINK", "k"],
    ["unlink", "", "k".repeat(9), "k".repeat(10), "k".repeat(99), "k".repeat(100)],
    ["DEL", ...keys(8)],
    ["DEL", ...keys(9)],
    ["MULTI"],
    ["DEL", "k"],
    ["UNLINK", ...keys(20)],
    ["EXEC"],
    ["DEL", "k".repeat(2_000)],
  ];
  const texts = [
    ...commands.map((words) => multibulk(...words)),
    "*2\r\n$003\r\nDEL\r\n$1\r\nk\r\n",
    "*02\r\n$3\r\nDEL\r\n$1\r\nk\r\n",
  ];
  const parser = given(texts.join("").slice(0, -2));
  replay.beginFile();
  replay.beginSlice();
  while (parser.next() === AOF_COMMAND) replay.command(parser);
  replay.endSlice();
  replay.endFile();

  const backlog = tail.upTo(100 + texts.length)!;
  const cursor = backlog.cursorAt(100)!;
  let held = "";
  for (let view; (view = backlog.view(cursor, 2 ** 20)) !== null;) {
    held += latin1(view, 0, view.length);
    backlog.advance(cursor, view.length);
  }
  const expected = [...commands, ["DEL", "k"], ["DEL", "k"]];
  assertEquals(held, expected.map((words) => multibulk(...words)).join(""));
});

Deno.test("frames that are not in a file keep their numbers, and up to so many their places in the tail", async () => {
  await using node = TestNode.start();
  const { replay, tail } = startReplay(node, 3);
  replay.annotation(`shoal skip=${SKIPPED_MAX}`, before(2));
  let offset = 100 + SKIPPED_MAX;
  assertEquals(replay.history, { id: HISTORY, offset });
  assertEquals(replay.sequence, 500 + SKIPPED_MAX);
  assertEquals(tail.upTo(offset)?.oldestOffset, 100);
  replay.annotation(`shoal skip=${SKIPPED_MAX + 1}`, before(3));
  offset += SKIPPED_MAX + 1;
  assertEquals(replay.history, { id: HISTORY, offset });
  assertEquals(tail.upTo(offset)?.oldestOffset, offset, "those before are given up");
});
