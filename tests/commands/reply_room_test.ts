import { assert, assertEquals } from "@std/assert";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { Shell } from "../support/shell.ts";

const SPECS = [...STRING_COMMANDS, ...LIST_COMMANDS, ...SET_TYPE_COMMANDS, ...ZSET_COMMANDS];
const REFUSAL = "-ERR the reply is larger than a client's waiting replies may be " +
  "(client-output-buffer-limit, 1 GiB at most), so nothing was removed\r\n";

const ITEM = "i".repeat(300);
const members = (n: number) => Array.from({ length: n }, (_, i) => `${ITEM}${100 + i}`);
const scored = (n: number) => members(n).flatMap((member, i) => [String(i / 8), member]);

/** What is stored, what removes from it, and bytes that its reply takes at least. */
const REMOVALS: readonly (readonly [store: string[], remove: string[], bytes: number])[] = [
  [["SET", "k", ITEM], ["GETDEL", "k"], 300],
  [["SET", "k", ITEM], ["GETSET", "k", "new"], 300],
  [["SET", "k", ITEM], ["SET", "k", "new", "GET"], 300],
  [["SET", "k", ITEM], ["GETEX", "k", "PXAT", "1"], 300],
  [["SET", "k", "x".repeat(50_000)], ["GETDEL", "k"], 50_000],
  [["RPUSH", "k", ITEM], ["LPOP", "k"], 300],
  [["RPUSH", "k", "x".repeat(100_000), "tail"], ["LPOP", "k"], 100_000],
  [["RPUSH", "k", ...members(3)], ["RPOP", "k", "3"], 900],
  [["RPUSH", "k", ...members(300)], ["LPOP", "k", "200"], 60_000],
  [["RPUSH", "k", ...members(300), "x".repeat(100_000)], ["RPOP", "k", "9"], 102_000],
  [["RPUSH", "k", ITEM], ["BLPOP", "k", "0"], 300],
  [["RPUSH", "k", ...members(4)], ["LMPOP", "1", "k", "LEFT", "COUNT", "4"], 1_200],
  [["RPUSH", "k", ...members(4)], ["BLMPOP", "0", "1", "k", "RIGHT", "COUNT", "9"], 1_200],
  [["SADD", "k", ITEM], ["SPOP", "k"], 300],
  [["SADD", "k", ...members(3)], ["SPOP", "k", "2"], 600],
  [["SADD", "k", ...members(3)], ["SPOP", "k", "3"], 900],
  [["SADD", "k", ...members(300)], ["SPOP", "k", "20"], 6_000],
  [["SADD", "k", ...members(300)], ["SPOP", "k", "300"], 90_000],
  [["SADD", "k", ...Array.from({ length: 100 }, (_, i) => `${i + 100}`)], ["SPOP", "k", "99"], 891],
  [["ZADD", "k", ...scored(1)], ["ZPOPMIN", "k"], 300],
  [["ZADD", "k", ...scored(9)], ["ZPOPMAX", "k", "8"], 2_400],
  [["ZADD", "k", ...scored(300)], ["ZPOPMIN", "k", "200"], 60_000],
  [["ZADD", "k", ...scored(1)], ["BZPOPMAX", "k", "0"], 300],
  [["ZADD", "k", ...scored(9)], ["ZMPOP", "1", "k", "MIN", "COUNT", "5"], 1_500],
  [["ZADD", "k", ...scored(300)], ["BZMPOP", "0", "1", "k", "MAX", "COUNT", "299"], 89_700],
];

for (const resp3 of [false, true]) {
  Deno.test(`what cannot be sent in RESP${resp3 ? 3 : 2} is not removed, what can be is`, () => {
    for (const [store, remove, bytes] of REMOVALS) {
      const name = remove.join(" ");
      const shell = new Shell(SPECS);
      shell.reply.resp3 = resp3;
      shell.run(...store);
      shell.heard();
      const keys = shell.keys[0];
      const usedBytes = keys.arena.usedBytes;
      const { dirty } = keys;
      for (const limit of ["limitBytes", "closingBytes"] as const) {
        const kept = shell.reply[limit];
        shell.reply[limit] = bytes;
        assertEquals(shell.run(...remove), REFUSAL, name);
        assertEquals(
          [shell.heard(), keys.dirty, keys.arena.usedBytes],
          [[], dirty, usedBytes],
          name,
        );
        shell.reply[limit] = kept;
      }
      // With a limit that the reply and what may be around it fit, it is sent.
      const whole = new Shell(SPECS);
      whole.reply.resp3 = resp3;
      whole.run(...store);
      const sent = whole.run(...remove).length;
      assert(sent > bytes, name);
      shell.reply.limitBytes = sent + 1_000;
      assertEquals(shell.run(...remove).length, sent, name);
      assert(!shell.reply.overflowed && shell.heard().length > 0, name);
    }
  });
}

Deno.test("where nobody reads replies, anything is removed", () => {
  const shell = new Shell(SPECS);
  shell.reply.limitBytes = 1_000;
  shell.reply.isUnread = true;
  for (const [store, remove] of REMOVALS) {
    shell.run(...store);
    shell.heard();
    shell.run(...remove);
    assert(shell.heard().length > 0, remove.join(" "));
    shell.call.keys.flush(0);
  }
});
