/**
 * From the text of an answer, LaTeX or plain, to tokens: one pass, each step of which moves on, so that the time is linear.
 *
 * What depends on spelling alone is settled here: numbers with thousands and decimals, commands and words that mean the same,
 * marks without meaning. Throws LimitReached where a number or the whole is too long.
 */
import { toAscii } from "./ascii.ts";
import { LimitReached } from "./budget.ts";
import { scaleOf } from "./number-words.ts";
import { type Notation, readNumber } from "./numerals.ts";
import type { Rational } from "./rational.ts";
import { isPrefixedUnit, isUnitWord } from "./units.ts";
import {
  ANSWER_WORDS,
  COMMAND_ONLY,
  COMMAND_OPERATORS,
  FUNCTION_ALIASES,
  FUNCTIONS,
  IGNORED_COMMANDS,
  LETTER_VARIANTS,
  PLAIN_WORDS,
  SYMPY_CLASSES,
  TEXT_COMMANDS,
} from "./vocabulary.ts";

/** `spaced`: white space stands before the token. */
export type Token = { readonly spaced: boolean } & (
  | { readonly type: "number"; readonly value: Rational; readonly decimal: boolean; readonly text: string }
  /** A letter or a Greek letter. */
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "function"; readonly name: string }
  /** A LaTeX command that the parser knows (frac, sum …) or a symbol of that name. */
  | { readonly type: "command"; readonly name: string }
  | { readonly type: "operator"; readonly text: string }
  /** Words. */
  | { readonly type: "text"; readonly text: string }
);

/** Longer texts, and texts of more tokens, are no answers. */
export const MAX_LENGTH = 3_000;
const MAX_TOKENS = 1_000;

const LETTERS = /[A-Za-z]+/y;
const COMMAND = /\\(?:[A-Za-z]+|[\s\S]?)/y;
const EAST_ASIAN = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}]/u;
const EAST_ASIAN_RUN = /[\p{sc=Han}\p{sc=Hira}\p{sc=Kana}\p{sc=Hang}]+/uy;
/** ^{\prime} and ^\prime. */
const RAISED_PRIMES = /\^\s?(?:\\prime(?![a-zA-Z])|\{\s?(?:(?:\\prime(?![a-zA-Z])|')\s?){1,3}\})/y;
/** .\\overline{3} */
const BARE_REPETEND = /\.\\(?:overline|bar|dot)\s?\{?\d/y;
const ELLIPSIS = /\.{3,}|\\(?:ldots|dots[bcimo]?|cdots)(?![a-zA-Z])/y;

/** Commands whose braces say nothing about the value. */
const WITHOUT_CONTENT: ReadonlySet<string> = new Set("tag label hspace vspace phantom color textcolor".split(" "));

/** Upright bold i, j and k are the unit vectors; other letters are the same in bold. */
const BOLD: ReadonlySet<string> = new Set(["mathbf", "boldsymbol", "bm", "bf"]);
const UNIT_VECTOR = /\s?(?:\{\s?[ijk]\s?\}|[ijk](?![a-zA-Z]))/y;

/** A times sign behind a letter that is marked as a vector is the cross product. */
const AFTER_VECTOR =
  /(?:\\(?:vec|overrightarrow|hat|mathbf|boldsymbol|bm)\s?(?:\{[^{}]{1,20}\}|[A-Za-z])|\\nabla) ?\\times$/;

/** Throws LimitReached past MAX_LENGTH characters, MAX_TOKENS tokens, or too many digits of a number. */
export function lex(source: string, notation: Notation): Token[] {
  if (source.length > MAX_LENGTH) throw new LimitReached("length");
  const text = toAscii(source);
  const tokens: Token[] = [];
  let position = 0;
  let spaced = false;
  /** Open brackets: inside them a comma always separates. */
  let depth = 0;

  const matchAt = (pattern: RegExp, at = position): string | null => {
    pattern.lastIndex = at;
    return pattern.exec(text)?.[0] ?? null;
  };
  const push = (token: TokenBody) => {
    if (tokens.length === MAX_TOKENS) throw new LimitReached("tokens");
    tokens.push({ ...token, spaced });
    spaced = false;
  };
  const operator = (name: string) => {
    // ]0, 1[ opens with the bracket that closes elsewhere.
    if (name === "(" || name === "[" || name === "\\{" || (name === "]" && depth === 0)) depth++;
    else if (name === ")" || name === "]" || name === "\\}") depth--;
    push({ type: "operator", text: name });
  };
  /** The text inside braces from here, or the next character; moves past it. Unclosed braces reach to the end. */
  const argument = (): string => {
    while (text[position] === " ") position++;
    if (text[position] !== "{") return text[position++] ?? "";
    let open = 0;
    const start = position + 1;
    for (; position < text.length; position++) {
      if (text[position] === "\\") position++;
      else if (text[position] === "{") open++;
      else if (text[position] === "}" && --open === 0) break;
    }
    position++;
    return text.slice(start, position - 1);
  };

  while (position < text.length) {
    const char = text[position]!;
    if (isBlank(char)) {
      spaced = true;
      position++;
    } else if (
      isDigit(char) ||
      (char === "." && (isDigit(text[position + 1] ?? "") || matchAt(BARE_REPETEND) !== null))
    ) {
      const read = readNumber(text, position, notation, depth > 0);
      position = read.end;
      push({ type: "number", value: read.value, decimal: read.decimal, text: text.slice(read.start, read.end) });
    } else if (isLetter(char)) {
      const run = matchAt(LETTERS)!;
      position += run.length;
      const last = tokens.at(-1);
      const setOperator = wordBetweenSets(run, last, text.slice(position, position + 12));
      if (setOperator !== null) {
        operator(setOperator);
        continue;
      }
      if (/^(?:minus|negative)$/i.test(run) && /^\s+(?:[\d.($\\]|inf|oo)/.test(text.slice(position, position + 5))) {
        operator("-");
        continue;
      }
      if (
        /^[xX]$/.test(run) &&
        last?.type === "number" &&
        /^\s*10\s*(?:\^|\*\*)/.test(text.slice(position, position + 8))
      ) {
        // 3 x 10^8: a letter x before a power of ten is a sign.
        operator("*");
        continue;
      }
      const afterValue =
        last !== undefined && (last.type === "number" || (last.type === "operator" && /^[)}\]]$/.test(last.text)));
      const next = text.slice(position, position + 2);
      if (spaced && afterValue && isPrefixedUnit(run)) {
        push({ type: "text", text: run });
        continue;
      }
      // 5 kg 300 g: the second unit of a measure.
      const afterUnit = /^\s*$/.test(text.slice(position)) && isUnit(tokens.at(-2)) && last?.type === "number";
      for (const token of readWord(run, next, afterValue, afterUnit)) {
        push(token);
      }
    } else if (char === "\\") {
      if (matchAt(ELLIPSIS) !== null) {
        position += matchAt(ELLIPSIS)!.length;
        push({ type: "command", name: "ldots" });
        continue;
      }
      const quotientOfUnits = tokens.length > 0 ? UNIT_FRACTION.exec(text.slice(position, position + 120)) : null;
      if (quotientOfUnits !== null) {
        // \frac{\text{m}}{\text{s}^2} after a value, as \text{m}/\text{s}^2.
        position += quotientOfUnits[0].length;
        const [above, below] = [quotientOfUnits[1]!, quotientOfUnits[2]!].map((part) => unitTokens(part));
        for (const token of [...above!, { type: "operator", text: "/" } as const, ...below!]) push(token);
        continue;
      }
      const name = matchAt(COMMAND)!.slice(1);
      position += name.length + 1;
      if (name === "\\") {
        // A doubled backslash before a command is a slip; elsewhere it ends a row.
        if (/[A-Za-z]/.test(text[position] ?? "") && !text.includes("\\begin")) position--;
        else operator("newline");
      } else if (name === "" || /\s/.test(name)) spaced = true;
      else if (name === "not" && matchAt(NEGATED) !== null) {
        const negated = matchAt(NEGATED)!;
        position += negated.length;
        operator(NEGATIONS.get(negated.trim()) ?? "!=");
      } else if (TEXT_COMMANDS.has(name)) {
        const words = argument();
        const unit = words.trim();
        const last = tokens.at(-1);
        if (last?.type === "command" && last.name === "mu" && isPrefixedUnit(`mu${unit}`)) {
          tokens.pop();
          push({ type: "text", text: `mu${unit}` });
        } else if (isUprightUnit(unit, tokens)) push({ type: "text", text: unit });
        else for (const token of readText(words, /^(?:mathrm|operatorname|textit)$/.test(name))) push(token);
        spaced = true;
      } else if (name === "begin" || name === "end") push({ type: "operator", text: `${name}:${argument().trim()}` });
      else if (name === "mathbb" || name === "Bbb") push({ type: "command", name: `mathbb:${argument().trim()}` });
      else if (BOLD.has(name) && matchAt(UNIT_VECTOR) !== null) {
        const unit = matchAt(UNIT_VECTOR)!;
        position += unit.length;
        push({ type: "command", name: `unit:${/[ijk]/.exec(unit)![0]}` });
      } else if (IGNORED_COMMANDS.has(name)) {
        if ((name === "left" || name === "right") && text[position] === ".") position++;
        if (name === "," || name === ";" || name === ":" || name === "quad" || name === "qquad") spaced = true;
      } else if (WITHOUT_CONTENT.has(name)) argument();
      else if (name === "times" && AFTER_VECTOR.test(text.slice(Math.max(0, position - 40), position)))
        operator("cross");
      else if (COMMAND_OPERATORS.has(name)) operator(COMMAND_OPERATORS.get(name)!);
      else if (
        FUNCTIONS.has(FUNCTION_ALIASES.get(name) ?? name) &&
        name !== "sqrt" &&
        name !== "binom" &&
        name !== "gamma"
      ) {
        push({ type: "function", name: FUNCTION_ALIASES.get(name) ?? name });
      } else for (const token of readCommand(name)) push(token);
    } else if (char > "\x7f" && EAST_ASIAN.test(char)) {
      // Words; behind a number a unit, with what the number is times before it: 4.2\u4e07\u5143.
      const run = matchAt(EAST_ASIAN_RUN)!;
      position += run.length;
      const isScaled = tokens.at(-1)?.type === "number" && scaleOf(run[0]!) !== null;
      for (const part of isScaled ? [run[0]!, run.slice(1)] : [run])
        if (part !== "") push({ type: "text", text: part });
    } else if (char === "." && matchAt(ELLIPSIS) !== null) {
      position += matchAt(ELLIPSIS)!.length;
      push({ type: "command", name: "ldots" });
    } else if (char === "^" && matchAt(RAISED_PRIMES) !== null) {
      const marks = matchAt(RAISED_PRIMES)!;
      position += marks.length;
      for (const _ of marks.matchAll(/\\prime|'/g)) operator("'");
    } else {
      if (text.startsWith("=/=", position)) {
        position += 3;
        operator("!=");
        continue;
      }
      if (text.startsWith("+/-", position) || (position === 0 && text.startsWith("+-"))) {
        position += text.indexOf("-", position) + 1 - position;
        operator("+-");
        continue;
      }
      const connective = connectiveAt(text, position, tokens.at(-1));
      if (connective !== null) {
        position++;
        operator(connective);
        continue;
      }
      const two = text.slice(position, position + 2);
      const pair = TWO_CHARACTERS.get(two);
      if (pair !== undefined) {
        position += 2;
        operator(pair);
      } else {
        position++;
        operator(char === "&" && notation === "plain" ? "and" : char);
      }
    }
  }
  return tokens;
}

/** 5\text{m} and 1.6\times10^{-19}\,\text{C}: an upright letter behind a number is its unit, a capital only where it stands apart. */
function isUprightUnit(word: string, before: readonly Token[]): boolean {
  const [previous, last] = [before.at(-2), before.at(-1)];
  const isJoined = previous?.type === "text" && last?.type === "operator" && /^[*/]$/.test(last.text);
  if (/^[a-z]$/.test(word) && (last?.type === "number" || isJoined)) return isUnitWord(word);
  if (!/^[ACFJKNVW]$/.test(word) || before.some(({ type }) => type === "name" || type === "text")) return false;
  return last?.type === "number" || (last?.type === "operator" && last.text === "}");
}

function isUnit(token: Token | undefined): boolean {
  return token?.type === "text" && isUnitWord(token.text);
}

/** (1, 2) U (3, 4): between two brackets the letter is a union. "k in Z": between a letter and a set the word is membership. */
function wordBetweenSets(run: string, last: Token | undefined, next: string): "union" | "in" | null {
  const isClosing = last?.type === "operator" && /^(?:\)|\]|\\\})$/.test(last.text);
  if (run === "U" || run === "u") return isClosing && /^\s*(?:\\left)?\s*(?:[([]|\\?\{)/.test(next) ? "union" : null;
  return run === "in" && last?.type === "name" && /^\s+(?:[ZNQRC](?![a-z])|\\mathbb|[([{])/.test(next) ? "in" : null;
}

const UPRIGHT_WORD = String.raw`\\(?:text|mathrm|rm|mbox)\s?\{[A-Za-z ]{1,30}\}(?:\^(?:\d|\{-?\d\}))?`;
const UNIT_FRACTION = new RegExp(String.raw`^\\[dt]?frac\{ ?(${UPRIGHT_WORD}) ?\}\{ ?(${UPRIGHT_WORD}) ?\}`);

/** \text{m}^2 as a word and its power; a word of one letter is no label here. */
function unitTokens(source: string): TokenBody[] {
  const [, word = "", exponent] = /\{([A-Za-z ]+)\}(?:\^\{?(-?\d))?/.exec(source) ?? [];
  const mark: TokenBody[] = exponent === undefined ? [] : [{ type: "operator", text: "^" }, ...lex(exponent, "latex")];
  return [{ type: "text", text: word.trim() }, ...mark];
}

/** (x < 1) | (x > 3) and (x > 1) & (x < 3), as SymPy prints conditions; elsewhere the signs are bars and alignment marks. */
function connectiveAt(text: string, position: number, last: Token | undefined): "and" | "or" | null {
  const char = text[position];
  if ((char !== "&" && char !== "|") || last?.type !== "operator" || last.text !== ")") return null;
  if (!/^.\s*\(/.test(text.slice(position, position + 8)) || !/[<>=]/.test(text) || text.includes("\\begin"))
    return null;
  return char === "&" ? "and" : "or";
}

/** A relation behind \\not. */
const NEGATED = /\s*(?:[=<>]|\\(?:in|leq?|geq?)(?![a-zA-Z]))/y;
const NEGATIONS: ReadonlyMap<string, string> = new Map([
  ["<", ">="],
  [">", "<="],
  ["\\le", ">"],
  ["\\leq", ">"],
  ["\\ge", "<"],
  ["\\geq", "<"],
  ["\\in", "notin"],
]);

type TokenBody = Token extends infer T ? (T extends Token ? Omit<T, "spaced"> : never) : never;

const TWO_CHARACTERS: ReadonlyMap<string, string> = new Map([
  ["**", "^"],
  [":=", "="],
  ["<=", "<="],
  [">=", ">="],
  ["!=", "!="],
  ["==", "="],
  ["=<", "<="],
  ["=>", ";"],
  ["->", "->"],
  ["~=", "approx"],
  ["||", "||"],
]);

function isDigit(char: string): boolean {
  return char >= "0" && char <= "9" && char.length === 1;
}

function isLetter(char: string): boolean {
  return (char >= "a" && char <= "z") || (char >= "A" && char <= "Z");
}

/** White space, and marks without meaning. */
function isBlank(char: string): boolean {
  return char === " " || char === "$" || char === "~" || char === '"' || char === "`" || /\s/.test(char);
}

/** A command that is none of the lexer's own. "\\cotx" and "\\pir" are slips for "\\cot x" and "\\pi r". */
function readCommand(name: string): TokenBody[] {
  const [known, letter] = [name.slice(0, -1), name.slice(-1)];
  if (known === "pi") return [{ type: "command", name: known }, ...lettersOf(letter)];
  const functionName = isLetter(letter) ? functionOf(known) : null;
  if (functionName === null || known === "sqrt" || known === "binom")
    return [{ type: "command", name: LETTER_VARIANTS.get(name) ?? name }];
  return [{ type: "function", name: functionName }, ...lettersOf(letter)];
}

/** Words of plain text that are an operator, a function or a constant; every other run is words or single letters. */
function readWord(run: string, next: string, afterValue: boolean, afterUnit: boolean): TokenBody[] {
  if (SYMPY_CLASSES.has(run) && /^[.(]/.test(next)) return [{ type: "text", text: run }];
  if (/^[LR]?open$/.test(run) && next.startsWith("(")) return [{ type: "text", text: run }];
  if (/^(?:sum|prod|int)$/.test(run) && next.startsWith("_")) return [{ type: "command", name: run }];
  const meaning = PLAIN_WORDS.get(run) ?? (run.length > 2 ? PLAIN_WORDS.get(run.toLowerCase()) : undefined);
  if (meaning !== undefined) return [meaning];
  const functionName = functionOf(run);
  if (functionName !== null && !(afterValue && run === "min" && !next.trimStart().startsWith("("))) {
    return [{ type: "function", name: functionName }];
  }
  // 1 h 30 min: no product has a number behind.
  if (run.length === 1 && afterValue && isUnitWord(run) && (/^ \d/.test(next) || afterUnit))
    return [{ type: "text", text: run }];
  if (run.length > 1 && afterValue && (isUnitWord(run) || run === "per" || run === "is"))
    return [{ type: "text", text: run }];
  if (run.length > 3 && next.startsWith("(")) {
    // "xsin(" and the like: a function glued to letters.
    for (let cut = 1; cut <= 2; cut++) {
      const tail = functionOf(run.slice(cut));
      if (tail !== null) return [...lettersOf(run.slice(0, cut)), { type: "function", name: tail }];
    }
  }
  for (const name of ["sin", "cos", "tan", "log", "ln"]) {
    const tail = run.slice(name.length);
    if (run.startsWith(name) && tail.length === 1) return [{ type: "function", name }, ...lettersOf(tail)];
  }
  if (run.length > 3 || ANSWER_WORDS.has(run.toLowerCase())) return [{ type: "text", text: run }];
  return lettersOf(run);
}

function functionOf(word: string): string | null {
  const name = FUNCTION_ALIASES.get(word) ?? word;
  const isLetters = COMMAND_ONLY.has(word) || (COMMAND_ONLY.has(name) && word.length < 4);
  return FUNCTIONS.has(name) && !isLetters && word.length > 1 ? name : null;
}

function lettersOf(run: string): TokenBody[] {
  return [...run].map((name) => ({ type: "name", name }));
}

/** Functions that are no unit and no label, so that \text{sin} is the sine. */
const UPRIGHT_FUNCTION = /^(?:(?:arc)?(?:sin|cos|tan|cot)|ln|log|exp|gcd|lcm)$/;

/** 2x, 1/2, x + 1: a number or letters with an operator, and no unit or word of two letters. */
function isFormula(words: string): boolean {
  if (!/^[\dA-Za-z\s.,()^+\-*/=]{2,60}$/.test(words) || /[A-Za-z]{2}/.test(words)) return false;
  const unit = /^[\d.,\s-]+([A-Za-z])$/.exec(words);
  return unit !== null ? !isUnitWord(unit[1]!) : /[\da-z)]\s?[-+*/^=]\s?[\da-z(]/.test(words);
}

/** The tokens of \text{…}: a connective, a letter, a number, a function's name, or words. */
function readText(content: string, isUpright: boolean): TokenBody[] {
  const words = content.trim().replaceAll(/\s+/g, " ");
  const bare = words.replace(/^\((.*)\)$/, "$1").replace(/\.$/, "");
  if (words === "") return [];
  const labelled = /^([A-Za-z][A-Za-z ]{0,40}:) (?=[-\d$\\])/.exec(words);
  if (labelled !== null) {
    return [{ type: "text", text: labelled[1]! }, ...readText(words.slice(labelled[0].length), isUpright)];
  }
  // Signs in upright type: \text{-}, \text{\$}, \text{%}.
  if (!/[A-Za-z0-9]/.test(words)) return lex(words, "latex");
  if (/^(?:,|;|and|or|, ?and|, ?or|&)$/.test(words)) {
    return [{ type: "operator", text: words.replace(/^, ?(?=[a-z])/, "").replace("&", "and") }];
  }
  // \text{ and all primes}: the word at the edge joins two values.
  const joined = /^(and|or) (.+)$/.exec(words);
  if (joined !== null) return [{ type: "operator", text: joined[1]! }, ...readText(joined[2]!, isUpright)];
  const meaning = PLAIN_WORDS.get(bare.toLowerCase());
  if (meaning !== undefined) return [meaning];
  if (/^[A-Za-z]$/.test(bare)) {
    // An upright letter of mathematics is the letter itself; a letter among words is a label, never e or i.
    return isUpright ? [{ type: "name", name: bare }] : [{ type: "command", name: bare }];
  }
  const name = FUNCTION_ALIASES.get(bare) ?? bare;
  if (FUNCTIONS.has(name) && (isUpright || UPRIGHT_FUNCTION.test(bare))) return [{ type: "function", name }];
  if (isFormula(bare)) return lex(bare, "latex");
  // Words that begin with a number: it is the value, and they are its unit.
  const measured = /^(-?\d[\d.,]{0,40}) ?([A-Za-z][A-Za-z ]{0,40})?$/.exec(bare);
  if (measured !== null) {
    const unit: TokenBody[] = measured[2] === undefined ? [] : [{ type: "text", text: measured[2] }];
    return [...lex(measured[1]!, "latex"), ...unit];
  }
  return [{ type: "text", text: words }];
}
