/**
 * Does the quickstart learn, on every seed, and only when the answers are right?
 *
 *   npx jiti bench/learning.ts [--seeds 5] [--recipe recipes/quickstart.yaml]
 *
 * Runs the recipe with seeds 1 … n, and once with gold answers shuffled among the training problems. Prints held-out accuracy
 * before and after reinforcement learning, the format reward of the last step and the wall time; exits 1 when a seed does not
 * at least triple its accuracy and end above 80 % with a format reward above 98 %, or when the shuffled run rises.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: { seeds: { type: "string", default: "5" }, recipe: { type: "string", default: "recipes/quickstart.yaml" } },
});
const root = resolve(import.meta.dirname, "..");
const work = mkdtempSync(join(tmpdir(), "grouper-learning-"));

interface Outcome {
  readonly before: number;
  readonly after: number;
  readonly format: number;
  readonly seconds: number;
}

function runRecipe(name: string, overrides: readonly string[]): Outcome {
  const sets = [`outputDir=${work}`, ...overrides].flatMap((set) => ["--set", set]);
  const startMs = performance.now();
  const run = spawnSync(
    process.execPath,
    [join(root, "bin/grouper.js"), "train", values.recipe, "--name", name, ...sets],
    {
      encoding: "utf8",
    },
  );
  const seconds = (performance.now() - startMs) / 1000;
  if (run.status !== 0) throw new Error(`${name} exited with ${run.status}:\n${run.stderr.slice(-2000)}`);
  const lines = readFileSync(join(work, name, "metrics.jsonl"), "utf8")
    .trimEnd()
    .split("\n")
    .map((line): Record<string, number> => JSON.parse(line));
  const evals = lines.filter((line) => line["eval/pass@1"] !== undefined);
  const steps = lines.filter((line) => line["rewards/format/mean"] !== undefined);
  const [first, last] = [evals[0], evals.at(-1)];
  if (first === undefined || last === undefined) throw new Error(`${name} wrote no evaluation`);
  return {
    before: first["eval/pass@1"]!,
    after: last["eval/pass@1"]!,
    format: last["eval/rewards/format/mean"] ?? steps.at(-1)!["rewards/format/mean"]!,
    seconds,
  };
}

function print(name: string, { before, after, format, seconds }: Outcome, verdict: boolean): void {
  const percent = (share: number) => `${(100 * share).toFixed(1).padStart(5)} %`;
  console.log(
    `${name.padEnd(10)} ${percent(before)} -> ${percent(after)}  format ${percent(format)}  ${seconds.toFixed(0)} s  ${verdict ? "ok" : "FAILED"}`,
  );
}

let failed = 0;
for (let seed = 1; seed <= Number(values.seeds); seed++) {
  const outcome = runRecipe(`seed-${seed}`, [`seed=${seed}`]);
  const ok = outcome.after >= 3 * outcome.before && outcome.after > 0.8 && outcome.format > 0.98;
  if (!ok) failed++;
  print(`seed ${seed}`, outcome, ok);
}
const control = runRecipe("shuffled", ["seed=1", "stages.rl.data.params.shuffleAnswers=true"]);
const flat = control.after <= control.before + 0.05;
if (!flat) failed++;
print("shuffled", control, flat);
rmSync(work, { recursive: true, force: true });
process.exitCode = failed === 0 ? 0 : 1;
