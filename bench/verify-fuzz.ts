/**
 * A million random texts, and texts made to hang: does any make a verifier throw, or cost more than 100 ms of CPU?
 *
 *   npm run build && node --import jiti/register bench/verify-fuzz.ts [--strings 1000000] [--seed 20260101] [--parallel 2]
 *
 * 1. Hostile strings (hostile-texts.ts) against golds of several kinds and against themselves, through every verifier: verify when
 *    lenient and strict, its explanation, every named policy, and the readers of answers and formats that other rewards use.
 * 2. Texts that grow by doubling from 1 kB to 1 MB, through the same: a pattern that backtracks shows as time that grows faster.
 * 3. Random cases by fast-check: LaTeX by a grammar, mutations of real answers and golds where ../shared/data is there, fragments,
 *    Unicode, nesting. Of five in a row two are judged leniently, two strictly, and one explained or by a policy, in turn.
 *
 * Time is the CPU time of the process around one call, compilation and collection of garbage included; a call over the limit counts as
 * slow when the fastest of three more is over it as well. Ends with 1 when a call threw or was slow, and names the text.
 */
import { fork } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { cpus } from "node:os";
import { parseArgs } from "node:util";
import fc from "fast-check";
import { z } from "zod";
import { ANSWER_PLACES, extractAnswer, soleNumber, thinkingOf } from "../src/verify/extract.ts";
import { FORMAT_STYLES, hasFormat } from "../src/verify/format.ts";
import { parseNumber } from "../src/verify/numeric.ts";
import { POLICY_NAMES } from "../src/verify/policies/policies.ts";
import { explainVerify, verify } from "../src/verify/verify.ts";
import { type Corpus, fuzzCases } from "./fuzz-cases.ts";
import { GROWING, HOSTILE } from "./hostile-texts.ts";

const LIMIT_MS = 100;
const NUM_SLOWEST = 10;

const { values } = parseArgs({
  options: {
    strings: { type: "string", default: "1000000" },
    seed: { type: "string", default: "20260101" },
    parallel: { type: "string", default: "2" },
    data: { type: "string", default: "../shared/data/graded" },
    /** Which part of the random cases this process runs; set by the process that starts the others. */
    part: { type: "string" },
  },
});
const numStrings = Number(values.strings);
const numParts = Number(values.parallel);

type Call = readonly [name: string, run: (gold: string, text: string) => unknown];

const MODES: readonly Call[] = [
  ["lenient", (gold, text) => verify(gold, text)],
  ["strict", (gold, text) => verify(gold, text, { mode: "strict" })],
];
const TURNS: readonly Call[] = [
  ["explained", (gold, text) => explainVerify(gold, text)],
  ["explained strictly", (gold, text) => explainVerify(gold, text, { mode: "strict" })],
  ...POLICY_NAMES.map((policy): Call => [policy, (gold, text) => verify(gold, text, { policy })]),
];
const READERS: readonly Call[] = [
  ...ANSWER_PLACES.map((place): Call => [`answer at ${place}`, (_, text) => extractAnswer(text, place)]),
  ...FORMAT_STYLES.map((style): Call => [`format ${style}`, (_, text) => hasFormat(text, style)]),
  ["number", (_, text) => parseNumber(text)],
  ["sole number", (_, text) => soleNumber(text)],
  ["thinking", (_, text) => thinkingOf(text)],
];

const findingSchema = z.object({
  call: z.string(),
  ms: z.number(),
  gold: z.string(),
  text: z.string(),
  error: z.string().nullable(),
});
type Finding = z.output<typeof findingSchema>;
const reportSchema = z.object({
  numCalls: z.number(),
  numCases: z.number(),
  cpuSeconds: z.number(),
  slowest: z.array(findingSchema),
  failures: z.array(findingSchema),
});
type Report = z.output<typeof reportSchema>;

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

/** Runs calls one after the other and keeps the slowest, and those that threw or were slow. */
class Watch {
  readonly report: Report = { numCalls: 0, numCases: 0, cpuSeconds: 0, slowest: [], failures: [] };

  /** CPU milliseconds of the call; `label` stands for a text that is too long to be printed. */
  run([name, run]: Call, gold: string, text: string, label?: string): number {
    const { report } = this;
    report.numCalls++;
    let error: string | null = null;
    const timed = () => {
      const start = cpuMs();
      try {
        run(gold, text);
      } catch (thrown) {
        error = thrown instanceof Error ? `${thrown.name}: ${thrown.message}` : String(thrown);
      }
      return cpuMs() - start;
    };
    let ms = timed();
    for (let again = 0; again < 3 && ms > LIMIT_MS; again++) {
      forgetGolds();
      ms = Math.min(ms, timed());
    }
    const finding = { call: name, ms, gold: gold.slice(0, 2_000), text: label ?? text.slice(0, 2_000), error };
    if ((error !== null || ms > LIMIT_MS) && report.failures.length < 100) report.failures.push(finding);
    if (report.slowest.length < NUM_SLOWEST || ms > report.slowest.at(-1)!.ms) {
      report.slowest.push(finding);
      report.slowest.sort((a, b) => b.ms - a.ms).splice(NUM_SLOWEST);
    }
    return ms;
  }
}

/** verify remembers the golds that it read last: others take their places. */
function forgetGolds(): void {
  for (let other = 0; other < 1_000; other++) verify(`${other}`, "");
}

function printed(text: string): string {
  const quoted = JSON.stringify(text);
  return quoted.length > 300 ? `${quoted.slice(0, 300)}… (${text.length} characters or more)` : quoted;
}

function printFinding({ call, ms, gold, text, error }: Finding): void {
  console.log(
    `  ${ms.toFixed(1)} ms, ${call}${error === null ? "" : `, threw ${error}`}\n    gold ${printed(gold)}\n    text ${printed(text)}`,
  );
}

function runHostile(): Report {
  const watch = new Watch();
  for (const [name, text] of HOSTILE) {
    const golds = ["5", "x^2+1", "\\frac{\\sqrt{2}}{3}", "(1,2)", "x<3", "C", text];
    for (const gold of golds) for (const call of [...MODES, ...TURNS]) watch.run(call, gold, text, name);
    for (const call of [...MODES, ...TURNS]) watch.run(call, text, "\\boxed{5}");
    for (const call of READERS) watch.run(call, "", text, name);
    watch.report.numCases++;
  }
  return watch.report;
}

/** Names of texts and calls whose time more than tripled when the text doubled, twice in a row and from 4 ms on. */
function runGrowing(): { report: Report; steep: string[] } {
  const watch = new Watch();
  const steep: string[] = [];
  for (const [name, textOf] of GROWING) {
    for (const call of [...MODES, ...TURNS, ...READERS]) {
      let before = 0;
      let numSteep = 0;
      for (let length = 1_024; length <= 1_048_576; length *= 2) {
        const measure = () => watch.run(call, "5", textOf(length), `${length} characters of ${name}`);
        let ms = measure();
        if (ms > 4) ms = Math.min(ms, measure(), measure());
        numSteep = before > 4 && ms > 3 * before ? numSteep + 1 : 0;
        if (numSteep === 2) steep.push(`${call[0]} of ${name}`);
        before = ms;
        if (ms > 10 * LIMIT_MS) break;
      }
    }
    watch.report.numCases++;
  }
  return { report: watch.report, steep };
}

function readCorpus(): Corpus {
  const names = ["rho", "mathcoder", "qwen_math_cot", "openai_gsm8k", "theoremqa"];
  const rowSchema = z.object({ gold: z.string(), pred: z.string() });
  const rows = names
    .map((name) => `${values.data}/${name}.jsonl`)
    .filter((path) => existsSync(path))
    .flatMap((path) => readFileSync(path, "utf8").trim().split("\n"))
    .map((line) => rowSchema.parse(JSON.parse(line)));
  if (rows.length > 0) return { golds: rows.map(({ gold }) => gold), predictions: rows.map(({ pred }) => pred) };
  return {
    golds: ["72", "\\frac{3}{4}", "x^2+2x+1", "(3, \\frac{\\pi}{2})", "\\text{(C)}", "[2,5)"],
    predictions: [
      "We add: $48/2 = 24$ and $48+24 = 72$.\n\nThe answer is 72.\n#### 72",
      "The roots are $x = 1 \\pm \\sqrt{2}$, so the sum is $\\boxed{2}$. I hope it is correct.",
      "<think>\nTry \\(x=3\\).\n</think>\n<answer>\\[ x \\in [2,5) \\]</answer>",
    ],
  };
}

/** The call for the case of this number. */
function inTurn(number: number): Call {
  const [place, round] = [number % 5, Math.floor(number / 5)];
  return place === 4 ? TURNS[round % TURNS.length]! : MODES[place % 2]!;
}

function runRandom(part: number): Report {
  const watch = new Watch();
  const numRuns = Math.ceil(numStrings / numParts);
  const start = cpuMs();
  fc.assert(
    fc.property(fuzzCases(readCorpus()), ({ gold, response }) => {
      watch.run(inTurn(watch.report.numCases), gold, response);
      watch.report.numCases++;
      if (watch.report.numCases % 50_000 === 0) console.error(`part ${part}: ${watch.report.numCases} of ${numRuns}`);
    }),
    { numRuns, seed: Number(values.seed) + part },
  );
  return { ...watch.report, cpuSeconds: (cpuMs() - start) / 1e3 };
}

/** The random cases in processes of their own: CPU time is counted by process. */
async function runParts(): Promise<Report[]> {
  const argumentsOf = (part: number) => [...process.argv.slice(2), "--part", String(part)];
  return Promise.all(
    Array.from({ length: numParts }, (_, part) => {
      return new Promise<Report>((resolve, reject) => {
        const child = fork(import.meta.filename, argumentsOf(part));
        let report: Report | null = null;
        child.on("message", (message) => {
          report = reportSchema.parse(message);
        });
        child.on("exit", (code) => {
          if (report === null) reject(new Error(`Part ${part} ended with ${code} and no report.`));
          else resolve(report);
        });
      });
    }),
  );
}

function conclude(title: string, reports: readonly Report[]): number {
  const total = (of: (report: Report) => number) => reports.reduce((sum, report) => sum + of(report), 0);
  const failures = reports.flatMap((report) => report.failures);
  console.log(
    `\n${title}: ${total(({ numCases }) => numCases)} texts, ${total(({ numCalls }) => numCalls)} calls, ${failures.length} failures. The slowest:`,
  );
  for (const finding of reports
    .flatMap(({ slowest }) => slowest)
    .sort((a, b) => b.ms - a.ms)
    .slice(0, NUM_SLOWEST))
    printFinding(finding);
  if (failures.length > 0) console.log("Failures:");
  for (const failure of failures) printFinding(failure);
  return failures.length;
}

if (values.part !== undefined) {
  const report = runRandom(Number(values.part));
  process.send?.(report);
} else {
  console.log(
    `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; limit ${LIMIT_MS} ms of CPU; seed ${values.seed}, ${numParts} processes`,
  );
  if (!existsSync(values.data)) console.log(`${values.data} is absent: mutations start from three made-up answers.`);
  let numFailures = conclude("Hostile strings", [runHostile()]);
  const { report, steep } = runGrowing();
  numFailures += conclude("Texts that grow to 1 MB", [report]) + steep.length;
  for (const each of steep) console.log(`  grows faster than its text: ${each}`);
  const reports = numStrings > 0 ? await runParts() : [];
  numFailures += conclude("Random cases", reports);
  const seconds = reports.reduce((sum, { cpuSeconds }) => sum + cpuSeconds, 0);
  console.log(`${seconds.toFixed(0)} s of CPU for the random cases, making them included.`);
  process.exitCode = numFailures === 0 ? 0 : 1;
}
