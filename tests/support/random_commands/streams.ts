/**
 * Random commands on streams, with explicit IDs. What tells the times of consumers is left out.
 */

import type { Makers, Parts } from "./parts.ts";

/** The last ID that there is. */
const LAST = "18446744073709551615-18446744073709551615";
/** The only stream that may get it: what XSETID says of a stream that lost it is known to differ. */
const EXHAUSTED = "x9";

export function streamCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("x");
  /** Groups are on few streams, so that commands find them. */
  const grouped = () => p.once(12) ? key() : `x${p.below(2)}`;
  const group = () => p.once(20) ? "none" : `g${p.below(2)}`;
  const consumer = () => `c${p.below(3)}`;
  let clock = 100;
  /** The ID of an entry that is, or may have been. */
  const seen = () => {
    if (p.once(25)) {
      return p.pick(["-", "+", "0", "x", "1-x", LAST]);
    }
    const ms = Math.max(1, clock - p.below(60));
    return p.pick([`${ms}`, `${ms}-0`, `${ms}-${p.below(3)}`, `${ms}-1`]);
  };
  const fresh = () => {
    if (p.once(25)) {
      return p.pick(["0-0", "0", "x", "5-*", `${LAST}x`]);
    }
    if (p.once(12)) return seen();
    clock += p.below(3);
    return p.pick([`${clock}-${p.below(4)}`, `${clock}-*`, `${clock}`]);
  };
  const ids = () => p.some(seen, 1, 4);
  const bound = () => p.once(6) ? p.pick(["-", "+"]) : `${p.once(6) ? "(" : ""}${seen()}`;
  const fields = () => {
    const names = p.once(2) ? ["f"] : p.once(2) ? ["f", "g"] : p.some(() => p.member(), 1, 4);
    return names.flatMap((name) => [name, p.value()]);
  };
  const trim = () => [
    p.pick(["MAXLEN", "MINID", "maxlen"]),
    ...p.options([p.pick(["=", "~"])]),
    p.pick([`${p.below(30)}`, "0", "x", seen()]),
    ...p.options(["LIMIT", p.pick(["0", "5", "x"])]),
  ];
  const add = makers.add.bind(makers);

  add(14, "XADD", () => {
    const id = fresh();
    const stream = p.once(2) ? key() : grouped();
    return [
      id === LAST ? EXHAUSTED : stream,
      ...p.options(["NOMKSTREAM"]),
      ...(p.once(8) ? trim() : []),
      id,
      ...fields().slice(0, p.once(25) ? -1 : 99),
    ];
  });
  add(1, "DEL", () => [EXHAUSTED]);
  add(
    1,
    "XADD",
    () => [EXHAUSTED, p.pick(["18446744073709551615-*", LAST, `${clock}`]), ...fields()],
  );
  add(2, "XLEN", () => [key()]);
  add(4, "XRANGE", () => [key(), bound(), bound(), ...p.options(["COUNT", p.count()])]);
  add(3, "XREVRANGE", () => [key(), bound(), bound(), ...p.options(["COUNT", p.count()])]);
  add(4, "XDEL", () => [key(), ...ids()]);
  add(2, "XTRIM", () => [key(), ...trim()]);
  add(3, "XREAD", () => {
    const keys = p.some(key, 1, 2);
    return [...p.options(["COUNT", p.count()]), "STREAMS", ...keys, ...keys.map(seen)];
  });
  add(1, "XREAD", () => ["BLOCK", "1", "STREAMS", key(), p.pick(["$", seen()])]);
  // Of IDs above all that are or were: what is refused of others is known to differ.
  add(1, "XSETID", () => [
    key(),
    p.once(8) ? "x" : `${++clock}-${p.below(3)}`,
    ...p.options(["ENTRIESADDED", `${p.below(100)}`, "MAXDELETEDID", seen()]),
  ]);
  add(6, "XGROUP CREATE", () => [
    grouped(),
    group(),
    p.pick(["$", "0", "-", seen()]),
    ...p.options(["MKSTREAM"], ["ENTRIESREAD", p.pick(["0", "-1", "3", "x", "-2"])]),
  ]);
  add(2, "XGROUP SETID", () => [
    grouped(),
    group(),
    p.pick(["$", "0", seen()]),
    ...p.options(["ENTRIESREAD", p.pick(["0", "-1", "3"])]),
  ]);
  add(1, "XGROUP DESTROY", () => [grouped(), group()]);
  add(1, "XGROUP CREATECONSUMER", () => [grouped(), group(), consumer()]);
  add(1, "XGROUP DELCONSUMER", () => [grouped(), group(), consumer()]);
  add(9, "XREADGROUP", () => [
    "GROUP",
    group(),
    consumer(),
    ...p.options(["COUNT", p.count()], ["NOACK"]),
    "STREAMS",
    grouped(),
    p.pick([">", ">", ">", "0", seen()]),
  ]);
  add(3, "XACK", () => [grouped(), group(), ...ids()]);
  add(2, "XPENDING", () => [grouped(), group()]);
  add(
    2,
    "XPENDING",
    () => [
      grouped(),
      group(),
      ...p.options(["IDLE", "0"]),
      bound(),
      bound(),
      p.count(),
      ...(p.once(3) ? [consumer()] : []),
    ],
    "idle",
  );
  makers.unit(3, ["xadd", "xgroup|create", "xreadgroup"], () => {
    const [k, g] = [grouped(), group()];
    clock++;
    return {
      commands: [
        ["XGROUP", "CREATE", k, g, "0", "MKSTREAM"],
        ["XADD", k, `${clock}-0`, ...fields()],
        ["XADD", k, `${clock}-1`, ...fields()],
        ["XREADGROUP", "GROUP", g, consumer(), "STREAMS", k, ">"],
      ],
    };
  });
  add(3, "XCLAIM", () => [
    grouped(),
    group(),
    consumer(),
    p.pick(["0", "0", "x", "-1", "99999999999"]),
    ...ids(),
    ...p.options(["TIME", "1000"], ["RETRYCOUNT", p.count()], ["FORCE"], ["JUSTID"], [
      "LASTID",
      seen(),
    ]),
  ]);
  add(2, "XAUTOCLAIM", () => [
    grouped(),
    group(),
    consumer(),
    p.pick(["0", "0", "0", "x"]),
    p.pick(["-", "0", seen()]),
    ...p.options(["COUNT", p.pick(["1", "3", "10", "0", "x"])], ["JUSTID"]),
  ]);
  add(2, "XINFO GROUPS", () => [grouped()]);
  add(1, "XINFO STREAM", () => [`none${p.below(2)}`]);
}
