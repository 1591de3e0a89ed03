/**
 * The alarms of a run: audit.jsonl in its folder, a line each, with the completions that show what is meant and their places in the rollout
 * log. The file is replaced with every alarm, so that a crash cuts none.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { RecipeError } from "../errors.ts";
import { writeFileAtomic } from "../files.ts";
import type { Alarm, AuditedCompletion } from "./audit.ts";

const NAME = "audit.jsonl";

/** Adds the alarms of a step; without any, writes nothing. */
export async function logAlarms(runPath: string, stage: string, step: number, alarms: readonly Alarm[]): Promise<void> {
  if (alarms.length === 0) return;
  const lines = alarms.map(({ name, message, examples }) => {
    const pairs = examples.map(({ suspect, control }) => ({
      suspect: excerptsOf(suspect),
      control: control === null ? null : excerptsOf(control),
    }));
    return JSON.stringify({ stage, step, alarm: name, message, examples: pairs });
  });
  await writeLines(runPath, [...(await readLines(runPath)), ...lines]);
}

const placeSchema = z.object({ stage: z.string(), step: z.int() });

/** Removes what a killed run logged of the stage beyond `step`. Throws RecipeError for a file that is not ours. */
export async function cutAlarms(runPath: string, stage: string, step: number): Promise<void> {
  const lines = await readLines(runPath);
  const kept = lines.filter((line, i) => {
    const place = placeSchema.safeParse(parseJson(line));
    if (place.success) return place.data.stage !== stage || place.data.step <= step;
    throw new RecipeError(
      `Expected an alarm in line ${i + 1} of ${join(runPath, NAME)}, got ${line.slice(0, 80)}. Move the file away, then resume.`,
    );
  });
  if (kept.length < lines.length) await writeLines(runPath, kept);
}

async function readLines(runPath: string): Promise<string[]> {
  const text = await readFile(join(runPath, NAME), "utf8").catch((error: unknown) => {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return "";
    throw error;
  });
  return text.split("\n").filter((line) => line !== "");
}

async function writeLines(runPath: string, lines: readonly string[]): Promise<void> {
  await writeFileAtomic(join(runPath, NAME), lines.map((line) => `${line}\n`).join(""));
}

function excerptsOf(completion: AuditedCompletion) {
  const { prompt, response, ...rest } = completion;
  return { ...rest, prompt: excerptOf(prompt), response: excerptOf(response) };
}

const HEAD = 300;
const TAIL = 500;

/** Begin and end: an answer stands at the end. */
function excerptOf(text: string): string {
  if (text.length <= HEAD + TAIL) return text;
  return `${text.slice(0, HEAD)} … ${text.slice(-TAIL)}`;
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
