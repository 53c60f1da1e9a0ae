/**
 * Asks an upstream, over its client port, how it is laid out (`REPLCONF LAYOUT`); and how a node is asked
 * anything there.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { type Reply, ReplyError, ReplyParser } from "../resp/reply_parser.ts";

/** What a shoal node says of its layout. */
export interface Layout {
  /** Number of shards. */
  readonly shards: number;
  /** Port of shard 0's replication listener. */
  readonly replicationPortBase: number;
  /** Id of the node. */
  readonly node: string;
  /** History id of each shard. */
  readonly history: readonly string[];
}

/** The peer is not a shoal node, or refuses to answer; the message is one line. */
export class LayoutError extends Error {
  /** Tells it from other errors. */
  override readonly name = "LayoutError";
}

/** Largest number of shards that is believed. */
const SHARDS_MAX = 1024;
/** Most bytes of an answer that are read: 1024 histories and their headers fit twice. */
const ANSWER_BYTES_MAX = 131_072;

/**
 * Asks on a connection that was just made; the caller closes it, also to end a wait.
 *
 * @throws {LayoutError} when the answer is none of a shoal node.
 */
export async function askLayout(
  conn: Deno.Conn,
  auth: { readonly user: string; readonly password: string },
): Promise<Layout> {
  const parser = new ReplyParser();
  await authenticate(conn, parser, auth);
  const answer = await ask(conn, parser, ["REPLCONF", "LAYOUT"]);
  if (answer instanceof ReplyError && answer.message.startsWith("NOAUTH")) {
    throw new LayoutError("upstream wants a password: set masterauth");
  }
  return readLayout(answer);
}

/**
 * Says the password, where there is one, on a connection that was just made.
 *
 * @throws {LayoutError} when it is refused.
 */
export async function authenticate(
  conn: Deno.Conn,
  parser: ReplyParser,
  auth: { readonly user: string; readonly password: string },
): Promise<void> {
  if (auth.password === "") return;
  const words = auth.user === "" ? ["AUTH", auth.password] : ["AUTH", auth.user, auth.password];
  const answer = await ask(conn, parser, words);
  if (answer instanceof ReplyError) {
    throw new LayoutError(`upstream refuses masterauth: ${answer.message}`);
  }
}

/**
 * Sends a command and gives its reply; `parser` is the connection's.
 *
 * @throws {LayoutError} when there is none, or one that is too long.
 */
export async function ask(
  conn: Deno.Conn,
  parser: ReplyParser,
  words: readonly string[],
): Promise<Reply> {
  const request = ascii(
    `*${words.length}\r\n` +
      words.map((word) => `$${ascii(word).length}\r\n${word}\r\n`).join(""),
  );
  for (let written = 0; written < request.length;) {
    written += await conn.write(request.subarray(written));
  }
  const buf = new Uint8Array(16_384);
  let total = 0;
  while (true) {
    const reply = parser.next();
    if (reply !== undefined) return reply;
    const n = await conn.read(buf);
    if (n === null) throw new LayoutError("upstream ended the connection without an answer");
    total += n;
    if (total > ANSWER_BYTES_MAX) throw new LayoutError("upstream answers more than a layout");
    parser.push(buf.subarray(0, n));
  }
}

function readLayout(answer: Reply): Layout {
  const fields = new Map<string, Reply>();
  if (Array.isArray(answer)) {
    for (let i = 0; i + 1 < answer.length; i += 2) fields.set(textOf(answer[i]), answer[i + 1]);
  } else if (answer instanceof Map) {
    for (const [name, value] of answer) fields.set(textOf(name), value);
  }
  const shards = numberOf(fields.get("shards"));
  const replicationPortBase = numberOf(fields.get("replication-port-base"));
  const history = fields.get("history");
  if (
    numberOf(fields.get("protocol")) !== 2 || !(shards >= 1 && shards <= SHARDS_MAX) ||
    !(replicationPortBase >= 1 && replicationPortBase + shards <= 65_536) ||
    !Array.isArray(history) || history.length !== shards
  ) {
    throw new LayoutError(
      "upstream is not a shoal server (no answer to REPLCONF LAYOUT); for kevy set replicaof-shards",
    );
  }
  return {
    shards,
    replicationPortBase,
    node: textOf(fields.get("node") ?? ""),
    history: history.map(textOf),
  };
}

function textOf(value: Reply): string {
  return value instanceof Uint8Array ? new TextDecoder().decode(value) : String(value);
}

function numberOf(value: Reply | undefined): number {
  return value === undefined ? NaN : Number(textOf(value));
}
