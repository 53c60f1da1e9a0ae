import { assertEquals } from "@std/assert";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { asksRedis, redisVersion } from "../support/asking_redis.ts";
import { assertSameReplies, differences, type Line, words } from "../support/differential.ts";
import { GENERIC } from "../support/generic_commands.ts";
import { Random, testSeed } from "../support/random.ts";

const COMMANDS = [...SET_TYPE_COMMANDS, ...GENERIC];

const INTEGERS = [
  ..."0 1 -1 2 x 1.5 +1 01 99999999999 9007199254740993 9223372036854775807".split(" "),
  ..."9223372036854775808 -9223372036854775807 -9223372036854775808 ''".split(" "),
];

// What is listed here replies in an order that both servers must give, or with one member at most.
// deno-fmt-ignore
const SINGLES = [
  "SADD", "SADD a", "SADD a 1", "SADD a 1", "SADD a 1 2 3", "SADD a 3 2 1", "SADD list x", "SADD a ''",
  "SREM", "SREM a", "SREM none x", "SREM list x", "SREM a x", "SREM a 1 x 1", "SREM a 2 3 ''",
  "EXISTS a", "SADD a 5 -5 0 100000 -100000 9223372036854775807 -9223372036854775808", "SMEMBERS a",
  "SADD b a 9223372036854775808 1", "SCARD b", "SREM b 9223372036854775808 a", "SISMEMBER b 1", "SISMEMBER a 9223372036854775807",
  "SISMEMBER a 9223372036854775808", "SISMEMBER a 05", "SISMEMBER a -0", "SISMEMBER a 0", "SISMEMBER a x",
  "SCARD", "SCARD a", "SCARD none", "SCARD list", "SCARD a b",
  "SISMEMBER", "SISMEMBER a", "SISMEMBER none x", "SISMEMBER list x", "SISMEMBER a 5 6",
  "SMISMEMBER", "SMISMEMBER a", "SMISMEMBER none x y", "SMISMEMBER list x", "SMISMEMBER a 5 x 5 -5",
  "SMEMBERS", "SMEMBERS none", "SMEMBERS list", "SMEMBERS a b", "SADD one m", "SMEMBERS one",
  "SMOVE", "SMOVE a b", "SMOVE a b c d", "SMOVE none list x", "SMOVE list b x", "SMOVE a list 5",
  "SMOVE none none x", "SMOVE one one m", "SMOVE one one n", "SMOVE one two n", "SMOVE one two m",
  "EXISTS one", "SMEMBERS two", "SADD one m", "SMOVE one two m", "EXISTS one", "SMEMBERS two",
  "SMOVE two one m", "SMEMBERS one", "SMOVE a one 7", "SMOVE list list x", "SMOVE list one x",
  "SPOP", "SPOP none", "SPOP list", "SPOP list 1", "SPOP a 1 2", "SPOP none 2", "SPOP none 0", "SPOP a 0",
  "SPOP one", "EXISTS one", "SADD one m", "SPOP one 1", "SADD one m", "SPOP one 7", "EXISTS one",
  "SRANDMEMBER", "SRANDMEMBER none", "SRANDMEMBER list", "SRANDMEMBER list 1", "SRANDMEMBER a 1 2",
  "SRANDMEMBER none 2", "SRANDMEMBER none -2", "SRANDMEMBER a 0", "SRANDMEMBER a -0", "SADD one m",
  "SRANDMEMBER one", "SRANDMEMBER one 1", "SRANDMEMBER one 5", "SRANDMEMBER one -3", "SRANDMEMBER list x",
  "SINTER", "SINTER none", "SINTER list", "SINTER none list", "SINTER one", "SINTER one none",
  "SINTER one list", "SINTER one one", "SADD m1 m n", "SINTER one m1", "SINTER m1 one",
  "SUNION", "SUNION none", "SUNION list", "SUNION none list", "SUNION one", "SUNION one one none",
  "SUNION one list", "SDIFF", "SDIFF none", "SDIFF list", "SDIFF none list", "SDIFF one", "SDIFF m1 one",
  "SDIFF one m1", "SDIFF m1 m1", "SDIFF m1 none list", "SDIFF m1 none one none", "SDIFF none m1",
  "SINTERCARD", "SINTERCARD 0", "SINTERCARD 0 a", "SINTERCARD 1", "SINTERCARD 2 a", "SINTERCARD x a",
  "SINTERCARD 1 none", "SINTERCARD 1 list", "SINTERCARD 1 a", "SINTERCARD 2 m1 one", "SINTERCARD 2 m1 none",
  "SINTERCARD 1 a LIMIT", "SINTERCARD 1 a LIMIT x", "SINTERCARD 1 a LIMIT -1", "SINTERCARD 1 a LIMIT 0",
  "SINTERCARD 1 a LIMIT 2", "SINTERCARD 1 a limit 3 LIMIT 1", "SINTERCARD 1 a b", "SINTERCARD 1 a FOO 1",
  "SINTERCARD 1 a LIMIT 1 x", "SINTERCARD 2 a none LIMIT 1", "SINTERCARD -1 a", "SINTERCARD 1 none x",
  "SINTERSTORE", "SINTERSTORE d", "SINTERSTORE d none", "SINTERSTORE d m1 one", "SMEMBERS d",
  "SINTERSTORE d m1 none", "EXISTS d", "SINTERSTORE d list", "SINTERSTORE d none list", "SINTERSTORE d a",
  "SMEMBERS d", "SINTERSTORE d d", "SINTERSTORE d d a", "SMEMBERS d",
  "SUNIONSTORE", "SUNIONSTORE d", "SUNIONSTORE d none", "EXISTS d", "SUNIONSTORE d one none", "SMEMBERS d",
  "SUNIONSTORE d list", "SUNIONSTORE d a", "SMEMBERS d", "SUNIONSTORE d d one", "SCARD d",
  "SDIFFSTORE", "SDIFFSTORE d", "SDIFFSTORE d none", "EXISTS d", "SDIFFSTORE d m1 one", "SMEMBERS d",
  "SDIFFSTORE d d d", "EXISTS d", "SDIFFSTORE d list", "SDIFFSTORE d a none", "SMEMBERS d",
  "SET s v", "SINTERSTORE s a", "TYPE s", "SET s v", "SINTERSTORE s none", "EXISTS s",
  "SADD t 1", "PEXPIREAT t 4000000000000", "SADD t 2", "PEXPIRETIME t", "SUNIONSTORE t one", "TTL t",
  "SADD t 3", "PEXPIREAT t 4000000000000", "SREM t m", "PEXPIRETIME t", "SMOVE t none 3", "TTL none", "SPOP none",
  "SSCAN", "SSCAN a", "SSCAN a x", "SSCAN none 0", "SSCAN none x", "SSCAN none 0 FOO", "SSCAN list 0",
  "SSCAN a 0", "SSCAN a 5", "SSCAN a 0 MATCH", "SSCAN a 0 MATCH 5", "SSCAN a 0 MATCH -*", "SSCAN a 0 COUNT",
  "SSCAN a 0 COUNT 0", "SSCAN a 0 COUNT x", "SSCAN a 0 COUNT 1", "SSCAN a 0 MATCH * COUNT 3", "SSCAN a 0 TYPE set",
  "SSCAN a 0 NOVALUES", "SSCAN one 0", "SSCAN one 0 MATCH x", "SSCAN a -1", "SSCAN a ''", "SSCAN list x",
  "TYPE a", "OBJECT ENCODING a", "COPY a acopy", "SMEMBERS acopy", "RENAME acopy a2", "SMEMBERS a2",
];

function lines(): Line[] {
  const out = SINGLES.map((line): Line => ({ words: words(line) }));
  const add = (line: string) => out.push({ words: words(line) });
  for (const n of INTEGERS) {
    add("SADD one m");
    // An endless reply, and the only member as often as asked for.
    const isEndless = n.startsWith("-9");
    if (!isEndless || n.endsWith("8")) add(`SRANDMEMBER one ${n}`);
    add(`SRANDMEMBER none ${n}`);
    add(`SPOP none ${n}`);
    add(`SPOP one ${n}`);
    add(`SINTERCARD ${n} a b`);
    add(`SINTERCARD 1 a LIMIT ${n}`);
    add(`SSCAN a 0 COUNT ${n}`);
  }
  return out;
}

asksRedis(
  "the set commands reply what redis-server replies, byte for byte",
  (redis) => assertSameReplies(redis, COMMANDS, lines()),
);

asksRedis("random runs of set commands reply what redis-server replies", async (redis) => {
  const seed = testSeed(5_040);
  const random = new Random(seed);
  const key = () => `k${random.below(5)}`;
  const keys = () => Array.from({ length: 1 + random.below(4) }, key).join(" ");
  const integer = () =>
    random.below(6) === 0
      ? String(random.below(2 ** 30) * (random.below(2) === 0 ? 1 : -(2 ** 20)))
      : String(random.below(40) - 5);
  const member = () => random.below(4) === 0 ? `m${random.below(9)}` : integer();
  const members = () => Array.from({ length: 1 + random.below(6) }, member).join(" ");
  const everything = Array.from({ length: 40 }, (_, i) => `${i - 5} m${i % 9}`).join(" ");
  const makers: (() => string)[] = [
    () => `SADD ${key()} ${members()}`,
    () => `SADD ${key()} ${members()}`,
    () => `SREM ${key()} ${members()}`,
    () => `SMOVE ${key()} ${key()} ${member()}`,
    () => `SISMEMBER ${key()} ${member()}`,
    () => `SMISMEMBER ${key()} ${members()}`,
    () => `SCARD ${key()}`,
    () => `SINTERSTORE ${key()} ${keys()}`,
    () => `SUNIONSTORE ${key()} ${keys()}`,
    () => `SDIFFSTORE ${key()} ${keys()}`,
    () => `SINTERCARD 2 ${key()} ${key()} LIMIT ${random.below(5)}`,
    () => `SINTERCARD 3 ${key()} ${key()} ${key()}`,
    () => `COPY ${key()} ${key()} REPLACE`,
    () => `RENAME ${key()} ${key()}`,
    () => `DEL ${key()}`,
    () => `SET ${key()} x`,
    () => `TYPE ${key()}`,
    () => `SMISMEMBER ${key()} ${everything}`,
  ].flatMap((maker, i) => i > 14 ? [maker] : [maker, maker, maker]);
  const lines: Line[] = Array.from(
    { length: 6_000 },
    () => ({ words: words(random.pick(makers)()) }),
  );
  const found = await differences(redis, COMMANDS, lines, 2);
  assertEquals(found.slice(0, 20), [], `redis ${redisVersion}, seed ${seed}`);
});
