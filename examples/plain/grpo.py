"""`grpo` without nshot: python grpo.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds ``prompt``.
A LoRA adapter learns; the model without it is the reference.
"""

import json
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from transformers import AutoModelForCausalLM, AutoTokenizer

name, train, test = sys.argv[1:4]
torch.manual_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def read(path):
    """The prompts of a file, as tokens."""
    with open(path, encoding="utf-8") as file:
        turns = [[{"role": "user", "content": json.loads(line)["prompt"]}] for line in file]
    texts = [
        tokenizer.apply_chat_template(t, tokenize=False, add_generation_prompt=True) for t in turns
    ]
    return [
        tokenizer(text, add_special_tokens=False, return_tensors="pt").input_ids for text in texts
    ]


def reward(text, most=8):
    """What an answer is worth: 1 with at most so many words, nothing with twice as many."""
    return max(0.0, 1 - max(0, len(text.split()) - most) / most)


def answers(prompt, count, tokens=32):
    """Sampled answers to a prompt, each with the token that ended it: tokens and rewards."""
    model.eval()
    mask, end = torch.ones_like(prompt), tokenizer.eos_token_id
    out = model.generate(
        prompt,
        attention_mask=mask,
        do_sample=True,
        top_k=0,
        max_new_tokens=tokens,
        num_return_sequences=count,
        pad_token_id=end,
    )[:, prompt.shape[1] :]
    ends = [(row == end).nonzero() for row in out]
    rows = [row[: int(e[0]) + 1] if len(e) else row for row, e in zip(out, ends, strict=True)]
    return rows, [reward(tokenizer.decode(row, skip_special_tokens=True)) for row in rows]


def logprobs(prompt, answer):
    """Log-probability of each token of an answer."""
    ids = torch.cat([prompt[0], answer])[None]
    logits = model(ids, use_cache=False, logits_to_keep=len(answer) + 1).logits[0, :-1]
    return logits.log_softmax(-1).gather(1, answer[:, None])[:, 0]


def loss_of(prompt, answer, advantage, weight=0.04):
    """Equation 3 at the policy that wrote the answer, a mean over its tokens."""
    now = logprobs(prompt, answer)
    with torch.inference_mode(), model.disable_adapter():
        reference = logprobs(prompt, answer)
    apart = reference.clone() - now
    ratio = (now - now.detach()).exp()
    return (-advantage * ratio + weight * (apart.exp() - 1 - apart)).mean()


prompts, updates, group, rate = read(train), 40, 8, 3e-4
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.0)
for update in range(updates):
    left = 1 - update / updates
    optimiser.param_groups[0]["lr"] = rate * min(1, (update + 1) / (0.1 * updates), left / 0.9)
    chosen = random.sample(prompts, min(8, len(prompts)))
    for prompt in chosen:
        rows, worth = answers(prompt, group)
        worth = torch.tensor(worth)
        advantages = (worth - worth.mean()) / (worth.std() + 1e-4)
        for row, advantage in zip(rows, advantages, strict=True):
            (loss_of(prompt, row, advantage) / (group * len(chosen))).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

worth = [value for prompt in read(test) for value in answers(prompt, 1)[1]]
print(f"reward {sum(worth) / len(worth):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
