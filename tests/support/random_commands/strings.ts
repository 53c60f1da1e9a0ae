/** Random commands on strings, bits and HyperLogLogs. */

import type { Makers, Parts } from "./parts.ts";

export function stringCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("k");
  const value = () => p.value();
  const small = () => p.small();
  const keys = () => p.some(key, 1, 4);
  const add = makers.add.bind(makers);

  add(14, "SET", () => [
    key(),
    value(),
    ...p.options(["GET"], ["NX"], ["XX"], ["KEEPTTL"], ["PXAT", p.time()], ["EXAT", p.seconds()]),
  ]);
  add(10, "GET", () => [key()]);
  add(2, "SETNX", () => [key(), value()]);
  add(1, "SETEX", () => [key(), p.pick(["0", "-1", "x", "9223372036854775807"]), value()]);
  add(1, "PSETEX", () => [key(), p.pick(["0", "-1", "x"]), value()]);
  add(2, "GETSET", () => [key(), value()]);
  add(2, "GETDEL", () => [key()]);
  add(2, "GETEX", () => [
    key(),
    ...p.options(["PERSIST"], ["PXAT", p.time()], ["EXAT", p.seconds()]),
  ]);
  add(3, "MGET", keys);
  add(2, "MSET", () => keys().flatMap((k) => [k, value()]).slice(0, p.once(10) ? -1 : 99));
  add(2, "MSETNX", () => keys().flatMap((k) => [k, value()]));
  add(4, "APPEND", () => [key(), value()]);
  add(2, "STRLEN", () => [key()]);
  add(3, "GETRANGE", () => [key(), small(), small()]);
  add(1, "SUBSTR", () => [key(), small(), small()]);
  add(3, "SETRANGE", () => [key(), p.pick([`${p.below(300)}`, "-1", "x", "536870912"]), value()]);
  add(3, "INCR", () => [key()]);
  add(2, "DECR", () => [key()]);
  add(3, "INCRBY", () => [key(), p.pick([small(), p.integer()])]);
  add(3, "DECRBY", () => [key(), p.pick([small(), p.integer()])]);
  // On keys of its own: an integer that it makes is no "int" to OBJECT ENCODING in Redis.
  add(3, "INCRBYFLOAT", () => [`f${p.below(3)}`, value()]);
  add(1, "GETDEL", () => [`f${p.below(3)}`]);
  add(2, "LCS", () => [
    key(),
    key(),
    ...p.options(["LEN"], ["IDX"], ["MINMATCHLEN", small()], ["WITHMATCHLEN"]),
  ]);
}

export function bitCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("k");
  const small = () => p.small();
  const add = makers.add.bind(makers);

  add(4, "SETBIT", () => [key(), p.bit(), p.pick(["0", "1", "1", "2"])]);
  add(3, "GETBIT", () => [key(), p.bit()]);
  add(3, "BITCOUNT", () => [
    key(),
    ...(p.once(3) ? [] : [small(), small()]),
    ...p.options(["BIT"], ["BYTE"]),
  ]);
  add(3, "BITPOS", () => [
    key(),
    p.pick(["0", "1", "2"]),
    ...p.pick([[], [small()], [small(), small()], [small(), small(), "BIT"]]),
  ]);
  add(3, "BITOP", () => [
    p.pick(["AND", "OR", "xor", "NOT", "FOO"]),
    key(),
    ...p.some(key, 1, 4),
  ]);
  const part = () => {
    const type = `${p.pick(["i", "u"])}${p.pick([1, 3, 8, 16, 31, 63, 64])}`;
    const at = `${p.pick(["", "#"])}${p.below(100)}`;
    return p.pick([
      ["GET", type, at],
      ["SET", type, at, small()],
      ["INCRBY", type, at, p.pick([small(), p.integer()])],
      ["OVERFLOW", p.pick(["WRAP", "SAT", "FAIL", "x"])],
    ]);
  };
  add(3, "BITFIELD", () => [key(), ...p.some(part, 0, 3).flat()]);
  add(1, "BITFIELD_RO", () => [key(), ...part()]);

  // HyperLogLogs, on keys that nobody edits as strings: what PFADD makes of a spoilt one is chance.
  const hll = () => `p${p.below(5)}`;
  add(1, "SET", () => [hll(), p.value()]);
  add(1, "DEL", () => [hll(), hll()]);
  add(1, "COPY", () => [hll(), hll(), ...p.options(["REPLACE"])]);
  const members = () => p.some(() => `m${p.below(5_000)}`, 0, 5);
  add(5, "PFADD", () => [hll(), ...members()]);
  add(3, "PFCOUNT", () => [hll(), ...(p.once(2) ? [] : [hll()])]);
  add(2, "PFMERGE", () => [hll(), hll(), ...(p.once(2) ? [] : [hll()])]);
}
