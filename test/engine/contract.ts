/** The contract of every engine: each method in each state. Run by the CPU's tests and, with another device, by the GPU's. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type Engine, EngineError, type EngineFault } from "../../src/engine/engine.ts";
import { adam, exampleOf, likelihoodLoss, openTiny, requestOf, sequenceOf } from "./fixtures.ts";

type Call = (engine: Engine) => Promise<unknown>;

interface Method {
  readonly name: string;
  readonly call: Call;
  /** Training calls exclude each other; sampling does not. */
  readonly whileBusy: "refused" | "runs";
  /** Calls with one argument spoiled, and what the sentence must name. */
  readonly bad: readonly (readonly [string, Call, RegExp])[];
}

const sequence = sequenceOf(12, 3);
const loss = likelihoodLoss(11);
const spoiledSequence = (change: object) => ({ ...sequence, ...change });

function methods(dir: string): Method[] {
  return [
    {
      name: "forward",
      call: (engine) => engine.forward([sequence]),
      whileBusy: "refused",
      bad: [
        ["no tokens", (engine) => engine.forward([sequenceOf(0, 1)]), /sequence 0 to have at least one token/],
        [
          "a token past the vocabulary",
          (engine) => engine.forward([spoiledSequence({ tokenIds: new Int32Array(12).fill(61) })]),
          /0 to 60 \(vocab_size\), got 61 at position 0 of sequence 0/,
        ],
        [
          "a negative token",
          (engine) => engine.forward([spoiledSequence({ tokenIds: new Int32Array(12).fill(-1) })]),
          /got -1/,
        ],
        [
          "a mask of another length",
          (engine) => engine.forward([sequence, spoiledSequence({ lossMask: new Uint8Array(11) })]),
          /lossMask of sequence 1 to have 12 entries, got 11/,
        ],
        ["a trained first token", (engine) => engine.forward([sequenceOf(12, 3, 0)]), /position 0 of sequence 0/],
        ["too many tokens", (engine) => engine.forward([sequenceOf(129, 3)]), /at most 128 tokens.*got 129/],
        [
          "a reference that is not there",
          (engine) => engine.forward([sequence], { weights: "reference" }),
          /opened with `reference`/,
        ],
        ["values without a head", (engine) => engine.forward([sequence], { values: true }), /`valueHead`/],
        ["temperature 0", (engine) => engine.forward([sequence], { temperature: 0 }), /temperature .* got 0/],
      ],
    },
    {
      name: "forwardBackward",
      call: (engine) => engine.forwardBackward([exampleOf(sequence)], loss),
      whileBusy: "refused",
      bad: [
        [
          "a gradient of another length",
          (engine) =>
            engine.forwardBackward([exampleOf(sequence)], () => ({
              loss: 0,
              gradient: { dLogprobs: new Float32Array(11) },
              metrics: {},
            })),
          /dLogprobs of example 0 to have 12 entries, got 11/,
        ],
        [
          "a gradient of entropies that were not asked for",
          (engine) =>
            engine.forwardBackward([exampleOf(sequence)], () => ({
              loss: 0,
              gradient: { dLogprobs: new Float32Array(12), dEntropies: new Float32Array(12) },
              metrics: {},
            })),
          /entropies: true.*example 0 has dEntropies/,
        ],
        [
          "the reference's weights",
          (engine) => engine.forwardBackward([exampleOf(sequence)], loss, { weights: "reference" }),
          /reference/,
        ],
      ],
    },
    {
      name: "optimStep",
      call: (engine) => engine.optimStep(adam),
      whileBusy: "refused",
      bad: [
        [
          "a NaN learning rate",
          (engine) => engine.optimStep({ ...adam, learningRate: Number.NaN }),
          /learningRate .* got NaN/,
        ],
        ["beta1 of 1", (engine) => engine.optimStep({ ...adam, beta1: 1 }), /beta1 .* got 1/],
        ["a norm of 0", (engine) => engine.optimStep({ ...adam, maxGradNorm: 0 }), /maxGradNorm .* got 0/],
      ],
    },
    {
      name: "sample",
      call: (engine) => engine.sample([requestOf()]),
      whileBusy: "runs",
      bad: [
        ["no prompt", (engine) => engine.sample([requestOf({ promptTokenIds: [] })]), /prompt of request 0/],
        ["a token past the vocabulary", (engine) => engine.sample([requestOf({ promptTokenIds: [61] })]), /got 61/],
        ["a fractional seed", (engine) => engine.sample([requestOf({ seed: 0.5 })]), /seed of request 0 .* got 0\.5/],
        ["a negative temperature", (engine) => engine.sample([requestOf({}, { temperature: -1 })]), /temperature/],
        ["topP of 0", (engine) => engine.sample([requestOf({}, { topP: 0 })]), /topP of request 0/],
        ["no tokens to make", (engine) => engine.sample([requestOf({}, { maxTokens: 0 })]), /maxTokens of request 0/],
        ["minTokens above maxTokens", (engine) => engine.sample([requestOf({}, { minTokens: 9 })]), /minTokens/],
        ["more than fits", (engine) => engine.sample([requestOf({}, { maxTokens: 126 })]), /128 positions.*3 \+ 126/],
      ],
    },
    {
      name: "refreshReference",
      call: (engine) => engine.refreshReference(),
      whileBusy: "refused",
      bad: [["no reference", (engine) => engine.refreshReference(), /`reference`/]],
    },
    {
      name: "saveWeights",
      call: (engine) => engine.saveWeights(join(dir, "weights")),
      whileBusy: "refused",
      bad: [["no folder", (engine) => engine.saveWeights(""), /folder's path/]],
    },
    {
      name: "saveState",
      call: (engine) => engine.saveState(join(dir, "state")),
      whileBusy: "refused",
      bad: [["no folder", (engine) => engine.saveState(""), /folder's path/]],
    },
    {
      name: "loadState",
      call: async (engine) => await engine.loadState(join(dir, "state")),
      whileBusy: "refused",
      bad: [["a folder that is not there", (engine) => engine.loadState(join(dir, "nowhere")), /nowhere/]],
    },
    { name: "weightsHash", call: (engine) => engine.weightsHash(), whileBusy: "refused", bad: [] },
  ];
}

async function faultOf(call: Promise<unknown>): Promise<EngineFault | "no error"> {
  try {
    await call;
    return "no error";
  } catch (error) {
    if (error instanceof EngineError) return error.fault;
    throw error;
  }
}

/** Registers the tests; `device` as openNativeEngine takes it. */
export function testEngineContract(device: string): void {
  describe(`engine contract on ${device}`, () => {
    let dir = "";
    let engine: Engine;
    let bare: Engine;
    beforeAll(async () => {
      dir = await mkdtemp(join(tmpdir(), "grouper-contract-"));
      engine = await openTiny({ device, reference: true });
      bare = await openTiny({ device });
      await engine.saveState(join(dir, "state"));
    });
    afterAll(async () => {
      await engine[Symbol.asyncDispose]();
      await bare[Symbol.asyncDispose]();
      await rm(dir, { recursive: true });
    });

    for (const { name } of methods("")) {
      const method = () => methods(dir).find((candidate) => candidate.name === name)!;

      it(`${name}: runs on a fresh engine`, async () => {
        await method().call(engine);
      });

      it(`${name}: ${method().whileBusy} while a training call runs`, async () => {
        const running = engine.forward(Array.from({ length: 20 }, (_, i) => sequenceOf(100, i)));
        const fault = await faultOf(method().call(engine));
        expect(fault).toBe(method().whileBusy === "runs" ? "no error" : "busy");
        await running;
        await method().call(engine);
      });

      for (const [what] of method().bad) {
        it(`${name}: refuses ${what} and stays usable`, async () => {
          const [, call, message] = method().bad.find((candidate) => candidate[0] === what)!;
          await expect(call(bare)).rejects.toThrow(message);
          await expect(call(bare)).rejects.toBeInstanceOf(EngineError);
          expect((await bare.forward([sequence]))[0]?.logprobs[1]).toBeLessThan(0);
        });
      }

      it(`${name}: says that a disposed engine is disposed`, async () => {
        const disposed = await openTiny({ device, reference: true });
        await disposed[Symbol.asyncDispose]();
        await expect(method().call(disposed)).rejects.toThrow("The engine is disposed.");
        expect(await faultOf(method().call(disposed))).toBe("disposed");
      });
    }

    it("dispose: is safe twice, and while a call runs", async () => {
      const closing = await openTiny({ device });
      const running = faultOf(closing.sample(Array.from({ length: 8 }, () => requestOf({}, { maxTokens: 120 }))));
      await Promise.all([closing[Symbol.asyncDispose](), closing[Symbol.asyncDispose]()]);
      await closing[Symbol.asyncDispose]();
      expect(await running).toBe("disposed");
    });
  });
}
