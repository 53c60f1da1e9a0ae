/**
 * Positions on the earth, as scores of a sorted set: GEOADD, GEOPOS, GEODIST, GEOHASH, and the
 * searches of `geo_queries.ts`.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import { TYPE_ZSET } from "../keyspace/entry.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { type Call, WRONG_TYPE } from "./call.ts";
import {
  distance,
  geohashText,
  latitudeOfScore,
  longitudeOfScore,
  scoreOfPosition,
} from "./geo_hash.ts";
import { GEO_QUERY_COMMANDS } from "./geo_queries.ts";
import {
  type Position,
  readPosition,
  replyDistance,
  replyPosition,
  unitArgument,
} from "./geo_value.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";
import { KEY, ONE_KEY } from "./string_docs.ts";
import { addMembers, COUNT_CHANGED, ONLY_NEW, ONLY_OLD, roomForScores } from "./zset_add.ts";
import { openZset } from "./zset_value.ts";

const GEOADD = ascii("GEOADD");

const NX = ascii("NX");
const XX = ascii("XX");
const CH = ascii("CH");

const position: Position = { longitude: 0, latitude: 0 };

function geoadd(call: Call): void {
  const { argc, reply } = call;
  let flags = 0;
  let from = 2;
  for (; from < argc; from++) {
    if (call.is(from, NX)) flags |= ONLY_NEW;
    else if (call.is(from, XX)) flags |= ONLY_OLD;
    else if (call.is(from, CH)) flags |= COUNT_CHANGED;
    else break;
  }
  const values = argc - from;
  const isBoth = (flags & ONLY_NEW) !== 0 && (flags & ONLY_OLD) !== 0;
  if (values === 0 || values % 3 !== 0 || isBoth) return reply.error(ERR_SYNTAX);
  const scores = roomForScores(values / 3);
  for (let i = 0; i < values; i += 3) {
    if (!readPosition(call, from + i, position)) return;
    scores[i / 3] = scoreOfPosition(position.longitude, position.latitude);
  }
  addMembers(call, flags, from + 2, 3, GEOADD);
}

function geopos(call: Call): void {
  const { argc, reply, buf, starts, stops } = call;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    if (zset !== null && zset.find(buf, starts[i], stops[i])) replyPosition(reply, zset.score);
    else reply.nilArray();
  }
}

function geohash(call: Call): void {
  const { argc, reply, buf, starts, stops } = call;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  const zset = a === 0 ? null : openZset(call, a);
  reply.array(argc - 2);
  for (let i = 2; i < argc; i++) {
    if (zset !== null && zset.find(buf, starts[i], stops[i])) {
      reply.bulkText(geohashText(zset.score));
    } else {
      reply.nil();
    }
  }
}

function geodist(call: Call): void {
  const { argc, reply, buf, starts, stops } = call;
  if (argc > 5) return reply.error(ERR_SYNTAX);
  const unit = argc === 5 ? unitArgument(call, 4) : 1;
  if (Number.isNaN(unit)) return;
  const a = call.readAs(1, TYPE_ZSET);
  if (a === WRONG_TYPE) return;
  if (a === 0) return reply.nil();
  const zset = openZset(call, a);
  if (!zset.find(buf, starts[2], stops[2])) return reply.nil();
  const one = zset.score;
  if (!zset.find(buf, starts[3], stops[3])) return reply.nil();
  const other = zset.score;
  const metres = distance(
    longitudeOfScore(one),
    latitudeOfScore(one),
    longitudeOfScore(other),
    latitudeOfScore(other),
  );
  replyDistance(reply, metres / unit);
}

const MEMBERS: ArgumentDoc = { name: "member", type: "string", optional: true, multiple: true };

/** All commands on positions. */
export const GEO_COMMANDS: readonly CommandSpec[] = [
  {
    name: "geoadd",
    arity: -5,
    flags: ["write", "denyoom"],
    keys: ONE_KEY,
    keyAccess: ["RW update"],
    group: "geo",
    since: "3.2.0",
    summary: "Adds members with their positions, as scores of a sorted set.",
    complexity: "O(log(N)) for each member, where N is the size of the sorted set",
    history: [["6.2.0", "`CH`, `NX` and `XX` may be given."]],
    arguments: [
      KEY,
      {
        name: "condition",
        type: "oneof",
        optional: true,
        since: "6.2.0",
        arguments: [
          { name: "nx", type: "pure-token", token: "NX" },
          { name: "xx", type: "pure-token", token: "XX" },
        ],
      },
      { name: "change", type: "pure-token", token: "CH", optional: true, since: "6.2.0" },
      {
        name: "data",
        type: "block",
        multiple: true,
        arguments: [
          { name: "longitude", type: "double" },
          { name: "latitude", type: "double" },
          { name: "member", type: "string" },
        ],
      },
    ],
    run: geoadd,
  },
  {
    name: "geopos",
    arity: -2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "geo",
    since: "3.2.0",
    summary: "Returns the positions of members, nil for those that are missing.",
    complexity: "O(1) for each member",
    arguments: [KEY, MEMBERS],
    run: geopos,
  },
  {
    name: "geohash",
    arity: -2,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "geo",
    since: "3.2.0",
    summary: "Returns the positions of members as geohashes of eleven characters.",
    complexity: "O(1) for each member",
    arguments: [KEY, MEMBERS],
    run: geohash,
  },
  {
    name: "geodist",
    arity: -4,
    flags: ["readonly"],
    keys: ONE_KEY,
    keyAccess: ["RO access"],
    group: "geo",
    since: "3.2.0",
    summary: "Returns the distance between two members.",
    complexity: "O(1)",
    arguments: [
      KEY,
      { name: "member1", type: "string" },
      { name: "member2", type: "string" },
      {
        name: "unit",
        type: "oneof",
        optional: true,
        arguments: [
          { name: "m", type: "pure-token", token: "m" },
          { name: "km", type: "pure-token", token: "km" },
          { name: "ft", type: "pure-token", token: "ft" },
          { name: "mi", type: "pure-token", token: "mi" },
        ],
      },
    ],
    run: geodist,
  },
  ...GEO_QUERY_COMMANDS,
];
