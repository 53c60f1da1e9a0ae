/** Whether `source` ends with the bytes of `suffix`. */
export function endsWith(source: Uint8Array, suffix: Uint8Array): boolean;
