import { assertEquals } from "@std/assert";
import { asksRedis, redisVersion } from "../support/asking_redis.ts";
import { CONNECTION, GENERIC } from "../support/generic_commands.ts";
import { assertSameReplies, differences, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const INTEGERS = [
  ..."0 1 -1 15 16 -16 x 1.5 +1 01 2147483647 2147483648 -2147483648 -2147483649".split(" "),
  ..."99999999999 9007199254740993 9223372036854775807 9223372036854775808".split(" "),
  "''",
];

// deno-fmt-ignore
const SINGLES = [
  "DEL", "DEL none", "UNLINK", "EXISTS", "TOUCH", "TYPE", "TYPE none", "TYPE list", "TYPE a b",
  "SET a 1", "SET b 2", "EXISTS a b none a list", "TOUCH a b none list", "TYPE a",
  "DEL a none a", "UNLINK b b", "DBSIZE", "DBSIZE x",
  "SET a 1", "RENAME", "RENAME a", "RENAME none a", "RENAME none none", "RENAME a a",
  "RENAMENX none a", "RENAMENX none none", "RENAMENX a a", "SET b 2", "RENAMENX a b",
  "RENAME a b", "GET b", "EXISTS a", "RENAMENX b a", "GET a", "RENAME a list", "GET list",
  "COPY", "COPY list", "COPY list list", "COPY none none", "COPY none x", "COPY list a", "GET a",
  "COPY list a", "COPY list a REPLACE", "COPY list a replace replace", "COPY list a REPLACE X",
  "COPY list a DB", "COPY list a REPLACE DB", "COPY list list DB 1", "COPY list list DB 1",
  "COPY list list DB 0", "COPY list list DB 1 REPLACE", "COPY none none DB x", "COPY list n DB 2 DB 3",
  "SET m v", "MOVE", "MOVE m", "MOVE m 0", "MOVE none 0", "MOVE none 1", "MOVE m 1", "MOVE m 1",
  "SET m w", "MOVE m 1", "DEL m",
  "SWAPDB 0", "SWAPDB 0 0", "SWAPDB 1 1", "SWAPDB 0 1", "DBSIZE", "SWAPDB 1 0", "DBSIZE",
  "FLUSHDB X", "FLUSHDB ASYNC SYNC", "FLUSHALL X", "FLUSHALL SYNC ASYNC", "FLUSHDB SYNC", "DBSIZE",
  "RANDOMKEY", "RANDOMKEY x", "KEYS", "KEYS *", "SET only v", "RANDOMKEY", "KEYS *", "KEYS o?ly",
  "KEYS [m-p]nl*", "KEYS ''", "KEYS x", "KEYS * *", "SCAN 0", "SCAN 0 MATCH x*", "SCAN 0 MATCH o*",
  "SCAN 0 TYPE string", "SCAN 0 TYPE STRING", "SCAN 0 TYPE list", "SCAN 0 TYPE nope", "SCAN",
  "SCAN 0 COUNT", "SCAN 0 COUNT x", "SCAN 0 COUNT 0", "SCAN 0 COUNT -1", "SCAN 0 COUNT 100",
  "SCAN 0 COUNT 9223372036854775807", "SCAN 0 COUNT 9223372036854775808", "SCAN 0 MATCH",
  "SCAN 0 FOO bar", "SCAN 0 COUNT 10 MATCH * TYPE string", "SCAN x", "SCAN 0x", "SCAN +0", "SCAN -0",
  "SCAN ''", "SCAN - ", "SCAN 18446744073709551616", "SCAN 0 MATCH * COUNT", "SCAN x COUNT 0",
  "FLUSHALL ASYNC", "DBSIZE",
  "EXPIRE", "EXPIRE a", "EXPIRE a 1 foo", "EXPIRE a 1 ''", "EXPIRE none 10", "EXPIRE none x",
  "TTL", "TTL none", "PTTL none", "EXPIRETIME none", "PEXPIRETIME none", "PERSIST none", "PERSIST",
  "SET e v", "TTL e", "PTTL e", "EXPIRETIME e", "PEXPIRETIME e", "PERSIST e", "EXPIRE e 100",
  "TTL e", "PERSIST e", "TTL e", "PEXPIREAT e 4000000000499", "EXPIRETIME e", "PEXPIRETIME e",
  "PEXPIREAT e 4000000000500", "EXPIRETIME e", "EXPIREAT e 4000000000", "PEXPIRETIME e",
  "RENAME e f", "PEXPIRETIME f", "COPY f g", "PEXPIRETIME g", "MOVE g 1", "TTL g",
  "EXPIRE f 0", "EXISTS f", "SET f v", "PEXPIRE f -1", "EXISTS f",
  "OBJECT", "OBJECT FOO", "OBJECT FOO a", "OBJECT ENCODING", "OBJECT ENCODING none",
  "OBJECT ENCODING a b", "OBJECT FREQ none", "OBJECT IDLETIME none", "OBJECT REFCOUNT none",
  "OBJECT HELP x", "SET o abc", "OBJECT FREQ o", "OBJECT IDLETIME o", "OBJECT REFCOUNT o",
  "OBJECT ENCODING o", "object encoding o", "APPEND o d", "OBJECT ENCODING o", "SET o 12",
  "OBJECT ENCODING o", "OBJECT REFCOUNT o", "APPEND o 3", "OBJECT ENCODING o", "INCR o",
  "OBJECT ENCODING o", "SETRANGE o 0 9", "OBJECT ENCODING o", "SET o -1", "OBJECT REFCOUNT o",
  "SET o 9999", "OBJECT REFCOUNT o", "SET o 10000", "OBJECT REFCOUNT o", "SETRANGE fresh 0 abc",
  "OBJECT ENCODING fresh", "APPEND fresh2 12", "OBJECT ENCODING fresh2", "COPY o oo",
  "OBJECT ENCODING oo",
  "MEMORY", "MEMORY FOO", "MEMORY USAGE", "MEMORY USAGE none", "MEMORY USAGE o SAMPLES",
  "MEMORY USAGE o SAMPLES -1", "MEMORY USAGE o SAMPLES x", "MEMORY USAGE o X", "MEMORY PURGE",
  "MEMORY USAGE none SAMPLES 0", "MEMORY PURGE x", "MEMORY STATS x", "MEMORY DOCTOR x",
  "PING", "PING hello", "PING a b", "PING ''", "ECHO", "ECHO hello", "ECHO a b", "TIME x", "RESET x",
  "DUMP", "DUMP none", "DUMP o", "RESTORE", "RESTORE r 0", "RESTORE o 0 x", "RESTORE o x x",
  "RESTORE r x x", "RESTORE r -1 x", "RESTORE r 0 x", "RESTORE r 0 ''", "RESTORE r 0 x REPLACE FOO",
  "RESTORE r 0 x IDLETIME", "RESTORE r 0 x IDLETIME -1", "RESTORE r 0 x IDLETIME x",
  "RESTORE r 0 x FREQ 256", "RESTORE r 0 x FREQ -1", "RESTORE r 0 x FREQ 255 IDLETIME 1",
  "RESTORE r 0 x IDLETIME 1 FREQ 1", "RESTORE r 0 x REPLACE ABSTTL", "RESTORE o 0 x REPLACE",
  "EXISTS o",
  "COMMAND FOO", "COMMAND COUNT x", "COMMAND INFO none", "COMMAND INFO object|none object|freq|x",
  "COMMAND DOCS none", "COMMAND GETKEYS none x", "COMMAND GETKEYS ping x", "COMMAND GETKEYS get x y",
  "COMMAND GETKEYS get x", "COMMAND GETKEYS object freq x", "COMMAND GETKEYS object none x",
  "COMMAND GETKEYS object|freq x y", "COMMAND GETKEYS object x y", "COMMAND GETKEYS DEL a b c",
  "COMMAND GETKEYS MSET a 1 b 2", "COMMAND GETKEYS MSET a 1 b", "COMMAND GETKEYS LCS a b LEN",
  "COMMAND GETKEYS FLUSHALL ASYNC", "COMMAND GETKEYSANDFLAGS RENAME a b",
  "COMMAND GETKEYSANDFLAGS COPY a b REPLACE", "COMMAND GETKEYSANDFLAGS MGET a b",
  "COMMAND GETKEYSANDFLAGS EXPIRE a 1", "COMMAND GETKEYSANDFLAGS memory usage a",
  "COMMAND LIST FOO", "COMMAND LIST FILTERBY", "COMMAND LIST FILTERBY MODULE",
  "COMMAND LIST FILTERBY MODULE x", "COMMAND LIST FILTERBY X y", "COMMAND LIST FILTERBY ACLCAT x",
  "COMMAND LIST FILTERBY PATTERN expireTIM*", "COMMAND LIST FILTERBY PATTERN a FILTERBY PATTERN b",
];

function lines(): Line[] {
  const out = SINGLES.map((line): Line => ({ words: words(line) }));
  const add = (line: string) => out.push({ words: words(line) });
  add("FLUSHALL"); // the order in which SCAN lists several keys is nobody's promise
  for (const n of INTEGERS) {
    for (const name of ["SELECT", "SWAPDB 0", "MOVE m", "COPY m n DB", "MOVE none"]) {
      if (name === "SELECT" && Number(n) < 16 && Number(n) >= 0) continue; // the shell would follow
      add(`${name} ${n}`);
    }
    add(`SWAPDB ${n} 0`);
    add(`SCAN 0 COUNT ${n}`);
  }
  const times = [...INTEGERS, "4000000000", "4000000000000", "-9223372036854775808"];
  times.push("9223372036854775", "9223372036854776", "-9223372036854775", "-9223372036854776");
  for (const name of ["EXPIRE", "PEXPIRE", "EXPIREAT", "PEXPIREAT"]) {
    for (const time of times) {
      add("SET k v");
      add(`${name} k ${time}`);
      // A deadline in the next minute may pass on one side between two lines.
      const isNear = !name.endsWith("AT") && Number(time) > 0 && Number(time) < 60_000;
      if (!isNear) add("EXISTS k");
      add(`${name} none ${time}`);
    }
    const options = ["", "NX", "XX", "GT", "LT", "nx", "xx gt", "XX LT", "NX XX", "GT LT", "NX LT"];
    for (const before of ["PERSIST k", "PEXPIREAT k 4000000000000", "PEXPIREAT k 5000000000000"]) {
      for (const option of options) {
        for (const [seconds, scale] of [["4500000000", ""], ["4000000000", ""], ["-1", ""]]) {
          add("SET k v");
          add(before);
          const time = name === "PEXPIREAT" && seconds !== "-1" ? `${seconds}000` : seconds;
          if (name.endsWith("AT") || seconds === "-1") {
            add(`${name} k ${time}${scale} ${option}`.trim());
          }
          add("EXISTS k");
          if (name.endsWith("AT")) add("PEXPIRETIME k");
        }
      }
    }
  }
  const encodings = ["", "a", "12", "007", "-0", "1.5", " 1", "9223372036854775807"];
  encodings.push("9223372036854775808", "-9223372036854775808", "x".repeat(44), "x".repeat(45));
  for (const value of encodings) {
    for (const follow of ["GET k", "APPEND k ''", "SETRANGE k 0 ''", "APPEND k 1", "GETSET k 5"]) {
      out.push({ words: ["SET", "k", value] });
      add(follow);
      add("OBJECT ENCODING k");
      // Longer ones are compressed, which can be done in more than one way.
      if (value.length < 20) add("DUMP k");
    }
  }
  return out;
}

asksRedis(
  "the commands on keys of any type reply what redis-server replies, byte for byte",
  (redis) => assertSameReplies(redis, [...GENERIC, ...CONNECTION], lines()),
);

asksRedis("random runs of commands on keys reply what redis-server replies", async (redis) => {
  const seed = testSeed(8_128);
  const random = new Random(seed);
  const key = () => `k${random.below(6)}`;
  const far = () => String(4_000_000_000_000 + random.below(4));
  const makers: (() => string)[] = [
    () => `SET ${key()} ${random.below(1000)}`,
    () => `SET ${key()} ${"v".repeat(random.below(60))}x PXAT ${far()}`,
    () => `APPEND ${key()} x`,
    () => `DEL ${key()} ${key()}`,
    () => `EXISTS ${key()} ${key()} ${key()}`,
    () => `RENAME ${key()} ${key()}`,
    () => `RENAMENX ${key()} ${key()}`,
    () => `COPY ${key()} ${key()} ${random.pick(["", "REPLACE", "DB 1", "DB 0 REPLACE"])}`.trim(),
    () => `MOVE ${key()} 1`,
    () => `SWAPDB 0 1`,
    () => `PERSIST ${key()}`,
    () => `PEXPIREAT ${key()} ${far()} ${random.pick(["", "NX", "XX", "GT", "LT"])}`.trim(),
    () => `EXPIRE ${key()} -1`,
    () => `PEXPIRETIME ${key()}`,
    () => `TYPE ${key()}`,
    () => `OBJECT ENCODING ${key()}`,
    () => `GET ${key()}`,
    () => "DBSIZE",
  ];
  const lines: Line[] = Array.from(
    { length: 8_000 },
    (_, i) => ({ words: words(i % 2_000 === 1_999 ? "FLUSHALL" : random.pick(makers)()) }),
  );
  const found = await differences(redis, GENERIC, lines, 2);
  assertEquals(found.slice(0, 20), [], `redis ${redisVersion}, seed ${seed}`);
});
