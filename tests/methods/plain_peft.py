"""What another program sees: transformers and peft on folders that nshot wrote, nothing of nshot.

Run as ``python plain_peft.py``; reads a list of questions as JSON on standard input, writes the
answers to standard output.
"""

import json
import sys

import torch
from peft import PeftConfig, PeftModel
from transformers import (
    AutoModelForCausalLM,
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BitsAndBytesConfig,
)

torch.set_num_threads(1)
FOUR_BITS = BitsAndBytesConfig(
    load_in_4bit=True,
    bnb_4bit_quant_type="nf4",
    bnb_4bit_use_double_quant=True,
    bnb_4bit_compute_dtype=torch.float32,
)


def opened(question, quantised):
    """The base of a question with its adapter on, ready to answer."""
    folder, labels = question["adapter"], len(question["answers"])
    options = {"dtype": torch.float32}
    if quantised:
        options |= {"quantization_config": FOUR_BITS, "device_map": "cpu"}
    if PeftConfig.from_pretrained(folder).task_type == "SEQ_CLS":
        kind, options = AutoModelForSequenceClassification, options | {"num_labels": labels}
    else:
        kind = AutoModelForCausalLM
    base = kind.from_pretrained(question["base"], **options)
    for part in base.modules():
        if hasattr(part, "support_avx512bf16_for_cpu"):
            part.support_avx512bf16_for_cpu = False  # it would round the weights to bfloat16
    return PeftModel.from_pretrained(base, folder).eval()


@torch.inference_mode()
def scores(model, tokenizer, question):
    """(prompts, answers): log-probabilities of the answers, or of the labels of a classifier."""
    out = []
    for prompt in question["prompts"]:
        start = tokenizer(prompt)["input_ids"]
        if "SequenceClassification" in type(model).__name__:
            out.append(model(input_ids=torch.tensor([start])).logits[0].log_softmax(-1).tolist())
            continue
        sums = []
        for answer in question["answers"]:
            ids = torch.tensor([tokenizer(prompt + answer)["input_ids"]])
            table = model(input_ids=ids).logits[0].log_softmax(-1)
            table = table[-ids.shape[1] :]  # a soft prompt of embeddings has rows of its own
            at = torch.arange(len(start), ids.shape[1])
            sums.append(table[at - 1, ids[0, at]].sum().item())
        out.append(sums)
    return out


def answer(question):
    """Scores as the adapter was trained; on the unquantised base; and merged into that."""
    tokenizer = AutoTokenizer.from_pretrained(question["base"])
    model = opened(question, question["quant"] is not None)
    found = {"scores": scores(model, tokenizer, question)}
    if question["quant"] is not None:
        model = opened(question, False)
    if hasattr(model, "merge_and_unload"):
        found["whole"] = scores(model, tokenizer, question)
        found["merged"] = scores(model.merge_and_unload(), tokenizer, question)
    return found


answers = {question["name"]: answer(question) for question in json.load(sys.stdin)}
json.dump({"answers": answers, "nshot": "nshot" in sys.modules}, sys.stdout)
