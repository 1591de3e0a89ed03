/** The embedded server's counters, in Prometheus text under vLLM's names. Only what is known is written. */
import type { Choice } from "./completions.ts";

export class ServerMetrics {
  running = 0;
  promptTokens = 0;
  generationTokens = 0;
  readonly finished = new Map<string, number>();

  /** Choices `firstIndex ...` of a request with `n` choices per prompt: each prompt counts once. */
  countFinished(choices: readonly Choice[], n: number, firstIndex: number): void {
    choices.forEach((choice, i) => {
      if ((firstIndex + i) % n === 0) this.promptTokens += choice.promptTokenIds.length;
      this.generationTokens += choice.tokenIds.length;
      this.#add(choice.finishReason, 1);
    });
  }

  countAborted(count: number): void {
    this.#add("abort", count);
  }

  #add(reason: string, count: number): void {
    this.finished.set(reason, (this.finished.get(reason) ?? 0) + count);
  }

  render(modelName: string): string {
    const escaped = modelName.replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("\n", "\\n");
    const labels = `engine="0",model_name="${escaped}"`;
    const lines = [
      ...metric("vllm:num_requests_running", "gauge", "Sequences being sampled or waiting for the engine.", [
        [labels, this.running],
      ]),
      ...metric("vllm:prompt_tokens_total", "counter", "Prompt tokens of finished requests.", [
        [labels, this.promptTokens],
      ]),
      ...metric("vllm:generation_tokens_total", "counter", "Tokens sampled.", [[labels, this.generationTokens]]),
      ...metric(
        "vllm:request_success_total",
        "counter",
        "Finished sequences by reason.",
        ["stop", "length", "abort"].map((reason) => [
          `${labels},finished_reason="${reason}"`,
          this.finished.get(reason) ?? 0,
        ]),
      ),
    ];
    return `${lines.join("\n")}\n`;
  }
}

function metric(name: string, type: string, help: string, samples: readonly (readonly [string, number])[]): string[] {
  return [
    `# HELP ${name} ${help}`,
    `# TYPE ${name} ${type}`,
    ...samples.map(([labels, value]) => `${name}{${labels}} ${value}`),
  ];
}
