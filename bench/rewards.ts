/**
 * What does a reward cost in the pool, against the same calls made in place?
 *
 *   npm run build && npx jiti bench/rewards.ts [--completions 4096] [--repeats 5]
 *
 * Accuracy (numeric) and format on groups of 8 completions of 4 kB and 40 kB, in the same process, in turn: direct calls, then pools of one and
 * two threads. Best of the repeats. `host` is the time in which the calling thread was busy: packing, cloning, collecting.
 * Then one completion of 512 hangs: the time it adds is its deadline, plus one worker. Then one of many that only wait (so that cores do not
 * matter) hangs (asleep or busy), throws, exits, or fills its heap or 4 GB beside it: what becomes of the throughput of the others.
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import accuracy from "../rewards/accuracy.ts";
import format from "../rewards/format.ts";
import { openRewardPool } from "../src/reward/pool.ts";
import type { RewardInput } from "../src/reward/reward.ts";
import type { CompletionGroup } from "../src/reward/units.ts";

const { values } = parseArgs({
  options: { completions: { type: "string", default: "4096" }, repeats: { type: "string", default: "5" } },
});
const numCompletions = Number(values.completions);
const numRepeats = Number(values.repeats);
const GROUP_SIZE = 8;
const specs = [
  { name: "accuracy", weight: 1, params: { method: "numeric" } },
  { name: "format", weight: 1 },
];

/** Half of the answers are right; all texts differ, so that nothing is shared. */
function groupsOf(numChars: number): CompletionGroup[] {
  return Array.from({ length: Math.ceil(numCompletions / GROUP_SIZE) }, (_, group) => ({
    prompt: `Problem ${group}: what is ${group} + 1? <think>`,
    prefill: "<think>",
    answer: String(group + 1),
    fields: { index: group },
    maxTokens: 4096,
    completions: Array.from({ length: GROUP_SIZE }, (_, index) => ({
      text: `${`We add ${index} and see. `.repeat(numChars / 20).slice(0, numChars)}</think> <answer>${group + (index % 2)}</answer>`,
      numTokens: Math.round(numChars / 4),
      finishReason: "stop" as const,
    })),
  }));
}

async function scoreInPlace(groups: readonly CompletionGroup[]): Promise<number> {
  const accuracyParams = accuracy.params!.parse(specs[0]!.params);
  const formatParams = format.params!.parse({});
  let total = 0;
  for (const { completions, ...group } of groups) {
    for (const { text, ...completion } of completions) {
      const input: RewardInput = { ...group, ...completion, completion: text, response: group.prefill + text };
      total += Number(await accuracy.score(input, accuracyParams)) + Number(await format.score(input, formatParams));
    }
  }
  return total;
}

interface Timing {
  readonly wallMs: number;
  readonly hostMs: number;
}

async function best(run: () => Promise<unknown>): Promise<Timing> {
  let result: Timing = { wallMs: Number.POSITIVE_INFINITY, hostMs: 0 };
  for (let repeat = 0; repeat < numRepeats; repeat++) {
    const before = performance.eventLoopUtilization();
    const start = performance.now();
    await run();
    const wallMs = performance.now() - start;
    const { active } = performance.eventLoopUtilization(performance.eventLoopUtilization(), before);
    if (wallMs < result.wallMs) result = { wallMs, hostMs: Math.min(active, wallMs) };
  }
  return result;
}

function print(name: string, { wallMs, hostMs }: Timing): void {
  const perSample = (ms: number) => ((1000 * ms) / numCompletions).toFixed(2).padStart(8);
  const perSecond = Math.round((1000 * numCompletions) / wallMs).toLocaleString("en-US");
  console.log(
    `${name.padEnd(28)}${perSecond.padStart(10)} completions/s ${perSample(wallMs)} us wall ${perSample(hostMs)} us host`,
  );
}

console.log(
  `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${numCompletions} completions, 2 rewards, best of ${numRepeats}`,
);
for (const numChars of [4_000, 40_000]) {
  const groups = groupsOf(numChars);
  const expected = await scoreInPlace(groups);
  print(`${numChars / 1000} kB in place`, await best(() => scoreInPlace(groups)));
  for (const threads of [1, 2]) {
    await using pool = await openRewardPool({ rewards: specs, threads });
    const scored = (await pool.score(groups)).flat();
    const total = scored.reduce(
      (sum, { outcomes }) =>
        sum + Object.values(outcomes).reduce((own, o) => own + (o.status === "scored" ? o.score : Number.NaN), 0),
      0,
    );
    if (total !== expected) throw new Error(`The pool says ${total}, calls in place say ${expected}.`);
    print(
      `${numChars / 1000} kB pool, ${threads} thread${threads > 1 ? "s" : ""}`,
      await best(() => pool.score(groups)),
    );
  }
}

const folder = mkdtempSync(join(tmpdir(), "grouper-bench-"));
try {
  const file = join(folder, "hangs.mjs");
  writeFileSync(
    file,
    `export default { description: "Hangs on 37.", score({ completion }) { if (completion === "37") for (;;); return 1; } };`,
  );
  await using pool = await openRewardPool({ rewards: [{ file, weight: 1 }], threads: 2, deadlineMs: 250 });
  const completions = Array.from({ length: 512 }, (_, index) => ({
    text: String(index),
    numTokens: 1,
    finishReason: "stop" as const,
  }));
  const group: CompletionGroup = { prompt: "", prefill: "", answer: null, fields: {}, maxTokens: 1, completions };
  const start = performance.now();
  const [scored] = await pool.score([group]);
  const elapsedMs = performance.now() - start;
  const numFailed = scored!.filter(({ outcomes }) => outcomes["hangs"]!.status === "failed").length;
  console.log(
    `1 of 512 hangs, deadline 250 ms: ${elapsedMs.toFixed(0)} ms, ${numFailed} failed, ${pool.stats.killedWorkers} worker killed`,
  );
  await benchPoison();
} finally {
  rmSync(folder, { recursive: true });
}

/** 4 threads and 2,000 calls of 8 ms: about 4 s, four times the deadline. */
async function benchPoison(): Promise<void> {
  const file = join(folder, "poison.mjs");
  writeFileSync(
    file,
    `const wait = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
    const kept = [];
    export default { description: "Poisonous.", score({ completion }) {
      if (completion === "hang") wait(1e9);
      if (completion === "spin") for (;;);
      if (completion === "throw") throw new Error("no");
      if (completion === "exit") process.exit(1);
      if (completion === "memory") for (;;) kept.push(new Array(1e6).fill(kept.length));
      if (completion === "buffers") for (let i = 0; i < 16; i++) kept.push(new Uint8Array(2 ** 28).fill(1));
      wait(8);
      return 1;
    } };`,
  );
  const times = new Map<string, number>();
  for (const poison of ["clean", "hang", "spin", "throw", "exit", "memory", "buffers"]) {
    await using pool = await openRewardPool({ rewards: [{ file, weight: 1 }], threads: 4, deadlineMs: 1000 });
    const texts = Array.from({ length: 2000 }, (_, index) => (index === 100 ? poison : String(index)));
    const completions = texts.map((text) => ({ text, numTokens: 1, finishReason: "stop" as const }));
    const start = performance.now();
    await pool.score([{ prompt: "", prefill: "", answer: null, fields: {}, maxTokens: 1, completions }]);
    times.set(poison, performance.now() - start);
    const share = (100 * times.get("clean")!) / times.get(poison)!;
    console.log(
      `${poison.padEnd(8)} among 2,000 calls of 8 ms, 4 threads: ${times.get(poison)!.toFixed(0)} ms, throughput ${share.toFixed(1)} % of the clean one's`,
    );
  }
}
