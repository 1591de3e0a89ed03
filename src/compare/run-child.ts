/**
 * The process of one run: it goes on with the run folder that it is told, and tells how it fares.
 *
 * Signals of the terminal are the study's to judge. A study that is gone, however it went, stops the run after its step: saved, and ready
 * to be resumed.
 */
import { EngineError } from "../engine/engine.ts";
import { messageOf, RecipeError } from "../errors.ts";
import { runPipeline } from "../pipeline.ts";
import { ServerError } from "../server/server.ts";
import type { News, Order } from "./protocol.ts";

for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.on(signal, () => {});

let stopping = false;
process.on("disconnect", () => {
  stopping = true;
});
process.on("message", (order: Order) => {
  if (order.kind === "stop") stopping = true;
  else void run(order.runPath, order.recipe);
});

async function run(runPath: string, recipe: Extract<Order, { kind: "run" }>["recipe"]): Promise<void> {
  try {
    const { interrupted } = await runPipeline({
      recipe,
      provenance: {},
      runPath,
      resume: true,
      reporter: {
        stage: (report) => tell({ kind: "stage", report }),
        step: (report) => tell({ kind: "step", report }),
        evaluated: (report) => tell({ kind: "evaluated", report }),
        note: (text) => tell({ kind: "note", text }),
      },
      stopRequested: () => stopping,
    });
    tell({ kind: "ended", interrupted });
  } catch (error) {
    tell({ kind: "failed", reason: reasonOf(error) });
  }
  // Lets the process end once the message is out.
  if (process.connected) process.disconnect();
}

function tell(news: News): void {
  if (process.connected) process.send?.(news, () => undefined);
}

/** A sentence for what the user can mend, a stack for a bug of ours. */
function reasonOf(error: unknown): string {
  const isTheirs = error instanceof RecipeError || error instanceof EngineError || error instanceof ServerError;
  if (isTheirs || !(error instanceof Error)) return messageOf(error);
  return `This is a bug in Grouper: ${error.stack ?? error.message}`;
}
