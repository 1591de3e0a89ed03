"""The other side of bench/engine.ts: one training step of Hugging Face transformers, eager attention, on a padded batch.

    python bench/engine_peer.py REQUEST.json

REQUEST.json: {modelDir, threads, repeats, sequences: [{tokenIds, lossMask}]}. Prints {version, logprobs, cpuSeconds, seconds}: the
log-probabilities of the trained tokens before the first step, then CPU and wall seconds of every step after a warm-up.
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
).train()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
rows = request["sequences"]
longest = max(len(row["tokenIds"]) for row in rows)
shape = (len(rows), longest)
ids, attention, mask = torch.zeros(shape, dtype=torch.long), torch.zeros(shape, dtype=torch.long), torch.zeros(shape)
for i, row in enumerate(rows):
    length = len(row["tokenIds"])
    ids[i, :length] = torch.tensor(row["tokenIds"])
    attention[i, :length] = 1
    mask[i, :length] = torch.tensor(row["lossMask"], dtype=torch.float32)
num_trained = mask.sum()


def logprobs():
    logits = model(input_ids=ids, attention_mask=attention).logits[:, :-1]
    return torch.log_softmax(logits, -1).gather(2, ids[:, 1:, None])[..., 0]


def step():
    (-(logprobs() * mask[:, 1:]).sum() / num_trained).backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    optimizer.zero_grad()


with torch.no_grad():
    before = logprobs()[mask[:, 1:] > 0].tolist()
step()
cpu_seconds, seconds = [], []
for _ in range(request["repeats"]):
    cpu, wall = time.process_time(), time.perf_counter()
    step()
    cpu_seconds.append(time.process_time() - cpu)
    seconds.append(time.perf_counter() - wall)
version = f"transformers {transformers.__version__}, torch {torch.__version__}"
print(json.dumps({"version": version, "logprobs": before, "cpuSeconds": cpu_seconds, "seconds": seconds}))
