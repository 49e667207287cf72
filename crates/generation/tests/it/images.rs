//! The images of a job: seeds, PNG files, and the parameters in them.

use std::io::Cursor;

use diffusion_core::weights::VaeChoice;
use generation::{GeneratedImage, ImageRequest, ImageSpec, Limits, ModelInfo, SdxlRequest, Work};
use generation_test::{info, local};
use image::RgbImage;

use crate::fake::{held_only, hold, images, request};

fn spec(request: ImageRequest) -> ImageSpec {
    request.validate(&Limits::default(), &info()).unwrap()
}

async fn generated(request: ImageRequest) -> Vec<GeneratedImage> {
    let jobs = held_only(4, local().await);
    images(hold(&jobs, Work::Image(spec(request)), None).await.unwrap()).await.unwrap()
}

/// The `parameters` text of a PNG, whether it was in an iTXt chunk, and the picture's size.
fn read(file: &[u8]) -> (String, bool, (u32, u32)) {
    let reader = png::Decoder::new(Cursor::new(file)).read_info().unwrap();
    let info = reader.info();
    let latin = info.uncompressed_latin1_text.iter().find(|chunk| chunk.keyword == "parameters").map(|chunk| chunk.text.clone());
    let utf8 = info.utf8_text.iter().find(|chunk| chunk.keyword == "parameters").map(|chunk| chunk.get_text().unwrap());
    let is_utf8 = utf8.is_some();
    (latin.or(utf8).unwrap(), is_utf8, info.size())
}

#[tokio::test]
async fn image_k_uses_seed_plus_k() {
    let images = generated(ImageRequest { count: Some(3), ..request("a boat") }).await;
    assert_eq!(images.iter().map(|image| image.seed).collect::<Vec<_>>(), [7, 8, 9]);
    assert_eq!(images.iter().map(|image| image.image.get_pixel(0, 0).0[0]).collect::<Vec<_>>(), [7, 8, 9]);
}

#[tokio::test]
async fn a_png_states_the_prompt_syntax_and_the_tiny_autoencoder() {
    let request = ImageRequest { prompt_syntax: Some("a1111".into()), vae: Some("tiny".into()), ..request("a (red:1.2) boat") };
    let model = ModelInfo { vaes: VaeChoice::ALL.to_vec(), ..info() };
    let spec = request.validate(&Limits::default(), &model).unwrap();
    let jobs = held_only(4, local().await);
    let images = images(hold(&jobs, Work::Image(spec), None).await.unwrap()).await.unwrap();
    let (text, ..) = read(&images[0].png);
    // The web UI reads this prompt with the same weights, so nothing is escaped.
    assert!(text.starts_with("a (red:1.2) boat\n") && text.contains(", Prompt syntax: a1111, VAE: tiny, RNG: CPU"), "{text}");
    let (plain, ..) = read(&generated(ImageRequest { prompt: Some("a (red:1.2) boat".into()), ..self::request("") }).await[0].png);
    assert!(plain.starts_with("a \\(red:1.2\\) boat\n") && !plain.contains("Prompt syntax") && !plain.contains("VAE"), "{plain}");
}

#[tokio::test]
async fn compels_syntax_is_text_to_the_readers_of_a_png() {
    let images = generated(ImageRequest { prompt_syntax: Some("compel".into()), ..request("a (red)1.2 boat--") }).await;
    let (text, ..) = read(&images[0].png);
    assert!(text.starts_with("a \\(red\\)1.2 boat--\n") && text.contains(", Prompt syntax: compel, "), "{text}");
}

#[test]
fn faults_of_a_prompts_syntax_are_found_in_its_field() {
    let compel = |prompt: &str| ImageRequest { prompt_syntax: Some("compel".into()), ..request(prompt) };
    let of_sdxl = SdxlRequest { prompt_2: Some("a b.swap(c)".into()), ..SdxlRequest::default() };
    for (request, field) in [
        (compel("a cat.swap(dog)"), "prompt"),
        (ImageRequest { negative_prompt: Some("(\"a\", \"b\").blend(1)".into()), ..compel("a boat") }, "negative_prompt"),
        (ImageRequest { sdxl: of_sdxl, ..compel("a boat") }, "prompt_2"),
    ] {
        let errors = request.clone().validate(&Limits::default(), &info()).unwrap_err();
        assert_eq!(errors.iter().map(|error| error.field).collect::<Vec<_>>(), [field]);
        assert!(errors[0].message.contains("at character "), "{}", errors[0].message);
        let plain = ImageRequest { prompt_syntax: None, ..request };
        assert!(plain.validate(&Limits::default(), &info()).is_ok(), "{field}");
    }
}

#[tokio::test]
async fn the_same_request_gives_the_same_bytes() {
    let (first, second) = (generated(request("a boat")).await, generated(request("a boat")).await);
    assert_eq!(first[0].png, second[0].png);
}

#[tokio::test]
async fn a_png_has_its_parameters_in_the_format_of_other_tools() {
    let images = generated(ImageRequest {
        negative_prompt: Some("fog, \"mist\"".into()),
        guidance_scale: Some(7.0),
        width: Some(80),
        scheduler: Some("dpmpp-2m-karras".into()),
        clip_skip: Some(1),
        ..request("a café, by night")
    })
    .await;
    let (text, is_utf8, size) = read(&images[0].png);
    let expected = concat!(
        "a café, by night\nNegative prompt: fog, \"mist\"\n",
        "Steps: 3, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 7, Size: 80x72, Model: fake, Clip skip: 2, ",
        "RNG: CPU, Version: framewright 0.1.0"
    );
    assert_eq!(text, expected);
    assert_eq!(text, images[0].parameters);
    assert!(!is_utf8, "é is Latin-1, which every reader knows");
    assert_eq!(size, (80, 72));
}

#[tokio::test]
async fn a_prompt_with_another_programs_syntax_is_escaped_in_the_parameters() {
    let images = generated(ImageRequest {
        negative_prompt: Some("[fog], (mist:2) # all\nof it".into()),
        ..request("a (red:1.5) {circle} <lora:x:1>\nNegative prompt: none")
    })
    .await;
    let (text, ..) = read(&images[0].png);
    let expected = concat!(
        "a \\(red:1.5\\) \\{circle\\} <\\lora:x:1>\n\\Negative prompt: none\n",
        "Negative prompt: \\[fog\\], \\(mist:2\\) # all\nof it\nSteps: 3, "
    );
    assert!(text.starts_with(expected), "{text}");
    // That program drops a comment in any case.
    assert!(text.contains(r#", RNG: CPU, Literal negative prompt: "[fog], (mist:2) # all\nof it", Version: "#), "{text}");
    assert_eq!(text, images[0].parameters);
}

#[tokio::test]
async fn an_eta_with_an_effect_is_in_the_parameters_under_other_tools_name() {
    for (scheduler, eta, part) in [
        ("ddim", 0.5, Some(", Eta DDIM: 0.5,")),
        ("euler-ancestral", 0.25, Some(", Eta: 0.25,")),
        ("ddim", 0.0, None),
        ("euler-ancestral", 1.0, None),
        ("euler", 0.5, None),
    ] {
        let images = generated(ImageRequest { scheduler: Some(scheduler.into()), eta: Some(eta), ..request("a boat") }).await;
        let text = &images[0].parameters;
        assert!(part.map_or(!text.contains("Eta"), |part| text.contains(part)), "{scheduler} {eta}: {text}");
    }
}

#[tokio::test]
async fn a_text_beyond_latin_1_goes_into_an_itxt_chunk() {
    let init_image = Some(RgbImage::new(64, 64));
    let images = generated(ImageRequest { init_image, strength: Some(0.5), ..request("夜の海") }).await;
    let (text, is_utf8, _) = read(&images[0].png);
    assert!(is_utf8);
    assert!(text.starts_with("夜の海\nSteps: 3, Sampler: DDIM, CFG scale: 7.5, "), "{text}");
    assert!(text.contains(", Denoising strength: 0.5, RNG: CPU, Version: "), "{text}");
}

#[tokio::test]
async fn a_nul_in_a_prompt_does_not_truncate_the_text() {
    let images = generated(request("a\0boat")).await;
    assert!(read(&images[0].png).0.starts_with("aboat\nSteps: "));
}

#[tokio::test]
async fn texts_that_the_model_truncates_are_reported_with_the_image() {
    let long = "a boat and ".repeat(26);
    let truncated = |images: Vec<GeneratedImage>| images[0].truncated.iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(truncated(generated(request("a boat")).await), [""; 0]);
    let images = generated(ImageRequest { negative_prompt: Some(long.clone()), ..request(&long) }).await;
    let expected = [
        "the prompt has 79 tokens, of which the model reads the first 75",
        "the negative prompt has 79 tokens, of which the model reads the first 75",
    ];
    assert_eq!(truncated(images), expected);
}

#[test]
fn a_png_is_lossless() {
    let image = RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8, y as u8, 200]));
    let file = generation::png::encode(&image, "text").unwrap();
    let back = image::load_from_memory(&file).unwrap().to_rgb8();
    assert_eq!(back, image);
}

#[tokio::test]
async fn an_image_is_resized_to_its_output_size() {
    let images = generated(ImageRequest { output_size: Some((30, 11)), ..request("a boat") }).await;
    let (text, _, size) = read(&images[0].png);
    assert_eq!((size, images[0].image.dimensions()), ((30, 11), (30, 11)));
    assert!(text.contains("Size: 64x72, Model: fake, Resized to: 30x11,"), "{text}");
    for size in [(0, 5), (5, 4097)] {
        let refused = ImageRequest { output_size: Some(size), ..request("a boat") }.validate(&Limits::default(), &info()).unwrap_err();
        assert_eq!((refused.len(), refused[0].field), (1, "output_size"), "{refused:?}");
    }
}
