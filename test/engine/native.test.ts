import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readModelFolder } from "../../src/engine/model-folder.ts";
import type { NativeEngine, NativeEngineOptions } from "../../src/engine/native.ts";
import {
  adam,
  exampleOf,
  hasNativeEngine,
  likelihoodLoss,
  openTiny,
  raggedExamples,
  requestOf,
  sequenceOf,
} from "./fixtures.ts";

const numTrained = raggedExamples.reduce((sum, { sequence }) => sum + sequence.lossMask.reduce((a, b) => a + b, 0), 0);
const loss = likelihoodLoss(numTrained);
const sequences = raggedExamples.map((example) => example.sequence);

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "grouper-engine-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

async function step(engine: NativeEngine): Promise<number> {
  const losses = await engine.forwardBackward(raggedExamples, loss);
  await engine.optimStep(adam);
  return losses.reduce((sum, { loss: share }) => sum + share, 0);
}

describe.skipIf(!hasNativeEngine)(
  hasNativeEngine ? "native engine" : "native engine (grouper setup has not been run)",
  () => {
    it("learns: twenty steps on the same sequences halve their loss", async () => {
      await using engine = await openTiny();
      const first = await step(engine);
      let last = first;
      for (let i = 0; i < 20; i++) last = await step(engine);
      // Untrained, the mean is at least near ln 61 = 4.1 nats.
      expect(first).toBeGreaterThan(3);
      expect(last).toBeLessThan(first / 2);
      expect(engine.policyVersion).toBe(21);
    });

    it("gives outputs and losses in the order of the arguments, whatever the packing", async () => {
      await using narrow = await openTiny({ maxTokensPerMicroBatch: 31 });
      await using wide = await openTiny();
      const [inParts, atOnce] = [await narrow.forward(sequences), await wide.forward(sequences)];
      sequences.forEach((sequence, s) => {
        expect(inParts[s]!.logprobs).toHaveLength(sequence.tokenIds.length);
        sequence.lossMask.forEach((trained, t) => {
          if (trained) expect(inParts[s]!.logprobs[t]!).toBeLessThan(0);
          else expect(inParts[s]!.logprobs[t]).toBe(0);
          expect(Math.abs(inParts[s]!.logprobs[t]! - atOnce[s]!.logprobs[t]!)).toBeLessThan(1e-5);
        });
      });
    });

    it("computes the same gradient and takes the same step whatever the token budget", async () => {
      const run = async (maxTokensPerMicroBatch: number) => {
        await using engine = await openTiny({ maxTokensPerMicroBatch });
        await engine.forwardBackward(raggedExamples, loss);
        const name = "model.layers.1.mlp.down_proj.weight";
        const gradient = await engine.gradient(name);
        await engine.optimStep(adam);
        return { gradient: gradient!, after: await engine.forward(sequences) };
      };
      const [small, middle, large] = [await run(1), await run(40), await run(100_000)];
      const largest = large.gradient.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      expect(largest).toBeGreaterThan(1e-4);
      for (const other of [small, middle]) {
        let furthest = 0;
        other.gradient.forEach((value, i) => {
          furthest = Math.max(furthest, Math.abs(value - large.gradient[i]!));
        });
        expect(furthest).toBeLessThan(1e-6);
        // Adam's first step is lr * sign(gradient), which magnifies a rounding of a gradient near zero, hence the wider bound.
        other.after.forEach(({ logprobs }, s) => {
          logprobs.forEach((value, t) => {
            expect(Math.abs(value - large.after[s]!.logprobs[t]!)).toBeLessThan(1e-3);
          });
        });
      }
    });

    it("adds gradients: two calls make the gradient of their sum", async () => {
      const name = "model.embed_tokens.weight";
      const gradientOf = async (parts: readonly (readonly number[])[]) => {
        await using engine = await openTiny();
        for (const part of parts)
          await engine.forwardBackward(
            part.map((i) => raggedExamples[i]!),
            loss,
          );
        return (await engine.gradient(name))!;
      };
      const [whole, halves] = [
        await gradientOf([[0, 1, 2, 3, 4, 5, 6]]),
        await gradientOf([
          [4, 0, 2],
          [6, 5, 1, 3],
        ]),
      ];
      let furthest = 0;
      whole.forEach((value, i) => {
        furthest = Math.max(furthest, Math.abs(value - halves[i]!));
      });
      expect(furthest).toBeLessThan(1e-6);
      expect(whole.some((value) => Math.abs(value) > 1e-3)).toBe(true);
    });

    it("leaves a gradient of zero when a loss throws, so that the step can be tried again", async () => {
      await using engine = await openTiny({ maxTokensPerMicroBatch: 31 });
      await using untouched = await openTiny({ maxTokensPerMicroBatch: 31 });
      let calls = 0;
      const failing = engine.forwardBackward(raggedExamples, (example, outputs) => {
        calls += 1;
        if (calls === 4) throw new Error("the fourth loss fails");
        return loss(example, outputs);
      });
      await expect(failing).rejects.toThrow("the fourth loss fails");
      await step(engine);
      await step(untouched);
      expect(await engine.weightsHash()).toBe(await untouched.weightsHash());
    });

    it("skips a step whose gradient is not finite, and is as before", async () => {
      await using engine = await openTiny();
      const before = await engine.weightsHash();
      await engine.forwardBackward([exampleOf(sequenceOf(9, 1))], ({ sequence }) => ({
        loss: Number.NaN,
        gradient: { dLogprobs: new Float32Array(sequence.tokenIds.length).fill(Number.NaN) },
        metrics: {},
      }));
      const result = await engine.optimStep(adam);
      expect(result.skipped).toBe(true);
      expect(Number.isFinite(result.gradNorm)).toBe(false);
      expect(engine.policyVersion).toBe(0);
      expect(await engine.weightsHash()).toBe(before);
      await step(engine);
      expect(await engine.weightsHash()).not.toBe(before);
    });

    it("reports losses of sequences that train nothing without running them", async () => {
      await using engine = await openTiny();
      const untrained = exampleOf(sequenceOf(9, 1, 9));
      const losses = await engine.forwardBackward([untrained, raggedExamples[0]!], (example, outputs) => ({
        ...loss(example, outputs),
        metrics: { seen: { sum: 1, count: 1 } },
      }));
      expect(losses.map(({ metrics }) => metrics.seen)).toEqual([
        { sum: 1, count: 1 },
        { sum: 1, count: 1 },
      ]);
      expect(losses[0]!.loss).toBeCloseTo(0, 12);
      expect(losses[1]!.loss).toBeGreaterThan(0);
    });

    it("ignores what follows the last trained token", async () => {
      await using engine = await openTiny();
      const whole = sequenceOf(20, 5);
      const masked = { ...whole, lossMask: whole.lossMask.map((trained, t) => (t < 10 ? trained : 0)) };
      const [a, b] = await engine.forward([whole, masked]);
      for (let t = 1; t < 10; t++) expect(b!.logprobs[t]).toBeCloseTo(a!.logprobs[t]!, 5);
      expect([...b!.logprobs.subarray(10)]).toEqual(new Array(10).fill(0));
    });

    const resumable: [string, Partial<NativeEngineOptions>][] = [
      ["all weights", {}],
      ["a reference and a value head", { reference: true, valueHead: true }],
      ["an adapter", { lora: { rank: 4, alpha: 8, targets: ["q_proj", "down_proj"] } }],
    ];
    it.each(resumable)(
      "resumes bit for bit with %s: two steps, save, one step equals load, one step",
      async (_, options) => {
        await using engine = await openTiny(options);
        await step(engine);
        await step(engine);
        await engine.saveState(dir);
        const atSave = await engine.weightsHash();
        await step(engine);
        const uninterrupted = await engine.weightsHash();
        expect(uninterrupted).not.toBe(atSave);
        // Frozen weights under an adapter are no part of the state; everything else is overwritten, whatever it was.
        await using resumed = await openTiny({ ...options, seed: options.lora ? 7 : 99 });
        await resumed.loadState(dir);
        expect(resumed.policyVersion).toBe(2);
        await step(resumed);
        expect(await resumed.weightsHash()).toBe(uninterrupted);
        expect(resumed.policyVersion).toBe(3);
      },
    );

    it("saves a folder that opens as the same model", async () => {
      await using engine = await openTiny();
      await step(engine);
      await engine.saveWeights(dir);
      const folder = await readModelFolder(dir);
      expect(folder.config).toEqual(engine.modelFolder.config);
      expect(folder.eosTokenIds).toEqual([0]);
      await using reopened = await openTiny({ modelDir: dir });
      expect(await reopened.weightsHash()).toBe(await engine.weightsHash());
      const [was, is] = [await engine.forward(sequences), await reopened.forward(sequences)];
      expect(is).toEqual(was);
    });

    it("saves an adapter beside the merged weights, with PEFT's configuration", async () => {
      await using engine = await openTiny({ lora: { rank: 4, alpha: 8, targets: ["q_proj"] } });
      await step(engine);
      await engine.saveWeights(dir);
      const config: unknown = JSON.parse(await readFile(join(dir, "adapter", "adapter_config.json"), "utf8"));
      expect(config).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 8, target_modules: ["q_proj"] });
      await using merged = await openTiny({ modelDir: dir });
      const [was, is] = [await engine.forward(sequences), await merged.forward(sequences)];
      was.forEach(({ logprobs }, s) => {
        logprobs.forEach((value, t) => {
          expect(Math.abs(value - is[s]!.logprobs[t]!)).toBeLessThan(1e-4);
        });
      });
    });

    it("keeps the reference where it was until it is refreshed", async () => {
      await using engine = await openTiny({ reference: true });
      const before = await engine.forward(sequences);
      await step(engine);
      expect(await engine.forward(sequences, { weights: "reference" })).toEqual(before);
      await engine.refreshReference();
      expect(await engine.forward(sequences, { weights: "reference" })).toEqual(await engine.forward(sequences));
    });

    it("hashes weights: equal for an equal seed, different for another and after a step", async () => {
      await using a = await openTiny();
      await using b = await openTiny();
      await using c = await openTiny({ seed: 8 });
      const hash = await a.weightsHash();
      expect(hash).toMatch(/^[0-9a-f]{64}$/);
      expect(await b.weightsHash()).toBe(hash);
      expect(await c.weightsHash()).not.toBe(hash);
      await step(b);
      expect(await b.weightsHash()).not.toBe(hash);
    });

    it("samples the same completion alone, beside others, and during training", async () => {
      await using engine = await openTiny();
      const request = requestOf({ seed: 42 }, { maxTokens: 40 });
      const [alone] = await engine.sample([request]);
      const others = Array.from({ length: 12 }, (_, i) =>
        requestOf({ seed: i, promptTokenIds: [i + 1] }, { maxTokens: 20 + i }),
      );
      const [, beside] = await Promise.all([engine.sample(others), engine.sample([request])]);
      expect(beside).toEqual([alone]);
      const [during] = await Promise.all([engine.sample([request]), engine.forwardBackward(raggedExamples, loss)]);
      expect(during).toEqual([alone]);
      expect(alone!.tokenIds).toHaveLength(40);
      expect(alone!.finishReason).toBe("length");
    });

    it("samples with log-probabilities that a forward pass confirms", async () => {
      await using engine = await openTiny();
      const [result] = await engine.sample([requestOf({}, { maxTokens: 30 })]);
      const tokenIds = Int32Array.of(3, 4, 5, ...result!.tokenIds);
      const lossMask = Uint8Array.from(tokenIds, (_, t) => (t >= 3 ? 1 : 0));
      const [outputs] = await engine.forward([
        { tokenIds, lossMask, samplingLogprobs: new Float32Array(tokenIds.length) },
      ]);
      result!.logprobs.forEach((logprob, t) => {
        expect(Math.abs(logprob - outputs!.logprobs[t + 3]!)).toBeLessThan(1e-4);
      });
    });

    it("stops at a stop token and includes it", async () => {
      await using engine = await openTiny();
      const [free] = await engine.sample([requestOf({}, { maxTokens: 20 })]);
      const stop = free!.tokenIds[5]!;
      const [stopped] = await engine.sample([requestOf({}, { maxTokens: 20, stopTokenIds: [stop] })]);
      expect(stopped!.tokenIds).toEqual(free!.tokenIds.slice(0, free!.tokenIds.indexOf(stop) + 1));
      expect(stopped!.finishReason).toBe("stop");
    });

    it("says which policy version a completion came from", async () => {
      await using engine = await openTiny();
      await step(engine);
      expect((await engine.sample([requestOf()]))[0]!.policyVersion).toBe(1);
    });

    it("gives an aborted call's slots back", async () => {
      await using engine = await openTiny({ maxBatch: 2 });
      const controller = new AbortController();
      const long = Array.from({ length: 6 }, (_, i) => requestOf({ seed: i }, { maxTokens: 120 }));
      const aborted = engine.sample(long, controller.signal);
      controller.abort(new Error("no longer wanted"));
      await expect(aborted).rejects.toThrow("no longer wanted");
      await expect(engine.sample(long, controller.signal)).rejects.toThrow("no longer wanted");
      expect(await engine.sample([requestOf()])).toHaveLength(1);
    });

    it("does nothing for no requests, no sequences and no examples", async () => {
      await using engine = await openTiny();
      expect(await engine.sample([])).toEqual([]);
      expect(await engine.forward([])).toEqual([]);
      expect(await engine.forwardBackward([], loss)).toEqual([]);
    });

    it("refuses options that cannot work, before a process is started or with the engine's own sentence", async () => {
      await expect(openTiny({ init: undefined, modelDir: undefined })).rejects.toThrow(
        /either a model folder or an init/,
      );
      await expect(openTiny({ modelDir: dir, init: undefined })).rejects.toThrow(/config\.json does not exist/);
      await expect(openTiny({ maxTokensPerMicroBatch: 0 })).rejects.toThrow(/positive integer, got 0/);
      await expect(openTiny({ buildDir: dir })).rejects.toThrow(/grouper setup/);
      await expect(openTiny({ device: "tpu" })).rejects.toThrow(/tpu/);
    });
  },
);
