// @ts-types="./index_of_needle.d.ts"
export * from "npm:deno-std@1.4.0/bytes/index_of_needle.js";
