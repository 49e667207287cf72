"""Writes a CLIP tokenizer with one token per caption word; any other text is encoded by bytes.

python tokenizer.py --out FOLDER
"""
import argparse
import json
from pathlib import Path

from captions import all_words

START, STOP = "<|startoftext|>", "<|endoftext|>"


def byte_letters():
    """The printable character for each byte, in CLIP's order."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    table = {b: chr(b) for b in plain}
    spare = 0
    for b in range(256):
        if b not in table:
            table[b] = chr(256 + spare)
            spare += 1
    return [table[b] for b in plain] + [table[b] for b in range(256) if b not in plain]


def merges_for(words):
    """Byte-pair merges that join each word from the left into one token."""
    merges, seen = [], set()

    def apply(parts):
        for a, b in merges:  # the order of merges is their rank
            i = 0
            while i < len(parts) - 1:
                if parts[i] == a and parts[i + 1] == b:
                    parts[i:i + 2] = [a + b]
                i += 1
        return parts

    for word in words:
        parts = apply(list(word[:-1]) + [word[-1] + "</w>"])
        while len(parts) > 1:
            pair = (parts[0], parts[1])
            if pair in seen:
                raise ValueError(f"{word}: {pair} is already a merge")
            seen.add(pair)
            merges.append(pair)
            parts[:2] = ["".join(pair)]
    return merges


def write(folder):
    from transformers import CLIPTokenizer
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    letters, merges = byte_letters(), merges_for(all_words())
    tokens = letters + [c + "</w>" for c in letters] + [a + b for a, b in merges]
    tokens = list(dict.fromkeys(tokens)) + [START, STOP]
    vocab = {token: number for number, token in enumerate(tokens)}
    (folder / "vocab.json").write_text(json.dumps(vocab, ensure_ascii=False))
    (folder / "merges.txt").write_text(
        "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (folder / "special_tokens_map.json").write_text(json.dumps(
        {"bos_token": START, "eos_token": STOP, "unk_token": STOP, "pad_token": STOP}, indent=2))
    (folder / "tokenizer_config.json").write_text(json.dumps(
        {"tokenizer_class": "CLIPTokenizer", "model_max_length": 77, "bos_token": START,
         "eos_token": STOP, "unk_token": STOP, "pad_token": STOP, "errors": "replace",
         "add_prefix_space": False, "do_lower_case": True}, indent=2))
    names = ("vocab.json", "merges.txt", "special_tokens_map.json", "tokenizer_config.json")
    own = {name: (folder / name).read_text() for name in names}
    # transformers also writes its fast form
    CLIPTokenizer.from_pretrained(folder).save_pretrained(folder)
    for name, text in own.items():
        (folder / name).write_text(text)
    return vocab


def check(folder):
    """Checks that every caption word is one token, and that unusual text survives the round
    trip."""
    from transformers import CLIPTokenizer
    tokenizer = CLIPTokenizer.from_pretrained(folder)
    split = [w for w in all_words() if len(tokenizer(w)["input_ids"]) != 3]
    ids = tokenizer("Zebra Ünïcode 猫 <3 don't 42", padding="max_length", max_length=77,
                    truncation=True)["input_ids"]
    assert len(ids) == 77 and ids[-1] == tokenizer.pad_token_id == tokenizer.eos_token_id
    assert max(ids) < len(tokenizer)
    print(len(tokenizer), "tokens; words of several tokens:", split)
    print(tokenizer.convert_ids_to_tokens([i for i in ids if i != ids[-1]]))


def main():
    p = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    p.add_argument("--out", type=Path, required=True)
    args = p.parse_args()
    write(args.out)
    check(args.out)


if __name__ == "__main__":
    main()
