/** How a run looks while it works: one live line on a terminal, plain lines in a log, JSON Lines for machines. All on stderr. */
import picocolors from "picocolors";
import type { EvaluationReport, Reporter, StepReport } from "../progress.ts";

export interface Output {
  readonly write: (text: string) => void;
  /** A terminal that can erase its line. */
  readonly isTty: boolean;
  readonly hasColors: boolean;
  /** Columns of the terminal, asked anew at every line. */
  readonly columns: () => number;
  /** Seconds since any fixed moment. */
  readonly now: () => number;
}

export interface ClosingReporter extends Reporter {
  /** Ends the live line. */
  close(): void;
}

export function createReporter(output: Output, { json }: { readonly json: boolean }): ClosingReporter {
  if (json) return jsonReporter(output);
  return output.isTty ? liveReporter(output) : plainReporter(output);
}

function jsonReporter({ write }: Output): ClosingReporter {
  const print = (event: string, fields: object) => write(`${JSON.stringify({ event, ...fields })}\n`);
  return {
    stage: (report) => print("stage", report),
    step: (report) => print("step", report),
    evaluated: (report) => print("evaluated", report),
    note: (text) => print("note", { text }),
    close() {},
  };
}

/** A line every so many seconds, and for the first and last step of a stage. */
const PLAIN_INTERVAL_SECONDS = 5;

function plainReporter({ write, now }: Output): ClosingReporter {
  let lastAt = Number.NEGATIVE_INFINITY;
  const clock = new Clock(now);
  return {
    stage(report) {
      clock.restart();
      lastAt = Number.NEGATIVE_INFINITY;
      write(`stage ${report.index} of ${report.count}: ${report.name}\n`);
    },
    step(report) {
      clock.tick(report.step);
      if (now() - lastAt < PLAIN_INTERVAL_SECONDS && report.step !== report.numSteps) return;
      lastAt = now();
      write(`${stepLine(report, clock)}\n`);
    },
    evaluated: (report) => write(`${evaluationLine(report)}\n`),
    note: (text) => write(`note: ${text}\n`),
    close() {},
  };
}

function liveReporter({ write, columns, now, hasColors }: Output): ClosingReporter {
  const colors = picocolors.createColors(hasColors);
  const clock = new Clock(now);
  let line = "";
  const erase = () => {
    if (line !== "") write("\r\u001b[K");
  };
  const keep = (text: string) => {
    erase();
    write(`${text}\n`);
    if (line !== "") write(line);
  };
  const finishLine = () => {
    if (line !== "") write("\n");
    line = "";
  };
  return {
    stage(report) {
      finishLine();
      clock.restart();
      keep(colors.bold(`${report.name} (stage ${report.index} of ${report.count})`));
    },
    step(report) {
      clock.tick(report.step);
      erase();
      // A line as wide as the terminal would wrap, and could no longer be erased.
      line = stepLine(report, clock).slice(0, Math.max(1, columns() - 1));
      write(line);
      if (report.step === report.numSteps) finishLine();
    },
    evaluated: (report) => keep(colors.cyan(evaluationLine(report))),
    note: (text) => keep(colors.yellow(text)),
    close: finishLine,
  };
}

/** The rate of steps since the stage began in this process; a resumed stage starts counting anew. */
class Clock {
  private startStep: number | null = null;
  private startAt = 0;
  private step = 0;
  private readonly now: () => number;

  constructor(now: () => number) {
    this.now = now;
  }

  restart(): void {
    this.startStep = null;
  }

  tick(step: number): void {
    if (this.startStep === null) {
      this.startStep = step;
      this.startAt = this.now();
    }
    this.step = step;
  }

  /** Seconds until `numSteps` at the rate so far; null before there is one. */
  remaining(numSteps: number): number | null {
    if (this.startStep === null || this.step === this.startStep) return null;
    return ((this.now() - this.startAt) / (this.step - this.startStep)) * (numSteps - this.step);
  }
}

/** The numbers of a step that fit on a line; those that the step does not have are left out. */
export function stepLine(
  { step, numSteps, metrics }: StepReport,
  clock: { remaining(numSteps: number): number | null },
): string {
  const parts = [`step ${String(step).padStart(String(numSteps).length)}/${numSteps}`];
  const add = (label: string, name: string, format: (value: number) => string) => {
    const value = metrics[name];
    if (value !== undefined && Number.isFinite(value)) parts.push(`${label} ${format(value)}`);
  };
  const share = (value: number) => `${(100 * value).toFixed(1)}%`;
  add("reward", "reward", (value) => value.toFixed(3));
  add("accuracy", "rewards/accuracy/mean", share);
  add("format", "rewards/format/mean", share);
  if (metrics["reward"] === undefined) add("loss", "loss", (value) => value.toFixed(4));
  add("length", "completions/mean_length", (value) => value.toFixed(1));
  add("clip", "clip_ratio/region_mean", share);
  add("explained", "critic/vf_explained_var", share);
  add("kl", "kl", (value) => value.toFixed(4));
  add("entropy", "entropy", (value) => value.toFixed(3));
  add("tok/s", "time/tokens_per_second", (value) =>
    value >= 10_000 ? `${(value / 1000).toFixed(0)}k` : value.toFixed(0),
  );
  const seconds = clock.remaining(numSteps);
  if (seconds !== null && step < numSteps) parts.push(`eta ${duration(seconds)}`);
  return parts.join("  ");
}

function evaluationLine({ step, numPrompts, numSamples, passAt1, standardError }: EvaluationReport): string {
  const when = step === 0 ? "held out" : `held out after step ${step}`;
  const samples = numSamples === 1 ? "" : ` x ${numSamples} samples`;
  return `${when}: ${(100 * passAt1).toFixed(1)} % ± ${(100 * standardError).toFixed(1)} correct (${numPrompts} prompts${samples})`;
}

/** e.g. "42s", "3m05s", "2h07m". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  const pad = (value: number) => String(value).padStart(2, "0");
  if (whole < 60) return `${whole}s`;
  if (whole < 3600) return `${Math.floor(whole / 60)}m${pad(whole % 60)}s`;
  return `${Math.floor(whole / 3600)}h${pad(Math.floor((whole % 3600) / 60))}m`;
}
