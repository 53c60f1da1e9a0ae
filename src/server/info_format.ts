/**
 * INFO as text: which sections are shown, and how numbers look. What they say is in info_*.ts.
 *
 * @module
 */

/** One line of a section. */
export type InfoLine = readonly [name: string, value: string | number];

/** One section. */
export interface InfoSection {
  /** Its heading; INFO takes it in any case. */
  readonly title: string;
  /** Whether plain INFO shows it. */
  readonly byDefault: boolean;
  /** Makes its lines. */
  lines(): readonly InfoLine[];
}

/**
 * The text of the sections asked for, in the order of `sections`, whatever the order of `asked`.
 * Nothing asked, or `default`, means those shown by default; `all` and `everything` mean all. Unknown
 * names are ignored, as in Redis.
 */
export function infoText(sections: readonly InfoSection[], asked: readonly string[]): string {
  const names = new Set(asked.map((name) => name.toLowerCase()));
  const everything = names.has("all") || names.has("everything");
  const byDefault = names.size === 0 || names.has("default");
  return sections
    .filter((section) =>
      everything || (byDefault && section.byDefault) || names.has(section.title.toLowerCase())
    )
    .map((section) => `# ${section.title}\r\n${linesText(section.lines())}`)
    .join("\r\n");
}

function linesText(lines: readonly InfoLine[]): string {
  return lines.map(([name, value]) => `${name}:${oneLine(String(value))}\r\n`).join("");
}

/** What comes from users or other nodes must not break the form. */
function oneLine(value: string): string {
  return value.replace(/[\r\n]/g, " ");
}

const UNITS = ["K", "M", "G", "T", "P"] as const;

/** A number of bytes as Redis shows it to people: `512B`, `1.00K`, `3.25G`. */
export function humanBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes}B`;
  let unit = 0;
  let n = bytes / 1024;
  while (n >= 1024 && unit < UNITS.length - 1) {
    n /= 1024;
    unit++;
  }
  return n.toFixed(2) + UNITS[unit];
}

/** `part` of `whole` as `12.34%`; `whole` 0 gives `0.00%`. */
export function percent(part: number, whole: number): string {
  return `${whole === 0 ? "0.00" : (part * 100 / whole).toFixed(2)}%`;
}

/** A ratio with two decimals; 0 for nothing over nothing. */
export function ratio(n: number, of: number): string {
  return of === 0 ? "0.00" : (n / of).toFixed(2);
}

/** `a=1,b=2` for a line with several values. */
export function pairs(values: Iterable<readonly [string, string | number]>): string {
  return Array.from(values, ([name, value]) => `${name}=${value}`).join(",");
}
