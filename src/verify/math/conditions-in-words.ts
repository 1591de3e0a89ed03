/**
 * Sets, points and assignments as words, braces of programs and other languages write them, in the notation of the lexer: "all reals
 * except 1", {x | x < 3}, {x: 1, y: 2}, {{x -> -3}, {x -> 3}}, (2|-1), <1, 2>, x < 1 || x > 2, x = 1 und y = 2.
 */

const REALS = String.raw`(?:(?:the set of )?(?:all )?(?:real numbers?|reals)|\\mathbb\{R\}|\\R|\u211d|R)(?: x)?`;
const EXCEPT = new RegExp(
  String.raw`^${REALS}\s?(?:,|\\text\s?\{)?\s?(?:except(?: for)?|excluding|other than|but)\s?\}?\s?(?:x\s?=\s?)?(-?[\w\\{}/.,\u221a\u03c0 -]{1,60})$`,
);
const SUCH_THAT = new RegExp(`^${REALS},? (?:such that|where|with) (x .{1,60})$`);

/** The answer with these in the notation of the lexer; the same text where it has none. */
export function conditionsWritten(source: string): string {
  const except = EXCEPT.exec(source);
  if (except !== null && /\d/.test(except[1]!)) {
    return `\\mathbb{R}\\setminus\\{${except[1]!.replaceAll(/,? and /g, ",")}\\}`;
  }
  const condition = SUCH_THAT.exec(source);
  if (condition !== null) return condition[1]!;
  if (/^[{[<(]|^\\(?:left|lt)|\([^()]*\|/.test(source)) {
    const bracketed = inBraces(source) ?? inBars(source) ?? inAngles(source);
    if (bracketed !== null) return bracketed;
  }
  const map = /^([a-z])\s?(?:->|\u2192|\\to(?![a-z]))\s?(.{1,200})$/.exec(source);
  if (map !== null && new RegExp(`(?<![A-Za-z])${map[1]}(?![A-Za-z])`).test(map[2]!))
    return `${map[1]}\\mapsto ${map[2]}`;
  const anonymous = /^lambda ([a-z]): ?(.{1,200})$/.exec(source);
  if (anonymous !== null) return anonymous[2]!;
  return withSetMinus(connected(source));
}

/** R \ {1}, where the backslash stands alone. */
function withSetMinus(source: string): string {
  return source.replace(
    /^(\u211d|\u2124|\u211a|\u2115|R|Z|Q|N)\s?\\\s?\{([^{}\\]{1,80})\}$/,
    (_, set: string, taken: string) => {
      return `${set < "a" ? `\\mathbb{${set}}` : set}\\setminus\\{${taken}\\}`;
    },
  );
}

const OR = /\s(?:\|\||ou|oder|\u0438\u043b\u0438|o|of|lub)\s/;
const AND = /\s(?:&&|et|und|\u0438|y|e|en)\s/;

/** x < 1 || x > 2, and the connectives of other languages, between relations. */
function connected(source: string): string {
  for (const [word, meaning] of [
    [/\s?\\q?quad\s?(?=[a-z](?:_\d)?\s?=)/, ", "],
    [OR, " or "],
    [AND, " and "],
  ] as const) {
    if (!word.test(source)) continue;
    const parts = source.split(word);
    if (parts.length < 6 && parts.every((part) => /^\s*[-\w(|\\].*[<>=\u2264\u2265\u2260]/.test(part)))
      return parts.join(meaning);
  }
  return source;
}

const ASSIGNMENT = /^\s*["']?([A-Za-z]\w?)["']?\s*(?::|=|->|\u2192|\\to(?![a-z]))\s*([^:={}]{1,60})\s*$/;

/** {x | x < 3} is a set; {x: 1, y: 2}, {x -> 1} and {{x -> 1}, {x -> 2}} are assignments. */
function inBraces(source: string): string | null {
  const whole = /^(?:\{(.{1,300})\}|\[(.{1,300}(?:->|\u2192).{0,300})\])$/.exec(source);
  if (whole === null) return null;
  const inside = (whole[1] ?? whole[2])!;
  if (
    /^\s*[a-z](?:\s?(?:\u2208|\\in)[^|:]{1,40})?\s*(?:[|:\u2223]|\\mid)[^=<>\u2264\u2265\u2260]{0,60}?(?:[<>\u2264\u2265\u2260]|\\[lg]e)/.test(
      inside,
    )
  ) {
    return `\\{${inside}\\}`;
  }
  const groups = /^\s*\{/.test(inside)
    ? [...inside.matchAll(/\{([^{}]{1,200})\}/g)].map(([, group]) => group!)
    : [inside];
  const assignments = groups.flatMap((group) => group.split(",")).map((item) => ASSIGNMENT.exec(item));
  return assignments.length === 0 || assignments.includes(null)
    ? null
    : assignments.map((match) => `${match![1]}=${match![2]}`).join(", ");
}

/** (2|-1), as coordinates are written in German schools. */
function inBars(source: string): string | null {
  const bare = source.replaceAll(/\\(?:left|right|middle)(?![a-z])\s?/g, "");
  const point = /^([A-Z]\s?)?\(([^()|,;]{1,30})\|([^()|,;]{1,30})(?:\|([^()|,;]{1,30}))?\)$/.exec(bare);
  if (point === null) return null;
  const [, , ...coordinates] = point;
  const given = coordinates.filter((coordinate) => coordinate !== undefined);
  return given.some((coordinate) => /[<>=]/.test(coordinate)) ? null : `(${given.join(";")})`;
}

/** <1, -2, 3> between signs of order. */
function inAngles(source: string): string | null {
  const match = /^(?:\\left\s?)?(?:<|\\lt(?![a-z]))([^<>=]{1,120}[,;][^<>=]{1,120}?)(?:\\right\s?)?(?:>|\\gt)$/.exec(
    source,
  );
  return match === null ? null : `\\langle ${match[1]}\\rangle`;
}
