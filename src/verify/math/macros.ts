/**
 * Macros of LaTeX packages and of layout, as the plain LaTeX that the lexer knows: \SI{5}{m/s} (siunitx), \dv{y}{x} (physics),
 * \nicefrac{3}{4}, \textcolor[rgb]{1,0,0}{42}, \overset{!}{=}, \begin{eqnarray*}.
 *
 * One pass from left to right; the arguments of a macro are expanded once each, so the time is linear in the text.
 */

interface Macro {
  /** Braced arguments; with fewer than so many behind it the macro stays as it is. */
  readonly arity: number;
  readonly expand: (args: readonly string[], option: string | null) => string;
}

function macros(arity: number, names: string, expand: Macro["expand"]): [string, Macro][] {
  return names.split(" ").map((name): [string, Macro] => [name, { arity, expand }]);
}

const MACROS: ReadonlyMap<string, Macro> = new Map([
  ...macros(2, "nicefrac sfrac flatfrac xfrac textfrac cfrac", ([a, b]) => `\\frac{${a}}{${b}}`),
  ...macros(6, "genfrac", ([, , , , a, b]) => `\\frac{${a}}{${b}}`),
  // siunitx, and units.sty.
  ...macros(2, "SI", ([value, unit]) => quantity(value!, unit!)),
  ...macros(1, "num", ([value]) => numberOf(value!)),
  ...macros(1, "ang", ([angle]) => angleOf(angle!)),
  ...macros(1, "si unit", ([unit], value) => (value === null ? unitOf(unit!) : quantity(value, unit!))),
  ...macros(2, "unitfrac", ([above, below], value) => quantity(value ?? "", `${above}/${below}`)),
  // physics.
  ...macros(1, "abs", ([inside]) => `\\operatorname{abs}(${inside})`),
  ...macros(1, "norm", ([inside]) => `\\left\\|${inside}\\right\\|`),
  ...macros(1, "pqty", ([inside]) => `(${inside})`),
  ...macros(1, "bqty", ([inside]) => `[${inside}]`),
  ...macros(1, "Bqty set Set", ([inside]) => `\\{${inside}\\}`),
  ...macros(1, "mqty pmqty bmqty matrixquantity pmatrix bmatrix", ([rows]) => environment("pmatrix", rows!)),
  ...macros(1, "mdet vmqty vmatrix", ([rows]) => environment("vmatrix", rows!)),
  ...macros(2, "dv derivative", ([above, below], order) => derivative("d", above!, below!, order)),
  ...macros(2, "pdv partialderivative", ([above, below], order) => derivative("\\partial ", above!, below!, order)),
  ...macros(1, "dd", ([variable]) => `\\,d${variable}`),
  ...macros(1, "vb vectorbold", ([letter]) => `\\mathbf{${letter}}`),
  ...macros(1, "vu vectorunit", ([letter]) => `\\hat{${letter}}`),
  ...macros(1, "va vectorarrow", ([letter]) => `\\vec{${letter}}`),
  ...macros(1, "ce", ([formula]) => formula!.replaceAll(/(?<=[A-Za-z)\]])(\d+)/g, "_{$1}")),
  // Colours, frames and places: the last argument is what is seen.
  ...macros(2, "textcolor colorbox raisebox enclose href style class", ([, inside]) => inside!),
  ...macros(3, "fcolorbox", ([, , inside]) => inside!),
  ...macros(1, "color", (args, model) => (model === null ? `\\color{${args[0]}}` : "")),
  ...macros(
    1,
    "bbox smash uuline uline hl mathclose mathopen mathpunct mathbin mathrel mathord",
    ([inside]) => inside!,
  ),
  ...macros(1, "framebox", ([inside]) => `\\fbox{${inside}}`),
  ...macros(1, "textmd textsc", ([inside]) => `\\text{${inside}}`),
  ...macros(1, "mathnormal bold mathbold pmb", ([inside]) => inside!),
  ...macros(4, "mathchoice", ([inside]) => inside!),
  ...macros(1, "vphantom hspace vspace", () => " "),
  // What stands over or under a sign or a value says nothing about it.
  ...macros(2, "underset", ([, inside]) => inside!),
  ...macros(2, "overset stackrel", ([mark, inside]) => (/^\\cdot\s?$/.test(mark!) ? `\\dot{${inside}}` : inside!)),
  ...macros(1, "underbrace overbrace", ([inside]) => inside!),
]);

const MAX_NESTING = 8;

/** The text with its macros expanded; the same text where there is none. */
export function withoutMacros(text: string): string {
  // A mark in braces of its own: 3{:}4, 1{.}200.
  const unbraced = /\{[:./=]\}/.test(text) ? text.replaceAll(/(?<![_^}])\{([:./=])\}/g, "$1") : text;
  if (!unbraced.includes("\\")) return raisedFractions(unbraced);
  const raised = raisedFractions(unbraced);
  if (!hasChangeable(raised)) return raised;
  const bare = plainCommands(raised);
  return expanded(bare, 0, bare.length, closingBraces(bare), 0);
}

/** A cheap look whether there is anything to do: one pass over the names of commands, of which most texts have none that is changed. */
function hasChangeable(text: string): boolean {
  for (let at = text.indexOf("\\"); at !== -1; at = text.indexOf("\\", at + 1)) {
    let end = at + 1;
    while (isLetter(text.charCodeAt(end))) end++;
    const name = text.slice(at + 1, end);
    if (CHANGEABLE.has(name)) return true;
    if (text[end] === "[" && POWERED.test(name)) return true;
    const isUpright = name === "text" || name === "mathrm" || name === "mbox";
    if (isUpright && /^\s?\{[\\0\u221a]/.test(text.slice(end, end + 3))) return true;
  }
  return false;
}

function isLetter(code: number): boolean {
  return (code >= 97 && code <= 122) || (code >= 65 && code <= 90);
}

/** \sin[2]: a power in square brackets. */
const POWERED = /^(?:sin|cos|tan|cot|sec|csc|log|ln)$/;

function expanded(text: string, from: number, to: number, closing: ReadonlyMap<number, number>, depth: number): string {
  let result = "";
  let done = from;
  const command = /\\([A-Za-z]+)\*?/g;
  command.lastIndex = from;
  for (let match = command.exec(text); match !== null && match.index < to; match = command.exec(text)) {
    const call = callAt(text, match[1]!, command.lastIndex, to, closing);
    if (call === null || depth === MAX_NESTING) continue;
    const args = call.args.map(([start, end]) => expanded(text, start, end, closing, depth + 1));
    const value = call.macro.expand(args, call.option);
    // A power of the whole is of the whole: x^\textcolor{red}{12}.
    const isScript = /[\^_]\s?$/.test(text.slice(Math.max(0, match.index - 2), match.index));
    result += text.slice(done, match.index) + (isScript && !value.startsWith("{") ? `{${value}}` : value);
    done = call.end;
    command.lastIndex = call.end;
  }
  return result + text.slice(done, to);
}

interface MacroCall {
  readonly macro: Macro;
  readonly option: string | null;
  readonly args: readonly (readonly [start: number, end: number])[];
  readonly end: number;
}

/** The arguments behind a name; null where it is no macro, or some are missing. */
function callAt(
  text: string,
  name: string,
  from: number,
  to: number,
  closing: ReadonlyMap<number, number>,
): MacroCall | null {
  let macro = MACROS.get(name);
  if (macro === undefined && name !== "qty") return null;
  let position = skipBlanks(text, from);
  let option: string | null = null;
  if (text[position] === "[" && name !== "qty") {
    const end = text.slice(position, position + 80).indexOf("]");
    if (end === -1) return null;
    option = text.slice(position + 1, position + end);
    position = skipBlanks(text, position + end + 1);
  }
  const args: [number, number][] = [];
  // \qty(…) is a bracket that grows, \qty{5}{m} a quantity, \qty{…} a bracket of braces.
  const numWanted = macro?.arity ?? 2;
  while (args.length < numWanted && text[position] === "{") {
    const end = closing.get(position);
    if (end === undefined || end >= to) return null;
    args.push([position + 1, end]);
    position = end + 1;
    if (text[skipBlanks(text, position)] === "{" && args.length < numWanted) position = skipBlanks(text, position);
  }
  if (macro === undefined) macro = args.length === 2 ? MACROS.get("SI")! : args.length === 1 ? BRACKET : NOTHING;
  if (/^[mpb]?mqty$/.test(name) && args.length === 0) return matrixInBrackets(text, position, to);
  if (args.length < macro.arity) return null;
  // \underbrace{x}_{n}: its remark goes with it.
  if (/^(?:under|over)brace$/.test(name)) {
    const at = skipBlanks(text, position);
    const remark = /[_^]/.test(text[at] ?? "") ? closing.get(skipBlanks(text, at + 1)) : undefined;
    if (remark !== undefined && remark < to) position = remark + 1;
  }
  return { macro, option, args, end: position };
}

const BRACKET: Macro = { arity: 1, expand: ([inside]) => `(${inside})` };
const NOTHING: Macro = { arity: 0, expand: () => "" };

/** \mqty(1 & 2 \\ 3 & 4). */
function matrixInBrackets(text: string, from: number, to: number): MacroCall | null {
  const close = { "(": ")", "[": "]", "|": "|" }[text[from] ?? ""];
  const end = close === undefined ? -1 : text.slice(from + 1, Math.min(to, from + 400)).indexOf(close);
  if (end === -1) return null;
  const macro = MACROS.get(close === "|" ? "vmqty" : "pmqty")!;
  return { macro, option: null, args: [[from + 1, from + 1 + end]], end: from + end + 2 };
}

function skipBlanks(text: string, from: number): number {
  let position = from;
  while (text[position] === " ") position++;
  return position;
}

/** Where each opening brace closes. */
function closingBraces(text: string): ReadonlyMap<number, number> {
  const closing = new Map<number, number>();
  const open: number[] = [];
  for (let position = 0; position < text.length; position++) {
    const char = text[position];
    if (char === "\\") position++;
    else if (char === "{") open.push(position);
    else if (char === "}") {
      const start = open.pop();
      if (start !== undefined) closing.set(start, position);
    }
  }
  return closing;
}

function quantity(value: string, unit: string): string {
  if (/^\s*(?:\\degree|\\deg|deg|\\arcdegree)\s*$/.test(unit)) return `${numberOf(value)}^{\\circ}`;
  return /^\s*\\percent\s*$/.test(unit) ? `${numberOf(value)}\\%` : `${numberOf(value)}\\,${unitOf(unit)}`;
}

/** 12 345,67 and 2.5 x 10^-3, as siunitx reads them. */
function numberOf(value: string): string {
  const bare = value.replaceAll(/(?<=\d)\s+(?=\d)/g, "").replace(/^(-?\d+),(\d+)$/, "$1.$2");
  return bare.replace(/\s?x\s?10\s?\^\s?\{?(-?\d+)\}?/, "e$1");
}

/** \kilo\gram\per\cubic\meter as \text{kilogram/cubic meter}. */
function unitOf(unit: string): string {
  if (/^\s*\\percent\s*$/.test(unit)) return "\\%";
  const words = unit
    .replaceAll(/\\(?:per)(?![a-z])/g, "/")
    .replaceAll(/\\(?:squared|tothe\{2\})(?![a-z])/g, "^2")
    .replaceAll(/\\cubed(?![a-z])/g, "^3")
    .replaceAll(/\\(square|cubic)(?![a-z])/g, "$1 ")
    .replaceAll(/\\(kilo|mega|giga|tera|deci|centi|milli|micro|nano|pico)\s?\\?(?=[a-z])/g, " $1")
    .replaceAll(/\\([A-Za-z]+)/g, " $1")
    .replaceAll(/[.~]/g, " ")
    .replaceAll(/\s*\/\s*/g, "/")
    .trim();
  return `\\text{${words}}`;
}

/** 12;30;15 as degrees, minutes and seconds. */
function angleOf(angle: string): string {
  const [degrees = "", minutes = "", seconds = ""] = angle.split(";").map((part) => part.trim());
  const parts = [minutes === "" ? "" : `${minutes}'`, seconds === "" ? "" : `${seconds}''`];
  return `${degrees === "" ? "0" : degrees}^{\\circ}${parts.join("")}`;
}

function derivative(sign: string, above: string, below: string, order: string | null): string {
  const power = order === null ? "" : `^{${order}}`;
  return `\\frac{${sign}${power}${above}}{${sign}${below}${power}}`;
}

function environment(name: string, rows: string): string {
  return `\\begin{${name}}${rows}\\end{${name}}`;
}

/** Commands without arguments that have a plain spelling, line ends in tables, and environments that are only layout. */
function plainCommands(text: string): string {
  let plain = text
    .replaceAll(PLAIN_COMMAND, (_, name: string) => PLAIN_COMMANDS.get(name) ?? "")
    .replaceAll(/\\(?:kern|mkern|mskip|hskip)\s?-?[\d.]{1,8}\s?(?:em|ex|pt|mu|cm|mm)/g, " ")
    .replaceAll(/\{\s?(\d{1,15})\s?\\over\s?(\d{1,15})\s?\}/g, "\\frac{$1}{$2}")
    .replaceAll(/\\(sin|cos|tan|cot|sec|csc|log|ln)\[(\d)\]/g, "\\$1^{$2}")
    // A formula in upright type is the formula.
    .replaceAll(
      /\\(?:text|mathrm|mbox)\s?\{(\\[dt]?frac\{[^{}]{1,80}\}\{[^{}]{1,80}\}|\\\{[^{}\\]{1,80}\\\}|0x[\dA-Fa-f]{1,40}|\u221a)\}/g,
      "$1",
    );
  if (plain.includes("\\begin")) {
    plain = plain
      .replaceAll(
        /\\left\s?\|\s?\\begin\{(?:array\}\s?\{[|lcr ]{0,20}|matrix)\}([\s\S]{1,600}?)\\end\{(?:array|matrix)\}\s?\\right\s?\|/g,
        "\\begin{vmatrix}$1\\end{vmatrix}",
      )
      .replaceAll(
        /\\left\s?\\\{\s?\\begin\{array\}\s?\{[|lcr ]{0,20}\}([\s\S]{1,600}?)\\end\{array\}\s?\\right\s?\./g,
        "\\begin{cases}$1\\end{cases}",
      )
      .replaceAll(
        /\\left\s?\\\{\s?\\begin\{(aligned|matrix|gathered)\}([\s\S]{1,600}?)\\end\{\1\}\s?\\right\s?\./g,
        "\\begin{aligned}$2\\end{aligned}",
      )
      .replaceAll(/&\s?=\s?&/g, "&=")
      .replaceAll(/\\\\\s?\[-?[\d.]{1,8}\s?(?:pt|mm|cm|em|ex|in)\]/g, "\\\\")
      .replaceAll(/\\(begin|end)\s?\{(?:center|math|displaymath|multline|flalign|alignat)\*?\}/g, " ")
      .replaceAll(/\\(begin|end)\s?\{tabular\}/g, "\\$1{array}")
      .replaceAll(/\\(begin|end)\s?\{(?:psmall|bsmall|bNice|pNice|B)[mM]atrix\}/g, "\\$1{pmatrix}")
      .replaceAll(/\\(begin|end)\s?\{([pbv]?matrix)\*\}(?:\[[lcr]\])?/g, "\\$1{$2}")
      .replaceAll(
        /\\begin\{array\}\s?\{[|lcr\s]{0,8}\}((?:[^\\&{}]|\\(?!\\|begin|end)){0,200})(?:\\\\\s?(?:\\hline)?\s?)?\\end\{array\}/g,
        " $1 ",
      );
  }
  return plain;
}

/** {}^3/_4 and ^{3}\!/_{4}. */
function raisedFractions(text: string): string {
  return /\/[\\!\s]*_/.test(text)
    ? text.replaceAll(
        /(?<![A-Za-z\d)\]}])(?:\{\})?\^(?:(\d)|\{(\d{1,9})\})\s?(?:\\!)?\/(?:\\!)?\s?_(?:(\d)|\{(\d{1,9})\})/g,
        (_, a, b, c, d) => `\\frac{${a ?? b}}{${c ?? d}}`,
      )
    : text;
}

const PLAIN_COMMANDS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    cr: "\\\\ ",
    newline: "\\\\ ",
    tabularnewline: "\\\\ ",
    slash: "/",
    surd: "\\sqrt ",
    bullet: "\\cdot ",
    smallsetminus: "\\setminus ",
    reals: "\\mathbb{R}",
    R: "\\mathbb{R}",
    Z: "\\mathbb{Z}",
    Q: "\\mathbb{Q}",
    N: "\\mathbb{N}",
    C: "\\mathbb{C}",
    pod: "\\pmod",
    leqq: "\\le ",
    geqq: "\\ge ",
    triangleq: "=",
    doteq: "=",
    textdegree: "^{\\circ}",
    textpercent: "\\%",
    cent: "\\text{ cents}",
    infinity: "\\infty ",
    lparen: "(",
    rparen: ")",
    bfseries: "",
    strut: "",
    mathstrut: "",
    notag: "",
    qed: "",
    blacksquare: "",
    pounds: "",
    euro: "",
    EUR: "",
  }),
);

const PLAIN_COMMAND = new RegExp(String.raw`\\(${[...PLAIN_COMMANDS.keys()].join("|")})(?![a-zA-Z])\s?`, "g");

const CHANGEABLE: ReadonlySet<string> = new Set([
  ...MACROS.keys(),
  ...PLAIN_COMMANDS.keys(),
  ..."qty begin end over kern mkern mskip hskip".split(" "),
]);
