/**
 * Weights come from strangers: a damaged or hostile safetensors file gets one clear sentence that names the file, and no byte of it is
 * used. Every case edits a good file in one place and opens an engine on it.
 */
import { cp, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { hasNativeEngine, openTiny, sequenceOf } from "./fixtures.ts";

interface Entry {
  dtype: string;
  shape: number[];
  data_offsets: number[];
}
type Header = Record<string, Entry>;

const file = "model.safetensors";
const index = "model.safetensors.index.json";
const norm = "model.norm.weight";

function parse(bytes: Buffer): { header: Header; data: Buffer } {
  const start = 8 + Number(bytes.readBigUInt64LE(0));
  return { header: JSON.parse(bytes.toString("utf8", 8, start)), data: bytes.subarray(start) };
}

function assemble(header: string, data: Uint8Array): Buffer {
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(Buffer.byteLength(header)));
  return Buffer.concat([length, Buffer.from(header), data]);
}

/** The file with its parsed header changed. */
function changed(bytes: Buffer, change: (header: Header, data: Buffer) => void): Buffer {
  const { header, data } = parse(bytes);
  change(header, data);
  return assemble(JSON.stringify(header), data);
}

/** The file with the text of its header changed. */
function reworded(bytes: Buffer, from: string | RegExp, to: string): Buffer {
  const { header, data } = parse(bytes);
  const text = JSON.stringify(header);
  expect(text.replace(from, to)).not.toBe(text);
  return assemble(text.replace(from, to), data);
}

function withLength(bytes: Buffer, length: bigint): Buffer {
  const copy = Buffer.from(bytes);
  copy.writeBigUInt64LE(length, 0);
  return copy;
}

const damages: readonly { name: string; damage: (bytes: Buffer) => Buffer; message: RegExp }[] = [
  { name: "an empty file", damage: () => Buffer.alloc(0), message: /0 bytes: too short/ },
  { name: "data cut off", damage: (bytes) => bytes.subarray(0, -4), message: /truncated/ },
  { name: "a header cut off", damage: (bytes) => bytes.subarray(0, 100), message: /truncated/ },
  { name: "a header of 101 MB", damage: (bytes) => withLength(bytes, 101_000_000n), message: /the limit is 100000000/ },
  { name: "a header of 2^64 - 1 bytes", damage: (bytes) => withLength(bytes, 2n ** 64n - 1n), message: /the limit is/ },
  { name: "a header that is no JSON", damage: (bytes) => reworded(bytes, "{", "["), message: /expected '\{'/ },
  {
    name: "a name twice",
    damage: (bytes) => reworded(bytes, `"${norm}"`, '"model.embed_tokens.weight"'),
    message: /comes twice/,
  },
  {
    name: "a name twice, once escaped",
    damage: (bytes) => reworded(bytes, `"${norm}"`, '"\\u006dodel.embed_tokens.weight"'),
    message: /comes twice/,
  },
  {
    name: "bytes after the last tensor",
    damage: (bytes) => Buffer.concat([bytes, Buffer.alloc(4)]),
    message: /4 bytes after its last tensor/,
  },
  {
    name: "two tensors on the same bytes",
    damage: (bytes) => changed(bytes, (header) => (header[norm]!.data_offsets = [0, 128])),
    message: /overlaps another tensor/,
  },
  {
    name: "a shape that does not match its bytes",
    damage: (bytes) => changed(bytes, (header) => (header[norm]!.shape = [31])),
    message: /do not match its dtype/,
  },
  {
    name: "a shape whose size wraps around 2^64",
    damage: (bytes) => changed(bytes, (header) => (header[norm]!.shape = [2 ** 32, 2 ** 31, 2 ** 31, 2 ** 30])),
    message: /do not match its dtype/,
  },
  {
    name: "offsets that run backwards",
    damage: (bytes) => changed(bytes, (header) => header[norm]!.data_offsets.reverse()),
    message: /claims bytes/,
  },
  {
    name: "offsets past the end",
    damage: (bytes) => changed(bytes, (header) => (header[norm]!.data_offsets = [0, 2 ** 40])),
    message: /claims bytes/,
  },
  {
    name: "a negative size",
    damage: (bytes) => reworded(bytes, '"shape":[32]', '"shape":[-32]'),
    message: /an integer from 0 up/,
  },
  {
    name: "a size of 10^40",
    damage: (bytes) => reworded(bytes, '"shape":[32]', `"shape":[1${"0".repeat(40)}]`),
    message: /below 2\^53/,
  },
  {
    name: "a fractional size",
    damage: (bytes) => reworded(bytes, '"shape":[32]', '"shape":[32.0]'),
    message: /without fraction/,
  },
  {
    name: "a thousand dimensions",
    damage: (bytes) => changed(bytes, (header) => (header[norm]!.shape = Array.from({ length: 1000 }, () => 1))),
    message: /at most 16 dimensions/,
  },
  { name: "an unknown dtype", damage: (bytes) => reworded(bytes, '"F32"', '"F8_E4M3"'), message: /F8_E4M3/ },
  {
    name: "a field that the format has not",
    damage: (bytes) => reworded(bytes, '"dtype"', '"code":"x","dtype"'),
    message: /not "code"/,
  },
  {
    name: "a tensor that is missing",
    damage: (bytes) => reworded(bytes, `"${norm}"`, '"model.other.weight"'),
    message: /model\.(norm|other)\.weight/,
  },
];

const paths = ["../model.safetensors", "/etc/passwd", "..", "a/b.safetensors", "..\\\\x", ""];

describe.skipIf(!hasNativeEngine)(
  hasNativeEngine ? "safetensors" : "safetensors (grouper setup has not been run)",
  () => {
    let good = "";
    let bytes: Buffer = Buffer.alloc(0);
    beforeAll(async () => {
      good = await mkdtemp(join(tmpdir(), "grouper-safetensors-"));
      await using engine = await openTiny();
      await engine.saveWeights(good);
      bytes = await readFile(join(good, file));
    });
    afterAll(async () => await rm(good, { recursive: true }));

    async function inCopy(use: (dir: string) => Promise<void>): Promise<void> {
      const dir = await mkdtemp(join(tmpdir(), "grouper-safetensors-"));
      try {
        await cp(good, dir, { recursive: true });
        await use(dir);
      } finally {
        await rm(dir, { recursive: true });
      }
    }

    async function firstLogprobs(dir: string): Promise<number[]> {
      await using engine = await openTiny({ modelDir: dir });
      const [outputs] = await engine.forward([sequenceOf(20, 1)]);
      return [...outputs!.logprobs];
    }

    it("writes an 8-byte aligned header with tensors in model order, without gaps", () => {
      const { header, data } = parse(bytes);
      expect(Number(bytes.readBigUInt64LE(0)) % 8).toBe(0);
      const names = Object.keys(header).filter((name) => name !== "__metadata__");
      expect(names[0]).toBe("model.embed_tokens.weight");
      expect(names.at(-1)).toBe(norm);
      let end = 0;
      for (const name of names) {
        expect(header[name]!.data_offsets[0]).toBe(end);
        end = header[name]!.data_offsets[1]!;
      }
      expect(end).toBe(data.length);
    });

    it.each(damages)("refuses $name", async ({ damage, message }) => {
      await inCopy(async (dir) => {
        await writeFile(join(dir, file), damage(bytes));
        await expect(openTiny({ modelDir: dir })).rejects.toThrow(message);
      });
    });

    it("reads shards by their index, and every supported float type", async () => {
      await inCopy(async (dir) => {
        const expected = await firstLogprobs(dir);
        const { header, data } = parse(bytes);
        const names = Object.keys(header).filter((name) => name !== "__metadata__");
        const weightMap: Record<string, string> = {};
        for (const [shard, part] of [names.slice(0, 9), names.slice(9)].entries()) {
          const entries: Header = {};
          const blobs: Buffer[] = [];
          let offset = 0;
          for (const name of part) {
            const { shape, data_offsets: offsets } = header[name]!;
            const blob = data.subarray(offsets[0], offsets[1]);
            // The second shard in float64: the same values in another type.
            const wide = Float64Array.from({ length: blob.length / 4 }, (_, i) => blob.readFloatLE(4 * i));
            blobs.push(shard === 0 ? blob : Buffer.from(wide.buffer));
            entries[name] = {
              dtype: shard === 0 ? "F32" : "F64",
              shape,
              data_offsets: [offset, offset + blobs.at(-1)!.length],
            };
            offset += blobs.at(-1)!.length;
            weightMap[name] = `part-${shard}.safetensors`;
          }
          await writeFile(
            join(dir, `part-${shard}.safetensors`),
            assemble(JSON.stringify(entries), Buffer.concat(blobs)),
          );
        }
        await rm(join(dir, file));
        await writeFile(join(dir, index), JSON.stringify({ metadata: { total_size: 1 }, weight_map: weightMap }));
        expect(await firstLogprobs(dir)).toEqual(expected);

        await writeFile(
          join(dir, index),
          JSON.stringify({ weight_map: { ...weightMap, [norm]: "part-0.safetensors" } }),
        );
        await expect(openTiny({ modelDir: dir })).rejects.toThrow(/places in another shard|does not hold it/);
      });
    });

    it.each(paths)("refuses an index that places a tensor in %j", async (shard) => {
      await inCopy(async (dir) => {
        const names = Object.keys(parse(bytes).header).filter((name) => name !== "__metadata__");
        await rename(join(dir, file), join(dir, "part.safetensors"));
        const weightMap = Object.fromEntries(names.map((name) => [name, name === norm ? shard : "part.safetensors"]));
        await writeFile(join(dir, index), JSON.stringify({ weight_map: weightMap }));
        await expect(openTiny({ modelDir: dir })).rejects.toThrow(/the name of a file in the same folder/);
      });
    });
  },
);
