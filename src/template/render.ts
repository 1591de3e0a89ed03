/** From a row to the prompt's text and token ids. */
import { RecipeError } from "../errors.ts";
import type { ChatMessage, Tokenizer } from "../tokenizer/tokenizer.ts";
import { DAPO_USER, fill, OPEN_R1_SYSTEM, placeholdersOf, TEXT_TEMPLATES } from "./templates.ts";

export type TextTemplateName = keyof typeof TEXT_TEMPLATES;

/** The model's own chat template around a user message. */
export interface ChatTemplateSpec {
  readonly type: "chat";
  readonly system?: string | undefined;
  /** {column} is replaced. */
  readonly user: string;
  /** Start of the response that is part of the prompt, e.g. "<think>". */
  readonly prefill: string;
  /** Variables of the chat template, e.g. enable_thinking. */
  readonly variables?: Readonly<Record<string, unknown>> | undefined;
}

/** The whole prompt as one text; `prefill` is its end. */
export interface TextTemplateSpec {
  readonly type: "text";
  readonly text: string;
  readonly prefill: string;
}

/** A template as a recipe names or spells it. */
export type TemplateChoice = TextTemplateName | "open-r1" | "dapo" | "chat" | ChatTemplateSpec | TextTemplateSpec;

export interface RenderedPrompt {
  readonly text: string;
  readonly tokenIds: readonly number[];
  /** The end of `text` that belongs to the response. */
  readonly prefill: string;
}

/** `columns` holds `question` and every other column of the row. Throws RecipeError for a template that cannot be meant. */
export function renderPrompt(
  template: TemplateChoice,
  columns: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): RenderedPrompt {
  const spec = specOf(template);
  checkPlaceholders(spec.type === "text" ? spec.text : `${spec.system ?? ""}${spec.user}`, columns);
  return spec.type === "text" ? renderText(spec, columns, tokenizer) : renderChat(spec, columns, tokenizer);
}

function specOf(template: TemplateChoice): ChatTemplateSpec | TextTemplateSpec {
  if (typeof template === "object") return template;
  switch (template) {
    case "chat":
      return { type: "chat", user: "{question}", prefill: "" };
    case "open-r1":
      return { type: "chat", system: OPEN_R1_SYSTEM, user: "{question}", prefill: "" };
    case "dapo":
      return { type: "chat", user: DAPO_USER, prefill: "" };
    default:
      return { type: "text", ...TEXT_TEMPLATES[template] };
  }
}

/** A prompt that is the same for every row, or that gives the answer away, trains something else than was meant. */
function checkPlaceholders(text: string, columns: Readonly<Record<string, unknown>>): void {
  const names = placeholdersOf(text);
  if (names.includes("answer")) {
    throw new RecipeError("Expected a prompt template without {answer}: the prompt would hold the reference answer.");
  }
  if (!names.some((name) => Object.hasOwn(columns, name))) {
    throw new RecipeError(
      `Expected the prompt template to name a column, such as {question}, got ${JSON.stringify(text.slice(0, 80))}. Columns: ${Object.keys(columns).join(", ")}.`,
    );
  }
}

function renderText(
  { text, prefill }: TextTemplateSpec,
  columns: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): RenderedPrompt {
  if (!text.endsWith(prefill)) {
    throw new RecipeError(
      `Expected the template's text to end with its prefill ${JSON.stringify(prefill)}, got ${JSON.stringify(text.slice(-40))}.`,
    );
  }
  const filled = fill(text, columns);
  const tokenIds = tokenizer.encode(filled);
  return { text: filled, tokenIds: [...bosBefore(tokenIds, tokenizer), ...tokenIds], prefill };
}

/**
 * [BOS] where the tokenizer's own format starts with it and the text does not yet. Not all that `addSpecialTokens` adds: some
 * formats also end with EOS, after which a model has nothing to say.
 */
function bosBefore(tokenIds: readonly number[], tokenizer: Tokenizer): number[] {
  const bos = tokenizer.bosTokenId;
  if (bos === null || tokenIds[0] === bos) return [];
  return tokenizer.encode("", { addSpecialTokens: true })[0] === bos ? [bos] : [];
}

/** A chat template writes BOS itself where the model wants one: the encoding adds none. */
function renderChat(
  { system, user, prefill, variables = {} }: ChatTemplateSpec,
  columns: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): RenderedPrompt {
  const messages = [
    ...(system === undefined ? [] : [{ role: "system", content: fill(system, columns) }]),
    { role: "user", content: fill(user, columns) },
  ];
  const asked = tokenizer.applyChatTemplate(messages, { ...variables, addGenerationPrompt: true });
  const opened = openedThinking(asked, messages, variables, tokenizer);
  // A recipe that spells out what the chat template already opens means the same thing, not two tags.
  const text = opened !== "" && opened.trimEnd() === prefill.trimEnd() ? asked : asked + prefill;
  return { text, tokenIds: tokenizer.encode(text), prefill: text === asked ? opened : opened + prefill };
}

/** The "<think>" with which some chat templates start every response: format rewards must know of it. */
function openedThinking(
  asked: string,
  messages: readonly ChatMessage[],
  variables: Readonly<Record<string, unknown>>,
  tokenizer: Tokenizer,
): string {
  const opened = /<think>\s*$/.exec(asked)?.[0] ?? "";
  if (opened === "") return "";
  const history = tokenizer.applyChatTemplate(messages, { ...variables, addGenerationPrompt: false });
  // The tag is the template's only when it comes after the question.
  return asked.startsWith(history) && asked.length - history.length >= opened.length ? opened : "";
}
