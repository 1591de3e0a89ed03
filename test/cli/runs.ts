/** What a run left behind, as far as it must not depend on interruptions. */
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { readRolloutLog } from "../../src/rollout-log.ts";

export interface Trace {
  /** Lines of metrics.jsonl without times. */
  readonly metrics: readonly Readonly<Record<string, unknown>>[];
  /** lineage.json: checkpoints, hashes of weights and of data, by stage. */
  readonly lineage: unknown;
  /** Every file of the run but its recipe, which has the time of its start. */
  readonly files: readonly string[];
  /** SHA-256 of every file of the last checkpoint: weights, moments, counters. */
  readonly checkpoint: string;
  /** Every completion of every step. */
  readonly rollouts: readonly unknown[];
}

export async function traceOf(run: string): Promise<Trace> {
  const lineage = JSON.parse(readFileSync(join(run, "lineage.json"), "utf8"));
  const logs = join(run, "rollouts", "rl");
  return {
    metrics: metricsOf(run),
    lineage,
    files: filesOf(run).filter((path) => path !== "recipe.json"),
    checkpoint: readFileSync(join(run, lineage.at(-1).checkpoint, "manifest.json"), "utf8"),
    rollouts: await Promise.all(
      readdirSync(logs)
        .sort()
        .map((name) => readRolloutLog(join(logs, name))),
    ),
  };
}

export function metricsOf(run: string): Record<string, unknown>[] {
  const text = readFileSync(join(run, "metrics.jsonl"), "utf8").trimEnd();
  return text
    .split("\n")
    .map((line) => Object.fromEntries(Object.entries(JSON.parse(line)).filter(([name]) => !name.startsWith("time/"))));
}

export function filesOf(dir: string): string[] {
  return readdirSync(dir, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(dir.length + 1))
    .sort();
}

/** Children of a process that are alive, from /proc; none where the system has no /proc. */
export function childrenOf(pid: number): number[] {
  const path = `/proc/${pid}/task/${pid}/children`;
  return existsSync(path) ? readFileSync(path, "utf8").trim().split(" ").filter(Boolean).map(Number) : [];
}

export function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    // A zombie is dead; who must bury it is not ours to test.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, "utf8"));
  } catch {
    return false;
  }
}
