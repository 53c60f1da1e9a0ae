/** Random commands on hashes. */

import type { Makers, Parts } from "./parts.ts";

const ALL = "1000";

export function hashCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("h");
  const field = () => p.member();
  const pairs = () =>
    p.some(() => [field(), p.value()], 1, 4).flat().slice(0, p.once(20) ? -1 : 99);
  const add = makers.add.bind(makers);

  add(9, "HSET", () => [key(), ...pairs()]);
  add(2, "HMSET", () => [key(), ...pairs()]);
  add(3, "HSETNX", () => [key(), field(), p.value()]);
  add(5, "HGET", () => [key(), field()]);
  add(3, "HMGET", () => [key(), ...p.some(field, 1, 4)]);
  add(4, "HGETALL", () => [key()], "pairs");
  add(2, "HKEYS", () => [key()], "elements");
  add(2, "HVALS", () => [key()], "elements");
  add(2, "HLEN", () => [key()]);
  add(2, "HEXISTS", () => [key(), field()]);
  add(2, "HSTRLEN", () => [key(), field()]);
  add(5, "HDEL", () => [key(), ...p.some(field, 1, 5)]);
  add(3, "HINCRBY", () => [key(), field(), p.pick([p.small(), p.integer()])]);
  add(3, "HINCRBYFLOAT", () => [key(), field(), p.value()]);
  add(1, "HRANDFIELD", () => [key(), p.pick([ALL, "0", "x"])], "elements");
  add(1, "HRANDFIELD", () => [key(), ALL, p.once(9) ? "x" : "WITHVALUES"], "pairs");
  add(1, "HSCAN", () => [
    key(),
    "0",
    "COUNT",
    ALL,
    ...p.options(["MATCH", p.pick(["m*", "m1?", "*"])]),
  ], "scanned pairs");
}
