/**
 * Calls as programs and computer algebra systems write them, in the notation of the lexer: math.sqrt(2), Sqrt[2], =SQRT(2),
 * Fraction(3, 4), pow(2, 10), Sum[k, {k, 1, n}], COMBIN(5, 2), {x -> 1, y -> 2}.
 *
 * The names of Python, SymPy, NumPy, JavaScript, Mathematica, Maple, Maxima and spreadsheets; a name that is none of theirs stays.
 */
import { FUNCTIONS } from "./vocabulary.ts";

/** Modules whose functions are known by their own names. */
const MODULE = String.raw`(?:c?math|Math|numpy|np|sympy|sp|sym|scipy|torch|jnp|fractions|decimal|statistics)\.`;
const IN_MODULE = new RegExp(String.raw`(?<![\w.\\])${MODULE}(?=[A-Za-z])`, "g");

const CONSTANTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    PI: "pi",
    Pi: "pi",
    E: "e",
    inf: "infinity",
    Infinity: "infinity",
    SQRT2: "sqrt(2)",
    SQRT1_2: "sqrt(1/2)",
  }),
);

/** What a call with these arguments means; null where it means nothing with so many. */
type Call = (args: readonly string[]) => string | null;

function of(arity: number, build: (...args: string[]) => string | null): Call {
  return (args) => (args.length === arity ? build(...args) : null);
}

const power = of(2, (base, exponent) => `((${base})^(${exponent}))`);
const quotient: Call = ([above, below, ...rest]) =>
  above === undefined || rest.length > 0 ? null : below === undefined ? unquoted(above) : `((${above})/(${below}))`;
const binomial = of(2, (n, k) => `\\binom{${n}}{${k}}`);
const permutations = of(2, (n, k) => `\\operatorname{permutations}(${n},${k})`);
const remainder = of(2, (a, b) => `((${a}) \\bmod (${b}))`);
const matrix = of(1, (rows) => (/^[[{]/.test(rows) ? `Matrix(${squared(rows)})` : `\\{${rows}\\}`));
const series: Call = ([term, ...range]) => {
  const bounds = rangeOf(range);
  return bounds === null ? null : `\\sum_{${bounds.name}=${bounds.from}}^{${bounds.to}}(${term})`;
};
const integral: Call = ([integrand, ...range]) => {
  const bounds = rangeOf(range);
  return bounds === null ? null : `\\int_{${bounds.from}}^{${bounds.to}}(${integrand})d${bounds.name}`;
};

/** Called with round brackets. */
const CALLS: ReadonlyMap<string, Call> = new Map([
  ...named("pow Pow POWER", power),
  ...named("Fraction Rational", quotient),
  ...named("comb COMBIN nCr choose Binomial", binomial),
  ...named("perm PERMUT nPr", permutations),
  ...named(
    "FACT",
    of(1, (n) => `factorial(${n})`),
  ),
  ...named(
    "INT",
    of(1, (x) => `floor(${x})`),
  ),
  ...named("mod MOD Mod", remainder),
  ...named("HCF", (args) => `gcd(${args.join(",")})`),
  ...named(
    "complex",
    of(2, (re, im) => `(${re}+(${im})*i)`),
  ),
  ...named(
    "S",
    of(1, (value) => `(${value})`),
  ),
  ...named(
    "PI",
    of(0, () => "pi"),
  ),
  ...named("float", (args) => (/^["'][-+]?inf(?:inity)?["']$/.test(args.join()) ? unquoted(args.join()) : null)),
  ...named(
    "Decimal",
    of(1, (value) => unquoted(value)),
  ),
  ...named("Poly", (args) => args[0] ?? null),
  ...named("array matrix", matrix),
  ...named(
    "det Det",
    of(1, (rows) => (/^[[{]/.test(rows) ? `\\det ${`Matrix(${squared(rows)})`}` : null)),
  ),
  ...named(
    "set frozenset",
    of(1, (items) => (/^\[.*\]$/s.test(items) ? `\\{${items.slice(1, -1)}\\}` : null)),
  ),
  ...named("Sum", series),
  ...named("sum", (args) => (args.length > 1 ? series(args) : null)),
  ...named("integrate Integral int", (args) => (args.length > 1 ? integral(args) : null)),
  ...named("Point2D Point3D", (args) => `(${args.join(",")})`),
]);

/** Called with square brackets; any other function of Mathematica by its own name in lower case. */
const MATHEMATICA: ReadonlyMap<string, Call> = new Map([
  ...named("Log", (args) => logarithm(args.length === 2 ? [args[1]!, args[0]!] : args)),
  ...named(
    "Log10",
    of(1, (x) => `log(${x},10)`),
  ),
  ...named(
    "Log2",
    of(1, (x) => `log(${x},2)`),
  ),
  ...named("Power", power),
  ...named("Rational", quotient),
  ...named("Binomial", binomial),
  ...named("Mod", remainder),
  ...named(
    "Complex",
    of(2, (re, im) => `(${re}+(${im})*i)`),
  ),
  ...named(
    "CubeRoot",
    of(1, (x) => `cbrt(${x})`),
  ),
  ...named(
    "Det",
    of(1, (rows) => `\\det Matrix(${squared(rows)})`),
  ),
  ...named("Sum", series),
  ...named("Integrate", integral),
  ...named(
    "Ceiling",
    of(1, (x) => `ceil(${x})`),
  ),
  ...named(
    "ArcSin ArcCos ArcTan Factorial Floor Sqrt Exp Abs GCD LCM Max Min Sin Cos Tan Cot Sec Csc Sinh Cosh Tanh",
    () => null,
  ),
]);

function named(names: string, call: Call): [string, Call][] {
  return names.split(" ").map((name): [string, Call] => [name, call]);
}

/** log of one argument is the natural one in every language here but spreadsheets. */
function logarithm(args: readonly string[]): string | null {
  return args.length === 1 ? `ln(${args[0]})` : args.length === 2 ? `log(${args.join(",")})` : null;
}

const NAMES = String.raw`modulelog|=?[A-Z]{2,8}\d{0,2}|${[...CALLS.keys(), ...MATHEMATICA.keys()].join("|")}`;
const CALL = new RegExp(String.raw`(?<![\w\\.])(${NAMES})[([]`, "g");
const KNOWN = new Set(["modulelog", ...CALLS.keys(), ...MATHEMATICA.keys()]);

const MAX_CALLS = 40;

/** The text with its calls in our notation; the same text where it has none. At most MAX_CALLS are changed. */
export function withoutPrograms(text: string): string {
  if (!mayCall(text)) return text;
  let plain = text
    .replaceAll(new RegExp(String.raw`(?<![\w.\\])${MODULE}(log)\(`, "g"), "modulelog(")
    .replaceAll(IN_MODULE, "module.")
    .replaceAll(
      /module\.(PI|E|Infinity|inf|SQRT2|SQRT1_2|pi|e)(?![\w(])/g,
      (_, name: string) => CONSTANTS.get(name) ?? name,
    )
    .replaceAll("module.", "")
    .replaceAll(/(?<![\d\s\\%)}])%(pi|e|i|inf)(?![a-z])/g, "$1")
    .replace(/^%(pi|e|i|inf)(?![a-z])/, "$1");
  let from = 0;
  for (let count = 0; count < MAX_CALLS; count++) {
    CALL.lastIndex = from;
    const match = CALL.exec(plain);
    if (match === null) break;
    const start = match.index;
    const opening = start + match[0].length - 1;
    const closing = closingBracket(plain, opening);
    const call =
      closing === -1 ? null : rewritten(match[1]!, plain[opening]!, argumentsIn(plain, opening + 1, closing));
    if (call === null) from = opening + 1;
    else {
      plain = plain.slice(0, start) + call + plain.slice(closing + 1);
      // The arguments may have calls of their own.
      from = start;
    }
  }
  return plain.replaceAll("modulelog(", "log(");
}

/** A cheap look whether there is anything to do: at the names before brackets, not at every letter of a long response. */
function mayCall(text: string): boolean {
  if (text.includes("%") && /%(?:pi|e|i|inf)\b/.test(text)) return true;
  if (/[a-z]\.[A-Za-z]/.test(text) && text.search(IN_MODULE) !== -1) return true;
  for (const bracket of ["(", "["]) {
    for (let at = text.indexOf(bracket); at !== -1; at = text.indexOf(bracket, at + 1)) {
      let start = at;
      while (at - start < MAX_NAME && isWordCharacter(text.charCodeAt(start - 1))) start--;
      if (start === at || text[start - 1] === "\\" || text[start - 1] === ".") continue;
      const name = text.slice(start, at);
      if (KNOWN.has(name) || /^[A-Z]{2,8}\d{0,2}$/.test(name)) return true;
    }
  }
  return false;
}

function isWordCharacter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90) || (code >= 48 && code <= 57) || code === 95;
}

/** No name that is looked for is as long. */
const MAX_NAME = 16;

function rewritten(name: string, opening: string, args: readonly string[]): string | null {
  if (opening === "[") {
    const call = MATHEMATICA.get(name);
    if (call === undefined) return null;
    const lower = name.toLowerCase();
    return call(args) ?? (FUNCTIONS.has(lower) || lower === "factorial" ? `${lower}(${args.join(",")})` : null);
  }
  if (name === "modulelog") return logarithm(args);
  const bare = name.replace("=", "");
  const call = CALLS.get(bare);
  if (call !== undefined) return call(args);
  // A spreadsheet writes SQRT(2).
  const lower = SPREADSHEET.get(bare) ?? bare.toLowerCase();
  return FUNCTIONS.has(lower) && bare !== bare.toLowerCase() ? `${lower}(${args.join(",")})` : null;
}

const SPREADSHEET: ReadonlyMap<string, string> = new Map([
  ["ATAN", "arctan"],
  ["ASIN", "arcsin"],
  ["ACOS", "arccos"],
]);

const MAX_ARGUMENTS = 400;

/** Where the bracket that opens here closes; -1 where it does not within MAX_ARGUMENTS characters. */
function closingBracket(text: string, opening: number): number {
  let depth = 0;
  for (let position = opening; position < Math.min(text.length, opening + MAX_ARGUMENTS); position++) {
    if (/[([{]/.test(text[position]!)) depth++;
    else if (/[)\]}]/.test(text[position]!) && --depth === 0) return position;
  }
  return -1;
}

/** What stands between the commas outside of inner brackets. */
function argumentsIn(text: string, from: number, to: number): string[] {
  const args: string[] = [];
  let depth = 0;
  let start = from;
  for (let position = from; position < to; position++) {
    if (/[([{]/.test(text[position]!)) depth++;
    else if (/[)\]}]/.test(text[position]!)) depth--;
    else if (text[position] === "," && depth === 0) {
      args.push(text.slice(start, position).trim());
      start = position + 1;
    }
  }
  const last = text.slice(start, to).trim();
  return last === "" && args.length === 0 ? [] : [...args, last];
}

interface Range {
  readonly name: string;
  readonly from: string;
  readonly to: string;
}

/** (k, 1, n), {k, 1, n}, k=1..n: null for anything else. */
function rangeOf(args: readonly string[]): Range | null {
  const [, name, from, to] =
    /^[({]\s*([a-z])\s*,\s*([^,]{1,40}?)\s*,\s*([^,]{1,40}?)\s*[)}]$/.exec(args.join(",")) ??
    /^([a-z])\s*=\s*([^.]{1,40})\.\.([^.]{1,40})$/.exec(args.join(",")) ??
    [];
  return name === undefined || from === undefined || to === undefined ? null : { name, from, to };
}

/** {{1, 2}, {3, 4}} as [[1, 2], [3, 4]]. */
function squared(rows: string): string {
  return rows.replaceAll("{", "[").replaceAll("}", "]");
}

function unquoted(text: string): string {
  return text.replaceAll(/^["']|["']$/g, "");
}
