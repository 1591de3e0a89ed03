/** The engine on a GPU: the same contract as on the CPU, and the same numbers as far as bfloat16 carries. */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { packageRoot } from "../../src/paths.ts";
import { readStamp } from "../../src/setup/stamp.ts";
import { testEngineContract } from "../engine/contract.ts";
import { adam, likelihoodLoss, openTiny, raggedExamples, requestOf } from "../engine/fixtures.ts";

const stamp = await readStamp(join(packageRoot, "build"));
const missing = whatIsMissing();
if (missing) console.warn(`Skipped: all GPU tests, because ${missing}.`);

function whatIsMissing(): string | null {
  if (stamp === null) return "grouper setup has not been run";
  if (!stamp.libtorch.cuda) return "libtorch has no CUDA";
  return spawnSync("nvidia-smi", ["-L"]).status === 0 ? null : "there is no GPU";
}

const sequences = raggedExamples.map((example) => example.sequence);
const numTrained = sequences.reduce((sum, { lossMask }) => sum + lossMask.reduce((a, b) => a + b, 0), 0);
const loss = likelihoodLoss(numTrained);

describe.skipIf(missing !== null)(missing ? `on a GPU (${missing})` : "on a GPU", () => {
  testEngineContract("cuda");

  it("computes in bfloat16 and names its device", async () => {
    await using engine = await openTiny({ device: "cuda" });
    expect(engine.info.dtype).toBe("bfloat16");
    expect(engine.info.device).toMatch(/^cuda:0/);
    console.info(engine.info.notes.join("\n"));
  });

  it("agrees with the CPU's float32: log-probabilities to 0.03 nats on average", async () => {
    await using cpu = await openTiny({ device: "cpu" });
    // The two devices draw different random weights from one seed, so the weights go through a folder.
    const modelDir = join(packageRoot, "build", "gpu-test-weights");
    await cpu.saveWeights(modelDir);
    await using cuda = await openTiny({ device: "cuda", modelDir });
    expect(await cuda.weightsHash()).toBe(await cpu.weightsHash());
    const [exact, rounded] = [await cpu.forward(sequences), await cuda.forward(sequences)];
    let total = 0;
    exact.forEach(({ logprobs }, s) => {
      logprobs.forEach((value, t) => {
        total += Math.abs(value - rounded[s]!.logprobs[t]!);
      });
    });
    // bfloat16 keeps 8 bits: logits of size 4 are rounded to 0.016.
    expect(total / numTrained).toBeLessThan(0.03);
  });

  it("learns", async () => {
    await using engine = await openTiny({ device: "cuda" });
    const step = async () => {
      const losses = await engine.forwardBackward(raggedExamples, loss);
      await engine.optimStep(adam);
      return losses.reduce((sum, { loss: share }) => sum + share, 0);
    };
    const first = await step();
    let last = first;
    for (let i = 0; i < 20; i++) last = await step();
    expect(last).toBeLessThan(first / 2);
  });

  it("splits a batch into micro-batches without changing the gradient beyond bfloat16", async () => {
    const gradientOf = async (maxTokensPerMicroBatch: number) => {
      await using engine = await openTiny({ device: "cuda", maxTokensPerMicroBatch });
      await engine.forwardBackward(raggedExamples, loss);
      return (await engine.gradient("model.layers.1.mlp.down_proj.weight"))!;
    };
    const [parts, whole] = [await gradientOf(31), await gradientOf(100_000)];
    let [dot, partsSquared, wholeSquared] = [0, 0, 0];
    whole.forEach((value, i) => {
      dot += value * parts[i]!;
      partsSquared += parts[i]! ** 2;
      wholeSquared += value ** 2;
    });
    expect(dot / Math.sqrt(partsSquared * wholeSquared)).toBeGreaterThan(0.999);
  });

  it("samples what a forward pass confirms", async () => {
    await using engine = await openTiny({ device: "cuda" });
    const [result] = await engine.sample([requestOf({}, { maxTokens: 60 })]);
    const tokenIds = Int32Array.of(3, 4, 5, ...result!.tokenIds);
    const lossMask = Uint8Array.from(tokenIds, (_, t) => (t >= 3 ? 1 : 0));
    const [outputs] = await engine.forward([
      { tokenIds, lossMask, samplingLogprobs: new Float32Array(tokenIds.length) },
    ]);
    let total = 0;
    result!.logprobs.forEach((logprob, t) => {
      total += Math.abs(logprob - outputs!.logprobs[t + 3]!);
    });
    expect(result!.tokenIds).toHaveLength(60);
    expect(total / 60).toBeLessThan(0.05);
  });
});
