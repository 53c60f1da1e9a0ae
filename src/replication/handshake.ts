/**
 * A replica's first request, from arguments to a claim or to a rejection with a name. The checks come
 * in a fixed order and the first that fails decides, so that a peer's mistake has one name however
 * its bytes arrive. replica_input.ts brings the arguments and the rejections that are about bytes and
 * time; who may come, and when, is the shard's to say (NotPermitted, TooMany, NotReady).
 *
 *     REPLICATE FROM <offset> ID <id>                                        v1, exactly 5
 *     REPLICATE FROM <offset> ID <id> (HISTORY <40 hex | ?> |
 *                   LISTENING-PORT <1..65535> | IP-ADDRESS <host> | CAPA <token> |
 *                   AUTH <password> | TIMEOUT <ms> |
 *                   ORIGIN <history>:<offset>:<db>)+                          v2, odd, at least 7
 *
 * Keywords are ASCII and in any case, as kevy takes them.
 *
 * @module
 */

import { ascii, equalsFolded, latin1 } from "../base/ascii.ts";
import {
  type HandshakeClaim,
  isAnnouncedHost,
  isHistory,
  parseOffset,
  parsePlace,
} from "./wire.ts";

/** Why a handshake is rejected, in the order of the checks. */
export type RejectionName =
  | "BadCommand"
  | "WrongArity"
  | "BadFromKeyword"
  | "BadOffset"
  | "BadIdKeyword"
  | "BadReplicaId"
  | "BadOption"
  | "NotPermitted"
  | "TooLarge"
  | "TooSlow"
  | "TooMany"
  | "NotReady";

const REJECTIONS: ReadonlySet<string> = new Set<RejectionName>([
  "BadCommand",
  "WrongArity",
  "BadFromKeyword",
  "BadOffset",
  "BadIdKeyword",
  "BadReplicaId",
  "BadOption",
  "NotPermitted",
  "TooLarge",
  "TooSlow",
  "TooMany",
  "NotReady",
]);

/** Whether a link that was closed for this reason was refused, and is told so. */
export function isRejection(because: string): because is RejectionName {
  return REJECTIONS.has(because);
}

/** A rejection: its name, and what was found or is required, for the peer and for the log. */
export interface HandshakeRejection {
  /** Tells it from a request. */
  kind: "rejection";
  /** The first check that failed. */
  name: RejectionName;
  /** Number of arguments, for `WrongArity`. */
  argc: number | null;
  /** In words. */
  detail: string;
}

/** A handshake that passed every check on its own bytes. */
export interface HandshakeRequest extends HandshakeClaim {
  /** Tells it from a rejection. */
  kind: "request";
  /** The asked offset in canonical digits; exact where `offset` was clamped. */
  offsetDigits: string;
}

const REPLICATE = ascii("REPLICATE");
const FROM = ascii("FROM");
const ID = ascii("ID");
const HISTORY = ascii("HISTORY");
const LISTENING_PORT = ascii("LISTENING-PORT");
const IP_ADDRESS = ascii("IP-ADDRESS");
const CAPA = ascii("CAPA");
const AUTH = ascii("AUTH");
const TIMEOUT = ascii("TIMEOUT");
const ORIGIN = ascii("ORIGIN");

/** Arguments of a v1 handshake; v2 adds pairs. */
const V1_ARGC = 5;

/** A rejection by name. */
export function reject(name: RejectionName, detail: string): HandshakeRejection {
  return { kind: "rejection", name, argc: null, detail };
}

/** The words behind `-ERR` that a rejected peer is sent: the name first, for people and programs. */
export function rejectionText(rejection: HandshakeRejection): string {
  const count = rejection.argc === null ? "" : `(${rejection.argc})`;
  return `${rejection.name}${count} ${rejection.detail}`;
}

/** Reads the handshake whose argument i is `buf[starts[i]..stops[i])`. */
export function parseHandshake(
  buf: Uint8Array,
  args: { argc: number; starts: ArrayLike<number>; stops: ArrayLike<number> },
): HandshakeRequest | HandshakeRejection {
  const { argc, starts, stops } = args;
  if (argc !== V1_ARGC && (argc < V1_ARGC || argc % 2 === 0)) {
    const detail = "expected REPLICATE FROM <offset> ID <id> [<option> <value>]...";
    return { kind: "rejection", name: "WrongArity", argc, detail };
  }
  const is = (i: number, word: Uint8Array) => equalsFolded(buf, starts[i], stops[i], word);
  if (!is(0, REPLICATE)) return reject("BadCommand", "expected REPLICATE");
  if (!is(1, FROM)) return reject("BadFromKeyword", "argument 1 must be FROM");
  const offset = parseOffset(buf, starts[2], stops[2]);
  if (offset < 0) {
    return reject("BadOffset", "the offset must be an unsigned 64-bit integer in digits");
  }
  if (!is(3, ID)) return reject("BadIdKeyword", "argument 3 must be ID");
  const id = utf8(buf, starts[4], stops[4]);
  if (id === null || id === "") {
    return reject("BadReplicaId", "the replica id must be UTF-8 and not empty");
  }
  const request: HandshakeRequest = {
    kind: "request",
    version: argc === V1_ARGC ? 1 : 2,
    offset,
    offsetDigits: latin1(buf, starts[2], stops[2]).replace(/^0+(?=.)/, ""),
    id,
    history: null,
    listeningPort: null,
    announcedHost: null,
    capabilities: [],
  };
  const capabilities: string[] = [];
  for (let i = V1_ARGC; i < argc; i += 2) {
    const value = latin1(buf, starts[i + 1], stops[i + 1]);
    if (is(i, HISTORY)) {
      if (value !== "?" && !isHistory(value)) {
        return reject("BadOption", "HISTORY takes 40 lower-case hex digits, or ?");
      }
      request.history = value === "?" ? null : value;
    } else if (is(i, LISTENING_PORT)) {
      const port = /^[0-9]{1,5}$/.test(value) ? Number(value) : 0;
      if (port < 1 || port > 65_535) {
        return reject("BadOption", "LISTENING-PORT takes a port from 1 to 65535");
      }
      request.listeningPort = port;
    } else if (is(i, IP_ADDRESS)) {
      if (!isAnnouncedHost(value)) {
        return reject("BadOption", "IP-ADDRESS takes an address or a host name");
      }
      request.announcedHost = value;
    } else if (is(i, AUTH)) {
      const password = utf8(buf, starts[i + 1], stops[i + 1]);
      if (password === null) return reject("BadOption", "AUTH takes a password in UTF-8");
      request.password = password;
    } else if (is(i, CAPA)) {
      if (!/^[!-~]+$/.test(value)) return reject("BadOption", "CAPA takes a word");
      capabilities.push(value);
    } else if (is(i, TIMEOUT)) {
      const timeoutMs = /^[0-9]{1,15}$/.test(value) ? Number(value) : 0;
      if (timeoutMs < 1) return reject("BadOption", "TIMEOUT takes milliseconds, at least 1");
      request.timeoutMs = timeoutMs;
    } else if (is(i, ORIGIN)) {
      const origin = parsePlace(value);
      if (origin === null) return reject("BadOption", "ORIGIN takes <history>:<offset>:<database>");
      request.origin = origin;
    } else {
      const options = "HISTORY, LISTENING-PORT, IP-ADDRESS, CAPA, AUTH, TIMEOUT or ORIGIN";
      return reject("BadOption", `argument ${i} must be ${options}`);
    }
  }
  request.capabilities = capabilities;
  return request;
}

const STRICT_UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/** The text of the bytes, or null when they are not UTF-8. */
function utf8(buf: Uint8Array, start: number, stop: number): string | null {
  try {
    return STRICT_UTF8.decode(buf.slice(start, stop));
  } catch {
    return null;
  }
}
