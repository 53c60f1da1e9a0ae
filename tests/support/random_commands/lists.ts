/** Random commands on lists. Those that can wait find something, or wait for next to no time. */

import type { Makers, Parts } from "./parts.ts";

/** Seconds that a command that finds nothing waits. */
const SHORT = "0.001";

export function listCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("l");
  const item = () => p.once(3) ? p.value() : p.member();
  const items = () => p.some(item, 1, 5);
  const small = () => p.small();
  const side = () => p.once(30) ? "UP" : p.pick(["LEFT", "RIGHT", "left"]);
  const timeout = () => p.once(8) ? p.pick(["x", "-1", "nan", ""]) : SHORT;
  const add = makers.add.bind(makers);

  add(9, "RPUSH", () => [key(), ...items()]);
  add(6, "LPUSH", () => [key(), ...items()]);
  add(1, "RPUSHX", () => [key(), ...items()]);
  add(1, "LPUSHX", () => [key(), ...items()]);
  add(3, "LPOP", () => [key(), ...(p.once(2) ? [] : [p.count()])]);
  add(3, "RPOP", () => [key(), ...(p.once(2) ? [] : [p.count()])]);
  add(2, "LLEN", () => [key()]);
  add(6, "LRANGE", () => [key(), small(), small()]);
  add(3, "LINDEX", () => [key(), small()]);
  add(3, "LSET", () => [key(), small(), item()]);
  add(3, "LINSERT", () => [key(), p.pick(["BEFORE", "after", "AFTER", "x"]), item(), item()]);
  add(3, "LREM", () => [key(), p.pick(["0", "1", "-1", "2", "-2", "x", ""]), item()]);
  add(2, "LTRIM", () => [key(), small(), small()]);
  add(3, "LPOS", () => [
    key(),
    item(),
    ...p.options(
      ["RANK", p.pick(["1", "-1", "2", "0", small()])],
      ["COUNT", p.pick(["0", "2", "-1"])],
      ["MAXLEN", p.pick(["0", "3", "-1"])],
    ),
  ]);
  add(3, "LMOVE", () => [key(), key(), side(), side()]);
  add(2, "RPOPLPUSH", () => [key(), key()]);
  add(2, "LMPOP", () => [
    ...p.counted("l"),
    side(),
    ...p.options(["COUNT", p.count()]),
  ]);
  add(1, "BLPOP", () => [...p.some(key, 1, 3), timeout()]);
  add(1, "BRPOP", () => [...p.some(key, 1, 3), timeout()]);
  add(1, "BLMOVE", () => [key(), key(), side(), side(), timeout()]);
  add(1, "BRPOPLPUSH", () => [key(), key(), timeout()]);
  add(1, "BLMPOP", () => [timeout(), ...p.counted("l"), side(), ...p.options(["COUNT", "2"])]);
}
