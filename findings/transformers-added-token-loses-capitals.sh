#!/usr/bin/env bash
# transformers 5.24.0 (tokenizers 0.23.3): `tokenize` spells an added token in lower case, so it is not among the added tokens.
#
# A token that `add_tokens` adds ("<Cat>") is matched in normalised text. CLIP's normaliser lower-cases, so `tokenize` and
# `convert_ids_to_tokens` give back "<cat>", while `added_tokens_encoder` and `added_tokens_decoder` say "<Cat>". `token in
# added_tokens_encoder`, asked of what `tokenize` says, is therefore false. diffusers 0.42.1 asks just that (`_maybe_convert_prompt` in
# loaders/textual_inversion.py): a textual inversion of several vectors whose token has a capital letter is run with its first vector alone,
# without a warning. A special token (`special_tokens=True`) keeps its capitals.
#
# Seen on 2026-11-29:
#   tokenize: ['a</w>', '<cat>'], of that id: <Cat>, found: False
#   special:  ['a</w>', '<Cat>'], found: True
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet transformers==5.24.0 tokenizers==0.23.3
cat > "$folder/show.py" <<'PYTHON'
from transformers import CLIPTokenizer

letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
entries = letters + [letter + "</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]


def tokenizer(special):
    made = CLIPTokenizer(vocab={entry: index for index, entry in enumerate(entries)}, merges=[])
    made.add_tokens(["<Cat>"], special_tokens=special)
    return made


plain = tokenizer(special=False)
tokens = plain.tokenize("a <Cat>")
of_id = plain.added_tokens_decoder[plain("a <Cat>", add_special_tokens=False).input_ids[-1]].content
found = tokens[-1] in plain.added_tokens_encoder
print(f"tokenize: {tokens}, of that id: {of_id}, found: {found}")
special = tokenizer(special=True)
kept = special.tokenize("a <Cat>")
print(f"special:  {kept}, found: {kept[-1] in special.added_tokens_encoder}")
assert tokens == ["a</w>", "<cat>"] and of_id == "<Cat>" and not found, "an added token keeps its capitals now"
assert kept == ["a</w>", "<Cat>"] and kept[-1] in special.added_tokens_encoder, "a special token behaves differently now"
PYTHON
"$folder/venv/bin/python" "$folder/show.py"
