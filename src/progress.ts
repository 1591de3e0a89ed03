/** What a run tells while it works. The loops report facts; how they look, on a terminal, in a log or as JSON, is a renderer's. */

export interface StageReport {
  readonly name: string;
  readonly type: "rl" | "sft" | "eval";
  /** From 1. */
  readonly index: number;
  readonly count: number;
}

export interface StepReport {
  readonly stage: string;
  readonly step: number;
  readonly numSteps: number;
  /** Under the names of metrics.jsonl. */
  readonly metrics: Readonly<Record<string, number>>;
}

export interface EvaluationReport {
  readonly stage: string;
  readonly step: number;
  /** Prompts and samples of each. */
  readonly numPrompts: number;
  readonly numSamples: number;
  readonly passAt1: number;
  readonly standardError: number;
}

export interface Reporter {
  stage(report: StageReport): void;
  step(report: StepReport): void;
  evaluated(report: EvaluationReport): void;
  /** One sentence that a person should read now. */
  note(text: string): void;
}

/** Tells nobody. */
export const silentReporter: Reporter = {
  stage() {},
  step() {},
  evaluated() {},
  note() {},
};
