/**
 * What stops a start because of settings: for each of them one line that names the setting, its value,
 * where it came from and what is allowed.
 *
 * @module
 */

/** Settings that cannot be used; the message is a line for each, meant for the person starting shoal. */
export class ConfigError extends Error {
  /** Name of the class. */
  override readonly name = "ConfigError";
}

/** Characters of a value that an error line repeats. */
const SHOWN_CHARS_MAX = 100;

/** A value fit for one line: control characters as `\xHH`, the end of a long one left out. */
export function shown(value: string): string {
  let out = "";
  for (const c of value) {
    if (out.length >= SHOWN_CHARS_MAX) return out + "...";
    const code = c.charCodeAt(0);
    const control = code < 32 || (code >= 127 && code < 160) || code === 0x2028 || code === 0x2029;
    out += control ? "\\x" + code.toString(16).padStart(2, "0") : c;
  }
  return out;
}

/** The name nearest to `wanted`, or null when none is near: for "did you mean". */
export function nearest(wanted: string, names: Iterable<string>): string | null {
  const target = wanted.toLowerCase().replaceAll("_", "-").slice(0, SHOWN_CHARS_MAX);
  let best: string | null = null;
  let bestDistance = Math.max(2, Math.floor(target.length / 4)) + 1;
  for (const name of names) {
    if (Math.abs(name.length - target.length) >= bestDistance) continue;
    const d = editDistance(target, name);
    if (d < bestDistance) {
      best = name;
      bestDistance = d;
    }
  }
  return best;
}

/** Insertions, deletions, replacements and swaps of neighbours that turn `a` into `b`. */
function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let above = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const same = a[i - 1] === b[j - 1];
      let d = Math.min(above[j] + 1, row[j - 1] + 1, above[j - 1] + (same ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      if (swapped) d = Math.min(d, before[j - 2] + 1);
      row.push(d);
    }
    before = above;
    above = row;
  }
  return above[b.length];
}
