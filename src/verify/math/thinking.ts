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
}

const MAX_BLOCKS = 64;

export function splitResponse(text: string): Parts {
  const close = text.lastIndexOf("</think>");
  const after = close === -1 ? 0 : close + "</think>".length;
  // A section that opens again after the last end is thinking once more, and never ends.
  const open = text.indexOf("<think>", after);
  const isOpen = open !== -1;
  const end = isOpen ? open : text.length;
  const said = text.slice(after, end);
  const spoken = close === -1 && isOpen && said.trim() === "" ? null : said;
  const thinking = text.slice(0, after) + text.slice(end);
  return { spoken, thinking, blocks: blocksOf(spoken ?? "") };
}

/** The last blocks of a text, each trimmed. A tag that was never closed is no block. */
function blocksOf(text: string): string[] {
  const blocks: string[] = [];
  let end = text.lastIndexOf("</answer>");
  while (end !== -1 && blocks.length < MAX_BLOCKS) {
    const start = end === 0 ? -1 : text.lastIndexOf("<answer>", end - 1);
    if (start === -1) break;
    blocks.unshift(text.slice(start + "<answer>".length, end).trim());
    end = start === 0 ? -1 : text.lastIndexOf("</answer>", start - 1);
  }
  return blocks;
}
