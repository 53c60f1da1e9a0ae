/**
 * Which slot a key belongs to: the hash of Redis Cluster, CRC-16/XMODEM (polynomial 0x1021, start 0,
 * not reflected) modulo 16384, over the key or its hash tag. Redis Cluster specification, "Key
 * distribution model" and "Hash tags".
 *
 * @module
 */

/** Number of slots. */
export const SLOTS = 16_384;

const OPEN = 123;
const CLOSE = 125;

const TABLE: Uint16Array = table();

function table(): Uint16Array {
  const out = new Uint16Array(256);
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte << 8;
    for (let bit = 0; bit < 8; bit++) {
      crc = (crc & 0x8000) !== 0 ? ((crc << 1) ^ 0x1021) & 0xffff : crc << 1;
    }
    out[byte] = crc;
  }
  return out;
}

/** CRC-16/XMODEM of `buf[start..stop)`. */
export function crc16(buf: Uint8Array, start: number, stop: number): number {
  const crcs = TABLE;
  let crc = 0;
  for (let i = start; i < stop; i++) {
    crc = ((crc << 8) & 0xffff) ^ crcs[(crc >>> 8) ^ buf[i]];
  }
  return crc;
}

/**
 * Slot of the key `buf[start..stop)`. When the key has a `{` with a `}` behind it and something in
 * between, only what stands between the first `{` and the first `}` after it counts.
 */
export function keySlot(buf: Uint8Array, start: number, stop: number): number {
  let open = start;
  while (open < stop && buf[open] !== OPEN) open++;
  if (open < stop) {
    let close = open + 1;
    while (close < stop && buf[close] !== CLOSE) close++;
    if (close < stop && close > open + 1) {
      return crc16(buf, open + 1, close) & (SLOTS - 1);
    }
  }
  return crc16(buf, start, stop) & (SLOTS - 1);
}
