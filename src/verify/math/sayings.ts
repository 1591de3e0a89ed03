/** Answers in words: which say that there is nothing, and which say the same in other words. */
import { type Expression, keyOf } from "./expression.ts";
import { different, same, type Verdict } from "./options.ts";

/** The empty set, or words that say so. */
export function isNothing(node: Expression): boolean {
  if (node.kind === "set") return node.items.length === 0;
  return node.kind === "text" && NO_SOLUTION.test(node.words);
}

/** Words that say no more than that a kind of numbers is meant: all odd n, odd integers. */
const FILLERS = /\b(?:all|every|any|set of|such that|where|is|are|be|values?|numbers?|integers?|[a-z])\b/g;
/** Kinds of whole numbers. */
const KINDS = /\b(?:odd|even|prime|composite|multiple of|power of|perfect square)/;
/** The subject of a sentence about what a question is about. */
const SUBJECT =
  /^(?:it|this|series|sequence|integral|limit|set|function|matrix|system|statement|vectors|lines) (?:is|are) (?!not\b)/;
/** What a winner does. */
const WINS = / (?:(?:always )?wins|can (?:always )?win|will win|has (?:a )?winning strategy)$/;

/** The words without what another answer would leave out: "the series converges" is convergent, "Yes, it is" yes. */
function senseOf(words: string): string {
  const [, verdict] = /^(yes|no)[,.;:] (?!.*\b(?:yes|no|or|maybe|perhaps|unless)\b)/.exec(words) ?? [];
  if (verdict !== undefined) return verdict;
  const bare = words
    .replace(/\b(con|di)verges$/, (_, stem: string) => `is ${stem}vergent`)
    .replace(/^is (?=(?:con|di)vergent$)/, "")
    .replace(SUBJECT, "")
    .replace(WINS, "");
  const kind = bare
    .replaceAll(/\bprimes\b/g, "prime")
    .replaceAll(/(?<=\b(?:multiple|power|square))s\b/g, "")
    .replaceAll(/\btwo\b/g, "2")
    .replaceAll(/\bthree\b/g, "3");
  if (!KINDS.test(kind) || /\b(?:not|except|but|neither|or|and)\b/.test(kind)) return SENSE.get(bare) ?? bare;
  return kind.replaceAll(FILLERS, " ").replaceAll(/\s+/g, " ").trim();
}

/** Ways to say that an expression has no value, and that solutions have no end. */
const SAYINGS = [
  /^(?:it |limit )?(?:dne|does not exist|(?:is )?(?:undefined|not defined))$/,
  /^(?:there are |(?:it|equation|system) has )?(?:infinitely many|(?:an )?infinite number(?: of)?|infinite)(?: (?:real )?solutions?)?$/,
  /^(?:(?:it|this) is )?(?:impossible|not possible)$/,
];
const NO_SOLUTION =
  /^(?:there (?:is|are) |(?:it|equation|system|inequality) has )?no (?:(?:real|integer|positive|valid) )?(?:solutions?|such(?: [a-z]+){0,2})(?: exists?)?$|^(?:none|empty ?set|null set|s\.emptyset)$|^(?:(?:es gibt )?keine l\u00f6sung(?:en)?|(?:pas de|aucune) solutions?|(?:no (?:tiene|hay) soluci\u00f3n(?:es)?|sin soluci\u00f3n)|nessuna soluzione|sem solu\u00e7\u00e3o|(?:\u043d\u0435\u0442|\u0431\u0435\u0437) \u0440\u0435\u0448\u0435\u043d\u0438\u0439|\u65e0(?:\u5b9e\u6570)?\u89e3|\u7121\u89e3|\u89e3\u306a\u3057)$/;

function meaning(sense: string, words: string): [word: string, sense: string][] {
  return words.split(" ").map((word): [string, string] => [word, sense]);
}

/** Words that mean the same as an answer. */
const SENSE: ReadonlyMap<string, string> = new Map([
  ...meaning(
    "yes",
    "true oui vrai ja wahr richtig s\u00ed si verdadero vero sim verdadeiro \u0434\u0430 \u0432\u0435\u0440\u043d\u043e \u662f \u5bf9 \u6b63\u786e \u306f\u3044",
  ),
  ...meaning(
    "no",
    "false non faux nein falsch falso falsa n\u00e3o \u043d\u0435\u0442 \u043d\u0435\u0432\u0435\u0440\u043d\u043e \u043b\u043e\u0436\u044c \u5426 \u9519 \u9519\u8bef \u4e0d\u6b63\u786e \u3044\u3044\u3048",
  ),
  ["mon", "monday"],
  ["tue", "tuesday"],
  ["tues", "tuesday"],
  ["wed", "wednesday"],
  ["thu", "thursday"],
  ["thurs", "thursday"],
  ["fri", "friday"],
  ["sat", "saturday"],
  ["sun", "sunday"],
]);

/** Whether two answers in words say the same. */
export function equalWords(gold: Expression, pred: Expression): Verdict {
  const [a, b] = [lettersOf(gold), lettersOf(pred)];
  if (a === b || plainWords(a) === plainWords(b)) return same("the same words");
  if (senseOf(a) === senseOf(b)) return same("the same, in another word");
  const isSaid = SAYINGS.some((saying) =>
    [gold, pred].every((node) => node.kind === "text" && saying.test(node.words)),
  );
  return isSaid ? same("the same, in other words") : different("different words");
}

/** Without commas between words; quadrants by their number. */
function plainWords(words: string): string {
  const bare = words.replaceAll(/(?<=[a-z]),(?= [a-z])/g, "");
  const [, numeral, ordinal] = QUADRANT.exec(bare) ?? [];
  if (numeral === undefined && ordinal === undefined) return bare;
  const index = numeral === undefined ? ORDINALS.findIndex((each) => each.test(ordinal!)) : NUMERALS.indexOf(numeral);
  return `quadrant ${index === -1 ? numeral : index + 1}`;
}

const QUADRANT =
  /^(?:in )?(?:quadrant |q ?)(i{1,3}|iv|[1-4])$|^(?:in )?(first|second|third|fourth|1st|2nd|3rd|4th) quadrant$/;
const NUMERALS: readonly string[] = ["i", "ii", "iii", "iv"];
const ORDINALS: readonly RegExp[] = [/^(?:first|1)/, /^(?:second|2)/, /^(?:third|3)/, /^(?:fourth|4)/];

/** The letters of words, or of a product of symbols: Evelyn may be read as either. */
function lettersOf(node: Expression): string {
  if (node.kind === "text") return node.words;
  if (node.kind === "symbol" || node.kind === "constant") return node.name;
  return node.kind === "product" ? node.factors.map(lettersOf).join("") : keyOf(node);
}
