/** Installs torch's wheel alone, without Python dependencies, for its libraries and headers. */
import { mkdir, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { RecipeError } from "../errors.ts";
import { isSupported, newestTorchMinor, oldestTorchMinor, supportedTorch } from "./libtorch.ts";
import { commandLine, runCommand } from "./run-command.ts";

const pytorchCpuIndex = "https://download.pytorch.org/whl/cpu";
const supportedRange = `>=2.${oldestTorchMinor},<2.${newestTorchMinor + 1}`;
/** A dead index must cost seconds, not minutes. */
const network = ["--retries", "0", "--timeout", "15", "--disable-pip-version-check"];

export interface InstallOptions {
  readonly env: NodeJS.ProcessEnv;
  /** Becomes a folder that holds torch/. */
  readonly installDir: string;
}

/**
 * PyTorch's CPU index first, then pip's own sources. Each is asked for its list and the best version is installed by its exact
 * name, because a range would take a newer CUDA build, gigabytes that do not load without their dependencies.
 */
export async function installLibtorch({ env, installDir }: InstallOptions): Promise<void> {
  await demandPip(env);
  const staging = `${installDir}.tmp-${process.pid}`;
  const failures: string[] = [];
  for (const source of [["--index-url", pytorchCpuIndex], []]) {
    const offered = await listVersions(source, env);
    const wanted = offered
      ? chooseVersions(offered, source.length > 0).map((version) => `==${version}`)
      : [supportedRange];
    for (const version of wanted) {
      const args = ["-m", "pip", "install", "--no-deps", "--no-input", "--only-binary", ":all:", "--target", staging];
      args.push(...network, ...source, `torch${version}`);
      await rm(staging, { recursive: true, force: true });
      await mkdir(dirname(staging), { recursive: true });
      const result = await runCommand("python3", args, { timeoutMs: 30 * 60_000, env });
      if (result.code === 0) {
        await rm(installDir, { recursive: true, force: true });
        await rename(staging, installDir);
        return;
      }
      failures.push(`${commandLine("python3", args)}\n${lastLines(result.stderr, 3)}`);
    }
  }
  await rm(staging, { recursive: true, force: true });
  throw new RecipeError(
    [
      `Expected pip to offer a CPU build of PyTorch ${supportedTorch}, but it could not be installed. ` +
        "Connect the machine, or set LIBTORCH to a folder with libtorch's include/ and lib/, or type:",
      `  python3 -m pip install torch --index-url ${pytorchCpuIndex}`,
      ...failures,
    ].join("\n"),
  );
}

/**
 * The newest two of what to install, best first. An index of CPU builds may name them plainly; elsewhere a plain name is, on Linux for
 * x86, a CUDA build and comes last.
 */
export function chooseVersions(offered: readonly string[], cpuOnly: boolean): string[] {
  const usable = offered.filter((version) => isSupported(version) && /^\d+\.\d+\.\d+(\+cpu)?$/.test(version));
  const cpu = usable.filter((version) => version.endsWith("+cpu"));
  const plain = usable.filter((version) => !version.endsWith("+cpu"));
  const newestFirst = (versions: string[]) => versions.sort((a, b) => b.localeCompare(a, "en", { numeric: true }));
  const ranked = [...newestFirst(cpu), ...(cpuOnly && cpu.length > 0 ? [] : newestFirst(plain))];
  return ranked.slice(0, 2);
}

/** Null when this pip is too old (before 21.2) to list versions. */
async function listVersions(source: readonly string[], env: NodeJS.ProcessEnv): Promise<string[] | null> {
  const args = ["-m", "pip", "index", "versions", "torch", ...network, ...source];
  const result = await runCommand("python3", args, { timeoutMs: 120_000, env });
  if (/unknown command/i.test(result.stderr)) return null;
  const list = /^Available versions: (.*)$/m.exec(result.stdout)?.[1];
  return list ? list.split(",").map((version) => version.trim()) : [];
}

async function demandPip(env: NodeJS.ProcessEnv): Promise<void> {
  const pip = await runCommand("python3", ["-m", "pip", "--version"], { timeoutMs: 30_000, env });
  if (pip.code === 0) return;
  const [missing, packages] = pip.code === 127 ? ["python3", "python3 python3-pip"] : ["python3's pip", "python3-pip"];
  throw new RecipeError(
    `Expected ${missing} to install libtorch with, but it is missing; set LIBTORCH to a libtorch folder, or type: apt-get install -y ${packages}`,
  );
}

function lastLines(text: string, count: number): string {
  return text.trim().split("\n").slice(-count).join("\n");
}
