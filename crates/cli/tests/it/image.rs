//! `framewright image`: files, seeds, text chunks, errors.

use std::{fs, path::Path, process::Command};

use cpu_kernels::Level;
use serde_json::Value;

use crate::program::{framewright, run};

/// Width, height and the `parameters` text of a PNG file.
fn read_png(path: &Path) -> (u32, u32, String) {
    let file = std::io::BufReader::new(fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    // Text chunks may follow the image data too.
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    let info = reader.info();
    let latin = info.uncompressed_latin1_text.iter().map(|chunk| (chunk.keyword.clone(), chunk.text.clone()));
    let utf8 = info.utf8_text.iter().map(|chunk| (chunk.keyword.clone(), chunk.get_text().unwrap()));
    let text = latin.chain(utf8).find(|(keyword, _)| keyword == "parameters").unwrap().1;
    (info.width, info.height, text)
}

/// The pixels of a PNG file.
fn pixels(path: &Path) -> Vec<u8> {
    let mut reader = png::Decoder::new(std::io::BufReader::new(fs::File::open(path).unwrap())).read_info().unwrap();
    let mut pixels = vec![0; reader.output_buffer_size().unwrap()];
    reader.next_frame(&mut pixels).unwrap();
    pixels
}

#[test]
fn the_program_makes_an_image_without_other_files() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("alone");
    fs::copy(env!("CARGO_BIN_EXE_framewright"), &program).unwrap();
    let args = ["image", "a red circle on a blue background", "--seed", "7", "--steps", "4", "--out", "new/folder/a.png"];
    let output = run(Command::new(&program).args(args).current_dir(folder.path()).env_clear());
    assert_eq!((output.code, output.stdout.as_str()), (0, "new/folder/a.png  128x128, seed 7\n"), "{output:?}");
    let (width, height, text) = read_png(&folder.path().join("new/folder/a.png"));
    assert_eq!((width, height), (128, 128));
    let rest = text.strip_prefix("a red circle on a blue background\nSteps: 4, ").unwrap();
    for part in ["Sampler: ", "CFG scale: 7.5", "Seed: 7", "Size: 128x128", "Model: nano-sd", "Version: framewright"] {
        assert!(rest.contains(part), "{part} is not in {rest}");
    }
    // No partly written file is left.
    assert_eq!(fs::read_dir(folder.path().join("new/folder")).unwrap().count(), 1);
    // Progress is for terminals; a pipe gets two remarks and no control characters.
    assert!(output.stderr.lines().count() == 2 && !output.stderr.contains(['\r', '\u{1b}']), "{}", output.stderr);
}

#[test]
fn a_seed_decides_the_bytes_and_each_image_has_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let make = |more: &[&str]| {
        let mut args = vec!["image", "a green star on a white background", "--steps", "3", "--json"];
        args.extend_from_slice(more);
        let output = framewright(folder.path(), &args);
        assert_eq!(output.code, 0, "{output:?}");
        serde_json::from_str::<Value>(&output.stdout).unwrap()
    };
    let several = make(&["--seed", "41", "--count", "2", "--out", "a.png", "--threads", "1"]);
    make(&["--seed", "42", "--out", "b.png", "--threads", "2"]);
    let bytes = |name: &str| fs::read(folder.path().join(name)).unwrap();
    assert_ne!(bytes("a-0.png"), bytes("a-1.png"));
    assert!(bytes("a-1.png") == bytes("b.png"), "picture 1 of seed 41 is picture 0 of seed 42, whatever the threads");
    assert!(!folder.path().join("a.png").exists());

    assert_eq!(several["files"][0]["path"], "a-0.png");
    assert_eq!(several["files"][1]["seed"], 42);
    assert_eq!(several["settings"]["num_inference_steps"], 3);
    assert_eq!(several["settings"]["device"], "cpu");
    assert!(several["seconds"].as_f64().unwrap() > 0.0);

    // Without a seed, a random one is drawn.
    let seed = |output: &Value| output["files"][0]["seed"].as_u64().unwrap();
    assert_ne!(seed(&make(&["--out", "c.png"])), seed(&make(&["--out", "d.png"])));
}

#[test]
fn threads_do_not_change_the_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, threads: &str, more: &[&str]| {
        let mut args = vec!["image", "a beach at noon with boats", "--seed", "5", "--steps", "3", "--threads", threads, "--out", name];
        args.extend_from_slice(more);
        let output = framewright(folder.path(), &args);
        assert_eq!(output.code, 0, "{output:?}");
        fs::read(folder.path().join(name)).unwrap()
    };
    // Sides without useful divisors, and a scheduler that draws noise at each step.
    for more in [&[] as &[&str], &["--width", "200", "--height", "136"], &["--scheduler", "euler-ancestral", "--precision", "bf16"]] {
        let one = make("one.png", "1", more);
        for threads in ["2", "3"] {
            assert!(make("more.png", threads, more) == one, "{threads} threads give other bytes than one, with {more:?}");
        }
    }
}

#[test]
fn every_cpu_level_makes_the_same_image() {
    let folder = tempfile::tempdir().unwrap();
    let make = |level: Level, precision: &str| {
        // Sides without useful divisors.
        let args = ["image", "a desert at sunset with cacti", "--seed", "8", "--steps", "3", "--width", "88", "--height", "72"];
        let more = ["--device", "cpu", "--cpu-level", level.name(), "--precision", precision, "--out", "a.png"];
        let output = framewright(folder.path(), &[&args[..], &more[..]].concat());
        assert_eq!(output.code, 0, "{output:?}");
        pixels(&folder.path().join("a.png"))
    };
    let portable = make(Level::Portable, "f32");
    for level in Level::ALL.into_iter().filter(|level| level.is_available()) {
        let f32 = make(level, "f32");
        let error: f64 = f32.iter().zip(&portable).map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
        let decibels = 10.0 * (255.0 * 255.0 * portable.len() as f64 / error).log10();
        // Measured: 88 dB, two values of 19,008 differ by one.
        assert!(decibels > 60.0, "{} is at {decibels:.1} dB of the portable level", level.name());
        // `auto` follows the forced level, not the machine's best.
        let (own, other) = if level.has_bf16() { (make(level, "bf16"), f32) } else { (f32, make(level, "bf16")) };
        let auto = make(level, "auto");
        assert!(auto == own && auto != other, "auto is not the precision of {}", level.name());
    }
}

#[test]
fn a_level_that_the_machine_lacks_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let (has, lacks): (Vec<_>, Vec<_>) = Level::ALL.into_iter().partition(|level| level.is_available());
    let has = has.into_iter().map(Level::name).collect::<Vec<_>>().join(", ");
    for name in lacks.into_iter().map(Level::name) {
        let args: [&[&str]; 3] = [&["image", "a boat", "--out", "a.png"], &["serve", "--port", "0"], &["bench"]];
        for args in args {
            let refused = framewright(folder.path(), &[args, &["--cpu-level", name]].concat());
            let line = format!("error: setting compute.cpu_level: this machine lacks \"{name}\"; it has {has} (from --cpu-level)\n");
            assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.as_str()), (2, "", line.as_str()), "{args:?}");
        }
    }
    assert!(!folder.path().join("a.png").exists());
}

#[test]
fn a_truncated_prompt_gets_a_remark() {
    let folder = tempfile::tempdir().unwrap();
    let make = |words: usize, more: &[&str]| {
        let prompt = vec!["boat"; words].join(" ");
        let args = ["image", prompt.as_str(), "--negative", prompt.as_str(), "--steps", "1", "--seed", "1", "--out", "a.png"];
        let output = framewright(folder.path(), &[&args, more].concat());
        assert_eq!(output.code, 0, "{output:?}");
        output
    };
    // "boat" is one token of the model's vocabulary.
    let line = "the prompt has 76 tokens, of which the model reads the first 75; \
                the negative prompt has 76 tokens, of which the model reads the first 75";
    let cut = make(76, &[]);
    assert_eq!(cut.stderr.lines().filter(|said| said.contains("tokens")).collect::<Vec<_>>(), [line]);
    assert_eq!(cut.stdout, "a.png  128x128, seed 1\n");
    let unguided = make(76, &["--guidance", "1"]);
    assert!(
        unguided.stderr.contains("the prompt has 76") && !unguided.stderr.contains("negative"),
        "the negative prompt is not read at all"
    );
    assert!(!make(75, &[]).stderr.contains("tokens"));
    for (words, truncated) in [(75, false), (76, true)] {
        let json: Value = serde_json::from_str(&make(words, &["--json"]).stdout).unwrap();
        assert_eq!(json["prompt_truncated"], truncated);
    }
}

#[test]
fn a_wrong_eta_names_its_flag_and_an_idle_one_gets_a_remark() {
    let folder = tempfile::tempdir().unwrap();
    let args = ["image", "a boat", "--steps", "1", "--seed", "1", "--out", "a.png", "--eta"];
    let refused = framewright(folder.path(), &[&args[..], &["1.5"]].concat());
    assert_eq!((refused.code, refused.stderr.as_str()), (2, "error: --eta 1.5: Input should be less than or equal to 1\n"));
    let idle = framewright(folder.path(), &[&args[..], &["0.5", "--scheduler", "euler", "--json"]].concat());
    let remarks = "eta has no effect with the scheduler euler; the schedulers that take it are ddim, euler-ancestral, tcd";
    let json: Value = serde_json::from_str(&idle.stdout).unwrap();
    assert!(idle.stderr.contains(remarks) && json["remarks"].as_array().unwrap().contains(&remarks.into()), "{idle:?}");
    assert_eq!((&json["settings"]["eta"], read_png(&folder.path().join("a.png")).2.contains("Eta")), (&0.5.into(), false));
}

#[test]
fn settings_of_a_request_have_an_effect() {
    let folder = tempfile::tempdir().unwrap();
    let make = |name: &str, more: &[&str]| {
        let mut args = vec!["image", "a city at night", "--seed", "3", "--steps", "3", "--out", name];
        args.extend_from_slice(more);
        let output = framewright(folder.path(), &args);
        assert_eq!(output.code, 0, "{output:?}");
        pixels(&folder.path().join(name))
    };
    let plain = make("plain.png", &[]);
    for (index, more) in [
        &["--negative", "a moon"] as &[&str],
        &["--guidance", "1"],
        &["--scheduler", "euler-ancestral"],
        &["--eta", "0.5"],
        &["--clip-skip", "1"],
        &["--precision", "f16"],
        &["--init-image", "plain.png", "--strength", "0.7"],
    ]
    .into_iter()
    .enumerate()
    {
        assert!(make(&format!("{index}.png"), more) != plain, "{more:?} changed nothing");
    }
    let wide = make("wide.png", &["--width", "160", "--height", "96"]);
    assert_eq!(wide.len(), 160 * 96 * 3);
    assert_eq!(read_png(&folder.path().join("wide.png")).0, 160);
}

#[test]
fn a_mask_keeps_its_black_area() {
    let folder = tempfile::tempdir().unwrap();
    // A picture from the model itself: others lose more in its autoencoder.
    let start = ["image", "a blue square on a yellow background", "--seed", "2", "--out", "start.png"];
    assert_eq!(framewright(folder.path(), &start).code, 0);
    let start = pixels(&folder.path().join("start.png"));
    image::GrayImage::from_fn(128, 128, |x, _| image::Luma([if x < 64 { 0 } else { 255 }])).save(folder.path().join("mask.png")).unwrap();
    let args = ["image", "a night forest under the moon", "--seed", "1", "--steps", "8", "--strength", "1"];
    let files = ["--init-image", "start.png", "--mask", "mask.png", "--out", "a.png"];
    let output = framewright(folder.path(), &[&args[..], &files[..]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    let painted = pixels(&folder.path().join("a.png"));
    let difference = |columns: std::ops::Range<usize>| {
        let of_row = |y: usize| columns.clone().map(move |x| (y * 128 + x) * 3);
        let sum: i64 =
            (0..128).flat_map(of_row).map(|at| (0..3).map(|c| i64::from(painted[at + c].abs_diff(start[at + c]))).sum::<i64>()).sum();
        sum as f64 / (128.0 * columns.len() as f64 * 3.0)
    };
    // The kept half goes through the autoencoder, which blurs it a little; the other half is repainted.
    let (kept, anew) = (difference(0..48), difference(80..128));
    assert!(kept < 20.0 && anew > 2.0 * kept, "mean difference {kept:.1} where kept, {anew:.1} where painted anew");
}

#[test]
fn a_mask_is_converted_to_grey_as_in_pillow() {
    let folder = tempfile::tempdir().unwrap();
    let save = |name: &str, image: image::DynamicImage| image.save(folder.path().join(name)).unwrap();
    save("start.png", image::RgbImage::from_fn(64, 64, |x, y| image::Rgb([x as u8 * 4, y as u8 * 4, 90])).into());
    save("black.png", image::GrayImage::from_pixel(64, 64, image::Luma([0])).into());
    save("white.png", image::GrayImage::from_pixel(64, 64, image::Luma([255])).into());
    // 134 by ITU-R 601, which is more than one half; 124 by 709.
    save("orange.png", image::RgbImage::from_pixel(64, 64, image::Rgb([230, 100, 60])).into());
    // Pillow clips 16-bit grey at 255; divided by 256 it would be 1.
    save("dark.png", image::ImageBuffer::<image::Luma<u16>, _>::from_pixel(64, 64, image::Luma([300])).into());
    // The alpha channel is ignored: only the colour counts.
    save("clear.png", image::RgbaImage::from_pixel(64, 64, image::Rgba([255, 255, 255, 0])).into());
    save("clear-black.png", image::RgbaImage::from_pixel(64, 64, image::Rgba([0, 0, 0, 255])).into());
    let painted = |mask: &str| {
        let args = ["image", "a forest", "--seed", "1", "--steps", "2", "--strength", "1", "--width", "64", "--height", "64"];
        let output = framewright(folder.path(), &[&args[..], &["--init-image", "start.png", "--mask", mask, "--out", "a.png"]].concat());
        assert_eq!(output.code, 0, "{output:?}");
        pixels(&folder.path().join("a.png"))
    };
    let (black, white) = (painted("black.png"), painted("white.png"));
    assert_ne!(black, white);
    for mask in ["orange.png", "dark.png", "clear.png"] {
        assert_eq!(painted(mask), white, "{mask}");
    }
    assert_eq!(painted("clear-black.png"), black);
}

#[test]
fn an_init_image_is_turned_upright_and_an_unsupported_file_type_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let start = folder.path().join("start.jpg");
    image::RgbImage::from_fn(64, 64, |x, _| image::Rgb([if x < 32 { 255 } else { 0 }; 3])).save(&start).unwrap();
    let jpeg = fs::read(&start).unwrap();
    // Exif with a LONG where most have a SHORT: the camera was upside down.
    let exif = b"Exif\0\0MM\0\x2a\0\0\0\x08\0\x01\x01\x12\0\x04\0\0\0\x01\0\0\0\x03\0\0\0\0";
    fs::write(&start, [&jpeg[..2], b"\xff\xe1", &(exif.len() as u16 + 2).to_be_bytes(), exif, &jpeg[2..]].concat()).unwrap();
    let args =
        ["image", "a forest", "--seed", "1", "--steps", "20", "--strength", "0.05", "--width", "64", "--height", "64", "--out", "a.png"];
    let output = framewright(folder.path(), &[&args[..], &["--init-image", "start.jpg"]].concat());
    assert_eq!(output.code, 0, "{output:?}");
    let painted = pixels(&folder.path().join("a.png"));
    let mean = |columns: std::ops::Range<usize>| {
        let sum: u32 = (0..64).flat_map(|y| columns.clone().map(move |x| (y * 64 + x) * 3)).map(|at| u32::from(painted[at])).sum();
        sum / (64 * columns.len() as u32)
    };
    assert!(mean(0..24) < mean(40..64), "the light half is on the right");
    fs::write(folder.path().join("a.jpg"), b"\0\0\0\x18ftypheic\0\0\0\0mif1heic").unwrap();
    let refused = framewright(folder.path(), &["image", "a boat", "--init-image", "a.jpg", "--out", "b.png"]);
    assert_ne!(refused.code, 0);
    assert!(refused.stderr.contains("a.jpg") && refused.stderr.contains("it is a HEIC"), "{refused:?}");
}

#[test]
fn bad_input_is_refused_with_flag_value_and_limit() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("text.png"), "not a picture").unwrap();
    image::RgbImage::new(8, 8).save(folder.path().join("photo.png")).unwrap();
    fs::create_dir(folder.path().join("folder.png")).unwrap();
    fs::create_dir(folder.path().join("b-1.png")).unwrap();
    let table: [(&[&str], &[&str]); 25] = [
        (&["--steps", "0"], &["--steps 0", "1"]),
        (&["--steps", "151"], &["--steps 151", "150"]),
        (&["--steps", "-3"], &["--steps -3", "1"]),
        (&["--width", "100"], &["--width 100", "multiple of 8"]),
        (&["--height", "-8"], &["--height -8", "64"]),
        (&["--width", "4096"], &["--width 4096", "2048"]),
        (&["--guidance", "nan"], &["--guidance NaN", "finite"]),
        (&["--guidance", "-1"], &["--guidance -1", "0"]),
        (&["--seed", "-2"], &["--seed -2", "-1"]),
        (&["--count", "0"], &["--count 0", "1"]),
        (&["--clip-skip", "99"], &["--clip-skip 99", "12"]),
        (&["--scheduler", "best"], &["--scheduler best", "euler-ancestral", "dpmpp-2m-karras"]),
        (&["--model", "best"], &["\"best\"", "owner/name", "nano-sd"]),
        (&["--model", "./best"], &["\"./best\"", "does not exist"]),
        (&["--prediction-type", "epsilon"], &["--prediction-type", "single-file"]),
        (&["--scheduler", "DPM++ 2S a"], &["--scheduler DPM++ 2S a: unknown scheduler", "the nearest is \"dpmpp-2s\""]),
        (&["--out", "a.jpg"], &["--out a.jpg", ".png"]),
        (&["--out", "text.png/a.png"], &["--out text.png/a.png: nothing can be written to text.png: it is no folder"]),
        (&["--out", "folder.png"], &["--out folder.png: is a folder"]),
        (&["--count", "2", "--out", "b.png"], &["--out b-1.png: is a folder"]),
        (&["--init-image", "absent.png"], &["absent.png", "No such file"]),
        (&["--init-image", "text.png"], &["text.png"]),
        (&["--init-image", "photo.png", "--mask", "text.png"], &["text.png"]),
        (&["--controlnet", "nets/canny", "--control-image", "photo.png"], &["--controlnet nets/canny: does not exist"]),
        (&["--controlnet", "canny", "--control-image", "photo.png"], &["--controlnet canny", "controlnets.folder names no folder"]),
    ];
    let refuse = |more: &[&str], parts: &[&str]| {
        let mut args = vec!["image", "a boat"];
        args.extend_from_slice(more);
        if !more.contains(&"--out") {
            args.extend_from_slice(&["--out", "a.png"]);
        }
        let refused = framewright(folder.path(), &args);
        assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (2, "", 1), "{more:?}: {refused:?}");
        assert!(refused.stderr.starts_with("error: "), "{more:?}: {refused:?}");
        for field in ["num_inference_steps", "guidance_scale", "init_image", "mask_image", "negative_prompt"] {
            assert!(!refused.stderr.contains(field), "a person gave a flag, not {field}: {refused:?}");
        }
        for part in parts {
            assert!(refused.stderr.contains(part), "{part} is not said for {more:?}: {refused:?}");
        }
    };
    for (more, parts) in table {
        refuse(more, parts);
    }
    for prompt in ["", "   "] {
        let refused = framewright(folder.path(), &["image", prompt, "--out", "a.png"]);
        assert_eq!((refused.code, refused.stderr.lines().count()), (2, 1), "{refused:?}");
        assert!(refused.stderr.contains("PROMPT"), "{refused:?}");
    }
    assert!(!folder.path().join("a.png").exists());
}

#[test]
fn a_seed_of_minus_one_is_random() {
    let folder = tempfile::tempdir().unwrap();
    let seed = |more: &[&str]| {
        let args = [&["image", "a boat", "--steps", "1", "--out", "a.png", "--json"], more].concat();
        let output: Value = serde_json::from_str(&framewright(folder.path(), &args).stdout).unwrap();
        output["files"][0]["seed"].as_u64().unwrap()
    };
    assert_ne!(seed(&["--seed", "-1"]), seed(&["--seed", "-1"]));
}

#[test]
fn a_mask_of_another_size_and_an_unread_script_get_a_remark() {
    let folder = tempfile::tempdir().unwrap();
    image::RgbImage::new(128, 128).save(folder.path().join("a.png")).unwrap();
    image::GrayImage::new(64, 32).save(folder.path().join("half.png")).unwrap();
    image::GrayImage::new(128, 128).save(folder.path().join("whole.png")).unwrap();
    let make = |prompt: &str, mask: &str| {
        let args = ["image", prompt, "--steps", "4", "--seed", "1", "--init-image", "a.png", "--mask", mask, "--out", "b.png", "--json"];
        let output = framewright(folder.path(), &args);
        assert_eq!(output.code, 0, "{output:?}");
        let remarks = serde_json::from_str::<Value>(&output.stdout).unwrap()["remarks"].take();
        let remarks: Vec<String> = serde_json::from_value(remarks).unwrap();
        assert!(remarks.iter().all(|remark| output.stderr.lines().any(|line| line == remark)), "{output:?}");
        remarks
    };
    let mask = "--mask is 64x32, and --init-image 128x128: the mask is stretched over the picture";
    let script = "the model does not read the Han script, so that part of the prompt has little effect: write it in English";
    assert_eq!(make("a boat", "half.png"), [mask]);
    assert_eq!(make("一只红色的狐狸", "whole.png"), [script]);
    assert_eq!(make("café, 🦊", "whole.png"), [""; 0]);
}

#[test]
fn an_unwritable_output_is_reported_before_the_model_is_loaded() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let refused = framewright(folder.path(), &["image", "a boat", "--steps", "1", "--out", "file/a.png"]);
    // One line: no model was loaded.
    let line = "error: --out file/a.png: nothing can be written to file: it is no folder\n";
    assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.as_str()), (2, "", line), "{refused:?}");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn a_broken_model_folder_is_one_line() {
    let folder = tempfile::tempdir().unwrap();
    for (content, part) in [
        (None, "model_index.json"),
        (Some("{"), "JSON"),
        (Some("{\"_class_name\": \"StableDiffusion3Pipeline\"}"), "StableDiffusion3Pipeline"),
    ] {
        let model = folder.path().join("model");
        fs::create_dir_all(&model).unwrap();
        if let Some(content) = content {
            fs::write(model.join("model_index.json"), content).unwrap();
        }
        let table: [&[&str]; 3] = [
            &["image", "a boat", "--out", "a.png", "--model", "model"],
            &["serve", "--port", "0", "--model", "model"],
            &["models", "inspect", "model"],
        ];
        for args in table {
            let refused = framewright(folder.path(), args);
            assert_eq!((refused.code, refused.stdout.as_str(), refused.stderr.lines().count()), (1, "", 1), "{args:?}: {refused:?}");
            assert!(refused.stderr.starts_with("error: ") && refused.stderr.contains(part), "{args:?}: {refused:?}");
        }
    }
}

/// The embedded model as a folder with another scheduler file, and another scheduler class in model_index.json.
fn folder_with_scheduler(folder: &Path, scheduler: &Value, class: &str) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models/nano-sd");
    for part in ["unet", "vae", "text_encoder", "tokenizer"] {
        fs::create_dir_all(folder.join(part)).unwrap();
        for file in fs::read_dir(source.join(part)).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), folder.join(part).join(file.file_name())).unwrap();
        }
    }
    fs::create_dir_all(folder.join("scheduler")).unwrap();
    fs::write(folder.join("scheduler/scheduler_config.json"), scheduler.to_string()).unwrap();
    let mut index: Value = serde_json::from_slice(&fs::read(source.join("model_index.json")).unwrap()).unwrap();
    index["scheduler"] = serde_json::json!(["diffusers", class]);
    fs::write(folder.join("model_index.json"), index.to_string()).unwrap();
}

#[test]
fn a_model_with_an_unknown_scheduler_runs_with_another_one() {
    let folder = tempfile::tempdir().unwrap();
    let file =
        serde_json::json!({"_class_name": "KDPM2DiscreteScheduler", "beta_schedule": "scaled_linear", "variance_type": "fixed_small"});
    folder_with_scheduler(&folder.path().join("model"), &file, "KDPM2DiscreteScheduler");
    let image = |more: &[&str]| {
        let args = [&["image", "a boat", "--steps", "2", "--seed", "1", "--out", "a.png", "--model", "model"], more].concat();
        framewright(folder.path(), &args)
    };
    let refused = image(&[]);
    let last = refused.stderr.lines().last().unwrap();
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(last.starts_with("error: --scheduler") && last.contains("KDPM2DiscreteScheduler") && last.contains("name one"), "{last}");
    for name in ["dpmpp-2m", "euler", "ddim"] {
        let output = image(&["--scheduler", name]);
        assert_eq!(output.code, 0, "{output:?}");
    }
}

#[test]
fn an_unsupported_scheduler_file_is_refused_as_the_models_error() {
    let folder = tempfile::tempdir().unwrap();
    let file = serde_json::json!({"_class_name": "DDIMScheduler", "prediction_type": "flow_prediction"});
    folder_with_scheduler(&folder.path().join("model"), &file, "DDIMScheduler");
    let args = ["image", "a boat", "--steps", "2", "--scheduler", "euler", "--out", "a.png", "--model", "model"];
    let refused = framewright(folder.path(), &args);
    assert_eq!(refused.code, 2, "{refused:?}");
    assert!(refused.stderr.contains("scheduler/scheduler_config.json: field prediction_type: EulerDiscreteScheduler"), "{refused:?}");
    assert!(!folder.path().join("a.png").exists());
}

#[test]
fn a_strength_that_leaves_no_step_is_refused_before_a_model_is_fetched() {
    let folder = tempfile::tempdir().unwrap();
    let output = framewright(folder.path(), &["image", "a boat", "--steps", "1", "--seed", "1", "--out", "a.png"]);
    assert_eq!(output.code, 0, "{output:?}");
    for more in [&[] as &[&str], &["--mask", "a.png"]] {
        let args = [
            &[
                "image",
                "a boat",
                "--init-image",
                "a.png",
                "--strength",
                "0.03",
                "--steps",
                "25",
                "--model",
                "owner/absent",
                "--out",
                "b.png",
            ],
            more,
        ];
        let refused = framewright(folder.path(), &args.concat());
        let expected = "error: --strength 0.03: 0.03 of 25 steps leaves no step to run; the smallest strength that works is 0.04\n";
        assert_eq!((refused.code, refused.stderr.as_str()), (2, expected), "{refused:?}");
    }
    let args = ["image", "a boat", "--init-image", "a.png", "--strength", "0.04", "--steps", "25", "--out", "b.png"];
    assert_eq!(framewright(folder.path(), &args).code, 0);
}
