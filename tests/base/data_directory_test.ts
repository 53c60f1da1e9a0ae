import { assert, assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { checkDataDirectory, DataDirectoryError } from "../../src/base/data_directory.ts";

function inTemporary(body: (root: string) => void): void {
  const root = Deno.realPathSync(Deno.makeTempDirSync());
  try {
    body(root);
  } finally {
    Deno.chmodSync(root, 0o700);
    Deno.removeSync(root, { recursive: true });
  }
}

/** Deno makes links only with unscoped permissions, which tests do not have. */
function link(target: string, path: string): void {
  const { success } = new Deno.Command("ln", { args: ["-s", target, path] }).outputSync();
  assert(success, `ln -s ${target} ${path}`);
}

function refusal(dir: string): string {
  const error = assertThrows(() => checkDataDirectory(dir), DataDirectoryError);
  assert(!error.message.includes("\n"), error.message);
  assertStringIncludes(error.message, dir);
  return error.message;
}

Deno.test("a missing data directory is made, parents included", () => {
  inTemporary((root) => {
    assertEquals(checkDataDirectory(`${root}/a/b`), `${root}/a/b`);
    assertEquals([...Deno.readDirSync(`${root}/a/b`)], [], "the probe is removed");
  });
});

Deno.test("the data directory's path comes back absolute and plain", () => {
  inTemporary((root) => {
    Deno.mkdirSync(`${root}/data`);
    assertEquals(checkDataDirectory(`${root}/./x/../data/`), `${root}/data`);
  });
});

Deno.test("a file is no data directory", () => {
  inTemporary((root) => {
    Deno.writeTextFileSync(`${root}/data`, "");
    assertStringIncludes(refusal(`${root}/data`), "not a directory");
  });
});

// What follows depends on grants narrower than this process has, so each case is a process of its own.
Deno.test("links lead only where the permissions lead", async (t) => {
  const cases: { name: string; lay: (root: string) => void; dir: string; expect: string }[] = [
    {
      name: "a link inside the directory to another place in it is fine",
      lay: (root) => link(`${root}/data/dump.rdb`, `${root}/data/old.rdb`),
      dir: "data",
      expect: "ok ROOT/data",
    },
    {
      name: "a link out of the directory is refused",
      lay: (root) => link(`${root}/outside`, `${root}/data/dump.rdb`),
      dir: "data",
      expect: "dump.rdb in it is a link to ROOT/outside, outside the permissions",
    },
    {
      name: "a link out of the directory to nothing yet is refused",
      lay: (root) => link("../nothing", `${root}/data/dump.rdb`),
      dir: "data",
      expect: "dump.rdb in it is a link to ROOT/nothing, outside the permissions",
    },
    {
      name: "a link in the place of the directory is refused with the flags to name its target",
      lay: (root) => link(`${root}/outside`, `${root}/linked`),
      dir: "linked",
      expect: "start with --allow-read=ROOT/outside --allow-write=ROOT/outside",
    },
    {
      name: "a directory outside the permissions is refused with the flag",
      lay: () => {},
      dir: "outside",
      expect: "start with --allow-read=ROOT/outside",
    },
  ];
  for (const { name, lay, dir, expect } of cases) {
    await t.step(name, async () => {
      const root = Deno.realPathSync(Deno.makeTempDirSync());
      try {
        for (const made of ["data", "outside"]) Deno.mkdirSync(`${root}/${made}`);
        Deno.writeTextFileSync(`${root}/data/dump.rdb.bak`, "");
        lay(root);
        const said = await checkInProcess(root, dir);
        assertStringIncludes(said, expect.replaceAll("ROOT", root));
        assertEquals(said.trim().split("\n").length, 1);
      } finally {
        Deno.removeSync(root, { recursive: true });
      }
    });
  }
});

async function checkInProcess(root: string, dir: string): Promise<string> {
  const module = new URL("../../src/base/data_directory.ts", import.meta.url).href;
  const program = `${root}/check.ts`;
  Deno.writeTextFileSync(
    program,
    `import { checkDataDirectory } from ${JSON.stringify(module)};
     try { console.log("ok " + checkDataDirectory(${JSON.stringify(`${root}/${dir}`)})); }
     catch (e) { console.log((e as Error).message); }`,
  );
  const grants = `${root}/data,${root}/linked`;
  const { stdout } = await new Deno.Command(Deno.execPath(), {
    args: [
      "run",
      "-q",
      "--no-prompt",
      "--no-config",
      "--no-check",
      `--allow-read=${grants}`,
      `--allow-write=${grants}`,
      program,
    ],
    stdout: "piped",
    stderr: "inherit",
  }).output();
  return new TextDecoder().decode(stdout);
}
