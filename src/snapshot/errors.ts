/**
 * What a bad snapshot image is reported as. Every error says which format, at which byte of the
 * image, and what was found there, so that a log line is enough to look at the place.
 *
 * @module
 */

/** What is wrong with an image. */
export type SnapshotFault =
  /** It does not begin as its format begins. */
  | "header"
  /** Its version is not one that this reader takes. */
  | "version"
  /** It ends before its end mark. */
  | "truncated"
  /** Bytes that its format does not allow where they stand. */
  | "corrupt"
  /** All of it could be read, but its checksum tells of a change. */
  | "checksum"
  /** A length above the limit that this reader was given. */
  | "tooLarge"
  /** A value of a type that this reader knows but cannot load. */
  | "unsupportedType";

/** A snapshot image that cannot be loaded. */
export class SnapshotImageError extends Error {
  /** What is wrong. */
  readonly fault: SnapshotFault;
  /** Position in the image, counted from 0, of the first byte of what could not be read. */
  readonly byteOffset: number;

  /** `found` is the rest of a sentence that begins with the format's name and the byte. */
  constructor(format: string, fault: SnapshotFault, byteOffset: number, found: string) {
    super(`${format} image, byte ${byteOffset}: ${found}`);
    this.fault = fault;
    this.byteOffset = byteOffset;
  }
}

/** A bad RDB image. */
export class RdbError extends SnapshotImageError {
  /** The error's name. */
  override readonly name: string = "RdbError";

  /** See `SnapshotImageError`. */
  constructor(fault: SnapshotFault, byteOffset: number, found: string) {
    super("RDB", fault, byteOffset, found);
  }
}

/** A bad KEVYSNAP image. */
export class KevySnapError extends SnapshotImageError {
  /** The error's name. */
  override readonly name: string = "KevySnapError";

  /** See `SnapshotImageError`. */
  constructor(fault: SnapshotFault, byteOffset: number, found: string) {
    super("KEVYSNAP", fault, byteOffset, found);
  }
}

/** A key whose value has a type that the reader knows by name but cannot load. */
export class RdbTypeError extends RdbError {
  /** The error's name. */
  override readonly name: string = "RdbTypeError";
  /** The type byte. */
  readonly type: number;
  /** What the format calls it, e.g. `hash (listpack)`. */
  readonly typeName: string;
  /** The key, a copy of its bytes. */
  readonly key: Uint8Array;

  /** `byteOffset` is where the value begins. */
  constructor(byteOffset: number, type: number, typeName: string, key: Uint8Array) {
    super("unsupportedType", byteOffset, typeFault(type, typeName, key));
    this.type = type;
    this.typeName = typeName;
    this.key = key;
  }
}

/** What a frozen shard holds and a format cannot express. */
export class UnwritableEntryError extends Error {
  /** The error's name. */
  override readonly name: string = "UnwritableEntryError";
}

function typeFault(type: number, typeName: string, key: Uint8Array): string {
  const shown = quoteBytes(key, 0, key.length);
  return `key ${shown} has a value of type ${type}, ${typeName}, which cannot be loaded`;
}

/** Bytes of a key that an error or a log line shows at most. */
const QUOTED_BYTES_MAX = 64;

/** `buf[start..stop)` in double quotes, escaped like redis-cli does, cut after 64 bytes; for logs. */
export function quoteBytes(buf: Uint8Array, start: number, stop: number): string {
  const cut = Math.min(stop, start + QUOTED_BYTES_MAX);
  let out = '"';
  for (let i = start; i < cut; i++) {
    const c = buf[i];
    if (c === 34 || c === 92) out += "\\" + String.fromCharCode(c);
    else if (c >= 32 && c < 127) out += String.fromCharCode(c);
    else out += "\\x" + c.toString(16).padStart(2, "0");
  }
  return out + (cut < stop ? `"... (${stop - start} bytes)` : '"');
}
