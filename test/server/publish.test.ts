import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { type ConnectOptions, connectPolicyServer } from "../../src/server/client.ts";
import { serveEngine } from "../../src/server/embedded.ts";
import type { Canary, GroupRequest, PolicyServer, PublishedWeights } from "../../src/server/server.ts";
import { type ContractOptions, type ContractServer, contractServer } from "./contract-server.ts";
import { endId, letters, vocabSize } from "./letters.ts";
import { TableEngine } from "./table-engine.ts";

const open: AsyncDisposable[] = [];
const folders: string[] = [];
afterEach(async () => {
  for (const one of open.splice(0).reverse()) await one[Symbol.asyncDispose]();
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
});

const quick = { policyVersion: 0, retryDelayMs: 5, startTimeoutMs: 5_000, random: () => 0.5 };
const group: GroupRequest = {
  prompt: { id: "p1", text: "1+2=", tokenIds: [1, 10, 2, 13], prefill: "", answer: "3", fields: {} },
  numCompletions: 4,
  seed: 100,
  params: { temperature: 1, topP: 1, topK: 0, minP: 0, maxTokens: 20, stopTokenIds: [endId] },
};

/** A trainer that moves every logit, starting from the weights that the contract server starts with. */
class Trainer {
  readonly engine = new TableEngine({ vocabSize, seed: 9 });
  readonly kind: PublishedWeights["kind"];
  constructor(kind: PublishedWeights["kind"] = "full") {
    this.kind = kind;
  }

  /** Weights of the next version; `size` is how far each logit moves at most. */
  async step(size: number): Promise<PublishedWeights> {
    const { engine } = this;
    engine.policyVersion++;
    engine.logits.forEach((_, i) => {
      engine.logits[i]! += size * Math.sin(i * 12.9898 + engine.policyVersion);
    });
    return this.save();
  }

  async save(): Promise<PublishedWeights> {
    const folder = mkdtempSync(join(tmpdir(), "grouper-publish-"));
    folders.push(folder);
    const dir = join(folder, `v${this.engine.policyVersion}`);
    await this.engine.saveWeights(dir);
    return { policyVersion: this.engine.policyVersion, dir, kind: this.kind };
  }

  async canary(tokenIds = [1, 10, 2, 13, 3, endId]): Promise<Canary> {
    const sequence = {
      tokenIds: Int32Array.from(tokenIds),
      lossMask: new Uint8Array(tokenIds.length).fill(1, 1),
      samplingLogprobs: new Float32Array(tokenIds.length),
    };
    const [outputs] = await this.engine.forward([sequence]);
    return { tokenIds, logprobs: Float32Array.from(outputs!.logprobs) };
  }

  /** What a server with these weights samples for `group`. */
  async expected(): Promise<(readonly number[])[]> {
    const { prompt, seed, params } = group;
    const requests = [0, 1, 2, 3].map((i) => ({ promptTokenIds: prompt.tokenIds, seed: seed + i, params }));
    return (await this.engine.sample(requests)).map((result) => result.tokenIds);
  }
}

async function pair(contract: ContractOptions, options: Partial<ConnectOptions>) {
  const server = await contractServer(contract);
  open.push(server);
  const retries: string[] = [];
  const client = await connectPolicyServer({
    ...quick,
    url: server.url,
    onRetry: (text) => retries.push(text),
    ...options,
  });
  open.push(client);
  return { server, client, retries };
}

const byDisk = (contract: ContractOptions = {}, options: Partial<ConnectOptions> = {}) =>
  pair(
    { devMode: true, ...contract },
    { publish: { method: "disk", pauseTimeoutMs: 500, updateTimeoutMs: 500 }, ...options },
  );
const byLora = (contract: ContractOptions = {}, options: Partial<ConnectOptions> = {}) =>
  pair(
    { lora: true, ...contract },
    { publish: { method: "lora", adapterName: "run7", updateTimeoutMs: 500 }, ...options },
  );

async function sampledIds(client: PolicyServer) {
  return (await client.sample(group)).map((completion) => completion.tokenIds);
}

const control = (server: ContractServer) =>
  server.requests.filter((request) => /pause|resume|rpc/.test(request.path)).map((request) => request.path);

describe("through a shared folder", () => {
  it("pauses, reloads and resumes, in that order, and samples from the new weights under the new version", async () => {
    const { server, client } = await byDisk();
    const trainer = new Trainer();
    const weights = await trainer.step(0.5);
    server.requests.length = 0;
    await client.publish(weights, await trainer.canary());
    expect(control(server)).toEqual(["/pause", "/is_paused", "/collective_rpc", "/resume", "/is_paused"]);
    expect(server.requests.find((request) => request.path === "/pause")?.query.get("mode")).toBe("wait");
    expect(server.requests.find((request) => request.path === "/collective_rpc")?.body).toMatchObject({
      method: "reload_weights",
      kwargs: { weights_path: weights.dir, is_checkpoint_format: true },
    });
    expect(client.policyVersion).toBe(1);
    const completions = await client.sample(group);
    expect(completions.map((completion) => completion.tokenIds)).toEqual(await trainer.expected());
    expect(completions.map((completion) => completion.policyVersion)).toEqual([1, 1, 1, 1]);
    expect(server.requests.at(-1)?.body.cache_salt).toBe("policy-v1");
  });

  it("lets completions in flight end on the old weights and holds new ones until the new weights are there", async () => {
    const { client } = await byDisk({ latencyMs: 60 });
    const trainer = new Trainer();
    const old = await trainer.expected();
    const early = client.sample(group);
    await new Promise((resolve) => setTimeout(resolve, 20));
    const publishing = client.publish(await trainer.step(0.5), await trainer.canary());
    const late = client.sample(group);
    const [before, after] = await Promise.all([early, late, publishing]);
    expect(before.map((completion) => [completion.tokenIds, completion.policyVersion])).toEqual(
      old.map((ids) => [ids, 0]),
    );
    expect(after.map((completion) => completion.tokenIds)).toEqual(await trainer.expected());
    expect(after.map((completion) => completion.policyVersion)).toEqual([1, 1, 1, 1]);
  });

  it("resumes a server that a killed run left paused", async () => {
    const server = await contractServer({ devMode: true });
    open.push(server);
    server.paused = true;
    const client = await connectPolicyServer({ ...quick, url: server.url, publish: { method: "disk" } });
    open.push(client);
    expect(server.paused).toBe(false);
  });

  it("resumes after a reload that failed, keeps the old version, and names the phase", async () => {
    const { server, client } = await byDisk();
    const trainer = new Trainer();
    const weights = await trainer.step(0.5);
    server.fault = (request) =>
      request.path === "/collective_rpc" ? { status: 500, body: '{"error":{"message":"out of memory"}}' } : undefined;
    await expect(client.publish(weights, await trainer.canary())).rejects.toThrow(
      /version 1 did not reach http.*failed at reload_weights: 500: out of memory/,
    );
    expect(server.paused).toBe(false);
    expect(client.policyVersion).toBe(0);
    expect(server.count("/collective_rpc")).toBe(3);
    // part of a reload may have happened: nothing is sampled until one succeeds
    await expect(client.sample(group)).rejects.toThrow(/version 1 did not reach/);
    server.fault = undefined;
    await client.publish(weights, await trainer.canary());
    expect(await sampledIds(client)).toEqual(await trainer.expected());
  });

  it("repeats a reload that failed once", async () => {
    const { server, client } = await byDisk();
    const trainer = new Trainer();
    const weights = await trainer.step(0.5);
    let n = 0;
    server.fault = (request) => (request.path === "/collective_rpc" && n++ === 0 ? { status: 500 } : undefined);
    await client.publish(weights, await trainer.canary());
    expect(await sampledIds(client)).toEqual(await trainer.expected());
  });

  it("gives up on a reload that hangs, and leaves the server running", async () => {
    const { server, client } = await byDisk(
      {},
      { publish: { method: "disk", pauseTimeoutMs: 300, updateTimeoutMs: 100 } },
    );
    const trainer = new Trainer();
    const weights = await trainer.step(0.5);
    server.fault = (request) => (request.path === "/collective_rpc" ? "hold" : undefined);
    await expect(client.publish(weights, await trainer.canary())).rejects.toThrow(
      /reload_weights: no complete answer within 0.1 s/,
    );
    expect(server.paused).toBe(false);
  });

  it("says so when the server could not be resumed", async () => {
    const { server, client } = await byDisk();
    const trainer = new Trainer();
    const weights = await trainer.step(0.5);
    server.fault = (request) => (request.path === "/resume" ? { status: 500 } : undefined);
    await expect(client.publish(weights, await trainer.canary())).rejects.toThrow(
      /failed at resume.*may stand still until POST/,
    );
  });

  it("catches a server that says 200 and keeps weights that are far away", async () => {
    const { client } = await byDisk({ lies: true });
    const trainer = new Trainer();
    await expect(client.publish(await trainer.step(1), await trainer.canary())).rejects.toThrow(
      /canary's log-probabilities differ.*does not sample from the published weights/,
    );
    expect(client.policyVersion).toBe(0);
  });

  it("catches a server that keeps its weights when the step is far below the noise between kernels", async () => {
    const { client } = await byDisk({ lies: true, noise: 0.01 });
    const trainer = new Trainer();
    // what it was started with is what it has: nothing to catch yet
    await client.publish(await trainer.save(), await trainer.canary());
    const tiny = await trainer.step(0.002);
    await expect(client.publish(tiny, await trainer.canary())).rejects.toThrow(/it still has the old weights/);
  });

  it("believes a server whose kernels differ a little, and a step that moved nothing", async () => {
    const { client } = await byDisk({ noise: 0.01 });
    const trainer = new Trainer();
    await client.publish(await trainer.save(), await trainer.canary());
    await client.publish(await trainer.step(0.002), await trainer.canary());
    await client.publish(await trainer.step(0), await trainer.canary());
    expect(client.policyVersion).toBe(2);
  });

  it("verifies by one likely token where prompt_logprobs are refused", async () => {
    const honest = await byDisk({ promptLogprobs: false });
    const trainer = new Trainer();
    await honest.client.publish(await trainer.step(0.5), await trainer.canary());
    expect(honest.client.policyVersion).toBe(1);
    const liar = await byDisk({ promptLogprobs: false, lies: true });
    const far = new Trainer();
    await expect(liar.client.publish(await far.step(2), await far.canary())).rejects.toThrow(
      /canary's log-probabilities differ/,
    );
  });

  it("notices that the server was restarted with its first weights, and publishes again before it believes a sample", async () => {
    const { server, client, retries } = await byDisk();
    const trainer = new Trainer();
    await client.publish(await trainer.step(0.5), await trainer.canary());
    await server.stop();
    await server.start();
    expect(await sampledIds(client)).toEqual(await trainer.expected());
    expect(retries.some((text) => /lost the weights of version 1/.test(text))).toBe(true);
    expect(server.count("/collective_rpc")).toBe(2);
  });

  it("notices it also when every connection had been idle too long and was put away before", async () => {
    // told of 3 s, the transport lets go of a connection after 1 s
    const { server, client } = await byDisk({ keepAliveMs: 3000 });
    const trainer = new Trainer();
    await client.publish(await trainer.step(0.5), await trainer.canary());
    await new Promise((resolve) => setTimeout(resolve, 1500));
    server.loseWeights();
    expect(await sampledIds(client)).toEqual(await trainer.expected());
    expect(server.count("/collective_rpc")).toBe(2);
  });

  it("notices it also when a step moved less than the noise between two scorings", async () => {
    const { server, client } = await byDisk();
    const trainer = new Trainer();
    await client.publish(await trainer.step(0.003), await trainer.canary());
    await server.stop();
    await server.start();
    await client.sample(group);
    expect(server.count("/collective_rpc")).toBe(2);
  });

  it("discards what was sampled while the weights were lost", async () => {
    const { server, client } = await byDisk({ latencyMs: 50 });
    const trainer = new Trainer();
    await client.publish(await trainer.step(0.5), await trainer.canary());
    const pending = Promise.all(Array.from({ length: 8 }, () => sampledIds(client)));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await server.stop();
    await server.start();
    const expected = await trainer.expected();
    for (const ids of await pending) expect(ids).toEqual(expected);
  });

  it("discards a reply when the connections show that the server was replaced meanwhile", async () => {
    const { server, client } = await byDisk({ latencyMs: 30 });
    const trainer = new Trainer();
    await client.publish(await trainer.step(0.5), await trainer.canary());
    // two connections, so that one is idle while the other samples
    await Promise.all([client.sample(group), client.sample(group)]);
    let lost = false;
    server.fault = (request) => {
      if (request.path === "/v1/completions" && !lost) {
        lost = true;
        server.loseWeights();
      }
      return undefined;
    };
    expect(await sampledIds(client)).toEqual(await trainer.expected());
    expect(server.count("/collective_rpc")).toBe(2);
  });

  it("does not reload after a lost connection to a server that kept its weights", async () => {
    const { server, client } = await byDisk();
    const trainer = new Trainer();
    await client.publish(await trainer.step(0.5), await trainer.canary());
    let n = 0;
    server.fault = (request) => (request.path === "/v1/completions" && n++ === 0 ? "reset" : undefined);
    expect(await sampledIds(client)).toEqual(await trainer.expected());
    expect(server.count("/collective_rpc")).toBe(1);
  });

  it("refuses adapter folders and missing folders", async () => {
    const { client } = await byDisk();
    const weights = await new Trainer("lora").save();
    await expect(client.publish(weights, null)).rejects.toThrow(
      /expected a folder with full weights of version 0.*got a lora folder/,
    );
    await expect(client.publish({ ...weights, dir: null }, null)).rejects.toThrow(/got none/);
  });
});

describe("as LoRA adapters", () => {
  it("samples each version under a name of its own, and unloads what is two versions old", async () => {
    const { server, client } = await byLora();
    const trainer = new Trainer("lora");
    for (let version = 1; version <= 4; version++) {
      await client.publish(await trainer.step(0.3), await trainer.canary());
      expect(await sampledIds(client)).toEqual(await trainer.expected());
      expect(server.requests.at(-1)?.body.model).toBe(`run7@v${version}`);
    }
    expect([...server.adapters.keys()]).toEqual(["run7@v3", "run7@v4"]);
  });

  it("lets completions in flight end on the version they were started with", async () => {
    const { client } = await byLora({ latencyMs: 60 });
    const trainer = new Trainer("lora");
    await client.publish(await trainer.step(0.3), await trainer.canary());
    const old = await trainer.expected();
    const early = client.sample(group);
    await new Promise((resolve) => setTimeout(resolve, 20));
    await client.publish(await trainer.step(0.3), await trainer.canary());
    const completions = await early;
    expect(completions.map((completion) => [completion.tokenIds, completion.policyVersion])).toEqual(
      old.map((ids) => [ids, 1]),
    );
  });

  it("replaces an adapter that a killed run left under the same name", async () => {
    const { server, client } = await byLora();
    const trainer = new Trainer("lora");
    server.adapters.set("run7@v1", new TableEngine({ vocabSize, seed: 77 }));
    await client.publish(await trainer.step(0.3), await trainer.canary());
    expect(await sampledIds(client)).toEqual(await trainer.expected());
  });

  it("loads the adapter again when a restarted server no longer knows it", async () => {
    const { server, client } = await byLora();
    const trainer = new Trainer("lora");
    await client.publish(await trainer.step(0.3), await trainer.canary());
    server.adapters.clear();
    expect(await sampledIds(client)).toEqual(await trainer.expected());
    await server.stop();
    await server.start();
    expect(await sampledIds(client)).toEqual(await trainer.expected());
  });

  it("catches a server that says Success and samples from the base model", async () => {
    const { client } = await byLora({ lies: true });
    const trainer = new Trainer("lora");
    await expect(client.publish(await trainer.step(1), await trainer.canary())).rejects.toThrow(
      /canary's log-probabilities differ/,
    );
  });

  it("names the flags when the server takes no adapters", async () => {
    const { client } = await byLora({ lora: false });
    const trainer = new Trainer("lora");
    await expect(client.publish(await trainer.step(1), null)).rejects.toThrow(
      /--enable-lora and VLLM_ALLOW_RUNTIME_LORA_UPDATING/,
    );
  });

  it("names the folder that the server cannot see", async () => {
    const { client } = await byLora();
    await expect(client.publish({ policyVersion: 1, dir: "/nowhere/v1", kind: "lora" }, null)).rejects.toThrow(
      /load_lora_adapter: 404: .*No adapter found for \/nowhere\/v1/,
    );
  });
});

describe("in one process", () => {
  it("proves that samples carry the engine's version, and refuses when they do not", async () => {
    const engine = new TableEngine({ vocabSize, seed: 9 });
    const embedded = await serveEngine({ engine, tokenizer: letters, modelName: "policy" });
    open.push(embedded);
    const client = await connectPolicyServer({ ...quick, url: embedded.url, publish: { method: "embedded" } });
    open.push(client);
    engine.policyVersion = 1;
    await client.publish({ policyVersion: 1, dir: null, kind: "full" }, null);
    expect((await client.sample(group)).map((completion) => completion.policyVersion)).toEqual([1, 1, 1, 1]);
    await expect(client.publish({ policyVersion: 2, dir: null, kind: "full" }, null)).rejects.toThrow(
      /version 2 did not reach http.*samples are of version 1/,
    );
  });

  it("refuses to publish through a client that was opened without a way to", async () => {
    const { client } = await pair({}, {});
    await expect(client.publish({ policyVersion: 1, dir: null, kind: "full" }, null)).rejects.toThrow(
      /without a way to publish/,
    );
  });
});
