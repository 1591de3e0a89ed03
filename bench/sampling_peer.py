"""The other side of bench/sampling.ts: Hugging Face generate, eager attention, on a left-padded batch.

    python bench/sampling_peer.py REQUEST.json

REQUEST.json: {modelDir, threads, repeats, prompts: [[ids]], maxTokens: [int], greedyTokens}. A batch ends with its longest completion.
Prints {version, greedy, cpuSeconds, seconds}: greedy continuations of the first prompts, then CPU and wall seconds of every
sampled batch after a warm-up.
"""

import json
import sys
import time

request = json.load(open(sys.argv[1]))

import torch  # noqa: E402
import transformers  # noqa: E402

torch.set_num_threads(request["threads"])
model = transformers.AutoModelForCausalLM.from_pretrained(
    request["modelDir"], attn_implementation="eager", dtype=torch.float32
).eval()
model.generation_config.eos_token_id = None
prompts = request["prompts"]
longest = max(map(len, prompts))
ids = torch.tensor([[0] * (longest - len(prompt)) + prompt for prompt in prompts])
attention = torch.tensor([[0] * (longest - len(prompt)) + [1] * len(prompt) for prompt in prompts])


@torch.no_grad()
def generate(rows, num_tokens, **sampling):
    return model.generate(
        ids[:rows], attention_mask=attention[:rows], max_new_tokens=num_tokens, pad_token_id=0, **sampling
    )[:, longest:]


greedy = generate(len(prompts), request["greedyTokens"], do_sample=False).tolist()
cpu_seconds, seconds = [], []
for _ in range(request["repeats"]):
    cpu, wall = time.process_time(), time.perf_counter()
    generate(len(prompts), max(request["maxTokens"]), do_sample=True, top_k=0, top_p=1.0, temperature=1.0)
    cpu_seconds.append(time.process_time() - cpu)
    seconds.append(time.perf_counter() - wall)
version = f"transformers {transformers.__version__}, torch {torch.__version__}"
print(json.dumps({"version": version, "greedy": greedy, "cpuSeconds": cpu_seconds, "seconds": seconds}))
