/**
 * What follows from a command's spec in the words of Redis: its flags in order, its ACL categories,
 * its key specifications.
 *
 * @module
 */

import { invariant } from "../base/invariant.ts";
import { type KeySpec, keysUnknown } from "./key_specs.ts";
import type { CommandFlag, CommandGroup, CommandSpec } from "./registry.ts";

/** All flags, in the order in which COMMAND INFO names them. */
const FLAGS: readonly CommandFlag[] = [
  "write",
  "readonly",
  "denyoom",
  "admin",
  "pubsub",
  "noscript",
  "blocking",
  "loading",
  "stale",
  "skip_monitor",
  "skip_slowlog",
  "fast",
  "no_auth",
  "may_replicate",
  "no_async_loading",
  "no_multi",
  "movablekeys",
  "allow_busy",
];

/** All ACL categories, in Redis's order. */
export const CATEGORIES: readonly string[] = [
  "keyspace",
  "read",
  "write",
  "set",
  "sortedset",
  "list",
  "hash",
  "string",
  "bitmap",
  "hyperloglog",
  "geo",
  "stream",
  "pubsub",
  "admin",
  "fast",
  "slow",
  "blocking",
  "dangerous",
  "connection",
  "transaction",
  "scripting",
];

/** The category that comes with a group; groups that bring none are left out. */
const GROUP_CATEGORY: Partial<Record<CommandGroup, string>> = {
  "generic": "keyspace",
  "string": "string",
  "list": "list",
  "set": "set",
  "sorted-set": "sortedset",
  "hash": "hash",
  "connection": "connection",
  "transactions": "transaction",
  "scripting": "scripting",
  "hyperloglog": "hyperloglog",
  "geo": "geo",
  "stream": "stream",
  "bitmap": "bitmap",
};
const OF_A_GROUP: ReadonlySet<string> = new Set(Object.values(GROUP_CATEGORY));

/** A command's flags in Redis's order. */
export function orderedFlags(spec: CommandSpec): CommandFlag[] {
  return FLAGS.filter((flag) => spec.flags.includes(flag));
}

/** Whether a command only holds subcommands. */
function isPureContainer(spec: CommandSpec): boolean {
  return spec.subcommands !== undefined && spec.arity === -2;
}

/**
 * A command's ACL categories in Redis's order, without `@`: those that its flags imply, those that it
 * names, and its group's, unless it names the category of another group (WAIT and SORT are generic,
 * yet not of the keyspace) or only holds subcommands.
 */
export function categoriesOf(spec: CommandSpec): string[] {
  const found = new Set<string>(spec.categories);
  const named = spec.categories ?? [];
  const ofGroup = GROUP_CATEGORY[spec.group];
  if (
    ofGroup !== undefined && !isPureContainer(spec) && !named.some((name) => OF_A_GROUP.has(name))
  ) {
    found.add(ofGroup);
  }
  const has = (flag: CommandFlag) => spec.flags.includes(flag);
  if (has("write")) found.add("write");
  if (has("readonly") && spec.group !== "scripting") found.add("read");
  if (has("admin")) found.add("admin").add("dangerous");
  if (has("pubsub")) found.add("pubsub");
  if (has("blocking")) found.add("blocking");
  found.add(has("fast") ? "fast" : "slow");
  return CATEGORIES.filter((category) => found.has(category));
}

/** Some keys of a command that stand at fixed distances, and what is done to them. */
export interface KeyRun {
  /** Flags in Redis's words: see `KeySpec`. */
  readonly access: readonly string[];
  /** Position of the first of them. */
  readonly index: number;
  /** Positions behind the first up to which there are more; negative counts from the request's end. */
  readonly lastKey: number;
  /** Distance from one to the next. */
  readonly step: number;
}

/** What is done to the keys of a command, in the order of `CommandSpec.keyAccess`. */
export function keyAccessOf(spec: CommandSpec): string[][] {
  return (spec.keyAccess ?? [defaultAccess(spec)]).map((text) => text.split(" "));
}

/** The keys of a command that its range tells of, empty for a command without. */
export function keyRunsOf(spec: CommandSpec): KeyRun[] {
  const { keys } = spec;
  if (keys === undefined || keys.first === 0) return [];
  const accesses = keyAccessOf(spec);
  return accesses.map((access, i) => {
    const index = keys.first + i * keys.step;
    if (i < accesses.length - 1) return { access, index, lastKey: 0, step: 1 };
    const lastKey = keys.last < 0 ? keys.last : keys.last - index;
    invariant(
      keys.last < 0 || lastKey >= 0,
      `${spec.name} tells what is done to more keys than it has`,
    );
    return { access, index, lastKey, step: keys.step };
  });
}

/** A command's key specifications, empty for a command without keys. */
export function keySpecsOf(spec: CommandSpec): readonly KeySpec[] {
  if (spec.keySpecs !== undefined) return spec.keySpecs;
  if (spec.findKeys !== undefined) {
    return [keysUnknown([...keyAccessOf(spec)[0], "incomplete"].join(" "))];
  }
  return keyRunsOf(spec).map(({ access, index, lastKey, step }): KeySpec => ({
    access,
    begin: { type: "index", index },
    found: { type: "range", lastKey, step, limit: 0 },
  }));
}

function defaultAccess(spec: CommandSpec): string {
  return spec.flags.includes("write") ? "RW access update" : "RO access";
}
