/** Where `needle` first occurs in `source` at `start` (default 0) or later, or -1. */
export function indexOfNeedle(source: Uint8Array, needle: Uint8Array, start?: number): number;
