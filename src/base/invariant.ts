/**
 * Checks for our own bugs. A peer's mistake is an ordinary value and never comes here.
 *
 * @module
 */

/** Thrown when the program contradicts itself; carries the broken fact. */
export class InvariantError extends Error {
  /** Tells it from other errors. */
  override readonly name = "InvariantError";
}

/** Stops with `InvariantError` when `fact` does not hold. */
export function invariant(fact: boolean, broken: string): asserts fact {
  if (!fact) throw new InvariantError(broken);
}

/** Marks a switch over a union as complete: a new variant stops the type check here. */
export function unreachable(value: never): never {
  throw new InvariantError(`unreachable: ${JSON.stringify(value)}`);
}
