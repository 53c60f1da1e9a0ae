/**
 * The results as text for a terminal.
 *
 * @module
 */

import type { Table } from "./bench.ts";
import type { RatioSummary } from "./statistics.ts";

const WIDTH = 96;

/** A table, its columns aligned. */
export function tableText({ columns, rows }: Table): string {
  const widths = columns.map((column, i) =>
    Math.max(column.length, ...rows.map((row) => (row[i] ?? "").length))
  );
  const line = (cells: readonly string[]) =>
    "  " + cells.map((cell, i) => i === 0 ? cell.padEnd(widths[0]) : cell.padStart(widths[i]))
      .join("   ").trimEnd();
  return [line(columns), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)]
    .join("\n");
}

/** Text in lines of bounded width, each behind `indent` spaces. */
export function paragraph(text: string, indent = 2): string {
  const lines: string[] = [];
  let line = " ".repeat(indent);
  for (const word of text.split(/\s+/)) {
    if (line.trim() !== "" && line.length + 1 + word.length > WIDTH) {
      lines.push(line);
      line = " ".repeat(indent);
    }
    line += (line.trim() === "" ? "" : " ") + word;
  }
  return [...lines, line].join("\n");
}

/** A ratio: the median of the rounds, and their range. */
export function ratioText({ median, least, greatest }: RatioSummary): string {
  if (Number.isNaN(median)) return "-";
  return `${median.toFixed(2)} (${least.toFixed(2)}..${greatest.toFixed(2)})`;
}

/** Requests per second, in thousands. */
export function thousands(perSecond: number): string {
  return Number.isNaN(perSecond) ? "-" : (perSecond / 1000).toFixed(perSecond < 100_000 ? 1 : 0);
}

/** A number with so many decimals; `-` for none. */
export function fixed(n: number, decimals = 2): string {
  return Number.isNaN(n) ? "-" : n.toFixed(decimals);
}

/** Bytes in MiB. */
export function mebibytes(bytes: number): string {
  return fixed(bytes / 1_048_576, 1);
}
