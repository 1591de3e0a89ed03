/**
 * Texts that say nothing, and that judges have been seen to accept: a colon, an empty text, the opening of a solution that never comes.
 *
 * The one-token attacks are those of "One Token to Fool LLM-as-a-Judge" (arXiv 2507.08794); the rule is wider: a text that is made of the
 * words of an opening alone, in whatever order, says nothing, and neither does one that only repeats the question.
 */
import { visible } from "./visible.ts";

/** The master keys of the paper; the first two are the controls that always run. */
export const EMPTY_ANSWERS = [
  ":",
  "",
  ".",
  ",",
  " ",
  "Thought process:",
  "Let's solve this problem step by step.",
  "Solution",
  "解",
  "かいせつ",
  "Respuesta",
] as const;

/** What an opening is about: without one of these, a text of small words may be an answer. */
const OPENERS = wordsOf(
  "solution solve solving answer answers answering response reply explanation reasoning thought thoughts thinking think process " +
    "proof step steps analysis approach " +
    "respuesta solución solucion resolvamos resolver razonamiento paso pasos pensemos réponse raisonnement étape étapes résolvons " +
    "réfléchissons lösung antwort schritt lösen denkprozess resposta solução passo risposta soluzione ragionamento " +
    "решение ответ шаг шагом шагам рассуждение решим подумаем 풀이 정답 해설 답 해결 단계 단계별로 생각",
);

/** Small words of openings. No single letters but the s of "let's": they are choices and variables. */
const FILLERS = wordsOf(
  "let lets s us me we ll will to the this that these here there my our your is are be go now first begin start by through and of in for with " +
    "okay ok so well sure final detailed full correct problem question task " +
    "vamos el la este esta esto problema por par le ce problème lass lassen uns das für wir nun " +
    "давайте эту задачу по за",
);

/** Openings in writing without spaces. */
const UNSPACED =
  /^(?:解答|解析|解説|解题|解決|解决|解|答案|答え|回答|答|思考|过程|過程|推理|分析|让我们|讓我們|我们|我們|一步一步|一步步|逐步|步骤|首先|地|来|來|这个|這個|问题|問題|题目|題目|かいせつ|かいとう|こたえ)+$/u;

/** Words of a question that can be told from an answer; of writing without spaces, characters. */
const MIN_QUESTION = { words: 4, characters: 12 };

/**
 * False where there is nothing to judge: no letter, digit or symbol of meaning (∞, ∅), or the words of an opening and of the question alone.
 * Such a text is wrong unasked, unless it ends with the reference: "The answer is respuesta" says much where that is the word asked for.
 */
export function hasSubstance(text: string, reference?: string, question?: string): boolean {
  const seen = visible(text);
  if (reference !== undefined && seen.trim() !== "" && endsWith(bare(seen), bare(visible(reference)))) return true;
  if (!/[\p{L}\p{N}]|(?![\p{ASCII}])\p{S}/u.test(seen)) return false;
  const own = withoutQuestion(bare(seen), question === undefined ? "" : bare(visible(question)));
  if (own === "") return false;
  const words = own.replaceAll(/\bi (?=(?:will|ll|need|have|should|shall)\b)/g, "").split(" ");
  if (UNSPACED.test(words.join(""))) return false;
  return !words.every((word) => OPENERS.has(word) || FILLERS.has(word)) || !words.some((word) => OPENERS.has(word));
}

/** Without the question as whole words, however often it is repeated. Both as `bare` makes them. */
function withoutQuestion(words: string, question: string): string {
  const isLong = question.split(" ").length >= MIN_QUESTION.words || question.length >= MIN_QUESTION.characters;
  if (!isLong) return words;
  const isWhole = (text: string, end: number) => end === text.length || text[end] === " ";
  return ` ${words}`
    .replaceAll(` ${question}`, (found, at: number, text: string) => (isWhole(text, at + found.length) ? "" : found))
    .trim();
}

function endsWith(words: string, last: string): boolean {
  return words === last || words.endsWith(` ${last}`);
}

/** Letters, digits and symbols, lower case, between single spaces; the text itself where it has none. */
function bare(text: string): string {
  const words = text
    .replaceAll(/[^\p{L}\p{M}\p{N}\p{S}]+|[$^`|~]+/gu, " ")
    .trim()
    .toLowerCase();
  return words === "" ? text.trim() : words;
}

function wordsOf(words: string): ReadonlySet<string> {
  return new Set(words.split(" "));
}
