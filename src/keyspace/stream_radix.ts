/**
 * How many nodes a radix tree over a stream's master IDs would have. Redis keeps streams in one and
 * tells the number (`radix-tree-nodes` of XINFO STREAM); here it says no more than what tools that
 * compare it expect.
 *
 * In that tree a node stands for a byte at which IDs part, for a run of bytes that those below it have
 * in common, or for an ID's end.
 *
 * @module
 */

/** Bytes of an ID, the key in such a tree. */
const KEY_BYTES = 16;

/** Counts the nodes for IDs that come in ascending order, as `i32[at..at + 4)`. */
export class RadixNodes {
  #nodes = 0;
  #ids = 0;
  readonly #before = new Int32Array(4);
  /** Depths at which the IDs so far part, on the path to the last of them. */
  readonly #forks: number[] = [];

  /** Takes in the next ID. */
  add(i32: Int32Array, at: number): void {
    if (this.#ids > 0) this.#part(this.#commonBytes(i32, at));
    for (let word = 0; word < 4; word++) this.#before[word] = i32[at + word];
    this.#ids++;
  }

  /** The number of nodes for all IDs taken in. */
  total(): number {
    if (this.#ids === 0) return 1;
    this.#part(-1);
    return this.#nodes;
  }

  #commonBytes(i32: Int32Array, at: number): number {
    for (let word = 0; word < 4; word++) {
      const difference = i32[at + word] ^ this.#before[word];
      if (difference !== 0) return word * 4 + (Math.clz32(difference) >>> 3);
    }
    return KEY_BYTES;
  }

  /** The last ID and the one that follows part at `depth`: counts what lies below on the last one's path. */
  #part(depth: number): void {
    const forks = this.#forks;
    let below = KEY_BYTES;
    let above = forks.length === 0 ? -1 : forks[forks.length - 1];
    while (above > depth) {
      this.#count(above, below);
      below = above;
      forks.pop();
      above = forks.length === 0 ? -1 : forks[forks.length - 1];
    }
    // The fork at `depth` stays open for what follows.
    this.#count(depth, below);
    if (depth >= 0 && above !== depth) forks.push(depth);
  }

  /** Counts the node at depth `below`, and the run of bytes between it and the fork at `above`, if any. */
  #count(above: number, below: number): void {
    this.#nodes += below > above + 1 ? 2 : 1;
  }
}
