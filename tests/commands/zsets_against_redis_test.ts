import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { SET_TYPE_COMMANDS } from "../../src/commands/sets.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { assertSameReplies, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SPECS = [
  ...STRING_COMMANDS,
  ...KEY_COMMANDS,
  ...OBJECT_COMMANDS,
  ...SET_TYPE_COMMANDS,
  ...ZSET_COMMANDS,
];

// deno-fmt-ignore
const SINGLES = [
  // Adding
  "SET s text", "ZADD", "ZADD z", "ZADD z 1", "ZADD z 1 a 2", "ZADD z x a", "ZADD z 1 a x b", "ZADD z nan a", "ZADD z 1e400 a",
  "ZADD z 1 a", "ZADD z 1 a", "ZADD z 2 a 3 b 1.5 c", "ZADD z CH 3 a 3 b 4 d", "ZADD z NX XX 1 a", "ZADD z NX GT 1 a",
  "ZADD z LT GT 1 a", "ZADD z NX LT 1 a", "ZADD z XX GT CH 10 a 1 b", "ZADD z LT CH 1 a 100 b", "ZADD z NX 5 a 6 e",
  "ZADD z XX 5 none", "ZADD none XX 5 a", "EXISTS none", "ZADD none XX INCR 5 a", "ZADD z INCR 1 a 2 b", "ZADD z INCR 2.5 a",
  "ZADD z NX INCR 2.5 a", "ZADD z NX INCR 2.5 f", "ZADD z GT INCR -1 f", "ZADD z GT INCR 1 f", "ZADD z LT INCR 1 f",
  "ZADD z XX INCR 1 g", "ZADD z inf i", "ZADD z -inf j", "ZADD z INCR -inf i", "ZADD z INCR inf i", "ZINCRBY z -inf i",
  "ZADD z +Infinity i -infinity j", "ZADD z nx nx ch 7 k", "ZADD z NX", "ZADD z NX a", "ZADD z NX CH", "ZADD s 1 a", "ZADD list 1 a",
  "ZADD z 0x10 hex 1e3 exp .5 half 5. five +7 plus -0 nil 007 seven 1.50 trail", "ZRANGE z 0 -1 WITHSCORES",
  "ZINCRBY z 1 a", "ZINCRBY z x a", "ZINCRBY z 1", "ZINCRBY z 0.125 new", "ZINCRBY z 0.25 new", "ZINCRBY s 1 a", "ZINCRBY fresh 3 a",
  "OBJECT ENCODING z", "ZCARD z", "ZCARD none", "ZCARD list", "ZCARD", "ZSCORE z a", "ZSCORE z none", "ZSCORE none a", "ZSCORE list a",
  "ZMSCORE z a none b", "ZMSCORE none a b", "ZMSCORE list a", "ZMSCORE z",
  "ZREM z none", "ZREM z a none b a", "ZREM none a", "ZREM list a", "ZREM z", "ZRANGE z 0 -1 WITHSCORES",
  "ZADD one 1 a", "ZREM one a b c", "EXISTS one",
  // Ranges
  "ZADD r 1 a 2 b 2 c 3 d 4 e 5.5 f", "ZRANGE r 0 -1", "ZRANGE r 1 3", "ZRANGE r -2 -1", "ZRANGE r 3 1", "ZRANGE r 10 20",
  "ZRANGE r -100 100", "ZRANGE r 0 -1 WITHSCORES", "ZRANGE r 0 -1 REV", "ZRANGE r 0 1 REV WITHSCORES", "ZRANGE r x 1", "ZRANGE r 0 1.5",
  "ZRANGE r 0 -1 LIMIT 0 1", "ZRANGE r 0 -1 LIMIT 0 -1", "ZRANGE r 0 -1 LIMIT 1", "ZRANGE r 0 -1 foo", "ZRANGE none 0 -1", "ZRANGE list 0 -1",
  "ZRANGE r 2 4 BYSCORE", "ZRANGE r (2 4 BYSCORE", "ZRANGE r (2 (4 BYSCORE WITHSCORES", "ZRANGE r 4 2 BYSCORE", "ZRANGE r 4 2 BYSCORE REV",
  "ZRANGE r +inf -inf BYSCORE REV LIMIT 1 2", "ZRANGE r -inf +inf BYSCORE LIMIT 1 -1", "ZRANGE r -inf +inf BYSCORE LIMIT -1 2",
  "ZRANGE r -inf +inf BYSCORE LIMIT 0 0", "ZRANGE r -inf inf BYSCORE LIMIT 5 5", "ZRANGE r -inf inf BYSCORE LIMIT x 5", "ZRANGE r a b BYSCORE",
  "ZRANGE r -inf inf BYSCORE LIMIT 9 5", "ZRANGE r nan inf BYSCORE", "ZRANGE r '' inf BYSCORE", "ZRANGE r ( inf BYSCORE", "ZRANGE r 0x1 0x3 BYSCORE",
  "ZRANGE r 1e500 -1e500 BYSCORE REV", "ZRANGE r 1e-500 inf BYSCORE", "ZRANGE r ((1 3 BYSCORE", "ZRANGE r - + BYLEX", "ZRANGE r [b [d BYLEX",
  "ZRANGE r - + BYLEX WITHSCORES", "ZRANGE r [b (c BYLEX BYSCORE", "ZRANGE r [b (c BYLEX REV", "ZRANGE r a b BYLEX", "ZRANGE r - ++ BYLEX", "ZRANGE r '' + BYLEX",
  "ZREVRANGE r 0 1", "ZREVRANGE r 0 -1 WITHSCORES", "ZREVRANGE r 0 -1 REV", "ZREVRANGE r 0 -1 LIMIT 0 1", "ZREVRANGE r 0 -1 BYSCORE",
  "ZRANGEBYSCORE r 2 3", "ZRANGEBYSCORE r 2 3 WITHSCORES LIMIT 1 1", "ZRANGEBYSCORE r 2 3 LIMIT 1", "ZRANGEBYSCORE r x 3", "ZRANGEBYSCORE none x 3",
  "ZRANGEBYSCORE none 1 3", "ZRANGEBYSCORE list 1 3", "ZRANGEBYSCORE r 2 3 REV", "ZREVRANGEBYSCORE r 3 2", "ZREVRANGEBYSCORE r (3 2 WITHSCORES LIMIT 0 1",
  "ZREVRANGEBYSCORE r +inf -inf LIMIT 2 -5", "ZRANGEBYSCORE r -inf +inf limit 1 2 withscores", "ZRANGEBYSCORE r -inf +inf LIMIT 0 9223372036854775807",
  "ZADD l 0 a 0 b 0 c 0 d 0 e 0 '' 0 aa 0 ab 0 B", "ZRANGEBYLEX l - +", "ZRANGEBYLEX l [a (b", "ZRANGEBYLEX l (a [b", "ZRANGEBYLEX l [b [a", "ZRANGEBYLEX l + -",
  "ZRANGEBYLEX l - [aa LIMIT 1 2", "ZRANGEBYLEX l [ ( LIMIT 0 1", "ZRANGEBYLEX l ( +", "ZRANGEBYLEX l a b", "ZRANGEBYLEX l [a b", "ZRANGEBYLEX l - + WITHSCORES",
  "ZREVRANGEBYLEX l + -", "ZREVRANGEBYLEX l (c [a", "ZREVRANGEBYLEX l + - LIMIT 1 3", "ZLEXCOUNT l - +", "ZLEXCOUNT l [a (b", "ZLEXCOUNT l [b [a", "ZLEXCOUNT l x y",
  "ZLEXCOUNT none - +", "ZLEXCOUNT none x +", "ZLEXCOUNT list - +", "ZCOUNT r 2 3", "ZCOUNT r (2 (3", "ZCOUNT r -inf +inf", "ZCOUNT r 3 2", "ZCOUNT r a b", "ZCOUNT none 1 2",
  "ZCOUNT list 1 2", "ZCOUNT r 2",
  "ZRANK r a", "ZRANK r f", "ZRANK r none", "ZRANK none a", "ZRANK list a", "ZREVRANK r a", "ZREVRANK r f", "ZREVRANK none f",
  "ZRANGESTORE d r 0 -1", "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d r 2 4 BYSCORE LIMIT 1 2", "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d none 0 -1", "EXISTS d",
  "ZRANGESTORE d r 0 -1 WITHSCORES", "ZRANGESTORE d r 5 1", "ZRANGESTORE d list 0 -1", "SET str2 x", "ZRANGESTORE str2 r 0 -1", "TYPE str2", "ZRANGESTORE r r 1 3 REV", "ZRANGE r 0 -1",
  // What is packed has no sign of zero; whether a member was, in a range stored backwards, is said from its end.
  "ZADD zero 0 mmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmmm 0 a 0 b 0 y 0 z", "ZUNIONSTORE zero 1 zero WEIGHTS -1", "ZRANGE zero 0 -1 WITHSCORES",
  "ZRANGESTORE d zero inf -inf BYSCORE REV", "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d zero 0 -1 REV", "ZRANGE d 0 -1 WITHSCORES",
  "ZRANGESTORE d zero -inf inf BYSCORE", "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d zero inf -inf BYSCORE REV LIMIT 0 2",
  "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d zero inf -inf BYSCORE REV LIMIT 2 3", "ZRANGE d 0 -1 WITHSCORES",
  "ZRANGESTORE d zero [y - BYLEX REV", "ZRANGE d 0 -1 WITHSCORES", "ZRANGESTORE d zero 5 9 REV", "EXISTS d",
  "ZRANGESTORE d l [a (b BYLEX", "ZRANGE d 0 -1", "ZRANGESTORE d l x y BYLEX", "ZRANGESTORE d r 0 -1 BYSCORE BYLEX",
  // Removing
  "ZADD m 1 a 2 b 3 c 4 d 5 e 6 f 7 g 8 h", "ZREMRANGEBYRANK m 0 1", "ZREMRANGEBYRANK m -1 -1", "ZREMRANGEBYRANK m 5 1", "ZREMRANGEBYRANK m x 1", "ZREMRANGEBYRANK none 0 1",
  "ZREMRANGEBYRANK s 0 1", "ZREMRANGEBYSCORE m (3 4", "ZREMRANGEBYSCORE m x 4", "ZREMRANGEBYSCORE m 100 200", "ZREMRANGEBYLEX m [c [e", "ZREMRANGEBYLEX m c e", "ZRANGE m 0 -1",
  "ZREMRANGEBYRANK m 0 -1", "EXISTS m", "ZREMRANGEBYLEX l - (c", "ZRANGE l 0 -1", "ZREMRANGEBYLEX l - +", "EXISTS l",
  // Pops
  "ZADD p 1 a 2 b 3 c 4 d 5 e 6 f 7 g", "ZPOPMIN p", "ZPOPMAX p", "ZPOPMIN p 2", "ZPOPMAX p 2", "ZPOPMIN p 0", "ZPOPMIN p -1", "ZPOPMIN p x", "ZPOPMIN p 1 2", "ZPOPMIN none", "ZPOPMIN none 3",
  "ZPOPMAX none 0", "ZPOPMIN s", "ZPOPMIN s 0", "ZPOPMIN p 100", "EXISTS p", "ZADD p 1 a 2 b 3 c", "ZMPOP 1 p MIN", "ZMPOP 2 none p MAX COUNT 2", "ZMPOP 1 none MIN", "ZMPOP 0 p MIN", "ZMPOP x p MIN",
  "ZMPOP 2 p MIN", "ZMPOP 1 p foo", "ZMPOP 1 p MIN COUNT 0", "ZMPOP 1 p MIN COUNT", "ZMPOP 1 p MIN COUNT 1 COUNT 1", "ZMPOP 1 s MIN", "ZMPOP 1 p MIN foo 1", "ZMPOP 5 p q MIN",
  "ZADD p 1 a 2 b 3 c", "BZPOPMIN none p 0", "BZPOPMAX p 0.01", "BZPOPMIN p -1", "BZPOPMIN p x", "BZMPOP 0 1 p MIN", "BZMPOP 0 1 s MIN", "BZMPOP x 1 s MIN", "BZMPOP 0 0 s MIN", "BZPOPMIN s 0",
  // Several
  "ZADD u 1 a 2 b 3 c", "ZADD v 10 b 20 c 30 d", "SADD w a d x", "ZUNION 2 u v", "ZUNION 2 u v WITHSCORES", "ZUNION 3 u v w WITHSCORES", "ZUNION 2 u none WITHSCORES", "ZUNION 1 none",
  "ZUNION 2 u v WEIGHTS 2 0.5 WITHSCORES", "ZUNION 2 u v AGGREGATE MIN WITHSCORES", "ZUNION 2 u v AGGREGATE MAX WITHSCORES WEIGHTS 1 -1", "ZUNION 2 u v WEIGHTS 1", "ZUNION 2 u v WEIGHTS 1 x",
  "ZUNION 2 u v AGGREGATE foo", "ZUNION 2 u v AGGREGATE", "ZUNION 0 u", "ZUNION -1 u", "ZUNION x u", "ZUNION 3 u v", "ZUNION 2 u str foo", "SET str x", "ZUNION 2 u str foo", "ZUNION 2 u v foo",
  "ZINTER 2 u v", "ZINTER 2 u v WITHSCORES", "ZINTER 3 u v w", "ZINTER 2 u w WITHSCORES", "ZINTER 2 u v WEIGHTS 2 3 AGGREGATE MAX WITHSCORES", "ZINTER 2 u none", "ZINTER 2 u u WITHSCORES",
  "ZDIFF 2 u v", "ZDIFF 2 u v WITHSCORES", "ZDIFF 2 w u WITHSCORES", "ZDIFF 2 u u", "ZDIFF 2 none u", "ZDIFF 2 u v WEIGHTS 1 2", "ZDIFF 1 u WITHSCORES", "ZDIFF 0 u",
  "ZINTERCARD 2 u v", "ZINTERCARD 2 u v LIMIT 1", "ZINTERCARD 2 u v LIMIT 0", "ZINTERCARD 2 u v LIMIT -1", "ZINTERCARD 2 u v LIMIT x", "ZINTERCARD 2 u v LIMIT", "ZINTERCARD 2 u v WITHSCORES", "ZINTERCARD 0 u",
  "ZUNIONSTORE d 2 u v", "ZRANGE d 0 -1 WITHSCORES", "ZUNIONSTORE d 2 u v WITHSCORES", "ZINTERSTORE d 2 u v AGGREGATE SUM", "ZRANGE d 0 -1 WITHSCORES", "ZDIFFSTORE d 2 u v", "ZRANGE d 0 -1 WITHSCORES",
  "ZDIFFSTORE d 2 u u", "EXISTS d", "ZUNIONSTORE d 1 none", "ZUNIONSTORE u 2 u v WEIGHTS 1 inf", "ZRANGE u 0 -1 WITHSCORES", "ZUNIONSTORE u 2 u v WEIGHTS 0 -inf", "ZRANGE u 0 -1 WITHSCORES", "ZUNIONSTORE w 1 w",
  "OBJECT ENCODING w", "ZRANGE w 0 -1 WITHSCORES", "ZUNIONSTORE d 0 u", "ZINTERSTORE d 1 str", "ZUNIONSTORE str 1 v", "TYPE str",
  "ZADD i1 inf a", "ZADD i2 -inf a", "ZUNION 2 i1 i2 WITHSCORES", "ZINTER 2 i1 i2 WITHSCORES", "ZINTER 2 i1 i2 WEIGHTS 0 1 WITHSCORES", "ZINTER 2 i1 i2 WEIGHTS 0 0 AGGREGATE MIN WITHSCORES",
  // Random, scan
  "ZRANDMEMBER none", "ZRANDMEMBER none 3", "ZRANDMEMBER v 100", "ZRANDMEMBER v 3 WITHSCORES", "ZRANDMEMBER v 0", "ZRANDMEMBER v x", "ZRANDMEMBER v 3 foo", "ZRANDMEMBER v 3 WITHSCORES x",
  "ZRANDMEMBER v -9223372036854775808", "ZRANDMEMBER v 9223372036854775807 WITHSCORES", "ZRANDMEMBER v 4611686018427387904 WITHSCORES", "ZRANDMEMBER none 4611686018427387903 WITHSCORES", "ZRANDMEMBER none -4611686018427387904 WITHSCORES", "ZRANDMEMBER i1 -3 WITHSCORES", "ZRANDMEMBER s", "ZRANDMEMBER i1",
  "ZSCAN v 0", "ZSCAN v 0 COUNT 1", "ZSCAN v 0 MATCH c*", "ZSCAN v x", "ZSCAN none 0", "ZSCAN none 0 foo", "ZSCAN v 0 COUNT 0", "ZSCAN v 0 COUNT x", "ZSCAN v 0 foo", "ZSCAN s 0", "ZSCAN v 0 MATCH * COUNT 10",
];

/**
 * A score that redis-server 7.0, which prints 17 digits, prints as 7.2 does, which prints as few as it
 * can: sums of a few powers of two.
 */
function score(random: Random): string {
  const kind = random.below(10);
  if (kind < 5) return String(random.below(20) - 5);
  if (kind < 8) return String((random.below(160) - 40) / 8);
  if (kind === 8) return random.pick(["inf", "-inf", "+inf", "1e3", "0x1p-3", "-0", "0007"]);
  return String(random.below(2 ** 20) - 2 ** 19);
}

/** A random command on a few keys; member names are few, so that most commands meet some. */
function randomLine(random: Random): string[] {
  const key = () => `k${random.below(5)}`;
  // Scores that are weighted again and again would outgrow what both print alike.
  const result = () => `result${random.below(3)}`;
  const member = () => random.below(6) === 0 ? String(random.below(40)) : `m${random.below(60)}`;
  const rank = () => String(random.below(50) - 25);
  const bound = () => (random.below(3) === 0 ? "(" : "") + score(random);
  const lex = () =>
    random.below(6) === 0 ? random.pick(["-", "+"]) : random.pick(["[", "("]) + member();
  const limit = () =>
    random.below(2) === 0
      ? []
      : ["LIMIT", String(random.below(8) - 1), String(random.below(12) - 2)];
  const scores = () => random.below(2) === 0 ? [] : ["WITHSCORES"];
  const keys = () => {
    const count = 1 + random.below(3);
    const inputs = Array.from(
      { length: count },
      () => random.below(5) === 0 ? `s${random.below(2)}` : key(),
    );
    return [String(count), ...inputs];
  };
  const weights = (count: number) =>
    random.below(2) === 0 ? [] : ["WEIGHTS", ...Array.from({ length: count }, () => score(random))];
  const aggregate = () =>
    random.below(2) === 0 ? [] : ["AGGREGATE", random.pick(["SUM", "MIN", "MAX"])];
  switch (random.below(26)) {
    case 0:
    case 1:
    case 2: {
      const pairs = Array.from({ length: 1 + random.below(6) }, () => [score(random), member()]);
      const flags = ["NX", "XX", "GT", "LT", "CH"].filter(() => random.below(6) === 0);
      return ["ZADD", key(), ...flags, ...pairs.flat()];
    }
    case 3:
      return ["ZINCRBY", key(), score(random), member()];
    case 4:
      return [
        "ZADD",
        key(),
        ...(random.below(2) ? [random.pick(["NX", "XX", "GT", "LT"])] : []),
        "INCR",
        score(random),
        member(),
      ];
    case 5:
      return ["ZREM", key(), member(), member(), member()];
    case 6:
      return ["ZSCORE", key(), member()];
    case 7:
      return [random.pick(["ZRANK", "ZREVRANK"]), key(), member()];
    case 8:
      return ["ZRANGE", key(), rank(), rank(), ...(random.below(2) ? ["REV"] : []), ...scores()];
    case 9:
      return [
        "ZRANGE",
        key(),
        bound(),
        bound(),
        "BYSCORE",
        ...(random.below(2) ? ["REV"] : []),
        ...limit(),
        ...scores(),
      ];
    case 10:
      return ["ZREVRANGEBYSCORE", key(), bound(), bound(), ...scores(), ...limit()];
    case 11:
      return ["ZCOUNT", key(), bound(), bound()];
    case 12:
      return ["ZRANGEBYLEX", `lex${random.below(2)}`, lex(), lex(), ...limit()];
    case 13:
      return ["ZADD", `lex${random.below(2)}`, "0", member(), "0", member()];
    case 14:
      return [random.pick(["ZLEXCOUNT", "ZREMRANGEBYLEX"]), `lex${random.below(2)}`, lex(), lex()];
    case 15:
      return ["ZRANGESTORE", key(), key(), rank(), rank()];
    case 16:
      return ["ZRANGESTORE", key(), key(), bound(), bound(), "BYSCORE", ...limit()];
    case 17:
      return random.below(3)
        ? ["ZREMRANGEBYRANK", key(), rank(), rank()]
        : ["ZREMRANGEBYSCORE", key(), bound(), bound()];
    case 18:
      return [
        random.pick(["ZPOPMIN", "ZPOPMAX"]),
        key(),
        ...(random.below(2) ? [String(random.below(5))] : []),
      ];
    case 19:
      return [
        "ZMPOP",
        ...keys(),
        random.pick(["MIN", "MAX"]),
        "COUNT",
        String(1 + random.below(4)),
      ];
    case 20: {
      const inputs = keys();
      const command = random.pick(["ZUNION", "ZINTER"]);
      return [command, ...inputs, ...weights(inputs.length - 1), ...aggregate(), ...scores()];
    }
    case 21: {
      const inputs = keys();
      const command = random.pick(["ZUNIONSTORE", "ZINTERSTORE"]);
      return [command, result(), ...inputs, ...weights(inputs.length - 1), ...aggregate()];
    }
    case 22:
      return random.below(2)
        ? ["ZDIFF", ...keys(), ...scores()]
        : ["ZDIFFSTORE", result(), ...keys()];
    case 23:
      return random.below(2)
        ? ["ZINTERCARD", ...keys()]
        : ["SADD", `s${random.below(2)}`, member(), member()];
    case 24:
      return ["ZMSCORE", key(), member(), member()];
    default:
      if (random.below(2) === 0) return ["ZRANGE", result(), "0", "-1", "WITHSCORES"];
      return random.below(2) === 0 ? ["OBJECT", "ENCODING", key()] : ["ZCARD", result()];
  }
}

function lines(seed: number): Line[] {
  const random = new Random(seed);
  const all: Line[] = SINGLES.map((line) => ({ words: words(line) }));
  all.push({ words: words("DEL s w u v d r p") });
  for (let i = 0; i < 6_000; i++) all.push({ words: randomLine(random) });
  // From a pack to a table, by number and by length, and everything again on tables.
  for (let k = 0; k < 5; k++) {
    const pairs = Array.from({ length: 127 }, (_, i) => [String(i % 40), `big${i}`]).flat();
    all.push({ words: ["ZADD", `k${k}`, ...pairs] });
    for (let i = 0; i < 3; i++) all.push({ words: ["ZADD", `k${k}`, "0", `more${i}`] });
    all.push({ words: ["OBJECT", "ENCODING", `k${k}`] });
  }
  all.push({ words: ["ZADD", "long", "1", "x".repeat(64)] }, {
    words: words("OBJECT ENCODING long"),
  });
  all.push({ words: ["ZADD", "long", "1", "x".repeat(65)] }, {
    words: words("OBJECT ENCODING long"),
  });
  for (let i = 0; i < 128; i++) all.push({ words: ["ZADD", "lex0", "0", `m${i}`, "0", `x${i}`] });
  for (let i = 0; i < 6_000; i++) all.push({ words: randomLine(random) });
  for (let k = 0; k < 5; k++) all.push({ words: ["ZRANGE", `k${k}`, "0", "-1", "WITHSCORES"] });
  return all;
}

asksRedis("sorted sets are answered as redis-server answers them, command by command", (redis) => {
  const seed = testSeed(1201);
  return assertSameReplies(redis, SPECS, lines(seed), seed);
});
