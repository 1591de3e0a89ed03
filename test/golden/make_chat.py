"""Renders chat templates with transformers, for test/tokenizer/chat.test.ts.

usage: python make_chat.py TOKENIZERS_DIR > chat.json
TOKENIZERS_DIR holds qwen2.5/ and qwen3/ with their tokenizer_config.json.
"""

import json
import sys
from pathlib import Path

import jinja2
import transformers
from transformers.utils.chat_template_utils import render_jinja_template

QUESTION = {"role": "user", "content": "What is $\\frac{1}{2}$ of 6? <b>&\"'"}
SYSTEM = {"role": "system", "content": "Be brief."}
ANSWER = {"role": "assistant", "content": "<think>\nHalf of 6.\n</think>\n\n\\boxed{3}"}
TOOL = {
    "type": "function",
    "function": {
        "name": "add",
        "description": "Adds two numbers.",
        "parameters": {"type": "object", "properties": {"a": {"type": "number"}, "b": {"type": "number"}}},
    },
}
CASES = [
    ([QUESTION], {}),
    ([SYSTEM, QUESTION], {}),
    ([SYSTEM, QUESTION], {"tools": [TOOL]}),
    ([QUESTION, ANSWER, {"role": "user", "content": "And of 8?"}], {}),
    ([QUESTION, ANSWER], {"add_generation_prompt": False}),
    ([QUESTION], {"enable_thinking": False}),
]

cases = []
for tokenizer in ("qwen2.5", "qwen3"):
    config = json.loads((Path(sys.argv[1]) / tokenizer / "tokenizer_config.json").read_text())
    for messages, options in CASES:
        variables = {"add_generation_prompt": True, **options}
        texts, _ = render_jinja_template(
            [messages],
            chat_template=config["chat_template"],
            tools=variables.pop("tools", None),
            add_generation_prompt=variables.pop("add_generation_prompt"),
            eos_token=config["eos_token"],
            **variables,
        )
        cases.append({"tokenizer": tokenizer, "messages": messages, "options": options, "text": texts[0]})
provenance = f"make_chat.py with transformers {transformers.__version__}, jinja2 {jinja2.__version__}"
print(json.dumps({"provenance": provenance, "cases": cases}, indent=1, ensure_ascii=False))
