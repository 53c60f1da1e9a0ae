/** Whether `source` starts with the bytes of `prefix`. */
export function startsWith(source: Uint8Array, prefix: Uint8Array): boolean;
