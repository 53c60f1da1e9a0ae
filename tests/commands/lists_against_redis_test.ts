import { assertEquals } from "@std/assert";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { LIST_COMMANDS } from "../../src/commands/lists.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { differences, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SEED = testSeed(20_270_302);
const SPECS = [...STRING_COMMANDS, ...LIST_COMMANDS, ...KEY_COMMANDS, ...OBJECT_COMMANDS];

// deno-fmt-ignore
const SINGLES = [
  "LPUSH", "LPUSH k", "LPUSH k a", "LPUSH k b c", "LRANGE k 0 -1", "RPUSH k 1 -5 123456789012", "LRANGE k 0 -1",
  "LPUSHX none a", "RPUSHX none a", "EXISTS none", "LPUSHX k x", "RPUSHX k y z", "LLEN k", "LLEN none",
  "SET s v", "LPUSH s a", "RPUSH s a", "LPUSHX s a", "LLEN s", "LPOP s", "RPOP s 1", "LINDEX s 0",
  "LSET s 0 x", "LINSERT s BEFORE a b", "LREM s 0 a", "LRANGE s 0 -1", "LTRIM s 0 -1", "LPOS s a",
  "LMOVE s k LEFT LEFT", "LMOVE k s LEFT LEFT", "RPOPLPUSH s k", "RPOPLPUSH k s", "LMPOP 1 s LEFT",
  "LMPOP 2 none s LEFT", "BLPOP s 0", "BRPOP none s 0", "BLMOVE s k LEFT LEFT 0", "BLMOVE k s LEFT LEFT 0",
  "BRPOPLPUSH s k 0", "BLMPOP 0 2 none s LEFT", "LLEN k",
  "LINDEX k 0", "LINDEX k -1", "LINDEX k 100", "LINDEX k -100", "LINDEX k x", "LINDEX none x", "LINDEX none 0",
  "LINDEX k 9223372036854775807", "LINDEX k -9223372036854775808", "LINDEX k 9223372036854775808",
  "LSET k 0 first", "LSET k -1 last", "LSET k 100 x", "LSET k -100 x", "LSET k x x", "LSET none 0 x",
  "LSET none x x", "LRANGE k 0 -1", "LRANGE k 1 3", "LRANGE k -3 -2", "LRANGE k 3 1", "LRANGE k -100 100",
  "LRANGE k 100 200", "LRANGE k x 1", "LRANGE k 1 x", "LRANGE none x 1", "LRANGE none 0 1", "LRANGE s x 1",
  "LRANGE k -9223372036854775808 9223372036854775807", "LRANGE k 0 9223372036854775808",
  "LINSERT k BEFORE c B", "LINSERT k after c A", "LINSERT k NEAR c A", "LINSERT none BEFORE c A",
  "LINSERT k BEFORE nope A", "LINSERT k AFTER last end", "LINSERT k BEFORE first start", "LRANGE k 0 -1",
  "LINSERT k AFTER 123456789012 12", "LINSERT k AFTER 12 ''", "LINSERT k BEFORE '' x", "LRANGE k 0 -1",
  "LREM k 0 nope", "LREM k x a", "LREM k 1 A", "LREM none 0 a", "LREM none -9223372036854775808 a",
  "LREM k -9223372036854775807 B", "LREM none x a", "LREM s x a", "LREM k 9223372036854775807 12", "LRANGE k 0 -1",
  "RPUSH r a b a c a d a", "LREM r 2 a", "LRANGE r 0 -1", "LREM r -1 a", "LRANGE r 0 -1", "LREM r 0 a", "LRANGE r 0 -1",
  "LREM r -9223372036854775808 nope", "LREM r -9223372036854775809 d", "LREM r -5 d", "LREM r 5 c", "RPUSH r e b e e", "LREM r -9223372036854775808 e", "LRANGE r 0 -1",
  "LREM r 0 b", "EXISTS r", "LREM r 0 b",
  "RPUSH t 0 1 2 3 4 5 6 7 8 9", "LTRIM t 1 -2", "LRANGE t 0 -1", "LTRIM t x 1", "LTRIM t 1 x", "LTRIM none 0 1",
  "LTRIM none x 1", "LTRIM t -3 100", "LRANGE t 0 -1", "LTRIM t 0 -1", "LTRIM t 2 1", "EXISTS t",
  "RPUSH t a", "LTRIM t 5 10", "EXISTS t", "LTRIM s x 0",
  "RPUSH p a b c d e f g h", "LPOP p", "RPOP p", "LPOP p 2", "RPOP p 2", "LPOP p 0", "RPOP p 0", "LPOP p -1",
  "LPOP p x", "LPOP p 1 2", "RPOP p 1 2", "LPOP none", "LPOP none 1", "LPOP none 0", "LPOP none x", "RPOP none -1",
  "LPOP p 100", "EXISTS p", "LPOP p 9223372036854775807", "LPOP p 9223372036854775808", "LPOP s 0", "LPOP s -1",
  "RPUSH l a b c 1 2 3 c c", "LPOS l c", "LPOS l c RANK 2", "LPOS l c RANK -1", "LPOS l c RANK -3", "LPOS l c RANK 4",
  "LPOS l c RANK 0", "LPOS l c COUNT 0", "LPOS l c COUNT 2", "LPOS l c COUNT -1", "LPOS l c RANK -1 COUNT 2",
  "LPOS l c RANK 2 COUNT 0", "LPOS l c MAXLEN 2", "LPOS l c MAXLEN 3", "LPOS l c COUNT 0 MAXLEN 7",
  "LPOS l c COUNT 0 RANK -1 MAXLEN 2", "LPOS l c COUNT 0 RANK -2 MAXLEN 2", "LPOS l c MAXLEN -1", "LPOS l c MAXLEN x",
  "LPOS l c RANK x", "LPOS l c COUNT x", "LPOS l c RANK", "LPOS l c FOO 1", "LPOS l c COUNT 0 RANK", "LPOS l 2",
  "LPOS l nope", "LPOS l nope COUNT 0", "LPOS none a", "LPOS none a COUNT 1", "LPOS none a RANK 0", "LPOS l",
  "LPOS l c RANK 9223372036854775807", "LPOS l c RANK -9223372036854775808", "LPOS l c RANK -9223372036854775807",
  "LPOS l c COUNT 1 COUNT 0", "LPOS l c rank 1 rank -1",
  "RPUSH m a b c", "LMOVE m n LEFT RIGHT", "LMOVE m n RIGHT LEFT", "LMOVE m m LEFT RIGHT", "LMOVE m n left left",
  "EXISTS m", "LRANGE n 0 -1", "LMOVE n n LEFT RIGHT", "LMOVE n n RIGHT RIGHT", "LRANGE n 0 -1", "LMOVE none n LEFT LEFT",
  "LMOVE none s LEFT LEFT", "LMOVE n o UP LEFT", "LMOVE n o LEFT UP", "LMOVE n o", "RPOPLPUSH n o", "RPOPLPUSH o o",
  "RPOPLPUSH n n", "RPOPLPUSH none o", "RPOPLPUSH none s", "LRANGE n 0 -1", "LRANGE o 0 -1",
  "LMPOP", "LMPOP 1 n", "LMPOP 0 n LEFT", "LMPOP -1 n LEFT", "LMPOP x n LEFT", "LMPOP 1 n UP", "LMPOP 2 n LEFT",
  "LMPOP 1 n LEFT COUNT", "LMPOP 1 n LEFT COUNT 0", "LMPOP 1 n LEFT COUNT x", "LMPOP 1 n LEFT COUNT -1", "LMPOP 1 n LEFT FOO 1",
  "LMPOP 1 n LEFT COUNT 1 COUNT 2", "LMPOP 1 none LEFT", "LMPOP 2 none n LEFT", "RPUSH n 1 2 3 4 5", "LMPOP 2 none n RIGHT COUNT 2",
  "LMPOP 2 none n left count 100", "EXISTS n", "LMPOP 9223372036854775807 n LEFT", "LMPOP 1 n LEFT COUNT 9223372036854775807",
  "RPUSH b 1 2 3 4 5 6 7 8 9", "BLPOP b 0", "BRPOP b 0.5", "BLPOP none b none 1e1", "BRPOP none b 0x10", "BLMOVE b c LEFT RIGHT 0",
  "BRPOPLPUSH b c 0", "BLMPOP 0 2 none b LEFT COUNT 2", "BLMPOP 0 1 b RIGHT", "EXISTS b", "LRANGE c 0 -1",
  "BLPOP", "BLPOP b", "BLPOP b x", "BLPOP b -1", "BLPOP b ''", "BLPOP b nan", "BLPOP b -inf", "BLPOP b -0.0011", "BLPOP c inf", "BLPOP c 1e300", "BLPOP c 1e400", "BLPOP c -1e400", "BRPOP b 1 x",
  "BLMOVE c d UP LEFT x", "BLMOVE c d LEFT UP x", "BLMOVE c d LEFT LEFT x", "BLMOVE c d LEFT LEFT -1", "BRPOPLPUSH c d x",
  "BLMPOP x 1 c LEFT", "BLMPOP 0 x c LEFT", "BLMPOP 0 0 c LEFT", "BLMPOP 0 1 c UP", "BLMPOP 0 2 c LEFT", "BLMPOP 0 1 c LEFT FOO 1",
  "BLMPOP 0 1 c LEFT COUNT 0", "BLMPOP -1 x c LEFT", "BLMPOP 0 1 c", "LRANGE c 0 -1", "DEL c", "COPY l ll", "LRANGE ll 0 -1",
  "RENAME ll lll", "LLEN lll", "TYPE lll", "OBJECT ENCODING lll",
];

const NO_OPPOSITE = "-ERR value is out of range, value must between -9223372036854775807 and " +
  "9223372036854775807\r\n";
/** Where Redis 7.2 differs from 7.0, which is asked. */
const LATER: Readonly<Record<string, string>> = {
  "LPOS l c RANK -9223372036854775808": NO_OPPOSITE,
  "OBJECT ENCODING lll": "$8\r\nlistpack\r\n",
  "BLPOP c inf": "-ERR timeout is out of range\r\n",
  "BLPOP c 1e300": "-ERR timeout is out of range\r\n",
  "BLPOP c 1e400": "-ERR timeout is out of range\r\n",
};

/** Commands on a few lists of a few items, some of them long. */
function randomLines(random: Random, count: number): Line[] {
  const key = () => `k${random.below(3)}`;
  const index = () => String(random.below(random.below(5) === 0 ? 4_000 : 12) - 6);
  const item = () => {
    const kind = random.below(20);
    if (kind < 10) return String(random.below(6));
    if (kind < 14) return `item:${random.below(4)}`;
    if (kind < 17) return String(random.below(2 ** 45) - 2 ** 44);
    if (kind < 19) return "x".repeat(random.below(300));
    return "y".repeat(random.below(9_000));
  };
  const end = () => random.pick(["LEFT", "RIGHT"]);
  const make: (() => string[])[] = [
    () => ["LPUSH", key(), ...Array.from({ length: 1 + random.below(6) }, item)],
    () => ["RPUSH", key(), ...Array.from({ length: 1 + random.below(6) }, item)],
    () => ["RPUSH", key(), ...Array.from({ length: random.below(150) }, item), "z"],
    () => ["LPUSHX", key(), item()],
    () => ["RPUSHX", key(), item(), item()],
    () => ["LPOP", key()],
    () => ["RPOP", key(), String(random.below(8))],
    () => ["LPOP", key(), String(random.below(40))],
    () => ["LLEN", key()],
    () => ["LINDEX", key(), index()],
    () => ["LSET", key(), index(), item()],
    () => ["LINSERT", key(), random.pick(["BEFORE", "AFTER"]), item(), item()],
    () => ["LREM", key(), String(random.below(5) - 2), item()],
    () => ["LRANGE", key(), index(), index()],
    () => ["LPOS", key(), item(), "RANK", random.pick(["1", "-1", "2", "-2"]), "COUNT", "0"],
    () => ["LPOS", key(), item(), "MAXLEN", String(random.below(50)), "RANK", "-1"],
    () => ["LMOVE", key(), key(), end(), end()],
    () => ["LMOVE", key(), key(), end(), end()],
    () => ["RPOPLPUSH", key(), key()],
    () => ["LMPOP", "2", key(), key(), end(), "COUNT", String(1 + random.below(5))],
    () => ["LRANGE", key(), "0", "-1"],
    () =>
      random.below(4) > 0 ? ["TYPE", key()] : ["LTRIM", key(), index(), String(-random.below(3))],
    () => random.below(6) > 0 ? ["EXISTS", key()] : ["DEL", key()],
    () => ["COPY", key(), key(), "REPLACE"],
  ];
  return Array.from({ length: count }, () => ({ words: random.pick(make)() }));
}

for (const protocol of [2, 3] as const) {
  asksRedis(`list commands reply as redis-server does, RESP${protocol}`, async (redis) => {
    const lines = SINGLES.map((line): Line => {
      const ours = LATER[line];
      return ours === undefined ? { words: words(line) } : { words: words(line), ours };
    });
    assertEquals(await differences(redis, SPECS, lines, protocol), []);
  });
}

asksRedis(
  "random list commands reply as redis-server does, whatever the size of packs",
  async (redis) => {
    const random = new Random(SEED);
    for (const size of [-2, -1, 5]) {
      await redis.run("CONFIG", "SET", "list-max-listpack-size", String(size));
      const lines = randomLines(random, 1_200);
      const found = await differences(redis, SPECS, lines, 2, (shell) => {
        for (const keys of shell.keys) keys.limits.listMaxListpackSize = size;
      });
      assertEquals(found.slice(0, 3), [], `seed ${SEED}, size ${size}`);
    }
  },
);
