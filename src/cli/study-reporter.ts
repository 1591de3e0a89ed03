/** How a study looks while it works: which runs go on, and how each ended. All on stderr, like a run's. */
import picocolors from "picocolors";
import type { Job } from "../compare/jobs.ts";
import type { News } from "../compare/protocol.ts";
import type { JobReporter } from "../compare/run-jobs.ts";
import type { RunEnd } from "../compare/run-process.ts";
import { duration, type Output } from "./reporters.ts";

export interface StudyReporter extends JobReporter {
  note(text: string): void;
  /** Ends the live line. */
  close(): void;
}

export function createStudyReporter(output: Output, { json }: { readonly json: boolean }): StudyReporter {
  return json ? jsonReporter(output) : textReporter(output);
}

function jsonReporter({ write }: Output): StudyReporter {
  const print = (event: string, fields: object) => write(`${JSON.stringify({ event, ...fields })}\n`);
  return {
    began: ({ name, path }) => print("began", { job: name, run: path }),
    news({ name }, news) {
      if (news.kind === "note") print("note", { job: name, text: news.text });
      else if ("report" in news) print(news.kind, { job: name, ...news.report });
    },
    ended: ({ name, path }, end) => print("ended", { job: name, run: path, ...end }),
    note: (text) => print("note", { text }),
    close() {},
  };
}

interface Running {
  readonly startAt: number;
  progress: string;
  score: string;
}

/** A line for each run that ends, and on a terminal one that says how far the others are. */
function textReporter({ write, isTty, columns, now, hasColors }: Output): StudyReporter {
  const colors = picocolors.createColors(hasColors);
  const running = new Map<Job, Running>();
  const told = new Set<string>();
  let line = "";
  const erase = () => {
    if (line !== "") write("\r\u001b[K");
    line = "";
  };
  const draw = () => {
    if (!isTty) return;
    erase();
    const parts = [...running].map(([{ name }, { progress }]) => `${name}${progress}`);
    // A line as wide as the terminal would wrap, and could no longer be erased.
    line = parts.join("   ").slice(0, Math.max(1, columns() - 1));
    write(line);
  };
  const keep = (text: string) => {
    erase();
    write(`${text}\n`);
    draw();
  };
  return {
    began(job) {
      running.set(job, { startAt: now(), progress: "", score: "" });
      if (isTty) draw();
      else keep(`${job.name}: begun`);
    },
    news(job, news) {
      const state = running.get(job);
      if (state !== undefined) follow(state, news);
      // Every run would say the same of the machine.
      if (news.kind === "note" && !told.has(news.text)) {
        told.add(news.text);
        keep(colors.yellow(`note: ${job.name}: ${news.text}`));
      } else draw();
    },
    ended(job, end) {
      const state = running.get(job);
      running.delete(job);
      if (state === undefined && end.status === "complete") return;
      const seconds = state === undefined ? "" : `, ${duration(now() - state.startAt)}`;
      keep(`${job.name}: ${ending(end, state, colors)}${seconds}`);
    },
    note: (text) => keep(isTty ? colors.yellow(text) : `note: ${text}`),
    close: erase,
  };
}

function follow(state: Running, news: News): void {
  if (news.kind === "step") {
    const { stage, step, numSteps } = news.report;
    state.progress = ` ${stage} ${step}/${numSteps}`;
  } else if (news.kind === "evaluated") {
    state.score = ` at ${(100 * news.report.passAt1).toFixed(1)} % held out`;
  }
}

function ending(end: RunEnd, state: Running | undefined, colors: ReturnType<typeof picocolors.createColors>): string {
  switch (end.status) {
    case "complete":
      return colors.green(`done${state?.score ?? ""}`);
    case "interrupted":
      return `stopped and saved${state?.progress ?? ""}`;
    case "failed":
      return colors.red(`failed. ${end.reason}`);
    default:
      throw new Error(`unknown end ${JSON.stringify(end satisfies never)}`);
  }
}
