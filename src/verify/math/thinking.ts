/**
 * Which part of a response speaks to the reader: what follows `</think>`, and inside that the last `<answer>…</answer>`.
 */

/** The parts of a response. */
export interface Parts {
  /** What follows the thinking; null where the thinking never ends. */
  readonly spoken: string | null;
  readonly thinking: string;
  /** The insides of `<answer>…</answer>` in `spoken`, in reading order. */
  readonly blocks: readonly string[];
  /** What stands behind the last of them; all of `spoken` where there is none. */
  readonly rest: string;
  /** What stands behind an `<answer>` that does not close before the next one or the end. */
  readonly unclosed: readonly string[];
}

/** The tags that models think in. */
const THINKING =
  /<(\/?)\s?(?:think|thinking|thoughts?|reasoning|reflection|scratchpad)\s?>|\[(\/?)THINK\]|<\|(?:begin|(end))_of_thought\|>/gi;

const MAX_BLOCKS = 64;

export function splitResponse(text: string): Parts {
  let after = 0;
  let open = -1;
  const hasTags = text.includes("<") || /\[\/?THINK\]/i.test(text);
  for (const match of hasTags ? text.matchAll(THINKING) : []) {
    if (match[1] === "/" || match[2] === "/" || match[3] !== undefined) {
      after = match.index + match[0].length;
      open = -1;
    } else if (open === -1) open = match.index;
  }
  // A section that opens again after the last end is thinking once more, and never ends.
  const end = open === -1 ? text.length : open;
  const said = text.slice(after, end);
  const spoken = after === 0 && open !== -1 && said.trim() === "" ? null : said;
  const thinking = text.slice(0, after) + text.slice(end);
  return { spoken, thinking, ...blocksOf(spoken ?? "") };
}

/** The last blocks of a text, each trimmed. A tag that was never closed is no block. */
function blocksOf(text: string): Pick<Parts, "blocks" | "rest" | "unclosed"> {
  // Forward is several times as fast as backward, and most texts have no tags.
  if (!text.includes("answer>")) return { blocks: [], rest: text, unclosed: [] };
  const blocks: string[] = [];
  const unclosed: string[] = [];
  let end = text.lastIndexOf("</answer>");
  const rest = end === -1 ? text : text.slice(end + "</answer>".length);
  let limit = text.length;
  for (let start = text.lastIndexOf("<answer>"); start !== -1; start = lastBefore(text, "<answer>", start)) {
    if (blocks.length + unclosed.length === MAX_BLOCKS) break;
    const inside = start + "<answer>".length;
    if (end >= inside) {
      blocks.unshift(text.slice(inside, end).trim());
      end = lastBefore(text, "</answer>", start);
    } else unclosed.unshift(text.slice(inside, limit));
    limit = start;
  }
  return { blocks, rest, unclosed };
}

function lastBefore(text: string, part: string, position: number): number {
  return position === 0 ? -1 : text.lastIndexOf(part, position - 1);
}
