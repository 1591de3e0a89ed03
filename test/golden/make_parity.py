"""Golden values of tiny random Qwen2, Qwen3 and Llama 3 models, computed by Hugging Face transformers in float32 on a CPU.

    python test/golden/make_parity.py            # writes test/golden/parity_<variant>/ for every variant below

Each folder is a Hugging Face model folder (config.json, model.safetensors) with a parity.json beside it: ragged sequences, a
loss mask, log-probabilities and entropies of the trained tokens, log-probabilities after three steps of torch.optim.AdamW, the gradient of

    sum_t logprob_weight[t] * logprob[t] + entropy_weight[t] * entropy[t]

by every weight (float32, little-endian, base64), and greedy continuations. Sequences run one at a time, unpadded, with eager
attention. Weights are drawn wide (initializer_range 0.3, norms around 1, random biases), so that a wrong term cannot hide.
"""

import base64
import json
import pathlib

import numpy as np
import torch
import transformers
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM, LlamaConfig, Qwen2Config, Qwen3Config

COMMON = {
    "vocab_size": 40,
    "hidden_size": 16,
    "intermediate_size": 24,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "max_position_embeddings": 128,
    "initializer_range": 0.3,
    "bos_token_id": None,
    "eos_token_id": None,
    "pad_token_id": None,
}
# Wavelengths 6.3, 63, 628 and 6283: one kept, one blended, two divided by the factor.
LLAMA3_ROPE = {
    "rope_type": "llama3",
    "rope_theta": 10000.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 64,
}
PLAIN_ROPE = {"rope_type": "default", "rope_theta": 10000.0}
VARIANTS = {
    "qwen2_tied": lambda: Qwen2Config(**COMMON, rope_parameters=PLAIN_ROPE, tie_word_embeddings=True),
    "qwen2_untied": lambda: Qwen2Config(**COMMON, rope_parameters=PLAIN_ROPE, tie_word_embeddings=False),
    "qwen3_tied": lambda: Qwen3Config(**COMMON, rope_parameters=PLAIN_ROPE, head_dim=8, tie_word_embeddings=True),
    "llama3_untied": lambda: LlamaConfig(**COMMON, rope_parameters=LLAMA3_ROPE, head_dim=8, tie_word_embeddings=False),
}
LENGTHS = [2, 9, 17, 33, 70]
TEMPERATURE = 0.7
NUM_NEW_TOKENS = 24
# A greedy choice closer than this to its runner-up could flip by rounding; no recorded one is.
MIN_GREEDY_MARGIN = 1e-3


def build(config):
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32).eval()
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("bias"):
                parameter.normal_(0.0, 0.3)
            elif "norm" in name:
                parameter.normal_(1.0, 0.2)
            else:
                parameter.normal_(0.0, 0.3)
    return model


def outputs(model, tokens, temperature):
    """[L - 1] log-probability of every token but the first, and entropy of its distribution."""
    logits = model(input_ids=tokens[None]).logits[0, :-1] / temperature
    logprobs = torch.log_softmax(logits, dim=-1)
    taken = logprobs.gather(1, tokens[1:, None])[:, 0]
    return taken, -(logprobs.exp() * logprobs).sum(-1)


def example(model, length, generator):
    tokens = torch.randint(0, COMMON["vocab_size"], (length,), generator=generator)
    mask = (torch.rand(length, generator=generator) < 0.6).int()
    mask[0] = 0
    mask[-1] = 1
    logprob_weight = torch.randn(length, generator=generator) * mask
    entropy_weight = torch.randn(length, generator=generator) * mask
    logprobs, entropies = outputs(model, tokens, TEMPERATURE)
    plain_logprobs, _ = outputs(model, tokens, 1.0)
    (logprob_weight[1:] @ logprobs + entropy_weight[1:] @ entropies).backward()

    def padded(row):
        return [0.0] + [float(f"{x:.8g}") for x in (row * mask[1:] + 0.0).tolist()]

    return {
        "tokenIds": tokens.tolist(),
        "lossMask": mask.tolist(),
        "logprobWeights": logprob_weight.tolist(),
        "entropyWeights": entropy_weight.tolist(),
        "logprobs": padded(logprobs.detach()),
        "entropies": padded(entropies.detach()),
        "plainLogprobs": padded(plain_logprobs.detach()),
    }


ADAMW = {"learningRate": 1e-2, "beta1": 0.9, "beta2": 0.95, "eps": 1e-8, "weightDecay": 0.1, "maxGradNorm": 1.0}
NUM_STEPS = 3


def train(model, examples):
    """Steps down the negative mean log-likelihood of the trained tokens; decay on matrices only, global-norm clipping."""
    matrices = [p for p in model.parameters() if p.dim() > 1]
    vectors = [p for p in model.parameters() if p.dim() == 1]
    optimizer = torch.optim.AdamW(
        [{"params": matrices}, {"params": vectors, "weight_decay": 0.0}],
        lr=ADAMW["learningRate"],
        betas=(ADAMW["beta1"], ADAMW["beta2"]),
        eps=ADAMW["eps"],
        weight_decay=ADAMW["weightDecay"],
    )
    masks = [torch.tensor(example["lossMask"][1:], dtype=torch.float32) for example in examples]
    rows = [torch.tensor(example["tokenIds"]) for example in examples]
    num_trained = sum(mask.sum() for mask in masks)
    grad_norms = []
    for _ in range(NUM_STEPS):
        optimizer.zero_grad()
        for row, mask in zip(rows, masks):
            (-(outputs(model, row, 1.0)[0] @ mask) / num_trained).backward()
        grad_norms.append(torch.nn.utils.clip_grad_norm_(model.parameters(), ADAMW["maxGradNorm"]).item())
        optimizer.step()
    with torch.no_grad():
        logprobs = [[0.0] + (outputs(model, row, 1.0)[0] * mask + 0.0).tolist() for row, mask in zip(rows, masks)]
    return {"adam": ADAMW, "gradNorms": grad_norms, "logprobs": logprobs}


@torch.no_grad()
def greedy(model, prompt):
    ids = model.generate(
        torch.tensor([prompt]), do_sample=False, max_new_tokens=NUM_NEW_TOKENS, min_new_tokens=NUM_NEW_TOKENS
    )[0].tolist()
    top = model(input_ids=torch.tensor([ids])).logits[0, len(prompt) - 1 : -1].topk(2, dim=-1).values
    margin = (top[:, 0] - top[:, 1]).min().item()
    assert margin > MIN_GREEDY_MARGIN, f"a greedy choice has a margin of only {margin}: change the seed"
    return {"prompt": prompt, "continuation": ids[len(prompt) :]}


def encode(tensor):
    return base64.b64encode(tensor.detach().numpy().astype("<f4").tobytes()).decode()


def write(variant, seed):
    torch.manual_seed(seed)
    config = VARIANTS[variant]()
    model = build(config)
    generator = torch.Generator().manual_seed(seed)
    examples = [example(model, length, generator) for length in LENGTHS]
    prompts = [torch.randint(0, COMMON["vocab_size"], (n,), generator=generator).tolist() for n in (3, 5, 11)]
    parity = {
        "provenance": {
            "command": "python test/golden/make_parity.py",
            "transformers": transformers.__version__,
            "torch": torch.__version__,
            "dtype": "float32",
            "device": "cpu",
            "attention": "eager",
            "seed": seed,
        },
        "temperature": TEMPERATURE,
        "examples": examples,
        "gradients": {name: encode(parameter.grad) for name, parameter in model.named_parameters()},
        "greedy": [greedy(model, prompt) for prompt in prompts],
    }
    folder = pathlib.Path(__file__).parent / f"parity_{variant}"
    folder.mkdir(exist_ok=True)
    save_file(
        {name: parameter.detach().contiguous() for name, parameter in model.named_parameters()},
        folder / "model.safetensors",
        metadata={"format": "pt"},
    )
    (folder / "config.json").write_text(json.dumps({**config.to_dict(), "architectures": [type(model).__name__]}, indent=1) + "\n")
    # Last, because it changes the weights.
    parity["trained"] = train(model, examples)
    (folder / "parity.json").write_text(json.dumps(parity) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    for number, name in enumerate(VARIANTS):
        write(name, seed=30 + number)
        print(name)
