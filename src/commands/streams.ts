/**
 * The stream commands, all of them.
 *
 * @module
 */

import type { CommandSpec } from "./registry.ts";
import { STREAM_ADD_COMMANDS } from "./stream_add.ts";
import { STREAM_CLAIM_COMMANDS } from "./stream_claim.ts";
import { STREAM_DELIVER_COMMANDS } from "./stream_deliver.ts";
import { STREAM_EDIT_COMMANDS } from "./stream_edits.ts";
import { STREAM_GROUP_COMMANDS } from "./stream_groups.ts";
import { STREAM_INFO_COMMANDS } from "./stream_info.ts";
import { STREAM_PENDING_COMMANDS } from "./stream_pending.ts";
import { STREAM_RANGE_COMMANDS } from "./stream_range.ts";
import { STREAM_READ_COMMANDS } from "./stream_read.ts";

/** See the module's text. */
export const STREAM_COMMANDS: readonly CommandSpec[] = [
  ...STREAM_ADD_COMMANDS,
  ...STREAM_RANGE_COMMANDS,
  ...STREAM_READ_COMMANDS,
  ...STREAM_DELIVER_COMMANDS,
  ...STREAM_EDIT_COMMANDS,
  ...STREAM_GROUP_COMMANDS,
  ...STREAM_PENDING_COMMANDS,
  ...STREAM_CLAIM_COMMANDS,
  ...STREAM_INFO_COMMANDS,
];
