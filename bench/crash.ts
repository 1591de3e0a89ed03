/**
 * kill -9 at random moments, resume, compare: does a run that was killed end with the weights and metrics of one that was not?
 *
 *   npx jiti bench/crash.ts [--kills 20] [--recipe recipes/quickstart.yaml] [--seed 1]
 *
 * One uninterrupted run of the recipe gives the reference. Then, for every kill, a fresh run is killed (the whole process, its
 * engine with it) at a moment drawn uniformly from the reference's duration, resumed to its end, and compared: SHA-256 of the
 * final weights, and every line of metrics.jsonl without its `time/…` fields.
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";

const { values } = parseArgs({
  options: {
    kills: { type: "string", default: "20" },
    recipe: { type: "string", default: "recipes/quickstart.yaml" },
    seed: { type: "string", default: "1" },
    set: { type: "string", multiple: true, default: [] },
  },
});
const root = resolve(import.meta.dirname, "..");
const work = await mkdtemp(join(tmpdir(), "grouper-crash-"));
const overrides = [`outputDir=${work}`, `seed=${values.seed}`, ...values.set].flatMap((set) => ["--set", set]);

/** Runs the CLI to its end, or kills it after `killAfterMs`; returns whether it was killed. */
async function run(args: readonly string[], killAfterMs: number | null): Promise<boolean> {
  const child = spawn(process.execPath, [join(root, "bin/grouper.js"), ...args], { stdio: ["ignore", "pipe", "pipe"] });
  let output = "";
  child.stdout.on("data", (chunk) => (output += chunk));
  child.stderr.on("data", (chunk) => (output += chunk));
  const ended = new Promise<number | null>((done) => child.on("exit", (code) => done(code)));
  if (killAfterMs !== null) {
    const first = await Promise.race([ended.then(() => "ended"), sleep(killAfterMs, "late")]);
    if (first === "late") {
      child.kill("SIGKILL");
      await ended;
      return true;
    }
  }
  const code = await ended;
  if (code !== 0) throw new Error(`grouper ${args.join(" ")} exited with ${code}:\n${output.slice(-2000)}`);
  return false;
}

interface Ending {
  readonly weights: readonly (string | null)[];
  readonly metrics: readonly string[];
}

async function endingOf(dir: string): Promise<Ending> {
  const progress = JSON.parse(await readFile(join(dir, "progress.json"), "utf8"));
  if (progress.complete !== true) throw new Error(`${dir} is not complete`);
  const lines = (await readFile(join(dir, "metrics.jsonl"), "utf8")).trimEnd().split("\n");
  return {
    weights: progress.finished.map((stage: { weightsHash: string | null }) => stage.weightsHash),
    metrics: lines.map((line) => {
      const fields = Object.entries(JSON.parse(line)).filter(([name]) => !name.startsWith("time/"));
      return JSON.stringify(Object.fromEntries(fields));
    }),
  };
}

/** The first difference in words; null when there is none. */
function difference(a: Ending, b: Ending): string | null {
  if (JSON.stringify(a.weights) !== JSON.stringify(b.weights)) return "the final weights differ";
  if (a.metrics.length !== b.metrics.length)
    return `${b.metrics.length} lines of metrics instead of ${a.metrics.length}`;
  const line = a.metrics.findIndex((metric, i) => metric !== b.metrics[i]);
  return line === -1 ? null : `line ${line + 1} of metrics.jsonl differs:\n  ${a.metrics[line]}\n  ${b.metrics[line]}`;
}

/** Uniform in [0, 1), from a 32-bit linear congruential generator: the moments can be repeated by seed. */
let random = Number(values.seed);
function nextRandom(): number {
  random = (Math.imul(random, 1_664_525) + 1_013_904_223) >>> 0;
  return random / 2 ** 32;
}

const numKills = Number(values.kills);
const startMs = performance.now();
await run(["train", values.recipe, "--name", "reference", ...overrides], null);
const durationMs = performance.now() - startMs;
const reference = await endingOf(join(work, "reference"));
console.log(`uninterrupted: ${(durationMs / 1000).toFixed(1)} s, ${reference.metrics.length} lines of metrics`);

let numExact = 0;
let numKilled = 0;
for (let i = 0; i < numKills; i++) {
  const name = `killed-${i}`;
  const moment = nextRandom() * durationMs;
  const killed = await run(["train", values.recipe, "--name", name, ...overrides], moment);
  if (killed) {
    numKilled++;
    const begun = await readFile(join(work, name, "recipe.json"), "utf8").catch(() => null);
    if (begun === null) await run(["train", values.recipe, "--name", name, ...overrides], null);
    else await run(["train", "--resume", join(work, name)], null);
  }
  const fault = difference(reference, await endingOf(join(work, name)));
  if (fault === null) numExact++;
  console.log(`kill ${i + 1} at ${(moment / 1000).toFixed(2)} s: ${killed ? "" : "(had ended) "}${fault ?? "exact"}`);
  await rm(join(work, name), { recursive: true, force: true });
}
await rm(work, { recursive: true, force: true });
console.log(`${numExact} of ${numKills} exact, ${numKilled} of them killed before their end`);
process.exitCode = numExact === numKills ? 0 : 1;
