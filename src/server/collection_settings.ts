/**
 * The settings of encodings on their way to the keyspaces that keep to them.
 *
 * @module
 */

import type { CollectionLimits } from "../keyspace/collection_limits.ts";
import type { Config } from "./config.ts";

/** Settings that `collectionLimits` reads: who watches them for changes calls it again. */
export const COLLECTION_SETTINGS = [
  "listMaxListpackSize",
  "hashMaxListpackEntries",
  "hashMaxListpackBytes",
  "setMaxIntsetEntries",
  "setMaxListpackEntries",
  "setMaxListpackBytes",
  "zsetMaxListpackEntries",
  "zsetMaxListpackBytes",
  "hllSparseMaxBytes",
  "streamNodeMaxBytes",
  "streamNodeMaxEntries",
] as const;

/** The limits of collections that the settings ask for. */
export function collectionLimits(config: Config): CollectionLimits {
  return {
    listMaxListpackSize: config.listMaxListpackSize,
    hashMaxListpackEntries: config.hashMaxListpackEntries,
    hashMaxListpackValue: config.hashMaxListpackBytes,
    setMaxIntsetEntries: config.setMaxIntsetEntries,
    setMaxListpackEntries: config.setMaxListpackEntries,
    setMaxListpackValue: config.setMaxListpackBytes,
    zsetMaxListpackEntries: config.zsetMaxListpackEntries,
    zsetMaxListpackValue: config.zsetMaxListpackBytes,
    hllSparseMaxBytes: config.hllSparseMaxBytes,
    streamNodeMaxBytes: config.streamNodeMaxBytes,
    streamNodeMaxEntries: config.streamNodeMaxEntries,
  };
}
