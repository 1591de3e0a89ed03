/**
 * What a reader of a response sees. Comments, verbatim text, programs, invisible and struck out formulas give no answer, and nor does
 * what stands after the end of the turn.
 */

/** Marks with which models end their turn, when they reach the text at all. */
const END_OF_TURN =
  /<\|(?:im_end|endoftext|end_of_text|eot_id|eom_id|end|return)\|>|<\uff5cend\u2581of\u2581sentence\uff5c>|<end_of_turn>|<eos>/;

/** Environments and comments hide what stands in them; one that never closes hides the rest. */
const HIDDEN: readonly (readonly [open: string, close: string])[] = [
  ["<!--", "-->"],
  ["\\begin{comment}", "\\end{comment}"],
  ["\\begin{verbatim}", "\\end{verbatim}"],
  ["\\begin{lstlisting}", "\\end{lstlisting}"],
  ["\\iffalse", "\\fi"],
];

/** What is struck out, where the mark closes: a lone `<s>` begins a text of some models, and a lone `</s>` ends it. */
const STRUCK_OUT = /~~[^~\n]{1,400}~~|<(s|del)>[^<]{0,400}<\/\1>/g;

/** The text without what its marks strike out. */
export function withoutStruckOut(text: string): string {
  return /~~|<\/(?:s|del)>/.test(text) ? text.replaceAll(STRUCK_OUT, " ") : text;
}

/** Commands whose last braces hold what is not to be seen or not to count; a colour without braces lasts to the end of its group. */
const UNSEEN =
  /\\(?:(?:[hv]?phantom|[bx]?cancel|sout|st)\s?(?=\{)|(?:text)?color\s?\{\s?(?:white|transparent|#f{3}(?:f{3})?)\s?\}\s?)/gi;

/** `\verb|…|` with any mark for the bar. */
const VERB = /\\verb\*?([^\sA-Za-z*])[^\n]{0,400}?\1/g;

/** Elements that no browser shows, and comments of Markdown. */
const UNSHOWN =
  /<([a-z]{1,12})\s[^<>]{0,80}?(?:\bhidden\b|display\s?:\s?none|visibility\s?:\s?hidden)[^<>]{0,80}>[^<]{0,400}<\/\1>|^\[\/\/\]: # .*$/gim;

/** Fences of these languages, and fences within a line, hold what is said, not a program. */
const SPOKEN_FENCE = /^(?:output|text|latex|tex|math|markdown|md|json)?\s*\n|^[^\n]*$/i;

/** The text without what is hidden in it; a blank stands for each. Linear in the text. */
export function visibleText(text: string): string {
  const end = END_OF_TURN.exec(text);
  let visible = end === null ? text : text.slice(0, end.index);
  for (const [open, close] of HIDDEN) visible = without(visible, open, close);
  if (/<\/|^\[\/\//m.test(visible)) visible = visible.replaceAll(UNSHOWN, " ");
  if (visible.includes("```")) visible = withoutPrograms(visible);
  if (/~~|<\/(?:s|del)>/.test(visible)) {
    visible = visible.replace(/^\s*<s>/, "").replaceAll(STRUCK_OUT, " ");
    const [turn] = visible.split("</s>");
    visible = turn!;
  }
  if (!/[\\%]/.test(visible)) return visible;
  visible = visible.replaceAll(VERB, " ").replaceAll(/^[ \t]{0,20}%.*$/gm, " ");
  return withoutUnseen(visible);
}

function without(text: string, open: string, close: string): string {
  let result = "";
  let position = 0;
  for (let start = text.indexOf(open); start !== -1; start = text.indexOf(open, position)) {
    result += `${text.slice(position, start)} `;
    const end = text.indexOf(close, start + open.length);
    if (end === -1) return result;
    position = end + close.length;
  }
  return position === 0 ? text : result + text.slice(position);
}

/** Without fenced programs. A fence that never closes reaches to the end. */
function withoutPrograms(text: string): string {
  return text
    .split("```")
    .map((part, index) => (index % 2 === 0 || SPOKEN_FENCE.test(part) ? part : " "))
    .join("\n");
}

function withoutUnseen(text: string): string {
  let result = "";
  let position = 0;
  UNSEEN.lastIndex = 0;
  for (let match = UNSEEN.exec(text); match !== null; match = UNSEEN.exec(text)) {
    const end = groupEnd(text, UNSEEN.lastIndex);
    result += `${text.slice(position, match.index)} `;
    position = end;
    UNSEEN.lastIndex = end;
  }
  return position === 0 ? text : result + text.slice(position);
}

/** The position after the group that opens here, or before the end of the group, formula or line that is open here. */
function groupEnd(text: string, from: number): number {
  const isOpening = text[from] === "{";
  let depth = 0;
  for (let position = from; position < text.length; position++) {
    const char = text[position];
    if (char === "\\") position++;
    else if (char === "{") depth++;
    else if (char === "}") {
      depth--;
      if (depth < 0) return position;
      if (depth === 0 && isOpening) return position + 1;
    } else if (!isOpening && depth === 0 && (char === "$" || char === "\n")) return position;
  }
  return text.length;
}
