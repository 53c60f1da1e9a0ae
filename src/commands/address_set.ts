/**
 * A set of addresses for commands that choose some of many elements: one array of numbers, whatever
 * their number.
 *
 * @module
 */

/** Slots that a set keeps room for between uses. */
const SLOTS_KEPT = 8_192;
const SLOTS_MIN = 16;

/** See the module's text. Open addressing; never more than half full. */
export class AddressSet {
  /** The addresses, in no order, with zeros between them. */
  slots: Int32Array = new Int32Array(SLOTS_MIN);

  /** Empties it and makes room for `count`. */
  clear(count: number): void {
    let size = SLOTS_MIN;
    while (size < count * 2) size *= 2;
    const fits = this.slots.length >= size &&
      (this.slots.length <= SLOTS_KEPT || this.slots.length === size);
    if (fits) this.slots.fill(0);
    else this.slots = new Int32Array(size);
  }

  /** Adds an address, which is not 0; false if it was there. */
  add(a: number): boolean {
    const { slots } = this;
    const mask = slots.length - 1;
    let i = (Math.imul(a, 0x9e3779b1) >>> 7) & mask;
    while (slots[i] !== 0) {
      if (slots[i] === a) return false;
      i = (i + 1) & mask;
    }
    slots[i] = a;
    return true;
  }
}
