/**
 * The parameters by which a recipe names a judge, and the judge that they mean: one for each set of parameters in a process, so that
 * cache, controls and connections are shared by all questions.
 */
import { homedir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import type { AskOptions } from "./ask.ts";
import { Budget } from "./budget.ts";
import { openCache } from "./cache.ts";
import { Endpoint } from "./endpoint.ts";
import { GUARDS, Judge } from "./judge.ts";
import { keyOf } from "./key.ts";
import { PreferenceJudge } from "./preference.ts";
import { PROTOCOL_NAMES } from "./protocols.ts";

/** Default of deadlineSeconds: one less than that of rewards.deadlineSeconds. */
export const JUDGE_DEADLINE_SECONDS = 9;

/** Where a server is, and how long it may take. */
export const endpointParams = z.strictObject({
  url: z
    .url({ protocol: /^https?$/ })
    .refine((url) => !/[@?#]/.test(url), "a key belongs into apiKeyFile or apiKeyEnv: an address is shown in messages")
    .describe("OpenAI base URL, e.g. http://127.0.0.1:8001/v1."),
  model: z.string().min(1).describe("Served model name."),
  apiKeyFile: z.string().optional().describe("A file that holds the key and nothing else."),
  apiKeyEnv: z.string().optional().describe("Environment variable that holds the key."),
  deadlineSeconds: z
    .number()
    .positive()
    .default(JUDGE_DEADLINE_SECONDS)
    .describe("For one question with all its tries and its control; keep it below rewards.deadlineSeconds."),
  maxTries: z.int().positive().default(4),
  concurrency: z.int().positive().default(16).describe("Questions in flight, in each reward worker."),
  retrySeconds: z.number().positive().default(0.25).describe("Pause before the second try; doubles from there."),
  budget: z
    .strictObject({
      ledger: z
        .string()
        .describe("File to which every request is booked; shared by threads, restarts and resumed runs."),
      maxRequests: z.int().positive().optional(),
      maxTokens: z
        .int()
        .positive()
        .optional()
        .describe("Of prompts and replies; a request that could pass it at its longest is not sent."),
    })
    .optional()
    .describe("Past it questions fail, and a run stops."),
});
export type EndpointParams = z.output<typeof endpointParams>;

const OWN_FIELDS = ["model", "messages", "stream", "n"] as const;

/** How a language model is asked. */
export const askParams = z.strictObject({
  ...endpointParams.shape,
  temperature: z.number().min(0).default(0),
  maxTokens: z.int().positive().default(1024).describe("Of a reply; one that is cut has no verdict."),
  extraBody: z
    .record(z.string(), z.unknown())
    .refine((body) => !OWN_FIELDS.some((field) => field in body), `${OWN_FIELDS.join(", ")} are the judge's own`)
    .default({})
    .describe("Further fields of each request."),
  maxAsks: z.int().positive().default(2).describe("Until a reply holds a verdict; then it is unknown."),
  maxChars: z.int().positive().default(8000).describe("Characters of a solution that are sent, from its end."),
  cache: z
    .union([z.string(), z.literal(false)])
    .optional()
    .describe("Folder of replies; false: none. Default: grouper/judge in the user's cache folder."),
  controlEvery: z.int().min(0).default(64).describe("Replies between two negative controls; 0: none."),
});
export type AskParams = z.output<typeof askParams>;

/** A judge: its server, its protocol and its guards. */
export const judgeParams = z.strictObject({
  ...askParams.shape,
  protocol: z.enum(PROTOCOL_NAMES).default("open-r1"),
  structured: z.boolean().default(false).describe("Send the protocol's JSON schema as response_format."),
  guard: z
    .enum(GUARDS)
    .default("fence")
    .describe("fence: escaped, between marks, with a system message that says so; escape: escaped; none: as it came."),
});
export type JudgeParams = z.output<typeof judgeParams>;

/** What `open` makes of a name and parameters, once for each in a process. */
export function memoised<Params, Opened>(open: (name: string, params: Params) => Opened) {
  const opened = new Map<string, Opened>();
  return (name: string, params: Params): Opened => {
    const id = JSON.stringify([name, params]);
    const known = opened.get(id) ?? open(name, params);
    opened.set(id, known);
    return known;
  };
}

/** A judge of its own; `name` stands in its messages. Throws RecipeError for a key that cannot be had. */
export function openJudge(name: string, params: JudgeParams): Judge {
  return new Judge({ ...params, ...askOptionsOf(name, params) });
}

/** The judge that all questions under this name and these parameters share. */
export const judgeOf = memoised(openJudge);

/** The same for comparisons. */
export const preferenceJudgeOf = memoised(
  (name, params: AskParams) => new PreferenceJudge({ ...params, ...askOptionsOf(name, params) }),
);

function askOptionsOf(name: string, params: AskParams): Required<Pick<AskOptions, "endpoint" | "cache">> {
  const cache = params.cache === false ? undefined : openCache(params.cache ?? defaultCache());
  return { endpoint: openEndpoint(name, params), cache };
}

/** A server of its own. Throws RecipeError for a key that cannot be had. */
export function openEndpoint(name: string, params: EndpointParams): Endpoint {
  const { url, model, maxTries, concurrency, budget } = params;
  return new Endpoint({
    ...{ name, url, model, maxTries, concurrency, apiKey: keyOf(params) },
    deadlineMs: params.deadlineSeconds * 1000,
    retryDelayMs: params.retrySeconds * 1000,
    budget: budget === undefined ? undefined : new Budget(budget.ledger, budget),
  });
}

function defaultCache(): string {
  return join(process.env["XDG_CACHE_HOME"] || join(homedir(), ".cache"), "grouper", "judge");
}
