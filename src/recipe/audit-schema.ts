/** The keys of an rl stage's `audit`: what watches the run for a policy that learns to please its reward instead of its task. */
import { z } from "zod";

const share = () => z.number().min(0).max(1);

const shadow = z
  .union([
    z.string().describe("Name of a shipped reward."),
    z
      .strictObject({
        name: z.string().optional().describe("Name of a shipped reward; with `file`, the name in metrics."),
        file: z.string().optional().describe("Your own .ts or .js file, relative to the recipe."),
        as: z.string().min(1).optional().describe("Name in metrics, e.g. for a second accuracy."),
        params: z.record(z.string(), z.unknown()).default({}),
      })
      .refine((spec) => spec.name !== undefined || spec.file !== undefined, "expected name or file"),
  ])
  .describe("One held-out reward.");

const thresholds = z
  .strictObject({
    chance: z
      .number()
      .gt(0)
      .lt(1)
      .default(0.001)
      .describe("Probability, by Welch's t test over the means of steps, below which a change is none by chance."),
    gap: share()
      .default(0.1)
      .describe("Growth of primary minus shadow, each in units of its range, that is a divergence."),
    dominance: share().default(0.9).describe("Share of the differences between siblings that another reward may make."),
    lengthFactor: z
      .number()
      .gt(1)
      .default(1.5)
      .describe("Mean length over what it was, or its inverse, that is a drift."),
    growth: share()
      .default(0.05)
      .describe("Growth of the share of completions that show a pattern, or are cut off, that is one."),
    cutShare: share()
      .default(0.5)
      .describe("Share of completions cut off at the limit that is a cliff, once it has grown."),
  })
  .prefault({})
  .describe("From where on something is an alarm.");

export const audit = z
  .strictObject({
    enabled: z.boolean().default(true),
    primary: z
      .string()
      .optional()
      .describe("The reward that the run is about. Default: accuracy, else the reward of most weight."),
    shadow: z
      .array(shadow)
      .default([])
      .describe(
        "Held-out rewards: asked about the sample of each step, compared with the primary reward, never trained on.",
      ),
    samplesPerStep: z
      .int()
      .positive()
      .default(64)
      .describe("Completions of a step, drawn by the seed, that shadows score and patterns are looked for in."),
    windowSteps: z
      .int()
      .min(15)
      .default(30)
      .describe(
        "Steps looked back on: their last third is compared with their first third, and with the stage's first steps.",
      ),
    repeatAfterSteps: z
      .int()
      .positive()
      .default(20)
      .describe("Steps after which an alarm that lasts is told again; then twice as many, and so on."),
    threads: z.int().positive().default(1).describe("Workers of the shadows."),
    deadlineSeconds: z.number().positive().default(10).describe("Of one shadow on one completion."),
    stepSeconds: z
      .number()
      .positive()
      .default(60)
      .describe("Of all shadows on a step; what is not done by then counts as failed, and the run goes on."),
    thresholds,
  })
  .prefault({})
  .describe("Watches each step for signs of reward hacking; changes nothing that is trained.");

export type AuditSpec = z.output<typeof audit>;
export type ShadowSpec = z.output<typeof shadow>;
