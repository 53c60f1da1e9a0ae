/**
 * The words of an inline request, as Redis's `sdssplitargs` cuts them:
 *
 *     SET  "a \x41\n\"b\""  'it\'s'        words: SET | a A<LF>"b" | it's
 *
 * Blanks separate words. Double quotes know `\xHH`, `\n \r \t \b \a` and take any other escaped byte
 * as itself; single quotes know only `\'`. A quote may open in the middle of a word; what follows a
 * closing quote must be a blank or the end. A word is never longer than its spelling, so it is
 * written over it; a line that is refused stays as it was sent, since the log shows it.
 *
 * A NUL byte is a byte like any other here (Redis takes it for the end of the line and stalls).
 *
 * @module
 */

const DOUBLE = 34;
const SINGLE = 39;
const BACKSLASH = 92;
const LOWER_X = 120;

/** The value of a hexadecimal digit, or -1. */
function hexValue(c: number): number {
  if (c >= 48 && c <= 57) return c - 48;
  const folded = c | 32;
  return folded >= 97 && folded <= 102 ? folded - 87 : -1;
}

/** C's `isspace`: what may lie between words and behind a closing quote. */
function isBlank(c: number): boolean {
  return c === 32 || (c >= 9 && c <= 13);
}

/** What ends a word outside quotes: narrower than `isBlank`, as in Redis. */
function endsWord(c: number): boolean {
  return c === 32 || c === 9 || c === 10 || c === 13;
}

/** The byte that `\c` stands for within double quotes. */
function unescape(c: number): number {
  switch (c) {
    case 110:
      return 10; // \n
    case 114:
      return 13; // \r
    case 116:
      return 9; // \t
    case 98:
      return 8; // \b
    case 97:
      return 7; // \a
    default:
      return c;
  }
}

/** Whether every quote of a line is closed, with a blank or the end behind it. */
function isBalanced(buf: Uint8Array, start: number, stop: number): boolean {
  let quote = 0;
  for (let at = start; at < stop; at++) {
    const c = buf[at];
    if (quote === 0) {
      if (c === DOUBLE || c === SINGLE) quote = c;
    } else if (c === quote) {
      if (at + 1 < stop && !isBlank(buf[at + 1])) return false;
      quote = 0;
    } else if (c === BACKSLASH && (quote === DOUBLE || buf[at + 1] === SINGLE)) at++;
  }
  return quote === 0;
}

/**
 * Cuts the line `buf[start..stop)` into words, unquoting each in place, and stores where they lie.
 * `starts` and `stops` need room for `(stop - start + 1) / 2` words. Returns the number of words, or
 * -1 when quotes are not balanced, and the line is untouched then.
 */
export function splitInline(
  buf: Uint8Array,
  start: number,
  stop: number,
  starts: Int32Array,
  stops: Int32Array,
): number {
  if (!isBalanced(buf, start, stop)) return -1;
  let argc = 0;
  let from = start;
  while (true) {
    while (from < stop && isBlank(buf[from])) from++;
    if (from === stop) return argc;
    let into = from;
    starts[argc] = into;
    let quote = 0;
    while (from < stop) {
      const c = buf[from];
      if (quote === 0) {
        if (endsWord(c)) break;
        from++;
        if (c === DOUBLE || c === SINGLE) quote = c;
        else buf[into++] = c;
      } else if (c === quote) {
        from++;
        break;
      } else if (
        c === BACKSLASH && quote === SINGLE && from + 1 < stop && buf[from + 1] === SINGLE
      ) {
        buf[into++] = SINGLE;
        from += 2;
      } else if (c === BACKSLASH && quote === DOUBLE && from + 1 < stop) {
        const high = buf[from + 1] === LOWER_X && from + 3 < stop ? hexValue(buf[from + 2]) : -1;
        const low = high < 0 ? -1 : hexValue(buf[from + 3]);
        if (low >= 0) {
          buf[into++] = high * 16 + low;
          from += 4;
        } else {
          buf[into++] = unescape(buf[from + 1]);
          from += 2;
        }
      } else {
        buf[into++] = c;
        from++;
      }
    }
    stops[argc++] = into;
  }
}
