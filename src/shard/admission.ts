/**
 * Who may follow: by password where one is set, else by address.
 *
 * @module
 */

import { isLoopback } from "../base/address.ts";

/** The settings that decide. */
export interface AdmissionSettings {
  /** Password that replicas must know; empty: none. */
  readonly requirePass: string;
  /** Refuse other machines while no password is set. */
  readonly protectedMode: boolean;
}

/** Why a peer may not follow, given its address and the password it sent (or null); null when it may. */
export function whyNotPermitted(
  settings: AdmissionSettings,
  peerHost: string,
  password: string | null,
): string | null {
  const { requirePass, protectedMode } = settings;
  if (requirePass !== "") {
    if (password === null) return "a password is required: set masterauth on the replica";
    return sameText(password, requirePass) ? null : "the password is wrong";
  }
  return protectedMode && !isLoopback(peerHost)
    ? "protected-mode is on and no password is set: other machines are refused"
    : null;
}

/** Compares without telling by its time how much is right. */
function sameText(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let i = 0; i < a.length; i++) {
    difference |= a.charCodeAt(i) ^ b.charCodeAt(i % (b.length || 1));
  }
  return difference === 0;
}
