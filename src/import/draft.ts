/**
 * A recipe under construction from another trainer's settings: every value with where it came from, and every setting that did not
 * become one with the reason. Nothing is dropped: what nobody asked for is listed at the end.
 */
import { RecipeError } from "../errors.ts";
import type { Path } from "../recipe/source.ts";
import type { Setting, Settings } from "./settings.ts";

/** A value and where it came from. */
export interface Known<Value> {
  readonly value: Value;
  /** "rollout.n (run.sh:14)", or why it was chosen. */
  readonly origin: string;
  /** Said by the file; the trainer's default; or a guess of ours. */
  readonly kind: "said" | "default" | "guess";
  /** The settings that it is made of. */
  readonly keys: readonly string[];
}

export interface Entry {
  readonly path: Path;
  readonly value: unknown;
  readonly origin: string;
  readonly keys: readonly string[];
}

export interface Left {
  readonly key: string;
  readonly value: unknown;
  readonly place: string;
  readonly reason: string;
}

export class Draft {
  readonly entries: Entry[] = [];
  /** Sentences: what neither the file nor the trainer says, and the recipe now does. */
  readonly assumed: string[] = [];
  /** "epsilon: clipLow 0.2": what the file does not say and the trainer does. */
  readonly defaults: string[] = [];
  /** What has no equal here. */
  readonly left: Left[] = [];
  /** How it was run there: machines, logging, folders. */
  readonly circumstances: Setting[] = [];
  private readonly trainer: string;
  private readonly settings: Settings;

  constructor(trainer: string, settings: Settings) {
    this.trainer = trainer;
    this.settings = settings;
  }

  /** Writes a value of the recipe. */
  set(path: Path, { value, origin, kind, keys }: Known<unknown>): void {
    this.entries.push({ path, value, origin, keys });
    const name = path.filter((key) => key !== "stages" && key !== 0).join(".");
    if (kind === "guess") this.assume(`${name}: ${shown(value)}: ${origin}`);
    if (kind === "default") this.defaults.push(`${name} ${shown(value)} (${keys.join(", ")})`);
  }

  /** Says what is taken for granted. */
  assume(sentence: string): void {
    if (!this.assumed.includes(sentence)) this.assumed.push(sentence);
  }

  /** Says that a setting has no equal. */
  cannot(setting: Pick<Setting, "key" | "value" | "place">, reason: string): void {
    this.left.push({ key: setting.key, value: setting.value, place: setting.place, reason });
  }

  number(key: string, fallback: number): Known<number> {
    return this.read(key, fallback, "a number", (value) => (typeof value === "number" ? value : undefined));
  }

  boolean(key: string, fallback: boolean): Known<boolean> {
    return this.read(key, fallback, "true or false", (value) => (typeof value === "boolean" ? value : undefined));
  }

  text(key: string, fallback: string): Known<string> {
    return this.read(key, fallback, "text", (value) =>
      typeof value === "string"
        ? value
        : typeof value === "number" || typeof value === "boolean"
          ? String(value)
          : undefined,
    );
  }

  /** Null where the file does not say, or says null. */
  optionalNumber(key: string): Known<number> | null {
    const known = this.read<number | null>(key, null, "a number", (value) =>
      typeof value === "number" || value === null ? value : undefined,
    );
    return known.value === null ? null : { ...known, value: known.value };
  }

  optionalText(key: string): Known<string> | null {
    const known = this.read<string | null>(key, null, "text", (value) =>
      typeof value === "string" || value === null ? value : typeof value === "number" ? String(value) : undefined,
    );
    return known.value === null ? null : { ...known, value: known.value };
  }

  /** Any value, or null. */
  optional(key: string): Known<unknown> | null {
    const known = this.read<unknown>(key, null, "a value", (value) => value);
    return known.value === null ? null : known;
  }

  /** Whether the file has the key, looked at or not. */
  says(key: string): boolean {
    return this.settings.has(key);
  }

  /** The setting itself, looked at from now on. */
  take(key: string): Setting | undefined {
    return this.settings.take(key);
  }

  /** Lists settings that say how the run was run: those whose key is in `keys`, or begins with one that ends in a dot or underscore. */
  setAside(keys: readonly string[]): void {
    for (const { key } of this.settings.rest()) {
      const matches = keys.some((pattern) => (/[._]$/.test(pattern) ? key.startsWith(pattern) : key === pattern));
      const setting = matches ? this.settings.take(key) : undefined;
      if (setting !== undefined) this.circumstances.push(setting);
    }
  }

  /** Lists settings that have no equal, if the file has them with another value than `idle`. */
  refuse(reasons: Readonly<Record<string, { readonly idle?: readonly unknown[]; readonly reason: string }>>): void {
    for (const [key, { idle = [], reason }] of Object.entries(reasons)) {
      const setting = this.settings.take(key);
      if (setting === undefined) continue;
      if ([null, ...idle].includes(setting.value as never)) this.circumstances.push(setting);
      else this.cannot(setting, reason);
    }
  }

  /** A value made from others: assumed where one of them is. */
  derive<Value>(value: Value, how: string, from: readonly Known<unknown>[]): Known<Value> {
    const keys = [...new Set(from.flatMap((known) => known.keys))];
    const kinds = from.map(({ kind }) => kind);
    const kind = kinds.includes("guess") ? "guess" : kinds.includes("default") ? "default" : "said";
    const origins = [...new Set(from.map(({ origin }) => origin))].join("; ");
    const guesses = from
      .filter((known) => known.kind === "guess" && known.keys.length === 0)
      .map(({ origin }) => origin);
    const names = [...keys, ...new Set(guesses)].join(", ");
    return { value, origin: how === "" ? origins : names === "" ? how : `${how}: ${names}`, kind, keys };
  }

  /** Settings that were looked at and changed nothing: a switch that is off, a number that another overrules. */
  withoutEffect(): Setting[] {
    const told = new Set([...this.left, ...this.circumstances].map(({ key }) => key));
    const words = this.entries.map(({ origin }) => origin).join("\n");
    const used = new Set(this.entries.flatMap(({ keys }) => keys));
    return this.settings
      .takenSettings()
      .filter(({ key }) => !told.has(key) && !used.has(key) && !words.includes(`${key} (`));
  }

  private read<Value>(
    key: string,
    fallback: Value,
    expected: string,
    convert: (value: unknown) => Value | undefined,
  ): Known<Value> {
    const setting = this.settings.take(key);
    const byDefault: Known<Value> = {
      value: fallback,
      origin: `${this.trainer}'s default of ${key}`,
      kind: "default",
      keys: [key],
    };
    if (setting === undefined) return byDefault;
    if (setting.unreadable !== undefined) {
      if (!this.left.some((left) => left.key === key))
        this.cannot(setting, `${setting.unreadable}; say it with --set ${key}=VALUE`);
      return {
        ...byDefault,
        kind: "guess",
        origin: `${byDefault.origin}, since what the file says cannot be read`,
      };
    }
    const value = convert(setting.value);
    if (value === undefined)
      throw new RecipeError(`${setting.place} ${key}: expected ${expected}, got ${shown(setting.value)}.`);
    return { value, origin: `${key} (${setting.place})`, kind: "said", keys: [key] };
  }
}

/** A value that neither the file nor the trainer says. */
export function assumption<Value>(value: Value, why: string): Known<Value> {
  return { value, origin: why, kind: "guess", keys: [] };
}

/** The trainer's default of a setting that is not read by one of Draft's own readers. */
export function byDefault<Value>(value: Value, trainer: string, key: string): Known<Value> {
  return { value, origin: `${trainer}'s default of ${key}`, kind: "default", keys: [key] };
}

/** A value that follows from what the trainer is. */
export function certain<Value>(value: Value, origin: string): Known<Value> {
  return { value, origin, kind: "said", keys: [] };
}

/** A value as one would write it. */
export function shown(value: unknown): string {
  if (typeof value === "string") return value === "" ? '""' : value.length > 100 ? `${value.slice(0, 97)}…` : value;
  return JSON.stringify(value) ?? String(value);
}
