/**
 * Prompt templates, byte for byte as their sources have them. `{question}` and other `{column}`s are replaced by the row's.
 *
 * A template may end with the start of the response, its `prefill`: the completion then lacks it, and format rewards score
 * prefill + completion.
 */

import { RecipeError } from "../errors.ts";

export interface TextTemplate {
  readonly text: string;
  readonly prefill: string;
}

/** DeepSeek-R1, arXiv 2501.12948, table 1. */
const r1Zero =
  "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. The assistant first thinks about the reasoning process in the mind and then provides the user with the answer. The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>. User: {question}. Assistant:";

const conversation =
  "A conversation between User and Assistant. The User asks a question, and the Assistant solves it. The Assistant first thinks about the reasoning process in the mind and then provides the User with the answer. The reasoning process is enclosed within <think> </think> and answer is enclosed within <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think> <answer> answer here </answer>.";

/** sail-sg/understand-r1-zero: a line each for user and assistant. */
const oat = `${conversation}\nUser: {question}\nAssistant: <think>`;

/** Open-Reasoner-Zero: everything on one line, around its own wrapper of the question. */
const orzQuestion =
  "You must put your answer inside <answer> </answer> tags, i.e., <answer> answer here </answer>. And your final answer will be extracted automatically by the \\boxed{} tag.\nThis is the problem:\n{question}";
const orz = `${conversation} User: ${orzQuestion}\nAssistant: <think>`;

/** Qwen2.5-Math; the best template of Oat-Zero. */
const qwenMath =
  "<|im_start|>system\nPlease reason step by step, and put your final answer within \\boxed{}.<|im_end|>\n<|im_start|>user\n{question}<|im_end|>\n<|im_start|>assistant\n";

/** Logic-RL for base models; there is no space after "it." in the original. */
const logicRl = `The user asks a question, and the Assistant solves it.The assistant first thinks about the reasoning process in the mind and then provides the user with the final answer. The reasoning process and answer are enclosed within <think> </think> and <answer> </answer> tags, respectively, i.e., <think> reasoning process here </think><answer> answer here </answer>. Now the user asks you to solve a logical reasoning problem. After thinking, when you finally reach a conclusion, clearly state the identity of each character within <answer> </answer> tags. List the identity of each person one by one, for example, <answer> (1) Zoey is a knight
(2) Oliver is a knight
(3)... </answer>.

User:{question}
Assistant: <think>`;

export const TEXT_TEMPLATES = {
  "r1-zero": { text: r1Zero, prefill: "" },
  oat: { text: oat, prefill: "<think>" },
  orz: { text: orz, prefill: "<think>" },
  "qwen-math": { text: qwenMath, prefill: "" },
  "logic-rl": { text: logicRl, prefill: "<think>" },
  /** agentica-org/DeepScaleR: a suffix to the question. */
  deepscaler: {
    text: "{question} Let's think step by step and output the final answer within \\boxed{}.",
    prefill: "",
  },
  /** PRIME-RL/PRIME: a suffix to the question. */
  prime: { text: "{question}\n\nPresent the answer in LaTex format: \\boxed{Your answer}", prefill: "" },
  none: { text: "{question}", prefill: "" },
} as const satisfies Readonly<Record<string, TextTemplate>>;

/** huggingface/open-r1: the system prompt of its GRPO recipes, for the model's own chat template. */
export const OPEN_R1_SYSTEM =
  "You are a helpful AI Assistant that provides well-reasoned and detailed responses. You first think about the reasoning process as an internal monologue and then provide the user with the answer. Respond in the following format: <think>\n...\n</think>\n<answer>\n...\n</answer>";

/** DAPO, arXiv 2503.14476: the user message, for the model's own chat template. */
export const DAPO_USER =
  'Solve the following math problem step by step. The last line of your response should be of the form Answer: $Answer (without quotes) where $Answer is the answer to the problem.\n\n{question}\n\nRemember to put your answer on its own line after "Answer:".';

/** A name in braces, but not the argument of a LaTeX command: in `\\boxed{answer}` the word is text. */
const PLACEHOLDER = /(?<!\\[A-Za-z]*)\{([A-Za-z_][A-Za-z0-9_]*)\}/g;

/**
 * Replaces `{column}` by the row's value in one pass, so that braces in a value are text. Names that are no column stay as they
 * are: mathematics is full of braces. A column without a value is refused: its name would stand in the prompt.
 */
export function fill(text: string, columns: Readonly<Record<string, unknown>>): string {
  return text.replace(PLACEHOLDER, (whole, name: string) => {
    if (!Object.hasOwn(columns, name)) return whole;
    const value = columns[name];
    if (value === undefined || value === null) {
      throw new RecipeError(
        `Expected a value in column "${name}" for the template, but this row has none. Leave such rows out with data.where, or take {${name}} out of the template.`,
      );
    }
    return shown(value);
  });
}

/** The columns that a template names. */
export function placeholdersOf(text: string): string[] {
  return [...text.matchAll(PLACEHOLDER)].map((match) => match[1]!);
}

/** Lists as [44, 19, 35]; text as it stands. */
function shown(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(shown).join(", ")}]`;
  return typeof value === "object" ? JSON.stringify(value) : String(value);
}
