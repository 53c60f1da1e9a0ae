/**
 * Which encoder writes a value that is no string into RDB.
 *
 * @module
 */

import { TYPE_STREAM } from "../keyspace/entry.ts";
import type { ReadMemory } from "../memory/arena.ts";
import { RdbElementsEncoder } from "./rdb_elements.ts";
import { RdbStreamEncoder } from "./rdb_stream.ts";
import type { ValueEncoder } from "./value_encoder.ts";

/** See the module's text. One value at a time. */
export class RdbCollections {
  /** Type byte of the value that was opened last. */
  typeByte = 0;
  readonly #elements: RdbElementsEncoder;
  readonly #streams: RdbStreamEncoder;

  /** Encodes values that lie in `memory`; `compress` is whether strings are compressed. */
  constructor(memory: ReadMemory, compress: boolean) {
    this.#elements = new RdbElementsEncoder(memory, compress);
    this.#streams = new RdbStreamEncoder(memory, compress);
  }

  /** An encoder before the value of that type, form and root. */
  open(type: number, form: number, root: number): ValueEncoder {
    if (type === TYPE_STREAM) {
      this.typeByte = this.#streams.open(root);
      return this.#streams;
    }
    this.typeByte = this.#elements.open(type, form, root);
    return this.#elements;
  }
}
