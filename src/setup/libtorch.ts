/** Which libtorch this machine has: $LIBTORCH, else the torch of python3, else the one that set-up installed. */
import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { RecipeError } from "../errors.ts";
import { runCommand } from "./run-command.ts";

/** Grouper is written for these minor versions of PyTorch 2; the internal C++ interface moves between minors. */
export const oldestTorchMinor = 6;
export const newestTorchMinor = 14;
export const supportedTorch = `2.${oldestTorchMinor} to 2.${newestTorchMinor}`;

export interface Libtorch {
  /** Folder with include/ and lib/. */
  readonly root: string;
  /** e.g. "2.13.0+cpu" */
  readonly version: string;
  /** The wheel's own _GLIBCXX_USE_CXX11_ABI: std::string is laid out differently on the two sides. */
  readonly cxx11Abi: boolean;
  /** True when the CUDA half is there and its companions can be expected to be. */
  readonly cuda: boolean;
  readonly origin: "LIBTORCH" | "python3" | "installed";
}

export interface FindOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Where set-up installs a wheel. */
  readonly installDir: string;
}

export interface FoundLibtorch {
  readonly libtorch: Libtorch | null;
  /** Why python3's torch was passed over, or null. */
  readonly note: string | null;
}

/** Throws where $LIBTORCH is set and unusable: the user chose it, so nothing else may quietly take its place. */
export async function findLibtorch({ env, installDir }: FindOptions): Promise<FoundLibtorch> {
  if (env.LIBTORCH) {
    const libtorch = await inspectLibtorch(env.LIBTORCH, "LIBTORCH");
    if (!isSupported(libtorch.version)) {
      throw new RecipeError(
        `Expected $LIBTORCH to hold PyTorch ${supportedTorch}, but ${env.LIBTORCH} holds ${libtorch.version}. Point LIBTORCH elsewhere or unset it.`,
      );
    }
    return { libtorch, note: null };
  }
  let note: string | null = null;
  const pythonRoot = await torchOfPython(env);
  if (pythonRoot) {
    const libtorch = await inspectLibtorch(pythonRoot, "python3");
    if (isSupported(libtorch.version)) return { libtorch, note };
    note = `python3 has torch ${libtorch.version}, supported is ${supportedTorch}`;
  }
  if (existsSync(join(installDir, "torch", "lib"))) {
    const libtorch = await inspectLibtorch(join(installDir, "torch"), "installed");
    if (isSupported(libtorch.version)) return { libtorch, note };
  }
  return { libtorch: null, note };
}

/** What lies at `root`, from its files alone: nothing is loaded or run. */
export async function inspectLibtorch(root: string, origin: Libtorch["origin"]): Promise<Libtorch> {
  const libc10 = join(root, "lib", "libc10.so");
  for (const path of [libc10, join(root, "lib", "libtorch_cpu.so"), join(root, "include", "ATen", "ATen.h")]) {
    if (!existsSync(path)) {
      const origins = { LIBTORCH: "$LIBTORCH", python3: "python3's torch", installed: "the installed wheel" };
      throw new RecipeError(
        `Expected ${origins[origin]} to be a folder with libtorch's include/ and lib/, but ${path} does not exist.`,
      );
    }
  }
  return {
    root,
    version: await versionOf(root),
    cxx11Abi: cxx11AbiOf(await readFile(libc10, "latin1"), libc10),
    // A wheel installed without its dependencies lacks the CUDA libraries, so its CUDA half cannot be loaded.
    cuda: origin !== "installed" && existsSync(join(root, "lib", "libtorch_cuda.so")),
    origin,
  };
}

/** True for 2.6 to 2.14, whatever the build. */
export function isSupported(version: string): boolean {
  const [, major, minor] = /^(\d+)\.(\d+)/.exec(version) ?? [];
  return major === "2" && Number(minor) >= oldestTorchMinor && Number(minor) <= newestTorchMinor;
}

/** A wheel states its version in version.py, the zip of libtorch in build-version. */
async function versionOf(root: string): Promise<string> {
  const python = await readFile(join(root, "version.py"), "utf8").catch(() => null);
  const fromPython = python && /^__version__\s*=\s*['"]([^'"]+)['"]/m.exec(python)?.[1];
  if (fromPython) return fromPython;
  const build = await readFile(join(root, "build-version"), "utf8").catch(() => null);
  if (build?.trim()) return build.trim();
  throw new RecipeError(`Expected ${root} to state its version in version.py or build-version, but neither does.`);
}

/** Read off the symbol of c10::Error's constructor, which takes a std::string. */
export function cxx11AbiOf(symbols: string, path: string): boolean {
  const found = /_ZN3c105ErrorC[12]ENS_14SourceLocationE(NSt7__cxx1112basic_string|Ss)/.exec(symbols);
  if (!found) {
    throw new RecipeError(
      `Expected ${path} to export c10::Error's constructor, but it does not, so its C++ ABI is unknown. Use PyTorch ${supportedTorch}.`,
    );
  }
  return found[1] !== "Ss";
}

/** The folder of python3's torch package, found without importing it; null when there is none. */
async function torchOfPython(env: NodeJS.ProcessEnv): Promise<string | null> {
  const program =
    "import importlib.util as u; s = u.find_spec('torch'); print(s.submodule_search_locations[0] if s and s.submodule_search_locations else '')";
  const result = await runCommand("python3", ["-c", program], { timeoutMs: 30_000, env });
  const root = result.stdout.trim();
  return result.code === 0 && root && existsSync(join(root, "lib", "libtorch_cpu.so")) ? root : null;
}
