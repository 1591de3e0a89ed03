import { existsSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { Engine } from "../../src/engine/engine.ts";
import { openNativeEngine } from "../../src/engine/native.ts";
import { connectPolicyServer } from "../../src/server/client.ts";
import { type EmbeddedServer, serveEngine } from "../../src/server/embedded.ts";
import type { PolicyServer } from "../../src/server/server.ts";
import { characterTokenizer } from "../../src/tokenizer/characters.ts";
import type { Completion, Sequence } from "../../src/types.ts";

const missing = ["build/grouper.node", "dist/src/engine/native-child.js"].filter((file) => !existsSync(file));
if (missing.length > 0)
  console.warn(`skipped: the native engine is not built (${missing.join(", ")}); run npm run setup`);

describe.skipIf(missing.length > 0)(
  `the native engine behind HTTP${missing.length > 0 ? " (skipped: not built)" : ""}`,
  () => {
    let engine: Engine;
    let server: EmbeddedServer;
    let client: PolicyServer;
    const tokenizer = characterTokenizer({ characters: "0123456789+-*= " });
    const prompt = { id: "p", text: "1+2=", tokenIds: tokenizer.encode("1+2="), prefill: "", answer: "3", fields: {} };
    const params = { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 24, stopTokenIds: tokenizer.eosTokenIds };

    beforeAll(async () => {
      const init = {
        ...{ family: "qwen2" as const, hiddenSize: 32, intermediateSize: 64, numHiddenLayers: 2, numAttentionHeads: 4 },
        ...{ numKeyValueHeads: 2, maxPositionEmbeddings: 64, vocabSize: tokenizer.vocabSize, initializerRange: 0.4 },
        ...{ tieWordEmbeddings: true, ropeTheta: 10_000, eosTokenIds: tokenizer.eosTokenIds },
      };
      engine = await openNativeEngine({ init, seed: 5, device: "cpu", numThreads: 1 });
      server = await serveEngine({ engine, tokenizer, modelName: "policy" });
      client = await connectPolicyServer({ url: server.url, policyVersion: 0, publish: { method: "embedded" } });
    });
    afterAll(async () => {
      await client?.[Symbol.asyncDispose]();
      await server?.close();
      await engine?.[Symbol.asyncDispose]();
    });

    it("returns log-probabilities that the engine's own forward pass confirms", async () => {
      const completions = await client.sample({ prompt, numCompletions: 16, seed: 3, params });
      const outputs = await engine.forward(completions.map((completion) => sequenceOf(prompt.tokenIds, completion)));
      let worst = 0;
      completions.forEach((completion, i) => {
        completion.logprobs.forEach((logprob, t) => {
          worst = Math.max(worst, Math.abs(logprob - outputs[i]!.logprobs[prompt.tokenIds.length + t]!));
        });
      });
      expect(completions.reduce((sum, completion) => sum + completion.tokenIds.length, 0)).toBeGreaterThan(50);
      expect(worst).toBeLessThan(1e-4);
    });

    it("samples choice i of a group as it samples seed + i alone", async () => {
      const group = await client.sample({ prompt, numCompletions: 6, seed: 40, params });
      for (let i = 0; i < 6; i++) {
        const [alone] = await client.sample({ prompt, numCompletions: 1, seed: 40 + i, params });
        expect(alone?.tokenIds).toEqual(group[i]?.tokenIds);
        expect(alone?.text).toBe(group[i]?.text);
      }
    });

    it("carries the new version after a step, and publish proves it", async () => {
      const completions = await client.sample({ prompt, numCompletions: 2, seed: 0, params });
      const examples = completions.map((completion) => {
        const sequence = sequenceOf(prompt.tokenIds, completion);
        const zeros = () => new Float32Array(sequence.tokenIds.length);
        return { sequence, group: 0, reward: 0, advantages: zeros(), weights: zeros(), old: { logprobs: zeros() } };
      });
      await engine.forwardBackward(examples, ({ sequence }) => ({
        loss: 0,
        gradient: { dLogprobs: Float32Array.from(sequence.lossMask, (mask) => -mask) },
        metrics: {},
      }));
      await engine.optimStep({
        learningRate: 0.01,
        beta1: 0.9,
        beta2: 0.999,
        eps: 1e-8,
        weightDecay: 0,
        maxGradNorm: 1,
      });
      await client.publish({ policyVersion: engine.policyVersion, dir: null, kind: "full" }, null);
      const after = await client.sample({ prompt, numCompletions: 2, seed: 0, params });
      expect(after.map((completion) => completion.policyVersion)).toEqual([1, 1]);
    });
  },
);

function sequenceOf(promptTokenIds: readonly number[], completion: Completion): Sequence {
  const tokenIds = Int32Array.from([...promptTokenIds, ...completion.tokenIds]);
  const lossMask = Uint8Array.from(tokenIds, (_, t) => (t < promptTokenIds.length ? 0 : 1));
  const samplingLogprobs = new Float32Array(tokenIds.length);
  samplingLogprobs.set(completion.logprobs, promptTokenIds.length);
  return { tokenIds, lossMask, samplingLogprobs };
}
