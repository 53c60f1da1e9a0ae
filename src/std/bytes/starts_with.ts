// @ts-types="./starts_with.d.ts"
export * from "npm:deno-std@1.4.0/bytes/starts_with.js";
