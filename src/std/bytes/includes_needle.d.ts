/** Whether `needle` occurs in `source` at `start` (default 0) or later. */
export function includesNeedle(source: Uint8Array, needle: Uint8Array, start?: number): boolean;
