/** From rows to prompts: rendered, tokenised once, measured. */
import { renderPrompt, type TemplateChoice } from "../template/render.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import type { Prompt } from "../types.ts";
import type { Dataset } from "./dataset.ts";

export interface Prompts {
  readonly prompts: readonly Prompt[];
  /** "ID (N tokens)" of each row that was left out because its prompt is longer than the limit; prompts are never cut. */
  readonly tooLong: readonly string[];
}

export function promptsOf(
  { rows }: Dataset,
  template: TemplateChoice,
  tokenizer: Tokenizer,
  maxPromptTokens = Number.POSITIVE_INFINITY,
): Prompts {
  const prompts: Prompt[] = [];
  const tooLong: string[] = [];
  for (const { id, question, answer, fields } of rows) {
    const { text, tokenIds, prefill } = renderPrompt(template, { ...fields, question }, tokenizer);
    if (tokenIds.length > maxPromptTokens) tooLong.push(`${id} (${tokenIds.length} tokens)`);
    else prompts.push({ id, text, tokenIds, prefill, answer, fields });
  }
  return { prompts, tooLong };
}
