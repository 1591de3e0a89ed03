/**
 * Knights and knaves: who is what, read from an answer such as "(1) Zoey is a knight (2) Oliver is a knave".
 *
 * Rule of Logic-RL (Xie et al. 2025, arXiv 2502.14768): every name must match "NAME is a knight|knave", in any case. Departure: it
 * also wants the words knight and knave to occur exactly as often as there are people, which fails an answer that explains
 * itself; here a name that is called both is what makes an answer unreadable.
 */

const MAX_LENGTH = 20_000;
const MAX_NAMES = 100;
/** A longer name is no name, and would not compile into a pattern. */
const MAX_NAME_LENGTH = 100;

/** [names] true for a knight, or null when a name is missing or called both. */
export function parseKnightsKnaves(text: string, names: readonly string[]): boolean[] | null {
  if (text.length > MAX_LENGTH || names.length === 0 || names.length > MAX_NAMES) return null;
  if (names.some((name) => name.length > MAX_NAME_LENGTH)) return null;
  const plain = withoutMarkup(text);
  const isKnight: boolean[] = [];
  for (const name of names) {
    const statement = new RegExp(
      String.raw`(?<![\p{L}\p{N}])${escapeRegExp(withoutMarkup(name))}\s{1,8}is\s{1,8}an?\s{1,8}(knight|knave)(?![\p{L}\p{N}])`,
      "giu",
    );
    const said = new Set([...plain.matchAll(statement)].map((match) => match[1]!.toLowerCase()));
    if (said.size !== 1) return null;
    isKnight.push(said.has("knight"));
  }
  return isKnight;
}

export function judgeKnightsKnaves(
  text: string,
  names: readonly string[],
  solution: readonly boolean[],
): "right" | "wrong" | "unparseable" {
  const said = parseKnightsKnaves(text, names);
  if (said === null) return "unparseable";
  return said.every((isKnight, index) => isKnight === solution[index]) ? "right" : "wrong";
}

/** Bold, italics and code, around a name or within it. */
function withoutMarkup(text: string): string {
  return text.replaceAll(/[*_`]/g, "");
}

function escapeRegExp(text: string): string {
  return text.replaceAll(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
}
