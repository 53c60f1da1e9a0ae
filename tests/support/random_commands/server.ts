/** Random commands on the connection, the server, transactions and channels. */

import type { Command, Makers, Parts, Unit } from "./parts.ts";

export function connectionCommands(p: Parts, makers: Makers): void {
  const add = makers.add.bind(makers);
  const unit = makers.unit.bind(makers);
  add(2, "PING", () => p.pick([[], [p.value()], ["a", "b"]]));
  add(1, "ECHO", () => p.pick([[p.value()], [], ["a", "b"]]));
  add(1, "CLIENT SETNAME", () => [p.pick(["me", "", "a b"])]);
  add(1, "CLIENT GETNAME", () => []);
  add(1, "CLIENT NO-EVICT", () => [p.pick(["ON", "off", "x"])]);
  add(1, "CLIENT KILL", () => [p.pick(["x", "1.2.3.4:5"])]);
  add(1, "CONFIG GET", () => [p.pick(["none", "maxmemory", "appendfsync", "dbfilename"])]);
  add(1, "COMMAND GETKEYS", () => [
    p.pick(["GET", "DEL", "MSET", "NOPE", "PING", "SET", "RENAME", "BITOP", "PFCOUNT"]),
    ...p.some(() => p.any(), 1, 4),
  ]);
  const waitArguments = () => [p.pick(["0", "-1", "x"]), p.pick(["0", "1", "-1", "x"])];
  add(1, "WAIT", waitArguments, "replicas");
  add(1, "HELLO", () => [p.pick(["4", "x", "1"])]);
  add(1, "AUTH", () => p.pick([[], ["a", "b", "c"]]));
  unit(2, [], () => ({
    commands: [[p.pick(["NOPE", "get ", "", "client"]), ...p.some(() => p.any(), 1, 4)]],
  }));
  unit(1, ["get"], () => ({ commands: [["GET"]] }));
  unit(1, ["client|reply"], () => ({
    commands: [["CLIENT", "REPLY", "SKIP"], ["INCR", "skipped"], ["GET", "skipped"]],
  }));
}

/** Commands that a transaction of the generator must not hold: they change what a reply looks like. */
const CHANGES_CONNECTION: ReadonlySet<string> = new Set(
  "multi exec discard watch unwatch hello auth client subscribe reset wait".split(" "),
);

/** Transactions of a few commands that `next` draws. */
export function transactionCommands(p: Parts, makers: Makers, next: () => Unit): void {
  makers.unit(8, ["multi", "exec", "discard", "watch", "unwatch"], () => {
    const inside: Command[] = [];
    for (let n = p.below(5); n > 0;) {
      const drawn = next();
      const [[name]] = drawn.commands;
      if (drawn.unordered !== undefined || drawn.commands.length > 1) continue;
      if (CHANGES_CONNECTION.has(name.toLowerCase())) continue;
      inside.push(...drawn.commands);
      n--;
    }
    const before: Command[] = p.once(3) ? [["WATCH", p.any()]] : [];
    if (before.length > 0 && p.once(2)) before.push(["SET", before[0][1], "touched"]);
    if (p.once(6)) before.push(["UNWATCH"]);
    const end = p.pick([["EXEC"], ["EXEC"], ["EXEC"], ["DISCARD"], ["exec", "x"]]);
    const after: Command[] = end.length > 1 ? [["DISCARD"]] : [];
    return { commands: [...before, ["MULTI"], ...inside, end, ...after, ["UNWATCH"]] };
  });
  makers.add(1, "EXEC", () => []);
  makers.add(1, "DISCARD", () => []);
  makers.add(1, "UNWATCH", () => []);
}

export function channelCommands(p: Parts, makers: Makers): void {
  const channel = () => `c${p.below(3)}`;
  makers.add(1, "PUBLISH", () => [channel(), p.value()]);
  makers.add(1, "PUBSUB CHANNELS", () => p.pick([[], ["c*"], ["c", "d"]]));
  makers.add(1, "PUBSUB NUMSUB", () => p.pick([[], [channel(), channel()]]));
  makers.add(1, "PUBSUB NUMPAT", () => []);
  makers.unit(1, ["subscribe", "unsubscribe", "psubscribe", "punsubscribe"], () => {
    const one = channel();
    return {
      commands: [
        ["SUBSCRIBE", one, channel()],
        ["PSUBSCRIBE", "c*"],
        ["PING", "x"],
        ["UNSUBSCRIBE", one],
        ["PUNSUBSCRIBE"],
        ["UNSUBSCRIBE", "c0", "c1", "c2"],
      ],
    };
  });
}
