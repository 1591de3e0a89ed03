/**
 * A model that was really trained: karpathy's stories260K, converted from llama2.c's format, must tell the stories that the reference
 * C program tells at temperature 0. The golden texts were written by that program, 256 and 128 steps: one token
 * for each after BOS, the prompt's counted.
 */
import { existsSync, readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { convertLlama2c } from "../../scripts/convert-llama2c.ts";
import { openNativeEngine } from "../../src/engine/native.ts";
import { loadTokenizer } from "../../src/tokenizer/load.ts";
import { greedy, hasNativeEngine } from "./fixtures.ts";

const data = resolve(import.meta.dirname, "../../../shared/data/weights/stories260K");
const hasData = existsSync(data);
if (!hasData) console.warn(`Skipped: stories260K, because ${data} is absent.`);
const why = hasNativeEngine ? (hasData ? "" : " (skipped: data absent)") : " (grouper setup has not been run)";

const stories = [
  { name: "no prompt", prompt: "", numSteps: 256, golden: "golden_greedy_256.txt" },
  { name: "a prompt", prompt: "One day, Tim and his dog", numSteps: 128, golden: "golden_greedy_prompt_128.txt" },
] as const;

describe.skipIf(why !== "")(`stories260K${why}`, () => {
  let dir = "";
  beforeAll(async () => {
    dir = await mkdtemp(join(tmpdir(), "grouper-stories-"));
    await convertLlama2c(join(data, "stories260K.bin"), join(data, "tok512.bin"), dir);
  });
  afterAll(async () => await rm(dir, { recursive: true }));

  it.each(stories)("tells the golden story from $name", async ({ prompt, numSteps, golden }) => {
    const tokenizer = await loadTokenizer(dir);
    await using engine = await openNativeEngine({ modelDir: dir, device: "cpu", numThreads: 1 });
    const promptTokenIds = [1, ...(prompt === "" ? [] : tokenizer.encode(prompt))];
    const params = { ...greedy, maxTokens: 1 + numSteps - promptTokenIds.length, stopTokenIds: [1] };
    const [result] = await engine.sample([{ promptTokenIds, seed: 0, params }]);
    const story = tokenizer.decode([...promptTokenIds, ...result!.tokenIds], { skipSpecialTokens: true });
    expect(story.trim()).toBe(readFileSync(join(data, golden), "utf8").trim());
  });
});
