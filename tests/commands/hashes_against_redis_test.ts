import { assertEquals } from "@std/assert";
import { HASH_COMMANDS } from "../../src/commands/hashes.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { redisCommandInfo, specCommandInfo } from "../support/command_info.ts";
import { assertSameReplies, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SPECS = [...HASH_COMMANDS, ...STRING_COMMANDS, ...KEY_COMMANDS, ...OBJECT_COMMANDS];

/** The field expiry commands came with Redis 7.4, which is not the one to ask. */
const ASKED = HASH_COMMANDS.filter(({ since }) => !since.startsWith("7.4"));

// deno-fmt-ignore
const SINGLES = [
  "HSET", "HSET k", "HSET k f", "HSET k f v g", "HSET list f v", "HSET list f v g", "HSET k f v",
  "HSET k f w", "HSET k f v g w f x", "HGET k f", "HGET k none", "HGET none f", "HGET list f", "HGET k",
  "HGETALL k", "HGETALL none", "HGETALL list", "HKEYS k", "HKEYS none", "HKEYS list", "HVALS k",
  "HVALS none", "HVALS list", "HLEN k", "HLEN none", "HLEN list", "HEXISTS k f", "HEXISTS k none",
  "HEXISTS none f", "HEXISTS list f", "HSTRLEN k f", "HSTRLEN k none", "HSTRLEN none f",
  "HSTRLEN list f", "HMGET k f none g", "HMGET none f g", "HMGET list f", "HMGET k",
  "HMSET k f 1 h 2", "HMSET k f", "HMSET k f 1 h", "HMSET list f 1", "HSETNX k f 5", "HSETNX k new 5",
  "HSETNX fresh f v", "HSETNX list f v", "HSETNX k f", "HDEL k f none", "HDEL k f", "HDEL none f",
  "HDEL list f", "HDEL k", "HDEL k g h new", "EXISTS k", "HGETALL k", "HSET '' '' ''", "HGET '' ''",
  "HGETALL ''", "HDEL '' ''", "EXISTS ''", "TYPE fresh",
  "HSCAN none 0", "HSCAN list 0", "HSCAN none x", "HSCAN list x", "HSCAN fresh 0", "HSCAN fresh 5",
  "HSCAN fresh 99999999999", "HSCAN fresh 0 COUNT", "HSCAN fresh 0 COUNT 0", "HSCAN fresh 0 COUNT x",
  "HSCAN none 0 COUNT x", "HSCAN fresh 0 MATCH f*", "HSCAN fresh 0 MATCH g*", "HSCAN fresh 0 MATCH",
  "HSCAN fresh 0 TYPE hash", "HSCAN fresh 0 bogus", "HSCAN fresh 0 MATCH * COUNT 5 MATCH x",
  "HRANDFIELD none", "HRANDFIELD list", "HRANDFIELD fresh", "HRANDFIELD none 3", "HRANDFIELD list 3",
  "HRANDFIELD fresh 3", "HRANDFIELD fresh 0", "HRANDFIELD fresh -3", "HRANDFIELD fresh x",
  "HRANDFIELD fresh 3 WITHVALUES", "HRANDFIELD fresh -2 withvalues", "HRANDFIELD fresh 3 bogus",
  "HRANDFIELD fresh x bogus", "HRANDFIELD fresh 3 WITHVALUES x", "HRANDFIELD none -3 WITHVALUES",
  "HRANDFIELD fresh 9223372036854775807", "HRANDFIELD fresh 9223372036854775808",
  "HRANDFIELD fresh -9223372036854775808", "HRANDFIELD none -9223372036854775807",
  "HRANDFIELD none 4611686018427387903 WITHVALUES", "HRANDFIELD none 4611686018427387904 WITHVALUES",
  "HRANDFIELD none -4611686018427387904 WITHVALUES", "HRANDFIELD none 9223372036854775807 WITHVALUES",
  "HRANDFIELD",
];

// deno-fmt-ignore
const NUMBERS = [
  "v", "", "12345", "-7", "+7", "007", "0", "-0", "1.5", "3e2", " 1", "1 ", "inf", "nan",
  "9007199254740991", "9007199254740992", "-9007199254740993",
  "9223372036854775807", "-9223372036854775808", "9223372036854775808",
];

// deno-fmt-ignore
const FLOATS = [
  "0.1", "0.2", "-0.1", "-0", "1e17", "5.0e3", "1e-17", "1e-5000", "1.18973149535723176502e4932",
  "1e4933", "inf", "-Infinity", "nan", "0x1.8p-2", ".5", ".", "+1", "1e", "9".repeat(5119),
  "9".repeat(5120), "x", "",
];

function counterLines(): Line[] {
  const lines: Line[] = [];
  for (const value of NUMBERS) {
    for (const by of NUMBERS) {
      for (const name of ["HINCRBY", "HINCRBYFLOAT"]) {
        lines.push({ words: ["HSET", "k", "f", value] }, { words: [name, "k", "f", by] });
        lines.push({ words: ["HGET", "k", "f"] }, { words: ["DEL", "k"] });
        lines.push({ words: [name, "k", "f", by] }, { words: ["HGETALL", "k"] });
        lines.push({ words: [name, "list", "f", by] });
      }
    }
  }
  for (const value of FLOATS) {
    for (const by of FLOATS) {
      lines.push({ words: ["HSET", "k", "f", value] }, { words: ["HINCRBYFLOAT", "k", "f", by] });
      lines.push({ words: ["OBJECT", "ENCODING", "k"] });
    }
  }
  lines.push({ words: ["HINCRBY", "k", "f"] }, { words: ["HINCRBYFLOAT", "k", "f"] });
  return lines;
}

/** What makes a listpack a table, and that it stays one. */
function encodingLines(): Line[] {
  const lines: Line[] = [];
  const ask = { words: ["OBJECT", "ENCODING", "e"] };
  const add = (...words: string[]) => lines.push({ words }, ask);
  add("HSET", "e", "f", "x".repeat(64));
  add("HSET", "e", "g".repeat(64), "v");
  add("HSET", "e", "f", "x".repeat(65));
  add("HSET", "e", "f", "x");
  add("DEL", "e");
  add("HSET", "e", "g".repeat(65), "v");
  add("DEL", "e");
  add("HSET", "e", "a", "1", "b", "x".repeat(65));
  add("DEL", "e");
  add("HSETNX", "e", "a", "x".repeat(65));
  add("DEL", "e");
  add("HINCRBYFLOAT", "e", "a", "1e70");
  add("DEL", "e");
  for (let i = 0; i < 514; i++) add("HSET", "e", `f${i}`, String(i));
  add("HDEL", "e", ...Array.from({ length: 500 }, (_, i) => `f${i}`));
  add("HLEN", "e");
  return lines;
}

/** Random commands on hashes that stay packed, where even the order of fields is the same. */
function randomLines(seed: number): Line[] {
  const random = new Random(seed);
  const lines: Line[] = [{ words: ["DEL", "k", "m", "n"] }];
  const field = () =>
    random.pick(["a", "b", "12", "-1", "300", "40000", "7".repeat(18), "x y", "ä"]);
  const value = () =>
    random.pick([
      "",
      "1",
      "-129",
      "4095",
      "4096",
      "65536",
      "16777216",
      "5000000000",
      "v",
      "w".repeat(64),
    ]);
  for (let i = 0; i < 20_000; i++) {
    const key = random.pick(["k", "m", "n"]);
    const dice = random.below(100);
    if (dice < 35) lines.push({ words: ["HSET", key, field(), value()] });
    else if (dice < 40) {
      lines.push({ words: ["HMSET", key, field(), value(), field(), value(), field(), value()] });
    } else if (dice < 45) lines.push({ words: ["HSETNX", key, field(), value()] });
    else if (dice < 60) lines.push({ words: ["HDEL", key, field(), field()] });
    else if (dice < 68) lines.push({ words: ["HINCRBY", key, field(), value()] });
    else if (dice < 72) lines.push({ words: ["HINCRBYFLOAT", key, field(), "0.25"] });
    else if (dice < 80) lines.push({ words: ["HMGET", key, field(), field(), field()] });
    else if (dice < 85) lines.push({ words: ["HSTRLEN", key, field()] });
    else if (dice < 90) lines.push({ words: ["HGETALL", key] });
    else if (dice < 93) lines.push({ words: ["HVALS", key] }, { words: ["HKEYS", key] });
    else if (dice < 96) lines.push({ words: ["HSCAN", key, "0", "MATCH", "*[0-9]*"] });
    else lines.push({ words: ["DEL", key] });
  }
  return lines;
}

asksRedis("the hash commands reply what redis-server replies, byte for byte", async (redis) => {
  const seed = testSeed(4_712);
  const lines = [
    ...SINGLES.map((line) => ({ words: words(line) })),
    ...counterLines(),
    ...encodingLines(),
    ...randomLines(seed),
  ];
  await assertSameReplies(redis, SPECS, lines, seed);
  assertEquals(specCommandInfo(ASKED), await redisCommandInfo(redis, ASKED));
});
