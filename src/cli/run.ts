/**
 * What the program does with its command line, and the exit code it ends with.
 *
 * @module
 */

import { DataDirectoryError } from "../base/data_directory.ts";
import { reasonOf } from "../base/permissions.ts";
import { LogFileError, StreamSink } from "../observability/log_sink.ts";
import { LoadError } from "../persistence/load_error.ts";
import { ConfigError } from "../server/config_error.ts";
import { StartError } from "../server/server.ts";
import { SaveError } from "../persistence/save_error.ts";
import { parseArguments } from "./args.ts";
import { check } from "./check.ts";
import { helpText } from "./help.ts";
import { serve } from "./serve.ts";
import { versionLine } from "./version.ts";

/** The exit code after an orderly end. */
export const EXIT_OK = 0;
/** The exit code of a start that failed, or of an end that was forced. */
export const EXIT_FAILED = 1;

/** What an operator can mend; the message says all there is to say, a line for each thing. */
const OPERATORS = [
  ConfigError,
  StartError,
  DataDirectoryError,
  LoadError,
  SaveError,
  LogFileError,
];

/** Runs the program until it ends. */
export async function run(args: readonly string[]): Promise<number> {
  const out = new StreamSink(Deno.stdout);
  try {
    const invocation = parseArguments(args);
    switch (invocation.do) {
      case "help":
        out.write(helpText(invocation.about).trimEnd());
        return EXIT_OK;
      case "version":
        out.write(versionLine());
        return EXIT_OK;
      case "check": {
        const isWell = await check(invocation.request, (line) => out.write(line));
        return isWell ? EXIT_OK : EXIT_FAILED;
      }
      case "serve":
        return await serve(invocation.sources);
    }
  } catch (error) {
    new StreamSink(Deno.stderr).write(`shoal: ${describe(error)}`);
    return EXIT_FAILED;
  }
}

/** A line for each thing that the operator can mend; for our own bugs everything that helps to find them. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (OPERATORS.some((kind) => error instanceof kind)) {
    return error.message.replaceAll("\n", "\nshoal: ");
  }
  const isSystems = "code" in error || error instanceof Deno.errors.NotCapable;
  if (isSystems || error.constructor === Error) return reasonOf(error);
  return `this is a bug: ${error.stack ?? error.message}`;
}
