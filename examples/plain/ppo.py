"""`ppo` without nshot: python ppo.py MODEL train.jsonl test.jsonl.

MODEL is a causal language model with a chat template: a Hub id or a folder. A row holds ``prompt``.
A LoRA adapter learns, and a head that says what is still to come; the model without both is the
reference.
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
critic = torch.zeros(model.config.hidden_size + 1, requires_grad=True)  # and a bias


def read(path):
    """The prompts of a file, as tokens."""
    with open(path, encoding="utf-8") as file:
        turns = [[{"role": "user", "content": json.loads(line)["prompt"]}] for line in file]
    texts = tokenizer.apply_chat_template(turns, tokenize=False, add_generation_prompt=True)
    return [torch.tensor([ids]) for ids in tokenizer(texts, add_special_tokens=False).input_ids]


def reward(text, most=8):
    """What an answer is worth: 1 with at most so many words, nothing with twice as many."""
    return max(0.0, 1 - max(0, len(text.split()) - most) / most)


def answer(prompt, tokens=32):
    """The prompt with a sampled answer behind it, and what that is worth."""
    how = {"do_sample": True, "top_k": 0, "max_new_tokens": tokens}
    ids = model.generate(prompt, attention_mask=torch.ones_like(prompt), **how)
    return ids, reward(tokenizer.decode(ids[0, prompt.shape[1] :], skip_special_tokens=True))


def judged(ids, start):
    """Log-probabilities of the tokens from `start` on, and what the critic expects at each."""
    out = model(ids, use_cache=False, output_hidden_states=True)
    states = out.hidden_states[-1][0, start - 1 : -1].detach()
    now = -cross_entropy(out.logits[0, start - 1 : -1], ids[0, start:], reduction="none")
    return now, states @ critic[:-1] + critic[-1]


def episode(prompt, kl=0.05, decay=0.95):
    """An answer with the advantages and returns of its tokens."""
    (ids, worth), start = answer(prompt), prompt.shape[1]
    with torch.no_grad():
        old, values = judged(ids, start)
        with model.disable_adapter():
            reference, _ = judged(ids, start)
    rewards, places = kl * (reference - old), torch.arange(len(old))
    rewards[-1] += worth
    errors = rewards + torch.cat([values[1:], torch.zeros(1)]) - values
    advantages = errors @ (decay ** (places[:, None] - places)).tril()
    return ids, start, old, values, advantages, advantages + values


def loss_of(ids, start, old, values, advantages, returns, clip=0.2):
    """The clipped losses of policy and critic, summed over the tokens."""
    now, value = judged(ids, start)
    ratio, near = (now - old).exp(), value.clamp(values - clip, values + clip)
    gains = torch.minimum(advantages * ratio, advantages * ratio.clamp(1 - clip, 1 + clip))
    errors = 0.5 * torch.maximum((value - returns) ** 2, (near - returns) ** 2)
    return (0.1 * errors - gains).sum()


prompts, steps, rate = read(train), 160, 3e-4  # four steps a round of answers
free = [*(p for p in model.parameters() if p.requires_grad), critic]
optimiser = torch.optim.AdamW(free, weight_decay=0.0)
for step in range(steps):
    left = 1 - step / steps
    optimiser.param_groups[0]["lr"] = rate * min(1, (step + 1) / (0.1 * steps), left / 0.9)
    if step % 4 == 0:
        rows = [episode(prompt) for prompt in random.choices(prompts, k=32)]
        every = torch.cat([row[4] for row in rows])
        for row in rows:
            row[4].sub_(every.mean()).mul_((every.var() + 1e-8).rsqrt())
    if step % 2 == 0:
        random.shuffle(rows)
    part = rows[step % 2 :: 2]
    (sum(loss_of(*row) for row in part) / sum(len(row[2]) for row in part)).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

worth = [answer(prompt)[1] for prompt in read(test)]
print(f"reward {sum(worth) / len(worth):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
