/**
 * The native sampler against the definition of sampling: what it draws, with which log-probability, and that neighbours do not matter.
 *
 * The next-token distribution comes from Engine.forward on the prompt with every token appended, the filters and the random numbers
 * are written here a second time, and Philox itself is held to the published answers of its authors.
 */
import { describe, expect, it } from "vitest";
import type { SampleRequest, SampleResult, SamplingParams } from "../../src/engine/engine.ts";
import type { NativeEngine } from "../../src/engine/native.ts";
import type { Sequence } from "../../src/types.ts";
import { adam, hasNativeEngine, likelihoodLoss, openTiny, raggedExamples, requestOf, tinyInit } from "./fixtures.ts";

const vocabSize = tinyInit.vocabSize;

/** 64 requests of 8 prompts whose lengths stand around the cache's block of 16 tokens; completions of 5 to 60 tokens. */
const requests: readonly SampleRequest[] = Array.from({ length: 64 }, (_, i) => {
  const prompt = Math.floor(i / 8);
  const length = [1, 7, 15, 16, 17, 31, 32, 50][prompt]!;
  const promptTokenIds = Array.from({ length }, (_, t) => (5 * t + 11 * prompt + 3) % vocabSize);
  return requestOf({ promptTokenIds, seed: 1000 + i }, { maxTokens: 5 + ((i * 23) % 56) });
});

/** A completion as the trainer would see it. */
function sequenceOf(request: SampleRequest, result: SampleResult): Sequence {
  const tokenIds = Int32Array.from([...request.promptTokenIds, ...result.tokenIds]);
  const lossMask = Uint8Array.from(tokenIds, (_, t) => (t >= request.promptTokenIds.length ? 1 : 0));
  return { tokenIds, lossMask, samplingLogprobs: new Float32Array(tokenIds.length) };
}

/** Mean absolute difference between what the sampler said and what the trainer computes. */
async function disagreement(engine: NativeEngine, asked: readonly SampleRequest[], results: readonly SampleResult[]) {
  const outputs = await engine.forward(asked.map((request, i) => sequenceOf(request, results[i]!)));
  let sum = 0;
  let count = 0;
  asked.forEach(({ promptTokenIds }, i) => {
    results[i]!.logprobs.forEach((logprob, t) => {
      sum += Math.abs(logprob - outputs[i]!.logprobs[promptTokenIds.length + t]!);
      count++;
    });
  });
  expect(count).toBeGreaterThan(500);
  return sum / count;
}

/** [V] probabilities of the token after `prompt`, at temperature 1. */
async function nextTokenDistribution(engine: NativeEngine, prompt: readonly number[]): Promise<number[]> {
  const sequences = Array.from({ length: vocabSize }, (_, token) =>
    sequenceOf(requestOf({ promptTokenIds: prompt }), {
      tokenIds: [token],
      logprobs: new Float32Array(1),
      finishReason: "length",
      policyVersion: 0,
    }),
  );
  const outputs = await engine.forward(sequences);
  return outputs.map(({ logprobs }) => Math.exp(logprobs[prompt.length]!));
}

/** Temperature, then min-p, then top-k, then top-p; renormalised. */
function filtered(probabilities: readonly number[], { temperature, minP, topK, topP }: SamplingParams): number[] {
  let mass = probabilities.map((p) => p ** (1 / temperature));
  const normalise = () => {
    const sum = mass.reduce((a, b) => a + b, 0);
    mass = mass.map((p) => p / sum);
  };
  const peak = Math.max(...mass);
  mass = mass.map((p) => (p < minP * peak ? 0 : p));
  const order = () => mass.map((_, id) => id).sort((a, b) => mass[b]! - mass[a]!);
  if (topK > 0) for (const id of order().slice(topK)) mass[id] = 0;
  normalise();
  let sum = 0;
  for (const id of order()) {
    if (sum >= topP) mass[id] = 0;
    sum += mass[id]!;
  }
  normalise();
  return mass;
}

function philox(counter: readonly number[], key: readonly number[]): number[] {
  const multiply = (a: number, b: number) => {
    const product = BigInt(a) * BigInt(b);
    return [Number(product >> 32n), Number(product & 0xffffffffn)] as const;
  };
  let [c0 = 0, c1 = 0, c2 = 0, c3 = 0] = counter;
  let [k0 = 0, k1 = 0] = key;
  for (let round = 0; round < 10; round++) {
    const [high0, low0] = multiply(0xd2511f53, c0);
    const [high1, low1] = multiply(0xcd9e8d57, c2);
    [c0, c1, c2, c3] = [(high1 ^ c1 ^ k0) >>> 0, low1, (high0 ^ c3 ^ k1) >>> 0, low0];
    [k0, k1] = [(k0 + 0x9e3779b9) >>> 0, (k1 + 0xbb67ae85) >>> 0];
  }
  return [c0, c1, c2, c3];
}

/** The sampler's uniform number for token `position` of the completion with `seed`. */
function uniformAt(seed: number, position: number): number {
  const [high = 0, low = 0] = philox([position, 0, 0, 0], [seed, 0]);
  return (high * 2 ** 21 + (low >>> 11)) / 2 ** 53;
}

describe.skipIf(!hasNativeEngine)(
  hasNativeEngine ? "native sampler" : "native sampler (grouper setup has not been run)",
  () => {
    it.each([
      { name: "alone, one after the other", options: { maxBatch: 1 } },
      { name: "joining as others leave", options: { maxBatch: 5 } },
      { name: "on two threads", options: { numThreads: 2 } },
      { name: "stepping back when the cache is full", options: { maxCacheTokens: 256 } },
    ])("gives a request the same tokens and log-probabilities, bit for bit: $name", async ({ options }) => {
      await using together = await openTiny();
      await using otherwise = await openTiny(options);
      const expected = await together.sample(requests);
      expect(new Set(expected.map(({ tokenIds }) => tokenIds.join())).size).toBeGreaterThan(60);
      expect(await otherwise.sample(requests)).toEqual(expected);
    });

    it("gives a request the same whether it comes first or while 63 others run", async () => {
      await using engine = await openTiny({ numThreads: 2 });
      const [alone] = await engine.sample([requests[30]!]);
      const others = engine.sample(
        requests
          .filter((_, i) => i !== 30)
          .map((request) => ({ ...request, params: { ...request.params, maxTokens: 70 } })),
      );
      const [late] = await engine.sample([requests[30]!]);
      expect(late).toEqual(alone);
      await others;
    });

    it.each(["qwen2", "qwen3", "llama"] as const)(
      "%s: log-probabilities of what it sampled are the trainer's to 1e-5, before and after a step",
      async (family) => {
        await using engine = await openTiny({ init: { ...tinyInit, family, tieWordEmbeddings: family !== "llama" } });
        const before = await engine.sample(requests);
        expect(await disagreement(engine, requests, before)).toBeLessThan(1e-5);
        await engine.forwardBackward(raggedExamples, likelihoodLoss(50));
        await engine.optimStep(adam);
        const after = await engine.sample(requests);
        expect(await disagreement(engine, requests, before)).toBeGreaterThan(1e-3);
        expect(await disagreement(engine, requests, after)).toBeLessThan(1e-5);
        expect(after.every(({ policyVersion }) => policyVersion === 1)).toBe(true);
      },
    );

    // Longer than the rows that go through the layers together, so that some of them end without anything to sample from.
    it("takes in a long prompt in several passes", async () => {
      await using engine = await openTiny();
      const promptTokenIds = Array.from({ length: 118 }, (_, t) => (t * t + 3 * t) % vocabSize);
      const asked = Array.from({ length: 64 }, (_, i) => requestOf({ promptTokenIds, seed: i }, { maxTokens: 10 }));
      expect(await disagreement(engine, asked, await engine.sample(asked))).toBeLessThan(1e-5);
    });

    it("samples with the adapter that is being trained", async () => {
      const targets = ["q_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"];
      await using engine = await openTiny({ lora: { rank: 4, alpha: 8, targets } });
      const before = await engine.sample(requests);
      await engine.forwardBackward(raggedExamples, likelihoodLoss(50));
      await engine.optimStep({ ...adam, learningRate: 0.05 });
      expect(await disagreement(engine, requests, before)).toBeGreaterThan(1e-3);
      expect(await disagreement(engine, requests, await engine.sample(requests))).toBeLessThan(1e-5);
    });

    // bfloat16 has 8 bits of mantissa: logits of a few units are off by 1e-2 or so, differently on the two sides.
    it("agrees with the trainer in bfloat16 to what bfloat16 can hold", async () => {
      await using engine = await openTiny({ dtype: "bfloat16" });
      const results = await engine.sample(requests);
      expect(await disagreement(engine, requests, results)).toBeLessThan(0.03);
      const greedy = requests
        .slice(0, 32)
        .map((request) => ({ ...request, params: { ...request.params, temperature: 0, maxTokens: 60 } }));
      const chosen = await engine.sample(greedy);
      expect(await disagreement(engine, greedy, chosen)).toBeLessThan(0.03);
    });

    // Known answers of the Random123 distribution, philox4x32 with 10 rounds.
    it("draws from Philox as its authors define it", () => {
      const hex = (words: readonly number[]) => words.map((word) => word.toString(16).padStart(8, "0")).join(" ");
      expect(hex(philox([0, 0, 0, 0], [0, 0]))).toBe("6627e8d5 e169c58d bc57ac4c 9b00dbd8");
      const ones = 0xffffffff;
      expect(hex(philox([ones, ones, ones, ones], [ones, ones]))).toBe("408f276d 41c83b0e a20bc7c6 6d5451fd");
    });

    it.each([
      { name: "temperature 1", change: {} },
      { name: "temperature 0.7", change: { temperature: 0.7 } },
      { name: "top-k 5", change: { topK: 5 } },
      { name: "top-p 0.8", change: { topP: 0.8 } },
      { name: "min-p 0.2", change: { minP: 0.2 } },
      { name: "everything at once", change: { temperature: 1.3, minP: 0.05, topK: 20, topP: 0.9 } },
    ])("draws the token at the seed's place of the cumulative distribution: $name", async ({ change }) => {
      await using engine = await openTiny();
      const asked = Array.from({ length: 400 }, (_, i) => requestOf({ seed: 77 + i }, { maxTokens: 1, ...change }));
      const distribution = filtered(await nextTokenDistribution(engine, asked[0]!.promptTokenIds), asked[0]!.params);
      const results = await engine.sample(asked);
      let checked = 0;
      results.forEach(({ tokenIds, logprobs }, i) => {
        const token = tokenIds[0]!;
        expect(Math.abs(logprobs[0]! - Math.log(distribution[token]!))).toBeLessThan(1e-5);
        const below = distribution.slice(0, token).reduce((a, b) => a + b, 0);
        const uniform = uniformAt(asked[i]!.seed, 0);
        // The float32 logits of the two passes differ in their last bits, so a place closer than that to an edge proves nothing.
        if (Math.min(Math.abs(uniform - below), Math.abs(uniform - below - distribution[token]!)) < 1e-5) return;
        expect(uniform).toBeGreaterThan(below);
        expect(uniform).toBeLessThan(below + distribution[token]!);
        checked++;
      });
      expect(checked).toBeGreaterThan(390);
      expect(new Set(results.map(({ tokenIds }) => tokenIds[0])).size).toBeGreaterThan(2);
    });

    it("takes the likeliest token at temperature 0 and states its probability at temperature 1", async () => {
      await using engine = await openTiny();
      const asked = requestOf({}, { temperature: 0, topK: 3, maxTokens: 1 });
      const [result] = await engine.sample([asked]);
      const distribution = await nextTokenDistribution(engine, asked.promptTokenIds);
      expect(distribution[result!.tokenIds[0]!]).toBe(Math.max(...distribution));
      expect(result!.logprobs[0]).toBeCloseTo(Math.log(Math.max(...distribution)), 5);
    });

    it("stops at a stop token, keeps it, and gives it no probability before minTokens", async () => {
      await using engine = await openTiny();
      const stopTokenIds = Array.from({ length: 20 }, (_, i) => 3 * i);
      const asked = requests.map((request) => ({
        ...request,
        params: { ...request.params, stopTokenIds, minTokens: 4, maxTokens: 30 },
      }));
      const results = await engine.sample(asked);
      const stopped = results.filter(({ finishReason }) => finishReason === "stop");
      expect(stopped.length).toBeGreaterThan(50);
      for (const { tokenIds } of stopped) {
        expect(tokenIds.length).toBeGreaterThan(4);
        expect(stopTokenIds).toContain(tokenIds.at(-1));
        expect(tokenIds.slice(0, -1).filter((token) => stopTokenIds.includes(token))).toEqual([]);
      }
      // Without the stop tokens the rest is renormalised, so the first log-probability is above the trainer's.
      const distribution = await nextTokenDistribution(engine, asked[0]!.promptTokenIds);
      const allowed = distribution.reduce((sum, p, id) => (stopTokenIds.includes(id) ? sum : sum + p), 0);
      const first = results[0]!;
      expect(first.logprobs[0]).toBeCloseTo(Math.log(distribution[first.tokenIds[0]!]! / allowed), 4);
    });

    it.each([
      {
        name: "a completion longer than the model's positions",
        request: requestOf({}, { maxTokens: 126 }),
        message: /128 positions/,
      },
      {
        name: "a completion that the whole cache cannot hold",
        request: requestOf({}, { maxTokens: 70 }),
        message: /raise maxCacheTokens/,
      },
    ])("refuses $name, and goes on", async ({ request, message }) => {
      await using engine = await openTiny({ maxCacheTokens: 64 });
      await expect(engine.sample([request])).rejects.toThrow(message);
      expect((await engine.sample([requestOf()]))[0]!.tokenIds).toHaveLength(8);
    });
  },
);
