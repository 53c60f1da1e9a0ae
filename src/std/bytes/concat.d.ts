/** One new array with the bytes of all `buffers`, in order. */
export function concat(buffers: readonly Uint8Array[]): Uint8Array<ArrayBuffer>;
