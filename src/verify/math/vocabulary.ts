/** The words and commands of mathematical answers: what the lexer turns names into. Data, no code. */

/** Functions with a value: each is computed by evaluate.ts under this name. */
export const FUNCTIONS: ReadonlySet<string> = new Set(
  (
    "sin cos tan cot sec csc arcsin arccos arctan arccot arcsec arccsc sinh cosh tanh coth sech csch arcsinh arccosh arctanh " +
    "ln log exp sqrt cbrt abs gcd lcm max min floor ceil sgn re im conj arg det tr rank gamma binom factorial root " +
    "cis mod permutations combinations doublefactorial"
  ).split(" "),
);

/** Other spellings of a function, as commands or as words. */
export const FUNCTION_ALIASES: ReadonlyMap<string, string> = new Map(
  Object.entries({
    asin: "arcsin",
    acos: "arccos",
    atan: "arctan",
    acot: "arccot",
    arctg: "arctan",
    arcctg: "arccot",
    tg: "tan",
    ctg: "cot",
    cosec: "csc",
    sh: "sinh",
    ch: "cosh",
    th: "tanh",
    asinh: "arcsinh",
    acosh: "arccosh",
    atanh: "arctanh",
    arsinh: "arcsinh",
    arcosh: "arccosh",
    artanh: "arctanh",
    lg: "log",
    ceiling: "ceil",
    sign: "sgn",
    Re: "re",
    Im: "im",
    GCD: "gcd",
    LCM: "lcm",
    hcf: "gcd",
    Max: "max",
    Min: "min",
    Abs: "abs",
    Gamma: "gamma",
    trace: "tr",
    binomial: "binom",
  }),
);

/** Functions whose names are also common letters or words: only a command, never a bare word, means them. */
export const COMMAND_ONLY: ReadonlySet<string> = new Set([
  "re",
  "im",
  "arg",
  "tr",
  "sh",
  "ch",
  "th",
  "gamma",
  "rank",
  "conj",
  "sgn",
]);

/** LaTeX commands that are an operator or a bracket. */
export const COMMAND_OPERATORS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    cdot: "*",
    times: "*",
    ast: "*",
    div: "/",
    pm: "+-",
    mp: "-+",
    le: "<=",
    leq: "<=",
    leqslant: "<=",
    ge: ">=",
    geq: ">=",
    geqslant: ">=",
    lt: "<",
    gt: ">",
    ne: "!=",
    neq: "!=",
    in: "in",
    notin: "notin",
    subset: "subset",
    subseteq: "subset",
    cup: "union",
    bigcup: "union",
    cap: "intersection",
    bigcap: "intersection",
    setminus: "difference",
    backslash: "difference",
    approx: "approx",
    sim: "approx",
    simeq: "approx",
    cong: "approx",
    equiv: "equiv",
    to: "->",
    rightarrow: "->",
    mid: "mid",
    vert: "|",
    lvert: "|",
    rvert: "|",
    Vert: "||",
    lVert: "||",
    rVert: "||",
    "|": "||",
    lfloor: "lfloor",
    rfloor: "rfloor",
    lceil: "lceil",
    rceil: "rceil",
    langle: "langle",
    rangle: "rangle",
    lbrace: "\\{",
    rbrace: "\\}",
    "{": "\\{",
    "}": "\\}",
    lbrack: "[",
    rbrack: "]",
    land: "and",
    wedge: "and",
    lor: "or",
    vee: "or",
    colon: ":",
    "%": "%",
    over: "over",
    choose: "choose",
    bmod: "mod",
    mod: "mod",
    pmod: "pmod",
    degree: "degrees",
    prime: "'",
    implies: ";",
    Rightarrow: ";",
    "&": "and",
  }),
);

/** Commands without meaning for the value. */
export const IGNORED_COMMANDS: ReadonlySet<string> = new Set(
  (
    "left right mleft mright middle big Big bigg Bigg bigl bigr Bigl Bigr biggl biggr Biggl Biggr displaystyle textstyle " +
    "scriptstyle limits nolimits quad qquad hfill , ; ! : > $ # cdotp mathbf boldsymbol bm mathit mathcal mathsf mathfrak " +
    "boxed fbox ensuremath rm bf it mathop mathbin mathrel mathord nonumber noindent hline / ( ) [ ]"
  ).split(" "),
);

/** Commands whose braces hold words. */
export const TEXT_COMMANDS: ReadonlySet<string> = new Set(
  "text textbf textit textrm textsf texttt textnormal textup mbox hbox mathrm operatorname mathtt emph".split(" "),
);

/** Marks over a symbol that make it another symbol. */
export const ACCENTS: ReadonlySet<string> = new Set(
  "bar overline vec hat widehat tilde widetilde overrightarrow dot ddot underline overleftrightarrow".split(" "),
);

/** Characters outside ASCII, as the LaTeX that means the same. */
export const CHARACTERS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    "\u2212": "-",
    "\u2013": "-",
    "\u2014": "-",
    "\u00d7": "\\times ",
    "\u00b7": "\\cdot ",
    "\u22c5": "\\cdot ",
    "\u2217": "*",
    "\u00f7": "\\div ",
    "\u2215": "/",
    "\u2044": "/",
    "\u00b1": "\\pm ",
    "\u2213": "\\mp ",
    "\u2264": "\\le ",
    "\u2265": "\\ge ",
    "\u2260": "\\ne ",
    "\u2248": "\\approx ",
    "\u2261": "\\equiv ",
    "\u2208": "\\in ",
    "\u2209": "\\notin ",
    "\u222a": "\\cup ",
    "\u2229": "\\cap ",
    "\u2216": "\\setminus ",
    "\u2205": "\\emptyset ",
    "\u221e": "\\infty ",
    "\u221a": "\\sqrt ",
    "\u03c0": "\\pi ",
    "\u211d": "\\mathbb{R}",
    "\u2124": "\\mathbb{Z}",
    "\u211a": "\\mathbb{Q}",
    "\u2115": "\\mathbb{N}",
    "\u2102": "\\mathbb{C}",
    "\u00b0": "^{\\circ}",
    "\u2032": "'",
    "\u2019": "'",
    "\u201c": '"',
    "\u201d": '"',
    "\u2026": "\\ldots ",
    "\u00bd": "\\frac{1}{2}",
    "\u2153": "\\frac{1}{3}",
    "\u2154": "\\frac{2}{3}",
    "\u00bc": "\\frac{1}{4}",
    "\u00be": "\\frac{3}{4}",
    "\u2192": "\\to ",
    "\u03b1": "\\alpha ",
    "\u03b2": "\\beta ",
    "\u03b3": "\\gamma ",
    "\u03b8": "\\theta ",
    "\u03bb": "\\lambda ",
    "\u03bc": "\\mu ",
    "\u03c3": "\\sigma ",
    "\u03c6": "\\phi ",
    "\u03c9": "\\omega ",
    "\u00a0": " ",
    "\u2009": " ",
    "\u202f": " ",
    "\u200b": "",
    "\u20ac": "",
    "\u00a3": "",
    "\u00a5": "",
    "\uff08": "(",
    "\uff09": ")",
    "\uff0c": ",",
    "\uff1a": ":",
    "\u3001": ",",
    "\u3002": ".",
  }),
);

/** Short words that are answers in themselves, not products of letters. */
export const ANSWER_WORDS: ReadonlySet<string> = new Set(
  "dne yes no odd even all any none true false not one two three four five six seven eight nine ten zero mon tue wed thu fri sat sun".split(
    " ",
  ),
);
