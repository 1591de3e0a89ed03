/** The keys that say which prompts a step samples, and how long their completions may be: `rollout.prompts`, `rollout.contextSchedule`. */
import { z } from "zod";

const ends = z.enum(["open", "closed"]).describe("closed: values equal to min or max lie inside; open: they do not.");

const offlineWindow = z
  .strictObject({
    column: z.string().min(1).describe("A column of numbers, e.g. a pass rate measured beforehand."),
    min: z.number().optional(),
    max: z.number().optional(),
    ends,
  })
  .refine(({ min, max }) => min !== undefined || max !== undefined, "expected min, max, or both")
  .describe("Use only prompts whose column lies in this window.");

const onlineWindow = z
  .strictObject({
    min: z.number().min(0).max(1).optional().describe("Prompts below are no longer drawn."),
    max: z.number().min(0).max(1).optional().describe("Prompts above are no longer drawn, or only from the easy pool."),
    ends,
    over: z
      .enum(["last", "all"])
      .default("last")
      .describe("The rollouts that make the pass rate: those of the prompt's last group, or all of this run."),
    minSamples: z.int().positive().default(1).describe("Judged rollouts that a prompt must have had before it can go."),
  })
  .refine(({ min, max }) => min !== undefined || max !== undefined, "expected min, max, or both")
  .describe("Draw only prompts whose pass rate in this run lies in this window.");

const curriculum = z
  .discriminatedUnion("type", [
    z.strictObject({
      type: z.literal("sorted"),
      column: z.string().min(1).describe("A column of numbers."),
      easiest: z.enum(["lowest", "highest"]).describe("lowest for a difficulty, highest for a pass rate."),
    }),
    z.strictObject({
      type: z.literal("stages"),
      column: z.string().min(1).describe("A column of numbers."),
      stages: z
        .array(
          z.strictObject({
            afterStep: z.int().nonnegative().describe("Finished steps after which this stage begins."),
            min: z.number().optional(),
            max: z.number().optional().describe("Values from min to max, both inside, are drawn."),
          }),
        )
        .min(1)
        .describe("The first begins after step 0."),
    }),
  ])
  .describe("Easy prompts first: every epoch in order of a column, or a window of it for each part of the run.");

export const prompts = z
  .strictObject({
    metric: z
      .string()
      .optional()
      .describe("The reward whose score above 0.5 is a pass; default: a total above 0.5 is one."),
    window: offlineWindow.optional(),
    online: onlineWindow.optional(),
    curriculum: curriculum.optional(),
    easyPool: z
      .strictObject({ share: z.number().gt(0).lt(1).default(0.1).describe("Share of the draws.") })
      .optional()
      .describe("Solved prompts go to a pool that is drawn from with this share, instead of never again (MiMo)."),
  })
  .describe("Which prompts are drawn; default: every row once per epoch, shuffled.");

export const contextSchedule = z
  .array(
    z
      .strictObject({
        maxTokens: z.int().positive().describe("Generation limit from here on."),
        groupSize: z.int().positive().optional().describe("G from here on; default: as before."),
        afterStep: z.int().positive().optional().describe("Finished steps after which this context begins."),
        whenTruncated: z
          .strictObject({
            above: z.number().min(0).lt(1).describe("Share of completions cut off at maxTokens."),
            overSteps: z.int().positive().default(10).describe("Steps of the present context that the share is of."),
          })
          .optional()
          .describe("Begin once more than this share is cut off."),
      })
      .refine(
        ({ afterStep, whenTruncated }) => afterStep !== undefined || whenTruncated !== undefined,
        "expected afterStep, whenTruncated, or both (what comes first)",
      ),
  )
  .min(1)
  .describe("Contexts that follow sampling.maxTokens, each entered once, in order, within this stage.");

export type PromptsSpec = z.output<typeof prompts>;
export type ContextSpec = z.output<typeof contextSchedule>[number];
