"""Golden values of sacreBLEU: sentence chrF and BLEU. pip install sacrebleu; python make_translation.py > translation.json"""

import json
import random

import sacrebleu

random.seed(7)
REFERENCES = [
    "The cat sat on the mat.",
    "It costs 1,234.50 dollars - or 12-15 % less, he said (twice).",
    "Ein kleiner Hund läuft schnell über die Straße.",
    "我们今天去学校，明天休息。",
    "“Quoted” &quot;text&quot; & <tags>: a/b, c_d; [e] {f}!",
    "one two three four five six seven eight nine ten",
    "a b",
    "x",
]


def edited(text):
    units = text.split(" ") if random.random() < 0.6 else list(text)
    joint = " " if " " in text and len(units) < len(text) else ""
    for _ in range(random.randrange(0, 5)):
        at = random.randrange(len(units))
        kind = random.randrange(3)
        if kind == 0 and len(units) > 1:
            del units[at]
        elif kind == 1:
            units.insert(at, random.choice(["the", "x", "dog", "5", ","]))
        else:
            other = random.randrange(len(units))
            units[at], units[other] = units[other], units[at]
    return joint.join(units)


pairs = [(reference, reference) for reference in REFERENCES]
pairs += [("", "The cat"), ("The cat", "dog"), ("The the the the", "the cat"), ("THE CAT", "the cat"), (" ", "a")]
pairs += [(edited(reference), reference) for reference in REFERENCES for _ in range(12)]
pairs += [(random.choice(REFERENCES), random.choice(REFERENCES)) for _ in range(20)]

rows = []
for hypothesis, reference in pairs:
    row = {"hypothesis": hypothesis, "reference": reference}
    row["chrf"] = sacrebleu.sentence_chrf(hypothesis, [reference]).score / 100
    for tokens in ["13a", "char", "none"]:
        row[tokens] = sacrebleu.sentence_bleu(hypothesis, [reference], tokenize=tokens).score / 100
    rows.append(row)
provenance = f"make_translation.py with sacrebleu {sacrebleu.__version__}"
print(json.dumps({"provenance": provenance, "rows": rows}, ensure_ascii=False, indent=1))
