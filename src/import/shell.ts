/**
 * Shell scripts as far as a training command needs them: words, quotes, comments, continuations, and variables that the same file sets
 * to plain text. Nothing is run and nothing is computed: a word that needs a command, arithmetic or the environment says so.
 */
import { RecipeError } from "../errors.ts";

export interface Word {
  readonly text: string;
  /** Counted from 1. */
  readonly line: number;
  /** Why the text is not what the shell would make of it; absent where it is. */
  readonly unreadable?: string;
}

const NAME = /^[A-Za-z_][A-Za-z0-9_]*/;
const MAX_BYTES = 1 << 20;

/** Words that an assignment may follow. */
const BEFORE_ASSIGNMENT: ReadonlySet<string> = new Set(
  "export local readonly declare if then else elif while until do { !".split(" "),
);

type Variable = readonly Word[];

/** Every simple command of a script, as words. Throws RecipeError for a quote or parenthesis that never ends. */
export function parseShell(source: string): Word[][] {
  if (Buffer.byteLength(source) > MAX_BYTES)
    throw new RecipeError("The script is larger than 1 MiB: this is no recipe.");
  return new Reader(source.replaceAll("\r\n", "\n")).commands();
}

class Reader {
  private readonly source: string;
  private readonly variables = new Map<string, Variable>();
  /** Set twice, to different values: which one counts depends on what runs. */
  private readonly ambiguous = new Set<string>();
  private at = 0;
  private line = 1;
  private heredocs: string[] = [];

  constructor(source: string) {
    this.source = source;
  }

  commands(): Word[][] {
    const commands: Word[][] = [];
    let words: Word[] = [];
    const end = () => {
      if (words.length > 0 && !this.isAssignment(words)) commands.push(words);
      words = [];
    };
    while (this.at < this.source.length) {
      const character = this.source[this.at]!;
      if (character === "\n") {
        this.step();
        end();
        this.skipHeredocs();
      } else if (character === " " || character === "\t") this.step();
      else if (this.source.startsWith("\\\n", this.at)) this.step(2);
      else if (character === "#") this.skipLine();
      else if (";&|()".includes(character)) {
        this.step();
        end();
      } else if (character === "<" || character === ">") this.skipRedirection();
      else words.push(...this.readWord());
    }
    end();
    return commands;
  }

  /** `name=value`, alone or after export: kept for later words. */
  private isAssignment(words: readonly Word[]): boolean {
    const first = words.findIndex(({ text }) => !BEFORE_ASSIGNMENT.has(text));
    const rest = first < 0 ? [] : words.slice(first);
    const pairs = rest.map((word) => ({ word, match: /^([A-Za-z_][A-Za-z0-9_]*)=([\s\S]*)$/.exec(word.text) }));
    if (pairs.length === 0 || pairs.some(({ match }) => match === null)) return false;
    for (const { word, match } of pairs) this.assign(match![1]!, [{ ...word, text: match![2]! }]);
    return true;
  }

  private assign(name: string, value: Variable): void {
    const before = this.variables.get(name);
    const isSame =
      before !== undefined && before.map(({ text }) => text).join("\n") === value.map(({ text }) => text).join("\n");
    if (before !== undefined && !isSame) this.ambiguous.add(name);
    this.variables.set(name, value);
  }

  /** One word; several where an unquoted variable holds spaces or an array is spread. */
  private readWord(): Word[] {
    const line = this.line;
    const words: { text: string; unreadable: string | undefined }[] = [{ text: "", unreadable: undefined }];
    const last = () => words.at(-1)!;
    const array = /^([A-Za-z_][A-Za-z0-9_]*)\+?=\(/.exec(this.source.slice(this.at, this.at + 200));
    if (array !== null) {
      this.step(array[0].length);
      const items = this.readArray();
      const before = array[0].endsWith("+=(") ? (this.variables.get(array[1]!) ?? []) : [];
      if (array[0].endsWith("+=(")) this.variables.set(array[1]!, [...before, ...items]);
      else this.assign(array[1]!, items);
      return [];
    }
    for (;;) {
      const character = this.source[this.at];
      if (character === undefined || " \t\n;&|()<>".includes(character)) break;
      if (character === "'") last().text += this.readSingleQuoted();
      else if (character === '"') this.readDoubleQuoted(words);
      else if (this.source.startsWith("$'", this.at)) {
        this.step();
        last().text += unescapeAnsi(this.readSingleQuoted(true));
      } else if (character === "\\") {
        const next = this.source[this.at + 1] ?? "";
        if (next !== "\n") last().text += next;
        this.step(2);
      } else if (character === "$" || character === "`") this.expand(words, false);
      else {
        last().text += character;
        this.step();
      }
    }
    return words
      .filter(({ text, unreadable }) => words.length === 1 || text !== "" || unreadable !== undefined)
      .map(({ text, unreadable }) => ({ text, line, ...(unreadable === undefined ? {} : { unreadable }) }));
  }

  private readArray(): Word[] {
    const items: Word[] = [];
    for (;;) {
      const character = this.source[this.at];
      if (character === undefined) throw new RecipeError(`Line ${this.line}: a parenthesis is never closed.`);
      if (character === ")") {
        this.step();
        return items;
      }
      if (" \t\n".includes(character)) this.step();
      else if (this.source.startsWith("\\\n", this.at)) this.step(2);
      else if (character === "#") this.skipLine();
      else if (";&|(<>".includes(character)) this.step();
      else items.push(...this.readWord());
    }
  }

  private readSingleQuoted(escapes = false): string {
    const start = this.line;
    this.step();
    let text = "";
    for (;;) {
      const character = this.source[this.at];
      if (character === undefined) throw new RecipeError(`Line ${start}: a quote is never closed.`);
      if (escapes && character === "\\") {
        text += this.source.slice(this.at, this.at + 2);
        this.step(2);
        continue;
      }
      this.step();
      if (character === "'") return text;
      text += character;
    }
  }

  private readDoubleQuoted(words: { text: string; unreadable: string | undefined }[]): void {
    const start = this.line;
    this.step();
    for (;;) {
      const character = this.source[this.at];
      if (character === undefined) throw new RecipeError(`Line ${start}: a quote is never closed.`);
      if (character === '"') {
        this.step();
        return;
      }
      if (character === "\\") {
        const next = this.source[this.at + 1] ?? "";
        if (next !== "\n") words.at(-1)!.text += '$`"\\'.includes(next) ? next : `\\${next}`;
        this.step(2);
      } else if (character === "$" || character === "`") this.expand(words, true);
      else {
        words.at(-1)!.text += character;
        this.step();
      }
    }
  }

  /** `$name`, `${name}`, `${name:-text}`, `${name[@]}` from this file; the rest is kept as it stands and named. */
  private expand(words: { text: string; unreadable: string | undefined }[], quoted: boolean): void {
    const raw = this.readExpansion();
    const word = words.at(-1)!;
    const refuse = (reason: string) => {
      word.text += raw;
      word.unreadable ??= reason;
    };
    if (raw === "$") word.text += raw;
    else if (raw.startsWith("$((")) refuse(`${raw} is arithmetic, which is not computed`);
    else if (raw.startsWith("$(") || raw.startsWith("`")) refuse(`${raw} is a command, which is not run`);
    else {
      const [, name, rest = ""] = /^\$\{?([A-Za-z_][A-Za-z0-9_]*|.)([\s\S]*?)\}?$/.exec(raw) ?? [];
      const known = name === undefined ? undefined : this.variables.get(name);
      if (name === undefined || !NAME.test(name)) refuse(`${raw} is given when the script is run`);
      else if (this.ambiguous.has(name)) refuse(`${raw} is set more than once`);
      else if (known === undefined) {
        const fallback = /^:?-([\s\S]*)$/.exec(rest)?.[1];
        if (fallback === undefined) refuse(`${raw} is not set in this file`);
        // The environment may say otherwise; the script's own default is what the file says.
        else if (/[$`]/.test(fallback)) refuse(`${raw} depends on the environment`);
        else word.text += fallback.replace(/^"([\s\S]*)"$|^'([\s\S]*)'$/, "$1$2");
      } else if (rest === "[@]" || rest === "[*]") spread(words, known);
      else if (known.length !== 1) refuse(`${raw} is a list`);
      else if (rest !== "" && !/^:?-/.test(rest)) refuse(`${raw} changes the value, which is not computed`);
      else {
        const [{ text, unreadable }] = known as [Word];
        if (unreadable !== undefined) word.unreadable ??= unreadable;
        if (quoted || unreadable !== undefined) word.text += text;
        else {
          const parts = text.trim() === "" ? [""] : text.trim().split(/\s+/);
          spread(
            words,
            parts.map((part) => ({ text: part, line: this.line })),
          );
        }
      }
    }
  }

  /** The text of what `$` or a backquote begins; stands behind it then. */
  private readExpansion(): string {
    const start = this.at;
    const first = this.line;
    const opening = this.source[start + 1] ?? "";
    if (this.source[start] === "`") {
      this.step();
      while (this.at < this.source.length && this.source[this.at] !== "`")
        this.step(this.source[this.at] === "\\" ? 2 : 1);
      if (this.at >= this.source.length) throw new RecipeError(`Line ${first}: a backquote is never closed.`);
      this.step();
    } else if (opening === "(" || opening === "{") {
      const closing = opening === "(" ? ")" : "}";
      this.step(2);
      for (let depth = 1; depth > 0; this.step()) {
        const character = this.source[this.at];
        if (character === undefined) throw new RecipeError(`Line ${first}: ${opening} is never closed.`);
        if (character === opening) depth++;
        if (character === closing) depth--;
      }
    } else {
      const name = NAME.exec(this.source.slice(start + 1, start + 200))?.[0];
      this.step(1 + (name?.length ?? (/[@*#?0-9$!-]/.test(opening) ? 1 : 0)));
    }
    return this.source.slice(start, this.at);
  }

  private skipRedirection(): void {
    if (this.source.startsWith("<<<", this.at)) this.step(3);
    else if (this.source.startsWith("<<", this.at)) {
      this.step(this.source[this.at + 2] === "-" ? 3 : 2);
      const delimiter = this.readWordAfterSpaces();
      if (delimiter !== undefined) this.heredocs.push(delimiter);
      return;
    } else this.step(this.source.startsWith(">>", this.at) ? 2 : 1);
    if (this.source[this.at] === "&") this.step();
    this.readWordAfterSpaces();
  }

  private readWordAfterSpaces(): string | undefined {
    while (this.source[this.at] === " " || this.source[this.at] === "\t") this.step();
    return this.readWord()[0]?.text;
  }

  private skipHeredocs(): void {
    for (const delimiter of this.heredocs) {
      while (this.at < this.source.length) {
        const start = this.at;
        this.skipLine();
        const text = this.source.slice(start, this.at);
        this.step();
        if (text.trim() === delimiter) break;
      }
    }
    this.heredocs = [];
  }

  private skipLine(): void {
    while (this.at < this.source.length && this.source[this.at] !== "\n") this.step();
  }

  private step(count = 1): void {
    for (let i = 0; i < count && this.at < this.source.length; i++) if (this.source[this.at++] === "\n") this.line++;
  }
}

/** The first item goes on with the word, the last begins what follows. */
function spread(words: { text: string; unreadable: string | undefined }[], items: readonly Word[]): void {
  items.forEach(({ text, unreadable }, i) => {
    if (i > 0) words.push({ text: "", unreadable: undefined });
    const word = words.at(-1)!;
    word.text += text;
    word.unreadable ??= unreadable;
  });
}

function unescapeAnsi(text: string): string {
  const named: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r" };
  return text.replace(/\\([\s\S])/g, (_, character: string) => named[character] ?? character);
}
