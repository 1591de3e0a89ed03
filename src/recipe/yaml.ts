/** The YAML of a recipe, read with distrust, and where each of its values stands. */
import { type Document, isAlias, isMap, isNode, isScalar, isSeq, LineCounter, parseDocument, visit } from "yaml";
import { RecipeError } from "../errors.ts";

const MAX_BYTES = 1 << 20;
const MAX_ALIASES = 50;
const FORBIDDEN_KEYS = new Set(["__proto__", "constructor", "prototype"]);

export interface RecipeDocument {
  /** The values, as plain objects. */
  readonly value: unknown;
  /** "recipe.yaml:7:16" of the value at `path`, or of the nearest thing around it that exists; `key` points at that key of it. */
  position(path: readonly PropertyKey[], key?: string): string;
}

/** Parses `text` and applies overrides, each "a.b=value". Throws RecipeError with a position for everything that is not plain data. */
export function parseRecipeYaml(text: string, name: string, overrides: readonly string[]): RecipeDocument {
  if (text.length > MAX_BYTES)
    throw new RecipeError(`Expected a recipe of at most ${MAX_BYTES} characters in ${name}, got ${text.length}.`);
  const lines = new LineCounter();
  const document = parseDocument(text, {
    lineCounter: lines,
    schema: "core",
    version: "1.2",
    prettyErrors: false,
    uniqueKeys: true,
  });
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${name}:${line}:${col}`;
  };
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault !== undefined) throw new RecipeError(`${at(fault.pos[0])}: ${fault.message.replace(/\s+/g, " ")}`);
  refuseHostileKeys(document, at);
  const setBy = overrides.map((override, i) => applyOverride(document, override, i + 1));
  return {
    value: toPlain(document, name),
    position(path, key) {
      const whole = key === undefined ? path : [...path, key];
      const override = setBy.findLastIndex((set) => set.every((part, i) => String(whole[i]) === part));
      if (override !== -1) return `--set #${override + 1}`;
      for (let length = path.length; length >= 0; length--) {
        const node = document.getIn(path.slice(0, length), true);
        if (!isNode(node) || node.range == null) continue;
        if (length === path.length && key !== undefined && isMap(node)) {
          const pair = node.items.find((item) => isScalar(item.key) && item.key.value === key);
          if (isNode(pair?.key) && pair.key.range != null) return at(pair.key.range[0]);
        }
        return at(node.range[0]);
      }
      return `${name}:1:1`;
    },
  };
}

function refuseHostileKeys(document: Document, at: (offset: number) => string): void {
  visit(document, {
    Pair(_, pair) {
      const key = isScalar(pair.key) ? String(pair.key.value) : "";
      const offset = isNode(pair.key) ? (pair.key.range?.[0] ?? 0) : 0;
      if (FORBIDDEN_KEYS.has(key)) throw new RecipeError(`${at(offset)}: ${key} cannot be a key of a recipe.`);
    },
  });
}

function toPlain(document: Document, name: string): unknown {
  try {
    return document.toJS({ maxAliasCount: MAX_ALIASES }) ?? {};
  } catch {
    throw new RecipeError(
      `Expected at most ${MAX_ALIASES} uses of anchors in ${name}, got more. Write the values out.`,
    );
  }
}

/** Sets one value; returns its path. List items are addressed by index, stages also by name or type. */
function applyOverride(document: Document, override: string, number: number): string[] {
  const where = `--set #${number}`;
  const equals = override.indexOf("=");
  if (equals < 1) throw new RecipeError(`${where}: expected a.b=value, got ${JSON.stringify(override)}.`);
  const value = parseDocument(override.slice(equals + 1), { schema: "core" });
  if (value.errors[0] !== undefined)
    throw new RecipeError(`${where}: the value is not YAML: ${value.errors[0].message.split("\n")[0]}`);
  const path: (string | number)[] = [];
  for (const part of override.slice(0, equals).split(".")) {
    if (part === "" || FORBIDDEN_KEYS.has(part))
      throw new RecipeError(`${where}: ${JSON.stringify(part)} is no key, in ${JSON.stringify(override)}.`);
    const parent = path.length === 0 ? document.contents : document.getIn(path, true);
    if (isAlias(parent))
      throw new RecipeError(`${where}: ${path.join(".")} is an alias; write it out to override a part of it.`);
    path.push(isSeq(parent) ? indexIn(parent.items, part, where, path) : part);
  }
  document.setIn(path, document.createNode(value.toJS({ maxAliasCount: MAX_ALIASES })));
  return path.map(String);
}

function indexIn(items: readonly unknown[], part: string, where: string, path: readonly (string | number)[]): number {
  if (/^\d+$/.test(part) && Number(part) <= items.length) return Number(part);
  const named = items.findIndex((item) => namesOf(item).includes(part));
  if (named !== -1) return named;
  throw new RecipeError(
    `${where}: expected an index below ${items.length} or a name in the list ${path.join(".")}, got ${JSON.stringify(part)}. Names: ${items.flatMap(namesOf).join(", ") || "none"}.`,
  );
}

/** What a list item may be called in an override: its name, else its type. */
function namesOf(item: unknown): string[] {
  if (isScalar(item)) return [String(item.value)];
  if (!isMap(item)) return [];
  const name = item.get("name") ?? item.get("type");
  return typeof name === "string" ? [name] : [];
}
