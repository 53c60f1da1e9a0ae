/**
 * SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF and SHUTDOWN: data and process.
 *
 * @module
 */

import { ascii } from "../base/ascii.ts";
import type { Call } from "../commands/call.ts";
import type { CommandSpec } from "../commands/registry.ts";
import { ERR_SYNTAX } from "../resp/errors.ts";
import { word } from "./command_parts.ts";
import type { Server } from "./server.ts";
import { Wait } from "./wait.ts";

const ERR_SAVING = ascii("ERR Background save already in progress");
const ERR_SAVE_FAILED = ascii("ERR");
const ERR_NO_SHUTDOWN = ascii("ERR No shutdown in progress.");
const ERR_SHUTDOWN_FAILED = ascii("ERR Errors trying to SHUTDOWN. Check logs.");
const STARTED = ascii("Background saving started");
const SCHEDULED = ascii("Background saving scheduled");
const ERR_REWRITING = ascii("ERR Background append only file rewriting already in progress");
const ERR_NO_APPEND_ONLY = ascii("ERR there is no append-only file: CONFIG SET appendonly yes");
const REWRITE_STARTED = ascii("Background append only file rewriting started");
const REWRITE_SCHEDULED = ascii("Background append only file rewriting scheduled");

/** SAVE, BGSAVE, LASTSAVE, BGREWRITEAOF and SHUTDOWN of `server`. */
export function persistenceCommands(server: Server): CommandSpec[] {
  const { log } = server;

  async function saveNow(wait: Wait): Promise<void> {
    let isSaved = false;
    try {
      isSaved = await server.persistence.save();
    } catch (error) {
      log.warning("SAVE failed", { error: String(error) });
    }
    wait.end((reply) => isSaved ? reply.ok() : reply.error(ERR_SAVE_FAILED));
  }

  function save(call: Call): void {
    if (server.persistence.isSaving) call.reply.error(ERR_SAVING);
    else void saveNow(new Wait(call, server));
  }

  function bgsave(call: Call): void {
    const { reply, argc, session } = call;
    // SCHEDULE is for what a save cannot run beside: in Redis the rewriting of an append-only file,
    // here nothing. Another save is an error with or without it.
    if (argc > 2 || (argc === 2 && word(call, 1) !== "SCHEDULE")) return reply.error(ERR_SYNTAX);
    // What is saved is never half a transaction: it is frozen when EXEC is done.
    const begun = session.transaction === null ? STARTED : SCHEDULED;
    if (server.persistence.startBackgroundSave()) reply.status(begun);
    else reply.error(ERR_SAVING);
  }

  function bgrewriteaof({ reply, session }: Call): void {
    const { appendOnly } = server.persistence;
    const begun = session.transaction === null ? REWRITE_STARTED : REWRITE_SCHEDULED;
    if (!appendOnly.isOpen) reply.error(ERR_NO_APPEND_ONLY);
    else if (appendOnly.startRewrite()) reply.status(begun);
    else reply.error(ERR_REWRITING);
  }

  async function stop(
    wait: Wait,
    options: { save: boolean | null; now: boolean; force: boolean },
  ): Promise<void> {
    let isStopped = false;
    try {
      isStopped = await server.stop(options);
    } catch (error) {
      log.warning("SHUTDOWN failed", { error: String(error) });
    }
    // Once the server has stopped nobody is there to be told.
    if (!isStopped) wait.end((reply) => reply.error(ERR_SHUTDOWN_FAILED));
  }

  function shutdown(call: Call): void {
    const words = new Set<string>();
    for (let i = 1; i < call.argc; i++) words.add(word(call, i));
    const isKnown = [...words].every((w) => SHUTDOWN_WORDS.has(w));
    const clashes = (words.has("SAVE") && words.has("NOSAVE")) ||
      (words.has("ABORT") && words.size > 1);
    if (!isKnown || clashes) return call.reply.error(ERR_SYNTAX);
    if (words.has("ABORT")) {
      return server.abortStop() ? call.reply.ok() : call.reply.error(ERR_NO_SHUTDOWN);
    }
    log.notice("SHUTDOWN by a client", { client: call.session.id, peer: call.session.peer });
    void stop(new Wait(call, server), {
      save: words.has("SAVE") ? true : words.has("NOSAVE") ? false : null,
      now: words.has("NOW"),
      force: words.has("FORCE"),
    });
  }

  return [
    {
      name: "save",
      arity: 1,
      flags: ["admin", "noscript", "no_async_loading", "no_multi"],
      group: "server",
      since: "1.0.0",
      summary: "Saves the data and replies when it is on disk; other clients go on meanwhile.",
      complexity: "O(N) in the number of keys",
      run: save,
    },
    {
      name: "bgsave",
      arity: -1,
      flags: ["admin", "noscript", "no_async_loading"],
      group: "server",
      since: "1.0.0",
      summary: "Begins to save the data.",
      complexity: "O(1)",
      history: [["3.2.2", "SCHEDULE."]],
      arguments: [{ name: "schedule", type: "pure-token", token: "SCHEDULE", optional: true }],
      run: bgsave,
    },
    {
      name: "bgrewriteaof",
      arity: 1,
      flags: ["admin", "noscript", "no_async_loading"],
      group: "server",
      since: "1.0.0",
      summary: "Begins to rewrite the append-only file to its smallest form.",
      complexity: "O(1)",
      run: bgrewriteaof,
    },
    {
      name: "lastsave",
      arity: 1,
      flags: ["loading", "stale", "fast"],
      categories: ["admin", "dangerous"],
      group: "server",
      since: "1.0.0",
      summary: "Tells the Unix time of the last save that succeeded.",
      complexity: "O(1)",
      tips: ["nondeterministic_output"],
      run: (call) => call.reply.integer(Math.floor(server.persistence.lastSaveUnixMs / 1000)),
    },
    {
      name: "shutdown",
      arity: -1,
      flags: ["admin", "noscript", "loading", "stale", "no_multi", "allow_busy"],
      group: "server",
      since: "1.0.0",
      summary: "Stops the server, after saving where that is configured.",
      complexity: "O(N) in the number of keys when it saves, else O(1)",
      history: [["7.0.0", "NOW, FORCE and ABORT."]],
      arguments: [
        {
          name: "save-selector",
          type: "oneof",
          optional: true,
          arguments: [
            { name: "nosave", type: "pure-token", token: "NOSAVE" },
            { name: "save", type: "pure-token", token: "SAVE" },
          ],
        },
        { name: "now", type: "pure-token", token: "NOW", optional: true },
        { name: "force", type: "pure-token", token: "FORCE", optional: true },
        { name: "abort", type: "pure-token", token: "ABORT", optional: true },
      ],
      run: shutdown,
    },
  ];
}

const SHUTDOWN_WORDS: ReadonlySet<string> = new Set(["SAVE", "NOSAVE", "NOW", "FORCE", "ABORT"]);
