/** What a study and the process of one of its runs tell each other. */
import type { EvaluationReport, StageReport, StepReport } from "../progress.ts";
import type { Recipe } from "../recipe/schema.ts";

export type Order =
  | { readonly kind: "run"; readonly runPath: string; readonly recipe: Recipe }
  | { readonly kind: "stop" };

export type News =
  | { readonly kind: "stage"; readonly report: StageReport }
  | { readonly kind: "step"; readonly report: StepReport }
  | { readonly kind: "evaluated"; readonly report: EvaluationReport }
  | { readonly kind: "note"; readonly text: string }
  | { readonly kind: "ended"; readonly interrupted: boolean }
  | { readonly kind: "failed"; readonly reason: string };
