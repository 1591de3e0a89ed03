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
    cosech: "csch",
    conjugate: "conj",
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
    mapsto: "mapsto",
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
    coloneqq: "=",
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
    "tiny small normalsize large Large LARGE huge Huge underline therefore because " +
    "boxed fbox ensuremath rm bf it mathop mathbin mathrel mathord nonumber noindent hline / ( ) [ ]"
  ).split(" "),
);

/** Commands whose braces hold words. */
export const TEXT_COMMANDS: ReadonlySet<string> = new Set(
  "text textbf textit textrm textsf texttt textnormal textup mbox hbox mathrm operatorname mathtt emph".split(" "),
);

/** Marks over a symbol that make it another symbol. */
export const ACCENTS: ReadonlySet<string> = new Set(
  "bar overline vec hat widehat tilde widetilde overrightarrow dot ddot overleftrightarrow".split(" "),
);

/** Classes of SymPy whose names stand before a bracket. */
export const SYMPY_CLASSES: ReadonlySet<string> = new Set(
  "Matrix Interval Union Intersection FiniteSet Tuple Point Point2D Point3D Eq Rational Integer And Or Piecewise".split(
    " ",
  ),
);

/** Second forms of a Greek letter are the letter. */
export const LETTER_VARIANTS: ReadonlyMap<string, string> = new Map(
  Object.entries({
    varepsilon: "epsilon",
    vartheta: "theta",
    varkappa: "kappa",
    varrho: "rho",
    varsigma: "sigma",
    varphi: "phi",
  }),
);

/** Short words that are answers in themselves, not products of letters. */
export const ANSWER_WORDS: ReadonlySet<string> = new Set(
  "dne yes no odd even all any for none true false not one two three four five six seven eight nine ten zero mon tue wed thu fri sat sun".split(
    " ",
  ),
);

/** Names of Greek letters that are no word or product in plain text; capitals are letters of their own. */
export const GREEK_LETTERS: readonly string[] = (
  "alpha beta gamma delta epsilon zeta eta theta iota kappa lambda mu rho sigma tau phi chi psi omega " +
  "Gamma Delta Theta Lambda Sigma Phi Psi Omega"
).split(" ");

type PlainWord =
  | { readonly type: "operator"; readonly text: string }
  | { readonly type: "command"; readonly name: string };

/** Words of plain text that are an operator or a constant. */
export const PLAIN_WORDS: ReadonlyMap<string, PlainWord> = new Map<string, PlainWord>([
  ["pi", { type: "command", name: "pi" }],
  ["Pi", { type: "command", name: "pi" }],
  ["PI", { type: "command", name: "pi" }],
  ["inf", { type: "command", name: "infty" }],
  ["oo", { type: "command", name: "infty" }],
  ["infty", { type: "command", name: "infty" }],
  ["infinity", { type: "command", name: "infty" }],
  ["and", { type: "operator", text: "and" }],
  ["or", { type: "operator", text: "or" }],
  ["mod", { type: "operator", text: "mod" }],
  ["percent", { type: "operator", text: "%" }],
  ["pct", { type: "operator", text: "%" }],
  ["percentage", { type: "operator", text: "%" }],
  ["degree", { type: "operator", text: "degrees" }],
  ["degrees", { type: "operator", text: "degrees" }],
  ["deg", { type: "operator", text: "degrees" }],
  ["union", { type: "operator", text: "union" }],
  ...GREEK_LETTERS.map((name): [string, PlainWord] => [name, { type: "command", name }]),
]);
