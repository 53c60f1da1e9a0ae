/**
 * Random command lines over all families, for comparing servers: most are valid, some are not. Keys
 * are few, so that commands meet each other's values. A file for each family is in `random_commands/`.
 */

import { geoCommands } from "./random_commands/geo.ts";
import { hashCommands } from "./random_commands/hashes.ts";
import { keyCommands, sortCommands } from "./random_commands/keys.ts";
import { listCommands } from "./random_commands/lists.ts";
import { type Maker, Makers, Parts, type Unit } from "./random_commands/parts.ts";
import {
  channelCommands,
  connectionCommands,
  transactionCommands,
} from "./random_commands/server.ts";
import { setCommands } from "./random_commands/sets.ts";
import { streamCommands } from "./random_commands/streams.ts";
import { bitCommands, stringCommands } from "./random_commands/strings.ts";
import { zsetCommands } from "./random_commands/zsets.ts";
import type { Random } from "./random.ts";

export type { Command, Unit, Unordered } from "./random_commands/parts.ts";

const FAMILIES = [
  stringCommands,
  bitCommands,
  listCommands,
  setCommands,
  hashCommands,
  zsetCommands,
  streamCommands,
  geoCommands,
  keyCommands,
  sortCommands,
  connectionCommands,
  channelCommands,
] as const;

/** Draws units of commands. */
export class RandomCommands {
  readonly #random: Random;
  readonly #drawn: Maker[] = [];
  /** Names that are not drawn since `exists` does not know them. */
  readonly leftOut: string[] = [];
  /** Names that are drawn. */
  readonly names = new Set<string>();

  /** Draws those commands that `exists` knows, by their lower-case names. */
  constructor(random: Random, exists: (name: string) => boolean) {
    this.#random = random;
    const parts = new Parts(random);
    const makers = new Makers();
    for (const family of FAMILIES) family(parts, makers);
    transactionCommands(parts, makers, () => this.next());
    for (const maker of makers.all) {
      const missing = maker.needs.filter((name) => !exists(name));
      this.leftOut.push(...missing);
      if (missing.length > 0) continue;
      for (const name of maker.needs) this.names.add(name);
      for (let i = 0; i < maker.weight; i++) this.#drawn.push(maker);
    }
  }

  /** The next unit. */
  next(): Unit {
    return this.#random.pick(this.#drawn).make();
  }
}
