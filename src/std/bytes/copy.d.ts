/** Copies what fits of `src` into `dst` from `offset` (default 0) on; returns how many bytes that was. */
export function copy(src: Uint8Array, dst: Uint8Array, offset?: number): number;
