/**
 * A command's spec as COMMAND INFO and COMMAND DOCS reply it, in the shapes of Redis 7.2.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { ReplyWriter } from "../resp/reply_writer.ts";
import { categoriesOf, keySpecsOf, orderedFlags } from "./command_info.ts";
import type { KeysBegin, KeysFound, KeySpec } from "./key_specs.ts";
import type { ArgumentDoc, CommandSpec } from "./registry.ts";

function putStatuses(reply: ReplyWriter, words: readonly string[]): void {
  reply.set(words.length);
  for (const word of words) reply.status(ascii(word));
}

function putText(reply: ReplyWriter, name: string, text: string): void {
  reply.bulkText(name);
  reply.bulkText(text);
}

function putInteger(reply: ReplyWriter, name: string, n: number): void {
  reply.bulkText(name);
  reply.integer(n);
}

/** The ten elements of COMMAND INFO, its subcommands among them. */
export function replyInfo(reply: ReplyWriter, spec: CommandSpec): void {
  const tips = spec.tips ?? [];
  const keySpecs = keySpecsOf(spec);
  const subcommands = spec.subcommands ?? [];
  reply.array(10);
  reply.bulkText(spec.name);
  reply.integer(spec.arity);
  putStatuses(reply, orderedFlags(spec));
  reply.integer(spec.keys?.first ?? 0);
  reply.integer(spec.keys?.last ?? 0);
  reply.integer(spec.keys?.step ?? 0);
  putStatuses(reply, categoriesOf(spec).map((category) => `@${category}`));
  reply.set(tips.length);
  for (const tip of tips) reply.bulkText(tip);
  reply.set(keySpecs.length);
  for (const keySpec of keySpecs) replyKeySpec(reply, keySpec);
  if (subcommands.length === 0) return reply.set(0);
  reply.array(subcommands.length);
  for (const subcommand of subcommands) replyInfo(reply, subcommand);
}

function replyKeySpec(reply: ReplyWriter, { access, begin, found }: KeySpec): void {
  reply.map(3);
  reply.bulkText("flags");
  putStatuses(reply, access);
  reply.bulkText("begin_search");
  reply.map(2);
  putText(reply, "type", begin.type);
  replyBegin(reply, begin);
  reply.bulkText("find_keys");
  reply.map(2);
  putText(reply, "type", found.type);
  replyFound(reply, found);
}

function replyBegin(reply: ReplyWriter, begin: KeysBegin): void {
  reply.bulkText("spec");
  switch (begin.type) {
    case "index":
      reply.map(1);
      return putInteger(reply, "index", begin.index);
    case "keyword":
      reply.map(2);
      putText(reply, "keyword", begin.keyword);
      return putInteger(reply, "startfrom", begin.startFrom);
    case "unknown":
      return reply.map(0);
  }
}

function replyFound(reply: ReplyWriter, found: KeysFound): void {
  reply.bulkText("spec");
  switch (found.type) {
    case "range":
      reply.map(3);
      putInteger(reply, "lastkey", found.lastKey);
      putInteger(reply, "keystep", found.step);
      return putInteger(reply, "limit", found.limit);
    case "keynum":
      reply.map(3);
      putInteger(reply, "keynumidx", 0);
      putInteger(reply, "firstkey", 1);
      return putInteger(reply, "keystep", 1);
    case "unknown":
      return reply.map(0);
  }
}

/** The map of COMMAND DOCS, its subcommands among it. */
export function replyDocs(reply: ReplyWriter, spec: CommandSpec): void {
  const { deprecated, history, isInternal, subcommands } = spec;
  const parts = spec.arguments ?? [];
  let fields = 4;
  if (isInternal || deprecated !== undefined) fields++;
  if (deprecated !== undefined) fields += 2;
  if (history !== undefined) fields++;
  if (parts.length > 0) fields++;
  if (subcommands !== undefined) fields++;
  reply.map(fields);
  putText(reply, "summary", spec.summary);
  putText(reply, "since", spec.since);
  putText(reply, "group", spec.group);
  putText(reply, "complexity", spec.complexity);
  if (isInternal || deprecated !== undefined) {
    reply.bulkText("doc_flags");
    const flags = deprecated === undefined ? [] : ["deprecated"];
    if (isInternal) flags.push("syscmd");
    putStatuses(reply, flags);
  }
  if (deprecated !== undefined) {
    putText(reply, "deprecated_since", deprecated.since);
    putText(reply, "replaced_by", deprecated.instead);
  }
  if (history !== undefined) {
    reply.bulkText("history");
    reply.set(history.length);
    for (const [since, change] of history) {
      reply.array(2);
      reply.bulkText(since);
      reply.bulkText(change);
    }
  }
  if (parts.length > 0) {
    reply.bulkText("arguments");
    new ArgumentsReply(reply, keySpecsOf(spec).length).put(parts);
  }
  if (subcommands !== undefined) {
    reply.bulkText("subcommands");
    reply.map(subcommands.length);
    for (const subcommand of subcommands) {
      reply.bulkText(subcommand.name);
      replyDocs(reply, subcommand);
    }
  }
}

/** Replies with the arguments of one command and counts the keys among them on the way. */
class ArgumentsReply {
  readonly #reply: ReplyWriter;
  readonly #keySpecs: number;
  #keys = 0;

  constructor(reply: ReplyWriter, keySpecs: number) {
    this.#reply = reply;
    this.#keySpecs = keySpecs;
  }

  put(parts: readonly ArgumentDoc[]): void {
    this.#reply.array(parts.length);
    for (const part of parts) this.#putOne(part);
  }

  #putOne(part: ArgumentDoc): void {
    const reply = this.#reply;
    const { token, since, arguments: parts } = part;
    const keySpec = this.#keySpecOf(part);
    const isLeaf = part.type !== "oneof" && part.type !== "block";
    const flags = [part.optional && "optional", part.multiple && "multiple"]
      .filter((flag) => typeof flag === "string");
    let fields = 2;
    if (isLeaf) fields++;
    if (keySpec >= 0) fields++;
    if (token !== undefined) fields++;
    if (since !== undefined) fields++;
    if (flags.length > 0) fields++;
    if (parts !== undefined) fields++;
    reply.map(fields);
    putText(reply, "name", part.name);
    putText(reply, "type", part.type);
    if (isLeaf) putText(reply, "display_text", part.name);
    if (keySpec >= 0) putInteger(reply, "key_spec_index", keySpec);
    if (token !== undefined) putText(reply, "token", token);
    if (since !== undefined) putText(reply, "since", since);
    if (flags.length > 0) {
      reply.bulkText("flags");
      putStatuses(reply, flags);
    }
    if (parts !== undefined) {
      reply.bulkText("arguments");
      this.put(parts);
    }
  }
  /**
   * The key specification of a part, -1 if it is no key: the n-th key is of the n-th, the last of which
   * may cover several, unless it says otherwise.
   */
  #keySpecOf({ type, keySpec }: ArgumentDoc): number {
    if (keySpec !== undefined) return keySpec;
    return type === "key" ? Math.min(this.#keys++, this.#keySpecs - 1) : -1;
  }
}
