import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { beforeEach, describe, expect, it } from "vitest";
import { createCursor } from "../../src/dataset/cursor.ts";
import { openDataset } from "../../src/dataset/dataset.ts";
import { promptsOf } from "../../src/dataset/prompts.ts";
import { RecipeError } from "../../src/errors.ts";
import { type DataSpec, data } from "../../src/recipe/schema.ts";
import { characterTokenizer } from "../../src/tokenizer/characters.ts";

let dir: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), "grouper-data-"));
});

function spec(path: string, more: object = {}): DataSpec {
  return data.parse({ type: "file", path, ...more });
}

async function write(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(dir, name);
  await writeFile(path, content);
  return path;
}

const rows = [
  { question: "1+1=", answer: "2", level: 1 },
  { question: "2+2=", answer: 4, level: 2 },
  { question: "3+3=", answer: "so 3+3 is 6\n#### 6", level: 2 },
];
const jsonl = rows.map((row) => JSON.stringify(row)).join("\n");

describe("datasets", () => {
  it("JSON Lines and gzip give the same rows, with all columns kept", async () => {
    const plain = await openDataset(spec(await write("a.jsonl", jsonl)));
    const zipped = await openDataset(spec(await write("a.jsonl.gz", gzipSync(jsonl))));
    expect(plain.rows.map((row) => row.answer)).toEqual(["2", "4", "so 3+3 is 6\n#### 6"]);
    expect(plain.rows[1]!.fields["level"]).toBe(2);
    expect(zipped).toEqual(plain);
  });

  it("columns are mapped, answers extracted, rows filtered", async () => {
    const path = await write(
      "b.jsonl",
      rows.map(({ question, answer, level }) => JSON.stringify({ q: question, solution: answer, level })).join("\n"),
    );
    const { rows: found } = await openDataset(
      spec(path, {
        columns: { question: "q", answer: "solution" },
        answerFrom: "gsm8k",
        where: { level: 2 },
        maxBadRows: 1,
      }),
    );
    // The number 4 is an answer as it stands.
    expect(found.map((row) => row.answer)).toEqual(["4", "6"]);
  });

  it("a malformed row is named by file and line, and stops the run past the limit", async () => {
    const path = await write("c.jsonl", `${jsonl}\n{"question": "4+4=", "ans\n[1]\n{"question": "", "answer": "1"}`);
    await expect(openDataset(spec(path))).rejects.toThrow(
      /at most 0 bad rows, but this is number 1: .*c\.jsonl:4: not JSON/,
    );
    const { badRows, rows: good } = await openDataset(spec(path, { maxBadRows: 3 }));
    expect(good.length).toBe(3);
    expect(badRows.map((bad) => /c\.jsonl:(\d+)/.exec(bad)?.[1])).toEqual(["4", "5", "6"]);
  });

  it("a missing column names the columns that there are", async () => {
    const path = await write("d.jsonl", jsonl);
    await expect(openDataset(spec(path, { columns: { question: "problem" } }))).rejects.toThrow(
      /expected text in column "problem", got none \(columns: question, answer, level\)/,
    );
  });

  it("a missing file, a strange ending and a cut gzip each get one sentence", async () => {
    await expect(openDataset(spec(join(dir, "none.jsonl")))).rejects.toThrow(
      /Expected a data file at .*none.jsonl, but there is none/,
    );
    await expect(openDataset(spec(dir))).rejects.toThrow(/Expected a data file at .*, but it is a folder\./);
    await expect(openDataset(spec(await write("e.csv", "a,b")))).rejects.toThrow(
      /ends in .jsonl, .json, .parquet or .jsonl.gz, got .*e.csv/,
    );
    const cut = gzipSync(jsonl.repeat(50)).subarray(0, 60);
    await expect(openDataset(spec(await write("f.jsonl.gz", cut), { maxBadRows: 9 }))).rejects.toThrow(
      /Could not read .*f.jsonl.gz/,
    );
    await expect(openDataset(spec(await write("g.parquet", "not parquet")))).rejects.toThrow(
      /Could not read .*g.parquet as Parquet/,
    );
  });

  it("holding out splits one source in two parts that share no row, equal rows included", async () => {
    const many = Array.from({ length: 60 }, (_, i) => JSON.stringify({ question: `${i % 40}`, answer: "1" })).join(
      "\n",
    );
    const path = await write("h.jsonl", many);
    const part = async (name: string) =>
      (await openDataset(spec(path, { holdout: { part: name, count: 10 } }))).rows.map((row) => row.id);
    const [train, held] = [await part("train"), await part("eval")];
    expect(train.length + held.length).toBe(60);
    expect(held.length).toBeGreaterThanOrEqual(10);
    expect(held.filter((id) => train.includes(id))).toEqual([]);
  });

  it("a prompt over the limit is left out and named, never cut", async () => {
    const tokenizer = characterTokenizer({ characters: "0123456789+=" });
    const path = await write("i.jsonl", '{"question":"1+1=","answer":"2"}\n{"question":"111+111=","answer":"222"}');
    const { prompts, tooLong } = promptsOf(await openDataset(spec(path)), "none", tokenizer, 5);
    expect(prompts.map((prompt) => prompt.text)).toEqual(["1+1="]);
    expect(tooLong[0]).toMatch(/^[0-9a-f]{16} \(8 tokens\)$/);
  });

  it("only a line feed ends a line: U+2028 within a string is text, and so is a byte order mark before the first row", async () => {
    const text = '\uFEFF{"question":"a\u2028b\u2029c","answer":"1"}\r\n\n{"question":"d","answer":"2"}';
    const { rows: found } = await openDataset(spec(await write("j.jsonl", text)));
    expect(found.map((row) => row.question)).toEqual(["a\u2028b\u2029c", "d"]);
  });

  it("lines are the same wherever the file's chunks end", async () => {
    // Far more than one read of 64 KiB, with characters of one to four bytes.
    const many = Array.from({ length: 4000 }, (_, i) => ({
      question: `${"é山😀a".repeat((i * 7) % 40)} ${i}?`,
      answer: `${i}`,
    }));
    const { rows: found } = await openDataset(
      spec(await write("k.jsonl", many.map((row) => JSON.stringify(row)).join("\n"))),
    );
    expect(found.map(({ question, answer }) => ({ question, answer }))).toEqual(many);
  });

  it("bytes that are not UTF-8 are a bad row, not a replacement character", async () => {
    const bytes = Buffer.concat([
      Buffer.from('{"question":"'),
      Buffer.from([0xff]),
      Buffer.from('","answer":"1"}\n'),
      Buffer.from(jsonl),
    ]);
    const { rows: found, badRows } = await openDataset(spec(await write("l.jsonl", bytes), { maxBadRows: 1 }));
    expect(found.length).toBe(3);
    expect(badRows[0]).toMatch(/l.jsonl:1: not UTF-8/);
  });

  it("a line without end does not fill the memory", async () => {
    const path = await write("m.jsonl.gz", gzipSync(Buffer.alloc(70 * 1024 * 1024, 0x20)));
    await expect(openDataset(spec(path))).rejects.toThrow(/lines of at most \d+ bytes, but .*m.jsonl.gz:1 is longer/);
  });

  it("a .json file is an array of rows, or JSON Lines by another name", async () => {
    const array = await openDataset(spec(await write("n.json", JSON.stringify(rows, null, 2))));
    const lines = await openDataset(spec(await write("o.json", jsonl)));
    expect(array.rows).toEqual(lines.rows);
    await expect(openDataset(spec(await write("p.json", '[{"question":"q","answer":"1"}, 3]')))).rejects.toThrow(
      /p.json row 2: expected a JSON object/,
    );
    await expect(openDataset(spec(await write("q.json", '[{"question":')))).rejects.toThrow(
      /Could not read .*q.json as JSON/,
    );
  });

  it("the hash is of the rows: it changes with a value and with the order, and not with the file", async () => {
    const hashOf = async (name: string, lines: string[]) =>
      (await openDataset(spec(await write(name, lines.join("\n"))))).hash;
    const [a, b] = ['{"question":"a","answer":"1"}', '{"question":"b","answer":"2"}'];
    const hash = await hashOf("r.jsonl", [a, b]);
    expect(hash).toMatch(/^[0-9a-f]{64}$/);
    expect(await hashOf("s.jsonl", [a, "", b])).toBe(hash);
    expect(await hashOf("t.jsonl", [b, a])).not.toBe(hash);
    expect(await hashOf("u.jsonl", [a, b.replace("2", "3")])).not.toBe(hash);
  });

  it("a task's problems are rows, with what its verifier needs", async () => {
    const task = data.parse({ type: "task", task: "countdown", params: { numNumbers: 4 }, size: 5 });
    const { rows: found } = await openDataset(task);
    expect(found.length).toBe(5);
    for (const { answer, fields } of found) {
      expect(fields["target"]).toBe(Number(answer));
      expect(fields["nums"]).toHaveLength(4);
    }
  });

  it("any bytes give rows or a RecipeError", async () => {
    const path = join(dir, "fuzz.jsonl");
    await fc.assert(
      fc.asyncProperty(fc.oneof(fc.string(), fc.json()), async (text) => {
        await writeFile(path, text);
        await openDataset(spec(path)).catch((error: unknown) => expect(error).toBeInstanceOf(RecipeError));
      }),
      { seed: 1, numRuns: 300 },
    );
  });
});

describe("the cursor", () => {
  it("every epoch gives every row once, in another order", () => {
    const cursor = createCursor(50, 7);
    const epochs = [0, 1].map(() => Array.from({ length: 50 }, () => cursor.next()));
    for (const epoch of epochs)
      expect([...epoch].sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, i) => i));
    expect(epochs[0]).not.toEqual(epochs[1]);
  });

  it("resumed from its state it goes on as if never stopped", () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 40 }), fc.nat(100), fc.nat(1000), (size, before, seed) => {
        const cursor = createCursor(size, seed);
        for (let i = 0; i < before; i++) cursor.next();
        const resumed = createCursor(size, seed, JSON.parse(JSON.stringify(cursor.state())));
        for (let i = 0; i < 60; i++) expect(resumed.next()).toBe(cursor.next());
      }),
      { seed: 2 },
    );
  });
});
