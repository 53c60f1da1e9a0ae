/**
 * Arguments of the geo searches as COMMAND DOCS tells them.
 *
 * @module
 */

import type { ArgumentDoc } from "./registry.ts";

const UNIT: ArgumentDoc = {
  name: "unit",
  type: "oneof",
  arguments: [
    { name: "m", type: "pure-token", token: "m" },
    { name: "km", type: "pure-token", token: "km" },
    { name: "ft", type: "pure-token", token: "ft" },
    { name: "mi", type: "pure-token", token: "mi" },
  ],
};
const LONGITUDE: ArgumentDoc = { name: "longitude", type: "double" };
const LATITUDE: ArgumentDoc = { name: "latitude", type: "double" };
const RADIUS: ArgumentDoc = { name: "radius", type: "double" };
const MEMBER: ArgumentDoc = { name: "member", type: "string" };

const ORDER: ArgumentDoc = {
  name: "order",
  type: "oneof",
  optional: true,
  arguments: [
    { name: "asc", type: "pure-token", token: "ASC" },
    { name: "desc", type: "pure-token", token: "DESC" },
  ],
};
const COUNT: ArgumentDoc = {
  name: "count-block",
  type: "block",
  optional: true,
  arguments: [
    { name: "count", type: "integer", token: "COUNT" },
    { name: "any", type: "pure-token", token: "ANY", optional: true },
  ],
};
const WITH: readonly ArgumentDoc[] = [
  { name: "withcoord", type: "pure-token", token: "WITHCOORD", optional: true },
  { name: "withdist", type: "pure-token", token: "WITHDIST", optional: true },
  { name: "withhash", type: "pure-token", token: "WITHHASH", optional: true },
];

/** Of GEOSEARCH: what all of it take, and what only concerns a reply. */
export const GEOSEARCH_DOCS: {
  readonly options: readonly ArgumentDoc[];
  readonly replied: readonly ArgumentDoc[];
} = {
  options: [
    {
      name: "from",
      type: "oneof",
      arguments: [
        { ...MEMBER, token: "FROMMEMBER" },
        {
          name: "fromlonlat",
          type: "block",
          token: "FROMLONLAT",
          arguments: [LONGITUDE, LATITUDE],
        },
      ],
    },
    {
      name: "by",
      type: "oneof",
      arguments: [
        {
          name: "circle",
          type: "block",
          arguments: [{ ...RADIUS, token: "BYRADIUS" }, UNIT],
        },
        {
          name: "box",
          type: "block",
          arguments: [
            { name: "width", type: "double", token: "BYBOX" },
            { name: "height", type: "double" },
            UNIT,
          ],
        },
      ],
    },
    ORDER,
    COUNT,
  ],
  replied: WITH,
};

/** Of GEORADIUS and its like. */
export const GEORADIUS_DOCS: {
  readonly position: readonly ArgumentDoc[];
  readonly member: ArgumentDoc;
  readonly options: readonly ArgumentDoc[];
  readonly store: ArgumentDoc;
  readonly history: readonly (readonly [string, string])[];
} = {
  position: [LONGITUDE, LATITUDE],
  member: MEMBER,
  options: [RADIUS, UNIT, ...WITH, COUNT, ORDER],
  store: {
    name: "store",
    type: "oneof",
    optional: true,
    arguments: [
      { name: "storekey", type: "key", token: "STORE" },
      { name: "storedistkey", type: "key", token: "STOREDIST" },
    ],
  },
  history: [["6.2.0", "`ANY` may be given."], ["7.0.0", "Units may be in upper case."]],
};
