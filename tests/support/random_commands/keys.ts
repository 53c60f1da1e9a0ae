/** Random commands on keys of any type, their deadlines, and SORT. */

import type { Makers, Parts } from "./parts.ts";

export function keyCommands(p: Parts, makers: Makers): void {
  const key = () => p.any();
  const keys = () => p.some(key, 1, 4);
  const small = () => p.small();
  const add = makers.add.bind(makers);
  const unit = makers.unit.bind(makers);

  add(4, "DEL", keys);
  add(2, "UNLINK", keys);
  add(2, "EXISTS", keys);
  add(1, "TOUCH", keys);
  add(2, "TYPE", () => [key()]);
  add(2, "RENAME", () => [key(), key()]);
  add(2, "RENAMENX", () => [key(), key()]);
  add(3, "COPY", () => [key(), key(), ...p.options(["REPLACE"], ["DB", small()])]);
  add(2, "MOVE", () => [key(), small()]);
  add(1, "DBSIZE", () => []);
  add(1, "SWAPDB", () => [
    p.pick(["0", "1", "2", "x", "99"]),
    p.pick(["0", "1", "2", "x", "99"]),
  ]);
  add(2, "SELECT", () => [p.pick(["0", "0", "1", "2", "16", "x"])]);
  const patterns = ["*", "k*", "k[0-4]", "k?", "h*", "", "[", "k\\*"];
  add(2, "KEYS", () => [p.pick(patterns)], "elements");
  const types = ["string", "list", "set", "zset", "hash", "stream"];
  add(1, "SCAN", () => [
    "0",
    "COUNT",
    "100000",
    ...p.options(["MATCH", "k*"], ["TYPE", p.pick(types)]),
  ], "scan");
  add(1, "SCAN", () => [p.pick(["x", "1x", "-"]), ...p.options(["COUNT", "0"], ["MATCH"])]);
  add(1, "FLUSHDB", () => p.once(3) ? [] : p.pick([["x"], ["ASYNC", "SYNC"]]));
  for (const name of ["EXPIRE", "PEXPIRE"]) {
    add(
      1,
      name,
      () => [
        key(),
        p.pick(["0", "-1", "x", "99999999999999999999"]),
        ...p.options(["NX"], ["XX"]),
      ],
    );
  }
  const comparisons = [["NX"], ["XX"], ["GT"], ["LT"]] as const;
  add(3, "EXPIREAT", () => [key(), p.seconds(), ...p.options(...comparisons)]);
  add(3, "PEXPIREAT", () => [key(), p.time(), ...p.options(...comparisons)]);
  add(2, "EXPIRETIME", () => [key()]);
  add(2, "PEXPIRETIME", () => [key()]);
  add(2, "PERSIST", () => [key()]);
  unit(1, ["ttl", "set"], () => {
    const k = key();
    return { commands: [["SET", k, "v", "EX", "1000"], ["TTL", k], ["DEL", k], ["TTL", k]] };
  });
  add(1, "PTTL", () => [`none${p.below(3)}`]);
  unit(2, ["dump"], () => {
    const k = p.key("k");
    return { commands: [["SET", k, p.pick(["", "12", "-300", "70000", "abc"])], ["DUMP", k]] };
  });
  add(1, "RESTORE", () => [
    key(),
    p.pick(["0", "-1", "x"]),
    p.pick(["\x00\xc0\x0c\n\x00\x96\xc7\xbe\xde\x4d\xa1\x50\x3e", "", "x", "nonsense".repeat(3)]),
    ...p.options(["REPLACE"], ["ABSTTL"], ["IDLETIME", "1"], ["FREQ", "1"]),
  ]);
  add(3, "OBJECT ENCODING", () => [key()]);
  add(1, "OBJECT REFCOUNT", () => [`none${p.below(3)}`]);
  add(1, "OBJECT FREQ", () => [key()]);
}

export function sortCommands(p: Parts, makers: Makers): void {
  const limit = () => ["LIMIT", p.pick(["0", "1", "-1", "x"]), p.pick(["2", "5", "-1", "0"])];
  const gets = () => p.options(["GET", "#"], ["GET", "k*"], ["GET", "h*->m1"], ["GET", "nosuch"]);
  const add = makers.add.bind(makers);
  // Only what is sorted by bytes, or not at all, is stored: see known_differences.ts.
  const store = () => p.options(["STORE", p.key("l")]);
  const source = () => p.key(p.pick(["s", "z", "l"]));
  const even = () => `y${p.below(2)}`;
  add(2, "SORT", () => [
    p.key("l"),
    ...p.options(["DESC"], ["BY", p.pick(["k*", "h*->m1"])]),
    ...gets(),
  ]);
  add(1, "SORT", () => [p.key("l"), "BY", "nosort", ...p.options(["DESC"]), ...gets(), ...store()]);
  add(1, "SORT", () => [p.key("l"), "ALPHA", "BY", p.pick(["k*", "h*->m1"]), ...gets()]);
  // What sorts alike of a set, or in a part of a result, redis-server orders as it happens to lie.
  add(2, "SORT", () => [source(), "ALPHA", ...p.options(["DESC"], limit()), ...gets(), ...store()]);
  add(1, "SORT", () => [source(), ...p.options(["DESC"], limit()), ...gets()]);
  add(1, "SORT", () => [even(), "BY", "nosort", ...p.options(["DESC"], limit()), ...gets()]);
  add(1, "SORT_RO", () => [p.key("s"), "ALPHA", ...p.options(["STORE", "l1"], limit())]);
}
