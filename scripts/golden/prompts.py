"""Goldens of the prompt languages: what the reference programs' own parsers, tokenizers and encoders make of prompts.

    python scripts/golden/prompts.py --webui FOLDER

FOLDER is a checkout of AUTOMATIC1111's stable-diffusion-webui, of which modules/prompt_parser.py, sd_hijack_clip.py and sd_emphasis.py are
run as they are; what they import of the program is replaced here. Wants transformers and open_clip_torch (for OpenAI's vocabulary).
Left out are prompts that the reference itself handles badly: see crates/diffusion-core/src/prompt/a1111.rs.
"""

import argparse
import json
import sys
import tempfile
import types
from pathlib import Path

import torch
from common import draw_weights, save, shapes
from tokenizer import CONFIGS, openai_vocabulary, write_tokenizer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

LONG = "a quiet harbour at dawn, with boats, ropes and gulls, painted in oil on canvas by an unknown master of the last century, "
PROMPTS = [
    "", "a boat", "an (important) word", "(unbalanced", "a] b", "a) b", r"\(literal\] \\ \[x\) \a", "(unnecessary)(parens)",
    "a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", "[[[less]]] and ((more))", "(a:0) (b:-0.5) (c:+2) (d:.5) (e:1.)",
    "smile :) and :D (smile :1.2) :1.3) 12:30", "a (b [c (d:1.5) e] f", "[open (both", "a BREAK b", "aBREAK BREAKb _BREAK", "BREAK", "a BREAK BREAK b",
    "a, BREAK\n  b", "naïve café (été:1.2) 猫 (красный:0.9)", "((a)(b:1.1)) (c:1.1)", 2 * LONG, 4 * LONG, "(" + 3 * LONG + ":1.2)",
    "word " * 75, "word " * 76, "word " * 150 + "end", "word " * 60 + ", " + "tail " * 30, "word " * 40 + ", " + "tail " * 60,
    "word " * 74 + ", next", "word " * 75 + ", next", "(word " * 30 + ")" * 30, LONG + "BREAK " + LONG, "a:1.5) (b",
]


def program_of(folder: str, backtrack: int = 20):
    """The modules of the program, its settings at their defaults."""
    sys.path.insert(0, folder)
    shared, devices, hijack = types.ModuleType("modules.shared"), types.ModuleType("modules.devices"), types.ModuleType("modules.sd_hijack")
    shared.opts = types.SimpleNamespace(
        emphasis="Original", comma_padding_backtrack=backtrack, CLIP_stop_at_last_layers=1, use_old_emphasis_implementation=False,
        textual_inversion_add_hashes_to_infotext=False)
    devices.device, devices.torch_npu_set_device = torch.device("cpu"), lambda: None
    hijack.StableDiffusionModelHijack = object
    package = types.ModuleType("modules")
    package.__path__ = [f"{folder}/modules"]
    for name, module in {"modules": package, "modules.shared": shared, "modules.devices": devices, "modules.sd_hijack": hijack}.items():
        sys.modules[name] = module
    for name, module in {"shared": shared, "devices": devices, "sd_hijack": hijack}.items():
        setattr(package, name, module)
    # Prompt editing is another part of the file.
    sys.modules.setdefault("lark", types.SimpleNamespace(Lark=lambda *_: None))
    from modules import prompt_parser, sd_hijack_clip
    return shared.opts, prompt_parser, sd_hijack_clip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--webui", required=True, metavar="FOLDER")
    opts, prompt_parser, clip = program_of(parser.parse_args().webui)
    torch.set_num_threads(1)
    config = CLIPTextConfig(vocab_size=49408, hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=3,
                            hidden_act="quick_gelu", bos_token_id=49406, eos_token_id=49407, pad_token_id=49407)
    model = CLIPTextModel(config).eval()
    draw_weights(model)
    # Where the program looks for the final norm; transformers 5 has no such level.
    vars(model).setdefault("text_model", model)
    embeddings = types.SimpleNamespace(find_embedding_at_position=lambda *_: (None, None))
    tensors, cases = {}, {}
    for family, pad in (("sd1", 49407), ("sd2", 0)):
        with tempfile.TemporaryDirectory() as folder:
            write_tokenizer(Path(folder), CONFIGS[family], *openai_vocabulary())
            wrapped = types.SimpleNamespace(tokenizer=CLIPTokenizer.from_pretrained(folder), transformer=model)
        module = clip.FrozenCLIPEmbedderWithCustomWords(wrapped, types.SimpleNamespace(embedding_db=embeddings))
        module.id_pad = pad
        cases[family] = []
        for index, prompt in enumerate(PROMPTS):
            chunks, _ = module.tokenize_line(prompt)
            case = {"prompt": prompt, "parts": prompt_parser.parse_prompt_attention(prompt)}
            case["ids"] = [chunk.tokens for chunk in chunks]
            case["weights"] = [[round(weight, 12) for weight in chunk.multipliers] for chunk in chunks]
            cases[family].append(case)
            if len(prompt) < 700 and index % 2 == 0:
                for skip in (0, 1):
                    opts.CLIP_stop_at_last_layers = skip + 1
                    with torch.no_grad():
                        tensors[f"{family}.{index}.skip_{skip}"] = module([prompt])[0]
    save("prompts", "a1111", tensors, cases=cases, shapes=shapes(model),
         config={key: value for key, value in config.to_dict().items() if not key.startswith("_")})


if __name__ == "__main__":
    main()
