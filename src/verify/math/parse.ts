/**
 * `parseMath`: the text of one answer, LaTeX or plain, as an expression tree.
 *
 * What is no mathematics is words ("no solution"), so that every answer has a reading; only an empty text, or one past the
 * limits of length, has none. Total: no text makes it throw, and its time is linear in the text.
 */
import { LimitReached } from "./budget.ts";
import { timeOfDay } from "./clock.ts";
import { countsOf } from "./counts.ts";
import { dateOf } from "./dates.ts";
import { type Domain, splitDomain } from "./domain.ts";
import { type Expression, freeSymbols, keyOf, mapChildren, number, product, sum, symbol } from "./expression.ts";
import { parseTokens } from "./grammar.ts";
import { lex, MAX_LENGTH } from "./lexer.ts";
import { plainLatex } from "./markup.ts";
import { numberSetOf } from "./number-sets.ts";
import { numberInWords } from "./number-words.ts";
import type { Notation } from "./numerals.ts";
import { valueInBase } from "./postfix.ts";
import { compare, divide, negate, rational } from "./rational.ts";
import { digitsAndBase, respelled } from "./spellings.ts";
import { isUnitWord, readUnit } from "./units.ts";
import { FUNCTIONS } from "./vocabulary.ts";
import { boundInWords, hasContent, isWords, prepareTokens, wordsOf } from "./words.ts";

/** One answer as it was read. */
export interface Parsed {
  /** The text that was given. */
  readonly source: string;
  readonly expression: Expression;
  /** The reading with commas that separate, where `expression` has taken one for a decimal comma; else null. */
  readonly asList: Expression | null;
  /** The text as words: lower case, without marks and commands; what two text answers are compared by. */
  readonly words: string;
}

export interface ParseOptions {
  /** `plain`: a comma between digits may be a decimal comma. Default: `latex` where the text has a LaTeX mark, else `plain`. */
  readonly notation?: Notation;
}

/** The reading of an answer; null for an empty text and for one longer than 3,000 characters. */
export function parseMath(text: string, { notation }: ParseOptions = {}): Parsed | null {
  if (text.length > MAX_LENGTH) return null;
  const plain = plainLatex(text);
  const source = unwrap(plain);
  if (/^\{\s*\}$/.test(source))
    return { source: text, expression: { kind: "set", items: [] }, asList: null, words: "" };
  if (!hasContent(source)) return null;
  const said = timeOfDay(source) ?? dateOf(source) ?? countsOf(source) ?? boundInWords(source);
  const words = said ?? wordsOf(source);
  if (said !== null) return { source: text, expression: { kind: "text", words }, asList: null, words };
  const read = notation ?? notationOf(plain);
  if (isShortWord(source) || ROMAN_LIST.test(source)) {
    const only = words.replace(/ only$/, "");
    return { source: text, expression: { kind: "text", words: only }, asList: null, words: only };
  }
  const spelled = numberOfWords(source);
  const expression = spelled ??
    parityOf(words) ??
    setInWords(source, words) ??
    readAs(source, read) ?? { kind: "text", words };
  const mayList = spelled !== null ? / and /.test(source) : read === "plain" && notation === undefined;
  const asList = mayList && /\d(?:,| and )[\da]/.test(source) ? readAs(source, "latex") : null;
  return { source: text, expression, asList, words };
}

/** I and III (only): numerals of statements, not factors. */
const ROMAN_LIST =
  /^(?:\\text\s?\{)?(?:I{1,3}|IV|VI{0,3}|IX|X)(?:(?:,? and |, )(?:I{1,3}|IV|VI{0,3}|IX|X))+(?: only)?\}?$|^(?:\\text\s?\{)?(?:I{1,3}|IV|VI{0,3}|IX|X) only\}?$/;

/** "red", "Tom": a vowel between consonants that are not in the order in which factors are written. */
function isShortWord(source: string): boolean {
  const word = source.toLowerCase();
  if (!/^[b-df-hj-np-tv-z][aeou][b-df-hj-np-tv-z]$/.test(word)) return false;
  return [...word].sort().join("") !== word && !FUNCTIONS.has(word);
}

/** "forty-two", \text{one half}, "twenty-five percent", and "3 and 1/4", which may also be two values. */
function numberOfWords(source: string): Expression | null {
  const mixed = /^(-?)(\d{1,9}) and (?:(?:a|one) (half|third|quarter)|(\d{1,9})\/(\d{1,9}))$/.exec(source);
  if (mixed !== null) {
    const [, sign, whole, name, above, below] = mixed;
    const part = numberInWords(`a ${name}`) ?? { numerator: BigInt(above ?? 0), denominator: BigInt(below ?? 1) };
    if (part.numerator >= part.denominator) return null;
    const value = rational(BigInt(whole!) * part.denominator + part.numerator, part.denominator);
    return number(sign === "-" ? negate(value) : value);
  }
  const bare = source.replace(/^\\(?:text|textbf|mathrm|mbox)\s?\{([^{}]{0,200})\}$/, "$1");
  if (!/^[A-Za-z][A-Za-z ,-]{2,200}$/.test(bare)) return null;
  const percent = / ?percent$/i.exec(bare);
  const value = numberInWords(percent === null ? bare : bare.slice(0, percent.index));
  const [, count = "", unit = ""] = /^(.{2,60}) ([a-z]{2,20})$/i.exec(bare) ?? [];
  if (value === null && isUnitWord(unit)) {
    const measure = numberInWords(count);
    return measure === null ? null : { kind: "with-unit", value: number(measure), unit };
  }
  if (value === null) return null;
  return percent === null ? number(value) : { kind: "percent", value: number(value) };
}

/** "all real numbers", "all reals except 3": a number set by its name, perhaps without some numbers. */
function setInWords(source: string, words: string): Expression | null {
  const named = numberSetOf(words);
  if (named !== null) return named;
  const [, , taken] = /^(.{4,60}?),? (?:except(?: for)?|other than|excluding)(?![a-z])(.{1,80})$/s.exec(source) ?? [];
  const whole =
    taken === undefined
      ? null
      : numberSetOf(wordsOf(source.slice(0, source.length - taken.length)).replace(EXCEPT, ""));
  const out =
    whole === null || taken === undefined ? null : readAs(taken.replaceAll(/\\text\s?\{|[{}$]/g, " "), "latex");
  if (whole === null || out === null) return null;
  const items = (out.kind === "list" ? out.items : [out]).map((item) =>
    item.kind === "relation" ? item.sides.at(-1)! : item,
  );
  return { kind: "set-operation", name: "difference", sides: [whole, { kind: "set", items }] };
}

const EXCEPT = /,? (?:except(?: for)?|other than|excluding)$/;

/** The mathematics of the text, or null where it is words or nothing that the grammar knows. */
function readAs(source: string, notation: Notation): Expression | null {
  const whole = digitsInBase(source) ?? attempt(withoutStrayBrace(source), notation);
  if (whole !== null) return whole;
  // The last side of a chain may be readable where the working before it is not: it stays the end of a chain.
  const parts = source.split("=");
  if (parts.length < 2 || /(?<!\\)[,;<>]/.test(source)) return null;
  const last = attempt(parts.at(-1)!, notation);
  if (last === null) return null;
  const working = parts.slice(1).map(() => symbol("working"));
  return { kind: "relation", sides: [...working, last], operators: working.map(() => "=") };
}

/** \end{pmatrix}}: a last brace that closes nothing, as careless cutting leaves it. */
function withoutStrayBrace(source: string): string {
  if (!source.endsWith("}") || source.endsWith("\\}")) return source;
  const braces = source.match(/(?<!\\)[{}]/g) ?? [];
  return braces.filter((brace) => brace === "}").length === braces.length / 2 + 0.5 ? source.slice(0, -1) : source;
}

function digitsInBase(source: string): Expression | null {
  const found = digitsAndBase(source);
  return found === null ? null : caught(() => valueInBase(found.digits, found.base));
}

function attempt(source: string, notation: Notation): Expression | null {
  return caught(() => {
    const all = lex(respelled(source), notation);
    const split = splitDomain(all);
    const tokens = prepareTokens(split?.tokens ?? all);
    if (tokens.length === 0 || isWords(tokens)) return null;
    const value = normalise(parseTokens(tokens));
    if (split !== null) return familyOf(value, split.domain);
    return value.kind === "number" && isDollars(source) ? { kind: "with-unit", value, unit: "dollars" } : value;
  });
}

/** The value with its parameters, where it has them: "x > 3, x in Z" is about x itself. */
function familyOf(value: Expression, { parameters, domain }: Domain): Expression {
  // f(x) = 0 for all x: the argument is no parameter of the value.
  const isFunction = value.kind === "relation" && value.sides[0]!.kind === "call" && value.operators.join() === "=";
  const names = freeSymbols(isFunction ? value.sides[1]! : value);
  const used = parameters.filter((name) => names.has(name));
  const isAboutThem =
    value.kind === "relation" && value.sides[0]?.kind === "symbol" && used.includes(value.sides[0].name);
  return used.length === 0 || isAboutThem ? value : { kind: "family", value, parameters: used, domain };
}

/** \$18.50 and $18.50: the sign is the unit, which only matters against another unit of money. */
function isDollars(source: string): boolean {
  return /^-?\s?(?:US)?(?:\\\$|\$|\\text\{\\?\$\})\s?-?[\d.,{}\\! ]+$/.test(source);
}

/** The value, or null where a limit or the grammar stopped it. */
function caught(parse: () => Expression | null): Expression | null {
  try {
    return parse();
  } catch (error) {
    // Too deep a stack is a limit as well, though MAX_DEPTH comes first.
    if (error instanceof LimitReached || error instanceof RangeError) return null;
    throw error;
  }
}

function notationOf(text: string): Notation {
  return /[\\${}^_]/.test(text) ? "latex" : "plain";
}

/** Without the marks of a formula around the whole ($…$, \(…\), \[…\], \boxed{…}) and the full stop behind it. */
function unwrap(text: string): string {
  // A mark of emphasis without its partner: 42** apples.
  let source = text.replace(/^([^*]{1,200})\*\*(?= [a-z])/, "$1").trim();
  for (let round = 0; round < 6; round++) {
    const before = source;
    source = source.replace(/(?<![.\\])[.,;:]$/, "").trimEnd();
    for (const [open, close] of WRAPPERS) {
      if (source.length < open.length + close.length || !source.startsWith(open) || !source.endsWith(close)) continue;
      const inside = source.slice(open.length, source.length - close.length);
      if (close === "}" ? isBalanced(inside) : !inside.includes(close)) source = inside.trim();
    }
    if (source === before) break;
  }
  return source;
}

const WRAPPERS: readonly (readonly [open: string, close: string])[] = [
  ["$$", "$$"],
  ["$", "$"],
  ["\\(", "\\)"],
  ["\\[", "\\]"],
  ["\\boxed{", "}"],
  ["\\fbox{", "}"],
  ["**", "**"],
  ["__", "__"],
];

/** True when no brace of the inside closes one of the outside. */
function isBalanced(inside: string): boolean {
  let depth = 0;
  for (let position = 0; position < inside.length; position++) {
    if (inside[position] === "\\") position++;
    else if (inside[position] === "{") depth++;
    else if (inside[position] === "}" && --depth < 0) return false;
  }
  return depth === 0;
}

/** A(1, 2) says A = (1, 2), while C(5, 2) and P(5, 2) may also be numbers of combinations and permutations. R - {1} is a difference of sets. */
function readAnew(node: Expression): Expression {
  if (node.kind === "sum" && node.terms.length === 2 && node.terms[0]!.kind === "number-set") {
    const [set, taken] = node.terms;
    const isTaken = taken!.kind === "product" && taken!.factors.length === 2 && taken!.factors[1]!.kind === "set";
    const removed = isTaken && keyOf(taken!.factors[0]!) === "-1/1" ? taken!.factors[1]! : null;
    return removed === null ? node : { kind: "set-operation", name: "difference", sides: [set!, removed] };
  }
  if (node.kind !== "product" || node.factors.length !== 2) return node;
  const [label, point] = node.factors;
  const isPoint =
    label!.kind === "symbol" &&
    /^[ABD-OQ-Z](?:_\w+)?'?$/.test(label!.name) &&
    point!.kind === "tuple" &&
    point!.open === "(";
  return isPoint ? { kind: "relation", sides: [label!, point!], operators: ["="] } : node;
}

/** Assignments to several values are spread over them: x = 1, 2 is x = 1, x = 2. "k in Z" behind an answer says what k is. */
function normalise(node: Expression): Expression {
  if (node.kind !== "list") return readAnew(node);
  const list = { ...node, items: node.items.map(readAnew) };
  const items = list.items.filter(
    (item, index) => index === 0 || !(isDomain(item) || isExcluded(item, list.items[0]!)),
  );
  if (items.length === 1) return items[0]!;
  const measured = compoundMeasure(items);
  if (measured !== null) return measured;
  const congruences = congruencesOf(items);
  if (congruences !== null) return congruences;
  const first = items[0]!;
  const isAssignment = first.kind === "relation" && /^!?=$/.test(first.operators.join());
  if (
    !isAssignment ||
    first.sides[0]!.kind !== "symbol" ||
    items.slice(1).some((item) => item.kind === "relation" || item.kind === "list")
  ) {
    return { ...list, items };
  }
  const [variable] = first.sides;
  const rest = items.slice(1).map((item): Expression => ({ ...first, sides: [variable!, item] }));
  return { ...list, items: [first, ...rest] };
}

/** 2 hours 30 minutes, 5 ft 6 in: one value, where the units measure the same and fall in size. */
function compoundMeasure(items: readonly Expression[]): Expression | null {
  const parts = items.map((item) =>
    item.kind === "with-unit" ? { value: item.value, measure: readUnit(item.unit) } : null,
  );
  const first = parts[0];
  if (first == null || items[0]?.kind !== "with-unit") return null;
  const shares: Expression[] = [];
  let last = first;
  for (const part of parts) {
    if (part === null || !part.measure.isKnown || part.measure.dimension !== first.measure.dimension) return null;
    if (part !== first && compare(part.measure.factor, last.measure.factor) >= 0) return null;
    shares.push(product([part.value, number(divide(part.measure.factor, first.measure.factor))]));
    last = part;
  }
  return { kind: "with-unit", value: sum(shares), unit: items[0].unit };
}

function isDomain(node: Expression): boolean {
  return node.kind === "relation" && node.operators[0] === "in" && node.sides[1]?.kind === "number-set";
}

/** x = 1, 3 modulo 4, where the modulus stands behind the last residue. */
function congruencesOf(items: readonly Expression[]): Expression | null {
  const [first, last] = [items[0]!, items.at(-1)!];
  const isOpen = first.kind === "relation" && first.operators.join() === "=";
  if (!isOpen || last.kind !== "call" || last.name !== "mod") return null;
  const [residue, modulus] = last.args;
  const residues = [first.sides[1]!, ...items.slice(1, -1), residue!];
  const [left] = first.sides;
  const all = residues.map((right): Expression => ({ kind: "congruence", left: left!, right, modulus: modulus! }));
  return { kind: "list", items: all, joiner: "or" };
}

/** "n is odd" as n = 1 modulo 2. */
function parityOf(words: string): Expression | null {
  const [, letter, parity] = /^([a-z]) is (odd|even)(?: (?:integer|number))?$/.exec(words) ?? [];
  if (letter === undefined) return null;
  return { kind: "congruence", left: symbol(letter), right: number(parity === "odd" ? 1 : 0), modulus: number(2) };
}

/** x != 1 behind what depends on x: where the formula has no value, which it says itself. */
function isExcluded(node: Expression, value: Expression): boolean {
  if (node.kind !== "relation" || node.operators.join() !== "!=") return false;
  const [left] = node.sides;
  if (left?.kind !== "symbol" || !freeSymbols(value).has(left.name)) return false;
  if (value.kind !== "relation") return true;
  const [name] = value.sides;
  return value.operators.join() === "=" && name !== undefined && keyOf(name) !== keyOf(left);
}

/** The same expression with every letter in lower case, as Math-Verify compares them. */
export function lowerCase(node: Expression): Expression {
  // A capital of Greek is another letter; a capital of Latin is, as in Math-Verify, the same.
  if (node.kind === "symbol") return /^[A-Z][a-z]/.test(node.name) ? node : { ...node, name: node.name.toLowerCase() };
  const changed = mapChildren(node, lowerCase);
  if (changed.kind === "series") return { ...changed, variable: changed.variable.toLowerCase() };
  if (changed.kind === "family")
    return { ...changed, parameters: changed.parameters.map((name) => name.toLowerCase()) };
  return changed.kind === "call" && !changed.known ? { ...changed, name: changed.name.toLowerCase() } : changed;
}
