//! What remains known of a job's work after its end: enough to list and to search it, without its pictures.
//!
//! It must not know where it is kept. Invariant: its size is bounded by the texts of the work, never by its pictures.

use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::Work;
use crate::spec::{
    image::ImageSpec,
    video::{RemoteVideoSpec, VideoSpec},
};

/// Separates the prompts of scenes in one text.
const BETWEEN_SCENES: &str = " / ";

/// What a job makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum WorkKind {
    /// Images.
    Image,
    /// A video.
    Video,
    /// An enlarged picture.
    Upscale,
}

impl WorkKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Image, Self::Video, Self::Upscale];

    /// Its name: "image", "video" or "upscale".
    pub const fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::Video => "video",
            Self::Upscale => "upscale",
        }
    }
}

/// A name that is not a kind's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no kind of work: {0:?}; there are image, video and upscale")]
pub struct UnknownKind(pub String);

impl FromStr for WorkKind {
    type Err = UnknownKind;

    fn from_str(name: &str) -> Result<Self, UnknownKind> {
        Self::ALL.into_iter().find(|kind| kind.name() == name).ok_or_else(|| UnknownKind(name.to_owned()))
    }
}

/// A summary of a job's work. Unknown parts are `None`, in particular those of jobs stored by older versions.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct WorkSummary {
    /// What it makes.
    #[serde(skip)]
    pub kind: Option<WorkKind>,
    /// What the result shows; the prompts of scenes are joined by " / ".
    #[serde(skip)]
    pub prompt: Option<String>,
    /// The model, by the name in the request.
    pub model: Option<String>,
    /// Pixels across.
    pub width: Option<u32>,
    /// Pixels down.
    pub height: Option<u32>,
    /// The seed.
    pub seed: Option<u64>,
    /// The frames of a video.
    pub frames: Option<usize>,
    /// The duration of a video, in seconds.
    pub seconds: Option<f64>,
}

impl WorkSummary {
    /// The summary of this work.
    pub fn of(work: &Work) -> Self {
        match work {
            Work::Image(spec) => of_image(spec),
            Work::Video(spec) => of_video(spec),
            Work::Upscale(spec) => Self {
                kind: Some(WorkKind::Upscale),
                model: Some(spec.upscaler().to_owned()),
                width: Some(spec.size().0),
                height: Some(spec.size().1),
                ..Self::default()
            },
        }
    }

    fn sized(self, size: Option<(u32, u32)>) -> Self {
        Self { width: size.map(|(width, _)| width), height: size.map(|(_, height)| height), ..self }
    }
}

fn of_image(spec: &ImageSpec) -> WorkSummary {
    let summary = WorkSummary {
        kind: Some(WorkKind::Image),
        prompt: text(spec.prompt()),
        model: spec.model().map(str::to_owned),
        seed: Some(spec.seed()),
        ..WorkSummary::default()
    };
    summary.sized(Some(spec.result_size()))
}

fn of_video(spec: &VideoSpec) -> WorkSummary {
    let summary = WorkSummary {
        kind: Some(WorkKind::Video),
        model: spec.model().map(str::to_owned),
        seed: Some(spec.seed()),
        ..WorkSummary::default()
    };
    match spec {
        VideoSpec::Scenes(spec) => WorkSummary {
            prompt: joined(spec.scenes().iter().map(|scene| scene.prompt())),
            frames: Some(spec.timeline().frames()),
            seconds: Some(spec.seconds()),
            ..summary.sized(Some((spec.width(), spec.height())))
        },
        VideoSpec::Animation(spec) => {
            let frames = spec.motion().num_frames().and_then(|frames| usize::try_from(frames).ok());
            let seconds = frames.map(|frames| frames as f64 / spec.fps().as_f64());
            WorkSummary { frames, seconds, ..summary.sized(spec.size()) }
        }
        VideoSpec::Clip(spec) => WorkSummary {
            prompt: spec.repaint().and_then(|repaint| text(repaint.prompt())),
            frames: spec.frames(),
            seconds: spec.frames().map(|frames| frames as f64 / spec.fps().as_f64()),
            ..summary.sized(spec.size())
        },
        VideoSpec::Remote(RemoteVideoSpec { model, request, .. }) => WorkSummary {
            prompt: text(&request.prompt).or_else(|| joined(request.shots.iter().map(|shot| shot.text.as_str()))),
            model: Some(model.clone()),
            seed: request.seed,
            seconds: request.seconds.map(f64::from),
            ..summary.sized(request.size)
        },
    }
}

/// A text, unless it is blank.
fn text(text: &str) -> Option<String> {
    (!text.trim().is_empty()).then(|| text.to_owned())
}

fn joined<'a>(texts: impl Iterator<Item = &'a str>) -> Option<String> {
    text(&texts.collect::<Vec<_>>().join(BETWEEN_SCENES))
}

/// A text as it is searched: in lower case, character by character, so that a word has one form wherever it stands.
pub(crate) fn folded(text: &str) -> String {
    // A Greek word ends with another small sigma than it has inside.
    text.chars().flat_map(char::to_lowercase).map(|c| if c == '\u{3c2}' { '\u{3c3}' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use image::RgbImage;
    use remote_providers::{Shot, VideoRequest};

    use super::*;
    use crate::{
        model_info::ModelInfo,
        spec::{
            image::{ImageRequest, MaskRequest},
            limits::Limits,
            video::{ClipRequest, ClipRules, SceneRequest, ScenesRequest},
        },
    };

    fn image(request: ImageRequest) -> WorkSummary {
        let request = ImageRequest { seed: Some(9), ..request };
        WorkSummary::of(&Work::Image(request.validate(&Limits::default(), &ModelInfo::for_tests()).unwrap()))
    }

    #[test]
    fn an_image_has_the_size_of_its_file() {
        let prompt = Some("a boat".to_owned());
        let plain = image(ImageRequest { prompt: prompt.clone(), model: Some("turbo".into()), ..ImageRequest::default() });
        let expected = WorkSummary {
            kind: Some(WorkKind::Image),
            prompt: prompt.clone(),
            model: Some("turbo".into()),
            width: Some(64),
            height: Some(64),
            seed: Some(9),
            ..WorkSummary::default()
        };
        assert_eq!(plain, expected);
        let resized = image(ImageRequest { prompt: prompt.clone(), output_size: Some((50, 30)), ..ImageRequest::default() });
        assert_eq!((resized.width, resized.height, resized.model), (Some(50), Some(30), None));
        let masked = image(ImageRequest {
            prompt,
            init_image: Some(RgbImage::new(200, 100)),
            mask_image: Some(image::GrayImage::from_pixel(200, 100, image::Luma([255]))),
            mask: Some(MaskRequest { only_masked: Some(true), ..MaskRequest::default() }),
            width: Some(64),
            height: Some(64),
            ..ImageRequest::default()
        });
        assert_eq!((masked.width, masked.height), (Some(200), Some(100)));
    }

    #[test]
    fn the_prompts_of_scenes_are_one_text() {
        let scene = |prompt: &str| SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() };
        let request = ScenesRequest { scenes: Some(vec![scene("a boat"), scene("a star")]), seed: Some(3), ..ScenesRequest::default() };
        let summary = WorkSummary::of(&Work::Video(VideoSpec::Scenes(request.validate(&Limits::DEFAULT).unwrap())));
        assert_eq!((summary.prompt.as_deref(), summary.kind, summary.seed), (Some("a boat / a star"), Some(WorkKind::Video), Some(3)));
        // Two scenes of three seconds at 24 frames per second, and twelve frames between them.
        assert_eq!((summary.width, summary.frames, summary.seconds), (Some(512), Some(156), Some(6.5)));
    }

    #[test]
    fn a_clip_has_a_prompt_only_if_it_is_repainted() {
        let clip = |strength| {
            let request = ClipRequest {
                image: Some(RgbImage::new(8, 8)),
                prompt: Some("a boat".into()),
                strength: Some(strength),
                duration: Some(2.0),
                seed: Some(1),
                ..ClipRequest::default()
            };
            let spec = request.validate(&ClipRules::default(), &Limits::DEFAULT).unwrap();
            WorkSummary::of(&Work::Video(VideoSpec::Clip(spec)))
        };
        assert_eq!((clip(0.5).prompt.as_deref(), clip(0.5).frames, clip(0.5).seconds), (Some("a boat"), Some(60), Some(2.0)));
        assert_eq!(clip(0.0).prompt, None);
        let shots = vec![Shot { text: "one".into(), image: None }, Shot { text: "two".into(), image: None }];
        let remote = RemoteVideoSpec::new("veo/a", VideoRequest { shots, seconds: Some(6), ..VideoRequest::default() });
        let remote = WorkSummary::of(&Work::Video(VideoSpec::Remote(remote)));
        assert_eq!((remote.prompt.as_deref(), remote.model.as_deref(), remote.seed), (Some("one / two"), Some("veo/a"), None));
    }

    #[test]
    fn case_does_not_matter_in_any_script() {
        for (one, other) in
            [("A BOAT", "a boat"), ("\u{c4}PFEL", "\u{e4}pfel"), ("\u{39f}\u{394}\u{39f}\u{3a3}", "\u{3bf}\u{3b4}\u{3bf}\u{3c2}")]
        {
            assert_eq!(folded(one), folded(other));
        }
        for kind in WorkKind::ALL {
            assert_eq!(kind.name().parse(), Ok(kind));
        }
        assert!("picture".parse::<WorkKind>().is_err());
    }
}
