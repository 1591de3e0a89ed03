/**
 * Hydra's command line: `a.b=1`, `+a.b=[1, 2]`, `++a.b={c: d}`, `~a.b`, as OmegaConf reads the values. Interpolations (`${...}`) and
 * sweeps (`a=1,2`) are text: nothing is resolved.
 */
import type { Setting } from "./settings.ts";
import type { Word } from "./shell.ts";

/** null for a word that is no override: an option such as `--config-name`, or a bare word. */
export function parseOverride({ text, line, unreadable }: Word, label: string): Setting | null {
  const match = /^(\+\+|\+|~)?([A-Za-z_][\w.@/-]*)(=[\s\S]*)?$/.exec(text);
  if (match === null) return null;
  const [, prefix = "", key = "", assigned] = match;
  const place = `${label}:${line}`;
  if (prefix === "~") return { key, value: null, place, unreadable: "it removes the key" };
  if (assigned === undefined) return null;
  const raw = assigned.slice(1);
  if (unreadable !== undefined) return { key, value: raw, place, unreadable };
  const value = parseHydraValue(raw);
  return { key, value, place, ...interpolation(value) };
}

/** The reason why a value with an interpolation is not known; nothing for other values. */
export function interpolation(value: unknown): { unreadable?: string } {
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return /\$\{/.test(text ?? "") ? { unreadable: `${text} is an interpolation, which is not resolved` } : {};
}

/** A scalar, list or mapping; what cannot be read as one is the text itself. */
export function parseHydraValue(text: string): unknown {
  const reader = new ValueReader(text);
  const value = reader.read();
  return reader.isDone() ? value : text.trim();
}

class ValueReader {
  private readonly text: string;
  private at = 0;
  private depth = 0;

  constructor(text: string) {
    this.text = text;
  }

  isDone(): boolean {
    this.skipSpaces();
    return this.at === this.text.length;
  }

  read(): unknown {
    this.skipSpaces();
    const character = this.text[this.at];
    if (character === "'" || character === '"') return this.readQuoted(character);
    if (this.depth < 32 && character === "[") return this.readList();
    if (this.depth < 32 && character === "{") return this.readMapping();
    return scalarOf(this.readBare());
  }

  private readQuoted(quote: string): string {
    let text = "";
    for (this.at++; this.at < this.text.length; this.at++) {
      const character = this.text[this.at]!;
      const next = this.text[this.at + 1];
      if (character === "\\" && (next === quote || next === "\\")) {
        text += next;
        this.at++;
      } else if (character === quote) {
        this.at++;
        return text;
      } else text += character;
    }
    // Never closed: isDone() must not hold.
    this.at = -1;
    return text;
  }

  private readList(): unknown[] {
    const items: unknown[] = [];
    this.depth++;
    for (this.at++; ; ) {
      this.skipSpaces();
      if (this.text[this.at] === "]") break;
      items.push(this.read());
      this.skipSpaces();
      if (this.text[this.at] === ",") this.at++;
      else break;
    }
    this.close("]");
    return items;
  }

  private readMapping(): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    this.depth++;
    for (this.at++; ; ) {
      this.skipSpaces();
      if (this.text[this.at] === "}") break;
      const key = String(this.read());
      this.skipSpaces();
      if (this.text[this.at] !== ":") break;
      this.at++;
      entries.push([key, this.read()]);
      this.skipSpaces();
      if (this.text[this.at] === ",") this.at++;
      else break;
    }
    this.close("}");
    return Object.fromEntries(entries);
  }

  private close(bracket: string): void {
    this.depth--;
    this.at = this.at >= 0 && this.text[this.at] === bracket ? this.at + 1 : -1;
  }

  /** Up to what ends it here; inside brackets that is a comma, a colon or a bracket. */
  private readBare(): string {
    if (this.at < 0) return "";
    const rest = this.text.slice(this.at);
    const bare = this.depth === 0 ? rest : (/^(?:\$\{[^}]*\}|[^,:[\]{}])*/.exec(rest)?.[0] ?? "");
    this.at += bare.length;
    return bare.trim();
  }

  private skipSpaces(): void {
    while (this.at >= 0 && /\s/.test(this.text[this.at] ?? "")) this.at++;
  }
}

const NUMBER = /^[+-]?(\d[\d_]*\.?[\d_]*|\.\d[\d_]*)([eE][+-]?\d+)?$/;

/** As OmegaConf: true and false in any case, null, numbers; anything else is text. */
export function scalarOf(text: string): unknown {
  if (/^(true|false)$/i.test(text)) return /^true$/i.test(text);
  if (/^null$/i.test(text)) return null;
  if (/^[+-]?inf$/i.test(text)) return text.startsWith("-") ? Number.NEGATIVE_INFINITY : Number.POSITIVE_INFINITY;
  return NUMBER.test(text) ? Number(text.replaceAll("_", "")) : text;
}
