/** `grouper tasks`: the procedural tasks, their parameters, and a few problems of each. */
import { z } from "zod";
import { TASKS, taskRows } from "../tasks/tasks.ts";

export function runTasks({ json }: { readonly json: boolean }, print: (text: string) => void): number {
  const described = TASKS.map((task) => ({
    name: task.name,
    description: task.description,
    params: z.toJSONSchema(task.params, { io: "input" }).properties ?? {},
    samples: taskRows({ task: task.name, params: {}, size: 3, split: "train", seed: 0 }),
  }));
  if (json) {
    print(`${JSON.stringify(described)}\n`);
    return 0;
  }
  for (const { name, description, params, samples } of described) {
    print(`${name}: ${description}\n`);
    for (const [key, param] of Object.entries(params)) {
      const { default: fallback, description: meaning = "" } = param as { default?: unknown; description?: string };
      print(`  ${key} = ${JSON.stringify(fallback)}${meaning === "" ? "" : `  ${meaning}`}\n`);
    }
    for (const { question, answer } of samples) print(`  ${JSON.stringify(question)} -> ${JSON.stringify(answer)}\n`);
  }
  return 0;
}
