/**
 * Compiles native/*.cc against libtorch and the headers that npm ships, and links build/grouper.node.
 *
 * An object's file name holds the hash of all that it is made of (its source, the native headers it reaches, flags, compiler,
 * libtorch, processor), so "is it up to date" is "does it exist", and a changed header recompiles what includes it and no more.
 */
import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { mkdir, readdir, readFile, rename, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { cpus } from "node:os";
import { basename, dirname, join } from "node:path";
import { RecipeError } from "../errors.ts";
import type { Libtorch } from "./libtorch.ts";
import { commandLine, runCommand } from "./run-command.ts";
import { addonPath, platform, readStamp, writeStamp } from "./stamp.ts";

export interface Toolchain {
  readonly program: string;
  /** First line of --version. */
  readonly version: string;
}

export interface BuildPlan {
  readonly packageRoot: string;
  readonly buildDir: string;
  readonly libtorch: Libtorch;
  readonly toolchain: Toolchain;
  /** Processor to compile for, as -march takes it. */
  readonly march: string;
  /** For our own checks; a user's newer compiler may warn of what ours does not know. */
  readonly warningsAreErrors: boolean;
  /** Compilations at a time. */
  readonly numJobs: number;
  readonly onProgress: (text: string) => void;
  /** Throws where a linked addon does not load; what was there before is then kept. */
  readonly demandLoads: (addon: string) => Promise<void>;
}

export interface BuildResult {
  readonly numSources: number;
  readonly numCompiled: number;
  readonly linked: boolean;
}

/** A compilation that includes ATen peaks at 0.8 GB; a fresh one can pass 1 GB. */
export const bytesPerJob = 1.5 * 2 ** 30;

/** Warnings of the optimizer, which differ by version and speak of the standard library (GCC bug 105651 for -Wrestrict). */
const gccFalseAlarms = ["-Wno-restrict", "-Wno-maybe-uninitialized", "-Wno-array-bounds", "-Wno-stringop-overflow"];

const compileTimeoutMs = 15 * 60_000;

export async function findToolchain(env: NodeJS.ProcessEnv): Promise<Toolchain> {
  const candidates = env.CXX ? [env.CXX] : ["g++", "c++", "clang++"];
  for (const program of candidates) {
    const result = await runCommand(program, ["--version"], { timeoutMs: 30_000, env });
    const version = result.stdout.split("\n")[0]?.trim();
    if (result.code === 0 && version) return { program, version };
  }
  throw new RecipeError(
    `Expected a C++20 compiler (${candidates.join(", ")}) to build the native engine with, but found none. Type: apt-get install -y g++`,
  );
}

export async function build(plan: BuildPlan): Promise<BuildResult> {
  const sources = (await readdir(join(plan.packageRoot, "native")))
    .filter((name) => name.endsWith(".cc") && !name.startsWith("test_"))
    .sort();
  const flags = compileFlags(plan);
  const objectsDir = join(plan.buildDir, "objects");
  await mkdir(objectsDir, { recursive: true });
  const made = commonHash(plan, flags);
  const objects = await Promise.all(
    sources.map(async (name) => {
      const digest = createHash("sha256").update(made);
      for (const [file, text] of await reachableFiles(join(plan.packageRoot, "native"), name))
        digest.update(`${file}\0${text}\0`);
      return {
        source: name,
        path: join(objectsDir, `${basename(name, ".cc")}.${digest.digest("hex").slice(0, 16)}.o`),
      };
    }),
  );
  const link = linkArguments(
    plan,
    objects.map((object) => object.path),
  );
  const hash = createHash("sha256").update(made).update(JSON.stringify(link)).digest("hex");

  const missing = objects.filter((object) => !existsSync(object.path));
  if (missing.length > 0) plan.onProgress(`compiling ${missing.length} files, ${plan.numJobs} at a time ...`);
  const queue = [...missing];
  const worker = async () => {
    for (let object = queue.shift(); object; object = queue.shift()) {
      await compile(plan, flags, object);
    }
  };
  // Settled, not all: a failure must not leave a compiler running behind a released lock.
  const workers = await Promise.allSettled(Array.from({ length: plan.numJobs }, worker));
  const failed = workers.find((outcome) => outcome.status === "rejected");
  if (failed) throw failed.reason;

  const stamp = await readStamp(plan.buildDir);
  const linked = stamp?.hash !== hash;
  if (linked) {
    const temporary = join(plan.buildDir, `grouper.tmp-${process.pid}.node`);
    try {
      await demandSuccess(plan.toolchain.program, [...link, "-o", temporary], "Linking build/grouper.node");
      await plan.demandLoads(temporary);
      // Renamed over the old addon, which a running engine may still have mapped.
      await rename(temporary, addonPath(plan.buildDir));
    } finally {
      await rm(temporary, { force: true });
    }
    const { libtorch, toolchain } = plan;
    await writeStamp(plan.buildDir, { hash, libtorch, compiler: toolchain.version, platform });
  }
  await removeStale(objectsDir, new Set(objects.map((object) => basename(object.path))));
  return { numSources: sources.length, numCompiled: missing.length, linked };
}

function compileFlags({ packageRoot, libtorch, march, toolchain, warningsAreErrors }: BuildPlan): string[] {
  const isClang = toolchain.version.includes("clang");
  const systemHeaders = [
    join(packageDir(packageRoot, "node-api-headers"), "include"),
    packageDir(packageRoot, "node-addon-api"),
    join(libtorch.root, "include"),
    join(libtorch.root, "include", "torch", "csrc", "api", "include"),
  ];
  return [
    "-std=c++20",
    "-O3",
    `-march=${march}`,
    "-fPIC",
    "-pthread",
    // at::parallel_for is a header: without OpenMP it would be serial here. Not given to the linker, so that the calls bind to the
    // libgomp that libtorch itself loads, never to a second one. Clang's OpenMP is another library, which libtorch has not.
    isClang ? "-fopenmp-simd" : "-fopenmp",
    "-Wall",
    "-Wextra",
    ...(warningsAreErrors ? ["-Werror"] : []),
    ...(isClang ? [] : gccFalseAlarms),
    "-fvisibility=hidden",
    "-DNAPI_VERSION=8",
    "-DNAPI_CPP_EXCEPTIONS",
    `-D_GLIBCXX_USE_CXX11_ABI=${libtorch.cxx11Abi ? 1 : 0}`,
    `-DGROUPER_TORCH_VERSION="${libtorch.version}"`,
    ...systemHeaders.flatMap((dir) => ["-isystem", dir]),
  ];
}

/** Wherever npm put it: beside this package's other dependencies, or hoisted above them. */
export function packageDir(packageRoot: string, name: string): string {
  try {
    return dirname(createRequire(join(packageRoot, "package.json")).resolve(`${name}/package.json`));
  } catch (error) {
    throw new RecipeError(
      `Expected the npm package ${name} beside ${packageRoot}, but it is not there. Type: npm install`,
      {
        cause: error,
      },
    );
  }
}

function linkArguments({ libtorch }: BuildPlan, objects: readonly string[]): string[] {
  const lib = join(libtorch.root, "lib");
  const libraries = ["-ltorch_cpu", "-lc10", ...(libtorch.cuda ? ["-ltorch_cuda", "-lc10_cuda"] : [])];
  return [
    "-shared",
    "-pthread",
    ...objects,
    `-L${lib}`,
    `-Wl,-rpath,${lib}`,
    // A symbol that is missing fails at load, not in the middle of a run.
    "-Wl,-z,now",
    // Nothing here names a symbol of libtorch_cuda, yet loading it is what registers the CUDA kernels.
    "-Wl,--no-as-needed",
    ...libraries,
    "-ldl",
  ];
}

/** What every object depends on. The processor counts, because -march=native means another thing on another machine. */
function commonHash({ libtorch, toolchain, march }: BuildPlan, flags: readonly string[]): string {
  const processor = march === "native" ? (cpus()[0]?.model ?? "") : "";
  const { root, version } = libtorch;
  return JSON.stringify({
    flags,
    compiler: toolchain.version,
    program: toolchain.program,
    root,
    version,
    processor,
    platform,
  });
}

/** `name` and every header of native/ that it includes, directly or through another, sorted by name. */
export async function reachableFiles(dir: string, name: string): Promise<Map<string, string>> {
  const files = new Map<string, string>();
  const queue = [name];
  for (let file = queue.pop(); file !== undefined; file = queue.pop()) {
    if (files.has(file) || !existsSync(join(dir, file))) continue;
    const text = await readFile(join(dir, file), "utf8");
    files.set(file, text);
    for (const [, header] of text.matchAll(/^\s*#\s*include\s+"([^"]+)"/gm)) if (header) queue.push(header);
  }
  return new Map([...files].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function compile(
  plan: BuildPlan,
  flags: readonly string[],
  object: { source: string; path: string },
): Promise<void> {
  const temporary = `${object.path}.tmp-${process.pid}`;
  const args = [...flags, "-c", join(plan.packageRoot, "native", object.source), "-o", temporary];
  await demandSuccess(plan.toolchain.program, args, `Compiling native/${object.source}`);
  await rename(temporary, object.path);
}

async function demandSuccess(program: string, args: readonly string[], what: string): Promise<void> {
  const result = await runCommand(program, args, { timeoutMs: compileTimeoutMs });
  if (result.code === 0) return;
  const errors = result.stderr.split("\n").filter((line) => /error|fatal|killed|stopped after/i.test(line));
  const shown = (errors.length > 0 ? errors : result.stderr.trim().split("\n")).slice(0, 8).join("\n");
  throw new RecipeError(
    `${what} failed with exit code ${result.code}:\n${shown}\nTo see all of it, type:\n${commandLine(program, args)}`,
  );
}

async function removeStale(objectsDir: string, current: ReadonlySet<string>): Promise<void> {
  for (const name of await readdir(objectsDir)) {
    if (!current.has(name)) await rm(join(objectsDir, name), { force: true });
  }
}
