/**
 * Types of the assertions that the tests use: a subset of `@std/assert`, nowhere wider than it, so
 * that the real package can take this one's place without a change in a test.
 *
 * @module
 */

/** What a failed assertion throws. */
export class AssertionError extends Error {
  /** An error with the given text. */
  constructor(message: string, options?: ErrorOptions);
}

/** A constructor of anything; what `assertInstanceOf` compares with. */
// deno-lint-ignore no-explicit-any
export type AnyConstructor = new (...args: any[]) => any;
/** The instance type of a constructor. */
export type GetConstructorType<T extends AnyConstructor> = InstanceType<T>;
/** What is left of a type when `null` and `undefined` cannot be. */
export type Present<T> = NonNullable<T>;
/** An array, or a typed array, as `assertArrayIncludes` takes them. */
export type ArrayLikeArg<T> = ArrayLike<T> & object;

/** Fails unless `expr` is truthy, and narrows it. */
export function assert(expr: unknown, msg?: string): asserts expr;
/** Fails unless `expr` is falsy. */
export function assertFalse(expr: unknown, msg?: string): void;
/** Fails unless both are deeply equal. */
export function assertEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails when both are deeply equal. */
export function assertNotEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `Object.is(actual, expected)`, and narrows `actual`. */
export function assertStrictEquals<T>(
  actual: unknown,
  expected: T,
  msg?: string,
): asserts actual is T;
/** Fails when `Object.is(actual, expected)`. */
export function assertNotStrictEquals<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless the two numbers differ by no more than `tolerance`, by default 1e-7 of `expected`. */
export function assertAlmostEquals(
  actual: number,
  expected: number,
  tolerance?: number,
  msg?: string,
): void;
/** Fails when `actual` is `null` or `undefined`, and narrows it. */
export function assertExists<T>(actual: T, msg?: string): asserts actual is NonNullable<T>;
/** Fails unless `actual` is an instance of `expectedType`, and narrows it. */
export function assertInstanceOf<T extends AnyConstructor>(
  actual: unknown,
  expectedType: T,
  msg?: string,
): asserts actual is GetConstructorType<T>;
/** Fails unless `actual > expected`. */
export function assertGreater<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual >= expected`. */
export function assertGreaterOrEqual<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual < expected`. */
export function assertLess<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual <= expected`. */
export function assertLessOrEqual<T>(actual: T, expected: T, msg?: string): void;
/** Fails unless `actual` matches `expected`. */
export function assertMatch(actual: string, expected: RegExp, msg?: string): void;
/** Fails when `actual` matches `expected`. */
export function assertNotMatch(actual: string, expected: RegExp, msg?: string): void;
/** Fails unless `actual` contains `expected`. */
export function assertStringIncludes(actual: string, expected: string, msg?: string): void;
/** Fails unless every element of `expected` is in `actual`. */
export function assertArrayIncludes<T>(
  actual: ArrayLikeArg<T>,
  expected: ArrayLikeArg<T>,
  msg?: string,
): void;
/** Fails unless `actual` has every property of `expected`, deeply. */
export function assertObjectMatch(
  // deno-lint-ignore no-explicit-any
  actual: Record<PropertyKey, any>,
  expected: Record<PropertyKey, unknown>,
  msg?: string,
): void;
/** Fails unless `fn` throws; returns what it threw. */
export function assertThrows(fn: () => unknown, msg?: string): unknown;
/** Fails unless `fn` throws an `ErrorClass` whose text includes `msgIncludes`; returns it. */
export function assertThrows<E extends Error = Error>(
  fn: () => unknown,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): E;
/** Fails unless the promise of `fn` is rejected; resolves with the reason. */
export function assertRejects(fn: () => PromiseLike<unknown>, msg?: string): Promise<unknown>;
/** Fails unless the promise of `fn` is rejected with an `ErrorClass` whose text includes `msgIncludes`; resolves with it. */
export function assertRejects<E extends Error = Error>(
  fn: () => PromiseLike<unknown>,
  // deno-lint-ignore no-explicit-any
  ErrorClass: abstract new (...args: any[]) => E,
  msgIncludes?: string,
  msg?: string,
): Promise<E>;
/** Whether both are deeply equal. */
export function equal(a: unknown, b: unknown): boolean;
/** Fails. */
export function fail(msg?: string): never;
/** Fails: for a place that must not be reached. */
export function unreachable(reason?: string): never;
