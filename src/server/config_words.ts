/**
 * Words of a config line: splitting with Redis's quoting rules and quoting back. The same rules
 * hold for config files, environment variables and list values of CONFIG SET.
 *
 * @module
 */
import { ascii, latin1, text } from "../base/ascii.ts";

/**
 * Splits a line into words, or gives null when quotes do not balance. Blanks separate; inside
 * double quotes `\n \r \t \b \a \\ \" \xHH` are escapes; inside single quotes only `\'` is one; a closing
 * quote must be followed by a blank or the end. `\xHH` makes bytes: together they are read as UTF-8.
 */
export function splitWords(line: string): string[] | null {
  // One char per byte from here on, so that \xHH and UTF-8 text meet as bytes.
  const source = latin1(ascii(line));
  const words: string[] = [];
  let at = 0;
  while (true) {
    while (at < source.length && isBlank(source[at])) at++;
    if (at >= source.length) return words;
    let word = "";
    while (at < source.length && !isBlank(source[at])) {
      const c = source[at];
      if (c !== '"' && c !== "'") {
        word += c;
        at++;
        continue;
      }
      const close = c === '"' ? readDouble(source, at + 1) : readSingle(source, at + 1);
      if (close === null) return null;
      word += close.word;
      at = close.at;
      if (at < source.length && !isBlank(source[at])) return null;
    }
    words.push(fromLatin1(word));
  }
}

/** A word so quoted that `splitWords` gives it back; plain words stay as they are. */
export function quoteWord(word: string): string {
  if (/^[A-Za-z0-9_.:/,*+@%=-]+$/.test(word)) return word;
  return quoteAlways(word);
}

/** A word in double quotes, whatever is in it. */
export function quoteAlways(word: string): string {
  let out = '"';
  for (const byte of ascii(word)) {
    const c = String.fromCharCode(byte);
    if (c === '"' || c === "\\") out += "\\" + c;
    else if (byte >= 32 && byte < 127) out += c;
    else out += SHORT[c] ?? "\\x" + byte.toString(16).padStart(2, "0");
  }
  return out + '"';
}

const SHORT: Readonly<Record<string, string>> = {
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\b": "\\b",
  "\x07": "\\a",
};

const LONG: Readonly<Record<string, string>> = {
  n: "\n",
  r: "\r",
  t: "\t",
  b: "\b",
  a: "\x07",
};

function readDouble(source: string, at: number): { word: string; at: number } | null {
  let word = "";
  while (at < source.length) {
    const c = source[at];
    if (c === '"') return { word, at: at + 1 };
    if (c === "\\" && at + 1 < source.length) {
      const hex = /^x([0-9a-fA-F]{2})/.exec(source.slice(at + 1, at + 4));
      if (hex !== null) {
        word += String.fromCharCode(parseInt(hex[1], 16));
        at += 4;
        continue;
      }
      word += LONG[source[at + 1]] ?? source[at + 1];
      at += 2;
      continue;
    }
    word += c;
    at++;
  }
  return null;
}

function readSingle(source: string, at: number): { word: string; at: number } | null {
  let word = "";
  while (at < source.length) {
    const c = source[at];
    if (c === "'") return { word, at: at + 1 };
    if (c === "\\" && source[at + 1] === "'") {
      word += "'";
      at += 2;
      continue;
    }
    word += c;
    at++;
  }
  return null;
}

function isBlank(c: string): boolean {
  return c === " " || c === "\t" || c === "\n" || c === "\r" || c === "\v" || c === "\f";
}

function fromLatin1(chars: string): string {
  const out = new Uint8Array(chars.length);
  for (let i = 0; i < chars.length; i++) out[i] = chars.charCodeAt(i);
  return text(out);
}
