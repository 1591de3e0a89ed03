/** From a row to the prompt's text and token ids. */
import { RecipeError } from "../errors.ts";
import type { Tokenizer } from "../tokenizer/tokenizer.ts";
import { DAPO_USER, fill, OPEN_R1_SYSTEM, TEXT_TEMPLATES } from "./templates.ts";

export type TextTemplateName = keyof typeof TEXT_TEMPLATES;

/** A template as a recipe names or spells it. */
export type TemplateChoice =
  | TextTemplateName
  | "open-r1"
  | "dapo"
  | "chat"
  | { readonly type: "chat"; readonly system?: string | undefined; readonly user: string; readonly prefill: string }
  | { readonly type: "text"; readonly text: string; readonly prefill: string };

export interface RenderedPrompt {
  readonly text: string;
  readonly tokenIds: readonly number[];
  readonly prefill: string;
}

/** `columns` holds `question` and every other column of the row. Throws RecipeError where a prefill is not the prompt's end. */
export function renderPrompt(
  template: TemplateChoice,
  columns: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): RenderedPrompt {
  if (template === "chat") return renderChat(undefined, "{question}", "", columns, tokenizer);
  if (template === "open-r1") return renderChat(OPEN_R1_SYSTEM, "{question}", "", columns, tokenizer);
  if (template === "dapo") return renderChat(undefined, DAPO_USER, "", columns, tokenizer);
  if (typeof template === "object" && template.type === "chat") {
    return renderChat(template.system, template.user, template.prefill, columns, tokenizer);
  }
  const { text, prefill } = typeof template === "string" ? TEXT_TEMPLATES[template] : template;
  if (!text.endsWith(prefill)) {
    throw new RecipeError(`Expected the template's text to end with its prefill ${JSON.stringify(prefill)}, got ${JSON.stringify(text.slice(-40))}.`);
  }
  const filled = fill(text, columns);
  return { text: filled, tokenIds: tokenizer.encode(filled, { addSpecialTokens: true }), prefill };
}

/** A chat template writes BOS itself where the model wants one: the encoding adds none. */
function renderChat(
  system: string | undefined,
  user: string,
  prefill: string,
  columns: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): RenderedPrompt {
  const messages = [
    ...(system === undefined ? [] : [{ role: "system", content: system }]),
    { role: "user", content: fill(user, columns) },
  ];
  const text = tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true }) + prefill;
  return { text, tokenIds: tokenizer.encode(text), prefill };
}
