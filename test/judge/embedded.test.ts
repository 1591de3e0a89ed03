/** Our own server as the judge: a model that writes nonsense, and two that know one word each. */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it } from "vitest";
import judgeReward from "../../rewards/judge.ts";
import type { Engine } from "../../src/engine/engine.ts";
import { openNativeEngine } from "../../src/engine/native.ts";
import type { RewardInput } from "../../src/reward/reward.ts";
import type { ChatTokenizer } from "../../src/server/chat-tokenizer.ts";
import { serveEngine } from "../../src/server/embedded.ts";
import { grouper } from "../cli/grouper.ts";
import { TableEngine } from "../server/table-engine.ts";

const folder = mkdtempSync(join(tmpdir(), "grouper-embedded-judge-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A token for each printable character of ASCII, one for all others, and the end. */
const [OTHER, END] = [95, 96];
const tokenizer: ChatTokenizer = {
  eosTokenIds: [END],
  encode: (text) => [...text].map((char) => (/[ -~]/.test(char) ? char.charCodeAt(0) - 32 : OTHER)),
  decode: (ids) => ids.map((id) => (id === END ? "" : id === OTHER ? "\n" : String.fromCharCode(id + 32))).join(""),
  applyChatTemplate: (messages) => `${messages.map(({ content }) => content).join(" ")}=`,
};

/** Says `word` and ends, whatever it is asked. */
function oneWord(word: string): TableEngine {
  const engine = new TableEngine({ vocabSize: 97, maxPositionEmbeddings: 8192 });
  const path = [...tokenizer.encode(`=${word}`), END];
  for (const [index, id] of path.slice(0, -1).entries()) engine.logits[id * 97 + path[index + 1]!] = 100;
  return engine;
}

async function serve(engine: Engine) {
  return serveEngine({ engine, tokenizer, modelName: "judge", host: "127.0.0.1", port: 0 });
}

function inputOf(answer: string): RewardInput {
  const completion = `So \\boxed{${answer}}`;
  const row = { answer: "5", fields: { question: "What is 2 + 3?" }, numTokens: 9, maxTokens: 99 };
  return { ...row, prompt: "Q", prefill: "", completion, response: completion, finishReason: "stop" };
}

async function scores(url: string, params: object = {}) {
  const base = {
    url,
    model: "judge",
    cache: false,
    method: "exact",
    from: "boxed",
    maxTokens: 32,
    deadlineSeconds: 60,
    retrySeconds: 0.01,
  };
  return judgeReward.scoreGroup(
    [inputOf("5"), inputOf("five"), inputOf("6")],
    judgeReward.params!.parse({ ...base, ...params }),
  );
}

const ROWS = ["5", "five", "6"].map((said) => ({
  completion: `So \\boxed{${said}}`,
  answer: "5",
  question: "What is 2 + 3?",
}));
const data = join(folder, "rows.jsonl");
writeFileSync(data, ROWS.map((row) => `${JSON.stringify(row)}\n`).join(""));

const audit = (url: string, params: string) =>
  grouper(["judge", "--data", data, "--url", url, "--model", "judge", "--from", "boxed", "--json", "--params", params]);

describe("our own server as a judge", () => {
  it("that knows NO alone passes its controls and rescues nothing", async () => {
    const server = await serve(oneWord("NO"));
    try {
      expect(await scores(server.url, { protocol: "seed" })).toMatchObject([{ score: 1 }, { score: 0 }, { score: 0 }]);
      const { code, stdout } = await audit(server.url, "{protocol: seed, cache: false, maxTokens: 32}");
      expect(code).toBe(0);
      expect(JSON.parse(stdout)).toMatchObject({
        keptByRule: 1,
        rescued: 0,
        dropped: 2,
        table: { ruleRight: { wrong: 1 } },
      });
    } finally {
      await server.close();
    }
  });

  it("that knows YES alone is an alarm, in the reward and on the command line", async () => {
    const server = await serve(oneWord("YES"));
    try {
      const [kept, ...asked] = await scores(server.url, { protocol: "seed" });
      expect(kept).toMatchObject({ score: 1 });
      for (const failure of asked) expect(String(failure)).toContain('accepted the solution ":"');
      const { code, stderr } = await audit(server.url, "{protocol: seed, cache: false, maxTokens: 32}");
      expect(code).toBe(1);
      expect(stderr).toContain("accepted the solution");
    } finally {
      await server.close();
    }
  });

  it("that has no room for the question is a failure in the server's own words", async () => {
    const server = await serve(new TableEngine({ vocabSize: 97, maxPositionEmbeddings: 128 }));
    try {
      const [kept, ...asked] = await scores(server.url);
      expect(kept).toMatchObject({ score: 1 });
      for (const failure of asked) expect(String(failure)).toMatch(/after 1 try: 400: .*128/);
    } finally {
      await server.close();
    }
  });
});

const missing = ["build/grouper.node", "dist/src/engine/native-child.js"].filter((file) => !existsSync(file));
if (missing.length > 0)
  console.warn(`skipped: the native engine is not built (${missing.join(", ")}); run npm run setup`);

describe.skipIf(missing.length > 0)(
  `a transformer of random weights as a judge${missing.length > 0 ? " (skipped: not built)" : ""}`,
  () => {
    it("writes nonsense, and nonsense is unknown: it is neither believed nor an alarm", async () => {
      await using engine = await openNativeEngine({
        init: {
          ...{
            family: "qwen2" as const,
            hiddenSize: 32,
            intermediateSize: 64,
            numHiddenLayers: 1,
            numAttentionHeads: 2,
          },
          ...{ numKeyValueHeads: 1, maxPositionEmbeddings: 8192, vocabSize: 97, initializerRange: 0.4 },
          ...{ tieWordEmbeddings: true, ropeTheta: 10_000, eosTokenIds: [END] },
        },
        ...{ seed: 5, device: "cpu", numThreads: 1 },
      });
      const server = await serve(engine);
      try {
        for (const protocol of ["open-r1", "openthoughts", "deepscaler", "seed-thinking"]) {
          expect(await scores(server.url, { protocol, temperature: 1 })).toMatchObject([{ score: 1 }, null, null]);
        }
        const { code, stdout } = await audit(server.url, "{cache: false, maxTokens: 32, deadlineSeconds: 60}");
        expect(code).toBe(0);
        expect(JSON.parse(stdout)).toMatchObject({
          ...{ keptByRule: 1, rescued: 0, dropped: 2, numFailed: 0 },
          table: { ruleRight: { unknown: 1 }, ruleWrong: { unknown: 2 } },
        });
      } finally {
        await server.close();
      }
    });
  },
);
