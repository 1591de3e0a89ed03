/**
 * Agreement with Hugging Face transformers on tiny random models (test/golden/make_parity.py), in float32 on the CPU.
 *
 * Tolerances: log-probabilities of about 5 nats carry float32 rounding of 5e-7 per operation, and softmax at temperature 0.7 over
 * weights drawn wide adds a few of those: 1e-5. Gradients are compared per tensor by relative L2 distance: 1e-4. Greedy choices
 * were recorded with a margin of at least 1e-3 nats, so that text must be identical.
 */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { z } from "zod";
import { type NativeEngine, openNativeEngine } from "../../src/engine/native.ts";
import { packageRoot } from "../../src/paths.ts";
import type { Example, SequenceLoss, TokenOutputs } from "../../src/types.ts";
import { greedy, hasNativeEngine, likelihoodLoss } from "./fixtures.ts";

const variants = ["qwen2_tied", "qwen2_untied", "qwen3_tied", "llama3_untied"] as const;
const numbers = z.array(z.number());
const paritySchema = z.object({
  temperature: z.number(),
  examples: z.array(
    z.object({
      tokenIds: numbers,
      lossMask: numbers,
      logprobWeights: numbers,
      entropyWeights: numbers,
      logprobs: numbers,
      entropies: numbers,
      plainLogprobs: numbers,
    }),
  ),
  gradients: z.record(z.string(), z.base64()),
  greedy: z.array(z.object({ prompt: numbers, continuation: numbers })),
  trained: z.object({
    adam: z.object({
      learningRate: z.number(),
      beta1: z.number(),
      beta2: z.number(),
      eps: z.number(),
      weightDecay: z.number(),
      maxGradNorm: z.number(),
    }),
    gradNorms: numbers,
    logprobs: z.array(numbers),
  }),
});

function goldenOf(variant: string) {
  const dir = join(packageRoot, "test", "golden", `parity_${variant}`);
  const golden = paritySchema.parse(JSON.parse(readFileSync(join(dir, "parity.json"), "utf8")));
  const examples = golden.examples.map((example): Example => {
    const zeros = () => new Float32Array(example.tokenIds.length);
    const sequence = {
      tokenIds: Int32Array.from(example.tokenIds),
      lossMask: Uint8Array.from(example.lossMask),
      samplingLogprobs: zeros(),
    };
    return { sequence, group: 0, reward: 0, advantages: zeros(), weights: zeros(), old: { logprobs: zeros() } };
  });
  return { dir, golden, examples, sequences: examples.map((example) => example.sequence) };
}

function largestDifference(got: ArrayLike<number>, expected: ArrayLike<number>): number {
  expect(got).toHaveLength(expected.length);
  return Array.from(expected, (value, i) => Math.abs(got[i]! - value)).reduce((a, b) => Math.max(a, b));
}

function relativeDistance(got: Float32Array, expected: Float32Array): number {
  expect(got).toHaveLength(expected.length);
  let distance = 0;
  let norm = 0;
  expected.forEach((value, i) => {
    distance += (got[i]! - value) ** 2;
    norm += value ** 2;
  });
  expect(norm).toBeGreaterThan(0);
  return Math.sqrt(distance / norm);
}

function floatsOf(base64: string): Float32Array {
  const bytes = Uint8Array.from(Buffer.from(base64, "base64"));
  return new Float32Array(bytes.buffer);
}

/** Adds the golden files' weighted log-likelihood and entropy to the gradient, and returns the largest error of the outputs. */
async function backThrough(engine: NativeEngine, { golden, examples }: ReturnType<typeof goldenOf>): Promise<number> {
  let worst = 0;
  const loss = ({ sequence }: Example, outputs: TokenOutputs): SequenceLoss => {
    const example = golden.examples[examples.findIndex((candidate) => candidate.sequence === sequence)]!;
    worst = Math.max(worst, largestDifference(outputs.logprobs, example.logprobs));
    worst = Math.max(worst, largestDifference(outputs.entropies!, example.entropies));
    return {
      loss: 0,
      gradient: {
        dLogprobs: Float32Array.from(example.logprobWeights),
        dEntropies: Float32Array.from(example.entropyWeights),
      },
      metrics: {},
    };
  };
  await engine.forwardBackward(examples, loss, { temperature: golden.temperature, entropies: true });
  return worst;
}

const settings = [
  { name: "as it is", options: {} },
  { name: "with activation checkpointing", options: { activationCheckpointing: true } },
  {
    name: "with a head of 7 rows at a time, in micro-batches of 70 tokens",
    options: { headChunkTokens: 7, maxTokensPerMicroBatch: 70 },
  },
] as const;

describe.skipIf(!hasNativeEngine)(
  hasNativeEngine ? "parity with transformers" : "parity with transformers (grouper setup has not been run)",
  () => {
    describe.each(variants)("%s", (variant) => {
      const parity = goldenOf(variant);
      const open = (options: object = {}) =>
        openNativeEngine({ modelDir: parity.dir, device: "cpu", numThreads: 1, ...options });

      it("gives the log-probabilities of every trained token to 1e-5", async () => {
        await using engine = await open();
        const outputs = await engine.forward(parity.sequences);
        parity.golden.examples.forEach((example, s) => {
          expect(largestDifference(outputs[s]!.logprobs, example.plainLogprobs)).toBeLessThan(1e-5);
        });
      });

      it.each(settings)("gives the gradient of every weight to 1e-4, $name", async ({ options }) => {
        await using engine = await open(options);
        expect(await backThrough(engine, parity)).toBeLessThan(1e-5);
        const names = Object.keys(parity.golden.gradients);
        expect(names.length).toBeGreaterThan(20);
        for (const name of names) {
          const gradient = await engine.gradient(name);
          expect(gradient, name).toBeDefined();
          expect(relativeDistance(gradient!, floatsOf(parity.golden.gradients[name]!)), name).toBeLessThan(1e-4);
        }
      });

      // An AdamW step is about lr * sign(gradient): where a gradient is near zero, rounding alone decides the sign's size, so the
      // weights may differ by a little of lr = 0.01 there and the log-probabilities after three steps agree to 1e-4 nats, not 1e-5.
      it("ends three clipped AdamW steps where torch.optim.AdamW ends them", async () => {
        await using engine = await open();
        const { adam, gradNorms, logprobs } = parity.golden.trained;
        const numTrained = parity.sequences.reduce((sum, { lossMask }) => sum + lossMask.filter(Boolean).length, 0);
        for (const gradNorm of gradNorms) {
          await engine.forwardBackward(parity.examples, likelihoodLoss(numTrained));
          const step = await engine.optimStep(adam);
          expect(Math.abs(step.gradNorm / gradNorm - 1)).toBeLessThan(1e-4);
          expect(gradNorm).toBeGreaterThan(adam.maxGradNorm);
        }
        const outputs = await engine.forward(parity.sequences);
        logprobs.forEach((expected, s) => {
          expect(largestDifference(outputs[s]!.logprobs, expected)).toBeLessThan(1e-4);
        });
      });

      it("continues greedily with the same tokens", async () => {
        await using engine = await open();
        const requests = parity.golden.greedy.map(({ prompt, continuation }) => ({
          promptTokenIds: prompt,
          seed: 0,
          params: { ...greedy, maxTokens: continuation.length },
        }));
        const results = await engine.sample(requests);
        expect(results.map(({ tokenIds }) => [...tokenIds])).toEqual(
          parity.golden.greedy.map(({ continuation }) => continuation),
        );
      });
    });
  },
);
