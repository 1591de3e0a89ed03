import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { openDataset } from "../../src/dataset/dataset.ts";
import { readRows } from "../../src/dataset/read.ts";
import { type DataSpec, data } from "../../src/recipe/schema.ts";

/** Made with pyarrow by test/golden/make_parquet.py, which holds the values. */
const golden = (compression: string) => resolve(import.meta.dirname, `../golden/rows.${compression}.parquet`);

function spec(path: string, more: object = {}): DataSpec {
  return data.parse({ type: "file", path, ...more });
}

describe("Parquet files of pyarrow", () => {
  it.each(["snappy", "zstd", "gzip"])(
    "%s: every kind of column comes as JSON's types, over row groups",
    async (name) => {
      const rows = [];
      for await (const read of readRows(golden(name))) rows.push(read);
      const time = "2025-01-02T03:04:05.000Z";
      const row = (n: number, more: object) => ({
        where: `${golden(name)} row ${n + 1}`,
        row: {
          level: n + 1,
          answer: String(n + 2),
          prompt: [{ content: `${n}+1?`, role: "user" }],
          reward_model: { ground_truth: String(n), style: "rule" },
          seen: time,
          ...more,
        },
      });
      expect(rows).toEqual([
        row(0, { question: "1+1?", huge: "9007199254740993", score: 0.5, numbers: [44, 19, 35] }),
        row(1, { question: "山 × é 😀\u2028?", huge: 0, score: null, numbers: [] }),
        row(2, { question: null, huge: -1, score: 2, numbers: [1] }),
      ]);
    },
  );

  it("a row without a question is named by its number", async () => {
    await expect(openDataset(spec(golden("zstd")))).rejects.toThrow(
      /rows.zstd.parquet row 3: expected text in column "question", got null/,
    );
    expect((await openDataset(spec(golden("zstd"), { maxBadRows: 1 }))).rows.length).toBe(2);
  });

  it("a column may be a path into nested values", async () => {
    const columns = { question: "prompt.0.content", answer: "reward_model.ground_truth" };
    const { rows } = await openDataset(spec(golden("snappy"), { columns, where: { "reward_model.style": "rule" } }));
    expect(rows.map(({ question, answer }) => [question, answer])).toEqual([
      ["0+1?", "0"],
      ["1+1?", "1"],
      ["2+1?", "2"],
    ]);
  });

  it("a file that is cut or damaged gets one sentence", async () => {
    const dir = await mkdtemp(join(tmpdir(), "grouper-parquet-"));
    const bytes = await readFile(golden("snappy"));
    const damaged = Buffer.from(bytes).fill(0xff, 4, 400);
    for (const [name, content] of [
      ["cut", bytes.subarray(0, 3000)],
      ["empty", Buffer.alloc(0)],
      ["damaged", damaged],
    ] as const) {
      const path = join(dir, `${name}.parquet`);
      await writeFile(path, content);
      await expect(openDataset(spec(path)), name).rejects.toThrow(/Could not read .* as Parquet: /);
    }
  });
});
