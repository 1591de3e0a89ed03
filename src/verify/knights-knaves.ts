/**
 * Knights and knaves: who is what, read from an answer such as "(1) Zoey is a knight (2) Oliver is a knave".
 *
 * Rule of Logic-RL (Xie et al. 2025, arXiv 2502.14768): every name must match "NAME is a knight|knave", in any case. Departure: it
 * also wants the words knight and knave to occur exactly as often as there are people, which fails an answer that explains
 * itself; here a name that is called both is what makes an answer unreadable.
 */

const MAX_LENGTH = 20_000;
const STATEMENT = /\s{1,8}is\s{1,8}an?\s{1,8}(knight|knave)(?![\p{L}\p{N}])/giu;

/** [names] true for a knight, or null when a name is missing or called both. */
export function parseKnightsKnaves(text: string, names: readonly string[]): boolean[] | null {
  if (text.length > MAX_LENGTH || names.length === 0) return null;
  const plain = withoutMarkup(text);
  const said = names.map(() => new Set<string>());
  for (const statement of plain.matchAll(STATEMENT)) {
    for (const [index, name] of names.entries()) {
      if (endsWithName(plain.slice(0, statement.index), withoutMarkup(name)))
        said[index]!.add(statement[1]!.toLowerCase());
    }
  }
  return said.every(({ size }) => size === 1) ? said.map((kinds) => kinds.has("knight")) : null;
}

/** As a whole word, in any case: Zoey is not the end of McZoey. */
function endsWithName(text: string, name: string): boolean {
  const start = text.length - name.length;
  return (
    start >= 0 &&
    text.slice(start).toLowerCase() === name.toLowerCase() &&
    !/[\p{L}\p{N}]$/u.test(text.slice(Math.max(0, start - 2), start))
  );
}

/** Bold, italics and code, around a name or within it. */
function withoutMarkup(text: string): string {
  return text.replaceAll(/[*_`]/g, "");
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
