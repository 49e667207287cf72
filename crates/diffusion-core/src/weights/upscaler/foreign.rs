//! Architectures of upscalers that are named and refused: data only.
//!
//! Invariant: the first row that matches is right, so a relative comes before the one whose names it repeats. Reference: the keys by which
//! spandrel's architectures recognise their files.

/// An architecture, and parts of names that only its files have; all must occur.
type Foreign = (&'static str, &'static [&'static str]);

const FOREIGN: &[Foreign] = &[
    ("MM-RealSR", &["am_list.0.fc."]),
    ("HAT", &["residual_group.blocks.0.conv_block.cab."]),
    ("ATD", &["residual_group.td"]),
    ("CRAFT", &["residual_group.hf_blocks."]),
    ("Swin2SR", &["patch_embed.proj.", "residual_group.blocks.0.attn.logit_scale"]),
    ("SwinIR", &["residual_group.blocks.0."]),
    ("DRCT", &["layers.0.swin1."]),
    ("RGT", &["before_RG.", "layers.0.blocks.0.gamma"]),
    ("DAT", &["before_RG."]),
    ("GRL", &["attn.window_attn."]),
    ("OmniSR", &["residual_layer.0.residual_layer."]),
    ("SPAN", &["block_1.c1_r."]),
    ("Real-CUGAN", &["unet1.conv1.conv."]),
    ("PLKSR", &["feats.1.lk."]),
    ("SAFMN", &["feats.0.safm."]),
    ("RCAN", &["conv_du."]),
    ("EDSR", &["head.0.", "body.0.body.", "tail."]),
    ("GFPGAN, which restores faces", &["stylegan_decoder."]),
    ("CodeFormer, which restores faces", &["fuse_convs_dict."]),
    ("RestoreFormer, which restores faces", &["quantize.embedding.", "encoder.conv_in."]),
    ("SCUNet", &["m_head.0.", "m_tail.0."]),
    ("DRUNet", &["m_head.", "m_up3."]),
    ("FBCNN", &["m_head.", "qf_pred."]),
    ("NAFNet", &["intro.", "middle_blks."]),
    ("DITN", &["UFONE.0."]),
    ("SwiftSRGAN", &["initial.cnn.depthwise."]),
    ("MoSR", &["gblocks.0."]),
    ("MoESR", &["in_to_dim.", "blocks.0.blocks."]),
    ("FDAT", &["groups.0.blocks.0.inter."]),
    ("AuraSR", &["mid_attn.layers.", "final_res_block."]),
    ("Uformer", &["encoderlayer_0.blocks."]),
    ("LaMa, which fills holes", &["bn_l.running_mean"]),
    ("IPT", &["sub_mean.", "add_mean."]),
    ("LDSR, which needs a diffusion model of its own", &["model.diffusion_model.", "first_stage_model.quantize."]),
];

/// The architecture of a file of which `has` tells whether a tensor's name fulfils a condition.
pub(super) fn of(has: impl Fn(&dyn Fn(&str) -> bool) -> bool) -> Option<&'static str> {
    FOREIGN.iter().find(|(_, parts)| parts.iter().all(|part| has(&|name: &str| name.contains(part)))).map(|(is, _)| *is)
}
