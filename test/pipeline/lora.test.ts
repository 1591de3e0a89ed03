/** Adapters from end to end: trained by the native engine, resumed, published to a server of adapters. */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, readdir } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import type { NativeEngine } from "../../src/engine/native.ts";
import { silentReporter } from "../../src/progress.ts";
import type { Recipe, RecipeInput } from "../../src/recipe/schema.ts";
import { Closers } from "../../src/stages/closers.ts";
import { openModel, openServer } from "../../src/stages/open.ts";
import { characterTokenizer } from "../../src/tokenizer/characters.ts";
import { contractServer } from "../server/contract-server.ts";
import { endId, vocabSize } from "../server/letters.ts";
import { TableEngine } from "../server/table-engine.ts";
import { metricsOf, run, tinyRecipe, tinyStages } from "./tiny.ts";

const lora: NonNullable<RecipeInput["model"]["lora"]> = {
  rank: 4,
  alpha: 16,
  targets: ["q_proj", "v_proj", "up_proj"],
};
let work: string;
let base: string;
beforeAll(async () => {
  work = await mkdtemp(join(tmpdir(), "grouper-lora-"));
  const { finished } = await run(tinyRecipe({ stages: [tinyStages[0]!] }), join(work, "base"));
  base = join(work, "base", finished[0]!.checkpoint!, "model");
});

describe("a run that trains an adapter", () => {
  const recipeOf = (): Recipe => tinyRecipe({ model: { path: base, lora }, stages: [tinyStages[1]!] });

  it("moves the policy away from the reference, and leaves whole weights and an adapter", async () => {
    const path = join(work, "whole");
    const { finished } = await run(recipeOf(), path);
    const steps = metricsOf(path).filter((line) => line["kl"] !== undefined);
    expect(Number(steps.at(-1)!["kl"])).toBeGreaterThan(0);
    expect(Math.min(...steps.map((line) => Number(line["grad_norm"])))).toBeGreaterThan(0);
    const model = join(path, finished[0]!.checkpoint!, "model");
    expect(existsSync(join(model, "model.safetensors"))).toBe(true);
    const config = JSON.parse(readFileSync(join(model, "adapter", "adapter_config.json"), "utf8"));
    expect(config).toMatchObject({ peft_type: "LORA", r: 4, lora_alpha: 16 });
  });

  it("is resumed on the same base: it ends as if never stopped", async () => {
    const path = join(work, "stopped");
    let steps = 0;
    const reporter = { ...silentReporter, step: () => void steps++ };
    expect((await run(recipeOf(), path, { reporter, stopRequested: () => steps >= 3 })).interrupted).toBe(true);
    const { finished } = await run(recipeOf(), path, { resume: true });
    expect(metricsOf(path)).toEqual(metricsOf(join(work, "whole")));
    const lineageOf = (name: string) => JSON.parse(readFileSync(join(work, name, "lineage.json"), "utf8"))[0];
    expect(finished[0]!.weightsHash).toBe(lineageOf("whole").weightsHash);
  });
});

/** Writes its table where an engine writes whole weights, and where it writes the adapter. */
class AdapterEngine extends TableEngine {
  readonly saved: string[] = [];

  override async saveWeights(dir: string): Promise<void> {
    this.saved.push(dir);
    await super.saveWeights(dir);
    await super.saveWeights(join(dir, "adapter"));
  }

  move(): void {
    this.policyVersion += 4;
    this.logits.forEach((_, i) => {
      this.logits[i]! += 0.3 * Math.sin(i + this.policyVersion);
    });
  }
}

describe("publishing to a server of adapters", () => {
  const recipeFor = (url: string, dir: string): Recipe =>
    tinyRecipe({ model: { path: base, lora }, server: { type: "vllm", url, publish: { method: "lora", dir } } });
  const quiet = { reporter: silentReporter, canaryTokens: [1, 10, 2, 13] };

  it("names the adapter's own folder, leaves two folders, and does not repeat a version", async () => {
    await using stack = new Closers();
    const contract = stack.use(await contractServer({ lora: true }));
    const shared = await mkdtemp(join(tmpdir(), "grouper-shared-"));
    const engine = stack.use(new AdapterEngine({ vocabSize, seed: 9 }));
    const tokenizer = characterTokenizer({ characters: "0123456789+-*= ", specialTokens: [] });
    const model = { engine: engine as unknown as NativeEngine, tokenizer, stopTokenIds: [endId] };
    const { publish } = await openServer(recipeFor(contract.url, shared), model, { stack, ...quiet });
    for (let step = 0; step < 3; step++) {
      engine.move();
      await publish();
    }
    const numSaved = engine.saved.length;
    await publish();
    expect(engine.saved.length).toBe(numSaved);
    const loads = contract.requests.filter(({ path }) => path.endsWith("/load_lora_adapter"));
    expect(loads.map(({ body }) => body.lora_path)).toEqual(
      [0, 4, 8, 12].map((version) => join(shared, `policy-v${version}`, "adapter")),
    );
    expect((await readdir(shared)).sort()).toEqual(["policy-v12", "policy-v8"]);
  });

  it("refuses a stage on merged weights, which the server has not: its adapter would be of another base", async () => {
    await using stack = new Closers();
    const recipe = recipeFor("http://127.0.0.1:9/v1", work);
    await expect(openModel(recipe, base, { reference: false, stack, reporter: silentReporter })).rejects.toThrow(
      /Expected a stage that starts from the base, since the server gets adapters/,
    );
  });
});
