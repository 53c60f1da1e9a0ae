/**
 * What a request may be, before and after its sender has authenticated.
 *
 * @module
 */

/** What one request may be. Lengths in bytes. */
export interface RequestLimits {
  /** Arguments of a multibulk request. */
  maxArgs: number;
  /** Bytes of one argument (`proto-max-bulk-len`). */
  maxBulkBytes: number;
  /** Bytes of an inline request, or of a header line, before its line end. */
  maxInlineBytes: number;
  /** Whether the peer has yet to authenticate: `GUEST_ARGS_MAX` and `GUEST_BULK_BYTES_MAX` apply too. */
  unauthenticated?: boolean;
}

/** Arguments of a request from a peer that has not authenticated: enough for AUTH and HELLO (Redis's). */
export const GUEST_ARGS_MAX = 10;
/** Bytes of an argument from a peer that has not authenticated (Redis's). */
export const GUEST_BULK_BYTES_MAX = 16_384;

/** Limits of an ordinary client: Redis's `proto-max-bulk-len` default and its inline size. */
export const DEFAULT_REQUEST_LIMITS: Readonly<RequestLimits> = {
  maxArgs: 1_048_576,
  maxBulkBytes: 512 * 1024 * 1024,
  maxInlineBytes: 64 * 1024,
};

/** `DEFAULT_REQUEST_LIMITS` for a peer that must authenticate first. */
export const GUEST_REQUEST_LIMITS: Readonly<RequestLimits> = {
  ...DEFAULT_REQUEST_LIMITS,
  unauthenticated: true,
};
