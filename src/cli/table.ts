/** Columns of text that line up on a terminal. */

export interface Column {
  readonly head: string;
  /** Numbers stand right, words left. Default left. */
  readonly align?: "left" | "right";
}

/** Lines without their ends' spaces, each behind two spaces; a head of empty names is left out. */
export function tableLines(columns: readonly Column[], rows: readonly (readonly string[])[]): string[] {
  const heads = columns.map(({ head }) => head);
  const all = heads.some((head) => head !== "") ? [heads, ...rows] : rows;
  const widths = columns.map((_, c) => Math.max(0, ...all.map((row) => (row[c] ?? "").length)));
  return all.map((row) => {
    const cells = columns.map(({ align }, c) => {
      const cell = row[c] ?? "";
      return align === "right" ? cell.padStart(widths[c]!) : cell.padEnd(widths[c]!);
    });
    return `  ${cells.join("  ")}`.trimEnd();
  });
}

/** Text broken between words into lines of at most `width` characters. */
export function wrapped(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const last = lines.at(-1);
    if (last !== undefined && last.length + 1 + word.length <= width) lines[lines.length - 1] = `${last} ${word}`;
    else lines.push(word);
  }
  return lines;
}

/** Four digits that say something: 0.0123, -1.500, 3.2e-7. */
export function shortNumber(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  return size < 1e-3 || size >= 1e5 ? value.toExponential(2) : value.toPrecision(4);
}

/** 1 row, 2 rows */
export function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** 12.3 %, 0.050 % */
export function percentOf(share: number): string {
  return `${share === 0 || share >= 0.01 ? (100 * share).toFixed(1) : (100 * share).toPrecision(2)} %`;
}

/** Text in one cell: escaped where it breaks lines, cut where it is too long. */
export function cell(text: string, width: number): string {
  const escaped = JSON.stringify(text);
  return escaped.length <= width ? escaped : `${escaped.slice(0, width - 2)}…"`;
}

/** The last characters of a text, where answers stand. */
export function ending(text: string, length: number): string {
  return text.length <= length ? text : `…${text.slice(-length)}`;
}
