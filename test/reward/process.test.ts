/** The pool in a process of its own: what it prints, whether it lets the process end, what a stopped process costs, and who outlives whom. */
import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterAll, expect, it } from "vitest";
import { isAlive } from "../cli/runs.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-process-"));
afterAll(() => rmSync(folder, { recursive: true }));

const reward = join(folder, "slow.ts");
writeFileSync(
  reward,
  `import { defineReward } from "grouper/reward";
  export default defineReward({
    description: "Talks and takes its time.",
    async score({ completion }) {
      console.log("a reward speaks");
      await new Promise((done) => setTimeout(done, Number(completion)));
      return 1;
    },
  });`,
);
const script = join(folder, "run.mjs");
writeFileSync(
  script,
  `import { openRewardPool } from ${JSON.stringify(pathToFileURL(resolve("dist/src/reward/pool.js")).href)};
  const pool = await openRewardPool({ rewards: [{ file: ${JSON.stringify(reward)}, weight: 1 }], threads: 1, deadlineMs: 1000 });
  process.stderr.write("open\\n");
  const completions = [{ text: process.argv[2], numTokens: 1, finishReason: "stop" }];
  const [[{ outcomes }]] = await pool.score([{ prompt: "", prefill: "", answer: null, fields: {}, maxTokens: 1, completions }]);
  console.log(JSON.stringify(outcomes.slow));
  // Left open on purpose.`,
);

function start(waitMs: number, env: NodeJS.ProcessEnv = process.env) {
  return startProcess([script, String(waitMs)], env);
}

function startProcess(args: readonly string[], env: NodeJS.ProcessEnv = process.env) {
  const child = spawn(process.execPath, args, { env, stdio: ["ignore", "pipe", "pipe"] });
  const output = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk: Buffer) => {
    output.stdout += chunk.toString();
  });
  child.stderr.on("data", (chunk: Buffer) => {
    output.stderr += chunk.toString();
  });
  return { child, output, ended: endOf(child) };
}

async function endOf(child: ChildProcess): Promise<number | null> {
  const deadline = AbortSignal.timeout(30_000);
  return new Promise((done, fail) => {
    deadline.addEventListener("abort", () => {
      child.kill("SIGKILL");
      fail(new Error("The process did not end within 30 s."));
    });
    child.on("close", done);
  });
}

it("what a reward prints goes to stderr, and an open pool does not keep the process alive", async () => {
  const { output, ended } = start(1);
  expect(await ended).toBe(0);
  expect(output.stdout).toBe('{"status":"scored","score":1}\n');
  expect(output.stderr).toContain("a reward speaks");
});

it("TypeScript loads where no cache can be written", async () => {
  const { output, ended } = start(1, { ...process.env, HOME: "/dev/null", XDG_CACHE_HOME: "/dev/null" });
  expect(await ended).toBe(0);
  expect(output.stdout).toBe('{"status":"scored","score":1}\n');
});

it.skipIf(process.platform === "win32")("time in which the process is stopped counts for no deadline", async () => {
  const { child, output, ended } = start(500);
  while (!output.stderr.includes("a reward speaks")) await sleep(10);
  child.kill("SIGSTOP");
  await sleep(2500);
  child.kill("SIGCONT");
  expect(await ended).toBe(0);
  expect(output.stdout).toBe('{"status":"scored","score":1}\n');
});

it("outlives workers that are ended at any moment of their loading", async () => {
  const killer = join(folder, "killer.mjs");
  writeFileSync(
    killer,
    `import { RewardPool } from ${JSON.stringify(pathToFileURL(resolve("dist/src/reward/pool.js")).href)};
    let numEnded = 0;
    for (let round = 0; round < 30; round++) {
      const request = { label: "slow", source: { file: ${JSON.stringify(reward)} }, params: {} };
      const pool = new RewardPool({ rewards: [], threads: 3 }, [request]);
      const starting = pool.start().catch((error) => { if (error.message === "The reward pool was closed.") numEnded++; });
      await new Promise((done) => setTimeout(done, 10 * round));
      await pool.close();
      await starting;
    }
    console.log(numEnded);`,
  );
  const { output, ended } = startProcess([killer]);
  expect(await ended, output.stderr).toBe(0);
  expect(Number(output.stdout)).toBeGreaterThan(10);
});

it.skipIf(process.platform === "win32")(
  "a worker that hangs, and what it started, end with a pool that was killed",
  async () => {
    const hanging = join(folder, "hanging.ts");
    writeFileSync(
      hanging,
      `import { spawn } from "node:child_process";
      import { writeSync } from "node:fs";
      export default {
        description: "Starts a process that lasts, and hangs.",
        score() {
          const child = spawn("sleep", ["1000"]);
          writeSync(1, process.pid + " " + child.pid + "\\n");
          for (;;);
        },
      };`,
    );
    const hang = join(folder, "hang.mjs");
    writeFileSync(hang, readFileSync(script, "utf8").replaceAll("slow", "hanging").replace("1000", "60000"));
    const { child, output, ended } = startProcess([hang, "x"]);
    const pids = await until(() => /^(\d+) (\d+)$/m.exec(output.stderr)?.slice(1).map(Number));
    expect(pids.map(isAlive)).toEqual([true, true]);
    child.kill("SIGKILL");
    await ended;
    await until(() => !pids.some(isAlive) || undefined);
  },
);

/** Throws when nothing came within 20 s. */
async function until<T>(read: () => T | undefined): Promise<T> {
  for (const deadline = Date.now() + 20_000; Date.now() < deadline; await sleep(20)) {
    const value = read();
    if (value !== undefined) return value;
  }
  throw new Error("Nothing came within 20 s.");
}
