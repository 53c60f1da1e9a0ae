// @ts-types="./includes_needle.d.ts"
export * from "npm:deno-std@1.4.0/bytes/includes_needle.js";
