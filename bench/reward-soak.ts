/**
 * Do rewards hold for ten thousand steps?
 *
 *   npm run build && npx jiti bench/reward-soak.ts [--steps 10000]
 *
 * 64 completions a step through accuracy (math), format and a reward of our own that, on a schedule, throws, returns NaN, hangs or ends its
 * worker. Every outcome is checked: what was meant to fail failed and nothing else did. Memory of the process at every tenth of the way.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openRewardPool } from "../src/reward/pool.ts";
import type { CompletionGroup } from "../src/reward/units.ts";

const { values } = parseArgs({ options: { steps: { type: "string", default: "10000" } } });
const numSteps = Number(values.steps);
const [NUM_GROUPS, GROUP_SIZE] = [8, 8];
/** Of a step's completions, in turn: the first of them fails in this way. */
const FAULTS = ["throw", "none", "nan", "none", "none"] as const;

/** Hangs and exits cost a worker each, and come every 50th and every 100th step. */
function faultOf(step: number): string {
  if (step % 100 === 99) return "exit";
  if (step % 50 === 49) return "hang";
  return FAULTS[step % FAULTS.length]!;
}

function groupsOf(step: number): CompletionGroup[] {
  return Array.from({ length: NUM_GROUPS }, (_, group) => ({
    prompt: `What is ${step} + ${group}?`,
    prefill: "<think>",
    answer: String(step + group),
    fields: { fault: faultOf(step) },
    maxTokens: 512,
    completions: Array.from({ length: GROUP_SIZE }, (_, index) => ({
      text: `${"We add. ".repeat(50 + ((step * 7 + index) % 50))}</think> <answer>\\boxed{${step + group + (index % 2)}}</answer>`,
      numTokens: 300,
      finishReason: group === 0 && index === 0 ? "length" : "stop",
    })),
  }));
}

const folder = mkdtempSync(join(tmpdir(), "grouper-bench-"));
try {
  const file = join(folder, "faulty.mjs");
  writeFileSync(
    file,
    `export default { description: "Fails on a schedule.", score({ fields, finishReason }) {
      if (finishReason !== "length") return 1;
      if (fields.fault === "throw") throw new Error("no");
      if (fields.fault === "nan") return NaN;
      if (fields.fault === "exit") process.exit(1);
      if (fields.fault === "hang") for (;;);
      return 1;
    } };`,
  );
  const rewards = [
    { name: "accuracy", weight: 1, params: { method: "math" } },
    { name: "format", weight: 1 },
    { file, weight: 1 },
  ];
  await using pool = await openRewardPool({ rewards, threads: 2, deadlineMs: 500 });
  console.log(
    `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${numSteps} steps of 64 completions, 3 rewards`,
  );
  const start = performance.now();
  let [numOutcomes, numFailed, numWrong] = [0, 0, 0];
  for (let step = 0; step < numSteps; step++) {
    const mustFail = faultOf(step) !== "none";
    const scored = await pool.score(groupsOf(step));
    for (const [group, completions] of scored.entries()) {
      for (const [index, { outcomes }] of completions.entries()) {
        numOutcomes += 3;
        const { accuracy, format, faulty } = outcomes;
        const isFaulty = mustFail && group === 0 && index === 0;
        if (faulty?.status === "failed") numFailed++;
        const isAsMeant =
          accuracy?.status === "scored" &&
          accuracy.score === 1 - (index % 2) &&
          format?.status === "scored" &&
          (isFaulty ? faulty?.status === "failed" : faulty?.status === "scored" && faulty.score === 1);
        if (!isAsMeant) numWrong++;
      }
    }
    if ((step + 1) % Math.ceil(numSteps / 10) === 0) {
      const rssMb = Math.round(process.memoryUsage().rss / 2 ** 20);
      const { replacedWorkers } = pool.stats;
      const seconds = ((performance.now() - start) / 1000).toFixed(0);
      console.log(
        `step ${step + 1}, ${seconds} s: ${numOutcomes} outcomes, ${numFailed} failed, ${numWrong} completions not as meant, ${replacedWorkers} workers replaced, ${rssMb} MB`,
      );
    }
  }
  if (numWrong > 0) throw new Error(`${numWrong} completions had other outcomes than was meant.`);
} finally {
  rmSync(folder, { recursive: true });
}
