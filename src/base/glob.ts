/**
 * Redis's glob patterns over byte ranges: `*`, `?`, `[abc]`, `[a-z]`, `[^...]`, and `\` before a
 * byte taken literally. Used by KEYS, SCAN, CONFIG GET and pattern subscriptions.
 *
 * Answers are those of Redis's `stringmatchlen`, its oddities included: an unterminated class ends
 * with the pattern, `[a-]` is a range up to `]`, an empty subject matches only an empty pattern. Two
 * differences: bytes are unsigned in ranges everywhere (in Redis that depends on the machine), and
 * nothing is given up for the sake of nesting.
 *
 * A star remembers only its last try: when the rest of the pattern failed from one place, the last
 * star takes one byte more. Earlier stars never need another try, since every other element takes
 * exactly one byte. So the time is at most pattern length times subject length.
 *
 * @module
 */
import { ascii } from "./ascii.ts";

const STAR = 42;
const QUESTION = 63;
const OPEN = 91;
const BACKSLASH = 92;
const CLOSE = 93;
const CARET = 94;
const DASH = 45;

/** What `classStep` found: the place behind the class times two, plus one for a match. */
type ClassStep = number;

/**
 * Whether `subject[start..stop)` matches `pattern[patternStart..patternStop)`. `nocase` folds ASCII
 * letters (except behind a backslash inside a class, where Redis compares exactly).
 */
export function globMatch(
  pattern: Uint8Array,
  patternStart: number,
  patternStop: number,
  subject: Uint8Array,
  start: number,
  stop: number,
  nocase = false,
): boolean {
  if (start === stop) return patternStart === patternStop;
  let p = patternStart;
  let s = start;
  let starP = -1; // behind the last star, -1 while there was none
  let starS = 0; // where that star's bytes end in the latest try
  while (s < stop) {
    let next = -1; // behind the element at p when it takes the byte at s
    if (p < patternStop) {
      const c = pattern[p];
      if (c === STAR) {
        do p++; while (p < patternStop && pattern[p] === STAR);
        if (p === patternStop) return true;
        starP = p;
        starS = s;
        continue;
      }
      if (c === QUESTION) {
        next = p + 1;
      } else if (c === OPEN) {
        const step = classStep(pattern, p + 1, patternStop, subject[s], nocase);
        if ((step & 1) === 1) next = step >>> 1;
      } else {
        if (c === BACKSLASH && p + 1 < patternStop) p++;
        if (pattern[p] === subject[s] || (nocase && fold(pattern[p]) === fold(subject[s]))) {
          next = p + 1;
        }
      }
    }
    if (next >= 0) {
      p = next;
      s++;
    } else if (starP >= 0) {
      p = starP;
      s = ++starS;
    } else {
      return false;
    }
  }
  while (p < patternStop && pattern[p] === STAR) p++;
  return p === patternStop;
}

/** `globMatch` over texts, in UTF-8; for cold paths. */
export function globMatchText(pattern: string, subject: string, nocase = false): boolean {
  const p = ascii(pattern);
  const s = ascii(subject);
  return globMatch(p, 0, p.length, s, 0, s.length, nocase);
}

/** Whether a text has any of the characters that make it a pattern. Redis's test in CONFIG GET. */
export function hasGlob(pattern: string): boolean {
  return /[*?[]/.test(pattern);
}

/** Reads the class whose first byte behind `[` is at `p` and tests byte `c` against it. */
function classStep(
  pattern: Uint8Array,
  p: number,
  stop: number,
  c: number,
  nocase: boolean,
): ClassStep {
  const negated = p < stop && pattern[p] === CARET;
  if (negated) p++;
  const folded = nocase ? fold(c) : c;
  let found = false;
  while (p < stop) {
    const b = pattern[p];
    if (b === BACKSLASH && p + 1 < stop) {
      p++;
      if (pattern[p] === c) found = true;
    } else if (b === CLOSE) {
      p++;
      break;
    } else if (p + 2 < stop && pattern[p + 1] === DASH) {
      let low = Math.min(b, pattern[p + 2]);
      let high = Math.max(b, pattern[p + 2]);
      if (nocase) {
        low = fold(low);
        high = fold(high);
      }
      if (folded >= low && folded <= high) found = true;
      p += 2;
    } else if ((nocase ? fold(b) : b) === folded) {
      found = true;
    }
    p++;
  }
  return (p << 1) | (found === negated ? 0 : 1);
}

function fold(c: number): number {
  return c >= 65 && c <= 90 ? c + 32 : c;
}
