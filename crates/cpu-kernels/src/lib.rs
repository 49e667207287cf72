//! CPU kernels for the loops in which a diffusion model spends its time: slices in, slices out.
//!
//! An [`Engine`] is a thread pool and an instruction [`Level`]. Weights are [`Packed`] for it once; then [`linear`], [`conv2d`],
//! [`conv_chain`], [`attention()`], [`temporal_attention`], [`group_norm`], [`layer_norm`] and [`activate`] run on channels-last activations in
//! f32 or bfloat16. Each initialises its whole output, which may be uninitialised before, and returns it; [`vec_of`] makes a vector this way.
//! The crate's README describes how they work.
//!
//! Invariants: sums are f32; results depend on the operands and the level, never on the number of threads; nothing outside the slices is
//! read or written. Nothing here depends on a tensor library, a model or a file.
//!
//! Floors inside the crate (a module imports only modules further left; a test checks it):
//! runtime -> elementwise -> product -> winograd, attention -> conv -> chain.

#![allow(unsafe_code, reason = "this crate encapsulates intrinsics and raw pointers; each block says why it is sound")]

mod attention;
mod chain;
mod conv;
mod elementwise;
mod product;
mod runtime;
mod winograd;

pub use attention::{AttentionShape, TemporalShape, attention, temporal_attention};
pub use chain::{ChainShape, conv_chain, is_one_pass};
pub use conv::{conv2d, conv2d_of_parts, linear};
pub use elementwise::{Activation, Element, Norm, Stored, activate, group_norm, group_norm_silu_in_place, layer_norm, layer_norm_shifted};
pub use product::{Blend, Change, Channels, ConvShape, Difference, Extras, Images, Link, PART_CHANNELS, Packed, Weight, peak};
pub use runtime::{Engine, Level, Manners, Pool, Priority, aside, configure, engine, vec_in_strips, vec_of};
