/** Runs as a user starts, stops, kills and resumes them. */
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom } from "../../src/random.ts";
import { type Ended, grouper, root, start, temporaryFolder, writeLearnable } from "./grouper.ts";
import { childrenOf, isAlive, metricsOf, type Trace, traceOf } from "./runs.ts";

const work = temporaryFolder();
afterAll(() => rmSync(work, { recursive: true, force: true }));
const recipe = writeLearnable(work);
const runOf = (name: string) => join(work, "runs", name);
const train = (name: string, ...more: string[]) => ["train", recipe, "--name", name, "--json", ...more];
const slow = ["--set", "stages.rl.rewards.functions.1.params.delayMs=40"];

let first: Ended;
let whole: Trace;
beforeAll(async () => {
  first = await grouper(train("whole"));
  expect(first.stderr).toContain('"event":"evaluated"');
  whole = await traceOf(runOf("whole"));
});

/** Resumes without the reward's delay, which changes nothing but the time. */
async function resumed(name: string): Promise<void> {
  const path = join(runOf(name), "recipe.json");
  writeFileSync(path, readFileSync(path, "utf8").replace(/"delayMs": \d+/, '"delayMs": 0'));
  const { code, signal, stderr } = await grouper(["train", "--resume", runOf(name), "--json"]);
  expect([code, signal, code === 0 ? "" : stderr]).toEqual([0, null, ""]);
  expect(await traceOf(runOf(name))).toEqual(whole);
}

describe("a run", () => {
  it("ends with 0, one object on stdout, and a line of JSON on stderr for every event", () => {
    expect(first.code).toBe(0);
    const result = JSON.parse(first.stdout);
    expect(result).toMatchObject({
      run: runOf("whole"),
      interrupted: false,
      model: expect.stringMatching(/rl-step-000008\/model$/),
    });
    const events = first.stderr
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line));
    const steps = events.filter(({ event }) => event === "step");
    expect(steps.map(({ stage, step }) => `${stage} ${step}`)).toEqual(
      ["sft", "rl"].flatMap((stage) => [1, 2, 3, 4, 5, 6, 7, 8].map((step) => `${stage} ${step}`)),
    );
  });

  it("learns in both stages: every hash of weights is another, and gradients are not zero", () => {
    const hashes = (whole.lineage as { weightsHash: string }[]).map(({ weightsHash }) => weightsHash);
    expect(new Set(hashes).size).toBe(2);
    const norms = whole.metrics.map((line) => line["grad_norm"]).filter((norm) => norm !== undefined);
    expect(norms.length).toBe(16);
    for (const norm of norms) expect(norm).toBeGreaterThan(0);
  });

  it("that is complete is not trained again: it says so, with 0", async () => {
    const { code, stdout, stderr } = await grouper(["train", "--resume", runOf("whole")]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/The run was complete already: nothing was trained\./);
    expect(stdout).toMatch(/^Trained model: .*rl-step-000008\/model\nAsk it: grouper serve /);
    expect(await traceOf(runOf("whole"))).toEqual(whole);
  });

  it("is never written over", async () => {
    const { code, stderr } = await grouper(["train", recipe, "--name", "whole"]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/Run folder .*whole exists already\. Resume it with --resume .*, or choose another name\./);
  });
});

describe("a stopped run", () => {
  it.each([
    ["sft", "SIGINT", 130],
    ["rl", "SIGINT", 130],
    ["rl", "SIGTERM", 143],
  ] as const)(
    "in %s by %s finishes its step, saves, and resumed ends as if never stopped",
    async (stage, signal, exitCode) => {
      const name = `stopped-${stage}-${signal.toLowerCase()}`;
      const run = start(train(name, ...slow));
      await run.until(new RegExp(`"stage":"${stage}","step":2`));
      run.child.kill(signal);
      const { code, stdout, stderr } = await run.ended;
      expect(code).toBe(exitCode);
      expect(stderr).toMatch(/finishing this step, then saving\. Once more to stop at once\./);
      expect(stderr).toMatch(/Stopped and saved\. Go on with: grouper train --resume /);
      expect(JSON.parse(stdout)).toMatchObject({ run: runOf(name), interrupted: true });
      expect(existsSync(join(runOf(name), "lock"))).toBe(false);
      expect(metricsOf(runOf(name)).length).toBeLessThan(whole.metrics.length);
      await resumed(name);
    },
  );

  it("by Ctrl-C on a terminal, which all its processes get, while its engine starts: saves all the same", async () => {
    const run = start(train("group"));
    await run.until(/"event":"stage"/);
    // Node has just begun to start in the engine's process.
    for (const end = Date.now() + 2000; childrenOf(run.child.pid!).length === 0 && Date.now() < end; ) await sleep(1);
    process.kill(-run.child.pid!, "SIGINT");
    const { code, stderr } = await run.ended;
    expect([code, stderr]).toEqual([130, expect.stringContaining("Stopped and saved.")]);
    await resumed("group");
  });

  it("a second signal stops at once and loses only the step", async () => {
    // The reward of one step takes 16 s, so that the step cannot end by itself.
    const run = start(train("twice", "--set", "stages.rl.rewards.functions.1.params.delayMs=1000"));
    await run.until(/"event":"stage","name":"rl"/);
    await sleep(1500);
    run.child.kill("SIGINT");
    await run.until(/Once more to stop at once/);
    const before = performance.now();
    run.child.kill("SIGINT");
    expect((await run.ended).code).toBe(130);
    expect(performance.now() - before).toBeLessThan(8000);
    await resumed("twice");
  });

  it("a closed terminal stops nothing", async () => {
    const run = start(train("hang-up"));
    await run.until(/"stage":"sft","step":1/);
    run.child.kill("SIGHUP");
    expect((await run.ended).code).toBe(0);
    expect(await traceOf(runOf("hang-up"))).toEqual(whole);
  });

  it("nor does a reader that goes away", async () => {
    const run = start(train("pipe"));
    await run.until(/"stage":"sft","step":1/);
    run.child.stderr!.destroy();
    run.child.stdout!.destroy();
    await new Promise((done) => run.child.on("exit", done));
    expect(run.child.exitCode).toBe(0);
    expect(await traceOf(runOf("pipe"))).toEqual(whole);
  });
});

describe("a killed run", () => {
  it("at three random moments, resumed after each, ends as if never killed, and leaves no engine behind", async () => {
    const seed = 20_260_101;
    const random = createRandom(seed);
    // Rewards that take their time keep the rl stage from ending before it is killed.
    let arguments_ = train("killed", ...slow);
    let numKilled = 0;
    for (let kill = 0; kill < 3; kill++) {
      const run = start(arguments_);
      // From the first stage on, before which there is nothing to resume: some steps later, and anywhere in the next.
      await run.until(/"event":"stage"/);
      const begun = performance.now();
      const numSteps = Math.floor(random.next() * 5);
      await run.until(new RegExp(`(?:"event":"step"[^]*){${numSteps}}`));
      await sleep((random.next() * (performance.now() - begun)) / Math.max(1, numSteps));
      const engines = childrenOf(run.child.pid!);
      run.child.kill("SIGKILL");
      const { signal } = await run.ended;
      if (signal === "SIGKILL") numKilled++;
      await expect.poll(() => engines.filter(isAlive), { timeout: 60_000 }).toEqual([]);
      arguments_ = ["train", "--resume", runOf("killed"), "--json"];
    }
    expect(numKilled, `seed ${seed}: the run ended before it was killed`).toBe(3);
    await resumed("killed");
  });
});

describe("two writers", () => {
  it("the second is refused while the first lives, and takes over when it was killed", async () => {
    const run = start(train("shared", ...slow));
    await run.until(/"stage":"rl","step":1/);
    const second = await grouper(["train", "--resume", runOf("shared")]);
    expect(second.code).toBe(1);
    expect(second.stderr).toMatch(
      new RegExp(`Another process writes to this run: .*lock is held by process ${run.child.pid} on `),
    );
    run.child.kill("SIGKILL");
    await run.ended;
    expect(existsSync(join(runOf("shared"), "lock"))).toBe(true);
    await resumed("shared");
  });
});

/** Runs the arguments on a pseudo terminal of 60 columns and prints what it received. */
const pseudoTerminal = `
import fcntl, os, pty, struct, sys, termios
pid, fd = pty.fork()
if pid == 0:
    os.execvp(sys.argv[1], sys.argv[1:])
fcntl.ioctl(fd, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 60, 0, 0))
while True:
    try:
        data = os.read(fd, 65536)
    except OSError:
        break
    if not data:
        break
    sys.stdout.buffer.write(data)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
`;
const hasPython = spawnSync("python3", ["-c", "import pty"]).status === 0;
if (!hasPython) console.warn("skipped: the live line on a pseudo terminal, because python3 is absent");

describe("on a terminal", () => {
  const columns = 60;
  function onTerminal(name: string, env: NodeJS.ProcessEnv): string {
    const args = [
      "-c",
      pseudoTerminal,
      process.execPath,
      join(root, "bin/grouper.js"),
      "train",
      recipe,
      "--name",
      name,
    ];
    const { CI: _, NO_COLOR: __, ...inherited } = process.env;
    const { status, stdout } = spawnSync("python3", args, {
      encoding: "utf8",
      env: { ...inherited, TERM: "xterm", ...env },
      timeout: 240_000,
    });
    expect(status).toBe(0);
    return stdout;
  }

  it.skipIf(!hasPython)(
    `steps are one line that is redrawn and never wraps${hasPython ? "" : " (skipped: no python3)"}`,
    () => {
      const text = onTerminal("terminal", {});
      const redrawn = text
        .split("\r\u001b[K")
        .slice(1)
        .map((part) => part.split(/\r?\n/)[0]!);
      const steps = redrawn.filter((line) => line.startsWith("step "));
      expect(steps.length).toBeGreaterThanOrEqual(14);
      for (const line of steps) expect(line.length).toBeLessThan(columns);
      expect(text).toContain("\u001b[1m");
    },
  );

  it.skipIf(!hasPython)(`NO_COLOR takes the colours away${hasPython ? "" : " (skipped: no python3)"}`, () => {
    const text = onTerminal("no-color", { NO_COLOR: "1" });
    expect(text).toContain("\r\u001b[K");
    expect(text.replaceAll("\u001b[K", "")).not.toContain("\u001b");
  });

  it("elsewhere lines are plain", async () => {
    const { code, stderr } = await grouper(["train", recipe, "--name", "plain"], { env: { FORCE_COLOR: "1" } });
    expect(code).toBe(0);
    expect(stderr).not.toContain("\u001b");
    expect(stderr).toMatch(/^step 1\/8 {2}loss \d/m);
    expect(stderr).toMatch(/^held out after step 8: /m);
  });
});
