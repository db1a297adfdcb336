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


critic = torch.nn.Linear(model.config.get_text_config().hidden_size, 1)
torch.nn.init.zeros_(critic.weight)


def judged(prompt, answer):
    """Log-probability of each token of an answer, and what the critic then expects."""
    ids, count = torch.cat([prompt[0], answer])[None], len(answer)
    out = model(ids, use_cache=False, logits_to_keep=count + 1, output_hidden_states=True)
    now = out.logits[0, :-1].log_softmax(-1).gather(1, answer[:, None])[:, 0]
    return now, critic(out.hidden_states[-1][0, -count - 1 : -1].detach())[:, 0]


def sampled(prompt, weight=0.05, decay=0.95):
    """An answer with the advantages and returns of its tokens."""
    (row,), (worth,) = answers(prompt, 1)
    with torch.no_grad():
        old, values = judged(prompt, row)
        with model.disable_adapter():
            reference, _ = judged(prompt, row)
    rewards, advantage, following, advantages = -weight * (old - reference), 0.0, 0.0, []
    rewards[-1] += worth
    for reward, value in zip(rewards.flip(0), values.flip(0), strict=True):
        advantage = reward + following - value + decay * advantage
        following = value
        advantages.insert(0, advantage)
    advantages = torch.stack(advantages)
    return prompt, row, old, values, advantages, advantages + values


def loss_of(prompt, row, old, values, advantages, returns, clip=0.2):
    """The clipped losses of policy and critic, summed over the tokens."""
    now, value = judged(prompt, row)
    ratio = (now - old).exp()
    policy = torch.maximum(-advantages * ratio, -advantages * ratio.clamp(1 - clip, 1 + clip))
    near = torch.clamp(value, values - clip, values + clip)
    errors = 0.5 * torch.maximum((value - returns) ** 2, (near - returns) ** 2)
    return (policy + 0.1 * errors).sum()


prompts, updates, epochs, batches, rate = read(train), 40, 2, 2, 3e-4
free = [*(p for p in model.parameters() if p.requires_grad), *critic.parameters()]
optimiser = torch.optim.AdamW(free, lr=rate, weight_decay=0.0)
steps = updates * epochs * batches
for step in range(steps):
    optimiser.param_groups[0]["lr"] = rate * min(
        1, (step + 1) / (0.1 * steps), (1 - step / steps) / 0.9
    )
    if step % (epochs * batches) == 0:
        rows = [sampled(prompt) for prompt in random.choices(prompts, k=32)]
        every = torch.cat([row[4] for row in rows])
        mean, spread = every.mean(), every.std() + 1e-8
        rows = [(*row[:4], (row[4] - mean) / spread, row[5]) for row in rows]
    if step % batches == 0:
        random.shuffle(rows)
    part = rows[step % batches :: batches]
    sum(loss_of(*row) / sum(len(r[1]) for r in part) for row in part).backward()
    torch.nn.utils.clip_grad_norm_(free, 1.0)
    optimiser.step()
    optimiser.zero_grad()

worth = [value for prompt in read(test) for value in answers(prompt, 1)[1]]
print(f"reward {sum(worth) / len(worth):.4f}")
model.save_pretrained("adapter", save_embedding_layers=False)
