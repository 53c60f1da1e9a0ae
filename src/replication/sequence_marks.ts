/**
 * Turns positions in one shard's stream into the node's sequence. A heartbeat says: "when the next
 * frame of this shard was `offset`, the node's sequence was `sequence`". Whoever has everything before
 * `offset` has this shard's part of the first `sequence` frames of the node. Both sides use it: the
 * replica with what it has applied, the primary with what was acknowledged.
 *
 * Two marks are kept: the oldest that is not reached, so that a link which never drains still makes
 * progress, and the latest, so that a link which has drained knows all of it.
 *
 * @module
 */

/** The marks of one link. */
export class SequenceMarks {
  /** Every frame of this shard among the node's first `reached` frames is covered; -1 at first. */
  reached: number = -1;

  #firstOffset = -1;
  #firstSequence = -1;
  #lastOffset = -1;
  #lastSequence = -1;

  /** Notes a heartbeat's pair; `position` is the offset up to which all is covered by now. */
  note(offset: number, sequence: number, position: number): void {
    if (this.#firstOffset < 0) {
      this.#firstOffset = offset;
      this.#firstSequence = sequence;
    } else {
      this.#lastOffset = offset;
      this.#lastSequence = sequence;
    }
    this.advance(position);
  }

  /** Everything before `position` is covered now. */
  advance(position: number): void {
    if (this.#firstOffset < 0 || position < this.#firstOffset) return;
    this.reached = this.#firstSequence;
    this.#firstOffset = -1;
    if (this.#lastOffset < 0) return;
    if (position >= this.#lastOffset) {
      this.reached = this.#lastSequence;
    } else {
      this.#firstOffset = this.#lastOffset;
      this.#firstSequence = this.#lastSequence;
    }
    this.#lastOffset = -1;
  }

  /** Forgets the marks: the stream goes on from a snapshot. */
  reset(): void {
    this.reached = this.#firstOffset = this.#lastOffset = -1;
  }
}
