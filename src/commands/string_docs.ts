/**
 * Parts of the string commands' specs that several of them have in common.
 *
 * @module
 */

import type { ArgumentDoc, KeyRange } from "./registry.ts";

/** The first argument is the only key. */
export const ONE_KEY: KeyRange = { first: 1, last: 1, step: 1 };
/** Documents that key. */
export const KEY: ArgumentDoc = { name: "key", type: "key" };
/** Documents a value. */
export const VALUE: ArgumentDoc = { name: "value", type: "string" };
