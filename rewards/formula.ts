/**
 * Formula: the score is what an expression of the recipe gives, for shapes of reward that no file stands for yet.
 *
 *   - name: formula
 *     params: { expression: "right ? 1 - 0.3 * tokens / maxTokens : (stopped ? 0 : -0.5)", method: math }
 *
 * Names: `right` (1 or 0, by method and from as in accuracy; the reward abstains where the gold answer cannot be read), `formatted` (1 or
 * 0, by `format`), `stopped` (0 where the token limit cut the response), `tokens`, `maxTokens`, `characters`, `words`, and `fields.NAME`
 * for numbers of the row. Functions and operators are those of mathjs for numbers (https://mathjs.org/docs/expressions/syntax.html);
 * what is random is refused, since a score must be the same when it is asked again.
 */
import * as math from "mathjs/number";
import { defineReward, z } from "../src/reward/reward.ts";
import { searchedText } from "../src/verify/extract.ts";
import { FORMAT_STYLES, hasFormat } from "../src/verify/format.ts";
import { answerParams, judgeAnswer } from "../src/verify/judge.ts";

const NAMES = ["right", "formatted", "stopped", "tokens", "maxTokens", "characters", "words", "fields"] as const;
type Name = (typeof NAMES)[number];
const REFUSED = new Set(["random", "randomInt", "pickRandom", "import", "config", "evaluate", "parse", "compile"]);

export default defineReward({
  description: "What the expression of the recipe gives, from whether the answer is right, its format and its length.",
  params: z.strictObject({
    ...answerParams.shape,
    format: z.enum(FORMAT_STYLES).default("r1").describe("What `formatted` means."),
    expression: z
      .string()
      .transform((expression, context) => {
        const formula = readFormula(expression);
        if (typeof formula !== "string") return formula;
        context.addIssue({ code: "custom", message: formula });
        return z.NEVER;
      })
      .describe("Of the names in the head of this file; true is 1."),
  }),
  score(input, { expression: { uses, evaluate }, format, method, from }) {
    const { response, completion, numTokens, maxTokens, finishReason, fields } = input;
    const verdict = uses.has("right") ? judgeAnswer(searchedText(input, from), input, { method, from }) : "wrong";
    if (verdict === null) return null;
    return evaluate({
      right: Number(verdict === "right"),
      formatted: uses.has("formatted") ? Number(hasFormat(response, format)) : 0,
      stopped: Number(finishReason === "stop"),
      tokens: numTokens,
      maxTokens,
      characters: completion.length,
      words: uses.has("words") ? (completion.match(/\S+/g)?.length ?? 0) : 0,
      fields: uses.has("fields") ? numbersOf(fields) : {},
    });
  },
});

type Scope = Readonly<Record<Exclude<Name, "fields">, number>> & { readonly fields: Readonly<Record<string, number>> };

interface Formula {
  readonly uses: ReadonlySet<string>;
  /** Throws where the value is no finite number. */
  readonly evaluate: (scope: Scope) => number;
}

/** The formula, or what is wrong with its text. */
function readFormula(expression: string): Formula | string {
  let tree: math.MathNode;
  try {
    tree = math.parse(expression);
  } catch (error) {
    return `Expected a formula that mathjs reads (${error instanceof Error ? error.message : error})`;
  }
  const uses = new Set<string>();
  tree.traverse((node) => {
    if (node instanceof math.SymbolNode) uses.add(node.name);
  });
  const unknown = [...uses].find(
    (name) => !(NAMES as readonly string[]).includes(name) && (!(name in math) || REFUSED.has(name)),
  );
  if (unknown !== undefined)
    return `Expected a formula of numbers and ${NAMES.join(", ")}, without ${JSON.stringify(unknown)}`;
  const code = tree.compile();
  return {
    uses,
    evaluate(scope) {
      const value: unknown = code.evaluate({ ...scope });
      const score = typeof value === "boolean" ? Number(value) : value;
      if (typeof score === "number" && Number.isFinite(score)) return score;
      throw new Error(`Expected the formula ${JSON.stringify(expression)} to give a number, got ${String(value)}.`);
    },
  };
}

function numbersOf(fields: Readonly<Record<string, unknown>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(fields).filter((entry): entry is [string, number] => typeof entry[1] === "number"),
  );
}
