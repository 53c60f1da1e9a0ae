/**
 * What persistence needs of a file system, as an argument: the disk in production (`disk.ts`), in
 * tests one that fails, tears writes and loses power wherever it likes.
 *
 * What survives a loss of power is what a real disk promises, and no more: bytes of a file from its
 * last `sync` on may be lost, in part and in any order; names given and taken away in a directory from
 * its last `syncDirectory` on may be, too. So a file is synced before it gets a name that counts, and
 * its directory after.
 *
 * Errors are those of `Deno.errors` (`NotFound`, `AlreadyExists`, ...), or carry the system's `code`.
 *
 * @module
 */

/** An open file. */
export interface StorageFile extends Disposable {
  /** Writes some of `bytes` at the position, which moves on; how many. */
  write(bytes: Uint8Array): Promise<number>;
  /**
   * As `write`, in the caller's turn: for few bytes, which are in the system's memory sooner than a
   * thread is told of them. 0 when that is not possible now.
   */
  writeNow(bytes: Uint8Array): number;
  /** Reads some bytes from the position on, which moves on; how many, null at the end. */
  read(into: Uint8Array): Promise<number | null>;
  /** Moves the position to `byte`, counted from the start. */
  seek(byte: number): Promise<void>;
  /** Bytes in the file. */
  size(): Promise<number>;
  /** Cuts the file to its first `bytes`. */
  truncate(bytes: number): Promise<void>;
  /** Returns when all bytes written so far survive a loss of power. */
  sync(): Promise<void>;
  /**
   * As `sync`, in the caller's turn: for a disk that is done sooner than a thread is told. False when that
   * is not possible now.
   */
  syncNow(): boolean;
  /** Takes the lock that only one process can have on a file; false when another has it. */
  tryLock(): Promise<boolean>;
  /** Closes the file, and gives its lock up. */
  close(): void;
}

/** A name in a directory. */
export interface StorageEntry {
  /** The name, without the directory. */
  readonly name: string;
  /** Whether it is a directory. */
  readonly isDirectory: boolean;
}

/** See the module's text. */
export interface Storage {
  /** Opens a file for reading. */
  open(path: string): Promise<StorageFile>;
  /** Makes a file, for writing and reading; `AlreadyExists` when the name is taken, if by a link. */
  create(path: string): Promise<StorageFile>;
  /** Opens a file for writing behind its end, and reading. */
  append(path: string): Promise<StorageFile>;
  /** Gives a file another name, in the place of whatever has it. */
  rename(from: string, to: string): Promise<void>;
  /** Gives a file one more name; `AlreadyExists` when that is taken. */
  link(from: string, to: string): Promise<void>;
  /** Takes a file's name away. */
  remove(path: string): Promise<void>;
  /** Removes an empty directory. */
  removeDirectory(dir: string): Promise<void>;
  /** The names in a directory, in no order. */
  list(dir: string): Promise<StorageEntry[]>;
  /** Makes a directory unless it is there. */
  makeDirectory(dir: string): Promise<void>;
  /** Returns when all names given and taken away in a directory so far survive a loss of power. */
  syncDirectory(dir: string): Promise<void>;
}

/** Writes all of `bytes`. */
export async function writeAll(file: StorageFile, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    at += await file.write(at === 0 ? bytes : bytes.subarray(at));
  }
}

/** Up to `bytes` bytes of a file from byte `from` on. */
export async function readAt(
  file: StorageFile,
  from: number,
  bytes: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const into = new Uint8Array(bytes);
  await file.seek(from);
  for (let at = 0; at < bytes;) {
    const read = await file.read(into.subarray(at));
    if (read === null) return into.subarray(0, at);
    at += read;
  }
  return into;
}

/** Removes a file if it can; a failure is left to the next start, which looks again. */
export async function removeQuietly(storage: Storage, path: string): Promise<boolean> {
  try {
    await storage.remove(path);
    return true;
  } catch {
    return false;
  }
}

/** The first name in a directory that nothing has: `name` with `suffix`, then with a number behind it. */
export async function freeName(
  storage: Storage,
  dir: string,
  name: string,
  suffix: string,
): Promise<string> {
  const taken = new Set((await storage.list(dir)).map(({ name }) => name));
  let free = `${name}${suffix}`;
  for (let n = 2; taken.has(free); n++) free = `${name}${suffix}-${n}`;
  return free;
}
