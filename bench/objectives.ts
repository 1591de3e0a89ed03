/**
 * What the losses cost: `npm run build && npx jiti bench/objectives.ts`.
 *
 * One million trained tokens in sequences of 1,000, groups of 8, with entropies, old and reference log-probabilities, through
 * each objective with its published defaults: seconds on one core for advantages, for what depends on the whole step, and for losses,
 * gradients and metrics, the critic's included where there is one; median of five passes after one that warms up. A word behind the
 * command measures the objectives whose names have it.
 *
 * The measured code is that of dist/, loaded by Node itself: through a transpiling loader every call between modules looks its
 * function up again, and the same loops take about seven times as long.
 */
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import type { ObjectiveSpec } from "../src/objectives/create.ts";
import type { ScoredGroup, TokenOutputs } from "../src/types.ts";

const dist = new URL("../dist/src/", import.meta.url);
const { anchoredLoss, assemble, makeBatch } = (await import(
  `${dist}assemble.js`
)) as typeof import("../src/assemble.ts");
const { mergeMetrics } = (await import(`${dist}metrics.js`)) as typeof import("../src/metrics.ts");
const { createObjective, objectiveTypes } = (await import(
  `${dist}objectives/create.js`
)) as typeof import("../src/objectives/create.ts");

const numGroups = 125;
const groupSize = 8;
const numTokens = 1000;
const numPasses = 5;

const groups = Array.from({ length: numGroups }, (_, g) => groupOf(g));
const old = outputsOf(0);
const ref = outputsOf(0.3);
const current = outputsOf(0.1).flat();

console.log(`${numGroups * groupSize * numTokens} tokens, node ${process.version}, ${cpus()[0]?.model}`);
console.log("objective              advantages s   prepare s    losses s    ns/token");
const [only = ""] = process.argv.slice(2);
const measured: (readonly [string, ObjectiveSpec])[] = [
  ...objectiveTypes.map((type) => [type, { type } as ObjectiveSpec] as const),
  ["dapo, entropy terms", { type: "dapo", entropy: { coefficient: 0.001, topQuantile: 0.2 } }],
];
for (const [name, spec] of measured.filter((one) => one[0].includes(only))) {
  const objective = createObjective(spec);
  const assembling: number[] = [];
  const preparing: number[] = [];
  const losing: number[] = [];
  for (let pass = 0; pass <= numPasses; pass++) {
    const start = performance.now();
    const plain = assemble(groups, old, ref, objective);
    const assembled = performance.now();
    const examples = objective.prepare?.(plain, current, () => 0.5) ?? plain;
    const prepared = performance.now();
    const batch = makeBatch(examples, numTokens, objective.positiveReward);
    const loss = anchoredLoss(objective, batch);
    const { critic } = objective;
    const losses = examples.map((example, i) => loss(example, current[i]!));
    if (critic !== undefined) losses.push(...examples.map((example, i) => critic.loss(example, current[i]!, batch)));
    const merged = mergeMetrics(losses.map(({ metrics }) => metrics));
    const done = performance.now();
    if (!losses.every((one) => Number.isFinite(one.loss)) || !("ppo_kl" in merged)) throw new Error("no loss");
    if (pass === 0) continue;
    assembling.push((assembled - start) / 1000);
    preparing.push((prepared - assembled) / 1000);
    losing.push((done - prepared) / 1000);
  }
  const seconds = median(losing);
  const perToken = (seconds * 1e9) / (numGroups * groupSize * numTokens);
  console.log(
    `${name.padEnd(22)}${median(assembling).toFixed(3).padStart(13)}${median(preparing).toFixed(3).padStart(12)}${seconds.toFixed(3).padStart(12)}${perToken.toFixed(0).padStart(12)}`,
  );
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

function groupOf(index: number): ScoredGroup {
  const lossMask = new Uint8Array(numTokens + 1).fill(1, 1);
  const totals = Array.from({ length: groupSize }, (_, i) => Number((i + index) % 3 === 0));
  return {
    prompt: { id: `${index}`, text: "", tokenIds: [0], prefill: "", answer: null, fields: {} },
    rollouts: totals.map(() => ({
      completion: {
        tokenIds: [],
        logprobs: new Float32Array(numTokens),
        text: "",
        finishReason: "stop",
        policyVersion: 0,
      },
      sequence: {
        tokenIds: new Int32Array(numTokens + 1),
        lossMask,
        samplingLogprobs: new Float32Array(numTokens + 1).fill(-1),
      },
    })),
    rewards: totals.map((total) => ({ total, outcomes: {} })),
    greedyReward: 0,
  };
}

/** [groups][G] log-probabilities around -1 nat, each moved by up to `drift` either way. */
function outputsOf(drift: number): TokenOutputs[][] {
  return Array.from({ length: numGroups }, (_, g) =>
    Array.from({ length: groupSize }, (_, i) => ({
      logprobs: Float32Array.from(
        { length: numTokens + 1 },
        (_, t) => -1 + Math.sin(t) / 2 + drift * Math.sin(t * g + i),
      ),
      entropies: new Float32Array(numTokens + 1).fill(1),
      values: Float32Array.from({ length: numTokens + 1 }, (_, t) => 0.5 + drift * Math.cos(t * g + i)),
    })),
  );
}
