/**
 * Versions that clients and people are told.
 *
 * @module
 */

/** shoal's own version. */
export const SHOAL_VERSION = "0.1.0";

/** The version of Redis whose commands, replies and texts are spoken; `redis_version` in INFO. */
export const REDIS_VERSION = "7.2.4";
