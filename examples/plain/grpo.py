"""`grpo` without nshot: python grpo.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds ``prompt``.
A LoRA adapter learns; the model without it is the reference.
"""

import json
import random
import sys

import torch
from peft import LoraConfig, get_peft_model
from torch.nn.functional import cross_entropy
from transformers import AutoModelForCausalLM, AutoTokenizer, set_seed

name, train, test = sys.argv[1:4]
set_seed(0)
tokenizer = AutoTokenizer.from_pretrained(name)
model = AutoModelForCausalLM.from_pretrained(name, dtype=torch.float32)
config = LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, target_modules="all-linear")
model = get_peft_model(model, config)


def read(path):
    """The prompts of a file, as tokens."""
    with open(path, encoding="utf-8") as file:
        turns = [[{"role": "user", "content": json.loads(line)["prompt"]}] for line in file]
    texts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return [torch.tensor([ids]) for ids in tokenizer(texts, add_special_tokens=False).input_ids]


def reward(text, most=8):
    """What an answer is worth: 1 with at most so many words, nothing with twice as many."""
    return max(0.0, 1 - max(0, len(text.split()) - most) / most)


def sampled(prompt, count, tokens=32):
    """Answers behind their prompt, which of their tokens count, and what each is worth."""
    how = {"do_sample": True, "top_k": 0, "max_new_tokens": tokens}
    ids, end = prompt.expand(count, -1), tokenizer.eos_token_id
    ids = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=end, **how)
    answers = ids[:, prompt.shape[1] :]
    own = (answers == end).cumsum(1).cumsum(1) <= 1  # up to the token that ended it
    texts = tokenizer.batch_decode(answers, skip_special_tokens=True)
    return ids, own, torch.tensor([reward(text) for text in texts])


def logprobs(ids, count):
    """Log-probabilities of the last `count` tokens, (answers, count)."""
    logits = model(ids, use_cache=False, logits_to_keep=count + 1).logits[:, :-1]
    return -cross_entropy(logits.mT, ids[:, -count:], reduction="none")


def loss_of(ids, own, advantages, weight=0.04):
    """Equations 3 and 4 at the policy that wrote the answers, a mean of each one's mean token."""
    now = logprobs(ids, own.shape[1])
    with torch.no_grad(), model.disable_adapter():
        reference = logprobs(ids, own.shape[1])
    apart = reference - now
    gains = advantages[:, None] * (now - now.detach()).exp()
    losses = weight * (apart.exp() - 1 - apart) - gains
    return ((losses * own).sum(1) / own.sum(1)).mean()


prompts, updates, group, rate = read(train), 40, 8, 3e-4
free = [p for p in model.parameters() if p.requires_grad]
optimiser = torch.optim.AdamW(free, weight_decay=0.0)
for update in range(updates):
    left = 1 - update / updates
    optimiser.param_groups[0]["lr"] = rate * min(1, (update + 1) / (0.1 * updates), left / 0.9)
    chosen = random.sample(prompts, min(8, len(prompts)))
    for prompt in chosen:
        ids, own, worth = sampled(prompt, group)
        advantages = (worth - worth.mean()) / (worth.std() + 1e-4)
        (loss_of(ids, own, advantages) / len(chosen)).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

worth = [float(sampled(prompt, 1)[2]) for prompt in read(test)]
print(f"reward {sum(worth) / len(worth):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
