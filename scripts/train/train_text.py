"""Stage 2: trains only the text encoder, to recognize a caption's facts.

Small linear heads read the caption's facts (figure colour, shape, ground colour, setting, time,
objects) from the end-of-text state and from the padding states after it, which all see the whole
sentence. So the colours reach the UNet already bound to figure and ground. The heads are used again
in train_unet.py and then dropped; they are not part of the model.

python train_text.py --work WORK --minutes 5
"""
import argparse
import math
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

import captions
import common
import paint

LISTS = {"fig": paint.COLOURS, "shape": paint.SHAPES, "ground": paint.COLOURS,
         "setting": paint.SETTINGS, "time": paint.TIMES}
READ = (0, 1, 3, 7, 15, 31)  # read at these distances after the end of the text


def build(tokenizer):
    config = CLIPTextConfig(vocab_size=len(tokenizer), bos_token_id=tokenizer.bos_token_id,
                            eos_token_id=tokenizer.eos_token_id,
                            pad_token_id=tokenizer.pad_token_id, **common.TEXT)
    config._attn_implementation = "eager"
    return CLIPTextModel(config)


class Heads(nn.Module):
    """One linear layer per fact, each with a "not said" class; objects are yes or no."""

    def __init__(self, width=common.TEXT["hidden_size"]):
        super().__init__()
        self.heads = nn.ModuleDict({k: nn.Linear(width, len(v) + 1) for k, v in LISTS.items()})
        self.objects = nn.Linear(width, len(paint.OBJECTS))

    def loss(self, states, ids, labels, objects, eos):
        """`states` (N, 77, W); `labels` (N, 5); `objects` (N, 9)."""
        end = (ids == eos).int().argmax(1)
        total = 0.0
        for offset in READ:
            s = states[torch.arange(len(ids)), (end + offset).clamp(max=76)]
            for k, (name, head) in enumerate(self.heads.items()):
                total = total + F.cross_entropy(head(s), labels[:, k])
            total = total + F.binary_cross_entropy_with_logits(self.objects(s), objects)
        return total / len(READ)

    @torch.no_grad()
    def read(self, states, ids, eos, offset=3):
        end = (ids == eos).int().argmax(1)
        s = states[torch.arange(len(ids)), (end + offset).clamp(max=76)]
        return {k: head(s).argmax(1) for k, head in self.heads.items()}


def label(facts):
    numbers = [LISTS[k].index(facts[k]) if k in facts else len(LISTS[k]) for k in LISTS]
    return numbers, [float(o in facts.get("objects", ())) for o in paint.OBJECTS]


def encode(tokenizer, texts):
    return tokenizer(texts, padding="max_length", max_length=77, truncation=True,
                     return_tensors="pt")["input_ids"]


def captions_for(tokenizer, scenes, rng):
    """A caption for every scene, as tokens, with its labels."""
    pairs = [captions.caption(scene, rng) for scene in scenes]
    rows = [label(facts) for _, facts in pairs]
    return (encode(tokenizer, [t for t, _ in pairs]), torch.tensor([n for n, _ in rows]),
            torch.tensor([o for _, o in rows]))


def schedule(progress, step, warm=60):
    return min(1, (step + 1) / warm) * (.03 + .97 * .5 * (1 + math.cos(math.pi * progress)))


def held_out_texts():
    texts, wanted = [], []
    for fig, ground in paint.HELD_OUT:
        for shape in paint.SHAPES:
            for form in ("a {} {} on a {} background", "a {2} background with a {0} {1}"):
                texts.append(form.format(fig, shape, ground))
                wanted.append((fig, shape, ground))
    return texts, wanted


@torch.no_grad()
def probe(model, heads, tokenizer, offset=3):
    """The share of held-out pairs whose figure and ground are both read correctly."""
    texts, wanted = held_out_texts()
    ids = encode(tokenizer, texts)
    facts = heads.read(model(ids).last_hidden_state, ids, tokenizer.eos_token_id, offset)
    good = [LISTS["fig"][f % 8] == w[0] and LISTS["ground"][g % 8] == w[2] and f < 8 and g < 8
            for f, g, w in zip(facts["fig"], facts["ground"], wanted)]
    return sum(good) / len(good)


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--work", type=Path, required=True, help="holds tokenizer/; receives text.pt")
    p.add_argument("--minutes", type=float, default=5)
    p.add_argument("--batch", type=int, default=48)
    p.add_argument("--lr", type=float, default=1.2e-3)
    args = p.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    rng = np.random.default_rng(12)
    tokenizer = CLIPTokenizer.from_pretrained(args.work / "tokenizer")
    model, heads = build(tokenizer), Heads()
    params = [*model.parameters(), *heads.parameters()]
    optimiser = torch.optim.AdamW(params, lr=args.lr, weight_decay=.02)
    begin, step = time.time(), 0
    while (progress := (time.time() - begin) / 60 / args.minutes) < 1:
        scenes = [paint.random_scene(rng, "shape" if rng.random() < .6 else "land")
                  for _ in range(args.batch)]
        ids, labels, objects = captions_for(tokenizer, scenes, rng)
        keep = int((ids != tokenizer.eos_token_id).sum(1).max()) + READ[-1] + 1
        states = model(ids[:, :min(77, keep)]).last_hidden_state
        pad = F.pad(states, (0, 0, 0, 77 - states.shape[1]))
        loss = heads.loss(pad, ids, labels, objects, tokenizer.eos_token_id)
        for group in optimiser.param_groups:
            group["lr"] = args.lr * schedule(progress, step)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimiser.step()
        step += 1
        if step % 50 == 0:
            held = [probe(model, heads, tokenizer, o) for o in (0, 3, 31)]
            print(f"step {step} at {progress:.2f} loss {loss.item():.4f} "
                  f"held-out pairs {held}", flush=True)
    common.save(args.work / "text.pt", model=model.state_dict(), heads=heads.state_dict())


if __name__ == "__main__":
    main()
