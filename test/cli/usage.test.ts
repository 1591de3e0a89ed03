/** The command line without an engine: what it says, where, and with which exit code. */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import { describeFailure } from "../../src/cli/failure.ts";
import { RecipeError } from "../../src/errors.ts";
import { grouper, root, temporaryFolder, tinyRecipe, writeRecipe } from "./grouper.ts";

const work = temporaryFolder();
afterAll(() => rmSync(work, { recursive: true, force: true }));
const recipe = writeRecipe(work, tinyRecipe());

describe("a wrong command line: exit code 2, and what was meant", () => {
  const cases: [string, string[], RegExp][] = [
    ["no command", [], /^Expected a command, such as .*\.\nTry: grouper --help\n$/],
    ["a mistyped command", ["trian"], /There is no command trian\. Did you mean train\?/],
    ["a word that is no command", ["frobnicate"], /There are: train, eval, compare, [a-z, ]*tasks, reward\./],
    [
      "a mistyped option",
      ["train", "x.yaml", "--reusme", "y"],
      /There is no option --reusme of grouper train\. Did you mean --resume\?/,
    ],
    [
      "another command's option",
      ["tasks", "--resume", "x"],
      /There is no option --resume of grouper tasks\. There are: --json\./,
    ],
    ["one argument too many", ["train", "a.yaml", "b.yaml"], /Expected nothing after .* got "b\.yaml"/],
    ["an option without its value", ["train", "x.yaml", "--set"], /Expected a value after --set\./],
    [
      "an option given twice",
      ["train", "x.yaml", "--name", "a", "--name", "b"],
      /Expected --name once, got it 2 times\./,
    ],
    [
      "a mistyped command of reward",
      ["reward", "tset", "accuracy"],
      /There is no command reward tset\. Did you mean test\?/,
    ],
    [
      "a mistyped option of a command of reward",
      ["reward", "fuzz", "accuracy", "--data", "x", "--strickt"],
      /There is no option --strickt of grouper reward fuzz\. Did you mean --strict\?/,
    ],
    ["a reward to compare with", ["reward", "diff", "accuracy"], /Expected two rewards: grouper reward diff OLD NEW/],
    [
      "no run",
      ["reward", "replay"],
      /Expected a run: grouper reward replay RUN\.\nTry: grouper reward replay --help\n$/,
    ],
    ["rewards without data", ["reward", "test", "accuracy"], /Expected --data with a file of completions\./],
    ["no recipe", ["train"], /Expected a recipe, e\.g\. grouper train recipes\/quickstart\.yaml, or --resume RUN\./],
    ["no model to serve", ["serve"], /Expected a model folder: grouper serve FOLDER\./],
    [
      "zero samples",
      ["eval", "x.yaml", "--samples", "0"],
      /Expected a whole number from 1 up for --samples, got "0"\./,
    ],
    ["a port that does not exist", ["serve", "x", "--port", "70000"], /from 0 to 65535 for --port, got "70000"\./],
    [
      "a device that does not exist",
      ["serve", "x", "--device", "gpu"],
      /Expected auto, cpu, cuda or cuda:N for --device, got "gpu"\./,
    ],
    ["a run name that is a path", ["train", recipe, "--name", "../x"], /Expected --name of letters.*outputDir/],
    [
      "--resume with a change",
      ["train", "--resume", work, "--set", "seed=1"],
      /Expected --resume RUN alone: a run goes on with the recipe that it began with/,
    ],
  ];
  it.each(cases)("%s", async (_, args, message) => {
    const { code, stdout, stderr } = await grouper(args);
    expect(stderr).toMatch(message);
    expect(stdout).toBe("");
    expect(code).toBe(2);
  });
});

describe("a wrong recipe: exit code 1, and where", () => {
  it("a recipe that is not there", async () => {
    const { code, stdout, stderr } = await grouper(["train", join(work, "absent.yaml")]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(stderr).toMatch(/^Expected a recipe at .*absent\.yaml, but there is none\.\n$/);
  });

  it("a folder, and a file of another kind, of which not every line is told", async () => {
    expect((await grouper(["check", work])).stderr).toBe(`Expected a recipe at ${work}, but it is a folder.\n`);
    const path = join(work, "rows.jsonl");
    writeFileSync(path, '{"a": 1}\n'.repeat(20));
    const { code, stderr } = await grouper(["check", path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^rows\.jsonl is not valid YAML:\n(.*\n){4} {2}and \d+ more: is it a recipe\?\n$/);
  });

  it("wrong keys are all named at once, with line, column and the nearest key", async () => {
    const path = join(work, "wrong.yaml");
    writeFileSync(
      path,
      "model: { paht: m }\nstage:\n  type: sft\n  data: { type: task, task: arithmetic, size: 3 }\n  batchsize: 2\n  optimizer: { learningRate: 1 }\n  steps: 1\n",
    );
    const { code, stderr } = await grouper(["check", path]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/wrong\.yaml:1:10 model\.paht: .*did you mean path\?/i);
    expect(stderr).toMatch(/wrong\.yaml:5:3 .*batchsize: .*did you mean batchSize\?/i);
  });

  it("a wrong --set is named by its number", async () => {
    const { code, stderr } = await grouper(["check", recipe, "--set", "seed=1", "--set", "stages.rl.steps=many"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/--set #2.*steps: expected .*"?many"?/);
  });

  it("with --json the error is a JSON line too", async () => {
    const { code, stdout, stderr } = await grouper(["check", join(work, "absent.yaml"), "--json"]);
    expect([code, stdout]).toEqual([1, ""]);
    expect(JSON.parse(stderr)).toMatchObject({
      event: "error",
      exitCode: 1,
      text: expect.stringContaining("absent.yaml"),
    });
  });
});

describe("check", () => {
  it("prints the resolved recipe and its plan to stdout and nothing to stderr", async () => {
    const { code, stdout, stderr } = await grouper(["check", recipe, "--set", "stages.rl.steps=5"]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^name: tiny$/m);
    expect(stdout).toMatch(
      /^# rl: 5 steps of grpo: 4 prompts x 4 completions = 16 per step, trained in 2 optimizer steps of 8 completions/m,
    );
    expect(stdout).toMatch(/^# sft: 200 rows; the first prompt is "\d\d\+\d\d="$/m);
  });

  it("--json prints one object", async () => {
    const { code, stdout } = await grouper(["check", recipe, "--json"]);
    const { recipe: resolved, plan, warnings, samples } = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(resolved.stages[1].optimizer).toMatchObject({ learningRate: 1e-3, schedule: "constant" });
    expect(plan.stages[1].numbers.optimizerSteps).toBe(16);
    expect(warnings).toEqual([]);
    expect(samples[0].rows).toBe(200);
  });

  it("notes a model and a dataset that are not on this machine", async () => {
    const [, rl] = tinyRecipe().stages;
    const stages = [{ ...rl, eval: undefined, data: { type: "hub", dataset: "openai/gsm8k", config: "main" } }];
    const path = writeRecipe(work, { model: { path: "absent-model" }, stages }, "hub.yaml");
    const { code, stdout } = await grouper(["check", path]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /warning: Not checked here: model, tokenizer and prompts, because .*absent-model is not on this machine/,
    );
    expect(stdout).toMatch(/warning: Not checked here: rows of rl, which the run downloads/);
  });

  it("notes a limit that the model's context cannot hold", async () => {
    const { code, stdout } = await grouper(["check", recipe, "--set", "stages.rl.rollout.sampling.maxTokens=60"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/warning: rl: a prompt of 6 tokens and maxTokens 60 are more than the 64 positions/);
  });

  it.each([
    [
      "an unknown task",
      "stages.rl.data.task=arithmetics",
      /^Expected a task, one of arithmetic, countdown, .*got "arithmetics"/,
    ],
    [
      "an unknown reward",
      "stages.rl.rewards.functions.1.name=formatt",
      /Expected the name of a shipped reward, got "formatt"\. Did you mean format\? There are: accuracy/,
    ],
    [
      "wrong params of a reward",
      "stages.rl.rewards.functions.0={name: accuracy, params: {method: guess}}",
      /Reward "accuracy": params\.method: .*got "guess"/,
    ],
    [
      "a response of a missing column",
      "stages.sft.response='{reasoning}'",
      /Expected column "reasoning" of the response "\{reasoning\}" in every row/,
    ],
    [
      "a window on a missing column",
      "stages.rl.rollout.prompts={window: {column: pass_rate, min: 0.1, ends: open}}",
      /Expected a number in column "pass_rate" of every prompt, as rollout\.prompts\.window says, got none in prompt/,
    ],
  ])("%s is an error", async (_, override, message) => {
    const { code, stdout, stderr } = await grouper(["check", recipe, "--set", override]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([1, ""]);
  });

  it("notes a later context that the model cannot hold", async () => {
    const contexts = "stages.rl.rollout.contextSchedule=[{maxTokens: 60, afterStep: 2}]";
    const { code, stdout } = await grouper(["check", recipe, "--set", contexts]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/warning: rl: a prompt of 6 tokens and maxTokens 60 are more than the 64 positions/);
    expect(stdout).toMatch(/completions have at most 12 tokens, then 60 after step 2\./);
  });

  it("malformed data rows are named by file and line", async () => {
    writeFileSync(join(work, "rows.jsonl"), '{"question":"1+1=","answer":"2"}\n{"question":"2+2="\n');
    const [, rl] = tinyRecipe().stages;
    const stages = [{ ...rl, eval: undefined, data: { type: "file", path: "rows.jsonl" } }];
    const { code, stderr } = await grouper([
      "check",
      writeRecipe(work, tinyRecipe({ stages: stages as never }), "rows.yaml"),
    ]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/rows\.jsonl:2/);
  });
});

describe("tasks", () => {
  it("lists every task with parameters and samples, as text and as JSON", async () => {
    const text = await grouper(["tasks"]);
    expect(text.code).toBe(0);
    for (const name of ["arithmetic", "countdown", "knights-knaves"])
      expect(text.stdout).toMatch(new RegExp(`^${name}: `, "m"));
    expect(text.stdout).toMatch(/^ {2}digits = 2 {2}\w/m);
    const listed = JSON.parse((await grouper(["tasks", "--json"])).stdout);
    expect(listed.length).toBeGreaterThanOrEqual(3);
    for (const { samples } of listed) expect(samples.length).toBe(3);
  });
});

describe("reward test", () => {
  const completions = join(work, "completions.jsonl");
  writeFileSync(
    completions,
    [
      '{"prompt":"1+1=","answer":"2","completion":"<think>x</think><answer>2</answer>"}',
      '{"prompt":"1+2=","answer":"3","completion":"<think>x</think><answer>4</answer>"}',
      "",
    ].join("\n"),
  );
  const mine = join(work, "shout.ts");
  writeFileSync(
    mine,
    'import { defineReward, z } from "grouper/reward";\nexport default defineReward({\n  description: "Counts exclamation marks.",\n  params: z.object({ each: z.number().default(1) }),\n  score: ({ completion }: { completion: string }, { each }: { each: number }): number => each * completion.split("4").length,\n});\n',
  );

  it("runs a shipped reward", async () => {
    const { code, stdout, stderr } = await grouper(["reward", "test", "accuracy", "--data", completions]);
    expect([code, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^2 completions; mean total 0\.5000; 0 excluded$/m);
    expect(stdout).toMatch(/^accuracy: 2 scored, 0 abstained, 0 failed$/m);
  });

  it("runs a user's TypeScript file with parameters, and prints JSON", async () => {
    const { code, stdout } = await grouper([
      "reward",
      "test",
      `${mine}:{each: 10}`,
      "accuracy",
      "--data",
      completions,
      "--json",
    ]);
    const { rewards } = JSON.parse(stdout);
    expect(code).toBe(0);
    expect(rewards.map(({ name, mean }: { name: string; mean: number }) => [name, mean])).toEqual([
      ["shout", 15],
      ["accuracy", 0.5],
    ]);
  });

  it.each([
    ["a reward that does not exist", ["acuracy"], 1, /got "acuracy"/],
    ["a file that does not exist", ["./absent.ts"], 1, /Expected a reward file at .*absent\.ts/],
    ["params that the schema refuses", ["accuracy:{method: guess}"], 1, /params\.method/],
    ["params that are no mapping", ["accuracy:{oops"], 2, /Expected parameters like accuracy:\{method: numeric\}/],
  ])("%s", async (_, rewards, exitCode, message) => {
    const { code, stdout, stderr } = await grouper(["reward", "test", ...rewards, "--data", completions]);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([exitCode, ""]);
  });

  it("data that is not there, and a malformed row, are named", async () => {
    const absent = await grouper(["reward", "test", "accuracy", "--data", join(work, "absent.jsonl")]);
    expect(absent.code).toBe(1);
    expect(absent.stderr).toMatch(/absent\.jsonl/);
    writeFileSync(join(work, "bad.jsonl"), '{"completion":"x"}\n{"completion":7}\n');
    const bad = await grouper(["reward", "test", "format", "--data", join(work, "bad.jsonl")]);
    expect(bad.code).toBe(1);
    expect(bad.stderr).toMatch(/bad\.jsonl:2: expected "completion" to be text, got 7/);
  });

  it("--strict exits with 1 where junk is as good as a right answer, after it has said so", async () => {
    const strict = (...rewards: string[]) => grouper(["reward", "test", ...rewards, "--data", completions, "--strict"]);
    const holds = await strict("accuracy", "format");
    expect([holds.code, holds.stderr]).toEqual([0, ""]);
    expect(holds.stdout).toMatch(/^golds \(tags\): 2 of 2 score the most that was seen, 2\.000; 0 less/m);
    expect(holds.stdout).toMatch(/^junk: 11 of 11 kinds score less than their golds throughout$/m);
    const pays = await strict("format");
    expect([pays.code, pays.stderr]).toEqual([1, ""]);
    expect(pays.stdout).toMatch(/^ {2}a wrong answer in the same shape: 2 of 2 score as much as their gold$/m);
    const given = await strict("accuracy:{from: boxed}", "--gold", "<answer>{answer}</answer>");
    expect(given.code).toBe(1);
    expect(given.stdout).toMatch(/^golds \(given\): /m);
  });

  it("bench, fuzz and diff print what they found, as text and as JSON", async () => {
    const bench = await grouper(["reward", "bench", "accuracy", "--data", completions, "--repeats", "2"]);
    expect([bench.code, bench.stderr]).toEqual([0, ""]);
    expect(bench.stdout).toMatch(/^2 completions, 2 passes, 2 threads: \d+ completions\/s$/m);
    expect(bench.stdout).toMatch(/^ {2}accuracy +4( +\d+\.\d{3}){5}$/m);
    const fuzz = await grouper(["reward", "fuzz", "accuracy", "--data", completions, "--strict"]);
    expect([fuzz.code, fuzz.stderr]).toEqual([0, ""]);
    expect(fuzz.stdout).toMatch(/^ {2}answer stripped +falls +1 +1\.000 +0 /m);
    // Loses a point for every 4, and nothing for a missing answer.
    const loose = await grouper(["reward", "fuzz", `${mine}:{each: -1}`, "--data", completions, "--strict"]);
    expect(loose.code).toBe(1);
    expect(loose.stdout).toMatch(/^answer stripped: the score should fall, but in 1 of 1 it does not$/m);
    const diff = await grouper(["reward", "diff", "accuracy", "accuracy:{right: 3}", "--data", completions, "--json"]);
    expect([diff.code, JSON.parse(diff.stdout)]).toMatchObject([0, { numSame: 1, numRose: 1, numFell: 0 }]);
  });

  it.each([
    [["reward", "bench", "accuracy", "--data", completions, "--repeats", "0"], /whole number from 1 up for --repeats/],
    [["reward", "diff", "accuracy", "--data", completions], /^Expected/],
    [["reward", "replay", work, "--step", "x"], /Expected a step or a range for --step, such as 3 or 3-7, got "x"/],
    [["reward", "fizz"], /There is no command reward fizz\. Did you mean fuzz\?/],
    [["reward"], /Expected a command after reward: list, test, bench, fuzz, diff or replay/],
  ])("%j is a usage error", async (args, message) => {
    const { code, stdout, stderr } = await grouper(args);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
  });

  it("replay refuses a folder that is no run", async () => {
    const { code, stderr } = await grouper(["reward", "replay", work]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^Expected a run folder at /);
  });
});

describe("help and version", () => {
  it("go to stdout with exit code 0", async () => {
    const help = await grouper(["--help"]);
    expect([help.code, help.stderr]).toEqual([0, ""]);
    for (const verb of ["train", "eval", "serve", "setup", "check", "reward", "tasks"])
      expect(help.stdout).toContain(`grouper ${verb}`);
    const version = await grouper(["--version"]);
    expect([version.code, version.stdout]).toEqual([0, "0.1.0\n"]);
  });
});

describe("failures", () => {
  it("a file is named as it is written", () => {
    const text = "tiny.yaml:7:3 steps: expected a number.";
    expect(describeFailure(new RecipeError(text))).toEqual({ exitCode: 1, text });
  });

  it("a bug of ours is exit code 70 with its stack", () => {
    const { exitCode, text } = describeFailure(new TypeError("x is not a function"));
    expect(exitCode).toBe(70);
    expect(text).toMatch(/^This is a bug in Grouper: TypeError: x is not a function\n {4}at /);
  });

  it.each([
    [
      { code: "ENOSPC", syscall: "write", path: "/runs/a" },
      "Could not write /runs/a: the disk is full. Free some space.",
    ],
    [
      { code: "EADDRINUSE", syscall: "listen", address: "127.0.0.1", port: 80 },
      "Could not listen 127.0.0.1:80: another program listens there. Choose another port, e.g. --port 0 for a free one.",
    ],
  ])("what the system refuses is exit code 1 and a sentence: %o", (fields, text) => {
    expect(describeFailure(Object.assign(new Error("no"), fields))).toEqual({ exitCode: 1, text });
  });

  it("a folder where a file is expected is said so, not as a bug", async () => {
    mkdirSync(join(work, "folder.yaml"), { recursive: true });
    const { code, stderr } = await grouper(["check", join(work, "folder.yaml")]);
    expect(code).toBe(1);
    expect(stderr).toContain("folder.yaml");
  });
});

it("set-up that has been done takes less than a second and says five lines", { timeout: 600_000 }, async () => {
  // In a checkout whose engine is older than its sources, this call compiles it.
  await grouper(["setup"], { cwd: root, timeoutMs: 500_000 });
  const start = performance.now();
  await grouper(["--version"], { cwd: root });
  const versionSeconds = (performance.now() - start) / 1000;
  const { code, stdout } = await grouper(["setup"], { cwd: root });
  expect(code).toBe(0);
  expect(stdout.trimEnd().split("\n").length).toBe(5);
  expect(stdout).toMatch(/compiled +0 of \d+ files/);
  // Half a second on an idle machine, and no more than a few starts of Node on a busy one.
  expect(Number(/took ([\d.]+) s/.exec(stdout)![1])).toBeLessThan(Math.max(1, 3 * versionSeconds));
});
