import { assert, assertEquals, assertMatch, assertStringIncludes } from "@std/assert";
import {
  type Access,
  allowFlag,
  explainFailure,
  explainRefusal,
} from "../../src/base/permissions.ts";

const REFUSED = new Deno.errors.NotCapable('Requires net access to "x"');

const ROWS: [access: Access, flag: string, act: string][] = [
  [{ to: "listen", host: "0.0.0.0", port: 6379 }, "--allow-net=0.0.0.0:6379", "listen on"],
  [{ to: "listen", host: "127.0.0.1", port: 0 }, "--allow-net=127.0.0.1", "listen on"],
  [{ to: "listen", host: "::1", port: 7000 }, "--allow-net=[::1]:7000", "listen on"],
  [{ to: "connect", host: "db.example", port: 1 }, "--allow-net=db.example:1", "connect to"],
  [{ to: "read", path: "/etc/shoal.conf" }, "--allow-read=/etc/shoal.conf", "read /etc"],
  [{ to: "write", path: "./data" }, "--allow-write=./data", "write ./data"],
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
