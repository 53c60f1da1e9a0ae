/**
 * Settings of the append-only file, in the order in which they are shown.
 *
 * @module
 */
import { isTempAofName } from "../persistence/file_names.ts";
import type { AppendOnlyValues } from "./config_values.ts";
import { INT_FROM_0, RESTART, section, type SettingTable } from "./setting.ts";
import { integer, oneOf, yesNo } from "./setting_kinds.ts";
import { anyBytes, fileName } from "./setting_kinds_composite.ts";

const appendOnly = section("append-only file");

/** The append-only file. */
export const APPEND_ONLY_SETTINGS: SettingTable<AppendOnlyValues> = {
  appendOnly: appendOnly(
    "appendonly",
    yesNo(),
    false,
    "keep every write in a file, so that the end of the process loses none",
  ),
  appendFilename: appendOnly(
    "appendfilename",
    fileName("appendfilename", isTempAofName),
    "appendonly.aof",
    "what the names of its files begin with; with several shards -<shard> goes before the dot",
    RESTART,
  ),
  appendDirname: appendOnly(
    "appenddirname",
    fileName("appenddirname"),
    "appendonlydir",
    "directory of its files, inside dir",
    RESTART,
  ),
  appendFsync: appendOnly(
    "appendfsync",
    oneOf(["everysec", "always", "no"]),
    "everysec",
    "when writes are on disk for sure: within a second, before their replies, or when the system likes",
  ),
  aofFillAhead: appendOnly(
    "aof-fill-ahead",
    yesNo(),
    true,
    "with always, fill the file ahead with lines that count for nothing: a sync takes less then",
  ),
  noAppendFsyncOnRewrite: appendOnly(
    "no-appendfsync-on-rewrite",
    yesNo(),
    false,
    "leave everysec's syncs out while a snapshot is written",
  ),
  autoAofRewritePercentage: appendOnly(
    "auto-aof-rewrite-percentage",
    integer(INT_FROM_0),
    100,
    "growth in percent since the last rewrite at which another begins; 0 never",
  ),
  autoAofRewriteMinBytes: appendOnly(
    "auto-aof-rewrite-min-size",
    anyBytes(),
    67_108_864,
    "size below which no rewrite begins by itself",
  ),
  aofLoadTruncated: appendOnly(
    "aof-load-truncated",
    yesNo(),
    true,
    "cut off what a crash left incomplete at the end, instead of not starting",
  ),
};
