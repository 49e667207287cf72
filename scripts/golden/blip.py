"""Goldens of captions: transformers' BLIP with random weights at a small size, its image processor, tokenizer, greedy and beam search.

`model` is a model folder as written by transformers; `captions` holds images, the outputs of the model's parts for the first ones, and the
results of `generate` and `decode` for all of them. Every caption is also generated in f64 and must have the same tokens; otherwise it would
test rounding rather than the search.

The weights are drawn by name (common.py) and then slightly fitted to random words about these images. With drawn weights alone the model
repeats one word forever, which a wrong search finds too; now captions differ in words and length, and greedy and beam search differ in
their results. The weights are stored once, in bf16; a run that finds them keeps them.

    python scripts/golden/blip.py
    python scripts/golden/blip.py --real FOLDER [--large] [--time IMAGE]

The second form writes a folder of random weights with the shape of Salesforce/blip-image-captioning-base (-large with `--large`), and times
transformers on it. `cargo run --release --example caption -- IMAGE FOLDER 3 f32` must print the same tokens.
"""

import argparse
import json
import math
import pathlib
import random
import tempfile
import time
import warnings

import numpy as np
import torch
from common import GOLDEN, check_precisions, draw, save
from PIL import Image
from transformers import BertTokenizer, BlipConfig, BlipForConditionalGeneration, BlipProcessor
from transformers.models.blip.image_processing_pil_blip import BlipImageProcessorPil

MODEL = GOLDEN / "blip" / "model"
WEIGHTS = MODEL / "model.safetensors"
OLD_WEIGHTS = GOLDEN / "blip" / "pytorch_model.bin"
# Multiplies all drawn weights except the norms', so that the image matters.
SCALE = 2.0
# The mean negative log-likelihood per word at which the fit stops: the model has learned the words, without being certain of them.
FITTED = 1.6
PROMPT = "A photography of"
PICTURES = 12

WORDS = """a the of on in with and two three some photography picture drawing cat dog bird boat house tree field sea sky sun moon road man woman
child bear horse river hill red green blue white black small large old young bright dark sitting standing running sleeping looking near under
over by at is are it was that his her don can t n't 's 'm 've 're do not ##s ##ing ##ed ##er ##ly ##est ##y ##boat ##house . , ! ? ' - ( ) 1 2 3""".split()
# `[SEP]` has the id at which captions of these weights end after some words, at varying lengths.
SEPARATOR_AT = 5


def vocabulary() -> list[str]:
    tokens = ["[PAD]", "[UNK]", "[CLS]", "[MASK]", *WORDS]
    tokens.insert(SEPARATOR_AT, "[SEP]")
    return tokens


def write_model() -> BlipConfig:
    """Writes the model folder without weights; config.json has only the differences from the classes' defaults, which is rare in
    practice."""
    MODEL.mkdir(parents=True, exist_ok=True)
    tokens = vocabulary()
    (MODEL / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    config = {
        "architectures": ["BlipForConditionalGeneration"],
        "model_type": "blip",
        "text_config": {
            # Fields of the published models that transformers 5 does not read: they must have no effect.
            "num_beams": 4, "max_length": 7, "length_penalty": 3.0,
            "vocab_size": len(tokens) + 2, "bos_token_id": len(tokens), "sep_token_id": SEPARATOR_AT, "hidden_size": 48,
            "intermediate_size": 96, "num_hidden_layers": 3, "num_attention_heads": 6, "max_position_embeddings": 40,
        },
        "vision_config": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4, "image_size": 48},
    }
    (MODEL / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    BertTokenizer.from_pretrained(MODEL).save_pretrained(MODEL)
    processor = BlipImageProcessorPil(size={"height": 48, "width": 48})
    (MODEL / "preprocessor_config.json").write_text(json.dumps(processor.to_dict(), indent=2, sort_keys=True) + "\n")
    return BlipConfig.from_pretrained(MODEL)


def fit(config: BlipConfig, processor: BlipProcessor, images: list[Image.Image]) -> None:
    """Writes the model's weights: drawn, then fitted to two random sentences per image, one of them after the prompt."""
    model = BlipForConditionalGeneration(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            norm = parameter.dim() < 2 and not name.endswith(".bias")
            parameter.copy_(draw(name, parameter.shape) * (1.0 if norm else SCALE))
    words, start = random.Random(3), config.text_config.bos_token_id
    prompt = processor.tokenizer(PROMPT).input_ids[1:-1]
    sentences, about = [], []
    for index in range(len(images)):
        for beginning in ([], prompt):
            body = [words.randrange(SEPARATOR_AT + 1, start) for _ in range(words.randrange(3, 17))]
            sentences.append([start, *beginning, *body, SEPARATOR_AT])
            about.append(index)
    longest = max(map(len, sentences))
    padded = lambda rows, filler: torch.tensor([row + [filler] * (longest - len(row)) for row in rows])
    ids, labels = padded(sentences, 0), padded([sentence[1:] for sentence in sentences], -100)
    mask = padded([[1] * len(sentence) for sentence in sentences], 0)
    pixels = torch.cat([processor(images=image, return_tensors="pt").pixel_values for image in images])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for step in range(1000):
        embeds = model.vision_model(pixels).last_hidden_state[about]
        logits = model.text_decoder(input_ids=ids, attention_mask=mask, encoder_hidden_states=embeds, is_decoder=True).logits
        loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), labels.flatten(), ignore_index=-100)
        if loss.item() < FITTED:
            break
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    print(f"    fitted in {step} steps to {loss.item():.2f}")
    with tempfile.TemporaryDirectory() as folder:
        model.bfloat16().save_pretrained(folder)
        (pathlib.Path(folder) / "model.safetensors").rename(WEIGHTS)
    WEIGHTS.chmod(0o644)
    # Like the published models: torch's pickle, with an obsolete buffer that no class reads, and the head's matrix next to the words'.
    state = model.state_dict()
    state["text_decoder.bert.embeddings.position_ids"] = torch.arange(config.text_config.max_position_embeddings)[None]
    assert "text_decoder.cls.predictions.decoder.weight" in state
    torch.save(state, OLD_WEIGHTS)


def rows_first(image: Image.Image) -> bool:
    """Whether this Pillow resizes the image's rows first, like all versions before 13 and like our implementation."""
    resize = lambda image, size: image.resize(size, Image.Resampling.BICUBIC)
    return resize(image, (48, 48)) == resize(resize(image, (48, image.height)), (48, 48))


def pictures(count: int) -> list[Image.Image]:
    """Blots of colour with some grain, in many sizes and proportions."""
    generator = np.random.default_rng(11)
    found = []
    for index in range(count):
        width, height = (int(side) for side in generator.integers(20, 90, 2))
        blots = generator.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        smooth = np.asarray(Image.fromarray(blots).resize((width, height), Image.Resampling.BICUBIC), dtype=np.int16)
        grain = generator.integers(-20, 21, smooth.shape)
        found.append(Image.fromarray(np.clip(smooth + grain, 0, 255).astype(np.uint8)))
    # One needs no resizing, and one is a thin line.
    found[0] = found[0].resize((48, 48))
    found[1] = found[1].resize((90, 5))
    found = [image if rows_first(image) else image.transpose(Image.Transpose.TRANSPOSE) for image in found]
    assert all(map(rows_first, found))
    # One shrinks in both directions, and one grows in both.
    found[4] = found[4].resize((21, 33))
    found[5] = found[5].resize((130, 90))
    assert rows_first(found[4]) and rows_first(found[5])
    return found


def generate(model, processor, image, prompt, **settings):
    inputs = processor(images=image, text=prompt, return_tensors="pt")
    inputs["pixel_values"] = inputs["pixel_values"].to(next(model.parameters()).dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ids = model.generate(**inputs, **settings)[0].tolist()
    return ids, processor.decode(ids, skip_special_tokens=True)


def captions() -> None:
    config = write_model()
    processor = BlipProcessor(BlipImageProcessorPil.from_pretrained(MODEL), BertTokenizer.from_pretrained(MODEL))
    images = pictures(PICTURES)
    if not WEIGHTS.exists():
        fit(config, processor, images)
    model = BlipForConditionalGeneration.from_pretrained(MODEL, dtype=torch.float32).eval()
    double = BlipForConditionalGeneration.from_pretrained(MODEL, dtype=torch.float64).eval()

    calls = [(index, prompt, {"num_beams": beams}) for index in range(PICTURES) for prompt in (None, PROMPT) for beams in (1, 3, 5)]
    for index, settings in enumerate([
        {"num_beams": 3, "length_penalty": 0.0}, {"num_beams": 3, "length_penalty": 3.0}, {"num_beams": 5, "length_penalty": -1.0},
        {"num_beams": 1, "min_length": 12}, {"num_beams": 4, "min_length": 12}, {"num_beams": 1, "repetition_penalty": 1.8},
        {"num_beams": 3, "repetition_penalty": 1.8}, {"num_beams": 1, "max_new_tokens": 3}, {"num_beams": 5, "max_new_tokens": 1},
        {"num_beams": 2, "max_new_tokens": 36}, {"num_beams": 8, "max_new_tokens": 30, "min_length": 25, "repetition_penalty": 1.3},
        {"num_beams": 1, "repetition_penalty": 0.7}, {"num_beams": 3, "max_length": 8, "length_penalty": 2.0}, {"num_beams": 1, "max_length": 6},
    ]):
        calls += [(index % PICTURES, prompt, settings) for prompt in (None, PROMPT)]
    found, lengths = [], []
    for index, prompt, settings in calls:
        ids, text = generate(model, processor, images[index], prompt, **settings)
        again, _ = generate(double, processor, images[index], prompt, **settings)
        if ids != again:
            raise SystemExit(f"image {index}, {prompt!r}, {settings} is ill-conditioned: {ids} in f32, {again} in f64")
        lengths.append(len(ids))
        found.append({"image": index, "prompt": prompt, **settings, "ids": ids, "text": text})
    plain = {beams: [one["ids"] for one in found[: 6 * PICTURES] if one["num_beams"] == beams] for beams in (1, 3, 5)}
    moved = [sum(a != b for a, b in zip(plain[one], plain[other])) for one, other in ((1, 3), (3, 5))]
    print(f"    {len({tuple(one['ids']) for one in found})} different captions of {len(found)}; lengths {sorted(lengths)}")
    print(f"    {moved[0]} of {len(plain[1])} greedy captions differ with 3 beams, and {moved[1]} of those with 5")
    if min(moved) < 3:
        raise SystemExit("too few captions depend on the search")
    for one in found[:12]:
        print("   ", one["text"])

    # Texts that the decoder cleans up, and prompts that the tokenizer splits.
    texts = ["A boat, the SEA!", "don't", "it's a cat.", "zebra [SEP] boats", "é ÉTÉ 3-2 (a)", "中文 sun", "can't 've is n't", "", "houseboat  \t runs\n"]
    tokenizer = processor.tokenizer
    cleaning = BertTokenizer.from_pretrained(MODEL, clean_up_tokenization_spaces=True)
    tokenized = [{"text": text, "ids": (ids := tokenizer(text).input_ids[1:-1]), "decoded": tokenizer.decode(ids, skip_special_tokens=True),
                  "cleaned": cleaning.decode(ids, skip_special_tokens=True)} for text in texts]

    tensors = {f"image.{index}": torch.from_numpy(np.asarray(image).copy()) for index, image in enumerate(images)}
    pixels = torch.cat([processor(images=image, return_tensors="pt").pixel_values for image in images])
    tensors["pixels"] = pixels[:6]
    ids = torch.tensor([found[3]["ids"][:9]])
    tensors["ids"] = ids

    def parts(module, dtype):
        with torch.no_grad():
            x = pixels[:1].to(dtype)
            embeds = module.vision_model(x).last_hidden_state
            logits = module.text_decoder(input_ids=ids, encoder_hidden_states=embeds, is_decoder=True).logits
            return {"embeddings": module.vision_model.embeddings(x), "image_embeds": embeds, "logits": logits}

    single, exact, half = parts(model, torch.float32), parts(double, torch.float64), parts(model.bfloat16(), torch.bfloat16)
    bf16_db = check_precisions(single, exact, half)
    save("blip", "captions", {**tensors, **single}, captions=found, tokenized=tokenized, bf16_db=bf16_db)


def real(folder: pathlib.Path, large: bool, image: pathlib.Path | None) -> None:
    """Random weights with a published model's shape, and the time of one caption in transformers."""
    folder.mkdir(parents=True, exist_ok=True)
    tokens = ["[PAD]", *(f"[unused{index}]" for index in range(99)), "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    tokens += [f"word{index}" for index in range(30522 - len(tokens))]
    (folder / "vocab.txt").write_text("".join(f"{token}\n" for token in tokens))
    processor = BlipProcessor(BlipImageProcessorPil(), BertTokenizer.from_pretrained(folder))
    processor.tokenizer.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(processor.image_processor.to_dict()))
    torch.manual_seed(0)
    vision = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16} if large else {}
    model = BlipForConditionalGeneration(BlipConfig(text_config={"num_attention_heads": 12}, vision_config=vision)).eval()
    with torch.no_grad():
        # Words differ by position when attention contributes little and position embeddings contribute much.
        gains = {"crossattention.output": 0.2, "attention.output": 0.5, "position_embeddings": 2.0}
        for name, parameter in model.named_parameters():
            if parameter.dim() >= 2:
                gain = next((gain for part, gain in gains.items() if part in name), 1.0)
                parameter.normal_(0, gain / math.sqrt(parameter[0].numel()))
    model.save_pretrained(folder)
    if image is not None:
        picture = Image.open(image).convert("RGB")
        for beams in (1, 3):
            start, cpu = time.perf_counter(), time.process_time()
            ids, _ = generate(model, processor, picture, None, num_beams=beams)
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
            print(f"transformers, {torch.get_num_threads()} threads, {beams} beams: {seconds:.1f} s, {cpu:.1f} s CPU time; {ids}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--real", type=pathlib.Path, help="write a model with a published model's shape here")
    parser.add_argument("--large", action="store_true", help="use the large model's shape")
    parser.add_argument("--time", type=pathlib.Path, help="time captions of this image in transformers")
    arguments = parser.parse_args()
    if arguments.real is not None:
        real(arguments.real, arguments.large, arguments.time)
        return
    torch.set_num_threads(1)
    captions()


if __name__ == "__main__":
    main()
