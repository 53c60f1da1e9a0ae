/** Random commands on sorted sets. */

import type { Makers, Parts } from "./parts.ts";

const ALL = "1000";
const SHORT = "0.001";

export function zsetCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("z");
  const member = () => p.member();
  const score = () => p.score();
  const small = () => p.small();
  const scoreBound = () => `${p.pick(["", "", "("])}${score()}`;
  const lexBound = () =>
    p.once(4) ? p.pick(["-", "+", "m", "", "(", "["]) : `${p.pick(["[", "("])}${member()}`;
  const limit = () => ["LIMIT", p.pick(["0", "1", "-1", "x"]), p.pick(["1", "3", "-1", "0"])];
  const add = makers.add.bind(makers);

  add(10, "ZADD", () => [
    key(),
    ...p.options(["NX"], ["XX"], ["GT"], ["LT"], ["CH"], ["INCR"]).filter(() => p.once(2)),
    ...p.some(() => [score(), member()], 1, 4).flat(),
  ]);
  // Keys of their own for equal scores: what BYLEX does with others nobody promises.
  const even = () => `y${p.below(2)}`;
  add(4, "ZADD", () => [even(), ...p.some(() => ["0", member()], 1, 5).flat()]);
  add(1, "ZREM", () => [even(), ...p.some(member, 1, 5)]);
  add(4, "ZREM", () => [key(), ...p.some(member, 1, 4)]);
  add(3, "ZSCORE", () => [key(), member()]);
  add(2, "ZMSCORE", () => [key(), ...p.some(member, 1, 3)]);
  add(4, "ZINCRBY", () => [key(), score(), member()]);
  add(2, "ZCARD", () => [key()]);
  add(2, "ZCOUNT", () => [key(), scoreBound(), scoreBound()]);
  add(2, "ZLEXCOUNT", () => [even(), lexBound(), lexBound()]);
  add(2, "ZRANK", () => [key(), member()]);
  add(2, "ZREVRANK", () => [key(), member()]);
  add(4, "ZRANGE", () => [key(), small(), small(), ...p.options(["REV"], ["WITHSCORES"], limit())]);
  add(3, "ZRANGE", () => [
    key(),
    scoreBound(),
    scoreBound(),
    "BYSCORE",
    ...p.options(["REV"], ["WITHSCORES"], limit()),
  ]);
  add(3, "ZRANGE", () => [
    even(),
    lexBound(),
    lexBound(),
    "BYLEX",
    ...p.options(["REV"], ["WITHSCORES"], limit()),
  ]);
  add(2, "ZRANGESTORE", () => [
    key(),
    key(),
    ...p.pick([[small(), small()], [scoreBound(), scoreBound(), "BYSCORE"]]),
    ...p.options(["REV"], limit()),
  ]);
  add(2, "ZREVRANGE", () => [key(), small(), small(), ...p.options(["WITHSCORES"])]);
  for (const name of ["ZRANGEBYSCORE", "ZREVRANGEBYSCORE"]) {
    add(2, name, () => [key(), scoreBound(), scoreBound(), ...p.options(["WITHSCORES"], limit())]);
  }
  for (const name of ["ZRANGEBYLEX", "ZREVRANGEBYLEX"]) {
    add(2, name, () => [even(), lexBound(), lexBound(), ...p.options(limit())]);
  }
  add(1, "ZREMRANGEBYRANK", () => [key(), small(), small()]);
  add(1, "ZREMRANGEBYSCORE", () => [key(), scoreBound(), scoreBound()]);
  add(1, "ZREMRANGEBYLEX", () => [even(), lexBound(), lexBound()]);
  add(2, "ZPOPMIN", () => [key(), ...(p.once(2) ? [] : [p.count()])]);
  add(2, "ZPOPMAX", () => [key(), ...(p.once(2) ? [] : [p.count()])]);
  add(
    2,
    "ZMPOP",
    () => [...p.counted("z"), p.pick(["MIN", "MAX", "x"]), ...p.options(["COUNT", p.count()])],
  );
  add(1, "BZPOPMIN", () => [...p.some(key, 1, 2), SHORT]);
  add(1, "BZPOPMAX", () => [...p.some(key, 1, 2), p.once(5) ? "x" : SHORT]);
  add(1, "BZMPOP", () => [SHORT, ...p.counted("z"), "MIN", ...p.options(["COUNT", "2"])]);
  const algebra = () => [
    ...p.options(
      ["WEIGHTS", p.pick(["1", "2", "-1", "0.5", "x"]), p.pick(["1", "3", "inf"])],
      ["AGGREGATE", p.pick(["SUM", "MIN", "max", "x"])],
    ),
  ];
  const two = () => ["2", p.key(p.pick(["z", "z", "s", "y"])), p.key(p.pick(["z", "z", "s", "y"]))];
  for (const name of ["ZUNION", "ZINTER"]) {
    add(3, name, () => [...two(), ...algebra(), ...p.options(["WITHSCORES"])]);
    add(2, name, () => p.counted("z"));
    add(3, `${name}STORE`, () => [key(), ...two(), ...algebra()]);
  }
  add(3, "ZDIFF", () => [...two(), ...p.options(["WITHSCORES"])]);
  add(2, "ZDIFFSTORE", () => [key(), ...two()]);
  add(2, "ZINTERCARD", () => [...two(), ...p.options(["LIMIT", p.pick(["0", "2", "-1", "x"])])]);
  add(1, "ZRANDMEMBER", () => [key(), p.pick([ALL, "0", "x"])], "elements");
  add(1, "ZSCAN", () => [key(), "0", "COUNT", ALL], "scanned pairs");
}
