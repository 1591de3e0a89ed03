import fc from "fast-check";
import { afterAll, beforeAll, expect, it } from "vitest";
import { CallFailure, parseReply } from "../../src/server/call.ts";
import { checkReply } from "../../src/server/check-reply.ts";
import { type EmbeddedServer, serveEngine } from "../../src/server/embedded.ts";
import { completionReply, messageOfErrorBody } from "../../src/server/wire.ts";
import { letters, vocabSize } from "./letters.ts";
import { TableEngine } from "./table-engine.ts";

let server: EmbeddedServer;
let failures: unknown[] = [];
beforeAll(async () => {
  const engine = new TableEngine({ vocabSize, maxPositionEmbeddings: 64 });
  server = await serveEngine({
    engine,
    tokenizer: letters,
    modelName: "tiny",
    onError: (error) => failures.push(error),
  });
});
afterAll(() => server.close());

const value = fc.oneof(
  fc.integer({ min: -2, max: 70 }),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom("", "1+2=", "tiny", "=", "<e>"),
  fc.array(fc.integer({ min: -1, max: 20 }), { maxLength: 5 }),
  fc.array(fc.constantFrom("1", "="), { maxLength: 3 }),
  fc.dictionary(fc.string(), fc.integer()),
);
const field = fc.constantFrom(
  ...[
    "n",
    "seed",
    "temperature",
    "top_p",
    "top_k",
    "min_p",
    "max_tokens",
    "min_tokens",
    "stop",
    "stop_token_ids",
    "logprobs",
  ],
  ...[
    "prompt_logprobs",
    "return_token_ids",
    "stream",
    "stream_options",
    "ignore_eos",
    "skip_special_tokens",
    "echo",
    "__proto__",
  ],
);

it("the embedded server answers any body with 200, 400 or 404, and never with a failure of its own", async () => {
  failures = [];
  const seen = new Map<number, number>();
  const body = fc.record({
    prompt: fc.oneof(value, fc.constant([1, 2])),
    extra: fc.dictionary(field, value, { maxKeys: 3 }),
  });
  await fc.assert(
    fc.asyncProperty(body, async ({ prompt, extra }) => {
      const response = await fetch(`${server.url}/completions`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ prompt, ...extra }),
      });
      const text = await response.text();
      seen.set(response.status, (seen.get(response.status) ?? 0) + 1);
      expect([200, 400, 404]).toContain(response.status);
      if (response.status !== 200) expect(JSON.parse(text).error.message.length).toBeGreaterThan(5);
    }),
    { numRuns: 600 },
  );
  expect(failures).toEqual([]);
  expect(seen.get(200)).toBeGreaterThan(30);
  expect(seen.get(400)).toBeGreaterThan(100);
});

it("any reply is a checked completion, a sentence, or a CallFailure; nothing else is thrown and nothing bad gets through", () => {
  const good = fc.integer({ min: 1, max: 4 }).chain((length) =>
    fc.record({
      index: fc.nat(2),
      text: fc.string(),
      finish_reason: fc.constantFrom("stop", "length", "abort", null),
      token_ids: fc.array(fc.nat(20), { minLength: length, maxLength: length }),
      prompt_token_ids: fc.constant([1, 2]),
      logprobs: fc.record({
        token_logprobs: fc.array(
          fc.oneof({ weight: 9, arbitrary: fc.double({ min: -9, max: 0, noNaN: true }) }, value),
          {
            minLength: length,
            maxLength: length,
          },
        ),
      }),
    }),
  );
  const key = fc.constantFrom("index", "text", "finish_reason", "token_ids", "prompt_token_ids", "logprobs");
  const choice = fc
    .tuple(good, fc.dictionary(key, value, { maxKeys: 1 }))
    .map(([base, change]) => ({ ...base, ...change }));
  const reply = fc.oneof(
    { weight: 9, arbitrary: fc.record({ model: fc.constant("m"), choices: fc.array(choice, { maxLength: 3 }) }) },
    value,
  );
  let accepted = 0;
  fc.assert(
    fc.property(reply, (body) => {
      try {
        const checked = checkReply(parseReply(JSON.stringify(body) ?? "", completionReply, "the test"), {
          ...{ promptTokenIds: [1, 2], numCompletions: 2, maxTokens: 3, policyVersion: 0, serverVersion: "vllm 0.28" },
          accepts: (name) => name === "m",
        });
        expect(checked).toHaveLength(2);
        for (const one of checked) {
          if (typeof one === "string") continue;
          accepted++;
          expect(one.logprobs.length).toBe(one.tokenIds.length);
          expect(one.tokenIds.length).toBeLessThanOrEqual(3);
          expect(one.logprobs.every((logprob) => Number.isFinite(logprob) && logprob <= 0 && logprob > -9999)).toBe(
            true,
          );
          expect(["stop", "length"]).toContain(one.finishReason);
        }
      } catch (error) {
        if (!(error instanceof CallFailure)) throw error;
      }
    }),
    { numRuns: 5000 },
  );
  expect(accepted).toBeGreaterThan(20);
});

it("the sentence of any error body is short and never empty", () => {
  fc.assert(
    fc.property(
      fc.oneof(fc.string(), fc.json(), fc.constantFrom('{"error":{"message":"a"}}', '{"detail":[1]}')),
      (body) => {
        const sentence = messageOfErrorBody(body);
        expect(sentence.length).toBeLessThanOrEqual(600);
      },
    ),
    { numRuns: 1000 },
  );
  expect(messageOfErrorBody("")).toBe("(empty body)");
  expect(messageOfErrorBody('{"error":{"message":"no room"}}')).toBe("no room");
  expect(messageOfErrorBody('{"detail":[{"msg":"bad"}]}')).toBe('[{"msg":"bad"}]');
});
