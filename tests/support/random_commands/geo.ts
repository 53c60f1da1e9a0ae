/** Random commands on places. */

import type { Makers, Parts } from "./parts.ts";

export function geoCommands(p: Parts, makers: Makers): void {
  const key = () => p.key("g");
  const place = () => `p${p.below(20)}`;
  const longitude = () =>
    p.once(20) ? p.pick(["x", "181", "-180.1"]) : (p.random.next() * 8 + 10).toFixed(6);
  const latitude = () =>
    p.once(20) ? p.pick(["x", "86", "-85.1"]) : (p.random.next() * 8 + 35).toFixed(6);
  const unit = () => p.once(25) ? "x" : p.pick(["m", "km", "ft", "mi", "KM"]);
  const size = () => p.once(20) ? p.pick(["x", "-1", "0"]) : `${p.below(600_000)}`;
  const sized = () =>
    p.pick([[size(), "m"], [`${p.below(500)}`, "km"], [`${p.below(300)}`, unit()]]);
  const shape = () =>
    p.once(2) ? ["BYRADIUS", ...sized()] : ["BYBOX", ...sized().slice(0, 1), ...sized()];
  const from = () => p.once(2) ? ["FROMMEMBER", place()] : ["FROMLONLAT", longitude(), latitude()];
  const order = () => p.pick(["ASC", "DESC"]);
  const shown = () => p.options(["WITHCOORD"], ["WITHDIST"], ["WITHHASH"]);
  const add = makers.add.bind(makers);

  add(8, "GEOADD", () => [
    key(),
    ...p.options(["NX"], ["XX"], ["CH"]),
    ...p.some(() => [longitude(), latitude(), place()], 1, 3).flat(),
  ]);
  add(3, "GEOPOS", () => [key(), ...p.some(place, 0, 3)]);
  add(3, "GEODIST", () => [key(), place(), place(), ...(p.once(2) ? [] : [unit()])]);
  add(2, "GEOHASH", () => [key(), ...p.some(place, 0, 3)]);
  add(1, "ZREM", () => [key(), place()]);
  add(4, "GEOSEARCH", () => [
    key(),
    ...from(),
    ...shape(),
    order(),
    ...p.options(["COUNT", p.count()]),
    ...shown(),
  ]);
  add(2, "GEOSEARCH", () => [key(), ...from(), ...shape()], "elements");
  add(2, "GEOSEARCHSTORE", () => [
    key(),
    key(),
    ...from(),
    ...shape(),
    order(),
    ...p.options(["COUNT", p.count()], ["STOREDIST"]),
  ]);
  for (const name of ["GEORADIUS", "GEORADIUS_RO"]) {
    add(1, name, () => [key(), longitude(), latitude(), ...sized(), order(), ...shown()]);
  }
  add(1, "GEORADIUS", () => [
    key(),
    longitude(),
    latitude(),
    ...sized(),
    order(),
    ...p.options(["COUNT", p.count()], ["STORE", key()], ["STOREDIST", key()]),
  ]);
  for (const name of ["GEORADIUSBYMEMBER", "GEORADIUSBYMEMBER_RO"]) {
    add(1, name, () => [key(), place(), ...sized(), order(), ...shown()]);
  }
}
