import { HYPERLOGLOG_COMMANDS } from "../../src/commands/hyperloglog.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { assertSameReplies, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SPECS = [...STRING_COMMANDS, ...HYPERLOGLOG_COMMANDS];

// deno-fmt-ignore
const SINGLES = [
  "PFADD", "PFADD h", "PFADD h", "GET h", "PFADD h a", "GET h", "PFADD h a", "PFCOUNT h", "GET h",
  "PFADD h ''", "GET h", "PFCOUNT", "PFCOUNT none", "PFCOUNT none none", "PFMERGE", "PFMERGE m",
  "GET m", "PFMERGE m h none", "GET m", "PFCOUNT m h", "SET s text", "SET i 12345",
  "PFADD s a", "PFADD i a", "PFADD list a", "PFADD s", "PFCOUNT s", "PFCOUNT i", "PFCOUNT list",
  "PFCOUNT h s", "PFCOUNT h list", "PFMERGE s", "PFMERGE s h", "PFMERGE h s", "PFMERGE list h",
  "PFMERGE h list", "PFMERGE h none s list", "PFDEBUG", "PFDEBUG x", "PFSELFTEST", "PFSELFTEST x", "PFDEBUG x h", "PFDEBUG GETREG none",
  "PFDEBUG GETREG s", "PFDEBUG GETREG list", "PFDEBUG DECODE h", "PFDEBUG decode m", "PFDEBUG ENCODING h",
  "PFDEBUG ENCODING h x", "PFDEBUG TODENSE m", "PFDEBUG TODENSE m", "PFDEBUG DECODE m", "PFDEBUG ENCODING m",
  "PFDEBUG GETREG h", "PFDEBUG ENCODING h", "GET h", "PFCOUNT h", "GET h", "PFMERGE n h m", "GET n",
];

function header(encoding: number, stale: number, body: readonly number[]): Uint8Array {
  return Uint8Array.from(
    [72, 89, 76, 76, encoding, 1, 2, 3, 9, 0, 0, 0, 0, 0, 0, stale, ...body],
  );
}

/** Strings that say they are HyperLogLogs, some of which are. Redis asserts on worse ones. */
function crafted(random: Random): Uint8Array[] {
  const dense = (value: number) => new Array(12_288).fill(value);
  const bytes = Array.from({ length: 12_288 }, () => random.below(256));
  const all51 = [0xf3, 0x3c, 0xcf]; // four registers of 51
  return [
    header(1, 0, [0x7f, 0xff]),
    header(1, 0x80, [0x7f, 0xff]),
    header(1, 0x80, [0x7f, 0xfe]),
    header(1, 0x80, [0x7f, 0xff, 0x00]),
    header(1, 0x80, [0x7f, 0xff, 0x80]),
    header(1, 0x80, []),
    header(1, 0x80, [0x3f, 0x7f, 0xbf]),
    header(1, 0x80, [0x83, 0x80, 0x80, 0x81, 0x7f, 0xf7]),
    header(1, 0x7f, [0x7f, 0xff]),
    header(2, 0x80, [0x7f, 0xff]),
    header(0, 0x80, dense(0)),
    header(0, 0x80, dense(255)),
    header(0, 0x80, bytes),
    header(0, 0x80, Array.from({ length: 12_288 }, (_, i) => all51[i % 3])),
    header(0, 0x80, [...all51, ...dense(0).slice(3)]),
    header(0, 0x80, Array.from({ length: 12_288 }, (_, i) => i < 12_286 ? all51[i % 3] : 0)),
    header(0, 0x80, dense(0).slice(1)),
    header(0, 0, dense(7)),
    header(1, 0x80, [0x7f, 0xff]).with(3, 88),
    header(1, 0x80, []).slice(0, 15),
  ];
}

function lines(seed: number): Line[] {
  const random = new Random(seed);
  const all: Line[] = SINGLES.map((line) => ({ words: words(line) }));
  for (const value of crafted(random)) {
    all.push({ words: ["SET", "c", value] });
    for (
      const line of ["PFCOUNT c", "GET c", "PFCOUNT c n", "PFMERGE t n c", "PFMERGE c n", "GET c"]
    ) all.push({ words: words(line) });
    all.push({ words: ["SET", "c", value] }, { words: ["PFDEBUG", "GETREG", "c"] });
    all.push({ words: ["GET", "c"] }, { words: ["GETDEL", "t"] });
  }
  // One element at a time: the value's bytes after each of them, from empty to dense.
  for (let i = 0; i < 1_600; i++) {
    const element = random.bytes(random.below(20));
    all.push({ words: ["PFADD", "grows", element] }, { words: ["GET", "grows"] });
    if (i % 100 === 0) all.push({ words: ["PFCOUNT", "grows"] });
  }
  // Many at a time, merged in all combinations of the encodings.
  for (let i = 0; i < 300; i++) {
    const key = () => `h${random.below(6)}`;
    const few = 1 + random.below(random.pick([3, 30, 400]));
    const elements = Array.from({ length: few }, () => `e${random.below(1e5)}`);
    all.push({ words: ["PFADD", key(), ...elements] });
    const target = random.pick([key(), "m0", "m1"]);
    all.push({ words: ["PFMERGE", target, key(), random.pick([key(), "grows", "none"])] });
    all.push({ words: ["GET", target] }, { words: ["PFCOUNT", target] }, {
      words: ["GET", target],
    });
    all.push({ words: ["PFCOUNT", key(), key(), target] });
    all.push({ words: ["PFDEBUG", "DECODE", key()] }, { words: ["PFDEBUG", "ENCODING", key()] });
    if (i % 20 === 0) all.push({ words: ["GETDEL", key()] }, { words: ["GETDEL", target] });
  }
  return all;
}

asksRedis("HyperLogLogs have redis-server's bytes and counts, command by command", (redis) => {
  const seed = testSeed(577);
  return assertSameReplies(redis, SPECS, lines(seed), seed);
});
