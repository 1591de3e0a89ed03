import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { chooseVersions } from "../../src/setup/install-libtorch.ts";
import { cxx11AbiOf, findLibtorch, inspectLibtorch, isSupported } from "../../src/setup/libtorch.ts";

const newAbi = "\0_ZN3c105ErrorC1ENS_14SourceLocationENSt7__cxx1112basic_stringIcSt11char_traitsIcESaIcEEE\0";
const oldAbi = "\0_ZN3c105ErrorC1ENS_14SourceLocationESs\0";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "grouper-libtorch-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

interface FakeWheel {
  readonly version?: string;
  readonly symbols?: string;
  readonly cuda?: boolean;
}

/** The files of a wheel that set-up looks at. */
async function layOut(
  root: string,
  { version = "2.13.0+cpu", symbols = newAbi, cuda = false }: FakeWheel,
): Promise<void> {
  await mkdir(join(root, "lib"), { recursive: true });
  await mkdir(join(root, "include", "ATen"), { recursive: true });
  await writeFile(join(root, "include", "ATen", "ATen.h"), "");
  await writeFile(join(root, "lib", "libc10.so"), `\x7fELF${symbols}`, "latin1");
  await writeFile(join(root, "lib", "libtorch_cpu.so"), "");
  if (cuda) await writeFile(join(root, "lib", "libtorch_cuda.so"), "");
  await writeFile(join(root, "version.py"), `__all__ = ['__version__']\n__version__ = '${version}'\ndebug = False\n`);
}

/** A PATH whose python3 reports the torch at `root`. */
async function pathWithPython(root: string): Promise<string> {
  const bin = join(dir, "bin");
  await mkdir(bin);
  await writeFile(join(bin, "python3"), `#!/bin/sh\necho '${root}'\n`);
  await chmod(join(bin, "python3"), 0o755);
  return bin;
}

describe("inspectLibtorch", () => {
  it("reads version, C++ ABI and CUDA off the files", async () => {
    await layOut(dir, { version: "2.6.0+cu124", symbols: oldAbi, cuda: true });
    expect(await inspectLibtorch(dir, "LIBTORCH")).toEqual({
      root: dir,
      version: "2.6.0+cu124",
      cxx11Abi: false,
      cuda: true,
      origin: "LIBTORCH",
    });
  });

  it("reads the version of the zip, which has no version.py", async () => {
    await layOut(dir, {});
    await rm(join(dir, "version.py"));
    await writeFile(join(dir, "build-version"), "2.7.1+cpu\n");
    expect((await inspectLibtorch(dir, "LIBTORCH")).version).toBe("2.7.1+cpu");
  });

  it("leaves the CUDA half of a wheel without its dependencies alone", async () => {
    await layOut(dir, { cuda: true });
    expect((await inspectLibtorch(dir, "installed")).cuda).toBe(false);
  });

  it("never guesses the ABI", () => {
    expect(cxx11AbiOf(newAbi, "libc10.so")).toBe(true);
    expect(cxx11AbiOf(oldAbi, "libc10.so")).toBe(false);
    expect(() => cxx11AbiOf("nothing of c10", "libc10.so")).toThrow(/C\+\+ ABI is unknown/);
  });
});

describe("findLibtorch", () => {
  const installDir = () => join(dir, ".libtorch");

  it("prefers $LIBTORCH, then python3's torch, then the installed wheel", async () => {
    await layOut(join(dir, "mine"), { version: "2.8.0" });
    await layOut(join(dir, "site", "torch"), { version: "2.9.0" });
    await layOut(join(installDir(), "torch"), { version: "2.10.0+cpu" });
    const PATH = await pathWithPython(join(dir, "site", "torch"));
    const versionWith = async (env: NodeJS.ProcessEnv) =>
      (await findLibtorch({ env, installDir: installDir() })).libtorch?.version;
    expect(await versionWith({ PATH, LIBTORCH: join(dir, "mine") })).toBe("2.8.0");
    expect(await versionWith({ PATH })).toBe("2.9.0");
    expect(await versionWith({ PATH: "/nonexistent" })).toBe("2.10.0+cpu");
  });

  it("passes over a python3 whose torch is too old, and says so", async () => {
    await layOut(join(dir, "site", "torch"), { version: "2.5.1+cu124" });
    const PATH = await pathWithPython(join(dir, "site", "torch"));
    const { libtorch, note } = await findLibtorch({ env: { PATH }, installDir: installDir() });
    expect(libtorch).toBeNull();
    expect(note).toBe("python3 has torch 2.5.1+cu124, supported is 2.6 to 2.14");
  });

  it("refuses a $LIBTORCH that is too new or is none, instead of taking another", async () => {
    await layOut(join(dir, "mine"), { version: "2.15.0" });
    await layOut(join(installDir(), "torch"), {});
    const find = (LIBTORCH: string) => findLibtorch({ env: { PATH: "", LIBTORCH }, installDir: installDir() });
    await expect(find(join(dir, "mine"))).rejects.toThrow(/PyTorch 2\.6 to 2\.14, but .* holds 2\.15\.0/);
    await expect(find(join(dir, "nowhere"))).rejects.toThrow(/Expected \$LIBTORCH .*nowhere.* does not exist/);
  });
});

describe("isSupported", () => {
  it.each([
    ["2.5.1", false],
    ["2.6.0+cu124", true],
    ["2.14.1+cpu", true],
    ["2.15.0", false],
    ["1.13.1", false],
    ["3.0.0", false],
  ])("%s: %s", (version, expected) => {
    expect(isSupported(version)).toBe(expected);
  });
});

describe("chooseVersions", () => {
  it("takes the newest CPU build before a newer CUDA build", () => {
    expect(chooseVersions(["2.14.1", "2.13.0+cpu"], false)).toEqual(["2.13.0+cpu", "2.14.1"]);
  });

  it("takes CPU builds alone from an index of CPU builds", () => {
    expect(chooseVersions(["2.14.1", "2.9.0+cpu", "2.13.0+cpu", "2.10.0+cpu"], true)).toEqual([
      "2.13.0+cpu",
      "2.10.0+cpu",
    ]);
  });

  it("takes plain names where no other is offered, and nothing unsupported or pre-release", () => {
    expect(chooseVersions(["2.15.0", "2.12.0", "2.14.0rc1", "2.9.1+cu128", "1.13.0"], true)).toEqual(["2.12.0"]);
  });
});
