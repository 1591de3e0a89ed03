/**
 * Which weights a server samples from, and the proof of it.
 *
 * New weights are delivered by a publisher and proven by a canary. After that they can be lost: a server that dies comes back with
 * those it was started with. As long as one connection stayed open it is the same process; when none did, the canary decides.
 */
import { type Caller, CallFailure, parseReply } from "./call.ts";
import { type CanaryScores, judgeCanary, meanDistance, sameTokens, scoreCanary } from "./canary.ts";
import { Gate } from "./gate.ts";
import { waitUntilHealthy } from "./preflight.ts";
import type { Publisher } from "./publish.ts";
import { type Canary, type PublishedWeights, ServerError } from "./server.ts";
import { completionReply } from "./wire.ts";

export interface ServedWeightsOptions {
  readonly caller: Caller;
  /** Absent: these weights stay. */
  readonly publisher: Publisher | undefined;
  /** The model name that has them. */
  readonly model: string;
  readonly policyVersion: number;
  /** Largest mean |difference| of the canary's log-probabilities, in nats. */
  readonly canaryTolerance?: number;
  /** How long a server that died is waited for. */
  readonly startTimeoutMs?: number;
  readonly probeTokenId?: number;
  readonly onRetry?: (sentence: string) => void;
  /** Aborted when the connection is closed. */
  readonly closing: AbortSignal;
}

/** The weights that were proven last. */
interface Delivered {
  readonly weights: PublishedWeights;
  readonly canary: Canary | null;
  readonly scores: CanaryScores | undefined;
}

/** Two scorings of one sequence by the same weights on one server; batch-dependent kernels differ by about 1e-3. */
const rescoreNoise = 0.02;

/** A new salt per version: the prefix cache never mixes two policies. */
export const saltOf = (policyVersion: number) => `policy-v${policyVersion}`;

export class ServedWeights {
  readonly #caller: Caller;
  readonly #publisher: Publisher | undefined;
  readonly #options: ServedWeightsOptions;
  /** One exchange of weights at a time. */
  readonly #exchange = new Gate(1);
  /** The model name to sample from: the base, or the newest adapter. */
  model: string;
  policyVersion: number;
  #delivered: Delivered | undefined;
  /** What the server said of a canary before anything was published: what it says again after a restart. */
  #birth: { readonly canary: Canary; readonly scores: CanaryScores } | undefined;
  /** Why nothing may be sampled until a publish succeeds. */
  #lost: ServerError | undefined;
  /** Counts how often the server's weights were found lost and brought back. */
  #life = 0;
  /** The transport's continuity at which the weights were proven last. */
  #provenAt: number;
  #proving: Promise<void> | undefined;

  constructor(options: ServedWeightsOptions) {
    this.#options = options;
    this.#caller = options.caller;
    this.#publisher = options.publisher;
    this.model = options.model;
    this.policyVersion = options.policyVersion;
    this.#provenAt = options.caller.transport.continuity;
  }

  /** Has anything been published? */
  get published(): boolean {
    return this.#delivered !== undefined;
  }

  /** The next provenLife() asks the server again. */
  doubt(): void {
    this.#provenAt = -1;
  }

  /** Counts lives of the server's weights. Proves them first where the thread of connections was lost since the last proof. */
  async provenLife(): Promise<number> {
    if (this.#lost !== undefined) throw this.#lost;
    if (this.#provenAt !== this.#caller.transport.continuity && this.#publisher?.method !== "embedded") {
      this.#proving ??= this.#prove().finally(() => {
        this.#proving = undefined;
      });
      await this.#proving;
    }
    return this.#life;
  }

  async #prove(): Promise<void> {
    const { startTimeoutMs = 600_000, onRetry } = this.#options;
    const leave = await this.#exchange.enter(1, this.#options.closing);
    try {
      const delivered = this.#delivered;
      // Without a delivery, only the weights it was started with have been sampled, and a restart brings the same.
      if (delivered !== undefined) await waitUntilHealthy(this.#caller, startTimeoutMs, this.#options.closing);
      const continuity = this.#caller.transport.continuity;
      if (delivered !== undefined && !(await this.#stillHas(delivered))) {
        onRetry?.(
          `${this.#caller.url} lost the weights of version ${delivered.weights.policyVersion}; publishing them again`,
        );
        await this.#deliver(delivered.weights, delivered.canary);
        this.#life++;
      }
      this.#provenAt = continuity;
    } finally {
      leave();
    }
  }

  async #stillHas({ canary, scores }: Delivered): Promise<boolean> {
    // Nothing to compare with: take them for lost, since training on doubtful samples is worse than a second reload.
    if (canary === null || scores === undefined) return false;
    try {
      const now = await this.#score(canary);
      const drift = meanDistance(now, scores);
      const birth = this.#birth;
      const backAtBirth =
        birth !== undefined && sameTokens(birth.canary, canary) && meanDistance(now, birth.scores) < drift;
      return drift <= rescoreNoise && !backAtBirth;
    } catch (error) {
      if (error instanceof CallFailure && error.status === 404) return false;
      throw error;
    }
  }

  async publish(weights: PublishedWeights, canary: Canary | null): Promise<void> {
    const publisher = this.#publisher;
    if (publisher === undefined)
      throw new ServerError(`${this.#caller.url} was opened without a way to publish weights`);
    const leave = await this.#exchange.enter(1, this.#options.closing);
    try {
      await this.#deliver(weights, canary);
      await publisher.retire(weights);
    } finally {
      leave();
    }
  }

  /** Delivers and proves; until then the version before stays the one that completions carry. */
  async #deliver(weights: PublishedWeights, canary: Canary | null): Promise<void> {
    const publisher = this.#publisher;
    if (publisher === undefined)
      throw new ServerError(`${this.#caller.url} was opened without a way to publish weights`);
    const { canaryTolerance = 0.05 } = this.#options;
    try {
      const comparable = canary !== null && publisher.method !== "embedded";
      const before = comparable ? await this.#scoreBefore(canary) : undefined;
      const model = await publisher.deliver(weights);
      const after = comparable ? await this.#score(canary, model, weights.policyVersion) : undefined;
      if (comparable && after !== undefined) {
        judgeCanary({
          canary,
          after,
          before,
          previous: this.#delivered?.canary ?? undefined,
          tolerance: canaryTolerance,
        });
      }
      if (publisher.method === "embedded") await this.#requireVersion(weights.policyVersion);
      this.model = model;
      this.policyVersion = weights.policyVersion;
      this.#delivered = { weights, canary, scores: after };
      this.#provenAt = this.#caller.transport.continuity;
      this.#lost = undefined;
    } catch (error) {
      if (!(error instanceof CallFailure || error instanceof ServerError)) throw error;
      const message = `version ${weights.policyVersion} did not reach ${this.#caller.url}: ${error.message}`;
      const failure = new ServerError(message, { cause: error });
      // Weights that are replaced in place may now be of either version, or of both: nothing is sampled from them.
      if (publisher.exclusive) this.#lost = failure;
      throw failure;
    }
  }

  /** Undefined when the server no longer has the model of the version before: it was restarted. */
  async #scoreBefore(canary: Canary): Promise<CanaryScores | undefined> {
    try {
      const scores = await this.#score(canary);
      if (this.#delivered === undefined) this.#birth ??= { canary, scores };
      return scores;
    } catch (error) {
      if (error instanceof CallFailure && error.status === 404) return undefined;
      throw error;
    }
  }

  #score(canary: Canary, model = this.model, version = this.policyVersion): Promise<CanaryScores> {
    return scoreCanary(this.#caller, canary, { model, cacheSalt: saltOf(version), deadlineMs: 120_000 });
  }

  /** The embedded server writes on each choice which weights made it. */
  async #requireVersion(version: number): Promise<void> {
    const prompt = [this.#options.probeTokenId ?? 0];
    const body = {
      model: this.model,
      prompt,
      n: 1,
      seed: 0,
      temperature: 0,
      max_tokens: 1,
      logprobs: 0,
      return_token_ids: true,
    };
    const text = await this.#caller.call("/v1/completions", { body, deadlineMs: 120_000 });
    const got = parseReply(text, completionReply, "/v1/completions").choices[0]?.weight_version;
    if (got !== String(version)) throw new ServerError(`its samples are of version ${got ?? "unknown"}`);
  }
}
