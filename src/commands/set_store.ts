/**
 * Storing a set that a command has edited.
 *
 * @module
 */

import type { Keyspace } from "../keyspace/keyspace.ts";
import type { Sets } from "../keyspace/set.ts";

/** Stores the set at hand as the value of entry `a`, or removes the key if it is empty: then true. */
export function storeEditedSet(keys: Keyspace, db: number, a: number, sets: Sets): boolean {
  const { form, root } = sets;
  const isEmpty = sets.count === 0;
  // Even an empty set is stored first, since the entry's blocks are freed from where it says they are.
  const stored = keys.setValue(db, a, form, root);
  if (isEmpty) keys.remove(db, stored);
  return isEmpty;
}
