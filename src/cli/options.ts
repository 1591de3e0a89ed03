/** The options of every command, with the words that its help shows. */
export const recipe = { type: "string", describe: "Recipe file, e.g. recipes/quickstart.yaml" } as const;
const json = { type: "boolean", default: false, describe: "Machine-readable output" } as const;
const set = {
  type: "string",
  array: true,
  nargs: 1,
  default: [] as string[],
  describe: "Override a value: --set stages.rl.steps=50 (repeatable)",
} as const;
const text = <Text extends string>(describe: Text) => ({ type: "string", requiresArg: true, describe }) as const;

export const options = {
  train: { set, json, name: text("Name of the run folder"), resume: text("Go on with this run folder") },
  eval: {
    set,
    json,
    model: text("Model folder; default: the recipe's own"),
    samples: text("Samples per prompt (k)"),
  },
  compare: {
    set,
    json,
    seeds: { ...text("Runs of each recipe, with seeds 1 to N"), default: "5" },
    jobs: text("Runs at a time; default: as many as there are cores, one on a GPU"),
    target: text("Score that costs are counted to, e.g. 0.8; default: the lowest mean final score"),
    name: text("Name of the study's folder"),
  },
  serve: {
    host: { ...text("Address to listen on"), default: "127.0.0.1" },
    port: { ...text("0 = any free port"), default: "8000" },
    name: text("Model name in requests; default: the folder's"),
    device: { ...text("auto, cpu, cuda or cuda:N"), default: "auto" },
    threads: { ...text("CPU threads; 0 = libtorch's choice"), default: "0" },
    "api-key-env": text("Environment variable with the key that clients must send"),
  },
  setup: { json },
  check: { set, json, run: text("Run folder of this recipe: names the warnings that only its rollouts can give") },
  explain: {
    set,
    json,
    run: text("Run folder: the numbers of a step that it trained on"),
    step: text("Step of the run; default: its last one"),
    stage: text("Name of an rl stage; default: the last one"),
    group: text("Group of the step; default: the one that pulls most"),
    completion: text("Completion of the group; default: the one that pulls most"),
  },
  import: {
    json,
    from: text("trl, verl or openrlhf; default: what the file looks like"),
    output: text("Recipe to write; default: print it"),
    set: { ...set, describe: "What the file leaves open, in the trainer's own names: --set key=value (repeatable)" },
    "num-processes": text("Processes that train (TRL counts its batch per process)"),
    rows: text("Rows of the dataset: turns epochs into steps"),
  },
  replay: {
    json,
    objective: {
      ...text("Objectives, by type or with options: dapo,grpo,'dapo:{clipHigh: 0.3}'"),
      demandOption: true,
    },
    step: text("Step of the run, or a range: 3 or 3-7; default: its last one"),
    stage: text("Name of an rl stage; default: the last one"),
    model: text("Model folder; default: the run's checkpoint nearest to the step"),
    weights: { type: "boolean", default: true, describe: "Gradients by the model's weights, where there is a model" },
  },
  judge: {
    json,
    data: {
      type: "string",
      array: true,
      nargs: 1,
      demandOption: true,
      describe: 'JSON Lines: {"completion": …, "answer": …, "question": …} (repeatable)',
    },
    url: { ...text("OpenAI base URL of the judge, e.g. http://127.0.0.1:8001/v1"), demandOption: true },
    model: { ...text("Its served model name"), demandOption: true },
    protocol: text("open-r1, open-r1-chinese, openthoughts, r1, deepscaler, seed or seed-thinking"),
    method: text("The rule's method; default: exact"),
    from: text("Where the answer stands; default: auto"),
    params: text("Further parameters of the judge: '{maxTokens: 512, cache: false}'"),
    second: text("Judge that has to confirm rescues: '{url: …, model: …, protocol: seed-thinking}'"),
    rescue: { type: "boolean", default: false, describe: "Ask only about complete answers that the rule rejects" },
    label: text("Column with the truth: counts the errors of rule and judge"),
    output: text("Write every row with its verdicts here"),
    limit: text("Rows to read"),
    samples: text("Disagreements to show; default: 10"),
  },
  verify: {
    json,
    explain: { type: "boolean", default: false, describe: "Say step by step why" },
    mode: text("lenient or strict; default: lenient"),
    policy: text("Another's grader: hendrycks, prm800k, dapo, orz, deepscaler, qwen-math, gsm8k or gsm8k-flexible"),
  },
  sandbox: {
    json,
    output: text("File for the results, one line each; a second call goes on with it"),
    isolation: { ...text("bubblewrap, or limits-only: hides no file"), default: "bubblewrap" },
    parallel: { ...text("Programs at a time"), default: "2" },
    "timeout-seconds": { ...text("Wall time of one test"), default: "10" },
    "memory-mb": { ...text("Memory of a program and its processes"), default: "1024" },
  },
  tasks: { json },
} as const;

/** Of the commands over saved completions. */
const completions = {
  json,
  data: {
    type: "string",
    array: true,
    nargs: 1,
    describe: 'JSON Lines: {"completion": …, "answer": …}; or questions with answers alone (repeatable)',
  },
  limit: text("Rows to read"),
  "max-tokens": text("Generation limit that length rewards see"),
  deadline: text("Seconds that one call of a reward may take; default: 10, or the recipe's"),
} as const;
const ofRecipe = {
  recipe: text("Recipe whose rewards are tried, with their weights; and its questions where no data are named"),
  stage: text("Name of its rl stage; default: the last one"),
} as const;
const golds = {
  gold: text("How a right answer is given: '<answer>{answer}</answer>'; default: the shape that scores most"),
  answer: text("Column with the answer as a response would give it; default: answer"),
} as const;
const strict = (what: string) => ({ type: "boolean", default: false, describe: `Exit with 1 where ${what}` }) as const;

/** The options of each command after `reward`. */
export const rewardOptions = {
  list: { json },
  test: {
    ...completions,
    ...ofRecipe,
    ...golds,
    strict: strict("a reward fails, a gold is not at the top, or junk is as good as its gold"),
  },
  bench: {
    ...completions,
    ...ofRecipe,
    repeats: text("Passes that are timed; default: 3"),
    threads: text("Worker processes; default: 2"),
    strict: strict("a reward fails, or takes more than 100 ms on a hostile text"),
  },
  fuzz: { ...completions, ...ofRecipe, ...golds, strict: strict("a score does not do what it must") },
  diff: { ...completions, strict: strict("the two differ") },
  replay: {
    json,
    reward: {
      type: "string",
      array: true,
      nargs: 1,
      default: [] as string[],
      describe: "Reward to judge by instead, as for test (repeatable); default: the run's own",
    },
    stage: text("Name of an rl stage; default: the last one"),
    step: text("Step of the run, or a range: 3 or 3-7; default: all"),
    strict: strict("a reward fails, the run's own do not give every score again, or the audit alarms"),
  },
} as const;

export const rewardNames = {
  type: "string",
  array: true,
  describe: "Name or file, with parameters if need be: ./mine.ts, 'accuracy:{method: numeric}'",
} as const;
