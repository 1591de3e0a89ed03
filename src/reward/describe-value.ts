/** What a reward file gave, in a few words for an error. */

/** The text "1"; an object with keys score, parts; a function; NaN. */
export function describeValue(value: unknown): string {
  if (typeof value === "string") return `the text ${JSON.stringify(value.slice(0, 80))}`;
  if (typeof value === "function") return "a function";
  if (Array.isArray(value)) return `a list of ${value.length}`;
  if (typeof value === "object" && value !== null) {
    return `an object with ${Object.keys(value).length === 0 ? "no keys" : `keys ${Object.keys(value).slice(0, 5).join(", ")}`}`;
  }
  return String(value).slice(0, 80);
}
