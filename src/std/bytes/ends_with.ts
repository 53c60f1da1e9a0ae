// @ts-types="./ends_with.d.ts"
export * from "npm:deno-std@1.4.0/bytes/ends_with.js";
