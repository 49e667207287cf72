"""Goldens of compel's prompt language: the results of compel's own parser and encoders, and diffusers' images with its embeddings.

    python scripts/golden/compel_prompts.py

Wants compel 2.5, transformers, diffusers, and open_clip_torch (for OpenAI's vocabulary). The encoders are those of compel's `CompelForSD`
and `CompelForSDXL`, which do not truncate long prompts. Left out are prompts that compel itself handles badly: see
crates/diffusion-core/src/prompt/compel/mod.rs.
"""

import tempfile
import types
from pathlib import Path

import numpy as np
import torch
from common import draw_weights, save, shapes
from compel import Compel, ReturnedEmbeddingsType
from compel.convenience_wrappers import CompelForSD, CompelForSDXL
from compel.prompt_parser import Blend, PromptParser
from pipelines import MODEL, Models, case, psnr
from tokenizer import CONFIGS, openai_vocabulary, write_tokenizer
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection, CLIPTokenizer
from weighted_prompts import make

LONG = "a quiet harbour at dawn, with boats, ropes and gulls. painted in oil on canvas by an unknown master of the last century; "
PROMPTS = [
    "", " ", "a boat", "a red+ boat", "a red++ boat--", "(a red boat)1.3 at sea", "(a red boat)++ at sea", "a (red boat)- at (night)0.5",
    "a (red)0 boat", "a (red)0.0 boat, (sea)1.", "a (red).5 boat", "a (((red)+ big)+ boat)--, sky", '"a red boat"++ at sea',
    '("a red boat", "a blue car").blend(1, 0.5)', '("a red boat", "a blue car").blend(0.7, 0.3, no_normalize)',
    '("a red+ boat", "a (blue)0.4 car", "night").blend(1,1,-0.5)', '("a red boat", "a blue car").and()',
    '("a red boat", "a (blue)0.3 car").and(1, 0.5)', '("a boat", "by night", "rain").add(0.5,2,1)', "(red, blue).blend(1,2)",
    "(red, blue).and()", '("a red boat", "(blue car)1.2").and(1.5, 0.2)', "(a boat, a car).and", "a boat.", "a boat, a car,a sea", "a,b,,c,,,d",
    r"a \(literal\) boat, \"quoted\"", r'a "boat \"Ann\"" at sea', r"(a \(red\) boat)1.2", r"\\(a\\)", r"a\+ b\-", "(unbalanced", "a) b",
    "a (red - blue)1.2 boat", "a-b c--d e+f g++h", "a red-- -- boat", "+ - a +boat -car", "5+ 5 -5 (5)2 (5)-2 a5+", "50% = half", "a = b (c = d)+",
    "(a red boat) ++", "(a red boat).attend(1.4) at sea", "red.attend(++) boat", "red .attend(0.4) boat", '"red boat".attend(--) at sea',
    "naïve+ café, 猫-- (красный)1.1", "a red\nboat+\tat sea", "smile :) and :D (a smile :))1.2", '"open', 'a "red" "boat"', '("open, a")+',
    "(a (b)1.2 (c)0.5 d)1.5 e", "(a)1.2.5 b", "(a)+- b", "((a b)1.1)1.1", "a(b)+ c", "foo(bar)1.2 baz", "(a)(b)+", "()+ a", '""+ a', "() boat",
    'a (b "c d"+ e)- f', '("(a)+, b", c).blend(1,1)', '("a-", "= b").blend(1,1)', '("a", "").blend(1,1)',
    "a boat ((with) a (sail)--) (and oars)0.9 (in) the rain-", "(rain)0.5 (rain)0.5 rain", 2 * LONG, 4 * LONG, "(" + 2 * LONG + ")1.2",
    LONG + "(a boat. " + LONG + ")0.6 rain", "word " * 74 + "end+", "word " * 75, "word " * 76 + "end-", "word " * 40 + ", " + "tail " * 60,
    f'("{2 * LONG}", "a boat").blend(1, 0.5)', f'("{2 * LONG}", "a boat").and(0.5, 1.5)', "(" + LONG + "a+ b--)0.8 " + LONG + "(c)0.2",
    "x" * 300, "(" + "word " * 80 + "end)0.5 " + "more " * 10,
]  # fmt: skip

SDXL_PROMPTS = [
    "a red++ boat at (night)0.5", '("a red boat", "a (blue)0.3 car").and()', '("a red boat", "a blue car").blend(1, 0.5)', 2 * LONG + "(rain)0.4",
    (2 * LONG, "a (boat)0.7"), ("a boat+", 2 * LONG), "", "(a boat)1.4",
]  # fmt: skip

IMAGE_LONG = "a (red)4 circle on a (blue)0.1 ground. with (mist)++ and boats, ropes, gulls, painted in oil on canvas by a master of long ago"
IMAGES = {
    "weights": case(prompt="a (red)4 circle on a (blue)0.1 ground", negative_prompt="noisy++, dark", scheduler="euler", steps=4, guidance_scale=9.0),
    "blend": case(prompt='("a red circle", "a blue ground").blend(1, 0.6)', negative_prompt="(noisy)0.5", scheduler="ddim", steps=4,
                  guidance_scale=9.0),
    "long": case(prompt=IMAGE_LONG, negative_prompt="noisy", scheduler="euler", steps=4, guidance_scale=9.0),
}  # fmt: skip


def parsed(prompt: str) -> dict:
    """The parser's result as JSON."""
    conjunction = PromptParser().parse_conjunction(prompt)
    texts = lambda part: [[child.text, child.weight] for child in part.children]
    parts = []
    for part, weight in zip(conjunction.prompts, conjunction.weights, strict=True):
        is_blend = isinstance(part, Blend)
        of_blend = {"weights": part.weights, "normalize": part.normalize_weights} if is_blend else None
        parts.append({"weight": weight, "texts": [texts(p) for p in part.prompts] if is_blend else [texts(part)], "blend": of_blend})
    return {"prompt": prompt, "parts": parts}


def config(**more) -> CLIPTextConfig:
    return CLIPTextConfig(vocab_size=49408, hidden_size=16, intermediate_size=32, num_attention_heads=2, num_hidden_layers=3,
                          hidden_act="quick_gelu", bos_token_id=49406, eos_token_id=49407, pad_token_id=49407, **more)  # fmt: skip


def stated(config: CLIPTextConfig) -> dict:
    return {key: value for key, value in config.to_dict().items() if not key.startswith("_")}


def texts() -> None:
    model = draw_weights(CLIPTextModel(config()).eval())
    second = draw_weights(CLIPTextModelWithProjection(config(projection_dim=12)).eval())
    # Where compel looks for the final norm; transformers 5 has no such level.
    vars(model).setdefault("text_model", model)
    tokenizers = {}
    for family in ("sd1", "sd2"):
        with tempfile.TemporaryDirectory() as folder:
            write_tokenizer(Path(folder), CONFIGS[family], *openai_vocabulary())
            tokenizers[family] = CLIPTokenizer.from_pretrained(folder)
    cases, tensors = [], {}
    for index, prompt in enumerate(PROMPTS):
        try:
            cases.append(parsed(prompt))
        except Exception as error:
            raise SystemExit(f"{prompt!r}: {error}") from error
        for family, tokenizer in tokenizers.items():
            if family == "sd2" and index % 4:
                continue
            encoders = {"0": CompelForSD(types.SimpleNamespace(tokenizer=tokenizer, text_encoder=model)).compel}
            if index % 4 == 0 and family == "sd1":
                kind = ReturnedEmbeddingsType.PENULTIMATE_HIDDEN_STATES_NORMALIZED
                encoders["1"] = Compel(tokenizer, model, truncate_long_prompts=False, returned_embeddings_type=kind)
            for skip, encode in encoders.items():
                try:
                    tensors[f"{family}.{index}.skip_{skip}"] = encode(prompt)[0]
                except (TypeError, RuntimeError, NotImplementedError) as error:
                    print(f"not encoded: {prompt!r}: {error}")
    pipe = types.SimpleNamespace(tokenizer=tokenizers["sd1"], tokenizer_2=tokenizers["sd2"], text_encoder=model, text_encoder_2=second)
    sdxl = CompelForSDXL(pipe)
    for index, prompt in enumerate(SDXL_PROMPTS):
        main, style = prompt if isinstance(prompt, tuple) else (prompt, None)
        found = sdxl(main, style, negative_prompt="a (dark)0.5 night")
        tensors |= {f"sdxl.{index}.embeds": found.embeds[0], f"sdxl.{index}.pooled": found.pooled_embeds[0],
                    f"sdxl.{index}.negative_embeds": found.negative_embeds[0],
                    f"sdxl.{index}.negative_pooled": found.negative_pooled_embeds[0]}  # fmt: skip
    save("prompts", "compel", tensors, cases=cases, sdxl_prompts=[p if isinstance(p, tuple) else (p, p) for p in SDXL_PROMPTS],
         config=stated(model.config), config_2=stated(second.config), shapes=shapes(model), shapes_2=shapes(second))


def images() -> None:
    models = Models(CLIPTokenizer.from_pretrained(MODEL / "tokenizer"), torch.float32)
    compel = Compel(models.tokenizer, models.text_encoder, truncate_long_prompts=False)
    tensors, calls = {}, {}
    for name, call in IMAGES.items():
        both = compel([call["prompt"], call["negative_prompt"]])
        embeds = {call["prompt"]: both[:1], call["negative_prompt"]: both[1:]}
        image = make(models, embeds.get, call)
        plain = compel([call["prompt"].translate(str.maketrans("", "", '()"+-.0123456789')), call["negative_prompt"]])
        other = make(models, {**embeds, call["prompt"]: plain[:1]}.get, call) if plain.shape == both.shape else np.zeros_like(image)
        seed, weights = psnr(image, make(models, embeds.get, call, seed=call["seed"] + 1)), psnr(image, other)
        print(f"{name}: {both.shape[1]} tokens, deviation {image.std():.1f}, another seed {seed:.1f} dB, without weights {weights:.1f} dB")
        if image.std() < 30 or seed > 25 or weights > 52:
            raise SystemExit(f"too little variation: {name}")
        tensors[name], calls[name] = torch.from_numpy(image), call
    parts = {"text_encoder": models.text_encoder, "vae": models.vae, "unet{}": models.unet({})}
    save("pipelines", "compel_prompts", tensors, calls=calls, shapes={part: shapes(model) for part, model in parts.items()})


if __name__ == "__main__":
    torch.set_num_threads(1)
    with torch.no_grad():
        texts()
        images()
