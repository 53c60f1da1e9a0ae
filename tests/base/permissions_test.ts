import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type Access,
  allowFlag,
  explainFailure,
  explainRefusal,
  explainRefusedPlaces,
  mayListen,
} from "../../src/base/permissions.ts";

const REFUSED = new Deno.errors.NotCapable('Requires net access to "x"');

const ROWS: [access: Access, flag: string, act: string][] = [
  [{ to: "listen", host: "0.0.0.0", port: 6379 }, "--allow-net=0.0.0.0:6379", "listen on"],
  [{ to: "listen", host: "127.0.0.1", port: 0 }, "--allow-net=127.0.0.1", "listen on"],
  [{ to: "listen", host: "::1", port: 7000 }, "--allow-net=[::1]:7000", "listen on [::1]:7000: "],
  [{ to: "connect", host: "db.example", port: 1 }, "--allow-net=db.example:1", "connect to"],
  [{ to: "read", path: "/etc/shoal.conf" }, "--allow-read=/etc/shoal.conf", "read /etc"],
  [{ to: "write", path: "./data" }, "--allow-write=./data", "write ./data"],
  [
    { to: "read and write", path: "/d" },
    "--allow-read=/d --allow-write=/d",
    "to read and write /d",
  ],
  [{ to: "env", name: "SHOAL_PORT" }, "--allow-env=SHOAL_PORT", "variable SHOAL_PORT"],
];

Deno.test("a refusal names the act and the flag that allows it, in one line", () => {
  for (const [access, flag, act] of ROWS) {
    assertEquals(allowFlag(access), flag);
    const line = explainRefusal(REFUSED, access) ?? "";
    assertStringIncludes(line, act);
    assertStringIncludes(line, `start with ${flag} `);
    assert(!line.includes("\n"));
  }
});

Deno.test("what Deno says was writing is named as that, also where a file was to be read", () => {
  const line = explainRefusal(
    new Deno.errors.NotCapable('Requires write access to "/d/f", run again with ...'),
    { to: "read", path: "/d/f" },
  );
  assertStringIncludes(line ?? "", "not permitted to write /d/f: start with --allow-write=/d/f ");
});

Deno.test("all places that are refused are named together, many of one host by the host", () => {
  const at = (host: string, ...ports: number[]) => ports.map((port) => ({ host, port }));
  const rows: [places: { host: string; port: number }[], says: string][] = [
    [
      at("0.0.0.0", 1, 2),
      "listen on 0.0.0.0:1 and 0.0.0.0:2: start with --allow-net=0.0.0.0:1,0.0.0.0:2 ",
    ],
    [
      [...at("::", 1), ...at("h", 2, 3)],
      "on [::]:1, h:2 and h:3: start with --allow-net=[::]:1,h:2,h:3 ",
    ],
    [at("h", 1, 2, 3, 4, 5, 6, 7, 8, 9), "listen on 9 ports of h: start with --allow-net=h "],
  ];
  for (const [places, says] of rows) assertStringIncludes(explainRefusedPlaces(places), says);
});

Deno.test("whether listening is permitted is known before it is tried", () => {
  assert(mayListen({ host: "127.0.0.1", port: 0 }));
  assert(mayListen({ host: "127.0.0.1", port: 6379 }));
  assert(!mayListen({ host: "0.0.0.0", port: 6379 }));
  assert(!mayListen({ host: "::1", port: 0 }));
  assert(mayListen({ host: "no host at all", port: 6379 }), "which the system will say");
});

Deno.test("what the system refuses is no refusal by the permissions", () => {
  const access: Access = { to: "listen", host: "127.0.0.1", port: 80 };
  const error = new Deno.errors.PermissionDenied("Permission denied (os error 13)");
  assertEquals(explainRefusal(error, access), null);
  assertEquals(explainFailure(error, access), "cannot listen on 127.0.0.1:80: Permission denied");
});

Deno.test("the sandbox's real refusals are explained", async () => {
  const program = `
    import { explainFailure } from ${JSON.stringify(moduleUrl())};
    const say = (access, act) => { try { act(); console.log("done"); } catch (e) { console.log(explainFailure(e, access)); } };
    say({ to: "listen", host: "0.0.0.0", port: 6379 }, () => Deno.listen({ hostname: "0.0.0.0", port: 6379 }));
    say({ to: "read", path: "/etc/hosts" }, () => Deno.readTextFileSync("/etc/hosts"));
    say({ to: "write", path: "/x" }, () => Deno.writeTextFileSync("/x", ""));
    say({ to: "env", name: "HOME" }, () => Deno.env.get("HOME"));
    const access = { to: "connect", host: "127.0.0.1", port: 9 };
    try { await Deno.connect({ hostname: "127.0.0.1", port: 9 }); } catch (e) { console.log(explainFailure(e, access)); }
  `;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "--no-config",
      "data:text/typescript," + encodeURIComponent(program),
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  const lines = new TextDecoder().decode(stdout).trim().split("\n");
  const flags = [
    "--allow-net=0.0.0.0:6379",
    "--allow-read=/etc/hosts",
    "--allow-write=/x",
    "--allow-env=HOME",
    "--allow-net=127.0.0.1:9",
  ];
  assertEquals(lines.length, flags.length);
  for (const [i, flag] of flags.entries()) {
    assertMatch(lines[i], /^not permitted to /);
    assertStringIncludes(lines[i], flag);
  }
});

/** The module inlined, since a program without permissions cannot import a local file. */
function moduleUrl(): string {
  const source = Deno.readTextFileSync(new URL("../../src/base/permissions.ts", import.meta.url));
  return "data:text/typescript," + encodeURIComponent(source);
}
