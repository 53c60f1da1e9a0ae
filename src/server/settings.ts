/**
 * The table of settings that have an effect: Redis's directive name where Redis has the setting,
 * kind, default, section, when it can change, and one line of description. It feeds the readers of
 * config file, environment and command line, CONFIG GET and SET, `--help` and the settings table of
 * the README. What is accepted without effect or refused is in settings_inert.ts.
 *
 * Ranges and defaults are those of Redis 7.2, except where a description says otherwise and for
 * `bind` (this machine only), `dir`, `repl-backlog-size` and the upper bound of `databases`.
 *
 * @module
 */
import type { ConfigValues } from "./config_values.ts";
import type { SettingTable } from "./setting.ts";
import { APPEND_ONLY_SETTINGS } from "./settings_append_only.ts";
import { DATA_SETTINGS } from "./settings_data.ts";
import { REPLICATION_SETTINGS } from "./settings_replication.ts";
import { SERVING_SETTINGS } from "./settings_serving.ts";

/** Every setting that has an effect, by field. */
export const SETTINGS: SettingTable<ConfigValues> = {
  ...SERVING_SETTINGS,
  ...DATA_SETTINGS,
  ...APPEND_ONLY_SETTINGS,
  ...REPLICATION_SETTINGS,
};
