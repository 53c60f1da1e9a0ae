/** Replies as text, a char a byte: where one ends, what an aggregate is made of. RESP2 and RESP3. */

/** Where the reply that begins at `at` ends, or -1 if it is not complete. */
export function replyStop(text: string, at: number): number {
  const line = text.indexOf("\r\n", at);
  if (line < 0) return -1;
  const type = text[at];
  const n = Number(text.slice(at + 1, line));
  let stop = line + 2;
  if ("$=!".includes(type)) {
    if (n >= 0) stop += n + 2;
    return stop <= text.length ? stop : -1;
  }
  for (let left = partsOf(type, n); left > 0 && stop >= 0; left--) stop = replyStop(text, stop);
  return stop;
}

function partsOf(type: string, n: number): number {
  if ("*~>".includes(type)) return Math.max(n, 0);
  return type === "%" ? n * 2 : type === "|" ? n * 2 + 1 : 0;
}

/** The replies that a text is made of; null if it is anything else. */
export function splitReplies(text: string): string[] | null {
  const replies: string[] = [];
  for (let at = 0; at < text.length;) {
    const stop = replyStop(text, at);
    if (stop < 0) return null;
    replies.push(text.slice(at, stop));
    at = stop;
  }
  return replies;
}

/** The header line of an aggregate and its parts; null of another reply. */
export function partsOfReply(reply: string): { header: string; parts: string[] } | null {
  if (!"*~>%".includes(reply[0])) return null;
  const body = reply.indexOf("\r\n") + 2;
  const parts = splitReplies(reply.slice(body));
  return parts === null ? null : { header: reply.slice(0, body), parts };
}
