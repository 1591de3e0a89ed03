/** What cannot work ends with exit code 1, a sentence that names it, and nothing half-written. */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Ended, grouper, temporaryFolder, tinyRecipe, writeLearnable, writeRecipe } from "./grouper.ts";
import { metricsOf } from "./runs.ts";

const work = temporaryFolder();
const runs = join(work, "runs");
const model = join(work, "model");
const [sft, rl] = tinyRecipe().stages;

beforeAll(async () => {
  const recipe = writeRecipe(
    work,
    tinyRecipe({ outputDir: work, stages: [{ ...sft!, steps: 1 } as never] }),
    "base.yaml",
  );
  const { code, stderr } = await grouper(["train", recipe, "--name", "base"]);
  expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
  cpSync(join(work, "base/checkpoints/sft-step-000001/model"), model, { recursive: true });
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

/** A failure of its own: one line, no stack, no result. */
function expectSentence({ code, stdout, stderr }: Ended, message: RegExp): void {
  const lines = stderr
    .trimEnd()
    .split("\n")
    .filter((line) => !/^(note: |stage |step |held out)/.test(line));
  expect(lines.join("\n")).toMatch(message);
  expect(lines.length).toBe(1);
  expect([code, stdout]).toEqual([1, ""]);
}

function folder(name: string, change: (dir: string) => void): string {
  const dir = join(work, name);
  cpSync(model, dir, { recursive: true });
  change(dir);
  return dir;
}

function editJson(path: string, change: (value: Record<string, unknown>) => void): void {
  const value = JSON.parse(readFileSync(path, "utf8"));
  change(value);
  writeFileSync(path, JSON.stringify(value));
}

describe("models that cannot be opened", () => {
  const cases: [string, () => string, RegExp][] = [
    ["a folder that is not there", () => join(work, "absent"), /absent/],
    [
      "a family that the engine does not know",
      () =>
        folder("gpt2", (dir) =>
          editJson(join(dir, "config.json"), (config) => Object.assign(config, { model_type: "gpt2" })),
        ),
      /config\.json.*gpt2/,
    ],
    [
      "a vocabulary smaller than its tokenizer's",
      () =>
        folder("small", (dir) =>
          editJson(join(dir, "config.json"), (config) => Object.assign(config, { vocab_size: 7 })),
        ),
      /tokens and the model's vocabulary 7|embed_tokens/,
    ],
    [
      "weights that were cut",
      () =>
        folder("cut", (dir) => {
          const path = join(dir, "model.safetensors");
          truncateSync(path, statSync(path).size - 100);
        }),
      /model\.safetensors/,
    ],
    [
      "weights that are no safetensors",
      () => folder("noise", (dir) => writeFileSync(join(dir, "model.safetensors"), "noise".repeat(99))),
      /model\.safetensors/,
    ],
    [
      "no tokenizer",
      () => folder("mute", (dir) => rmSync(join(dir, "tokenizer.json"))),
      /Expected a tokenizer in .*mute, but tokenizer\.json is missing/,
    ],
  ];
  it.each(cases)("%s", async (name, make, message) => {
    const recipe = writeRecipe(work, tinyRecipe({ model: { path: make() }, outputDir: runs }), "model.yaml");
    expectSentence(await grouper(["train", recipe, "--name", name.replaceAll(" ", "-").replaceAll("'", "")]), message);
    expect(existsSync(runs) ? readdirSync(runs) : []).toEqual([]);
  });
});

describe("rewards that fail", () => {
  const reward = join(work, "moody.ts");
  writeFileSync(
    reward,
    `import { defineReward, z } from "grouper/reward";
let numCalls = 0;
export default defineReward({
  description: "Fails in the way that it is told to, on its first calls.",
  params: z.object({ way: z.enum(["throw", "nan", "hang", "exit"]), calls: z.number() }),
  score({ completion }: { completion: string }, { way, calls }: { way: string; calls: number }): number {
    if (numCalls++ >= calls) return completion.length % 3;
    if (way === "throw") throw new Error("out of sorts");
    if (way === "hang") for (;;);
    if (way === "exit") process.exit(3);
    return Number.NaN;
  },
});
`,
  );
  const withMoody = (way: string, calls: number, more: object = {}) => {
    const functions = [{ file: "moody.ts", params: { way, calls } }];
    const stage = {
      ...rl,
      eval: undefined,
      steps: 2,
      rewards: { functions, threads: 1, deadlineSeconds: 0.3, ...more },
    };
    return writeRecipe(work, tinyRecipe({ outputDir: runs, stages: [stage as never] }), `moody-${way}-${calls}.yaml`);
  };

  it.each([
    ["throw", /out of sorts/],
    ["nan", /NaN/],
    ["hang", /"moody" was killed: it took longer than 300 ms/],
    ["exit", /"moody" ended its worker/],
  ])("always (%s): the run stops with the reason and the number", async (way, reason) => {
    const set = way === "hang" ? ["--set", "stages.rl.rollout.promptsPerStep=1"] : [];
    const ended = await grouper(["train", withMoody(way, 1e9), "--name", `always-${way}`, ...set]);
    expectSentence(ended, /Rewards failed on (\d+) of \1 completions of this step, more than the 5 % allowed\./);
    expect(ended.stderr).toMatch(reason);
    expect(existsSync(join(runs, `always-${way}`))).toBe(false);
  });

  it("once: it is counted and left out, and the run goes on", async () => {
    const { code, stderr } = await grouper(["train", withMoody("throw", 1), "--name", "once"]);
    expect([code, code === 0 ? "" : stderr]).toEqual([0, ""]);
    const steps = metricsOf(join(runs, "once"));
    expect(steps.map((step) => step["rewards/moody/failed"])).toEqual([1, 0]);
    expect(steps.map((step) => step["rewards/excluded"])).toEqual([1 / 16, 0]);
  });

  it("late: what was trained before is saved, and the mended reward goes on from there", async () => {
    const late = withMoody("throw", 0);
    // Fails from the third step on.
    const text = readFileSync(reward, "utf8");
    writeFileSync(reward, text.replace("numCalls++ >= calls", "numCalls++ < 32"));
    const ended = await grouper(["train", late, "--name", "late", "--set", "stages.rl.steps=4"]);
    expectSentence(ended, /Rewards failed on 16 of 16 completions/);
    expect(ended.stderr).toMatch(/What was saved is kept\. Go on with: grouper train --resume /);
    expect(readdirSync(join(runs, "late/checkpoints"))).toEqual(["rl-step-000002"]);
    writeFileSync(reward, text);
    expect((await grouper(["train", "--resume", join(runs, "late")])).code).toBe(0);
    expect(metricsOf(join(runs, "late")).map((line) => line["step"])).toEqual([1, 2, 3, 4]);
  });
});

describe("policy servers that cannot be used", () => {
  async function trainAgainst(url: string): Promise<Ended> {
    const server = {
      type: "vllm",
      url,
      startTimeoutSeconds: 1,
      publish: { method: "disk", dir: join(work, "published") },
    };
    const recipe = writeRecipe(
      work,
      tinyRecipe({ model: { path: model }, outputDir: runs, server: server as never, stages: [rl!] }),
      "server.yaml",
    );
    return await grouper(["train", recipe, "--name", "server"]);
  }

  async function withServer(listener: RequestListener, use: (url: string) => Promise<void>): Promise<void> {
    const server = createServer(listener);
    await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
    try {
      await use(`http://127.0.0.1:${(server.address() as AddressInfo).port}/v1`);
    } finally {
      server.closeAllConnections();
      server.close();
    }
  }

  it("nobody listens", async () => {
    expectSentence(
      await trainAgainst("http://127.0.0.1:9/v1"),
      /Expected a policy server at http:\/\/127\.0\.0\.1:9, but GET \/health did not answer 200 within 1\.0 s/,
    );
  });

  it.each([
    ["404 to everything", 404, "not found", /\/v1\/models/],
    ["500 to everything", 500, "oops", /500|did not answer 200/],
    ["nonsense", 200, "<html>hello</html>", /\/v1\/models|\/version/],
  ])("one that answers %s", async (_, status, body, message) => {
    await withServer(
      (_request, response) => void response.writeHead(status, { "content-type": "text/plain" }).end(body),
      async (url) => expectSentence(await trainAgainst(url), message),
    );
    expect(existsSync(join(runs, "server"))).toBe(false);
  });
});

describe("disks that take no more", () => {
  const mountPoint = join(work, "disk");
  const mount = () => spawnSync("mount", ["-t", "tmpfs", "-o", "size=1m", "tmpfs", mountPoint]).status === 0;
  const unmount = () => spawnSync("umount", ["-l", mountPoint]);
  mkdirSync(mountPoint, { recursive: true });
  const canMount = mount();
  if (canMount) unmount();
  else console.warn("skipped: a full disk and a read-only one, because mounting a tmpfs needs root");
  const why = canMount ? "" : " (skipped: cannot mount)";
  beforeAll(() => void (canMount && mount()));
  afterAll(() => void (canMount && unmount()));
  const remount = (options: string) =>
    expect(spawnSync("mount", ["-o", `remount,${options}`, mountPoint]).status).toBe(0);

  it.skipIf(!canMount)(
    `a full disk stops the run, keeps the last checkpoint, and the run goes on when there is room${why}`,
    async () => {
      const recipe = writeLearnable(work);
      const args = [
        "train",
        recipe,
        "--name",
        "full",
        "--set",
        `outputDir=${mountPoint}`,
        "--set",
        "stages.rl.checkpoint.keep=50",
      ];
      const full = await grouper(args);
      expectSentence(full, /Could not write|Could not .* the disk is full/);
      expect(full.stderr).toMatch(/No space left on device|ENOSPC|disk is full/i);
      remount("size=50m");
      const run = join(mountPoint, "full");
      const ended = await grouper(["train", "--resume", run]);
      expect([ended.code, ended.code === 0 ? "" : ended.stderr]).toEqual([0, ""]);
      const whole = await grouper(["train", recipe, "--name", "roomy", "--set", "stages.rl.checkpoint.keep=50"]);
      expect(whole.code).toBe(0);
      expect(metricsOf(run)).toEqual(metricsOf(join(runs, "roomy")));
    },
  );

  it.skipIf(!canMount)(`a read-only disk is refused before anything is opened${why}`, async () => {
    remount("ro");
    const recipe = writeRecipe(work, tinyRecipe({ outputDir: join(mountPoint, "new") }), "read-only.yaml");
    expectSentence(await grouper(["train", recipe]), /Expected a run folder that can be written at .*EROFS/);
    remount("rw");
  });

  it("a file where the output folder should be is refused", async () => {
    writeFileSync(join(work, "file"), "");
    const recipe = writeRecipe(work, tinyRecipe({ outputDir: join(work, "file") }), "file.yaml");
    expectSentence(
      await grouper(["train", recipe]),
      /Expected a run folder that can be written at .*Set outputDir to another place/,
    );
  });
});

describe("runs that cannot be resumed", () => {
  async function stopped(name: string): Promise<string> {
    const recipe = writeRecipe(
      work,
      tinyRecipe({
        outputDir: runs,
        stages: [
          {
            ...sft!,
            data: { type: "file", path: "rows.jsonl" },
            response: "{answer}",
            steps: 4,
            checkpoint: { everySteps: 1 },
          } as never,
        ],
      }),
      `${name}.yaml`,
    );
    writeFileSync(
      join(work, "rows.jsonl"),
      ["1", "2", "3", "4"].map((digit) => JSON.stringify({ question: `${digit}+0=`, answer: digit })).join("\n"),
    );
    const { code, signal, stderr } = await grouper(["train", recipe, "--name", name]);
    expect([code, signal, code === 0 ? "" : stderr]).toEqual([0, null, ""]);
    const run = join(runs, name);
    // As if it had been killed between its last checkpoint and the end of the stage.
    const lines = readFileSync(join(run, "metrics.jsonl"), "utf8").split("\n");
    const kept = [3, 4].map((step) => ({
      checkpoint: `checkpoints/sft-step-00000${step}`,
      metricsBytes: Buffer.byteLength(lines.slice(0, step).join("\n")) + 1,
    }));
    editJson(join(run, "progress.json"), (progress) =>
      Object.assign(progress, { finished: [], complete: false, checkpoint: kept[1]!.checkpoint, kept }),
    );
    return run;
  }

  it("no run at all", async () => {
    expectSentence(await grouper(["train", "--resume", work]), /Expected a run folder at .*recipe\.json/);
  });

  it("its data have changed", async () => {
    const run = await stopped("changed");
    writeFileSync(join(work, "rows.jsonl"), '{"question":"5+0=","answer":"5"}\n');
    expectSentence(
      await grouper(["train", "--resume", run]),
      /Expected the data that the run began with, but its rows have changed/,
    );
  });

  it("its checkpoints are damaged: the file is named", async () => {
    const run = await stopped("damaged");
    for (const step of [3, 4]) flipLastBit(join(run, `checkpoints/sft-step-00000${step}/state/weights.safetensors`));
    expectSentence(
      await grouper(["train", "--resume", run]),
      /Expected a complete checkpoint in .*sft-step-000004, but state\/weights\.safetensors does not have the content that was written.*No earlier checkpoint/,
    );
  });

  it("but one damaged checkpoint is told, and the run goes back to the one before", async () => {
    const run = await stopped("flipped");
    const before = metricsOf(run);
    flipLastBit(join(run, "checkpoints/sft-step-000004/state/weights.safetensors"));
    const { code, stderr } = await grouper(["train", "--resume", run]);
    expect(code).toBe(0);
    expect(stderr).toMatch(
      /sft-step-000004, but state\/weights\.safetensors does not .* Going back to checkpoints\/sft-step-000003\./,
    );
    expect(metricsOf(run)).toEqual(before);
  });
});

function flipLastBit(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 1]! ^= 1;
  writeFileSync(path, bytes);
}
