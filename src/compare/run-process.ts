/** The study's end of a run's process: what becomes of it, and nothing of it into the study. */
import { fork } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { RecipeError } from "../errors.ts";
import { packageRoot } from "../paths.ts";
import type { Recipe } from "../recipe/schema.ts";
import type { News, Order } from "./protocol.ts";

/** A run that failed says why in a sentence. */
export type RunEnd =
  | { readonly status: "complete" | "interrupted" }
  | { readonly status: "failed"; readonly reason: string };

export interface RunProcess {
  /** Never rejects. */
  readonly ended: Promise<RunEnd>;
  /** Ends the step in progress, saves, ends. */
  stop(): void;
  /** Ends at once, which loses the step. */
  kill(): void;
}

const keptStderrCharacters = 2048;

/** Throws RecipeError when Grouper is not built. */
export function startRun(runPath: string, recipe: Recipe, onNews: (news: News) => void): RunProcess {
  const script = join(packageRoot, "dist", "src", "compare", "run-child.js");
  if (!existsSync(script)) throw new RecipeError(`Expected ${script}, but Grouper is not built. Type: npm run build`);
  // A group of its own: Ctrl-C in a terminal must not end it before it has learnt to ignore signals.
  const child = fork(script, { detached: true, execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
  let stderr = "";
  let end: RunEnd | null = null;
  child.stderr?.setEncoding("utf8").on("data", (text: string) => {
    stderr = (stderr + text).slice(-keptStderrCharacters);
  });
  child.on("message", (news: News) => {
    if (news.kind === "ended") end = { status: news.interrupted ? "interrupted" : "complete" };
    else if (news.kind === "failed") end = { status: "failed", reason: news.reason };
    onNews(news);
  });
  const ended = new Promise<RunEnd>((resolve) => {
    child.on("error", (error) => {
      end ??= { status: "failed", reason: `Its process failed: ${error.message}.` };
      // Of a process that could not start, nothing else comes.
      if (child.pid === undefined) resolve(end);
    });
    child.on("close", (code, signal) => resolve(end ?? { status: "failed", reason: obituary(code, signal, stderr) }));
  });
  const send = (order: Order) => {
    // A channel that closed belongs to a process that ended, whose "close" says why.
    if (child.connected) child.send(order, () => undefined);
  };
  send({ kind: "run", runPath, recipe });
  return { ended, stop: () => send({ kind: "stop" }), kill: () => void child.kill("SIGKILL") };
}

function obituary(code: number | null, signal: NodeJS.Signals | null, stderr: string): string {
  const how = signal === null ? `exited with code ${code}` : `was ended by ${signal}`;
  const hint = signal === "SIGKILL" ? " SIGKILL from outside usually means that the machine ran out of memory." : "";
  const lines = stderr.trim().split("\n");
  const lastWords = (lines.findLast((line) => /error/i.test(line)) ?? lines.at(-1) ?? "").trim().slice(0, 300);
  return `Its process ${how}.${hint}${lastWords === "" ? "" : ` Its last words: ${lastWords}`}`;
}
