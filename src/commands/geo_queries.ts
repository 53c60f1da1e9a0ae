/**
 * Searches for positions around one: GEOSEARCH, GEOSEARCHSTORE, and the GEORADIUS commands that they
 * replaced, which read their options by the same rules.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import type { Zsets } from "../keyspace/zset.ts";
import { ZsetDraft } from "../keyspace/zset_draft.ts";
import { ERR_OOM, ERR_SYNTAX, type ErrorLine } from "../resp/errors.ts";
import { int64Argument } from "./arguments.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import { latitudeOfScore, longitudeOfScore } from "./geo_hash.ts";
import { GEORADIUS_DOCS, GEOSEARCH_DOCS } from "./geo_docs.ts";
import { type Found, search, Shape } from "./geo_search.ts";
import { readPosition, replyDistance, replyPosition, unitArgument } from "./geo_value.ts";
import { keyAt, keyBehind, type KeySpec } from "./key_specs.ts";
import type { CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { storeResult } from "./zset_store.ts";
import { openZset, scoreArgument } from "./zset_value.ts";

const GEORADIUS = ascii("GEORADIUS");
const GEORADIUSBYMEMBER = ascii("GEORADIUSBYMEMBER");
const GEOSEARCHSTORE = ascii("GEOSEARCHSTORE");
const GEORADIUSSTORE_HAPPENED = ascii("georadiusstore");
const GEOSEARCHSTORE_HAPPENED = ascii("geosearchstore");

const WITHDIST = ascii("WITHDIST");
const WITHHASH = ascii("WITHHASH");
const WITHCOORD = ascii("WITHCOORD");
const ANY = ascii("ANY");
const ASC = ascii("ASC");
const DESC = ascii("DESC");
const COUNT = ascii("COUNT");
const STORE = ascii("STORE");
const STOREDIST = ascii("STOREDIST");
const FROMMEMBER = ascii("FROMMEMBER");
const FROMLONLAT = ascii("FROMLONLAT");
const BYRADIUS = ascii("BYRADIUS");
const BYBOX = ascii("BYBOX");

const ERR_MEMBER: ErrorLine = ascii("ERR could not decode requested zset member");
const ERR_RADIUS: ErrorLine = ascii("ERR need numeric radius");
const ERR_RADIUS_NEGATIVE: ErrorLine = ascii("ERR radius cannot be negative");
const ERR_WIDTH: ErrorLine = ascii("ERR need numeric width");
const ERR_HEIGHT: ErrorLine = ascii("ERR need numeric height");
const ERR_BOX_NEGATIVE: ErrorLine = ascii("ERR height or width cannot be negative");
const ERR_COUNT: ErrorLine = ascii("ERR COUNT must be > 0");
const ERR_ANY: ErrorLine = ascii("ERR the ANY argument requires COUNT argument");
const ERR_STORE_WITH: ErrorLine = ascii(
  "ERR STORE option in GEORADIUS is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
);
const ERR_SEARCHSTORE_WITH: ErrorLine = ascii(
  "ERR GEOSEARCHSTORE is not compatible with WITHDIST, WITHHASH and WITHCOORD options",
);

/** A search as the request says it. */
class Query {
  /** What is searched. */
  readonly shape = new Shape();
  /** Whether the reply has distances, scores, positions. */
  withDistance = false;
  withHash = false;
  withPosition = false;
  /** Whether any positions will do, not the nearest. */
  isAny = false;
  /** 1 nearest first, -1 farthest first, 0 as they are found. */
  direction: -1 | 0 | 1 = 0;
  /** Most positions, 0 for all. */
  count = 0;
  /** Argument with the key to store under, 0 for none. */
  storeKey = 0;
  /** Whether distances are stored as scores. */
  storesDistances = false;
  /** Where the centre and the size are said, GEOSEARCH's must be. */
  centre: typeof FROMMEMBER | typeof FROMLONLAT | null = null;
  size: typeof BYRADIUS | typeof BYBOX | null = null;
}

/** Which of the commands is running: GEOSEARCH takes other options than GEORADIUS. */
interface Flavour {
  /** GEOSEARCH or GEOSEARCHSTORE. */
  readonly isSearch: boolean;
  /** It stores, or may be told to. */
  readonly stores: boolean;
}

const SEARCH: Flavour = { isSearch: true, stores: false };
const SEARCH_STORE: Flavour = { isSearch: true, stores: true };
const RADIUS: Flavour = { isSearch: false, stores: true };
const RADIUS_RO: Flavour = { isSearch: false, stores: false };

/** The centre is the position of the member in argument `i`; false with the error replied. */
function readMember(call: Call, zset: Zsets, i: number, shape: Shape): boolean {
  if (!zset.find(call.buf, call.starts[i], call.stops[i])) {
    call.reply.error(ERR_MEMBER);
    return false;
  }
  shape.longitude = longitudeOfScore(zset.score);
  shape.latitude = latitudeOfScore(zset.score);
  return true;
}

/** Reads radius and unit from argument `i` on; false with the error replied. */
function readRadius(call: Call, i: number, shape: Shape): boolean {
  shape.isBox = false;
  shape.radius = scoreArgument(call, i, ERR_RADIUS);
  if (Number.isNaN(shape.radius)) return false;
  if (shape.radius < 0) {
    call.reply.error(ERR_RADIUS_NEGATIVE);
    return false;
  }
  shape.unitM = unitArgument(call, i + 1);
  return !Number.isNaN(shape.unitM);
}

/** Reads width, height and unit from argument `i` on; false with the error replied. */
function readBox(call: Call, i: number, shape: Shape): boolean {
  shape.isBox = true;
  shape.width = scoreArgument(call, i, ERR_WIDTH);
  if (Number.isNaN(shape.width)) return false;
  shape.height = scoreArgument(call, i + 1, ERR_HEIGHT);
  if (Number.isNaN(shape.height)) return false;
  if (shape.width < 0 || shape.height < 0) {
    call.reply.error(ERR_BOX_NEGATIVE);
    return false;
  }
  shape.unitM = unitArgument(call, i + 2);
  return !Number.isNaN(shape.unitM);
}

/**
 * Reads the options from argument `from` on; false with the error replied. `zset` is the sorted set
 * that is searched, null if there is none.
 */
function readOptions(
  call: Call,
  from: number,
  query: Query,
  { isSearch, stores }: Flavour,
  zset: Zsets | null,
): boolean {
  const { argc, reply } = call;
  const { shape } = query;
  for (let i = from; i < argc; i++) {
    const behind = argc - i - 1;
    if (call.is(i, WITHDIST)) query.withDistance = true;
    else if (call.is(i, WITHHASH)) query.withHash = true;
    else if (call.is(i, WITHCOORD)) query.withPosition = true;
    else if (call.is(i, ANY)) query.isAny = true;
    else if (call.is(i, ASC)) query.direction = 1;
    else if (call.is(i, DESC)) query.direction = -1;
    else if (behind > 0 && call.is(i, COUNT)) {
      query.count = int64Argument(call, ++i);
      if (Number.isNaN(query.count)) return false;
      if (query.count <= 0) return refuse(call, ERR_COUNT);
    } else if (!isSearch && stores && behind > 0 && call.is(i, STORE)) {
      query.storeKey = ++i;
      query.storesDistances = false;
    } else if (!isSearch && stores && behind > 0 && call.is(i, STOREDIST)) {
      query.storeKey = ++i;
      query.storesDistances = true;
    } else if (isSearch && stores && call.is(i, STOREDIST)) {
      query.storesDistances = true;
    } else if (isSearch && query.centre !== FROMLONLAT && behind > 0 && call.is(i, FROMMEMBER)) {
      query.centre = FROMMEMBER;
      i++;
      if (zset !== null && !readMember(call, zset, i, shape)) return false;
    } else if (isSearch && query.centre !== FROMMEMBER && behind > 1 && call.is(i, FROMLONLAT)) {
      query.centre = FROMLONLAT;
      if (!readPosition(call, i + 1, shape)) return false;
      i += 2;
    } else if (isSearch && query.size !== BYBOX && behind > 1 && call.is(i, BYRADIUS)) {
      query.size = BYRADIUS;
      if (!readRadius(call, i + 1, shape)) return false;
      i += 2;
    } else if (isSearch && query.size !== BYRADIUS && behind > 2 && call.is(i, BYBOX)) {
      query.size = BYBOX;
      if (!readBox(call, i + 1, shape)) return false;
      i += 3;
    } else {
      return refuse(call, ERR_SYNTAX);
    }
  }
  const withMore = query.withDistance || query.withHash || query.withPosition;
  if (query.storeKey !== 0 && withMore) {
    return refuse(call, isSearch ? ERR_SEARCHSTORE_WITH : ERR_STORE_WITH);
  }
  if (isSearch && (query.centre === null || query.size === null)) {
    const choice = query.centre === null ? "FROMMEMBER or FROMLONLAT" : "BYRADIUS and BYBOX";
    reply.errorText(`ERR exactly one of ${choice} can be specified for ${call.text(0)}`);
    return false;
  }
  if (query.isAny && query.count === 0) return refuse(call, ERR_ANY);
  // The nearest few, unless any will do.
  if (query.count > 0 && query.direction === 0 && !query.isAny) query.direction = 1;
  return true;
}

function refuse(call: Call, error: ErrorLine): false {
  call.reply.error(error);
  return false;
}

/** GEOSEARCH with its key in argument `key`. */
function geosearchFrom(call: Call, key: number, flavour: Flavour): void {
  const a = call.readAs(key, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  const query = new Query();
  if (flavour.stores) query.storeKey = 1;
  if (!readOptions(call, key + 1, query, flavour, zset)) return;
  answer(call, zset, query, GEOSEARCHSTORE, GEOSEARCHSTORE_HAPPENED);
}

function geosearch(call: Call): void {
  geosearchFrom(call, 1, SEARCH);
}

function geosearchstore(call: Call): void {
  geosearchFrom(call, 2, SEARCH_STORE);
}

/** GEORADIUS around a position. */
function radiusAround(call: Call, flavour: Flavour): void {
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  const query = new Query();
  if (!readPosition(call, 2, query.shape) || !readRadius(call, 4, query.shape)) return;
  if (!readOptions(call, 6, query, flavour, zset)) return;
  answer(call, zset, query, GEORADIUS, GEORADIUSSTORE_HAPPENED);
}

/** GEORADIUS around a member. Without a key, neither member nor radius are looked at, as in Redis. */
function radiusByMember(call: Call, flavour: Flavour): void {
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  const query = new Query();
  if (zset !== null) {
    if (!readMember(call, zset, 2, query.shape) || !readRadius(call, 3, query.shape)) return;
  }
  if (!readOptions(call, 5, query, flavour, zset)) return;
  answer(call, zset, query, GEORADIUSBYMEMBER, GEORADIUSSTORE_HAPPENED);
}

function georadius(call: Call): void {
  radiusAround(call, RADIUS);
}

function georadiusRo(call: Call): void {
  radiusAround(call, RADIUS_RO);
}

function georadiusbymember(call: Call): void {
  radiusByMember(call, RADIUS);
}

function georadiusbymemberRo(call: Call): void {
  radiusByMember(call, RADIUS_RO);
}

/** Searches, and replies or stores what was found. */
function answer(
  call: Call,
  zset: Zsets | null,
  query: Query,
  name: Uint8Array,
  event: Uint8Array,
): void {
  const found = zset === null ? null : search(zset, query.shape, query.isAny ? query.count : 0);
  const all = found === null ? 0 : found.length;
  const count = query.count === 0 ? all : Math.min(all, query.count);
  found?.sort(query.direction);
  if (query.storeKey !== 0) storeFound(call, zset, found, count, query, name, event);
  else if (zset === null || found === null || count === 0) call.reply.emptyArray();
  else replyFound(call, zset, found, count, query);
}

function replyFound(call: Call, zset: Zsets, found: Found, count: number, query: Query): void {
  const { reply } = call;
  const { withDistance, withHash, withPosition } = query;
  const more = Number(withDistance) + Number(withHash) + Number(withPosition);
  reply.array(count);
  for (let nth = 0; nth < count && !reply.overflowed; nth++) {
    const i = found.order[nth];
    const score = found.scores[i];
    zset.readPlace(found.places[i]);
    if (more > 0) reply.array(more + 1);
    reply.bulk(zset.u8, zset.start, zset.stop);
    if (withDistance) replyDistance(reply, found.distances[i] / query.shape.unitM);
    if (withHash) reply.integer(Math.trunc(score));
    if (withPosition) replyPosition(reply, score);
  }
}

function storeFound(
  call: Call,
  zset: Zsets | null,
  found: Found | null,
  count: number,
  query: Query,
  name: Uint8Array,
  event: Uint8Array,
): void {
  const { keys, reply } = call;
  const draft = new ZsetDraft(keys);
  const result = keys.zsets.draft;
  let hasRoom = true;
  for (let nth = 0; zset !== null && found !== null && nth < count && hasRoom; nth++) {
    const i = found.order[nth];
    zset.readPlace(found.places[i]);
    const metres = found.distances[i];
    const score = query.storesDistances ? metres / query.shape.unitM : found.scores[i];
    // Around the world, a position may be found twice.
    if (draft.find(zset.u8, zset.start, zset.stop)) draft.set(score);
    else hasRoom = draft.add(score);
  }
  if (!hasRoom) draft.giveUp(result);
  else hasRoom = draft.finish(result, true);
  if (hasRoom) return void storeResult(call, query.storeKey, result, name, event, count);
  result.abandon(keys);
  reply.error(ERR_OOM);
}

/** Positions of the keys of GEORADIUS, whose options begin at argument `from`. */
function radiusKeys(call: Call, from: number): number[] {
  // The last word counts. Redis names the keys behind both, as its key specifications have them.
  let store = 0, storeDistances = 0;
  for (let i = from; i + 1 < call.argc; i++) {
    if (call.is(i, STORE)) store = ++i;
    else if (call.is(i, STOREDIST)) storeDistances = ++i;
  }
  return [1, store, storeDistances].filter((i) => i > 0);
}

const BIG_O = "O(N+log(M)) where N is the members in the cells that cover the shape, M those found";

/** Where GEORADIUS and its like have their keys; options begin at position `options`. */
function radiusKeySpecs(options: number): KeySpec[] {
  return [
    keyAt(1, "RO access"),
    keyBehind("STORE", options, "OW update"),
    keyBehind("STOREDIST", options, "OW update"),
  ];
}

/** The commands that search. */
export const GEO_QUERY_COMMANDS: readonly CommandSpec[] = [
  {
    name: "geosearch",
    arity: -7,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "geo",
    since: "6.2.0",
    summary: "Returns the members within a circle or a box.",
    complexity: BIG_O,
    history: [["7.0.0", "Units may be in upper case."]],
    arguments: [KEY, ...GEOSEARCH_DOCS.options, ...GEOSEARCH_DOCS.replied],
    run: geosearch,
  },
  {
    name: "geosearchstore",
    arity: -8,
    flags: ["write", "denyoom"],
    keys: { first: 1, last: 2, step: 1 },
    keyAccess: ["OW update", "RO access"],
    group: "geo",
    since: "6.2.0",
    summary: "Stores the members within a circle or a box as another sorted set.",
    complexity: BIG_O,
    history: [["7.0.0", "Units may be in upper case."]],
    arguments: [
      { name: "destination", type: "key" },
      { name: "source", type: "key" },
      ...GEOSEARCH_DOCS.options,
      { name: "storedist", type: "pure-token", token: "STOREDIST", optional: true },
    ],
    run: geosearchstore,
  },
  {
    name: "georadius",
    arity: -6,
    flags: ["write", "denyoom", "movablekeys"],
    keys: ONE_KEY,
    findKeys: (call) => radiusKeys(call, 6),
    keyAccess: ["RO access", "OW update"],
    keySpecs: radiusKeySpecs(6),
    group: "geo",
    since: "3.2.0",
    summary: "Returns, or stores, the members within a distance of a position.",
    complexity: BIG_O,
    history: GEORADIUS_DOCS.history,
    deprecated: { since: "6.2.0", instead: "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS`" },
    arguments: [KEY, ...GEORADIUS_DOCS.position, ...GEORADIUS_DOCS.options, GEORADIUS_DOCS.store],
    run: georadius,
  },
  {
    name: "georadius_ro",
    arity: -6,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "geo",
    since: "3.2.10",
    summary: "Returns the members within a distance of a position.",
    complexity: BIG_O,
    history: GEORADIUS_DOCS.history,
    deprecated: { since: "6.2.0", instead: "`GEOSEARCH` with `BYRADIUS`" },
    arguments: [KEY, ...GEORADIUS_DOCS.position, ...GEORADIUS_DOCS.options],
    run: georadiusRo,
  },
  {
    name: "georadiusbymember",
    arity: -5,
    flags: ["write", "denyoom", "movablekeys"],
    keys: ONE_KEY,
    findKeys: (call) => radiusKeys(call, 5),
    keyAccess: ["RO access", "OW update"],
    keySpecs: radiusKeySpecs(5),
    group: "geo",
    since: "3.2.0",
    summary: "Returns, or stores, the members within a distance of one of them.",
    complexity: BIG_O,
    history: GEORADIUS_DOCS.history,
    deprecated: {
      since: "6.2.0",
      instead: "`GEOSEARCH` and `GEOSEARCHSTORE` with `BYRADIUS` and `FROMMEMBER`",
    },
    arguments: [KEY, GEORADIUS_DOCS.member, ...GEORADIUS_DOCS.options, GEORADIUS_DOCS.store],
    run: georadiusbymember,
  },
  {
    name: "georadiusbymember_ro",
    arity: -5,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "geo",
    since: "3.2.10",
    summary: "Returns the members within a distance of one of them.",
    complexity: BIG_O,
    history: GEORADIUS_DOCS.history,
    deprecated: { since: "6.2.0", instead: "`GEOSEARCH` with `BYRADIUS` and `FROMMEMBER`" },
    arguments: [KEY, GEORADIUS_DOCS.member, ...GEORADIUS_DOCS.options],
    run: georadiusbymemberRo,
  },
];
