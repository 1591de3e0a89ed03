/**
 * How fast does `verify` judge answers of real models, and what does the worst string cost?
 *
 *   npm run build && node --import jiti/register bench/verify.ts [--data ../shared/data/graded] [--peer PYTHON]
 *
 * Rows of graded data, per CPU-second (user and system of this process): a first pass in a fresh process, then the best of three more, as
 * in a training that has run for a while. Percentiles are wall times of single rows in the last pass, so that other work on the machine
 * shows in the maximum. Then hostile strings, each alone, by CPU time, and random ones made of LaTeX fragments.
 *
 * --peer names a Python with math-verify installed (pip install math-verify): the same rows through verify(parse(gold), parse(pred)) at
 * default settings, the gold in a box, in one process of its own beside nothing else. Without it only the recorded figures are printed.
 */
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { createRandom } from "../src/random.ts";
import { verify } from "../src/verify/verify.ts";

const { values } = parseArgs({
  options: {
    data: { type: "string", default: "../shared/data/graded" },
    peer: { type: "string" },
    strings: { type: "string", default: "100000" },
    mode: { type: "string", default: "lenient" },
  },
});
const mode = values.mode === "strict" ? "strict" : "lenient";

interface Row {
  readonly dataset: string;
  readonly gold: string;
  readonly pred: string;
}

/** Name, file, which of its rows, and what Math-Verify 0.8 did per CPU-second on data of this kind when it was measured. */
const SETS: readonly (readonly [name: string, file: string, dataset: RegExp, recorded: string])[] = [
  ["MATH, Qwen2-Math", "qwen_math_cot", /./, "820"],
  ["MATH, MathCoder", "mathcoder", /^math/, "97 to 820"],
  ["MATH-500, Rho-1", "rho", /^math/, "97 to 820"],
  ["GSM8K, GPT-3", "openai_gsm8k", /./, "892"],
  ["GSM8K, Rho-1", "rho", /^gsm8k/, "800 to 892"],
  ["GSM8K, ToRA", "tora_gsm8k", /./, "800 to 892"],
  ["DeepMind, MathCoder", "mathcoder", /^deepmind/, "none"],
  ["TheoremQA, mixed", "theoremqa", /./, "31"],
];

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

function percentile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))]!;
}

/** Rows per CPU-second, and the CPU time of each row in ms, in ascending order. */
function pass(rows: readonly Row[]): { perSecond: number; sorted: number[] } {
  const times = new Float64Array(rows.length);
  const start = cpuSeconds();
  rows.forEach(({ gold, pred }, index) => {
    const before = cpuSeconds();
    verify(gold, pred, { mode });
    times[index] = 1000 * (cpuSeconds() - before);
  });
  return { perSecond: rows.length / (cpuSeconds() - start), sorted: [...times].sort((a, b) => a - b) };
}

function peerPerSecond(python: string, file: string, dataset: RegExp): string {
  const script = join(import.meta.dirname, "verify_peer.py");
  return execFileSync(python, [script, file, dataset.source], { encoding: "utf8" }).trim();
}

console.log(`node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${mode}`);
console.log(
  "| rows | n | first pass | per CPU-second | p50 ms | p99 ms | max ms | Math-Verify |\n|---|---|---|---|---|---|---|---|",
);
for (const [name, file, dataset, recorded] of SETS) {
  const path = join(values.data, `${file}.jsonl`);
  if (!existsSync(path)) {
    console.log(`${path} is absent: ${name} is skipped.`);
    continue;
  }
  const rows = readFileSync(path, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Row)
    .filter((row) => dataset.test(row.dataset));
  const first = pass(rows);
  const warm = [pass(rows), pass(rows), pass(rows)];
  const best = Math.max(...warm.map(({ perSecond }) => perSecond));
  const { sorted } = warm.at(-1)!;
  const peer = values.peer === undefined ? `${recorded} (recorded)` : peerPerSecond(values.peer, path, dataset);
  const times = [0.5, 0.99, 1].map((share) => percentile(sorted, share).toFixed(2));
  console.log(
    `| ${name} | ${rows.length} | ${first.perSecond.toFixed(0)} | ${best.toFixed(0)} | ${times.join(" | ")} | ${peer} |`,
  );
}

/** What stopped Math-Verify for its full time limit, and relatives. */
const HOSTILE: readonly (readonly [name: string, text: string])[] = [
  ["a power tower", "\\boxed{9^{9^{9^9}}}"],
  ["a factorial of a factorial", "\\boxed{100000!!}"],
  ["many factorials", "\\boxed{((((9!)!)!)!)!}"],
  ["a sum to 10^9", "\\boxed{\\sum_{i=1}^{10^9} i^i}"],
  ["a product to 10^9", "\\boxed{\\prod_{i=1}^{10^9} i}"],
  ["an integral of poles", "\\boxed{\\int_0^{1000} \\tan(x^3) dx}"],
  ["a tiny difference", "\\boxed{\\frac{1}{2004!} - \\frac{1}{2006!}}"],
  ["10^(10^10)", "\\boxed{10^{10^{10}}}"],
  ["3,000 brackets", `\\boxed{${"(".repeat(3_000)}1${")".repeat(3_000)}}`],
  ["100,000 braces", `\\boxed{${"{".repeat(100_000)}1${"}".repeat(100_000)}}`],
  ["150,000 open boxes", "\\boxed{".repeat(150_000)],
  ["50,000 boxes", "\\boxed{1} or so, ".repeat(50_000)],
  ["one box of 10,000 digits", `\\boxed{${"7".repeat(10_000)}}`],
  ["a product of 500 sums", `\\boxed{${Array.from({ length: 500 }, (_, i) => `(x+${i})`).join("")}}`],
  ["(x+y+z+w)^200", "\\boxed{(x+y+z+w)^{200}}"],
  ["nested roots", `\\boxed{${"\\sqrt{1+".repeat(200)}1${"}".repeat(200)}}`],
  ["nested fractions", `\\boxed{${"\\frac{1}{1+".repeat(200)}1${"}".repeat(200)}}`],
  ["1,000 alternatives", `\\boxed{${"\\pm 1 ".repeat(1_000)}}`],
  ["a matrix of 2,500", `\\boxed{\\begin{pmatrix}${"1&".repeat(2_500)}1\\end{pmatrix}}`],
  ["300 kB of dollars", "$a".repeat(150_000)],
  ["300 kB of digits", "7".repeat(300_000)],
  ["300 kB of numbers", "12 ".repeat(100_000)],
  ["300 kB of phrases", "the answer is ".repeat(21_000)],
  ["300 kB of blocks", "<answer>1</answer>".repeat(17_000)],
  ["10^30 choose 10^15", "\\boxed{\\binom{10^{30}}{10^{15}}}"],
  ["a gcd of towers", "\\boxed{\\gcd(2^{2^{30}}, 6^{6^6})}"],
];

let worst = { name: "", ms: 0 };
for (const [name, text] of HOSTILE) {
  for (const gold of ["5", "x^2+1", "\\frac{\\sqrt{2}}{3}", text.length < 5_000 ? text : "(1,2)"]) {
    for (const each of ["lenient", "strict"] as const) {
      const start = cpuSeconds();
      verify(gold, text, { mode: each });
      const ms = 1000 * (cpuSeconds() - start);
      if (ms > worst.ms) worst = { name, ms };
    }
  }
}
console.log(
  `${HOSTILE.length} hostile strings against 4 golds, lenient and strict: slowest ${worst.ms.toFixed(1)} ms of CPU (${worst.name})`,
);

const FRAGMENTS = (
  "\\boxed{ } { ( ) [ ] $ $$ \\[ \\] \\frac \\sqrt ^ _ ! !! = < \\le , ; & \\\\ 0 1 7 12 3.5 10^{9} x y n \\pi e i % \\% + - * / \\pm | " +
  "\\sum_{k=1}^{9} \\int_0^1 dx \\log \\sin \\binom \\cup \\in \\infty \\{ \\} and or is the\u00a0answer \\text{cm} \\begin{pmatrix} \\end{pmatrix} \n"
)
  .split(" ")
  .map((fragment) => fragment.replaceAll("\u00a0", " "));
const numStrings = Number(values.strings);
const random = createRandom(20_260_101);
let slowest = { text: "", ms: 0 };
const begun = cpuSeconds();
for (let index = 0; index < numStrings; index++) {
  const length = 1 + random.below(30);
  const draw = () => FRAGMENTS[random.below(FRAGMENTS.length)]!;
  const text = `\\boxed{${Array.from({ length }, draw).join(" ")}}`;
  const start = cpuSeconds();
  verify("\\frac{x+1}{2}", text, { mode });
  const ms = 1000 * (cpuSeconds() - start);
  if (ms > slowest.ms) slowest = { text, ms };
}
const perString = ((1e6 * (cpuSeconds() - begun)) / numStrings).toFixed(0);
console.log(
  `${numStrings} random strings (seed 20,260,101): ${perString} us of CPU each, slowest ${slowest.ms.toFixed(1)} ms: ${slowest.text}`,
);
