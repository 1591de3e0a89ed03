/** Makes this machine able to run the native engine: finds or installs libtorch, compiles the addon, proves that it loads. */
import { mkdir, readFile, stat } from "node:fs/promises";
import { availableParallelism, freemem } from "node:os";
import { join, relative } from "node:path";
import { RecipeError } from "../errors.ts";
import {
  type BuildPlan,
  type BuildResult,
  build,
  bytesPerJob,
  findToolchain,
  packageDir,
  type Toolchain,
} from "./compile.ts";
import { installLibtorch } from "./install-libtorch.ts";
import { findLibtorch, type Libtorch } from "./libtorch.ts";
import { withLock } from "./lock.ts";
import { runCommand } from "./run-command.ts";
import { addonPath } from "./stamp.ts";

export interface SetupOptions {
  /** LIBTORCH, CXX, and GROUPER_MARCH (default native) and GROUPER_JOBS (default: cores, as memory allows) are read. */
  readonly env: NodeJS.ProcessEnv;
  readonly packageRoot: string;
  /** Told before what takes minutes. */
  readonly onProgress?: (text: string) => void;
}

export interface SetupReport {
  readonly libtorch: Libtorch;
  readonly installed: boolean;
  readonly addon: string;
  readonly numCompiled: number;
  readonly elapsedSeconds: number;
  /** Five lines for people: libtorch, compiler, headers, what was compiled, the addon. */
  readonly lines: readonly string[];
}

/** Idempotent and safe to run twice at once. Throws RecipeError with the command to type. */
export async function setUp({ env, packageRoot, onProgress = () => {} }: SetupOptions): Promise<SetupReport> {
  const started = performance.now();
  const buildDir = join(packageRoot, "build");
  await mkdir(buildDir, { recursive: true });
  return await withLock({ path: join(buildDir, "setup.lock"), timeoutMs: 60 * 60_000 }, async () => {
    const installDir = join(packageRoot, ".libtorch");
    const { libtorch, installed, note } = await provideLibtorch(env, installDir, onProgress);
    const toolchain = await findToolchain(env);
    const plan: BuildPlan = {
      packageRoot,
      buildDir,
      libtorch,
      toolchain,
      march: env.GROUPER_MARCH || "native",
      warningsAreErrors: env.GROUPER_WERROR === "1",
      numJobs: chooseNumJobs(env.GROUPER_JOBS, availableParallelism(), freemem()),
      onProgress,
      demandLoads: (addon) => demandLoads(addon, libtorch),
    };
    const result = await build(plan);
    const elapsedSeconds = (performance.now() - started) / 1000;
    return {
      libtorch,
      installed,
      addon: addonPath(buildDir),
      numCompiled: result.numCompiled,
      elapsedSeconds,
      lines: await describe({ plan, toolchain, result, installed, note, elapsedSeconds }),
    };
  });
}

/** Bounded by cores and by memory: a machine that swaps compiles nothing. */
export function chooseNumJobs(wish: string | undefined, numCores: number, freeBytes: number): number {
  if (wish !== undefined && wish !== "") {
    if (!/^[1-9]\d*$/.test(wish))
      throw new RecipeError(`Expected GROUPER_JOBS to be a positive integer, got "${wish}".`);
    return Number(wish);
  }
  return Math.max(1, Math.min(numCores, Math.floor(freeBytes / bytesPerJob)));
}

async function provideLibtorch(env: NodeJS.ProcessEnv, installDir: string, onProgress: (text: string) => void) {
  const found = await findLibtorch({ env, installDir });
  if (found.libtorch) return { libtorch: found.libtorch, installed: false, note: found.note };
  onProgress(`installing PyTorch's CPU build into ${installDir} (about 200 MB) ...`);
  await installLibtorch({ env, installDir });
  const { libtorch, note } = await findLibtorch({ env, installDir });
  if (!libtorch)
    throw new RecipeError(
      `Expected pip to have installed libtorch into ${installDir}, but it is not there. Remove that folder and type: grouper setup`,
    );
  return { libtorch, installed: true, note };
}

/** In a process of its own, because a library that does not fit may end the process that loads it. */
async function demandLoads(addon: string, libtorch: Libtorch): Promise<void> {
  const program = "process.stdout.write(String(require(process.argv[1]).torchVersion))";
  const result = await runCommand(process.execPath, ["-e", program, addon], { timeoutMs: 120_000 });
  if (result.code === 0 && result.stdout === libtorch.version) return;
  const reason =
    result.stderr.split("\n").find((line) => /error|cannot|undefined symbol/i.test(line)) ?? `exit code ${result.code}`;
  if (/undefined symbol: \w*7grouper/.test(reason)) {
    throw new RecipeError(
      `The native engine was built but does not load, because sources are missing from native/: ${reason.trim()}. To see which, type: git status native`,
    );
  }
  const repair =
    libtorch.origin === "installed"
      ? `rm -r ${libtorch.root} && grouper setup`
      : "python3 -m pip install --force-reinstall torch";
  throw new RecipeError(
    `The native engine was built but does not load: ${reason.trim()}. To repair libtorch, type: ${repair}`,
  );
}

interface Described {
  readonly plan: BuildPlan;
  readonly toolchain: Toolchain;
  readonly result: BuildResult;
  readonly installed: boolean;
  readonly note: string | null;
  readonly elapsedSeconds: number;
}

async function describe({ plan, toolchain, result, installed, note, elapsedSeconds }: Described): Promise<string[]> {
  const { libtorch, packageRoot, buildDir, march, numJobs } = plan;
  const origin = installed
    ? "installed now in"
    : { LIBTORCH: "$LIBTORCH,", python3: "python3's,", installed: "in" }[libtorch.origin];
  const where = libtorch.root.startsWith(packageRoot) ? relative(packageRoot, libtorch.root) : libtorch.root;
  const sizeMb = (await stat(addonPath(buildDir))).size / 1e6;
  const compiled = `${result.numCompiled} of ${result.numSources} files`;
  return [
    `libtorch  ${libtorch.version}, ${origin} ${where}, ${libtorch.cuda ? "with" : "without"} CUDA${note ? ` (${note})` : ""}`,
    `compiler  ${toolchain.version}, -march=${march}, C++11 ABI ${libtorch.cxx11Abi ? "on" : "off"}`,
    `headers   node-api-headers ${await packageVersion(packageRoot, "node-api-headers")}, node-addon-api ${await packageVersion(packageRoot, "node-addon-api")}`,
    `compiled  ${result.numCompiled === 0 ? `0 of ${result.numSources} files: all up to date` : `${compiled}, ${numJobs} at a time`}`,
    `addon     ${relative(packageRoot, addonPath(buildDir))}, ${sizeMb.toFixed(1)} MB, ${result.linked ? "linked and loaded" : "unchanged"}; took ${elapsedSeconds.toFixed(1)} s`,
  ];
}

async function packageVersion(packageRoot: string, name: string): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(join(packageDir(packageRoot, name), "package.json"), "utf8"));
  return typeof manifest === "object" && manifest !== null && "version" in manifest
    ? String(manifest.version)
    : "unknown";
}
