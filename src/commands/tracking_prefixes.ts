/**
 * The prefixes that clients in broadcast mode (CLIENT TRACKING ON BCAST) want to hear of, and the keys
 * under each that have changed since its clients were last told.
 *
 * Names are kept as latin-1 text, a char a byte. A changed key is looked up once for each length that
 * prefixes have, so it costs little however many there are.
 *
 * @module
 */

import { latin1 } from "../base/ascii.ts";
import type { Session } from "./session.ts";

/** Keys that may wait to be told, of all prefixes together, before they are told in between. */
const CHANGED_KEYS_MAX = 16_384;
/** The same in bytes. */
const CHANGED_BYTES_MAX = 4_194_304;

/** A changed key, and the client whose command changed it last, null for nobody's. */
export type ChangedKey = readonly [key: string, changer: Session | null];

/** One prefix with somebody who listens. */
export class Prefix {
  /** Its bytes as latin-1. */
  readonly text: string;
  /** Who listens. */
  readonly listeners: Set<Session> = new Set();
  /** Keys that have changed since the listeners were told. */
  readonly changed: Map<string, Session | null> = new Map();

  /** A prefix nobody listens to yet. */
  constructor(text: string) {
    this.text = text;
  }
}

/** See the module's text. */
export class Prefixes {
  readonly #byText = new Map<string, Prefix>();
  /** How many prefixes have a length. */
  readonly #lengths = new Map<number, number>();
  /** The lengths, ascending. */
  #ascending: number[] = [];
  #due = new Set<Prefix>();
  #changedKeys = 0;
  #changedBytes = 0;

  /** Number of prefixes. */
  get size(): number {
    return this.#byText.size;
  }

  /** Lets a client listen to a prefix. */
  add(text: string, session: Session): void {
    let prefix = this.#byText.get(text);
    if (prefix === undefined) {
      this.#byText.set(text, prefix = new Prefix(text));
      this.#count(text.length, 1);
    }
    prefix.listeners.add(session);
  }

  /** Lets a client listen to a prefix no more. */
  remove(text: string, session: Session): void {
    const prefix = this.#byText.get(text);
    if (prefix === undefined) return;
    prefix.listeners.delete(session);
    if (prefix.listeners.size > 0) return;
    this.#byText.delete(text);
    this.#due.delete(prefix);
    this.#count(text.length, -1);
  }

  #count(length: number, change: number): void {
    const count = (this.#lengths.get(length) ?? 0) + change;
    if (count === 0) this.#lengths.delete(length);
    else this.#lengths.set(length, count);
    this.#ascending = [...this.#lengths.keys()].sort((a, b) => a - b);
  }

  /** Notes that a key has changed; false if no prefix matches it. */
  note(u8: Uint8Array, start: number, stop: number, changer: Session | null): boolean {
    const length = stop - start;
    let key: string | null = null;
    for (const prefixLength of this.#ascending) {
      if (prefixLength > length) break;
      const prefix = this.#byText.get(latin1(u8, start, start + prefixLength));
      if (prefix === undefined) continue;
      key ??= latin1(u8, start, stop);
      const before = prefix.changed.size;
      prefix.changed.set(key, changer);
      if (prefix.changed.size === before) continue;
      this.#due.add(prefix);
      this.#changedKeys++;
      this.#changedBytes += length;
    }
    return key !== null;
  }

  /** Whether so much waits that it should not wait until the turn is over. */
  get isFull(): boolean {
    return this.#changedKeys >= CHANGED_KEYS_MAX || this.#changedBytes >= CHANGED_BYTES_MAX;
  }

  /** The prefixes with changed keys, ascending, and these keys, ascending; they no longer wait. */
  takeChanged(): (readonly [Prefix, ChangedKey[]])[] {
    const due = [...this.#due].sort((a, b) => compare(a.text, b.text));
    this.#due.clear();
    this.#changedKeys = 0;
    this.#changedBytes = 0;
    return due.map((prefix) => {
      const keys = [...prefix.changed].sort(([a], [b]) => compare(a, b));
      prefix.changed.clear();
      return [prefix, keys];
    });
  }
}

/** Orders latin-1 texts as their bytes. */
function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
