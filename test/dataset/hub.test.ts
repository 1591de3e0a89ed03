import { createHash } from "node:crypto";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { openDataset } from "../../src/dataset/dataset.ts";
import type { HubOptions } from "../../src/dataset/hub.ts";
import { RecipeError } from "../../src/errors.ts";
import { data } from "../../src/recipe/schema.ts";

const COMMIT = "a".repeat(40);
const jsonl = (...questions: string[]) =>
  questions.map((question) => JSON.stringify({ question, answer: "1" })).join("\n");

/** A hub of one dataset that answers as the real one: its tree, the paths' information, and the files by range. */
async function fakeHub(files: Readonly<Record<string, string | Uint8Array>>, { cut = false } = {}) {
  const requests: string[] = [];
  const entry = (path: string) => {
    const content = Buffer.from(files[path]!);
    const oid = createHash("sha1").update(content).digest("hex");
    return {
      type: "file",
      path,
      size: content.length,
      oid,
      lastCommit: { id: COMMIT, title: "", date: "2025-01-01T00:00:00Z" },
    };
  };
  const fetch = async (input: string | URL | Request, init: RequestInit = {}): Promise<Response> => {
    const { pathname } = new URL(input instanceof Request ? input.url : input);
    const headers = new Headers(init.headers);
    requests.push(`${pathname} ${headers.get("authorization") ?? ""}`.trim());
    if (!pathname.includes("/datasets/team/sums/")) {
      return Response.json({ error: "Repository not found" }, { status: 404 });
    }
    if (pathname.includes("/tree/")) {
      return Response.json([{ type: "directory", path: "data", size: 0, oid: "0" }, ...Object.keys(files).map(entry)]);
    }
    if (pathname.includes("/paths-info/")) {
      const { paths } = JSON.parse(String(init.body));
      return Response.json(paths.map(entry));
    }
    const path = decodeURIComponent(pathname.split(/\/(?:resolve|raw)\/main\//)[1]!);
    const content = Buffer.from(files[path]!);
    const range = /bytes=(\d+)-(\d+)/.exec(headers.get("range") ?? "");
    const [from, to] = range === null ? [0, content.length] : [Number(range[1]), Number(range[2]) + 1];
    const body = content.subarray(from, cut && range === null ? Math.floor(to / 2) : to);
    return new Response(body, {
      status: range === null ? 200 : 206,
      headers: { "content-range": `bytes ${from}-${to - 1}/${content.length}`, etag: `"${entry(path).oid}"` },
    });
  };
  const options: HubOptions = { fetch, cacheDir: await mkdtemp(join(tmpdir(), "grouper-hub-")) };
  return { options, requests };
}

function spec(more: object = {}) {
  return data.parse({ type: "hub", dataset: "team/sums", ...more });
}

describe("Hugging Face datasets", () => {
  it("the files of the split are read in order, and those of other splits left alone", async () => {
    const { options } = await fakeHub({
      "README.md": "# sums",
      "data/train-00001-of-00002.jsonl": jsonl("c"),
      "data/train-00000-of-00002.jsonl": jsonl("a", "b"),
      "data/test-00000-of-00001.jsonl": jsonl("t"),
    });
    expect((await openDataset(spec(), options)).rows.map((row) => row.question)).toEqual(["a", "b", "c"]);
    expect((await openDataset(spec({ split: "test" }), options)).rows.map((row) => row.question)).toEqual(["t"]);
  });

  it("Parquet files arrive byte for byte", async () => {
    const parquet = await readFile(resolve(import.meta.dirname, "../golden/rows.zstd.parquet"));
    const { options } = await fakeHub({ "main/train-00000-of-00001.parquet": parquet });
    const { rows } = await openDataset(spec({ config: "main", maxBadRows: 1 }), options);
    expect(rows.map((row) => row.answer)).toEqual(["2", "3"]);
  });

  it("a second opening takes the files from the cache", async () => {
    const { options, requests } = await fakeHub({ "train.jsonl": jsonl("a") });
    const first = await openDataset(spec(), options);
    const downloads = requests.filter((request) => request.includes("/resolve/")).length;
    expect(downloads).toBeGreaterThan(0);
    expect(await openDataset(spec(), options)).toEqual(first);
    expect(requests.filter((request) => request.includes("/resolve/")).length).toBe(downloads);
  });

  it("two configurations are not mixed: one must be named", async () => {
    const { options } = await fakeHub({ "main/train.jsonl": jsonl("m"), "socratic/train.jsonl": jsonl("s") });
    await expect(openDataset(spec(), options)).rejects.toThrow(
      /Expected one set of files for split train in dataset team\/sums, but it has main\/\*.jsonl and socratic\/\*.jsonl. Say in data.config/,
    );
    expect((await openDataset(spec({ config: "socratic" }), options)).rows.map((row) => row.question)).toEqual(["s"]);
  });

  it("a split that is not there names the files that are", async () => {
    const { options } = await fakeHub({ "train.jsonl": jsonl("a") });
    await expect(openDataset(spec({ split: "validation" }), options)).rejects.toThrow(
      /Expected files of split validation in dataset team\/sums, but it has only: train.jsonl/,
    );
  });

  it("an unknown dataset, no network, and a download that is cut get one sentence each", async () => {
    const { options } = await fakeHub({ "train.jsonl": jsonl("a") });
    const unknown = openDataset(spec({ dataset: "team/other" }), options);
    await expect(unknown).rejects.toThrow(
      /Could not get dataset team\/other \(revision main\) from the Hugging Face hub: .*not found/,
    );
    const offline = { ...options, fetch: () => Promise.reject(new TypeError("fetch failed")) };
    await expect(openDataset(spec(), offline)).rejects.toThrow(
      /fetch failed. Check the name and the network, or download it and use type: file/,
    );
    const { options: cut } = await fakeHub({ "train.jsonl": jsonl("a", "b", "c", "d") }, { cut: true });
    const failure = await openDataset(spec(), cut).catch((error: unknown) => error);
    expect(failure).toBeInstanceOf(RecipeError);
    expect(String(failure)).toMatch(/train.jsonl .*bytes/);
  });

  it("the access token goes with every request", async () => {
    const { options, requests } = await fakeHub({ "train.jsonl": jsonl("a") });
    await openDataset(spec(), { ...options, accessToken: "hf_test" });
    expect(requests.length).toBeGreaterThan(2);
    expect(requests.filter((request) => !request.endsWith("Bearer hf_test"))).toEqual([]);
  });
});
