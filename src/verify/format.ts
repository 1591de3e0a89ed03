/**
 * The shapes that a response may be asked to have. A check reads the whole response, from its first character to its last, and
 * counts every tag: text after the last tag, a tag inside another, or a second answer fails.
 *
 * (The check that Open-R1 ships is `re.match` with MULTILINE, which lets text follow `</answer>` and tags repeat inside.)
 */

export const FORMAT_STYLES = ["r1", "open-r1", "open-r1-strict", "answer", "think", "tags"] as const;

/**
 * r1              <think>…</think> <answer>…</answer>, any white space around and between
 * open-r1         the same with a line break after each opening and before each closing tag
 * open-r1-strict  exactly "<think>\n…\n</think>\n<answer>\n…\n</answer>"
 * answer          any text without thinking tags, then <answer>…</answer>
 * think           <think>…</think>, then a summary that is not empty
 * tags            the tags of r1 exactly once and in order, any text around and between (Logic-RL)
 */
export type FormatStyle = (typeof FORMAT_STYLES)[number];

const THINKING = ["<think>", "</think>"] as const;
const ANSWER = ["<answer>", "</answer>"] as const;

/** `response` is prefill + completion: a prompt that ends with <think> leaves the completion without its first tag. */
export function hasFormat(response: string, style: FormatStyle): boolean {
  switch (style) {
    case "r1":
    case "open-r1": {
      const parts = splitAtTags(response.trim(), [...THINKING, ...ANSWER]);
      if (parts === null) return false;
      const [before, thinking, between, answer, after] = parts as [string, string, string, string, string];
      if (`${before}${between}${after}`.trim() !== "") return false;
      return style === "r1" || (isOnOwnLines(thinking) && isOnOwnLines(answer));
    }
    case "open-r1-strict": {
      const parts = splitAtTags(response, [...THINKING, ...ANSWER]);
      if (parts === null) return false;
      const [before, thinking, between, answer, after] = parts as [string, string, string, string, string];
      return before === "" && between === "\n" && after === "" && isOnOwnLines(thinking) && isOnOwnLines(answer);
    }
    case "tags":
      return splitAtTags(response, [...THINKING, ...ANSWER]) !== null;
    case "answer": {
      const parts = splitAtTags(response, ANSWER);
      return parts !== null && parts[2]!.trim() === "" && THINKING.every((tag) => !response.includes(tag));
    }
    case "think": {
      const parts = splitAtTags(response, THINKING);
      return parts !== null && parts[0]!.trim() === "" && parts[2]!.trim() !== "";
    }
  }
  return style satisfies never;
}

/** The pieces between the tags, one more than there are tags, when each stands exactly once and in this order; else null. */
function splitAtTags(text: string, tags: readonly string[]): string[] | null {
  const pieces: string[] = [];
  let from = 0;
  for (const tag of tags) {
    const at = text.indexOf(tag, from);
    if (at === -1 || text.indexOf(tag) !== at || text.indexOf(tag, at + tag.length) !== -1) return null;
    pieces.push(text.slice(from, at));
    from = at + tag.length;
  }
  pieces.push(text.slice(from));
  return pieces;
}

/** "\n…\n" with two line breaks of its own: "\n" alone cannot both follow the opening and precede the closing tag. */
function isOnOwnLines(inside: string): boolean {
  return inside.length >= 2 && inside.startsWith("\n") && inside.endsWith("\n");
}
