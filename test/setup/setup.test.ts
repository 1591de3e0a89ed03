import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { packageRoot } from "../../src/paths.ts";
import { reachableFiles } from "../../src/setup/compile.ts";
import { withLock } from "../../src/setup/lock.ts";
import { chooseNumJobs, setUp } from "../../src/setup/setup.ts";
import { demandAddon, readStamp } from "../../src/setup/stamp.ts";

const realStamp = await readStamp(join(packageRoot, "build"));
const skipWithoutLibtorch = it.skipIf(realStamp === null);
if (realStamp === null) console.warn("Skipped: builds with a compiler, because grouper setup has not been run.");

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "grouper-setup-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

/** A project whose native/ is an addon of two files and one header, and no libtorch in it, so that it compiles in a second. */
async function layOutProject(): Promise<void> {
  await symlink(join(packageRoot, "node_modules"), join(dir, "node_modules"));
  await writeFile(join(dir, "package.json"), "{}");
  await mkdir(join(dir, "native"));
  await writeFile(join(dir, "native", "answer.h"), "#pragma once\nint answer();\n");
  await writeFile(join(dir, "native", "answer.cc"), '#include "answer.h"\nint answer() { return 1; }\n');
  await writeFile(
    join(dir, "native", "addon.cc"),
    [
      "#include <napi.h>",
      "static Napi::Object start(Napi::Env, Napi::Object exports) {",
      '  exports.Set("torchVersion", GROUPER_TORCH_VERSION);',
      "  return exports;",
      "}",
      "NODE_API_MODULE(fake, start)",
    ].join("\n"),
  );
}

const envWithLibtorch = () => ({ ...process.env, LIBTORCH: realStamp?.libtorch.root, GROUPER_JOBS: "1" });
const compiledCounts = (lines: readonly string[]) => lines.find((line) => line.startsWith("compiled"));

describe("setUp", () => {
  skipWithoutLibtorch("builds, says so in five lines, and has nothing to do the second time", async () => {
    await layOutProject();
    const first = await setUp({ env: envWithLibtorch(), packageRoot: dir });
    expect(first.lines.map((line) => line.split(" ")[0])).toEqual([
      "libtorch",
      "compiler",
      "headers",
      "compiled",
      "addon",
    ]);
    expect(first.numCompiled).toBe(2);
    const second = await setUp({ env: envWithLibtorch(), packageRoot: dir });
    expect(second.numCompiled).toBe(0);
    expect(second.lines.at(-1)).toMatch(/unchanged/);
    expect(compiledCounts(second.lines)).toMatch(/0 of 2 files/);
  });

  skipWithoutLibtorch("does the work once when two run at once", async () => {
    await layOutProject();
    const run = () => setUp({ env: envWithLibtorch(), packageRoot: dir });
    const reports = await Promise.all([run(), run()]);
    expect(reports.map((report) => report.numCompiled).sort()).toEqual([0, 2]);
  });

  skipWithoutLibtorch("recompiles what a changed header reaches, and that alone", async () => {
    await layOutProject();
    await setUp({ env: envWithLibtorch(), packageRoot: dir });
    const addonBefore = (await stat(join(dir, "build", "grouper.node"))).ino;
    await writeFile(join(dir, "native", "answer.h"), "#pragma once\nint answer();\nint other();\n");
    const report = await setUp({ env: envWithLibtorch(), packageRoot: dir });
    expect(report.numCompiled).toBe(1);
    // A new file, so that an engine that still maps the old one is not pulled from under its feet.
    expect((await stat(join(dir, "build", "grouper.node"))).ino).not.toBe(addonBefore);
    expect(await readdir(join(dir, "build", "objects"))).toHaveLength(2);
  });

  skipWithoutLibtorch("names the file, the error and the command when a file does not compile", async () => {
    await layOutProject();
    await writeFile(join(dir, "native", "answer.cc"), "int answer() { return unknown_name; }\n");
    await expect(setUp({ env: envWithLibtorch(), packageRoot: dir })).rejects.toThrow(
      /Compiling native\/answer\.cc failed[\s\S]*unknown_name[\s\S]*type:\n\S*\+\+ -std=c\+\+20/,
    );
    expect(await readdir(join(dir, "build"))).not.toContain("setup.lock");
  });

  skipWithoutLibtorch("refuses an addon with a symbol that nothing defines, and keeps the one that works", async () => {
    await layOutProject();
    await setUp({ env: envWithLibtorch(), packageRoot: dir });
    const working = await readStamp(join(dir, "build"));
    const addon = await readFile(join(dir, "native", "addon.cc"), "utf8");
    await writeFile(
      join(dir, "native", "addon.cc"),
      `int missing_symbol();\n${addon.replace("  return exports;", '  exports.Set("x", missing_symbol());\n  return exports;')}`,
    );
    await expect(setUp({ env: envWithLibtorch(), packageRoot: dir })).rejects.toThrow(
      /does not load: .*missing_symbol/,
    );
    expect(await readStamp(join(dir, "build"))).toEqual(working);
    expect(await readdir(join(dir, "build"))).toEqual(["grouper.json", "grouper.node", "objects"]);
  });

  it("asks for a compiler by the command that installs one", async () => {
    await layOutFakeLibtorch();
    const env = { ...process.env, LIBTORCH: join(dir, "torch"), CXX: "no-such-compiler" };
    await expect(setUp({ env, packageRoot: dir })).rejects.toThrow(/no-such-compiler.*Type: apt-get install -y g\+\+/);
  });

  it("asks for python3 by the command that installs it, where there is neither libtorch nor python3", async () => {
    await expect(setUp({ env: { PATH: "/nonexistent" }, packageRoot: dir })).rejects.toThrow(
      /LIBTORCH.*type: apt-get install -y python3 python3-pip/,
    );
  });

  it("gives up on a pip without sources within seconds, with a command to type", async () => {
    const bin = join(dir, "bin");
    await mkdir(bin);
    await writeFile(join(bin, "python3"), '#!/bin/sh\n[ "$3" = --version ] && echo pip 24.0\n[ "$3" = --version ]\n');
    await chmod(join(bin, "python3"), 0o755);
    await expect(setUp({ env: { PATH: `${bin}:/bin` }, packageRoot: dir })).rejects.toThrow(
      /could not be installed[\s\S]*python3 -m pip install torch --index-url/,
    );
  });
});

/** Enough of a wheel to be found, nothing to be linked. */
async function layOutFakeLibtorch(): Promise<void> {
  const root = join(dir, "torch");
  await mkdir(join(root, "lib"), { recursive: true });
  await mkdir(join(root, "include", "ATen"), { recursive: true });
  await writeFile(join(root, "include", "ATen", "ATen.h"), "");
  await writeFile(join(root, "lib", "libc10.so"), "_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_string");
  await writeFile(join(root, "lib", "libtorch_cpu.so"), "");
  await writeFile(join(root, "version.py"), "__version__ = '2.13.0+cpu'\n");
}

describe("demandAddon", () => {
  it("says what to type when nothing is built", async () => {
    await expect(demandAddon(dir)).rejects.toThrow(/is not built. Type: grouper setup/);
  });

  skipWithoutLibtorch("refuses a libtorch that changed since the build", async () => {
    await layOutFakeLibtorch();
    const libtorch = {
      root: join(dir, "torch"),
      version: "2.12.0+cpu",
      cxx11Abi: true,
      cuda: false,
      origin: "python3",
    };
    await writeFile(join(dir, "grouper.json"), JSON.stringify({ ...realStamp, libtorch }));
    await writeFile(join(dir, "grouper.node"), "");
    await expect(demandAddon(dir)).rejects.toThrow(
      /built against libtorch 2\.12\.0\+cpu, but .*torch now holds 2\.13\.0\+cpu\. Type: grouper setup/,
    );
  });

  skipWithoutLibtorch("refuses an addon for another platform", async () => {
    await writeFile(join(dir, "grouper.json"), JSON.stringify({ ...realStamp, platform: "linux-riscv64" }));
    await writeFile(join(dir, "grouper.node"), "");
    await expect(demandAddon(dir)).rejects.toThrow(/is for linux-riscv64/);
  });
});

describe("withLock", () => {
  const lock = (timeoutMs = 10_000) => ({ path: join(dir, "lock"), timeoutMs });

  it("lets one in at a time", async () => {
    let inside = 0;
    let most = 0;
    const enter = () =>
      withLock(lock(), async () => {
        inside += 1;
        most = Math.max(most, inside);
        await sleep(20);
        inside -= 1;
      });
    await Promise.all([enter(), enter(), enter()]);
    expect(most).toBe(1);
  });

  it("takes over the lock of a process that died", async () => {
    // Above the largest process id that Linux gives.
    await writeFile(lock().path, `4194305 ${hostname()}\n`);
    expect(await withLock(lock(), async () => "done")).toBe("done");
  });

  it("gives up at its deadline and names the holder", async () => {
    await writeFile(lock().path, `${process.pid} ${hostname()}\n`);
    await expect(withLock(lock(100), async () => "done")).rejects.toThrow(`process ${process.pid} ${hostname()}`);
  });

  it("lets go when the work throws", async () => {
    const fail = withLock(lock(), async () => {
      throw new Error("work failed");
    });
    await expect(fail).rejects.toThrow("work failed");
    expect(await withLock(lock(100), async () => "next")).toBe("next");
  });
});

describe("choosing the number of compilations at a time", () => {
  it("is bounded by cores and by 1.5 GiB of free memory each", () => {
    expect(chooseNumJobs(undefined, 16, 64 * 2 ** 30)).toBe(16);
    expect(chooseNumJobs(undefined, 16, 4 * 2 ** 30)).toBe(2);
    expect(chooseNumJobs(undefined, 2, 2 ** 29)).toBe(1);
  });

  it("follows GROUPER_JOBS and refuses nonsense in it", () => {
    expect(chooseNumJobs("3", 16, 64 * 2 ** 30)).toBe(3);
    expect(() => chooseNumJobs("0", 16, 64 * 2 ** 30)).toThrow(/GROUPER_JOBS to be a positive integer, got "0"/);
  });
});

describe("reachableFiles", () => {
  it("follows quoted includes through headers, and no further than the folder", async () => {
    await writeFile(join(dir, "a.cc"), '#include "b.h"\n#include <vector>\n// #include "d.h"\n');
    await writeFile(join(dir, "b.h"), '#include "c.h"\n#include "elsewhere.h"\n');
    await cp(join(dir, "b.h"), join(dir, "d.h"));
    await writeFile(join(dir, "c.h"), '#include "b.h"\n');
    expect([...(await reachableFiles(dir, "a.cc")).keys()]).toEqual(["a.cc", "b.h", "c.h"]);
  });
});
