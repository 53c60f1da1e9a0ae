import { GEO_COMMANDS } from "../../src/commands/geo.ts";
import { KEY_COMMANDS } from "../../src/commands/keys.ts";
import { STRING_COMMANDS } from "../../src/commands/strings.ts";
import { ZSET_COMMANDS } from "../../src/commands/zsets.ts";
import { asksRedis } from "../support/asking_redis.ts";
import { assertSameReplies, type Line, words } from "../support/differential.ts";
import { Random, testSeed } from "../support/random.ts";

const SPECS = [...STRING_COMMANDS, ...KEY_COMMANDS, ...ZSET_COMMANDS, ...GEO_COMMANDS];

// deno-fmt-ignore
const SINGLES = [
  "SET s text", "GEOADD", "GEOADD g 13.361389 38.115556", "GEOADD g 13.361389 38.115556 Palermo 15.087269 37.502669 Catania",
  "GEOADD g 13.361389 38.115556 Palermo", "GEOADD g CH 13.4 38.1 Palermo", "GEOADD g NX 1 1 Palermo 2 2 two", "GEOADD g XX 1 1 none",
  "GEOADD g NX XX 1 1 x", "GEOADD g XX NX CH 1 1 x", "GEOADD g CH CH CH", "GEOADD g NX 1 1", "GEOADD g 200 1 x", "GEOADD g 1 86 x", "GEOADD g -180.1 0 x",
  "GEOADD g x 1 a", "GEOADD g 1 x a", "GEOADD g inf 1 a", "GEOADD g 1e30 1 a", "GEOADD g -1e30 1 a", "GEOADD g -0 90 a", "GEOADD g 181.0078125 -0.0078125 a", "GEOADD g 181.0234375 4.9e-324 a", "GEOADD g 1 1 a 200 1 b", "GEOADD s 1 1 a", "GEOADD list 1 1 a",
  "GEOADD edge 180 85.05112878 ne -180 -85.05112878 sw 180 -85.05112878 se -180 85.05112878 nw 0 0 o 1e-9 1e-9 near", "ZRANGE edge 0 -1 WITHSCORES",
  "GEOPOS edge ne sw se nw o near", "GEOHASH edge ne sw se nw o near", "GEOPOS g Palermo Catania none", "GEOPOS g", "GEOPOS none a b", "GEOPOS s a", "GEOPOS list a",
  "GEOHASH g Palermo Catania none", "GEOHASH g", "GEOHASH none a b", "GEOHASH s a", "GEODIST g Palermo Catania", "GEODIST g Palermo Catania km", "GEODIST g Palermo Catania MI",
  "GEODIST g Palermo Catania ft", "GEODIST g Palermo Catania x", "GEODIST g Palermo Catania m x", "GEODIST g Palermo none", "GEODIST none a b", "GEODIST none a b x", "GEODIST s a b",
  "GEODIST g Palermo Palermo", "GEODIST edge ne sw", "GEODIST edge ne nw", "GEODIST edge o near", "ZADD other -5 a 0.5 b 1e300 c inf d 4503599627370496 e",
  "GEOPOS other b", "GEOHASH other b",
  "GEORADIUS g 15 37 200 km", "GEORADIUS g 15 37 200 km WITHDIST", "GEORADIUS g 15 37 200 km WITHCOORD", "GEORADIUS g 15 37 200 km WITHHASH",
  "GEORADIUS g 15 37 200 km WITHDIST WITHCOORD WITHHASH", "GEORADIUS g 15 37 200 km ASC", "GEORADIUS g 15 37 200 km DESC WITHDIST", "GEORADIUS g 15 37 200 km COUNT 1",
  "GEORADIUS g 15 37 200 km COUNT 1 DESC", "GEORADIUS g 15 37 200 km COUNT 1 ANY", "GEORADIUS g 15 37 200 km ANY", "GEORADIUS g 15 37 200 km COUNT 0", "GEORADIUS g 15 37 200 km COUNT x",
  "GEORADIUS g 15 37 200 km COUNT", "GEORADIUS g 15 37 200 foo", "GEORADIUS g 15 37 x km", "GEORADIUS g 15 37 -1 km", "GEORADIUS g 500 37 1 km", "GEORADIUS g x 37 1 km", "GEORADIUS g 15 37 200",
  "GEORADIUS g 15 37 200 km foo", "GEORADIUS none 15 37 200 km", "GEORADIUS none x 37 200 km", "GEORADIUS none 15 37 200 km COUNT 0", "GEORADIUS s 15 37 200 km", "GEORADIUS list 15 37 200 km",
  "GEORADIUS g 15 37 200 km STORE d", "ZRANGE d 0 -1 WITHSCORES", "GEORADIUS g 13.361389 38.115556 0 m STOREDIST d", "EXISTS d", "GEORADIUS g 15 37 200 km STORE d WITHDIST",
  "GEORADIUS g 15 37 200 km STOREDIST d WITHHASH", "GEORADIUS g 15 37 1 km STORE d", "EXISTS d", "GEORADIUS g 15 37 200 km STORE", "GEORADIUS g 15 37 200 km STORE d", "GEORADIUS none 15 37 200 km STORE d",
  "EXISTS d", "GEORADIUS g 15 37 200 km STORE d COUNT 1", "ZCARD d", "GEORADIUS g 15 37 200 km STORE x STOREDIST y STORE d", "EXISTS x y", "GEORADIUS_RO g 15 37 200 km", "GEORADIUS_RO g 15 37 200 km STORE d",
  "GEORADIUS_RO g 15 37 200 km WITHDIST", "GEORADIUSBYMEMBER g Palermo 200 km", "GEORADIUSBYMEMBER g Palermo 200 km WITHDIST DESC", "GEORADIUSBYMEMBER g none 200 km", "GEORADIUSBYMEMBER none none 200 km",
  "GEORADIUSBYMEMBER none none x km", "GEORADIUSBYMEMBER none none x km foo", "GEORADIUSBYMEMBER g Palermo x km", "GEORADIUSBYMEMBER g Palermo 200 km STORE d", "GEORADIUSBYMEMBER_RO g Palermo 200 km",
  "GEORADIUSBYMEMBER_RO g Palermo 200 km STORE d", "GEORADIUSBYMEMBER s a 1 km", "GEORADIUSBYMEMBER g Palermo 0 m",
  "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ASC WITHDIST WITHCOORD", "GEOSEARCH g FROMMEMBER Palermo BYRADIUS 200 km WITHHASH",
  "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 400 km ASC WITHDIST", "GEOSEARCH g FROMMEMBER Palermo BYBOX 400 100 km DESC", "GEOSEARCH g FROMLONLAT 15 37 BYBOX 400 x km", "GEOSEARCH g FROMLONLAT 15 37 BYBOX x 1 km",
  "GEOSEARCH g FROMLONLAT 15 37 BYBOX -1 1 km", "GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 -1 km", "GEOSEARCH g FROMLONLAT 15 37 BYBOX 1 1 foo", "GEOSEARCH g FROMMEMBER none BYRADIUS 1 km", "GEOSEARCH none FROMMEMBER none BYRADIUS 1 km",
  "GEOSEARCH none FROMMEMBER none BYRADIUS x km", "GEOSEARCH g FROMMEMBER Palermo FROMLONLAT 1 2 BYRADIUS 1 km", "GEOSEARCH g FROMLONLAT 1 2 FROMMEMBER Palermo BYRADIUS 1 km",
  "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 1 km BYBOX 1 1 km", "GEOSEARCH g BYRADIUS 200 km ASC COUNT 5", "geosearch g FROMLONLAT 15 37 ASC WITHDIST", "GEOSEARCH g FROMLONLAT 15 37 ASC WITHDIST COUNT 1 ANY",
  "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km ANY", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km STORE d", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km foo",
  "GEOSEARCH s FROMLONLAT 15 37 BYRADIUS 200 km", "GEOSEARCH g FROMLONLAT 15 37 FROMLONLAT 16 37 BYRADIUS 200 km", "GEOSEARCH g FROMLONLAT 15 37 BYRADIUS 200 km BYRADIUS 1 m",
  "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km", "ZRANGE d 0 -1 WITHSCORES", "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYRADIUS 200 km WITHDIST", "GEOSEARCHSTORE d none FROMLONLAT 15 37 BYRADIUS 200 km", "EXISTS d",
  "GEOSEARCHSTORE d g FROMLONLAT 15 37 BYBOX 400 400 km COUNT 1", "ZRANGE d 0 -1", "GEOSEARCHSTORE d g BYBOX 400 400 km COUNT 1 ASC", "GEOSEARCHSTORE g g FROMLONLAT 15 37 BYRADIUS 200 km STOREDIST COUNT 1", "ZCARD g",
  "GEOSEARCHSTORE s edge FROMLONLAT 0 0 BYRADIUS 1 km", "TYPE s", "GEOSEARCH edge FROMLONLAT 0 0 BYRADIUS 30000 km ASC", "GEOSEARCH edge FROMLONLAT 180 85 BYRADIUS 100 km ASC", "GEOSEARCH edge FROMLONLAT -180 -85 BYBOX 1000 1000 km ASC",
];

/** Positions on a grid of the whole earth or close to a point, the poles and the date line included. */
function place(random: Random): [string, string] {
  if (random.below(3) === 0) {
    const longitude = random.pick([-179.99, 179.99, 0.001, 12.5]) + (random.next() - 0.5) / 50;
    const latitude = random.pick([-84.9, 85.0, 0.001, 66.01, -80.01]) + (random.next() - 0.5) / 50;
    return [longitude.toFixed(6), latitude.toFixed(6)];
  }
  return [(random.next() * 360 - 180).toFixed(6), (random.next() * 170 - 85).toFixed(6)];
}

function lines(seed: number): Line[] {
  const random = new Random(seed);
  const all: Line[] = SINGLES.map((line) => ({ words: words(line) }));
  for (let i = 0; i < 100; i++) {
    const points = Array.from({ length: 20 }, (_, j) => [...place(random), `p${i * 20 + j}`]);
    all.push({ words: ["GEOADD", i < 4 ? "few" : "many", ...points.flat()] });
  }
  const key = () => random.pick(["few", "many"]);
  const member = () => `p${80 + random.below(2_000)}`;
  for (let i = 0; i < 2_500; i++) {
    const unit = random.pick(["m", "km", "mi", "ft"]);
    const scaleM = random.pick([10, 1_000, 100_000, 1e6, 5e6, 1e7, 3e7]);
    const scale = scaleM / { m: 1, km: 1000, mi: 1609.34, ft: 0.3048 }[unit]!;
    const size = () => (random.next() * scale).toFixed(random.below(4));
    const shape = random.below(2) === 0
      ? ["BYRADIUS", size(), unit]
      : ["BYBOX", size(), size(), unit];
    const order = random.pick([[], ["ASC"], ["DESC"]]);
    const count = random.pick([[], [], ["COUNT", String(1 + random.below(20))]]);
    // Sines may differ in their last bit, which among thousands of large distances rounds one up.
    const digits = scaleM <= 100_000 ? ["WITHDIST"] : [];
    const more = [...digits, "WITHCOORD", "WITHHASH"].filter(() => random.below(2) === 0);
    switch (random.below(6)) {
      case 0:
      case 1:
        all.push({
          words: [
            "GEOSEARCH",
            key(),
            "FROMLONLAT",
            ...place(random),
            ...shape,
            ...order,
            ...count,
            ...more,
          ],
        });
        break;
      case 2:
        all.push({
          words: ["GEOSEARCH", "many", "FROMMEMBER", member(), ...shape, ...order, ...more],
        });
        break;
      case 3:
        all.push({
          words: ["GEORADIUS", key(), ...place(random), size(), unit, ...order, ...count, ...more],
        });
        break;
      case 4:
        all.push({
          words: ["GEOSEARCHSTORE", "d", key(), "FROMLONLAT", ...place(random), ...shape, ...count],
        });
        all.push({ words: words("ZRANGE d 0 -1 WITHSCORES") });
        break;
      default:
        all.push({ words: ["GEODIST", "many", member(), member(), unit] });
        all.push({ words: ["GEOPOS", "many", member()] }, { words: ["GEOHASH", "many", member()] });
    }
  }
  return all;
}

asksRedis("positions are stored and found as redis-server does, command by command", (redis) => {
  const seed = testSeed(3200);
  return assertSameReplies(redis, SPECS, lines(seed), seed);
});
