//! Signed files: images in every format, videos in every container, and what their manifests say.

use std::{
    fs::{self, File},
    io::Cursor,
    path::Path,
    sync::Arc,
    time::{Instant, SystemTime},
};

use diffusion_core::adapters::UpscalerFolder;
use generation::{
    ImageFormat, ImageRequest, Limits, LocalBackend, LocalSettings, ModelSetup, OpenModel, PoolSettings, UpscaleRequest,
    jobs::Work,
    video::{SceneRequest, ScenesRequest, VideoOutput, VideoSpec},
};
use generation_test::{UPSCALERS, info, model, upscalers};
use image::RgbImage;
use provenance::{Found, FoundState, GENERATION_LABEL, MediaFormat, Signer, read, read_with_sidecar, self_made};
use sha2::{Digest as _, Sha256};
use video_encode::Container;

use crate::fake::{held_only, hold, images, request};

async fn signing() -> LocalBackend {
    let made = self_made(SystemTime::now()).unwrap();
    let signer = Arc::new(Signer::new(&made, &made, SystemTime::now).unwrap());
    let settings = LocalSettings { provenance: Some(signer), ..LocalSettings::new(Instant::now) };
    let setup = ModelSetup::new("fake", || Ok(OpenModel::new(|_| Ok(model()))));
    let networks = upscalers(Path::new(UPSCALERS), None);
    let local = LocalBackend::start_with(settings, vec![setup], PoolSettings::default(), networks).unwrap();
    local.loaded().await.unwrap();
    local
}

fn work(request: ImageRequest) -> Work {
    Work::Image(request.validate(&Limits::default(), &info()).unwrap())
}

fn digest(work: &Work) -> String {
    Sha256::digest(serde_json::to_vec(work).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Checks that a manifest is valid, and returns its actions and what it says of the generation.
fn said(found: &Found) -> (Vec<String>, serde_json::Value) {
    assert_eq!((found.state, &found.faults), (FoundState::Valid, &Vec::new()));
    let active = &found.manifest["manifests"][found.manifest["active_manifest"].as_str().unwrap()];
    let assertions = active["assertions"].as_array().unwrap();
    let data = |label: &str| assertions.iter().find(|assertion| assertion["label"] == label).unwrap()["data"].clone();
    let actions = data("c2pa.actions.v2");
    let text = |action: &serde_json::Value| {
        let kind = action["digitalSourceType"].as_str().and_then(|kind| kind.rsplit('/').next()).unwrap_or_default().to_owned();
        format!("{} {kind}", action["action"].as_str().unwrap())
    };
    (actions["actions"].as_array().unwrap().iter().map(text).collect(), data(GENERATION_LABEL))
}

#[tokio::test]
async fn every_image_is_signed_in_every_format_and_says_its_own_seed() {
    let jobs = held_only(4, signing().await);
    for format in [ImageFormat::Png, ImageFormat::Jpeg { quality: 90 }, ImageFormat::WebP] {
        let work = work(ImageRequest { count: Some(2), file_format: format, ..request("a boat") });
        let made = images(hold(&jobs, work.clone(), None).await.unwrap()).await.unwrap();
        for (index, image) in made.iter().enumerate() {
            let media = MediaFormat::ALL.into_iter().find(|media| media.media_type() == format.media_type()).unwrap();
            for found in [read(media, Cursor::new(image.file().1)).unwrap(), read(MediaFormat::Png, Cursor::new(&image.png)).unwrap()] {
                let (actions, generation) = said(&found);
                assert_eq!(actions, ["c2pa.created trainedAlgorithmicMedia"]);
                let expected = serde_json::json!({ "models": ["fake"], "seed": 7 + index, "settings_sha256": digest(&work) });
                assert_eq!(generation, expected, "{format:?}");
            }
        }
        // The parameters are where they were.
        let parameters = &made.first().unwrap().parameters;
        let reader = png::Decoder::new(Cursor::new(&made.first().unwrap().png)).read_info().unwrap();
        assert_eq!(&reader.info().uncompressed_latin1_text.first().unwrap().text, parameters);
    }
}

#[tokio::test]
async fn a_changed_image_is_a_composite_with_a_parent() {
    let jobs = held_only(4, signing().await);
    let given = RgbImage::from_fn(64, 72, |x, y| image::Rgb([x as u8, y as u8, 9]));
    let work = work(ImageRequest { init_image: Some(given), strength: Some(0.5), ..request("a boat") });
    let made = images(hold(&jobs, work, None).await.unwrap()).await.unwrap();
    let found = read(MediaFormat::Png, Cursor::new(&made.first().unwrap().png)).unwrap();
    assert_eq!(said(&found).0, ["c2pa.opened ", "c2pa.edited compositeWithTrainedAlgorithmicMedia"]);
}

#[tokio::test]
async fn an_enlargement_names_its_network_and_no_seed() {
    let jobs = held_only(4, signing().await);
    let folder = UpscalerFolder::open(UPSCALERS).unwrap();
    let request = UpscaleRequest {
        image: Some(RgbImage::new(20, 12).into()),
        upscaler: Some("compact_x2".into()),
        file_format: ImageFormat::WebP,
        ..UpscaleRequest::default()
    };
    let work = Work::Upscale(request.validate(Some(&folder)).unwrap());
    let made = images(hold(&jobs, work.clone(), None).await.unwrap()).await.unwrap().remove(0);
    for (format, file) in [(MediaFormat::WebP, made.file().1), (MediaFormat::Png, &made.png)] {
        let (actions, generation) = said(&read(format, Cursor::new(file)).unwrap());
        assert_eq!(actions, ["c2pa.opened ", "c2pa.edited compositeWithTrainedAlgorithmicMedia"]);
        assert_eq!(generation, serde_json::json!({ "models": ["compact_x2"], "settings_sha256": digest(&work) }));
    }
}

fn scenes() -> Work {
    let scene = |prompt: &str| SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() };
    let request = ScenesRequest {
        scenes: Some(vec![scene("a boat"), scene("a star")]),
        duration_per_scene: Some(0.25),
        width: Some(64),
        height: Some(48),
        seed: Some(1),
        ..ScenesRequest::default()
    };
    Work::Video(VideoSpec::Scenes(request.validate(&Limits::default()).unwrap()))
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[tokio::test]
async fn a_video_is_signed_in_every_container_with_its_poster_and_contact_sheet() {
    let (jobs, folder) = (held_only(4, signing().await), tempfile::tempdir().unwrap());
    let at = |name: &str| folder.path().join(name);
    let work = scenes();
    let check = |name: &str| {
        let format = MediaFormat::of_path(&at(name)).unwrap();
        let file = File::open(at(name)).unwrap();
        let found = if format.embeds() {
            read(format, file).unwrap()
        } else {
            read_with_sidecar(format, &fs::read(at(name).with_extension("c2pa")).unwrap(), file).unwrap()
        };
        let (actions, generation) = said(&found);
        assert_eq!(actions, ["c2pa.created trainedAlgorithmicMedia"], "{name}");
        assert_eq!(generation, serde_json::json!({ "models": ["fake"], "seed": 1, "settings_sha256": digest(&work) }), "{name}");
    };
    for name in ["a.mp4", "b.webm", "c.gif", "d.webp", "e.png"] {
        let output = VideoOutput {
            poster: (name == "a.mp4").then(|| at("poster.jpg")),
            contact_sheet: (name == "a.mp4").then(|| at("sheet.png")),
            ..VideoOutput::new(at(name)).unwrap()
        };
        let video = hold(&jobs, work.clone(), Some(output)).await.unwrap().finished().await.unwrap();
        let generation::JobOutput::Video(video) = &video.output else { panic!("{video:?}") };
        assert_eq!(video.bytes, fs::metadata(at(name)).unwrap().len(), "the signed file's length");
        check(name);
    }
    check("poster.jpg");
    check("sheet.png");
    assert_eq!(names(folder.path()), ["a.mp4", "b.c2pa", "b.webm", "c.gif", "d.webp", "e.png", "poster.jpg", "sheet.png"]);
    let facts = video_encode::inspect(&at("a.mp4")).unwrap();
    assert_eq!((facts.width, facts.height), (64, 48), "it still plays");

    let frames = VideoOutput { container: Container::PngFolder, ..VideoOutput::new(at("frames/")).unwrap() };
    hold(&jobs, work.clone(), Some(frames)).await.unwrap().finished().await.unwrap();
    let frame = File::open(at("frames").join(&names(&at("frames"))[0])).unwrap();
    assert!(matches!(read(MediaFormat::Png, frame), Err(provenance::ReadError::None)));
}

#[tokio::test]
async fn a_video_that_cannot_be_signed_leaves_no_file() {
    let (jobs, folder) = (held_only(4, signing().await), tempfile::tempdir().unwrap());
    // The manifest's place beside the video is taken by a folder.
    fs::create_dir(folder.path().join("a.c2pa")).unwrap();
    let output = VideoOutput::new(folder.path().join("a.webm")).unwrap();
    let error = hold(&jobs, scenes(), Some(output)).await.unwrap().finished().await.unwrap_err();
    assert!(error.to_string().contains("a.webm: signing"), "{error}");
    assert_eq!(names(folder.path()), ["a.c2pa"]);
}
