/** Real rows, a real tokenizer and its chat template through the whole loop, on a small random Qwen2. */
import { existsSync } from "node:fs";
import { mkdtemp } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { expect, it } from "vitest";
import { readRolloutLog } from "../../src/rollout-log.ts";
import { metricsOf, run, tinyRecipe } from "./tiny.ts";

const shared = resolve(import.meta.dirname, "../../../shared/data");
const [tokenizer, rows] = [join(shared, "tokenizers/qwen2.5"), join(shared, "train/gsm8k_train.jsonl")];
const has = existsSync(tokenizer) && existsSync(rows);
if (!has) console.warn(`skipped: GSM8K through the whole loop, because ${shared} is absent`);

it.skipIf(!has)(
  "GSM8K with the Qwen2.5 tokenizer and chat template: three steps of GRPO",
  async () => {
    const work = await mkdtemp(join(tmpdir(), "grouper-gsm8k-"));
    const data = { type: "file" as const, path: rows, answerFrom: "gsm8k" as const, limit: 40 };
    const recipe = tinyRecipe({
      model: {
        init: {
          hiddenSize: 32,
          intermediateSize: 64,
          numHiddenLayers: 2,
          numAttentionHeads: 4,
          numKeyValueHeads: 2,
          maxPositionEmbeddings: 512,
        },
        tokenizer,
      },
      stages: [
        {
          type: "rl",
          data,
          template: { type: "chat", system: "Please reason step by step, and put your final answer within \\boxed{}." },
          rewards: {
            functions: [
              { name: "accuracy", params: { method: "numeric" } },
              { name: "language", params: { language: "en", part: "response" } },
            ],
            threads: 1,
          },
          algorithm: { type: "grpo" },
          rollout: { promptsPerStep: 2, groupSize: 4, sampling: { maxTokens: 24 } },
          steps: 3,
          optimizer: { learningRate: 1e-3 },
        },
      ],
    });
    const { interrupted, finished } = await run(recipe, join(work, "run"));
    expect(interrupted).toBe(false);
    expect(finished[0]!.weightsHash).toMatch(/^[0-9a-f]{64}$/);
    const steps = metricsOf(join(work, "run"));
    expect(steps.length).toBe(3);
    for (const step of steps) {
      expect(step["grad_norm"]).toBeGreaterThan(0);
      // A random model of 151,665 tokens is nearly uniform: its entropy is close to ln(151,665) = 11.93 nats.
      expect(step["entropy"]).toBeGreaterThan(11);
      expect(step["entropy"]).toBeLessThan(11.94);
      expect(step["sampling/sampling_logp_difference/max"]).toBeLessThan(1e-3);
    }
    const rollouts = await readRolloutLog(join(work, "run/rollouts/rl/step-000001.jsonl.gz"));
    expect(rollouts[0]!.prompt.startsWith("<|im_start|>system\nPlease reason step by step")).toBe(true);
    expect(rollouts[0]!.prompt.endsWith("<|im_end|>\n<|im_start|>assistant\n")).toBe(true);
  },
  300_000,
);
