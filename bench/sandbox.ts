/**
 * What does it cost to run a program in the sandbox, against no isolation at all and against a bubblewrap of its own for every program?
 *
 *   npm run build && node --import jiti/register bench/sandbox.ts [--programs 100] [--repeats 5]
 *
 * The programs read lines from standard input, compute a little and print; every answer is checked. One interpreter start is inside the time of
 * the sandbox's first repeat, and the best and the worst repeat are both printed. Then the same programs in one lane while the other lane runs
 * programs that mean harm: the throughput of the first lane should stay what it was.
 */
import { spawn } from "node:child_process";
import { cpus } from "node:os";
import { performance } from "node:perf_hooks";
import { parseArgs } from "node:util";
import { openSandbox, type Run, type Sandbox } from "../src/sandbox/sandbox.ts";

const { values } = parseArgs({
  options: { programs: { type: "string", default: "100" }, repeats: { type: "string", default: "5" } },
});
const numPrograms = Number(values.programs);
const numRepeats = Number(values.repeats);

interface Job {
  readonly source: string;
  readonly input: string;
  readonly output: string;
}

const python: readonly Job[] = Array.from({ length: numPrograms }, (_, n) => ({
  source: `import sys, math, collections\nnumbers = [int(line) for line in sys.stdin]\nprint(sum(numbers), max(numbers), math.gcd(*numbers) if numbers else 0)\nprint(collections.Counter(x % 3 for x in numbers)[0])`,
  input: Array.from({ length: 50 }, (_, i) => `${(i * 7 + n) * 6}\n`).join(""),
  output: expectedOf(Array.from({ length: 50 }, (_, i) => (i * 7 + n) * 6)),
}));

const javascript: readonly Job[] = python.map((job) => ({
  ...job,
  source: `const numbers = require("fs").readFileSync(0, "utf8").trim().split("\\n").map(Number);
const gcd = (a, b) => b ? gcd(b, a % b) : a;
console.log(numbers.reduce((a, b) => a + b), Math.max(...numbers), numbers.reduce(gcd));
console.log(numbers.filter((x) => x % 3 === 0).length);`,
}));

function expectedOf(numbers: readonly number[]): string {
  const gcd = (a: number, b: number): number => (b === 0 ? a : gcd(b, a % b));
  const sum = numbers.reduce((a, b) => a + b);
  return `${sum} ${Math.max(...numbers)} ${numbers.reduce(gcd)}\n${numbers.filter((x) => x % 3 === 0).length}\n`;
}

/** Seconds for all jobs, `parallel` at a time. */
async function timeJobs(jobs: readonly Job[], parallel: number, run: (job: Job) => Promise<string>): Promise<number> {
  const waiting = [...jobs];
  const start = performance.now();
  const lane = async () => {
    for (let job = waiting.shift(); job !== undefined; job = waiting.shift()) {
      const said = await run(job);
      if (said !== job.output) throw new Error(`Expected ${JSON.stringify(job.output)}, got ${JSON.stringify(said)}.`);
    }
  };
  await Promise.all(Array.from({ length: parallel }, lane));
  return (performance.now() - start) / 1000;
}

function runCommand(command: string, args: readonly string[]): (job: Job) => Promise<string> {
  return ({ source, input }) =>
    new Promise((resolve, reject) => {
      const child = spawn(command, [...args, source], { stdio: ["pipe", "pipe", "inherit"], cwd: "/" });
      let text = "";
      child.stdout.setEncoding("utf8").on("data", (piece: string) => {
        text += piece;
      });
      child.on("error", reject).on("close", () => resolve(text));
      child.stdin.end(input);
    });
}

function runIn(sandbox: Sandbox, language: Run["language"]): (job: Job) => Promise<string> {
  return async ({ source, input }) => {
    const { ended, exit, stdout } = await sandbox.run({ language, source, input });
    if (ended !== "left" || exit !== 0) throw new Error(`A program ended by ${ended}, exit code ${exit}.`);
    return stdout;
  };
}

async function report(name: string, jobs: readonly Job[], parallel: number, run: (job: Job) => Promise<string>) {
  const seconds: number[] = [];
  for (let repeat = 0; repeat < numRepeats; repeat++) seconds.push(await timeJobs(jobs, parallel, run));
  const [best, worst] = [Math.min(...seconds), Math.max(...seconds)];
  const perSecond = (jobs.length / best).toFixed(0);
  console.log(
    `${name.padEnd(44)} ${String(parallel).padStart(2)} at a time  ${best.toFixed(2)} to ${worst.toFixed(2)} s  ${perSecond.padStart(4)} programs/s`,
  );
}

const WRAP = [
  ...["--unshare-all", "--die-with-parent", "--ro-bind", "/usr", "/usr", "--symlink", "usr/lib", "/lib"],
  ...["--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp"],
];
const PYTHON = ["/usr/bin/python3", "-I", "-S", "-c"] as const;

console.log(
  `node ${process.version}, ${cpus().length} x ${cpus()[0]?.model}; ${numPrograms} programs, ${numRepeats} repeats`,
);
for (const parallel of [1, 2]) {
  await report("python3, no isolation", python, parallel, runCommand(PYTHON[0], PYTHON.slice(1)));
  await report("python3, a bubblewrap for each", python, parallel, runCommand("bwrap", [...WRAP, ...PYTHON]));
  for (const isolation of ["bubblewrap", "limits-only"] as const) {
    await using sandbox = openSandbox({ isolation, parallel });
    await report(`sandbox, python, ${isolation}`, python, parallel, runIn(sandbox, "python"));
    if (isolation === "bubblewrap") {
      await report("sandbox, javascript, bubblewrap", javascript, parallel, runIn(sandbox, "javascript"));
    }
  }
}

const HARMFUL: Readonly<Record<string, string>> = {
  nothing: "",
  "an endless loop": "while True: pass",
  "a fork bomb": "import os\nwhile True:\n  try: os.fork()\n  except OSError: pass",
  "endless allocation": "x = []\nwhile True: x.append(bytearray(1 << 20))",
  "endless output": "while True: print('x' * 65536)",
  "its own death": "import os\nos.kill(os.getpid(), 9)",
};
for (const [name, source] of Object.entries(HARMFUL)) {
  await using sandbox = openSandbox({ parallel: 2 });
  await sandbox.check();
  let isDone = false;
  let numHarmful = 0;
  const harm = async () => {
    const limits = { timeoutMs: 500, memoryBytes: 256 * 2 ** 20 };
    while (!isDone && source !== "") {
      await sandbox.run({ language: "python", source, input: "", limits });
      numHarmful++;
    }
  };
  const harming = harm();
  const seconds: number[] = [];
  for (let repeat = 0; repeat < numRepeats; repeat++) {
    seconds.push(await timeJobs(python, 1, runIn(sandbox, "python")));
  }
  isDone = true;
  await harming;
  const best = Math.min(...seconds);
  console.log(
    `one lane, beside it ${name.padEnd(20)} ${best.toFixed(2)} to ${Math.max(...seconds).toFixed(2)} s  ${(numPrograms / best).toFixed(0).padStart(4)} programs/s  (${numHarmful} harmful runs)`,
  );
}
