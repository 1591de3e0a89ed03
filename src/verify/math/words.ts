/** Answers in words: which texts are words, and how two of them are compared; and the words around a formula that say nothing. */
import type { Token } from "./lexer.ts";

/** Lower case, single blanks, without LaTeX marks, articles, brackets around the whole and the full stop at the end. */
export function wordsOf(source: string): string {
  const bare = source
    .replaceAll(
      /\\(?:text[a-z]*|mbox|mathrm|mathbf|mathit|operatorname|left|right|boxed|displaystyle|rm|bf)(?![a-zA-Z])/g,
      "",
    )
    .replaceAll(/\\[ ,;!:]|~|\$|\{|\}|\*\*|["`]/g, (mark) => (/\s|,|;|:|~/.test(mark) ? " " : ""))
    // right-triangle and right triangle.
    .replaceAll(/(?<=[A-Za-z]{2})-(?=[A-Za-z]{2})/g, " ")
    .replaceAll(/\s+/g, " ")
    .trim()
    .toLowerCase();
  return bare
    .replace(/[.,;:!]$/, "")
    .replace(/^\((.*)\)$/, "$1")
    .replace(/^(?:the )?(?:final |correct )?answer(?: is|:)\s+(?=\S)/, "")
    .replaceAll(/\b(?:an? (?=[a-z]{2})|the (?=[a-z]))/g, "")
    .trim();
}

const BOUND_BEFORE =
  /^(?:(at least|no (?:less|fewer) than|not (?:less|fewer) than)|(at most|up to|no more than|not more than)|(more than|greater than|over|above)|(less than|fewer than|under|below)) (-?\d[\d.,/]{0,40})(?: .*)?$/;
const BOUND_BEHIND =
  /^(-?\d[\d.,/]{0,40})(?: [a-z]+)?,? (?:(or (?:more|greater|above|higher))|(or (?:less|fewer|below|lower)))$/;

/** "at least 5", "12 or more": a bound, which is no value; in one spelling. null for any other text. */
export function boundInWords(source: string): string | null {
  if (
    source.length > MAX_BOUND ||
    !/than|least|most|up|over|under|above|below|more|less|fewer|greater|higher|lower/.test(source)
  )
    return null;
  const words = wordsOf(source).replaceAll(/(?<=[a-z])(?=-?\d)|(?<=\d)(?=[a-z])/g, " ");
  const [, least, most, more, less, number] = BOUND_BEFORE.exec(words) ?? [];
  if (number !== undefined) return `${least ? ">=" : most ? "<=" : more ? ">" : less ? "<" : ""} ${number}`;
  const behind = BOUND_BEHIND.exec(words);
  return behind === null ? null : `${behind[2] === undefined ? "<=" : ">="} ${behind[1]}`;
}

const MAX_BOUND = 100;

/** False for a text of nothing but blanks, braces and marks. */
export function hasContent(source: string): boolean {
  return /[^\s{}$\\.,;:]|\\[{a-zA-Z]/.test(source);
}

/** True when the tokens are words and letters without any number or operator: "no solution", "Tuesday". */
export function isWords(tokens: readonly Token[]): boolean {
  const isPlain = tokens.every(
    (token) =>
      token.type === "text" ||
      token.type === "name" ||
      (token.type === "operator" && /^(?:-|'|\(|\)|\.|!|\?|and|or|mod)$/.test(token.text)),
  );
  return isPlain && tokens.some((token) => token.type === "text");
}

/** Words that begin a side remark: what follows them is no part of the answer. */
const REMARK = /^\s*(?:if|where|for|when|with|since|because|provided|such that|is|are)\b/i;

/** Words before a value that only introduce it. */
const LABEL = /(?::| is|\u662f|\u4e3a)$|^(?:approximately|approx\.?|about|around|roughly|nearly|exactly)$/i;

/** The tokens without the remarks after a formula, the label before it, and the marks at either end. */
export function prepareTokens(tokens: readonly Token[]): Token[] {
  if (isPiecewise(tokens)) return [...tokens];
  let depth = 0;
  let end = tokens.length;
  for (let i = 0; i < end; i++) {
    const token = tokens[i]!;
    if (token.type === "operator") {
      if (/^(?:\(|\[|\{|\\\{|begin:.*)$/.test(token.text)) depth++;
      else if (/^(?:\)|\]|\}|\\\}|end:.*)$/.test(token.text)) depth--;
    }
    if (i > 0 && depth === 0 && token.type === "text" && REMARK.test(token.text) && !isPredicate(tokens, i)) end = i;
    if (i > 0 && depth === 0 && token.type === "command" && token.name === "forall") end = i;
    if (i > 0 && depth === 1 && isOperatorText(token, "(") && isAside(tokens[i + 1])) end = i;
  }
  let start = 0;
  while (start < end && (isMark(tokens[start]) || isOpening(tokens[start]))) start++;
  const first = tokens[start];
  if (first?.type === "text" && LABEL.test(first.text.trim()) && start + 1 < end) start++;
  while (end > start && isMark(tokens[end - 1])) end--;
  return asDefinition(tokens.slice(start, end));
}

/** "n is prime": what is said of a letter alone is the answer. */
function isPredicate(tokens: readonly Token[], at: number): boolean {
  const [subject, said] = tokens;
  return at === 1 && subject?.type === "name" && said?.type === "text" && /^\s*(?:is|are)\b/i.test(said.text);
}

/** "x if x > 0 and -x if x < 0", "1 if n is even, 0 otherwise": conditions that are part of the answer. */
function isPiecewise(tokens: readonly Token[]): boolean {
  if (tokens.some((token) => token.type === "operator" && token.text.startsWith("begin:"))) return false;
  const conditions = tokens
    .filter(({ type }, index) => index > 0 && type === "text")
    .map((token) => (token.type === "text" ? token.text : ""));
  const numConditions = conditions.filter((text) => /^\s*(?:if|for|when)\b/i.test(text)).length;
  return numConditions > 1 || (numConditions > 0 && conditions.some((text) => /\b(?:otherwise|else)\b/i.test(text)));
}

/** f: x -> 2x as f(x) = 2x. */
function asDefinition(tokens: Token[]): Token[] {
  const at = tokens.findIndex((token) => token.type === "operator" && token.text === "mapsto");
  const argument = tokens[at - 1];
  if (at < 1 || at > 3 || argument?.type !== "name") return tokens;
  const [name, colon] = tokens;
  const isNamed = at === 3 && name?.type === "name" && colon?.type === "operator" && colon.text === ":";
  if (at !== 1 && !isNamed) return tokens;
  const operator = (text: string): Token => ({ type: "operator", text, spaced: false });
  const f: Token = isNamed ? name : { type: "name", name: "f", spaced: false };
  return [f, operator("("), argument, operator(")"), operator("="), ...tokens.slice(at + 1)];
}

/** What begins an approximation or another form in brackets: 1/3 (about 0.33). */
function isAside(token: Token | undefined): boolean {
  if (token?.type === "text")
    return /^(?:about|or about|approx|approximately|approx\.|i\.e\.|that is|rounded)\b/i.test(token.text);
  return isOperatorText(token, "approx");
}

function isOperatorText(token: Token | undefined, text: string): boolean {
  return token?.type === "operator" && token.text === text;
}

/** A sign whose left side is missing: "= 5", and 8.24 after an approximation sign. */
function isOpening(token: Token | undefined): boolean {
  return token?.type === "operator" && (token.text === "=" || token.text === "approx");
}

function isMark(token: Token | undefined): boolean {
  return token?.type === "operator" && /^(?:[.,;:?]|newline|and|or|&)$/.test(token.text);
}
