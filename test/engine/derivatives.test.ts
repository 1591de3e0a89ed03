/**
 * The engine's gradient against its own outputs, by central differences along the gradient in weight space:
 *
 *   (loss(w + h g / |g|) - loss(w - h g / |g|)) / 2h = |g| + O(h^2)
 *
 * which parity with transformers cannot show for what transformers has not: the value head, and adapters beside it. Weights are
 * moved by rewriting a saved state, so the loop goes through files as a resumed run would.
 */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import type { ForwardOptions } from "../../src/engine/engine.ts";
import type { NativeEngine } from "../../src/engine/native.ts";
import type { Example, SequenceLoss, TokenOutputs } from "../../src/types.ts";
import { adam, hasNativeEngine, openTiny, raggedExamples } from "./fixtures.ts";

const options: ForwardOptions = { entropies: true, values: true, temperature: 0.8 };

/** Linear in every output with coefficients of both signs, and quadratic in the values, so that no output's share can cancel. */
function mixedLoss({ sequence }: Example, { logprobs, entropies, values }: TokenOutputs): SequenceLoss {
  let loss = 0;
  const gradient = {
    dLogprobs: new Float32Array(logprobs.length),
    dEntropies: new Float32Array(logprobs.length),
    dValues: new Float32Array(logprobs.length),
  };
  sequence.lossMask.forEach((trained, t) => {
    if (!trained) return;
    const [a, b, target] = [Math.sin(3 * t + 1), Math.cos(2 * t), Math.sin(t)];
    loss += a * logprobs[t]! + b * entropies![t]! + (values![t]! - target) ** 2;
    gradient.dLogprobs[t] = a;
    gradient.dEntropies[t] = b;
    gradient.dValues[t] = 2 * (values![t]! - target);
  });
  return { loss, gradient, metrics: {} };
}

const headerSchema = z.record(
  z.string(),
  z.looseObject({ data_offsets: z.tuple([z.number(), z.number()]).optional() }),
);

/** Adds `scale * direction[name]` to every float32 tensor of a safetensors file. */
async function moveTensors(
  path: string,
  from: Uint8Array,
  direction: ReadonlyMap<string, Float32Array>,
  scale: number,
) {
  const bytes = Buffer.from(from);
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  for (const [name, { data_offsets: offsets }] of tensorsOf(bytes)) {
    direction.get(name)!.forEach((value, i) => {
      const at = start + offsets[0] + 4 * i;
      bytes.writeFloatLE(bytes.readFloatLE(at) + scale * value, at);
    });
  }
  await writeFile(path, bytes);
}

function tensorsOf(bytes: Buffer): (readonly [string, { data_offsets: readonly [number, number] }])[] {
  const header = headerSchema.parse(JSON.parse(bytes.toString("utf8", 8, 8 + Number(bytes.readBigUInt64LE(0)))));
  return Object.entries(header).flatMap(([name, { data_offsets }]) =>
    data_offsets === undefined ? [] : [[name, { data_offsets }] as const],
  );
}

async function lossOf(engine: NativeEngine): Promise<number> {
  const outputs = await engine.forward(
    raggedExamples.map((example) => example.sequence),
    options,
  );
  return raggedExamples.reduce((sum, example, i) => sum + mixedLoss(example, outputs[i]!).loss, 0);
}

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "grouper-derivatives-"));
});
afterEach(async () => {
  await rm(dir, { recursive: true });
});

const lora = { rank: 3, alpha: 6, targets: ["q_proj", "v_proj", "o_proj", "up_proj", "down_proj"] };
const cases = [
  { name: "all weights and the value head", engine: { valueHead: true }, leastTensors: 24 },
  { name: "adapters and the value head", engine: { valueHead: true, lora }, leastTensors: 21 },
  {
    name: "adapters and the value head, recomputing activations",
    engine: { valueHead: true, lora, activationCheckpointing: true },
    leastTensors: 21,
  },
];

describe.skipIf(!hasNativeEngine)(
  hasNativeEngine ? "derivatives" : "derivatives (grouper setup has not been run)",
  () => {
    it.each(cases)("of $name agree with central differences to 1 %", async ({ engine: change, leastTensors }) => {
      await using engine = await openTiny(change);
      // The value head and every B of an adapter begin at zero, where half of the derivatives vanish.
      for (let i = 0; i < 5; i++) {
        await engine.forwardBackward(raggedExamples, mixedLoss, options);
        await engine.optimStep(adam);
      }
      await engine.saveState(dir);
      const path = join(dir, "weights.safetensors");
      const saved = await readFile(path);
      await engine.forwardBackward(raggedExamples, mixedLoss, options);
      const direction = new Map<string, Float32Array>();
      for (const [name] of tensorsOf(saved)) {
        const gradient = await engine.gradient(name);
        expect(
          gradient?.some((value) => value !== 0),
          name,
        ).toBe(true);
        direction.set(name, gradient!);
      }
      expect(direction.size).toBeGreaterThanOrEqual(leastTensors);
      const norm = Math.sqrt([...direction.values()].flatMap((g) => [...g]).reduce((sum, x) => sum + x * x, 0));
      // Float32 losses of size ~100 carry errors of ~1e-5; over 2h times a norm of some tens that is below 0.1 %.
      const h = 1e-3;
      const losses: number[] = [];
      for (const sign of [1, -1]) {
        await moveTensors(path, saved, direction, (sign * h) / norm);
        await engine.loadState(dir);
        losses.push(await lossOf(engine));
      }
      const slope = (losses[0]! - losses[1]!) / (2 * h);
      expect(norm).toBeGreaterThan(1);
      expect(Math.abs(slope / norm - 1)).toBeLessThan(0.01);
    });
  },
);
