/**
 * Commands that leave values of every type and form behind, in a few databases, with and without
 * deadlines, written in every way that a file of commands may have to tell of: as sent, as outcomes,
 * in transactions, by clients that waited, by deletions.
 */

import type { Client } from "./client.ts";

/** Unix ms of a deadline that does not come. */
const FUTURE_MS = "4000000000000";
const LONG = "long value ".repeat(400);

function numbered(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${prefix}${i}`);
}

function pairs(prefix: string, count: number, score = false): string[] {
  return numbered(prefix, count).flatMap((name, i) =>
    score ? [String(i / 4), name] : [name, `${i}`]
  );
}

/** Commands that Redis 7.0 knows; `tag` goes into the names of all keys. */
export function everyType(tag: string): string[][] {
  const key = (name: string) => `{${tag}}${name}`;
  return [
    ["SET", key("text"), "a\r\nb"],
    ["SET", key("integer"), "12345678901234567"],
    ["SET", key("large"), LONG.repeat(20)],
    ["SET", key("expires"), "later", "PXAT", FUTURE_MS],
    ["SET", key("gone"), "soon", "PX", "1"],
    ["APPEND", key("text"), "appended"],
    ["INCRBYFLOAT", key("float"), "10.25"],
    ["SETRANGE", key("text"), "12", "inside"],
    ["SETBIT", key("bits"), "777", "1"],
    ["PFADD", key("log"), ...numbered("e", 300)],
    ["RPUSH", key("list"), ...numbered("i", 40)],
    ["LPUSH", key("longlist"), ...numbered("item ", 1_500), LONG],
    ["LPOP", key("longlist"), "3"],
    ["LMOVE", key("longlist"), key("list"), "LEFT", "RIGHT"],
    ["SADD", key("integers"), ...numbered("", 100)],
    ["SADD", key("members"), ...numbered("m", 50)],
    ["SADD", key("manymembers"), ...numbered("member ", 900)],
    ["SPOP", key("manymembers"), "7"],
    ["ZADD", key("scores"), ...pairs("m", 30, true)],
    ["ZADD", key("manyscores"), ...pairs("member ", 700, true)],
    ["ZINCRBY", key("manyscores"), "0.1", "member 5"],
    ["ZPOPMIN", key("manyscores"), "2"],
    ["GEOADD", key("places"), "13.361389", "38.115556", "Palermo"],
    ["HSET", key("fields"), ...pairs("f", 20)],
    ["HSET", key("manyfields"), ...pairs("field ", 600), "long", LONG],
    ["HINCRBYFLOAT", key("manyfields"), "field 9", "0.5"],
    ["XADD", key("stream"), "1-1", "a", "1", "b", "2"],
    ["XADD", key("stream"), "MAXLEN", "~", "1000", "*", "c", "3"],
    ["XGROUP", "CREATE", key("stream"), "group", "0"],
    ["XREADGROUP", "GROUP", "group", "one", "COUNT", "1", "STREAMS", key("stream"), ">"],
    ["XGROUP", "CREATECONSUMER", key("stream"), "group", "two"],
    ["EXPIRE", key("list"), "100000"],
    ["PERSIST", key("list")],
    ["COPY", key("members"), key("copy")],
    ["RENAME", key("copy"), key("renamed")],
    ["SORT", key("integers"), "STORE", key("sorted")],
    ["ZUNIONSTORE", key("union"), "2", key("scores"), key("manyscores"), "WEIGHTS", "2", "1"],
    ["MULTI"],
    ["INCR", key("counter")],
    ["SELECT", "3"],
    ["SET", key("elsewhere"), "in database 3"],
    ["SELECT", "0"],
    ["DEL", key("float")],
    ["EXEC"],
    ["MULTI"],
    ["INCR", key("counter")],
    ["EXEC"],
    ["PUBLISH", "channel", "a message"],
    ["UNLINK", key("renamed")],
  ];
}

/** Runs them; throws for an error. */
export async function writeEveryType(client: Client, tag: string): Promise<void> {
  const replies = await client.pipeline(...everyType(tag));
  const failed = replies.flat().find((r) => typeof r === "string" && r.startsWith("-"));
  if (failed !== undefined) throw new Error(String(failed));
  // Whoever compares what is there with what is there later must not see the key that is to go at once.
  while (await client.ask("EXISTS", `{${tag}}gone`) !== 0) {
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
}
