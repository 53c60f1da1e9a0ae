/** Random writes for nodes that replicate: some become no frame of a replica's, or several. */

import type { TestNode } from "./node.ts";
import type { Random } from "./random.ts";

/** Databases that `writeRandomly` writes to. */
export const RANDOM_WRITES_DATABASES = 4;

/** What takes much away, or moves it; most often nothing is taken away. */
const CLEARING = [
  ...Array.from({ length: 12 }, () => ["DEL", "s7", "l7"]),
  ["FLUSHALL"],
  ["FLUSHDB"],
  ["SWAPDB", "0", "2"],
];

/** Some writes, in any of the databases; mostly where the last one was. */
export function writeRandomly(node: TestNode, random: Random, count: number): void {
  for (let i = 0; i < count; i++) {
    if (random.below(12) === 0) node.select(random.below(RANDOM_WRITES_DATABASES));
    const key = String(random.below(60));
    switch (random.below(10)) {
      case 0:
        node.run("APPEND", `s${key}`, "x");
        break;
      case 1:
        node.run("RPUSH", `l${key}`, "a", "b");
        break;
      case 2:
        node.run("LPOP", `l${key}`);
        break;
      case 3:
        node.run("SADD", `t${key}`, "a", "b", "c");
        break;
      case 4:
        node.run("SPOP", `t${key}`);
        break;
      case 5:
        node.run("MSET", "{m}1", key, "{m}2", key);
        break;
      case 6:
        node.run(...random.pick(CLEARING));
        break;
      case 7:
        node.run("SET", `v${key}`, "x", "PX", "100000");
        break;
      default:
        node.run("INCR", `n${key}`);
    }
  }
}
