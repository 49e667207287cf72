#!/usr/bin/env bash
# optimum-intel 2.2.0 (optimum 2.3.0, diffusers 0.39.0): `optimum-cli export openvino` fails for a folder whose vae is an AutoencoderTiny (TAESD).
#
# The exporter traces the VAE's encoder through `encode(..)["latent_dist"]`, which AutoencoderKL's output has. AutoencoderTiny's has `latents`
# instead, so the trace ends with a KeyError that names neither the class nor the part. The text encoder and the UNet are exported before, so the
# folder that is left looks nearly complete.
#
# Seen on 2026-11-30:
#   RuntimeError: Couldn't get TorchScript module by tracing.
#   Exception:
#   'latent_dist'
set -euo pipefail

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "optimum-intel[openvino]==2.2.0" optimum==2.3.0 openvino==2026.4.1 diffusers==0.39.0 transformers==5.5.4 \
    torch==2.15.0 accelerate
cat > "$folder/make.py" <<'PYTHON'
import sys

import torch
from diffusers import AutoencoderTiny, EulerDiscreteScheduler, StableDiffusionPipeline, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel, CLIPTokenizer

torch.manual_seed(0)
letters = [chr(code) for code in range(ord("!"), ord("~") + 1)]
entries = letters + [letter + "</w>" for letter in letters] + ["<|startoftext|>", "<|endoftext|>"]
words = len(entries)
tokenizer = CLIPTokenizer(vocab={entry: index for index, entry in enumerate(entries)}, merges=[], model_max_length=77)
config = CLIPTextConfig(vocab_size=words, hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
                        bos_token_id=words - 2, eos_token_id=words - 1)
unet = UNet2DConditionModel(
    sample_size=8, block_out_channels=(32, 64), layers_per_block=1, cross_attention_dim=32, attention_head_dim=2, norm_num_groups=8,
    down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"), up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"))
widths = (16, 16, 16, 16)
StableDiffusionPipeline(
    vae=AutoencoderTiny(encoder_block_out_channels=widths, decoder_block_out_channels=widths), text_encoder=CLIPTextModel(config),
    tokenizer=tokenizer, unet=unet, scheduler=EulerDiscreteScheduler(steps_offset=1), safety_checker=None, feature_extractor=None,
    requires_safety_checker=False).save_pretrained(sys.argv[1])
PYTHON
"$folder/venv/bin/python" "$folder/make.py" "$folder/model"
if said=$("$folder/venv/bin/optimum-cli" export openvino --model "$folder/model" --task text-to-image --weight-format fp32 "$folder/ir" 2>&1); then
    echo "an AutoencoderTiny is exported now"
    exit 1
fi
printf '%s\n' "$said" | grep -A2 "^RuntimeError"
printf '%s\n' "$said" | grep -q "^'latent_dist'" || { echo "the export fails for another reason now"; exit 1; }
