/** `grouper reward list`: the shipped rewards in a sentence each; with a name, the definition at the head of its file and its parameters. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { z } from "zod";
import { packageRoot } from "../paths.ts";
import { importShipped, shippedRewards } from "../reward/load.ts";
import { wrapped } from "./table.ts";

export interface RewardListArguments {
  readonly name: string | undefined;
  readonly json: boolean;
}

type ParamSchema = z.core.JSONSchema._JSONSchema;

interface Listed {
  readonly name: string;
  readonly description: string;
  readonly source: string | null;
  /** JSON Schema of each parameter. */
  readonly params: Readonly<Record<string, ParamSchema>>;
  /** Parameters without a default that must be given. */
  readonly required: readonly string[];
}

/** Throws RecipeError for a name that is none. */
export async function runRewardList(
  { name, json }: RewardListArguments,
  columns: number,
  print: (text: string) => void,
): Promise<number> {
  const listed = await Promise.all((name === undefined ? shippedRewards() : [name]).map(listedOf));
  if (json) print(`${JSON.stringify(listed)}\n`);
  else if (name === undefined) print(describeAll(listed, columns));
  else print(describeOne(listed[0]!, columns));
  return 0;
}

async function listedOf(name: string): Promise<Listed> {
  const { description, source = null, params } = await importShipped(name);
  const schema = params && z.toJSONSchema(params, { io: "input", unrepresentable: "any" });
  return { name, description, source, params: schema?.properties ?? {}, required: schema?.required ?? [] };
}

function describeAll(listed: readonly Listed[], columns: number): string {
  const width = Math.max(...listed.map(({ name }) => name.length));
  const lines = listed.flatMap(({ name, description }) =>
    wrapped(description, columns - width - 2).map(
      (line, index) => `${(index === 0 ? name : "").padEnd(width)}  ${line}`,
    ),
  );
  return `${[...lines, "", "All about one, with its parameters: grouper reward list NAME"].join("\n")}\n`;
}

function describeOne({ name, params, required }: Listed, columns: number): string {
  const lines = Object.entries(params).flatMap(([key, schema]) => {
    const [first = "", ...rest] = wrapped(describeParam(schema, required.includes(key)), columns - 6);
    return [`  ${key}: ${first}`, ...rest.map((line) => `      ${line}`)];
  });
  const head = lines.length === 0 ? "It has no parameters." : "Parameters:";
  return `${[...definitionOf(name), "", head, ...lines].join("\n")}\n`;
}

/** What the head of the file says: every reward's begins with it. */
function definitionOf(name: string): string[] {
  const file = join(packageRoot, "rewards", `${name}.ts`);
  const [, head = ""] = /^\/\*\*(.*?)\*\//s.exec(readFileSync(file, "utf8")) ?? [];
  const lines = head.split("\n").map((line) => line.replace(/^ \* ?/, "").trimEnd());
  return lines.slice(
    lines.findIndex((line) => line !== ""),
    lines.findLastIndex((line) => line !== "") + 1,
  );
}

/** "exact, numeric, math; default "exact". What it does." */
function describeParam(schema: ParamSchema, isRequired: boolean): string {
  const { default: fallback, description } = typeof schema === "boolean" ? {} : schema;
  const preset = fallback === undefined ? (isRequired ? "; required" : "") : `; default ${JSON.stringify(fallback)}`;
  return `${kindOf(schema)}${preset}${description === undefined ? "" : `. ${description}`}`;
}

function kindOf(schema: ParamSchema): string {
  if (typeof schema === "boolean") return "anything";
  const { enum: values, const: only, type, anyOf } = schema;
  if (values !== undefined) return values.map(String).join(", ");
  if (only !== undefined) return JSON.stringify(only);
  return anyOf === undefined ? String(type ?? "anything") : anyOf.map(kindOf).join(" or ");
}
