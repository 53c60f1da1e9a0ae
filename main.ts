/**
 * shoal: flags to settings to a running server, and nothing else.
 *
 * @module
 */

import { main } from "./src/cli/main.ts";

if (import.meta.main) Deno.exit(await main(Deno.args));
