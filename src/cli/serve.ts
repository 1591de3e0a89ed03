/** `grouper serve`: a model folder behind an OpenAI-compatible API. */
import { basename, resolve } from "node:path";
import { openNativeEngine } from "../engine/native.ts";
import { UsageError } from "../errors.ts";
import { packageVersion } from "../paths.ts";
import { serveEngine } from "../server/embedded.ts";
import { Closers } from "../stages/closers.ts";
import { loadTokenizer } from "../tokenizer/load.ts";

export interface ServeArguments {
  readonly model: string;
  readonly host: string;
  readonly port: number;
  readonly name: string | undefined;
  readonly device: string;
  readonly apiKeyEnv: string | undefined;
  readonly threads: number;
}

/** Serves until interrupted; returns the exit code. */
export async function runServe(args: ServeArguments, print: (text: string) => void): Promise<number> {
  if (!/^(auto|cpu|cuda(:\d+)?)$/.test(args.device)) {
    throw new UsageError(`Expected auto, cpu, cuda or cuda:N for --device, got ${JSON.stringify(args.device)}.`);
  }
  const apiKey = args.apiKeyEnv === undefined ? undefined : process.env[args.apiKeyEnv];
  if (args.apiKeyEnv !== undefined && !apiKey)
    throw new UsageError(`Expected an API key in the environment variable ${args.apiKeyEnv}, but it is empty.`);
  await using closers = new Closers();
  const tokenizer = await loadTokenizer(args.model);
  const engine = closers.use(
    await openNativeEngine({ modelDir: args.model, device: args.device, numThreads: args.threads }),
  );
  const modelName = args.name ?? basename(resolve(args.model));
  const eosTokenIds = [...new Set([...tokenizer.eosTokenIds, ...engine.modelFolder.eosTokenIds])];
  const server = closers.use(
    await serveEngine({
      engine,
      tokenizer,
      eosTokenIds,
      modelName,
      host: args.host,
      port: args.port,
      apiKey,
      version: packageVersion(),
    }),
  );
  print(`${modelName} on ${engine.info.device}, at ${server.url}\n`);
  await new Promise<void>((stop) => {
    process.once("SIGINT", () => stop());
    process.once("SIGTERM", () => stop());
  });
  return 0;
}
