/**
 * The bytes of the replication wire, in the direction of writing: every line and envelope that either
 * side sends, and the numbers and limits both sides share. stream_decoder.ts reads what a primary
 * sends, handshake.ts what a replica sends first; a frame's bytes are written by backlog.ts.
 *
 *     replica -> primary   REPLICATE FROM <offset> ID <id> [HISTORY <40 hex | ?>]
 *                                    [LISTENING-PORT <port>] [IP-ADDRESS <host>]
 *                                    [AUTH <password>] [CAPA <token>]...
 *                                    [TIMEOUT <ms>] [ORIGIN <place>]             an array of bulks
 *                          REPLCONF ACK <offset>                                 an array of bulks
 *                          REPLCONF FACK <offset>                                an array of bulks
 *     primary -> replica   +ACK <offset>                                        v1: the asked offset
 *                          +ACK <offset> HISTORY <id> SHARD <i> SHARDS <n>       v2: next, or the cut
 *                               [CONTINUES <asked offset> [DB <database>]]       v2: in other numbers
 *                          *2 :<offset> *<argc> $<length> <bytes> ...            a frame
 *                          +FRAMES <offset>                                      v2, if it says CAPA unnumbered:
 *                          *<argc> $<length> <bytes> ...                         frames from that one on
 *                          +PING <history> <next offset> <node sequence>         v2 heartbeat
 *                          +GETACK                                               v2
 *                          +ORIGIN [<own offset> <place>]                        v2, if it says CAPA origin
 *                          +CHAIN <12 hex>...                                    v2, if it says CAPA chain
 *                          +SNAPSHOT   $<length> <bytes> ...   +SNAPSHOT_END <cut>
 *                          -ERR <text>                                           a refusal
 *
 * A place is <history>:<offset>:<database>, in the line of whom the primary itself follows: its frames
 * from <own offset> on are the ones from that place on, until the next such line says otherwise. Without
 * a place nothing is known any more. In a handshake it is where that puts the replica's own data.
 * A chain names the nodes that frames come through, by the first digits of their ids: the primary, the
 * node that it follows itself, and so on.
 *
 * The v1 lines are those of kevy 1.18 (captured in tests/fixtures); v2 is what two shoals speak.
 * Everything here but the chunk header is sent once in a while, so it is made from strings.
 *
 * @module
 */

import { ascii, CR, digitCount, LF, putInteger } from "../base/ascii.ts";
import { invariant } from "../base/invariant.ts";
import type { LinePlace, OriginPoint } from "./origins.ts";

/** Longest `+` or `-` line, its line end not counted. */
export const LINE_BYTES_MAX = 256;

/** Longest handshake, everything counted: an id, a history and some capabilities take a tenth. */
export const HANDSHAKE_BYTES_MAX = 4096;

/** Longest password that a handshake can say, in bytes: all else that it may say fits beside it. */
export const PASSWORD_BYTES_MAX = 3072;

/** Bytes of the image in one snapshot chunk (kevy's limit, and what both sides keep to). */
export const CHUNK_BYTES_MAX = 65_536;

/** Room that `frameChunk` needs before the bytes of a chunk: `$65536\r\n`. */
export const CHUNK_HEAD_BYTES = 8;

/** Room that `frameChunk` needs behind the bytes of a chunk: a line end. */
export const CHUNK_TAIL_BYTES = 2;

/** A history id on the wire: 40 lower-case hex digits. */
const HISTORY = /^[0-9a-f]{40}$/;

/** Whether `text` can be a history or node id. */
export function isHistory(text: string): boolean {
  return HISTORY.test(text);
}

/** The greatest offset the wire can carry, 2^64 - 1, as digits. */
const U64_MAX = ascii("18446744073709551615");

/**
 * The unsigned decimal `buf[start..stop)` as an offset, or -1 when it is empty, has another byte than
 * digits or does not fit 64 bits. Leading zeros are taken. What is above 2^53 - 1 gives exactly that:
 * such an offset is valid and ahead of every history.
 */
export function parseOffset(buf: Uint8Array, start: number, stop: number): number {
  while (start < stop - 1 && buf[start] === 48) start++;
  const digits = stop - start;
  if (digits <= 0 || digits > U64_MAX.length) return -1;
  let value = 0;
  for (let i = start; i < stop; i++) {
    const digit = buf[i] - 48;
    if (digit < 0 || digit > 9) return -1;
    value = value * 10 + digit;
  }
  if (digits === U64_MAX.length) {
    for (let i = 0; i < digits; i++) {
      if (buf[start + i] < U64_MAX[i]) break;
      if (buf[start + i] > U64_MAX[i]) return -1;
    }
  }
  return Math.min(value, Number.MAX_SAFE_INTEGER);
}

/** A place of a line as one word. */
function placeWord({ history, offset, db }: LinePlace): string {
  return `${history}:${offset}:${db}`;
}

/** The place that a word names, or null. */
export function parsePlace(word: string): LinePlace | null {
  const [history, offsetDigits, dbDigits, ...rest] = word.split(":");
  if (!isHistory(history) || dbDigits === undefined || rest.length > 0) return null;
  const offset = parseDigits(offsetDigits);
  const db = parseDigits(dbDigits);
  return offset < 0 || db < 0 ? null : { history, offset, db };
}

/** As `parseOffset`, of a text. */
export function parseDigits(digits: string): number {
  const bytes = new Uint8Array(digits.length);
  for (let i = 0; i < digits.length; i++) bytes[i] = digits.charCodeAt(i);
  return parseOffset(bytes, 0, bytes.length);
}

/** v1's answer to a handshake; `asked` is the offset that was asked for, in canonical digits. */
export function encodeAckV1(asked: string): Uint8Array<ArrayBuffer> {
  return ascii(`+ACK ${asked}\r\n`);
}

/** Where a v2 stream stands: which shard of how many, in which history. */
export interface StreamPlace {
  /** The offset of the next frame the primary will send, or the cut of the snapshot that follows. */
  offset: number;
  /** The history in which that offset counts. */
  history: string;
  /** The primary's shard. */
  shard: number;
  /** How many shards the primary has. */
  shards: number;
  /** Which offset of the claimed history `offset` is here, if the frames go on in other numbers. */
  continues?: number;
  /** With `continues`: the database that the stream speaks of there; -1 when the next frame says it. */
  db?: number;
}

/** The capability of a replica that goes on with frames in another history's numbers. */
export const RENUMBER_CAPABILITY = "renumber";

/** The capability of a replica that its primary can ask to take its place (FAILOVER). */
export const FAILOVER_CAPABILITY = "failover";

/** The capability of a replica that is told where its primary's frames come from. */
export const ORIGIN_CAPABILITY = "origin";

/** The capability of a replica that counts frames, so that they need not say their numbers. */
export const UNNUMBERED_CAPABILITY = "unnumbered";

/** The capability of a replica that is told which nodes the frames come through. */
export const CHAIN_CAPABILITY = "chain";

/**
 * Nodes that frames may come through. Who is told of more follows no further: a chain that long is a circle
 * that nobody in it has noticed yet, or as good as one.
 */
export const CHAIN_NODES_MAX = 16;

/** A node's id in a chain: as many of its digits as tell nodes apart, and let a chain be one line. */
export function chainId(node: string): string {
  return node.slice(0, 12);
}

const CHAIN_ID = /^[0-9a-f]{12}$/;

/** Whether `text` can be a node in a chain. */
export function isChainId(text: string): boolean {
  return CHAIN_ID.test(text);
}

/** Which nodes frames come through; of too many, enough to see that they are. */
export function encodeChain(nodes: readonly string[]): Uint8Array<ArrayBuffer> {
  return ascii(`+${["CHAIN", ...nodes.slice(0, CHAIN_NODES_MAX + 1)].join(" ")}\r\n`);
}

/** Where the primary's frames from `point.own` on come from; null: that is not known any more. */
export function encodeOrigin(point: OriginPoint | null): Uint8Array<ArrayBuffer> {
  return ascii(point === null ? "+ORIGIN\r\n" : `+ORIGIN ${point.own} ${placeWord(point)}\r\n`);
}

/** Frames follow that do not say their numbers; `offset` is the first one's. */
export function encodeFrames(offset: number): Uint8Array<ArrayBuffer> {
  return ascii(`+FRAMES ${offset}\r\n`);
}

/** v2's answer to a handshake. */
export function encodeAckV2(place: StreamPlace): Uint8Array<ArrayBuffer> {
  const { offset, history, shard, shards, continues, db = -1 } = place;
  const asked = continues === undefined ? "" : ` CONTINUES ${continues}`;
  const database = continues === undefined || db < 0 ? "" : ` DB ${db}`;
  return ascii(
    `+ACK ${offset} HISTORY ${history} SHARD ${shard} SHARDS ${shards}${asked}${database}\r\n`,
  );
}

/** The line before the chunks of a snapshot. */
export const SNAPSHOT_BEGIN_LINE: Uint8Array<ArrayBuffer> = ascii("+SNAPSHOT\r\n");

/** The line behind the chunks of a snapshot whose next frame is `cut`. */
export function encodeSnapshotEnd(cut: number): Uint8Array<ArrayBuffer> {
  return ascii(`+SNAPSHOT_END ${cut}\r\n`);
}

/**
 * Makes `buf[start..stop)` a chunk in place: the header goes before it, the line end behind it. Gives
 * the byte where the header begins; the chunk ends at `stop + CHUNK_TAIL_BYTES`.
 */
export function frameChunk(buf: Uint8Array, start: number, stop: number): number {
  const length = stop - start;
  invariant(length > 0 && length <= CHUNK_BYTES_MAX, `a chunk of ${length} bytes`);
  const head = start - digitCount(length) - 3;
  invariant(head >= 0 && stop + CHUNK_TAIL_BYTES <= buf.length, "a chunk has room around it");
  buf[head] = 36; // $
  putInteger(buf, head + 1, length);
  buf[start - 2] = buf[stop] = CR;
  buf[start - 1] = buf[stop + 1] = LF;
  return head;
}

/**
 * A heartbeat: the primary's history, the number of its next frame, and how many frames all shards of
 * the node had produced when that frame was the next.
 */
export function encodeHeartbeat(
  history: string,
  nextOffset: number,
  sequence: number,
): Uint8Array<ArrayBuffer> {
  return ascii(`+PING ${history} ${nextOffset} ${sequence}\r\n`);
}

/** Asks a v2 replica to acknowledge now. */
export const GET_ACK_LINE: Uint8Array<ArrayBuffer> = ascii("+GETACK\r\n");

/**
 * A v2 replica's acknowledgement: everything before `offset` is applied; and behind it, unless `synced`
 * is -1, that everything before `synced` is in its append-only file and synced. That is a request of its
 * own, since a primary that does not know it passes it unread.
 */
export function encodeReplicaAck(offset: number, synced: number = -1): Uint8Array<ArrayBuffer> {
  return ascii(replConf("ACK", offset) + (synced < 0 ? "" : replConf("FACK", synced)));
}

function replConf(what: string, offset: number): string {
  return `*3\r\n${bulk("REPLCONF")}${bulk(what)}${bulk(String(offset))}`;
}

/** Whether this may be announced as a replica's address: a number or a name, with nothing else in it. */
export function isAnnouncedHost(text: string): boolean {
  return /^[0-9A-Za-z._:%-]{1,255}$/.test(text);
}

/** What a replica claims in its handshake. */
export interface HandshakeClaim {
  /** 1 speaks kevy's handshake and stream, 2 adds history, acknowledgements and heartbeats. */
  version: 1 | 2;
  /** The next frame the replica needs. */
  offset: number;
  /** Name under which the primary remembers it; not empty. */
  id: string;
  /** v2: the history of the data it holds, or null when it holds none worth resuming. */
  history: string | null;
  /** v2: the port on which the replica serves clients, or null to say nothing of it. */
  listeningPort: number | null;
  /** v2: the address under which it wants to be told of, or null for the one that it comes from. */
  announcedHost: string | null;
  /** v2: what else it understands. */
  capabilities: readonly string[];
  /** v2: where that data lies in the line of whom the node of `history` followed, if it was told. */
  origin?: LinePlace | null;
  /** v2: the primary's password (`requirepass`), where it wants one. */
  password?: string;
  /** v2: how long a silence of the primary the replica bears (`repl-timeout`), in ms. */
  timeoutMs?: number;
}

/** A replica's handshake. v2 always carries HISTORY, which is what makes it v2. */
export function encodeHandshake(claim: HandshakeClaim): Uint8Array<ArrayBuffer> {
  const args = ["REPLICATE", "FROM", String(claim.offset), "ID", claim.id];
  if (claim.version === 2) {
    args.push("HISTORY", claim.history ?? "?");
    if (claim.listeningPort !== null) args.push("LISTENING-PORT", String(claim.listeningPort));
    if (claim.announcedHost !== null) args.push("IP-ADDRESS", claim.announcedHost);
    if (claim.password !== undefined) args.push("AUTH", claim.password);
    for (const capability of claim.capabilities) args.push("CAPA", capability);
    if (claim.timeoutMs !== undefined) args.push("TIMEOUT", String(claim.timeoutMs));
    if (claim.origin) args.push("ORIGIN", placeWord(claim.origin));
  }
  return ascii(`*${args.length}\r\n${args.map(bulk).join("")}`);
}

/** A frame with no arguments but its command's name, `offset` in digits: for numbers past 2^53. */
export function encodeBareFrame(offset: string, name: string): Uint8Array<ArrayBuffer> {
  return ascii(`*2\r\n:${offset}\r\n*1\r\n${bulk(name)}`);
}

/** A refusal; line ends inside `text` become spaces, and it is cut to fit a line. */
export function encodeRefusal(text: string): Uint8Array<ArrayBuffer> {
  let line = "-ERR " + text.replace(/[\r\n]/g, " ");
  while (ascii(line).length > LINE_BYTES_MAX) line = line.slice(0, -1);
  return ascii(line + "\r\n");
}

function bulk(text: string): string {
  return `$${ascii(text).length}\r\n${text}\r\n`;
}
