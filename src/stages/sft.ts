/** An `sft` stage: renders rows to sequences and runs the loop of sft.ts. */
import { z } from "zod";
import { createCursor } from "../dataset/cursor.ts";
import { RecipeError } from "../errors.ts";
import { seedFrom } from "../random.ts";
import type { SftStage } from "../recipe/schema.ts";
import { type SftState, sft, supervisedSequence } from "../sft.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Prompt, Sequence } from "../types.ts";
import { Closers } from "./closers.ts";
import { openModel, openPrompts } from "./open.ts";
import { restore, saveCheckpoint } from "./save.ts";
import type { StageContext, StageResult } from "./stage.ts";

const loopSchema = z.object({
  step: z.int(),
  numSkippedUpdates: z.int(),
  numTokens: z.int(),
  cursor: z.object({ epoch: z.int(), position: z.int() }),
});

export async function runSftStage(context: StageContext<SftStage>): Promise<StageResult> {
  const { recipe, stage, name, startDir, run, reporter } = context;
  await using stack = new Closers();
  const model = await openModel(recipe, startDir, { reference: false, stack, reporter });
  const { engine, tokenizer } = model;

  const seed = seedFrom(recipe.seed, name);
  const data = await openPrompts(stage.data, stage.template, tokenizer, reporter);
  const sequences = data.prompts.map((prompt) => supervised(prompt, stage.response, tokenizer));
  const saved = await restore(context, model, loopSchema, data.hash);
  const cursor = createCursor(sequences.length, seedFrom(seed, "data"), saved?.cursor);
  const start: SftState = saved ?? { step: 0, numSkippedUpdates: 0, numTokens: 0, cursor: cursor.state() };

  let newest: string | null = null;
  const save = async (loop: SftState) => {
    newest = await saveCheckpoint(context, model, { ...loop, dataHash: data.hash }, false);
  };
  const { state, interrupted } = await sft(
    {
      name,
      stage,
      numSteps: numSteps(stage, sequences.length),
      engine,
      sequences,
      cursor,
      save,
      record: (record) => run.appendMetrics(record),
      reporter,
      stopRequested: context.stopRequested,
    },
    start,
  );
  if (!interrupted) await save(state);
  return { interrupted, checkpoint: newest, weightsHash: await engine.weightsHash(), inputs: { data: data.hash } };
}

export function numSteps({ steps, epochs, batchSize }: SftStage, numRows: number): number {
  if (steps !== undefined) return steps;
  if (epochs !== undefined) return Math.ceil((epochs * numRows) / batchSize);
  throw new RecipeError("Expected steps or epochs in an sft stage, got neither.");
}

/** The response as the recipe writes it, with the end-of-text token: a model that never saw the end never stops. */
export function supervised(prompt: Prompt, response: string, tokenizer: Tokenizer): Sequence {
  const text = response.replace(/\{([^{}]+)\}/g, (_, column: string) => {
    const value = column === "answer" ? prompt.answer : prompt.fields[column];
    if (value === undefined || value === null) {
      throw new RecipeError(
        `Expected column "${column}" of the response ${JSON.stringify(response)} in every row, but row ${prompt.id} has none. Its columns: ${Object.keys(prompt.fields).join(", ")}.`,
      );
    }
    return String(value);
  });
  const ids = tokenizer.encode(text, { addSpecialTokens: false });
  return supervisedSequence(prompt.tokenIds, [...ids, tokenizer.eosTokenId]);
}
