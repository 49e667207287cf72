//! Upscalers against spandrel (tests/golden/upscalers, scripts/golden/upscalers.py); their files; tiles against whole images.

use std::{
    collections::{BTreeMap, HashMap},
    ops::ControlFlow,
    path::{Path, PathBuf},
};

use candle_core::{DType, Device, Tensor};
use diffusion_core::{
    Error,
    adapters::UpscalerFolder,
    models::UpscalerModel,
    pipelines::upscale::{Tiles, Upscaler, passes},
    policy::ExecutionPolicy,
    weights::{Component, ComponentWeights, UpscalerConfig, UpscalerFile, check_upscaler},
};
use image::{RgbImage, Rgba, RgbaImage};

use crate::{
    golden, golden_metadata,
    golden_weights::draw,
    pipelines::psnr,
    relative_error,
    tolerance::{IMAGE_PSNR, MODELS, UPSCALERS_BF16_BELOW_DB},
};

const NAMES: [&str; 10] =
    ["real_x4", "real_x2", "real_x1", "bsrgan_x4", "old_x4", "old_x8", "old_x1", "plus_x4", "compact_x4", "compact_x2"];

/// Writes the file that the golden describes; its weights are drawn by their names.
fn write(name: &str, folder: &Path) -> PathBuf {
    let metadata = golden_metadata("upscalers", name);
    let shapes: BTreeMap<String, Vec<usize>> = serde_json::from_str(&metadata["shapes"]).unwrap();
    let tensors: HashMap<String, Tensor> =
        shapes.iter().map(|(own, shape)| (format!("{}{own}", metadata["prefix"]), draw(own, shape))).collect();
    let path = folder.join(format!("{name}.safetensors"));
    candle_core::safetensors::save(&tensors, &path).unwrap();
    path
}

fn model(file: &UpscalerFile, dtype: DType) -> UpscalerModel {
    UpscalerModel::load(file.config(), &ComponentWeights::new(file.tensors(), Component::Upscaler, dtype, &Device::Cpu)).unwrap()
}

#[test]
fn upscalers_agree_with_spandrel() {
    let folder = tempfile::tempdir().unwrap();
    for name in NAMES {
        let path = write(name, folder.path());
        check_upscaler(&path).unwrap();
        let file = UpscalerFile::open(&path).unwrap();
        let (tensors, metadata) = (golden("upscalers", name), golden_metadata("upscalers", name));
        assert_eq!(file.config().scale().to_string(), metadata["scale"], "{name}");
        let error = relative_error(&model(&file, DType::F32).forward(&tensors["image"]).unwrap(), &tensors["output"]);
        assert!(error <= MODELS, "{name}: relative error {error:.2e}");
        let quality: HashMap<String, f64> = serde_json::from_str(&metadata["bf16_db"]).unwrap();
        let half = relative_error(&model(&file, DType::BF16).forward(&tensors["image"]).unwrap(), &tensors["output"]);
        let decibels = -20.0 * half.log10();
        eprintln!("{name}: f32 {:.0} dB, bf16 {decibels:.1} dB, spandrel's bf16 {:.1} dB", -20.0 * error.log10(), quality["output"]);
        assert!(decibels >= quality["output"] - UPSCALERS_BF16_BELOW_DB, "{name} in bf16: {decibels:.1} dB");
    }
}

#[test]
fn a_torch_file_is_the_same_upscaler() {
    let golden_file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden/upscalers/compact_x2.pth");
    check_upscaler(&golden_file).unwrap();
    let file = UpscalerFile::open(&golden_file).unwrap();
    assert_eq!(*file.config(), UpscalerConfig::Compact { features: 24, convs: 2, scale: 2 });
    let tensors = golden("upscalers", "compact_x2");
    assert!(relative_error(&model(&file, DType::F32).forward(&tensors["image"]).unwrap(), &tensors["output"]) <= MODELS);
}

#[test]
fn architectures_are_read_from_shapes() {
    let folder = tempfile::tempdir().unwrap();
    let config = |name: &str| UpscalerFile::open(&write(name, folder.path())).unwrap().config().clone();
    let rrdb =
        |features, blocks, doublings, unshuffle, plus| UpscalerConfig::Rrdb { features, growth: 32, blocks, doublings, unshuffle, plus };
    assert_eq!(config("real_x4"), rrdb(64, 2, 2, 1, false));
    assert_eq!(config("real_x2"), rrdb(64, 1, 2, 2, false));
    assert_eq!(config("real_x1"), rrdb(32, 1, 2, 4, false));
    assert_eq!(config("bsrgan_x4"), rrdb(24, 1, 2, 1, false));
    assert_eq!(config("old_x8"), rrdb(32, 1, 3, 1, false));
    assert_eq!(config("plus_x4"), rrdb(64, 1, 2, 1, true));
    assert_eq!(config("compact_x4"), UpscalerConfig::Compact { features: 64, convs: 4, scale: 4 });
}

fn refused(tensors: &[(&str, &[usize])]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    let tensors: HashMap<&str, Tensor> = tensors.iter().map(|(name, shape)| (*name, draw(name, shape))).collect();
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let message = UpscalerFile::open(&path).err().unwrap().to_string();
    assert!(!message.contains('\n'), "{message}");
    message
}

#[test]
fn other_files_are_named_in_one_line() {
    let conv: &[usize] = &[4, 4, 3, 3];
    for (names, expected) in [
        (&["layers.0.residual_group.blocks.0.norm1.weight", "conv_first.weight"][..], "another architecture, SwinIR; supported are ESRGAN"),
        (&["params_ema.layers.0.residual_group.blocks.0.conv_block.cab.0.weight"], "another architecture, HAT;"),
        (&["params.before_RG.1.weight", "params.layers.0.blocks.0.norm1.weight"], "another architecture, DAT;"),
        (&["block_1.c1_r.sk.weight"], "another architecture, SPAN;"),
        (&["head.0.weight", "body.0.body.0.weight", "tail.0.0.weight"], "another architecture, EDSR;"),
        (&["stylegan_decoder.style_mlp.1.weight"], "GFPGAN, which restores faces;"),
        (&["lora_unet_mid_block.lora_up.weight"], "is a LoRA, not an upscaler: choose it as an adapter"),
        (&["body.0.weight", "body.2.weight", "body.4.weight"], "activations without weights"),
        (&["something.weight"], "is no upscaler that is known here (it holds something.weight); supported are ESRGAN"),
    ] {
        let message = refused(&names.iter().map(|name| (*name, conv)).collect::<Vec<_>>());
        assert!(message.contains(expected), "{message}");
    }
    let grey: Vec<(&str, &[usize])> =
        vec![("conv_first.weight", &[8, 1, 3, 3]), ("conv_last.weight", &[1, 8, 3, 3]), ("body.0.rdb1.conv1.weight", &[4, 8, 3, 3])];
    assert!(refused(&grey).contains("conv_first.weight: unsupported: 1 channels in; an upscaler here takes the 3 colours of a picture"));
    let missing = Path::new("/nowhere/4x.pth");
    assert!(matches!(UpscalerFile::open(missing), Err(Error::Io { .. })));
    assert!(matches!(UpscalerFile::open(&std::env::temp_dir()), Err(Error::File { .. })));
}

#[test]
fn a_missing_layer_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let path = write("real_x4", folder.path());
    let mut tensors = candle_core::safetensors::load(&path, &Device::Cpu).unwrap();
    tensors.remove("params_ema.body.1.rdb2.conv4.bias").unwrap();
    candle_core::safetensors::save(&tensors, &path).unwrap();
    let message = Upscaler::load(&UpscalerFile::open(&path).unwrap(), &ExecutionPolicy::cpu_f32()).unwrap_err().to_string();
    assert!(message.contains("tensor body.1.rdb2.conv4.bias: missing, expected shape [32]"), "{message}");
}

/// A picture with edges and a gradient.
fn picture(width: u32, height: u32) -> RgbImage {
    RgbImage::from_fn(width, height, |x, y| {
        let stripe = if (x / 5 + y / 7) % 2 == 0 { 40 } else { 200 };
        image::Rgb([stripe, (x * 255 / width) as u8, (y * 255 / height) as u8 ^ (stripe / 4)])
    })
}

fn upscaler(name: &str) -> Upscaler {
    let folder = tempfile::tempdir().unwrap();
    Upscaler::load(&UpscalerFile::open(&write(name, folder.path())).unwrap(), &ExecutionPolicy::cpu_f32()).unwrap()
}

#[test]
fn tiles_give_the_whole_image() {
    let whole = Tiles { longest: 10_000, margin: 0 };
    for (name, longest) in [("real_x4", 90), ("real_x2", 70), ("old_x8", 64), ("compact_x4", 40)] {
        let upscaler = upscaler(name).with_tiles(whole);
        let image = picture(151, 133);
        let expected = upscaler.enlarge(&image, &mut |_| ControlFlow::Continue(())).unwrap();
        let mut seen = Vec::new();
        let tiled = upscaler.with_tiles(Tiles { longest, margin: 32 });
        let found = tiled.enlarge(&image, &mut |progress| {
            seen.push(progress);
            ControlFlow::Continue(())
        });
        let quality = psnr(&found.unwrap(), &expected);
        let last = *seen.last().unwrap();
        eprintln!("{name}: {quality:.1} dB in {} tiles", last.tiles);
        assert!(quality >= IMAGE_PSNR, "{name}: {quality:.1} dB");
        assert!(last.tiles > 1 && last.done == last.total && seen.len() == last.total, "{last:?}");
        assert!(seen.windows(2).all(|two| two[0].done + 1 == two[1].done && two[0].tiles_done <= two[1].tiles_done));
    }
}

#[test]
fn a_call_stops_when_it_is_told_to() {
    let upscaler = upscaler("compact_x2").with_tiles(Tiles { longest: 40, margin: 8 });
    let mut calls = 0;
    let stopped = upscaler.enlarge(&picture(100, 100), &mut |_| {
        calls += 1;
        if calls == 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert!(matches!(stopped, Err(Error::Cancelled)));
    assert_eq!(calls, 3);
}

#[test]
fn sizes_are_reached_by_passes_and_resampling() {
    let upscaler = upscaler("compact_x2");
    assert_eq!(passes(upscaler.config(), (10, 20), (20, 40)), [(10, 20)]);
    assert_eq!(passes(upscaler.config(), (10, 20), (21, 40)), [(10, 20), (20, 40)]);
    assert_eq!(passes(upscaler.config(), (10, 20), (900, 1800)), [(10, 20), (20, 40), (40, 80)]);
    assert_eq!(passes(upscaler.config(), (10, 20), (10, 20)), [(10, 20)]);
    let opaque = RgbaImage::from_fn(12, 10, |x, y| Rgba([(x * 20) as u8, (y * 25) as u8, 90, 255]));
    let watch = &mut |_| ControlFlow::Continue(());
    for to in [(24, 20), (30, 25), (7, 9), (120, 100)] {
        let enlarged = upscaler.upscale(&opaque, to, watch).unwrap();
        assert_eq!(enlarged.dimensions(), to);
        assert!(enlarged.pixels().all(|pixel| pixel.0[3] == 255));
    }
    assert!(matches!(upscaler.upscale(&opaque, (0, 5), watch), Err(Error::Params { field: "image", .. })));
    let same = upscaler.upscale(&opaque, (24, 20), watch).unwrap();
    let rgb = RgbImage::from_fn(12, 10, |x, y| image::Rgb([(x * 20) as u8, (y * 25) as u8, 90]));
    let plain = upscaler.enlarge(&rgb, watch).unwrap();
    assert!(same.pixels().zip(plain.pixels()).all(|(one, other)| one.0[..3] == other.0));
}

#[test]
fn transparency_is_enlarged_by_the_network_too() {
    let upscaler = upscaler("compact_x2");
    let alpha = |x: u32, y: u32| if x > 4 { 255 } else { (y * 20) as u8 };
    let image = RgbaImage::from_fn(12, 10, |x, y| Rgba([200, 30, 90, alpha(x, y)]));
    let grey = RgbImage::from_fn(12, 10, |x, y| image::Rgb([alpha(x, y); 3]));
    let mut steps = 0;
    let enlarged = upscaler.upscale(&image, (24, 20), &mut |progress| {
        steps = progress.total;
        ControlFlow::Continue(())
    });
    let expected = image::imageops::grayscale(&upscaler.enlarge(&grey, &mut |_| ControlFlow::Continue(())).unwrap());
    assert!(enlarged.unwrap().pixels().zip(expected.pixels()).all(|(one, other)| one.0[3] == other.0[0]));
    assert_eq!(steps, 2 * 2);
}

#[test]
fn a_folder_names_its_upscalers() {
    let folder = tempfile::tempdir().unwrap();
    write("compact_x4", folder.path());
    write("real_x2", folder.path());
    std::fs::write(folder.path().join("broken.pth"), "<html>").unwrap();
    std::fs::write(folder.path().join("notes.txt"), "x").unwrap();
    let named = UpscalerFolder::open(folder.path()).unwrap();
    assert_eq!(named.names().unwrap(), ["broken", "compact_x4", "real_x2"]);
    let listed: Vec<(String, usize)> = named.usable().unwrap().into_iter().map(|(name, config)| (name, config.scale())).collect();
    assert_eq!(listed, [("compact_x4".to_owned(), 4), ("real_x2".to_owned(), 2)]);
    assert_eq!(named.find("real_x2").unwrap(), folder.path().join("real_x2.safetensors"));
    let remarks = named.remarks().unwrap();
    assert!(remarks.len() == 1 && remarks[0].contains("these cannot be used and are not listed: broken (is a web page"), "{remarks:?}");
    for name in ["../x", "", "/etc/passwd", "a/b", ".hidden"] {
        assert!(named.find(name).unwrap_err().to_string().contains("is no upscaler's name"), "{name:?}");
    }
    let message = named.find("4x").unwrap_err().to_string();
    assert_eq!(message, "upscaler: \"4x\" is none of the upscalers here: broken, compact_x4, real_x2");
}
