/**
 * INFO commandstats, errorstats and latencystats.
 *
 * @module
 */

import type { Command } from "../commands/registry.ts";
import { type InfoLine, pairs } from "./info_format.ts";
import type { ErrorStats } from "./stats.ts";

/** A line for each command, or subcommand, that was run, refused or failed. */
export function commandStatLines(commands: readonly Command[]): InfoLine[] {
  const lines: InfoLine[] = [];
  for (const command of commands) {
    const { calls, rejected, failed } = command;
    if (calls > 0 || rejected > 0 || failed > 0) {
      const usec = Math.round(command.microseconds);
      const fields = {
        calls,
        usec,
        usec_per_call: calls === 0 ? "0.00" : (command.microseconds / calls).toFixed(2),
        rejected_calls: rejected,
        failed_calls: failed,
      };
      lines.push([`cmdstat_${command.spec.name}`, pairs(Object.entries(fields))]);
    }
    if (command.subcommands !== null) {
      lines.push(...commandStatLines(command.subcommands.commands));
    }
  }
  return lines;
}

/** A line for each command, or subcommand, with the times that so many per cent of its runs did not exceed. */
export function latencyStatLines(
  commands: readonly Command[],
  percentiles: readonly number[],
): InfoLine[] {
  const lines: InfoLine[] = [];
  for (const { spec, latencies, subcommands } of commands) {
    if (!latencies.isEmpty) {
      const fields = percentiles.map((percent): [string, string] => [
        `p${Number(percent.toFixed(6))}`,
        latencies.percentile(percent).toFixed(3),
      ]);
      lines.push([`latency_percentiles_usec_${spec.name}`, pairs(fields)]);
    }
    if (subcommands !== null) lines.push(...latencyStatLines(subcommands.commands, percentiles));
  }
  return lines;
}

/** A line for each error code that was replied. */
export function errorStatLines(errors: ErrorStats): InfoLine[] {
  return Array.from(errors.entries(), ([code, count]) => [`errorstat_${code}`, `count=${count}`]);
}
