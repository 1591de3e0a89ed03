import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { resolve } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { renderPrompt } from "../../src/template/render.ts";
import { DAPO_USER, fill, OPEN_R1_SYSTEM, TEXT_TEMPLATES } from "../../src/template/templates.ts";
import { characterTokenizer, characterTokenizerFiles } from "../../src/tokenizer/characters.ts";
import { type TokenizerFiles, tokenizerOf } from "../../src/tokenizer/load.ts";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.ts";

const tokenizer = characterTokenizer({ characters: " \n?=", specialTokens: ["<think>"] });

describe("templates", () => {
  it("r1-zero asks in one line and ends with the assistant's turn", () => {
    const { text, prefill } = renderPrompt("r1-zero", { question: "1+1?" }, tokenizer);
    expect(
      text.startsWith(
        "A conversation between User and Assistant. The user asks a question, and the Assistant solves it. ",
      ),
    ).toBe(true);
    expect(text.endsWith("<answer> answer here </answer>. User: 1+1?. Assistant:")).toBe(true);
    expect(prefill).toBe("");
  });

  it("oat, orz and logic-rl prefill <think>, which stays in the prompt", () => {
    for (const name of ["oat", "orz", "logic-rl"] as const) {
      const { text, prefill } = renderPrompt(name, { question: "q" }, tokenizer);
      expect(prefill).toBe("<think>");
      expect(text.endsWith("\nAssistant: <think>")).toBe(true);
    }
  });

  it("logic-rl keeps the original's missing space", () => {
    expect(TEXT_TEMPLATES["logic-rl"].text).toContain("the Assistant solves it.The assistant first");
    expect(TEXT_TEMPLATES["logic-rl"].text).toContain(
      "(1) Zoey is a knight\n(2) Oliver is a knight\n(3)... </answer>.\n\nUser:{question}\n",
    );
  });

  it("orz wraps the question, oat does not", () => {
    expect(renderPrompt("orz", { question: "q" }, tokenizer).text).toContain(
      ". User: You must put your answer inside <answer> </answer> tags",
    );
    expect(renderPrompt("oat", { question: "q" }, tokenizer).text).toContain("</answer>.\nUser: q\nAssistant: <think>");
  });

  it("every template is pinned", () => {
    const bytes = [...Object.values(TEXT_TEMPLATES).map(({ text }) => text), OPEN_R1_SYSTEM, DAPO_USER].join("\u0000");
    expect(createHash("sha256").update(bytes).digest("hex").slice(0, 16)).toBe("fbd0634c9a336a8c");
  });

  const spec = resolve(import.meta.dirname, "../../../shared/spec/mission.md");
  const hasSpec = existsSync(spec);
  if (!hasSpec) console.warn(`skipped: templates against their specification, because ${spec} is absent`);
  it.skipIf(!hasSpec)(`every template has the bytes of its specification${hasSpec ? "" : " (skipped: absent)"}`, () => {
    const text = readFileSync(spec, "utf8");
    const section = text.slice(text.indexOf("## 2.1 "), text.indexOf("## 2.2 "));
    const blocks = [...section.matchAll(/\*\*([^*]+)\*\*[^`*]*?(?:`[^`\n]+`[^`*]*?)*```\n([\s\S]*?)\n```/g)];
    const block = (title: string) => {
      const found = blocks.find((match) => match[1]!.startsWith(title));
      if (found === undefined) throw new Error(`no block ${title} among ${blocks.map((match) => match[1]).join(", ")}`);
      return found[2]!.replace(/\{(prompt|quiz)\}/, "{question}");
    };
    expect(TEXT_TEMPLATES["r1-zero"].text).toBe(block("R1-Zero"));
    expect(TEXT_TEMPLATES.oat.text).toBe(block("Oat-Zero"));
    expect(TEXT_TEMPLATES.orz.text).toBe(
      block("Oat-Zero").replace(
        "</answer>.\nUser: {question}",
        () => `</answer>. User: ${block("ORZ question wrapper")}`,
      ),
    );
    expect(TEXT_TEMPLATES["qwen-math"].text).toBe(block("Qwen-Math"));
    expect(TEXT_TEMPLATES["logic-rl"].text).toBe(block("Logic-RL"));
    expect(OPEN_R1_SYSTEM).toBe(block("Open-R1"));
    expect(DAPO_USER).toBe(block("DAPO"));
    const suffix = (title: string) => new RegExp(`\\*\\*${title} suffix\\*\\*: \`(.*)\``).exec(section)![1]!;
    expect(TEXT_TEMPLATES.deepscaler.text).toBe(suffix("DeepScaleR").replace("{q}", "{question}"));
    expect(TEXT_TEMPLATES.prime.text).toBe(`{question}${suffix("PRIME").replaceAll("\\n", "\n")}`);
  });

  it("a prefill that is not the prompt's end is refused", () => {
    expect(() =>
      renderPrompt({ type: "text", text: "{question} ", prefill: "<think>" }, { question: "q" }, tokenizer),
    ).toThrow(/to end with its prefill "<think>"/);
  });

  it("filling replaces columns once, and leaves other braces alone", () => {
    expect(fill("{question} \\boxed{} {nope} {n}", { question: "{n}", n: 3 })).toBe("{n} \\boxed{} {nope} 3");
    fc.assert(
      fc.property(fc.string(), (value) => {
        expect(fill("a{question}b", { question: value })).toBe(`a${value}b`);
      }),
      { seed: 1 },
    );
  });

  it("the argument of a LaTeX command is text, also where a column has that name", () => {
    expect(fill("\\boxed{answer} of {n}", { answer: "secret", n: 1 })).toBe("\\boxed{answer} of 1");
    expect(fill("numbers {nums}", { nums: [44, 19, 35] })).toBe("numbers [44, 19, 35]");
  });

  it("a column without a value, a prompt without a column, and one with the answer are refused", () => {
    const text = (template: string) => ({ type: "text", text: template, prefill: "" }) as const;
    expect(() => renderPrompt(text("{question} {hint}"), { question: "q", hint: null }, tokenizer)).toThrow(
      /Expected a value in column "hint" for the template, but this row has none/,
    );
    expect(() => renderPrompt(text("{quizz}"), { question: "q" }, tokenizer)).toThrow(
      /to name a column, such as \{question\}, got "\{quizz\}". Columns: question/,
    );
    expect(() => renderPrompt(text("{question} is {answer}"), { question: "q", answer: "1" }, tokenizer)).toThrow(
      /would hold the reference answer/,
    );
  });
});

/** The character tokenizer with BOS before and EOS after a text, as its tokenizer.json may ask, and a chat template. */
function withFormat(chatTemplate?: string): Tokenizer {
  const files: Record<string, string> = { ...savedFiles() };
  const json = JSON.parse(files["tokenizer.json"]!);
  const special = (content: string, id: number) => ({ id: content, ids: [id], tokens: [content] });
  json.post_processor = {
    type: "TemplateProcessing",
    single: [
      { SpecialToken: { id: "<s>", type_id: 0 } },
      { Sequence: { id: "A", type_id: 0 } },
      { SpecialToken: { id: "<|endoftext|>", type_id: 0 } },
    ],
    pair: [],
    special_tokens: { "<s>": special("<s>", 2), "<|endoftext|>": special("<|endoftext|>", 0) },
  };
  const config = { ...JSON.parse(files["tokenizer_config.json"]!), bos_token: "<s>", chat_template: chatTemplate };
  files["tokenizer.json"] = JSON.stringify(json);
  files["tokenizer_config.json"] = JSON.stringify(config);
  return tokenizerOf(files, "the test");
}

function savedFiles(): TokenizerFiles {
  return characterTokenizerFiles({ characters: "abcq?\n ", specialTokens: ["<s>", "<think>"] });
}

describe("prompts of a tokenizer with a beginning of text", () => {
  it("begin with it once, whether or not the template writes it, and never end with EOS", () => {
    const format = withFormat();
    const [bos, q] = [format.bosTokenId!, format.encode("q")[0]!];
    expect(format.encode("q", { addSpecialTokens: true })).toEqual([bos, q, format.eosTokenId]);
    expect(renderPrompt("none", { question: "q" }, format).tokenIds).toEqual([bos, q]);
    const written = { type: "text", text: "<s>{question}", prefill: "" } as const;
    expect(renderPrompt(written, { question: "q" }, format).tokenIds).toEqual([bos, q]);
  });

  it("have the one that the chat template writes, and no second", () => {
    const format = withFormat("{{ bos_token }}{{ messages[0].content }}");
    const [bos, q] = [format.bosTokenId!, format.encode("q")[0]!];
    expect(renderPrompt("chat", { question: "q" }, format).tokenIds).toEqual([bos, q]);
  });
});

describe("a chat template that opens the thinking itself", () => {
  const opening = withFormat("{{ messages[0].content }}{% if add_generation_prompt %}?<think>\n{% endif %}");

  it("makes the tag known as the prefill", () => {
    expect(renderPrompt("chat", { question: "q" }, opening)).toMatchObject({
      text: "q?<think>\n",
      prefill: "<think>\n",
    });
  });

  it("is not opened twice by a recipe that says so too", () => {
    const chat = { type: "chat", user: "{question}", prefill: "<think>" } as const;
    expect(renderPrompt(chat, { question: "q" }, opening)).toMatchObject({ text: "q?<think>\n", prefill: "<think>\n" });
  });

  it("is not mistaken for a question that ends with the tag", () => {
    const plain = withFormat("{{ messages[0].content }}");
    expect(renderPrompt("chat", { question: "q<think>" }, plain)).toMatchObject({ text: "q<think>", prefill: "" });
  });
});
