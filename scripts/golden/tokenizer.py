"""Writes crates/diffusion-core/tests/golden/tokenizer/prompts.json: prompts and their ids from transformers' CLIPTokenizer.

The vocabulary is OpenAI's, from the package open_clip_torch; it is converted to vocab.json + merges.txt in a temporary folder, with the
tokenizer_config.json variants of published models. Only prompts, ids and the small config files are stored.

    python scripts/golden/tokenizer.py [--out FILE]
"""

import argparse
import gzip
import json
import pathlib
import tempfile

import open_clip
import tokenizers
import transformers
from open_clip.tokenizer import bytes_to_unicode, default_bpe
from transformers import CLIPTokenizer

MERGES = 49152 - 256 - 2
OUT = pathlib.Path(__file__).parents[2] / "crates/diffusion-core/tests/golden/tokenizer/prompts.json"


def added(content, typed=True, **changes):
    """An AddedToken in the form of tokenizer_config.json (typed) or special_tokens_map.json."""
    token = {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False} | changes
    return ({"__type": "AddedToken"} if typed else {}) | token


BOS, EOS = "<|startoftext|>", "<|endoftext|>"
BASE = {"add_prefix_space": False, "do_lower_case": True, "errors": "replace", "model_max_length": 77, "tokenizer_class": "CLIPTokenizer"}
TYPED = {"bos_token": added(BOS), "eos_token": added(EOS), "unk_token": added(EOS)}
# SD 1.x and its distillations use this form; SD 2.x has "!" in special_tokens_map.json or in both files; transformers since 4.3x writes
# added_tokens_decoder; a file may hold plain strings; and there may be none.
CONFIGS = {
    "sd1": {"tokenizer_config.json": BASE | TYPED | {"pad_token": EOS}},
    "sd2": {
        "tokenizer_config.json": BASE | TYPED | {"pad_token": EOS},
        "special_tokens_map.json": {
            "bos_token": added(BOS, False),
            "eos_token": added(EOS, False),
            "pad_token": "!",
            "unk_token": added(EOS, False),
        },
    },
    "sd2_decoder": {
        "tokenizer_config.json": BASE
        | {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": "!", "clean_up_tokenization_spaces": True}
        | {
            "added_tokens_decoder": {
                "0": added("!", False, normalized=False, special=True),
                "49406": added(BOS, False, special=True),
                "49407": added(EOS, False, special=True),
            }
        },
        # Must be ignored, because added_tokens_decoder is present.
        "special_tokens_map.json": {"pad_token": EOS},
    },
    "strings": {"tokenizer_config.json": BASE | {"bos_token": BOS, "eos_token": EOS, "unk_token": EOS, "pad_token": EOS}},
    "typed_pad_endless": {"tokenizer_config.json": BASE | TYPED | {"pad_token": added("!"), "model_max_length": 10**30}},
    "no_config": {},
}


def prompts():
    """The prompts, in groups; more than 300."""
    out = []
    # Typical prompts.
    subjects = ["a cat", "an astronaut riding a horse", "a castle on a hill", "two children reading a book", "a bowl of ramen", "portrait of an old sailor"]
    styles = ["oil painting", "8k, highly detailed, trending on artstation", "in the style of Van Gogh", "35mm photograph, f/1.8", "pixel art"]
    out += [f"{subject}, {style}" for subject in subjects for style in styles]
    colours, shapes = ["red", "green", "blue", "yellow", "purple", "orange", "white", "black"], ["circle", "square", "triangle", "star"]
    out += [f"a {c} {s} on a {colours[(i + 3) % 8]} background" for i, c in enumerate(colours) for s in shapes]
    out += ["A peaceful sunrise over mountains with mist", "a SEA at NIGHT with stars", "Masterpiece, best quality, (detailed:1.2), [blurry]"]
    out += ["(((masterpiece))), ((best quality)), <lora:detail:0.8>", "embedding:bad-hands-5 ::weight", "a photo of sks dog --ar 16:9 --v 5"]
    # Empty and white space.
    out += ["", " ", "   ", "\t", "\n", "\r\n", "\u00a0", "\u3000", " leading", "trailing ", "  both  ", "a\tb", "a\nb", "a\r\nb", "a \t\n b"]
    out += ["nbsp\u00a0between", "thin\u2009space", "em\u2003space", "ideographic\u3000space", "line\u2028sep", "para\u2029sep", "next\u0085line"]
    out += ["vertical\u000btab", "form\u000cfeed", "zero\u200bwidth", "word\u2060joiner", "bom\ufeffinside", "\ufeffbom first", "ogham\u1680space"]
    out += ["mongolian\u180evowel", "hair\u200aspace", "a" + " " * 100 + "b", "soft\u00adhyphen", "unit\u001fseparator", "file\u001cseparator"]
    # Contractions.
    for word in ["it's", "don't", "we're", "I've", "I'm", "they'll", "he'd", "rock 'n' roll", "o'clock", "y'all'd've", "'tis", "dogs' tails"]:
        out += [word, word.upper()]
    out += ["'s", "'t 're 've", "''s", "a's'b", "it\u2019s", "don\u2019t", "5's", "the 1990's", "x'sx", "'S 'LL", "!'s", "\"'ll\"", "''''d"]
    # Digits and numbers.
    out += ["0", "1234567890", "3.14159", "1,000,000", "2nd", "v1.5", "1/2", "\u00bd cup", "x\u00b2 + y\u00b3", "\u2167 Roman", "\u0661\u0662\u0663"]
    out += ["\u0967\u0968\u0969", "\uff11\uff12\uff13", "\u2460\u2461", "10:30pm", "50%", "$9.99", "\u20ac5", "#1", "1e-5", "0xFF", "7up", "4k8k16k"]
    # Runs of punctuation.
    out += ["!", "!!", "!!!", "!!!!!!!!", "hello!", "hello!!", "Hi! How are you?! Good!", "?!?!", "...", "....", "\u2026", "--", "---", "\u2014"]
    out += ["a,b;c:d", "()[]{}", "((()))", "@#$%^&*", "~~~~", "====", "_____", "snake_case_name", "kebab-case-name", "a/b\\c", "<b>bold</b>"]
    out += ["\"quoted\"", "\u201cquoted\u201d", "\u00abguillemets\u00bb", "back`tick`", "pipe|pipe", "a+b=c", "C++", "C#", "&amp;", "&lt;tag&gt;"]
    out += ["http://example.com/a?b=c&d=e#f", "user@example.com", ":-) ;-) :P", "\u00a9 \u00ae \u2122", "\u00b0C", "\u2192 \u2190 \u21d2", "\u221e\u2260\u2264"]
    # Special tokens inside the text.
    out += [BOS, EOS, f"a {BOS} b", f"a{BOS}b", f"{EOS}{EOS}", f"cat{EOS}", "<|STARTOFTEXT|>", "a <|EndOfText|> b", "<|startoftext|", "|endoftext|>"]
    out += ["<start_of_text>", "<end_of_text>", f"!{EOS}!", f"{BOS} {EOS}", "<|startoftext|>s", "x<|ENDOFTEXT|>!"]
    # Latin with accents; composed and decomposed; casing that changes length.
    out += ["caf\u00e9", "cafe\u0301", "na\u00efve r\u00e9sum\u00e9", "B\u00e5stad", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u212bngstrom", "stra\u00dfe"]
    out += ["STRASSE \u1e9e", "\u0130stanbul", "\u0131\u015f\u0131k", "\u01c5 \u01c6", "\ufb01re \ufb02ow", "\u0152uvre \u00c6on", "q\u0307\u0323", "\u1e69 s\u0323\u0307"]
    out += ["Z\u0351\u036b\u0343alg\u0321o\u0322", "\u00f1andu n\u0303andu", "Ti\u1ebfng Vi\u1ec7t", "\u0141\u00f3d\u017a", "\u010ce\u0161tina", "\u00de\u00f3r", "e\u0301\u0301\u0301"]
    # Other scripts.
    out += ["\u041c\u043e\u0441\u043a\u0432\u0430 \u043d\u043e\u0447\u044c\u044e", "\u0391\u03b8\u03ae\u03bd\u03b1", "\u039f\u0394\u03a5\u03a3\u03a3\u0395\u03a5\u03a3", "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd"]
    out += ["\u0645\u0631\u062d\u0628\u0627", "\u0645\u064e\u0631\u0652\u062d\u064e\u0628\u064b\u0627", "\u0633\u0644\u0627\u0645 \u06f1\u06f2", "\u0928\u092e\u0938\u094d\u0924\u0947", "\u09ac\u09be\u0982\u09b2\u09be", "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35"]
    out += ["\u732b", "\u4e00\u53ea\u5728\u7a97\u53f0\u4e0a\u7684\u732b", "\u7eff\u8272\u7684\u718a\u732b, ink wash", "\u6771\u4eac\u306e\u591c\u666f", "\u30d4\u30ab\u30c1\u30e5\u30a6", "\u304c\u304d\u3099", "\uff8a\uff9f\uff9d"]
    out += ["\uc548\ub155\ud558\uc138\uc694", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\ud55c\uad6d \uc0b0", "a\u732bb\u72ac c", "\u3002\u3001\uff01\uff1f", "\uff21\uff22\uff23 fullwidth", "\U00020000\U0002a6d6", "\ufa10 \uf900"]
    out += ["\u10d2\u10d0\u10db\u10d0\u10e0\u10ef\u10dd\u10d1\u10d0", "\u1c92 \u10a0", "\u13a0\u13e3\u13b3", "\uab70\uab71", "\u1200\u120b\u121d", "\u1786\u17d2\u1793\u17b6\u17c6", "\u0f56\u0f7c\u0f51", "\U00010400\U00010428", "\U0001d4d0\U0001d4d1 math"]
    # Emoji: plain, skin tones, joined, flags, keycaps, presentation selectors, tags.
    out += ["\U0001f600", "\U0001f602\U0001f602\U0001f602", "cat \U0001f431 and dog \U0001f436", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466"]
    out += ["\U0001f3f3\ufe0f\u200d\U0001f308", "\u2764\ufe0f", "\u2764", "\U0001f1fa\U0001f1f8\U0001f1e9\U0001f1ea", "1\ufe0f\u20e3", "\u2600\ufe0fsun", "\U0001f9d1\u200d\U0001f680 in space"]
    out += ["\U0001f3f4\U000e0067\U000e0062\U000e0065\U000e006e\U000e0067\U000e007f", "\U0001fae0\U0001faf6", "\u2728sparkles\u2728", "\U0001f525\U0001f525 hot!!", "a\U0001f600b", "\u00a9\ufe0f"]
    # Control characters, unassigned code points, private use.
    out += ["null\u0000byte", "bell\u0007", "esc\u001b[0m", "\u0378 unassigned", "\ue000 private", "\U000f0000", "\ufffd replaced", "\uffff nonchar", "\u200fRTL\u200e", "del\u007f"]
    # Long words and over-long texts, around the limit of 75 tokens.
    out += ["donaudampfschifffahrtsgesellschaftskapit\u00e4nsm\u00fctze", "supercalifragilisticexpialidocious", "a" * 50, "ab" * 200, "x" * 500, "\u732b" * 60, "\U0001f600" * 40]
    out += ["cat " * n for n in (73, 74, 75, 76, 77, 78, 150)] + ["a photo of a cat, " * 16, "!" * 80, "! " * 80, "it's " * 40, ("word" * 3 + " ") * 90, "1" * 76]
    out += [f"{'dog ' * 74}{EOS}", f"{'dog ' * 75}tail", "the quick brown fox jumps over the lazy dog. " * 9]
    return out


def fnv1a64(data):
    """A small hash that the Rust test also computes: it proves that its merges are OpenAI's, without storing them."""
    state = 0xCBF29CE484222325
    for byte in data:
        state = ((state ^ byte) * 0x100000001B3) & 0xFFFF_FFFF_FFFF_FFFF
    return f"{state:016x}"


def openai_vocabulary():
    """OpenAI's tokens in the order of their ids, and the text of merges.txt without its first line."""
    lines = gzip.open(default_bpe()).read().decode("utf-8").split("\n")[1 : MERGES + 1]
    merges = [tuple(line.split()) for line in lines]
    vocabulary = list(bytes_to_unicode().values())
    vocabulary += [token + "</w>" for token in vocabulary]
    vocabulary += ["".join(pair) for pair in merges] + [BOS, EOS]
    assert len(vocabulary) == len(set(vocabulary)) == 49408
    return vocabulary, "".join(f"{a} {b}\n" for a, b in merges)


def write_tokenizer(folder, files, vocabulary, merges_text):
    """Writes a tokenizer's folder: the vocabulary, and small config files by name."""
    (folder / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(vocabulary)}))
    (folder / "merges.txt").write_text("#version: 0.2\n" + merges_text, encoding="utf-8")
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=pathlib.Path, default=OUT)
    out = parser.parse_args().out

    vocabulary, merges_text = openai_vocabulary()

    texts = prompts()
    golden = {
        "versions": {"transformers": transformers.__version__, "tokenizers": tokenizers.__version__, "open_clip_torch": open_clip.__version__},
        "merges_fnv1a64": fnv1a64(merges_text.encode()),
        "prompts": texts,
        "configs": {},
    }
    base = None
    for name, files in CONFIGS.items():
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            write_tokenizer(root, files, vocabulary, merges_text)
            tokenizer = CLIPTokenizer.from_pretrained(root)
            ids = [tokenizer(t, truncation=True, max_length=77).input_ids for t in texts]
            counts = [len(tokenizer(t, add_special_tokens=False, truncation=False, verbose=False).input_ids) for t in texts]
            if name == "sd1":
                # The same tokenizer as tokenizer.json, which transformers writes and reads back.
                again_root = root / "again"
                tokenizer.save_pretrained(again_root)
                again = CLIPTokenizer.from_pretrained(again_root)
                assert [again(t, truncation=True, max_length=77).input_ids for t in texts] == ids
                written = json.loads((again_root / "tokenizer.json").read_text())
                rest = {key: value for key, value in written.items() if key != "model"}
                rest["model"] = {key: value for key, value in written["model"].items() if key not in ("vocab", "merges")}
                golden["tokenizer_json"] = {
                    "without_vocabulary": rest,
                    "tokenizer_config.json": json.loads((again_root / "tokenizer_config.json").read_text()),
                }
        base = base or (ids, counts)
        golden["configs"][name] = {
            "files": files,
            "pad_id": tokenizer.pad_token_id,
            # Per prompt [ids with start and end, truncated, not padded; tokens before truncation]; null if equal to those of "sd1".
            "expected": [None if name != "sd1" and (i, c) == b else [i, c] for i, c, b in zip(ids, counts, zip(*base))],
        }
    assert len(texts) >= 300, len(texts)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(json.dumps(golden, separators=(",", ":"), sort_keys=True) + "\n")
    differ = {name: sum(e is not None for e in c["expected"]) for name, c in golden["configs"].items()}
    print(f"{len(texts)} prompts, {differ}, {out.stat().st_size} bytes")


if __name__ == "__main__":
    main()
