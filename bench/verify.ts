/**
 * How fast does `verify` judge answers of real models, beside Math-Verify on the same rows?
 *
 *   npm run build && node --import jiti/register bench/verify.ts [--peer PYTHON] [--data ../shared/data/graded] [--rounds 3]
 *
 * Rows of graded data per CPU-second (user and system), each side in one process of its own. First a single pass over the rows. Then each
 * side passes over them for two CPU-seconds unmeasured, as in a training that has run for a while, and the two take turns in rounds of
 * at least one CPU-second: the medians, and the median of the rounds' ratios. Both keep whatever their caches keep. Percentiles are CPU
 * times of single rows in one more pass of ours. The last column counts the rows on which both agree.
 *
 * --peer names a Python that can import math_verify (pip install math-verify): parse and verify at default settings, the gold answer in a
 * box, import and start left out. Without it the table says what was recorded for Math-Verify, and nothing is compared.
 * What hostile strings cost is measured by bench/verify-fuzz.ts.
 */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { parseArgs } from "node:util";
import { z } from "zod";
import { verify } from "../src/verify/verify.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data/graded" },
    peer: { type: "string" },
    rounds: { type: "string", default: "3" },
    mode: { type: "string", default: "lenient" },
  },
});
const mode = values.mode === "strict" ? "strict" : "lenient";
const numRounds = Number(values.rounds);

const rowSchema = z.object({ dataset: z.string(), gold: z.string(), pred: z.string() });
type Row = z.output<typeof rowSchema>;

/** Rows of one file, and what Math-Verify 0.8 judged per CPU-second of data of this kind when it was measured elsewhere. */
interface RowSet {
  readonly name: string;
  readonly file: string;
  readonly dataset: RegExp;
  readonly recorded: string;
}
const SETS: readonly RowSet[] = [
  { name: "MATH, Qwen2-Math", file: "qwen_math_cot", dataset: /./, recorded: "820" },
  { name: "MATH, MathCoder", file: "mathcoder", dataset: /^math/, recorded: "97 to 820" },
  { name: "MATH-500, Rho-1", file: "rho", dataset: /^math/, recorded: "97 to 820" },
  { name: "GSM8K, GPT-3", file: "openai_gsm8k", dataset: /./, recorded: "892" },
  { name: "GSM8K, Rho-1", file: "rho", dataset: /^gsm8k/, recorded: "800 to 892" },
  { name: "GSM8K, ToRA", file: "tora_gsm8k", dataset: /./, recorded: "800 to 892" },
  { name: "DeepMind, MathCoder", file: "mathcoder", dataset: /^deepmind/, recorded: "none" },
  { name: "TheoremQA, mixed", file: "theoremqa", dataset: /./, recorded: "31" },
];

/** Passes over the rows: the last one's verdicts. */
interface Passes {
  readonly perSecond: number;
  readonly verdicts: readonly boolean[];
}

const WARM_SECONDS = 2;
const ROUND_SECONDS = 1;

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function ownPasses(rows: readonly Row[], minSeconds: number): Passes {
  let verdicts: boolean[] = [];
  let numPasses = 0;
  const start = cpuSeconds();
  while (numPasses === 0 || cpuSeconds() - start < minSeconds) {
    verdicts = rows.map(({ gold, pred }) => verify(gold, pred, { mode }).equal);
    numPasses++;
  }
  return { perSecond: (numPasses * rows.length) / (cpuSeconds() - start), verdicts };
}

/** CPU milliseconds of each row, ascending. */
function rowTimes(rows: readonly Row[]): number[] {
  const times = rows.map(({ gold, pred }) => {
    const start = cpuSeconds();
    verify(gold, pred, { mode });
    return 1000 * (cpuSeconds() - start);
  });
  return times.sort((a, b) => a - b);
}

const helloSchema = z.object({ version: z.string(), python: z.string() });
const passesSchema = z.object({ perSecond: z.number(), verdicts: z.array(z.boolean()) });

/** The other process; null, said aloud, where there is no Python with Math-Verify. */
async function openPeer(python: string | undefined) {
  if (python === undefined) {
    console.log("No --peer: Math-Verify is absent, and its columns are what was recorded elsewhere.");
    return null;
  }
  const child = spawn(python, [join(import.meta.dirname, "verify_peer.py")], { stdio: ["pipe", "pipe", "inherit"] });
  child.on("error", () => undefined);
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const hello = await lines.next();
  if (hello.done === true) {
    console.log(
      `${python} cannot import math_verify: Math-Verify is absent, and its columns are what was recorded elsewhere.`,
    );
    return null;
  }
  const { version, python: pythonVersion } = helloSchema.parse(JSON.parse(hello.value));
  console.log(`Math-Verify ${version}, Python ${pythonVersion}`);
  return {
    async passes(path: string, { dataset }: RowSet, minSeconds: number): Promise<Passes> {
      child.stdin.write(`${JSON.stringify({ path, dataset: dataset.source, minSeconds })}\n`);
      const reply = await lines.next();
      if (reply.done === true) throw new Error(`${python} ended before it had judged the rows of ${path}.`);
      return passesSchema.parse(JSON.parse(reply.value));
    },
    close: () => child.stdin.end(),
  };
}

function median(numbers: readonly number[]): number {
  const sorted = [...numbers].sort((a, b) => a - b);
  return (sorted[(sorted.length - 1) >> 1]! + sorted[sorted.length >> 1]!) / 2;
}

console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${mode}, ${numRounds} rounds`);
const peer = await openPeer(values.peer);
console.log("| rows | n | first pass | warm | p50 ms | p99 ms | max ms | Math-Verify first | warm | ratio | agree |");
console.log("|---|---|---|---|---|---|---|---|---|---|---|");
for (const set of SETS) {
  const path = resolve(values.data, `${set.file}.jsonl`);
  if (!existsSync(path)) {
    console.log(`${path} is absent: ${set.name} is skipped.`);
    continue;
  }
  const rows = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => rowSchema.parse(JSON.parse(line)))
    .filter((row) => set.dataset.test(row.dataset));
  const first = ownPasses(rows, 0);
  const peerFirst = await peer?.passes(path, set, 0);
  ownPasses(rows, WARM_SECONDS);
  await peer?.passes(path, set, WARM_SECONDS);
  const own: number[] = [];
  const theirs: number[] = [];
  for (let round = 0; round < numRounds; round++) {
    own.push(ownPasses(rows, ROUND_SECONDS).perSecond);
    if (peer !== null) theirs.push((await peer.passes(path, set, ROUND_SECONDS)).perSecond);
  }
  const times = rowTimes(rows);
  const percentiles = [0.5, 0.99, 1].map((share) => times[Math.ceil(share * times.length) - 1]!.toFixed(2));
  const columns = [set.name, rows.length, first.perSecond.toFixed(0), median(own).toFixed(0), ...percentiles];
  if (peerFirst === undefined) columns.push("", `${set.recorded} (recorded)`, "", "");
  else {
    const ratio = median(own.map((perSecond, round) => perSecond / theirs[round]!));
    const numAgreed = first.verdicts.filter((verdict, row) => verdict === peerFirst.verdicts[row]).length;
    columns.push(peerFirst.perSecond.toFixed(0), median(theirs).toFixed(0), ratio.toFixed(1), numAgreed);
  }
  console.log(`| ${columns.join(" | ")} |`);
}
peer?.close();
