"""The shapes of the video model's parts, and CPU-optimized versions of diffusers' temporal blocks.

With frames in the batch and channels last, an image's memory is [clip, frame, row, column,
channel]: a convolution over three frames is a two-dimensional one over (frame, row * column), on a
view. Blending a block with itself plus something is a weighted sum. Attention to one token is that
token's value. None of this changes the numbers.
"""
import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLTemporalDecoder, UNetSpatioTemporalConditionModel
from diffusers.models.attention_processor import AttnProcessor
from diffusers.models.resnet import SpatioTemporalResBlock

import common

VAE = dict(in_channels=3, out_channels=3, latent_channels=4, sample_size=128,
           down_block_types=("DownEncoderBlock2D",) * 4, block_out_channels=(64, 64, 64, 96),
           layers_per_block=1, force_upcast=False)
UNET = dict(sample_size=16, in_channels=8, out_channels=4, layers_per_block=1, num_frames=8,
            down_block_types=("DownBlockSpatioTemporal", "CrossAttnDownBlockSpatioTemporal"),
            up_block_types=("UpBlockSpatioTemporal", "UpBlockSpatioTemporal"),
            block_out_channels=(96, 96), num_attention_heads=(3, 3), cross_attention_dim=32,
            addition_time_embed_dim=32, projection_class_embeddings_input_dim=96)
# An image of 224 pixels (the pipeline's own size) in 49 patches.
VISION = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=1, num_attention_heads=2,
              image_size=224, patch_size=32, projection_dim=32, hidden_act="gelu")
SIGMA_MIN, SIGMA_MAX = .002, 80.0
SCHEDULER = dict(num_train_timesteps=1000, beta_schedule="scaled_linear", beta_start=.00085,
                 beta_end=.012, prediction_type="v_prediction", timestep_type="continuous",
                 timestep_spacing="leading", steps_offset=1, use_karras_sigmas=True,
                 sigma_min=SIGMA_MIN, sigma_max=SIGMA_MAX)


def _conv(conv, x):
    """A (3, 1, 1) convolution over (clip, channel, frame, row * column)."""
    return F.conv2d(x, conv.weight.squeeze(-1), conv.bias, padding=(1, 0))


class FastBlock(SpatioTemporalResBlock):
    """The same numbers as SpatioTemporalResBlock, for clips only (no single images)."""

    def forward(self, hidden_states, temb=None, image_only_indicator=None):
        frames = image_only_indicator.shape[-1]
        x = self.spatial_res_block(hidden_states, temb).contiguous(memory_format=torch.channels_last)
        if frames == 1 and not self.time_mixer.mix_factor.requires_grad:
            return x  # still images, before the temporal blocks have learned anything
        n, c, h, w = x.shape
        clips = x.permute(0, 2, 3, 1).view(n // frames, frames, h * w, c).permute(0, 3, 1, 2)
        block = self.temporal_res_block
        y = _conv(block.conv1, F.silu(block.norm1(clips)))
        if temb is not None:
            t = block.time_emb_proj(F.silu(temb)).view(n // frames, frames, c)
            y = y + t.permute(0, 2, 1)[..., None]
        y = _conv(block.conv2, F.silu(block.norm2(y)))
        share = torch.sigmoid(self.time_mixer.mix_factor)
        if not self.time_mixer.switch_spatial_to_temporal_mix:
            share = 1 - share
        y = clips + share.to(y.dtype) * y
        return y.permute(0, 2, 3, 1).reshape(n, h, w, c).permute(0, 3, 1, 2)


class OneToken:
    """Attention to a single token, whose result is always the token's value."""

    def __call__(self, attn, hidden_states, encoder_hidden_states=None, **_):
        if encoder_hidden_states is None:
            return AttnProcessor()(attn, hidden_states)
        out = attn.to_out[0](attn.to_v(encoder_hidden_states))
        return out.expand(-1, hidden_states.shape[1], -1)


def fast(model):
    """Replaces a model's blocks with the fast ones, in place; the parameters stay the same."""
    for module in model.modules():
        if type(module) is SpatioTemporalResBlock:
            module.__class__ = FastBlock
    if isinstance(model, UNetSpatioTemporalConditionModel):
        model.set_attn_processor({name: OneToken() if "attn2" in name else AttnProcessor()
                                  for name in model.attn_processors})
    for module in model.modules():
        if type(module) is torch.nn.GroupNorm:
            module.__class__ = common.FastGroupNorm
        elif type(module) is torch.nn.Conv2d:
            module.to(memory_format=torch.channels_last)
    return model


def unet():
    """A UNet whose blocks start as identities, which makes it learn faster."""
    model = fast(UNetSpatioTemporalConditionModel(**UNET))
    for name, p in model.named_parameters():
        if name.endswith(("block.conv2.weight", "proj_out.weight", "conv2.bias", "proj_out.bias")) or \
                name.startswith("conv_out"):
            torch.nn.init.zeros_(p)
    return model


def vae():
    """An autoencoder whose temporal blocks start as identities."""
    model = fast(AutoencoderKLTemporalDecoder(**VAE))
    with torch.no_grad():
        model.quant_conv.weight[4:] = 0  # the spread of the latents: almost none
        model.quant_conv.bias[4:] = -20
        for name, p in model.named_parameters():
            if "temporal_res_block.conv2" in name:
                p.zero_()
        same = model.decoder.time_conv_out
        same.bias.zero_()
        same.weight.zero_()[range(3), range(3), 1] = 1
    return model
