/** Random commands on sets. Of the random ones those whose outcome is known: they name all members. */

import type { Makers, Parts } from "./parts.ts";

/** More members than a set of these has. */
const ALL = "1000";

export function setCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("s");
  const integers = () => `s${p.below(2)}`;
  const number = () => p.once(12) ? p.integer() : `${p.below(60) - 30}`;
  const members = () => p.some(() => p.member(), 1, 6);
  const keys = () => p.some(key, 1, 3);
  const add = makers.add.bind(makers);

  add(6, "SADD", () => [key(), ...members()]);
  add(6, "SADD", () => [integers(), ...p.some(number, 1, 8)]);
  add(4, "SREM", () => [key(), ...p.some(p.once(2) ? number : () => p.member(), 1, 5)]);
  add(4, "SMEMBERS", () => [key()], "elements");
  add(2, "SISMEMBER", () => [key(), p.member()]);
  add(2, "SMISMEMBER", () => [key(), ...members()]);
  add(2, "SCARD", () => [key()]);
  add(3, "SMOVE", () => [key(), key(), p.member()]);
  add(1, "SPOP", () => [key(), p.pick([ALL, "0", "-1", "x"])], "elements");
  add(1, "SRANDMEMBER", () => [key(), p.pick([ALL, "0", "x"])], "elements");
  add(1, "SPOP", () => [`none${p.below(2)}`]);
  add(1, "SRANDMEMBER", () => [`none${p.below(2)}`, ...p.options(["3"])]);
  for (const name of ["SINTER", "SUNION", "SDIFF"]) {
    add(3, name, keys, "elements");
    add(2, `${name}STORE`, () => [key(), ...keys()]);
  }
  add(3, "SINTERCARD", () => [
    ...p.counted("s"),
    ...p.options(["LIMIT", p.pick(["0", "1", "3", "-1", "x"])]),
  ]);
  add(1, "SSCAN", () => [
    key(),
    "0",
    "COUNT",
    ALL,
    ...p.options(["MATCH", p.pick(["m*", "m1?", "*"])]),
  ], "scan");
}
