import { connectionCommands } from "../../src/commands/connection.ts";
import { COUNTER_COMMANDS } from "../../src/commands/counters.ts";
import { DUMP_COMMANDS } from "../../src/commands/dump.ts";
import { EXPIRY_COMMANDS } from "../../src/commands/expiry.ts";
import { introspectionCommands } from "../../src/commands/introspection.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { LCS_COMMANDS } from "../../src/commands/lcs.ts";
import { OBJECT_COMMANDS } from "../../src/commands/object.ts";
import { type CommandSpec, CommandTable } from "../../src/commands/registry.ts";
import { SCAN_COMMANDS } from "../../src/commands/scan.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";

/** The commands on keys of any type, with the string commands to have something to work on. */
export const GENERIC: readonly CommandSpec[] = [
  ...STRING_COMMANDS,
  ...COUNTER_COMMANDS,
  ...LCS_COMMANDS,
  ...KEY_COMMANDS,
  ...EXPIRY_COMMANDS,
  ...SCAN_COMMANDS,
  ...DUMP_COMMANDS,
  ...OBJECT_COMMANDS,
];

/** The commands on a connection, without a password, and COMMAND, which describes all of these. */
export const CONNECTION: readonly CommandSpec[] = [
  ...connectionCommands(() => false, () => 1_700_000_000_042_007),
  ...introspectionCommands(() => table),
];

const table = new CommandTable([...GENERIC, ...CONNECTION]);
