/**
 * Random commands to redis-server and to us over sockets, in one order: the replies are the same
 * bytes, so are the events, and the data is the same in the end. What differs for a known reason does not count.
 */

import { KNOWN_DIFFERENCES, type KnownDifference } from "./known_differences.ts";
import { Random } from "./random.ts";
import { type Command, RandomCommands, type Unit, type Unordered } from "./random_commands.ts";
import { batch, RawSocket } from "./raw_socket.ts";
import { partsOfReply, splitReplies } from "./reply_text.ts";

/** Arguments for the redis-server: it looks at the times of blocked clients only so often. */
export const FUZZED_REDIS: readonly string[] = ["--hz", "500"];

/** Units that are sent together. */
const BATCH_UNITS = 40;
/** Commands between two looks at the whole data, and at other sizes of packed values. */
const ROUND_COMMANDS = 4_000;
/** Differences after which a run ends: those that follow are mostly their consequences. */
const DIFFERENCES_MAX = 12;
/** Databases that the commands get to. */
const DATABASES = 16;

/** Settings of packing and events, and what they are set to from round to round. */
const SETTINGS: Readonly<Record<string, readonly string[]>> = {
  "hash-max-listpack-entries": ["128", "4"],
  "hash-max-listpack-value": ["64", "8"],
  "set-max-intset-entries": ["512", "5"],
  "zset-max-listpack-entries": ["128", "4"],
  "zset-max-listpack-value": ["64", "8"],
  "list-max-listpack-size": ["-2", "3", "-1"],
  "stream-node-max-entries": ["100", "4"],
  "stream-node-max-bytes": ["4096", "200"],
  "hll-sparse-max-bytes": ["3000", "100"],
  "notify-keyspace-events": ["", "EAn"],
};

/** What a run is asked for. */
export interface FuzzOptions {
  readonly redisPort: number;
  readonly port: number;
  readonly protocol: 2 | 3;
  readonly seed: number;
  /** Least number of commands. */
  readonly commands: number;
  /** Told of the number of commands done, now and then. */
  readonly progress?: (done: number) => void;
  /** Given what our settings have just become; nothing else is sent until it is done. */
  readonly settingsChanged?: (commands: readonly Command[]) => Promise<void>;
}

/** What a run has found. */
export interface FuzzReport {
  readonly commands: number;
  /** Differences, each as lines for a reader. */
  readonly differences: readonly string[];
  /** Differences that were explained, by what they are about. */
  readonly known: ReadonlyMap<string, number>;
  /** Commands that are drawn by the generator and unknown to us. */
  readonly leftOut: readonly string[];
}

/** Channels of the events that are compared. */
const EVENTS = "__keyevent@*";
/**
 * Events that are not: when a key is found to be over is chance; of consumers, and of a BITFIELD that
 * fails, see known_differences.ts.
 */
const EVENTS_LEFT_OUT = /:(expired|setbit|xgroup-(create|del)consumer) /;

/** A command whose replies differ. */
interface Difference {
  readonly words: Command;
  readonly redis: string;
  readonly ours: string;
}

/** Text for a test's output: what a server said, in one line. */
function shown(text: string): string {
  const quoted = JSON.stringify(text).slice(1, -1);
  return quoted.length > 300 ? `${quoted.slice(0, 300)}... (${quoted.length})` : quoted;
}

/** Puts what has no order in one. */
function ordered(reply: string, kind: Unordered): string {
  if (kind === "idle") return reply.replaceAll(/(\d+-\d+\r\n\$2\r\nc\d\r\n:)\d+/g, "$1idle");
  if (kind === "replicas") return reply.replace(/^:\d+/, ":replicas");
  const found = partsOfReply(reply);
  if (found === null) return reply;
  const { header, parts } = found;
  if (kind === "scan" || kind === "scanned pairs") {
    const [cursor, listed] = parts;
    return header + cursor + ordered(listed ?? "", kind === "scan" ? "elements" : "pairs");
  }
  const inPairs = kind === "pairs" && parts.every((part) => !"*~%".includes(part[0]));
  const items = inPairs
    ? Array.from({ length: parts.length / 2 }, (_, i) => parts[i * 2] + parts[i * 2 + 1])
    : parts;
  return header + items.sort().join("");
}

/** The commands of a unit whose replies differ; the unit as a whole where they cannot be told apart. */
function differencesOf(unit: Unit, redis: string, ours: string): Difference[] {
  if (redis === ours) return [];
  const whole = [{ words: unit.commands.flat(), redis, ours }];
  const theirs = splitReplies(redis);
  const own = splitReplies(ours);
  const { commands } = unit;
  if (theirs?.length !== commands.length || own?.length !== commands.length) return whole;
  const found: Difference[] = [];
  const queued: Command[] = [];
  for (const [i, words] of commands.entries()) {
    if (theirs[i].startsWith("+QUEUED")) queued.push(words);
    if (theirs[i] === own[i]) continue;
    const results = partsOfReply(theirs[i])?.parts;
    const ownResults = partsOfReply(own[i])?.parts;
    const isExec = words[0].toLowerCase() === "exec" && results?.length === queued.length &&
      ownResults?.length === queued.length;
    if (!isExec) found.push({ words, redis: theirs[i], ours: own[i] });
    else {
      for (const [j, inner] of queued.entries()) {
        if (results[j] === ownResults[j]) continue;
        found.push({ words: inner, redis: results[j], ours: ownResults[j] });
      }
    }
  }
  return found.length === 0 ? whole : found;
}

/** One run: see the module's text. */
class Fuzz {
  readonly differences: string[] = [];
  readonly known = new Map<string, number>();
  readonly #options: FuzzOptions;
  readonly #random: Random;
  readonly #redis: RawSocket;
  readonly #ours: RawSocket;
  /** Listeners to the events of both. */
  readonly #listeners: readonly [RawSocket, RawSocket];
  readonly #past: Unit[] = [];
  #marks = 0;

  constructor(
    options: FuzzOptions,
    redis: RawSocket,
    ours: RawSocket,
    listeners: readonly [RawSocket, RawSocket],
  ) {
    this.#options = options;
    this.#random = new Random(options.seed);
    this.#redis = redis;
    this.#ours = ours;
    this.#listeners = listeners;
  }

  async run(): Promise<FuzzReport> {
    await this.#both([["HELLO", `${this.#options.protocol}`], ["FLUSHALL"]]);
    for (const listener of this.#listeners) {
      await listener.write(batch(["HELLO", "3"], ["PSUBSCRIBE", EVENTS]));
    }
    const [, names] = await this.#both([["COMMAND", "LIST"]]);
    const known = new Set(partsOfReply(names)!.parts.map((part) => part.split("\r\n")[1]));
    const commands = new RandomCommands(this.#random, (name) => known.has(name));
    let done = 0;
    let roundStop = 0;
    while (done < this.#options.commands && this.differences.length < DIFFERENCES_MAX) {
      if (done >= roundStop) {
        await this.#compareData();
        await this.#chooseSettings();
        this.#options.progress?.(done);
        roundStop = done + ROUND_COMMANDS;
      }
      const units = Array.from({ length: BATCH_UNITS }, () => commands.next());
      done += units.reduce((n, unit) => n + unit.commands.length, 0);
      await this.#compare(units);
    }
    if (this.differences.length < DIFFERENCES_MAX) await this.#compareData();
    const { differences, known: explained } = this;
    return { commands: done, differences, known: explained, leftOut: commands.leftOut };
  }

  async #compare(units: readonly Unit[]): Promise<void> {
    const [wanted, got] = await Promise.all([
      this.#ask(this.#redis, units),
      this.#ask(this.#ours, units),
    ]);
    this.#marks += units.length;
    for (const [i, unit] of units.entries()) {
      this.#past.push(unit);
      for (const difference of differencesOf(unit, wanted[i], got[i])) {
        this.#judge(unit, difference);
      }
    }
    await this.#compareEvents(units);
    if (this.#past.length > 20_000) this.#past.splice(0, 10_000);
  }

  /** Compares the events of `units`, in order, and shows the first that differ. */
  async #compareEvents(units: readonly Unit[]): Promise<void> {
    const [redis, ours] = await Promise.all(this.#listeners.map((each) => this.#told(each)));
    const at = redis.findIndex((event, i) => event !== ours[i]);
    if (at < 0 && redis.length === ours.length) return;
    const from = at < 0 ? redis.length : at;
    const near = (events: readonly string[]) => shown(events.slice(from, from + 4).join(", "));
    const commands = units.flatMap((unit) =>
      unit.commands.map((each) => each.map(shown).join(" "))
    );
    this.differences.push(
      [...commands, `  events of redis: ${near(redis)}`, `  ours:            ${near(ours)}`].join(
        "\n",
      ),
    );
  }

  /** The events that a listener has heard of since it was last asked, as `channel key`. */
  async #told(listener: RawSocket): Promise<string[]> {
    const mark = `<heard ${this.#marks}>`;
    await listener.write(batch(["PING", mark]));
    const pushes = splitReplies(await listener.readThrough(`${mark}\r\n`)) ?? [];
    return pushes.map((push) => partsOfReply(push)?.parts.map(bulkText) ?? [])
      .filter(([kind]) => kind === "pmessage")
      .map(([, , channel, key]) => `${channel} ${key}`)
      .filter((event) => !EVENTS_LEFT_OUT.test(event));
  }

  /** Counts the reason for which two replies to `words` differ; undefined when none is known. */
  #explain(words: Command, redis: string, ours: string): KnownDifference | undefined {
    const known = KNOWN_DIFFERENCES.find(({ explains }) => explains?.(words, redis, ours));
    if (known !== undefined) this.known.set(known.what, (this.known.get(known.what) ?? 0) + 1);
    return known;
  }

  #judge(unit: Unit, { words, redis, ours }: Difference): void {
    if (this.#explain(words, redis, ours) !== undefined) return;
    const isPart = words !== unit.commands[0] || unit.commands.length > 1;
    this.differences.push(
      [
        ...this.#history(unit),
        ...unit.commands.map((each) => each.map(shown).join(" ")),
        ...(isPart ? [`  of these: ${words.map(shown).join(" ")}`] : []),
        `  redis: ${shown(redis)}`,
        `  ours:  ${shown(ours)}`,
      ].join("\n"),
    );
  }

  /** The last units before `unit` that touched its first keys. */
  #history(unit: Unit): string[] {
    const isKey = (word: string) => /^[kfplszhxg]\d$/.test(word);
    const keys = unit.commands.flatMap((words) => words.slice(1)).filter(isKey).slice(0, 2);
    const touching = this.#past.filter(({ commands }) =>
      commands.some((words) => words.some((word) => keys.includes(word)))
    );
    return touching.slice(-9, -1).flatMap(({ commands }) =>
      commands.map((words) => `  before: ${words.map(shown).join(" ")}`)
    );
  }

  /**
   * The replies to each unit. Between units stands an ECHO of a mark, so that they can be told apart
   * whatever they are.
   */
  async #ask(socket: RawSocket, units: readonly Unit[]): Promise<string[]> {
    const from = this.#marks;
    const requests = units.flatMap((unit, i) => [...unit.commands, ["ECHO", `<mark ${from + i}>`]]);
    const bytes = requests.map((words) => words.map(latin1Bytes));
    const last = `<mark ${from + units.length - 1}>\r\n`;
    const [replies] = await Promise.all([
      socket.readThrough(last),
      socket.write(batch(...bytes)),
    ]);
    let at = 0;
    return units.map((unit, i) => {
      const mark = `<mark ${from + i}>`;
      const echo = `$${mark.length}\r\n${mark}\r\n`;
      const stop = replies.indexOf(echo, at);
      const reply = replies.slice(at, stop);
      at = stop + echo.length;
      return unit.unordered === undefined ? reply : ordered(reply, unit.unordered);
    });
  }

  /** The last of the commands' replies of both servers. */
  async #both(commands: readonly Command[]): Promise<[string, string]> {
    const units = commands.map((words) => ({ commands: [words] }));
    const [redis, ours] = await Promise.all([
      this.#ask(this.#redis, units),
      this.#ask(this.#ours, units),
    ]);
    this.#marks += units.length;
    return [redis.at(-1)!, ours.at(-1)!];
  }

  async #chooseSettings(): Promise<void> {
    const commands = Object.entries(SETTINGS).map(([name, values]) => [
      "CONFIG",
      "SET",
      name,
      this.#random.pick(values),
    ]);
    const [redis, ours] = await this.#both(commands);
    if (redis !== ours) this.differences.push(`settings: ${redis}, ours ${ours}`);
    await this.#options.settingsChanged?.(commands);
  }

  /** Compares digests of all data; where they differ, key by key. */
  async #compareData(): Promise<void> {
    const [redis, ours] = await this.#both([["DEBUG", "DIGEST"]]);
    if (redis === ours) return;
    let explained = 0;
    const before = this.differences.length;
    for (let db = 0; db < DATABASES; db++) {
      const [keys, ownKeys] = await this.#both([["SELECT", `${db}`], ["KEYS", "*"]]);
      const names = (reply: string) => partsOfReply(reply)!.parts.map(bulkText).sort();
      const wanted = names(keys);
      if (wanted.join(" ") !== names(ownKeys).join(" ")) {
        this.differences.push(`keys of database ${db}: ${shown(keys)}, ours ${shown(ownKeys)}`);
      }
      for (const key of wanted) {
        const [digest, own] = await this.#both([["DEBUG", "DIGEST-VALUE", key]]);
        if (digest === own) continue;
        const command = await this.#valueCommand(key);
        const [value, ownValue] = await this.#both([command]);
        if (value !== ownValue && this.#explain(command, value, ownValue)?.isInData) {
          explained++;
          continue;
        }
        const said = `  redis: ${shown(value)}\n  ours:  ${shown(ownValue)}`;
        const past = this.#history({ commands: [["", key]] }).join("\n");
        this.differences.push(`${past}\nvalue of ${shown(key)} in database ${db}\n${said}`);
      }
    }
    if (this.differences.length === before && explained === 0) {
      this.differences.push(`the data's digests: ${redis}, ours ${ours}`);
    }
    await this.#both([["SELECT", "0"]]);
  }

  /** A command that shows the value of a key. */
  async #valueCommand(key: string): Promise<Command> {
    const [type] = await this.#both([["TYPE", key]]);
    switch (type.slice(1, -2)) {
      case "list":
        return ["LRANGE", key, "0", "-1"];
      case "set":
        return ["SORT", key, "ALPHA"];
      case "zset":
        return ["ZRANGE", key, "0", "-1", "WITHSCORES"];
      case "hash":
        return ["HGETALL", key];
      case "stream":
        return ["XRANGE", key, "-", "+"];
      default:
        return ["GET", key];
    }
  }
}

function bulkText(reply: string): string {
  const at = reply.indexOf("\r\n") + 2;
  return reply.slice(at, -2);
}

function latin1Bytes(word: string): Uint8Array {
  return Uint8Array.from(word, (char) => char.charCodeAt(0));
}

/** Runs random commands on a redis-server and on us, both at these ports. */
export async function fuzzDifferential(options: FuzzOptions): Promise<FuzzReport> {
  using redis = await RawSocket.connect(options.redisPort);
  using ours = await RawSocket.connect(options.port);
  using redisEvents = await RawSocket.connect(options.redisPort);
  using ourEvents = await RawSocket.connect(options.port);
  return await new Fuzz(options, redis, ours, [redisEvents, ourEvents]).run();
}
