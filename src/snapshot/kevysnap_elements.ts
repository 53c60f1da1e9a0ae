/**
 * Encodes lists, sets, sorted sets and hashes for KEVYSNAP, an element at a time. Fields lose their
 * deadlines: the format has none, and a v1 replica hears of a field's end as of any removal.
 *
 * @module
 */

import { TYPE_HASH, TYPE_LIST, TYPE_SET, TYPE_ZSET } from "../keyspace/entry.ts";
import { Elements } from "../keyspace/elements.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { copyBytes, putLittleEndian32, putLittleEndianDouble } from "./bytes.ts";
import { ValueEncoder } from "./value_encoder.ts";

/** What an element takes beyond its bytes: two lengths, or a length and a score. */
const ELEMENT_OVERHEAD_BYTES = 4 + 8;

/** See the module's text. */
export class KevySnapElementsEncoder extends ValueEncoder {
  readonly #elements: Elements;
  #type = TYPE_LIST;
  #isHead = false;
  #piece = 0;

  /** Encodes values that lie in `memory`. */
  constructor(memory: ReadMemory) {
    super();
    this.#elements = new Elements(memory);
  }

  /** Goes before a value, which is no string and no stream. */
  open(type: number, form: number, root: number): void {
    this.begin();
    this.#type = type;
    this.#isHead = true;
    this.#elements.open(type, form, root);
  }

  /** See `ValueEncoder`. */
  protected override nextUnit(): number {
    if (this.#isHead) return 4;
    const elements = this.#elements;
    if (!elements.next()) return -1;
    const name = this.#type === TYPE_LIST ? 0 : elements.nameStop - elements.nameStart;
    const content = this.#isWhole() ? elements.contentBytes : 0;
    return ELEMENT_OVERHEAD_BYTES + name + content;
  }

  /** Whether there is a content that is written with the rest. */
  #isWhole(): boolean {
    return (this.#type === TYPE_LIST || this.#type === TYPE_HASH) && this.#elements.pieces === 1;
  }

  /** See `ValueEncoder`. */
  protected override putUnit(out: Uint8Array, at: number): number {
    const elements = this.#elements, type = this.#type;
    if (this.#isHead) {
      this.#isHead = false;
      return putLittleEndian32(out, at, elements.count);
    }
    if (type !== TYPE_LIST) {
      const { name, nameStart, nameStop } = elements;
      at = copyBytes(
        name,
        nameStart,
        nameStop,
        out,
        putLittleEndian32(out, at, nameStop - nameStart),
      );
      if (type === TYPE_SET) return at;
      if (type === TYPE_ZSET) return putLittleEndianDouble(out, at, elements.score);
    }
    at = putLittleEndian32(out, at, elements.contentBytes);
    if (!this.#isWhole()) {
      this.#piece = 0;
      this.rangesFollow();
      return at;
    }
    return copyBytes(elements.content, elements.pieceStart, elements.pieceStop, out, at);
  }

  /** See `ValueEncoder`. */
  protected override nextRange(): boolean {
    const elements = this.#elements;
    if (this.#piece === elements.pieces) return false;
    elements.piece(this.#piece++);
    this.source = elements.content;
    this.from = elements.pieceStart;
    this.to = elements.pieceStop;
    return true;
  }
}
