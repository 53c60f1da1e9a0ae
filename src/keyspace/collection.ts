/**
 * What the keyspace asks of a type whose values have elements (lists, sets, sorted sets, hashes,
 * streams), so that it can remove, copy and weigh a value without knowing it.
 *
 * A kind is also the handle through which values of its type are edited: its fields `form` and `root`
 * describe the value at hand, operations change them, and the keyspace stores them
 * (`putCollection`, `setValue`). So no edit makes an object, and whoever builds a value bit by bit
 * has a kind of its own.
 *
 * @module
 */

import type { Arena } from "../memory/arena.ts";
import type { Blobs } from "../memory/blob.ts";
import type { Dict } from "../memory/dict.ts";
import type { Packs } from "../memory/pack.ts";
import type { Trees } from "../memory/tree.ts";
import type { CollectionLimits } from "./collection_limits.ts";

/** What a kind works with: the primitives of one keyspace. */
export interface CollectionParts {
  /** Its memory. */
  readonly arena: Arena;
  /** Operations on its dicts. */
  readonly dict: Dict;
  /** Operations on its blobs. */
  readonly blobs: Blobs;
  /** Operations on its packs. */
  readonly packs: Packs;
  /** Operations on its trees. */
  readonly trees: Trees;
  /** Sizes up to which values stay packed. */
  readonly limits: CollectionLimits;
}

/** Something detached that is taken apart in slices. */
export interface Grave {
  /** Frees some hundred blocks; true when all is freed and the grave must not be used again. */
  step(): boolean;
}

/** See the module's text. A value is a form (`FORM_PACK`, ...) and the address of its root. */
export interface CollectionKind {
  /** Form of the value at hand. */
  form: number;
  /** Root of the value at hand. */
  root: number;
  /** Takes a new, empty value in hand. */
  begin(): void;
  /** Takes an existing value in hand. */
  open(form: number, root: number): void;
  /** Number of elements. */
  size(form: number, root: number): number;
  /** What `OBJECT ENCODING` says of it. */
  encoding(form: number, root: number): string;
  /** Takes a value of several blocks apart, to which nothing points any more. */
  bury(form: number, root: number): Grave;
  /** A second value with the same elements and form. The caller has asked for room. Returns its root. */
  copy(form: number, root: number): number;
  /**
   * Bytes of all its blocks. Where more than `samples` elements have blocks of their own, about as
   * many are looked at and stand for the others; with 0 all are.
   */
  memoryBytes(form: number, root: number, samples: number): number;
}
