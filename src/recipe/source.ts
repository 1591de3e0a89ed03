/** YAML as recipes use it: plain data, with the place in the file of every value. Nothing in a file can run, grow or reach a prototype. */
import { readFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { type Document, isAlias, isCollection, isMap, isPair, isScalar, LineCounter, parseDocument, visit } from "yaml";
import { messageOf, RecipeError } from "../errors.ts";

export type Path = readonly (string | number)[];

/** One file. */
export interface Source {
  /** What an error calls the file, e.g. "quickstart.yaml". */
  readonly label: string;
  /** What relative paths in it start from. */
  readonly dir: string;
  readonly value: unknown;
  /** "quickstart.yaml:7:16" of the value at `path`, or of the key itself; null where the file does not have it. */
  locate(path: Path, part: "key" | "value"): string | null;
}

const MAX_BYTES = 1 << 20;
const MAX_ALIASES = 100;
/** Of another kind of file every line would be one. */
const MAX_FAULTS = 5;
const FORBIDDEN_KEYS: ReadonlySet<unknown> = new Set(["__proto__", "constructor", "prototype"]);

export function isForbiddenKey(key: unknown): boolean {
  return FORBIDDEN_KEYS.has(key);
}

/** Throws RecipeError. */
export function readSource(path: string): Source {
  const file = resolve(path);
  let bytes: Buffer;
  try {
    bytes = readFileSync(file);
  } catch (error) {
    throw new RecipeError(`Expected a recipe at ${path}, but ${whyUnread(error)}.`, { cause: error });
  }
  return parseSource(bytes.toString("utf8"), { label: basename(file), dir: dirname(file) });
}

function whyUnread(error: unknown): string {
  const code = error instanceof Error && "code" in error ? error.code : null;
  if (code === "ENOENT") return "there is none";
  return code === "EISDIR" ? "it is a folder" : `it cannot be read: ${messageOf(error)}`;
}

/** Throws RecipeError with the first syntax errors of the text. */
export function parseSource(text: string, { label, dir }: { readonly label: string; readonly dir: string }): Source {
  if (Buffer.byteLength(text) > MAX_BYTES) throw new RecipeError(`${label} is larger than 1 MiB: this is no recipe.`);
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${label}:${line}:${col}`;
  };
  const document = quietly(label, () =>
    parseDocument(text, {
      lineCounter: lines,
      schema: "core",
      version: "1.2",
      logLevel: "error",
      prettyErrors: false,
    }),
  );
  // An unknown tag is only a warning to the parser; to us it is a wish that would silently not be granted.
  const faults = [...document.errors, ...document.warnings].map(
    ({ pos, message }) => `${at(pos[0])} ${message.replace(/\s+/g, " ")}`,
  );
  if (faults.length > MAX_FAULTS)
    faults.splice(MAX_FAULTS - 1, faults.length, `and ${faults.length - MAX_FAULTS + 1} more: is it a recipe?`);
  if (faults.length > 0) throw new RecipeError(`${label} is not valid YAML:\n  ${faults.join("\n  ")}`);
  const badKeys = quietly(label, () => forbiddenKeys(document)).map(
    ({ offset, text: key }) => `${at(offset)} ${key} cannot be a key`,
  );
  if (badKeys.length > 0)
    throw new RecipeError(`${label} has keys that are not plain words:\n  ${badKeys.join("\n  ")}`);
  const value: unknown = quietly(label, () => document.toJS({ maxAliasCount: MAX_ALIASES }));
  return {
    label,
    dir,
    value,
    locate(path, part) {
      const offset = offsetOf(document, path, part);
      return offset === null ? null : at(offset);
    },
  };
}

/** The value of one YAML text, e.g. the right side of --set. */
export function parseValue(text: string, label: string): unknown {
  return parseSource(text, { label, dir: "." }).value;
}

/** Deep nesting overflows the parser's stack, and aliases past the limit throw: both are faults of the file. */
function quietly<Result>(label: string, read: () => Result): Result {
  try {
    return read();
  } catch (error) {
    const reason = error instanceof RangeError ? "it is nested too deeply" : messageOf(error);
    throw new RecipeError(`${label} cannot be read as YAML: ${reason}.`, { cause: error });
  }
}

function forbiddenKeys(document: Document.Parsed): { offset: number; text: string }[] {
  const found: { offset: number; text: string }[] = [];
  visit(document, {
    Pair(_, { key }) {
      const range = isScalar(key) || isCollection(key) || isAlias(key) ? key.range : null;
      const offset = range?.[0] ?? 0;
      if (!isScalar(key)) found.push({ offset, text: "A list, mapping or alias" });
      else if (FORBIDDEN_KEYS.has(key.value)) found.push({ offset, text: String(key.value) });
    },
  });
  return found;
}

function offsetOf(document: Document.Parsed, path: Path, part: "key" | "value"): number | null {
  let node: unknown = document.contents;
  let key: unknown = null;
  for (const step of path) {
    if (isAlias(node)) node = node.resolve(document);
    if (!isCollection(node)) return null;
    const item = isMap(node)
      ? node.items.find((pair) => isScalar(pair.key) && String(pair.key.value) === String(step))
      : node.items[Number(step)];
    if (item === undefined) return null;
    [key, node] = isPair(item) ? [item.key, item.value] : [null, item];
  }
  const chosen = part === "key" && isScalar(key) ? key : node;
  for (const candidate of [chosen, key]) {
    if ((isScalar(candidate) || isCollection(candidate) || isAlias(candidate)) && candidate.range != null)
      return candidate.range[0];
  }
  return null;
}
