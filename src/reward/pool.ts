/**
 * Rewards in worker processes: a call that throws, hangs, exits, aborts, runs out of memory or returns nonsense is a failed outcome of its
 * own completion, and delays or loses nothing else. In each worker a thread of Piscina's runs the rewards.
 *
 * A worker has at most one task, so that a deadline counts run time and not waiting time. Tasks are batches. A watchdog reads from the
 * workers' records which call each is in: while one is suspiciously late, a spare stands in for its worker; past the deadline the worker
 * is killed, and what it had not begun goes back to the head of the queue.
 */
import { resolve } from "node:path";
import { messageOf, RecipeError } from "../errors.ts";
import type { RewardOutcome } from "../types.ts";
import { LOADING, type LoadRequest, type RewardInfo, type ThreadReply } from "./protocol.ts";
import { type RewardSpec, rewardLabel } from "./reward.ts";
import {
  type CompletionGroup,
  numOutcomes,
  packTask,
  planTasks,
  Scoreboard,
  type ScoredCompletion,
  type Unit,
} from "./units.ts";
import { Watchdog, type WatchedTask } from "./watchdog.ts";
import type { WorkerProcess } from "./worker-process.ts";
import { Workers } from "./workers.ts";

export interface RewardPoolOptions {
  readonly rewards: readonly RewardSpec[];
  /** Calls at a time, each in a worker process of its own; 1 or more. Default 2. */
  readonly threads?: number;
  /** Time that one call of one reward may take, in milliseconds. Default 10,000. */
  readonly deadlineMs?: number;
  /** Calls of one reward that may be killed at the deadline, where none has come back yet, before `score` throws. Default: any number. */
  readonly giveUpAfter?: number;
  /** JavaScript heap of one worker, in MB; memory beside it is not limited. Default 512. */
  readonly memoryMb?: number;
  /** Time that a worker may take to start and load the reward files. Default 60,000. */
  readonly startDeadlineMs?: number;
  /**
   * Environment variables that rewards may see beside the harmless ones and those that a parameter names, under a key such as apiKeyEnv;
   * none by default, so that no secret reaches them unasked.
   */
  readonly env?: readonly string[];
}

export interface RewardPoolStats {
  /** Workers that ended or were killed, and were replaced. */
  readonly replacedWorkers: number;
  /** Those among them that were killed because a call passed its deadline. */
  readonly killedWorkers: number;
}

/** Throws a RecipeError that names the reward and the key when a name, a file or a parameter is wrong. */
export async function openRewardPool(options: RewardPoolOptions): Promise<RewardPool> {
  const requests = options.rewards.map(loadRequestOf);
  const labels = requests.map(({ label }) => label);
  const twice = labels.find((label, index) => labels.indexOf(label) !== index);
  if (twice !== undefined) {
    throw new RecipeError(
      `Expected rewards with different names, got "${twice}" twice. Give one of them another name with \`as\`.`,
    );
  }
  if (requests.length === 0) throw new RecipeError("Expected at least one reward, got none. Name one, e.g. accuracy.");
  const pool = new RewardPool(options, requests);
  try {
    await pool.start();
    return pool;
  } catch (error) {
    await pool.close();
    throw error;
  }
}

function loadRequestOf(spec: RewardSpec): LoadRequest {
  const params = spec.params ?? {};
  if (spec.file !== undefined) return { label: rewardLabel(spec), source: { file: resolve(spec.file) }, params };
  if (spec.name !== undefined) return { label: rewardLabel(spec), source: { name: spec.name }, params };
  throw new RecipeError("Expected every reward to have a name or a file, got one with neither.");
}

/** The values of all keys that end in Env, at any depth: a recipe that names a variable gives it to its rewards. */
function namedVariables(params: unknown): string[] {
  if (typeof params !== "object" || params === null) return [];
  return Object.entries(params).flatMap(([key, value]: [string, unknown]) =>
    typeof value === "string" && key.endsWith("Env") ? [value] : namedVariables(value),
  );
}

/** One `score` call. */
interface Call {
  readonly groups: readonly CompletionGroup[];
  readonly board: Scoreboard;
  numPending: number;
  readonly done: () => void;
  readonly fail: (error: Error) => void;
  failed: boolean;
}

interface Task {
  readonly call: Call;
  readonly units: readonly Unit[];
}

/** A worker that ends by itself may be the victim of an earlier call's leak: the call gets a fresh worker once. */
const MAX_CRASHES = 2;
const SAFE_ENV = [
  "PATH",
  "HOME",
  "USER",
  "LANG",
  "LC_ALL",
  "TZ",
  "TMPDIR",
  "TMP",
  "TEMP",
  "NODE_ENV",
  // What the Node of the worker itself needs as ours does.
  "NODE_OPTIONS",
  "NODE_EXTRA_CA_CERTS",
  "SSL_CERT_FILE",
  "SSL_CERT_DIR",
  "LD_LIBRARY_PATH",
  "XDG_CACHE_HOME",
];

export class RewardPool implements AsyncDisposable {
  /** In recipe order. */
  readonly labels: readonly string[];
  /** [rewards] what the reward files say of themselves. */
  rewards: readonly RewardInfo[] = [];
  private readonly numThreads: number;
  /** Workers beside those, for as long as some are stuck. */
  private readonly numSpares: number;
  private readonly watchdog: Watchdog;
  private readonly workers: Workers;
  private readonly queue: Task[] = [];
  private readonly giveUpAfter: number;
  /** [rewards] calls that came back, and calls that were killed at the deadline. */
  private readonly numReturned: number[];
  private readonly numOverdue: number[];
  private numKilled = 0;
  private numEnded = 0;
  private closed = false;

  constructor(options: RewardPoolOptions, requests: readonly LoadRequest[]) {
    this.labels = requests.map(({ label }) => label);
    this.numThreads = options.threads ?? 2;
    this.numSpares = Math.ceil(this.numThreads / 2);
    this.numReturned = this.labels.map(() => 0);
    this.numOverdue = this.labels.map(() => 0);
    const { deadlineMs = 10_000, startDeadlineMs = 60_000, giveUpAfter = Number.POSITIVE_INFINITY } = options;
    this.giveUpAfter = giveUpAfter;
    this.watchdog = new Watchdog(deadlineMs, startDeadlineMs, () => this.dispatch());
    const named = requests.flatMap(({ params }) => namedVariables(params));
    const visible = [...SAFE_ENV, ...(options.env ?? []), ...named].filter((name) => process.env[name] !== undefined);
    const env = Object.fromEntries(visible.map((name) => [name, process.env[name]]));
    this.workers = new Workers({ requests, memoryMb: options.memoryMb ?? 512, env }, this.numThreads);
  }

  get stats(): RewardPoolStats {
    return { replacedWorkers: this.numKilled + this.numEnded, killedWorkers: this.numKilled };
  }

  /** Loads the rewards in every worker, so that what is wrong with them is said before a run starts. */
  async start(): Promise<void> {
    const loads = Array.from({ length: this.numThreads }, () => this.runTask(undefined));
    await Promise.all(loads);
  }

  /**
   * [groups][G] Every completion gets an outcome of every reward; failures of rewards are outcomes.
   * Throws only when workers cannot be had, as of a reward file that no longer loads or a closed pool, and past giveUpAfter.
   */
  async score(groups: readonly CompletionGroup[]): Promise<ScoredCompletion[][]> {
    if (this.closed) throw new Error("The reward pool is closed.");
    const tasks = planTasks(groups, this.rewards, this.numThreads);
    const board = new Scoreboard(groups, this.labels);
    if (tasks.length === 0) return board.finish();
    await new Promise<void>((done, fail) => {
      const numPending = tasks.reduce((sum, units) => sum + units.length, 0);
      const call: Call = { groups, board, numPending, done, fail, failed: false };
      this.queue.push(...tasks.map((units) => ({ call, units })));
      this.dispatch();
    });
    return board.finish();
  }

  /** Safe twice; calls that are still running fail. */
  async close(): Promise<void> {
    this.closed = true;
    for (const { call } of this.queue.splice(0)) call.fail(new Error("The reward pool was closed."));
    await this.workers.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  private dispatch(): void {
    while (this.watchdog.numTasks < this.numThreads + Math.min(this.numSpares, this.watchdog.numStuck)) {
      const task = this.queue.shift();
      if (task === undefined) return;
      if (task.call.failed) continue;
      this.runTask(task)
        .catch((error: unknown) => {
          task.call.failed = true;
          task.call.fail(error instanceof Error ? error : new Error(messageOf(error)));
        })
        .finally(() => this.dispatch());
    }
  }

  /** Without a task, only loads the rewards. Throws when the worker could not be started or could not load them. */
  private async runTask(task: Task | undefined): Promise<void> {
    const worker = this.workers.take();
    try {
      await this.runIn(worker, task);
    } finally {
      this.workers.giveBack(worker);
    }
  }

  private async runIn(worker: WorkerProcess, task: Task | undefined): Promise<void> {
    const running = this.watchdog.watch(worker.record);
    let reply: ThreadReply | undefined;
    let reason = "";
    try {
      const message = packTask(task?.units ?? [], task?.call.groups ?? []);
      reply = await worker.run(message, running.abort.signal);
    } catch (error) {
      reason = messageOf(error);
    } finally {
      this.watchdog.unwatch(running);
    }
    if (reply?.status === "unloadable") throw new RecipeError(reply.errors.join(" "));
    if (reply === undefined) {
      if (this.closed) throw new Error("The reward pool was closed.");
      if (running.killedFor === undefined) this.numEnded++;
      else this.numKilled++;
      if (running.record.runningUnit < 0) throw this.startError(running, reason);
    } else {
      this.rewards = reply.rewards;
    }
    if (task !== undefined) this.collect(task, running, reply, reason);
  }

  /** Settles what is known, blames the one call that ended its worker, and queues the rest again. */
  private collect({ call, units }: Task, running: WatchedTask, reply: ThreadReply | undefined, reason: string): void {
    let numSettled = 0;
    for (const { outcomes, elapsedMs } of running.record.readResults()) {
      const unit = units[numSettled];
      if (unit === undefined || outcomes.length !== numOutcomes(unit, call.groups)) break;
      this.numReturned[unit.reward]!++;
      this.settle(call, unit, outcomes, elapsedMs);
      numSettled++;
    }
    const guilty = units[numSettled];
    if (guilty === undefined) return;
    if (reply !== undefined) {
      throw new Error(`A reward worker came back without the outcomes of ${units.length - numSettled} calls.`);
    }
    const rest = units.slice(numSettled);
    // A worker that ended between two calls, or was killed for one that ended just then, has settled a call and blames nobody. So every
    // end of a worker settles a call or counts against one, and the queue cannot go round for ever.
    const error =
      numSettled === (running.killedFor ?? running.record.runningUnit)
        ? this.verdictOn(guilty, running, reason)
        : undefined;
    if (error !== undefined) {
      if (running.killedFor !== undefined) this.giveUpOn(guilty, error);
      const failed = Array.from({ length: numOutcomes(guilty, call.groups) }, () => ({
        status: "failed" as const,
        error,
      }));
      this.settle(call, guilty, failed, running.ageMs);
      rest.shift();
    }
    if (rest.length > 0) this.queue.unshift({ call, units: rest });
  }

  /** What the guilty call failed of; undefined when it gets another try. */
  private verdictOn(unit: Unit, { killedFor }: WatchedTask, reason: string): string | undefined {
    const label = this.labels[unit.reward]!;
    const { deadlineMs } = this.watchdog;
    if (killedFor !== undefined) return `Reward "${label}" was killed: it took longer than ${deadlineMs} ms.`;
    unit.numCrashes++;
    return unit.numCrashes < MAX_CRASHES ? undefined : `Reward "${label}" ended its worker: ${reason}`;
  }

  /** Throws where the reward has never come back. */
  private giveUpOn({ reward }: Unit, error: string): void {
    const numOverdue = ++this.numOverdue[reward]!;
    if (this.numReturned[reward]! > 0 || numOverdue < this.giveUpAfter) return;
    throw new RecipeError(
      `${error} So did all of its first ${numOverdue} calls: it hangs, or needs a longer deadline.`,
    );
  }

  private settle(call: Call, unit: Unit, outcomes: readonly RewardOutcome[], elapsedMs: number): void {
    call.board.settle(unit, outcomes, elapsedMs);
    call.numPending--;
    if (call.numPending === 0) call.done();
  }

  private startError({ record, killedFor }: WatchedTask, reason: string): Error {
    if (record.runningUnit === LOADING) {
      const label = this.labels[record.loadingReward]!;
      const what =
        killedFor === undefined
          ? `ended its worker (${reason})`
          : `took longer than ${this.watchdog.startDeadlineMs} ms`;
      return new RecipeError(
        `Loading the file of reward "${label}" ${what}. Its top level should only define the reward.`,
      );
    }
    return new Error(`A reward worker could not start its work: ${reason}`);
  }
}
