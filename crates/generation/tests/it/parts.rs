//! Videos of scenes of the embedded models that share parts: only what is new is made, and the bytes are those of a video made from nothing.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime},
};

use diffusion_core::{
    pipelines::{nano_sd, nano_svd},
    policy::ExecutionPolicy,
};
use generation::{
    JobOutput, Limits, LoadedModel, LocalBackend, LocalSettings,
    jobs::{Durability, HeldVideo, JobState, Jobs, JobsSettings, Metadata, NewJob, Priority, Work},
    video::{FpsRequest, MotionRequest, PartCounts, ScenePart, SceneRequest, ScenesRequest, ScenesSpec, VideoOutput, VideoSpec},
};
use generation_test::{Checked, PATIENCE, eventually};
use serde_json::Value;

use crate::fake::until_free;

const PROMPTS: [&str; 12] = [
    "a red circle on a blue background",
    "a star",
    "a sunrise over mountains",
    "a boat on the sea at noon",
    "a city at night",
    "a forest",
    "a desert at sunset with cacti",
    "a yellow triangle",
    "a beach at noon",
    "a snowy forest at night",
    "a green square",
    "a purple circle",
];
/// The scene that moves.
const MOVING: usize = 7;
/// The scene before the join through images.
const SLERP: usize = 3;

fn twelve() -> ScenesRequest {
    let scene = |(index, prompt): (usize, &&str)| SceneRequest {
        prompt: Some((*prompt).into()),
        seed: Some(100 + index as i128),
        join: (index == SLERP).then(|| "slerp".into()),
        source: (index == MOVING).then(|| "moving".into()),
        ..SceneRequest::default()
    };
    ScenesRequest {
        scenes: Some(PROMPTS.iter().enumerate().map(scene).collect()),
        num_inference_steps: Some(2),
        duration_per_scene: Some(0.25),
        fps: Some(FpsRequest::Number(8.0)),
        width: Some(64),
        height: Some(48),
        transition_frames: Some(2),
        seed: Some(3),
        motion: MotionRequest {
            num_frames: Some(3),
            num_inference_steps: Some(2),
            conditioning_fps: Some(5),
            decode_chunk_size: Some(2),
            ..MotionRequest::default()
        },
        ..ScenesRequest::default()
    }
}

fn spec(request: ScenesRequest) -> ScenesSpec {
    request.validate(&Limits::default()).unwrap()
}

/// A device with the embedded models.
async fn device() -> LocalBackend {
    let load = || LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None);
    let local = LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap();
    local.loaded().await.unwrap();
    local
}

async fn open(folder: &Path, local: &LocalBackend, parts_bytes: u64) -> Checked {
    let settings = JobsSettings { parts_bytes, ..JobsSettings::new(folder, SystemTime::now) };
    Checked::open(settings, local.clone()).await.unwrap()
}

/// A finished video.
struct Made {
    id: String,
    bytes: Vec<u8>,
    counts: PartCounts,
    /// The data of its parts' events.
    parts: Vec<Value>,
}

impl Made {
    /// The parts that were made.
    fn made(&self) -> BTreeSet<usize> {
        self.parts.iter().filter(|part| part["reused"] == false).map(|part| part["part"].as_u64().unwrap() as usize).collect()
    }
}

fn new_job(owner: &str, spec: &ScenesSpec, durability: Durability) -> NewJob {
    static LAST: AtomicU64 = AtomicU64::new(0);
    NewJob {
        id: format!("vid_{}", LAST.fetch_add(1, Ordering::Relaxed)),
        owner: owner.into(),
        priority: Priority::Normal,
        own_priority: Priority::Normal,
        work: Work::Video(VideoSpec::Scenes(spec.clone())),
        durability,
        metadata: Metadata::default(),
        idempotency: None,
        callback_url: None,
    }
}

async fn part_events(jobs: &Jobs, owner: &str, id: &str) -> Vec<Value> {
    let events = jobs.events(owner, id, 0, 10_000).await.unwrap().unwrap();
    events.into_iter().filter(|event| event.kind == "part").map(|event| event.data).collect()
}

/// Makes a video as a stored job.
async fn store(jobs: &Jobs, owner: &str, spec: &ScenesSpec) -> Made {
    let job = jobs.submit(new_job(owner, spec, Durability::Stored)).await.unwrap().job;
    let job = tokio::time::timeout(PATIENCE, jobs.finished(owner, &job.id)).await.expect("it ends").unwrap().unwrap();
    assert_eq!(job.state, JobState::Completed, "{:?}", job.error);
    let bytes = jobs.open_artifact(&job.id, "video.mp4").await.unwrap().unwrap().read_all().await.unwrap();
    let parts = part_events(jobs, owner, &job.id).await;
    Made { bytes, counts: job.outcome.unwrap().parts.unwrap(), parts, id: job.id }
}

/// Makes a video as a held job, whose caller waits.
async fn hold(jobs: &Jobs, owner: &str, spec: &ScenesSpec) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let output = VideoOutput::new(folder.path().join("video.mp4")).unwrap();
    let new = new_job(owner, spec, Durability::Held { video: Some(HeldVideo { output, folder: None }) });
    let id = new.id.clone();
    let held = jobs.submit(new).await.unwrap().held.unwrap();
    let JobOutput::Video(video) = Arc::unwrap_or_clone(held.finished().await.unwrap()).output else { panic!() };
    let parts = part_events(jobs, owner, &id).await;
    Made { id, bytes: fs::read(&video.path).unwrap(), counts: video.parts.unwrap(), parts }
}

fn kept_files(folder: &Path) -> Vec<PathBuf> {
    let mut files: Vec<_> = fs::read_dir(folder.join("parts")).into_iter().flatten().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// All parts of [`twelve`].
fn all() -> BTreeSet<usize> {
    (0..23).collect()
}

type Edit = (&'static str, fn(&mut ScenesRequest), &'static [usize]);

fn scenes(request: &mut ScenesRequest) -> &mut Vec<SceneRequest> {
    request.scenes.as_mut().unwrap()
}

#[tokio::test]
async fn an_edited_video_makes_what_is_new_and_has_the_bytes_of_a_full_one() {
    let (with, without) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let local = device().await;
    let (kept, full) = (open(with.path(), &local, 1 << 30).await, open(without.path(), &local, 0).await);
    let base = spec(twelve());
    assert!(kept.kept_parts("a", &base).iter().all(|kept| !kept));
    let first = store(&kept, "a", &base).await;
    let whole = store(&full, "a", &base).await;
    assert!(first.bytes == whole.bytes);
    assert_eq!((first.made(), first.counts), (all(), PartCounts { made: 23, reused: 0 }));
    assert_eq!((whole.made(), whole.counts), (all(), PartCounts { made: 23, reused: 0 }));
    assert!(kept_files(without.path()).is_empty());
    assert!(kept.kept_parts("a", &base).iter().all(|kept| *kept));

    let edits: [Edit; 15] = [
        ("nothing", |_| {}, &[]),
        ("one of twelve scenes", |r| scenes(r)[5].prompt = Some("a forest at noon".into()), &[9, 10, 11]),
        ("the first scene", |r| scenes(r)[0].prompt = Some("a blue circle".into()), &[0, 1]),
        ("the last scene's seed", |r| scenes(r)[11].seed = Some(9), &[21, 22]),
        (
            "the scene that moves",
            |r| scenes(r)[MOVING].motion = Some(MotionRequest { motion_bucket_id: Some(9), ..twelve().motion }),
            &[13, 14, 15],
        ),
        ("the length of a join", |r| scenes(r)[1].transition_frames = Some(3), &[3]),
        ("a join through images that becomes a crossfade", |r| scenes(r)[SLERP].join = Some("crossfade".into()), &[7]),
        ("a crossfade that becomes a join through images", |r| scenes(r)[9].join = Some("slerp".into()), &[19]),
        ("a cut", |r| scenes(r)[9].join = Some("cut".into()), &[]),
        ("the order of two scenes", |r| scenes(r).swap(8, 9), &[15, 17, 19]),
        // Images do not depend on the size or the rate at which they are shown; the moving scene's runs do.
        ("the size", |r| (r.width, r.height) = (Some(80), Some(32)), &[]),
        ("the frame rate", |r| r.fps = Some(FpsRequest::Number(6.0)), &[13, 14, 15]),
        ("the duration of a still scene", |r| scenes(r)[2].duration = Some(0.6), &[]),
        (
            "the steps",
            |r| r.num_inference_steps = Some(3),
            &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22],
        ),
        ("a scene less", |r| drop(scenes(r).remove(6)), &[11]),
    ];
    for (index, (what, edit, expected)) in edits.into_iter().enumerate() {
        let mut request = twelve();
        edit(&mut request);
        let edited = spec(request);
        let told = kept.kept_parts("a", &edited);
        // Stored or held makes no difference.
        let (again, whole) = if index % 2 == 0 {
            (store(&kept, "a", &edited).await, hold(&full, "a", &edited).await)
        } else {
            (hold(&kept, "a", &edited).await, store(&full, "a", &edited).await)
        };
        assert!(again.bytes == whole.bytes, "{what}: other bytes");
        assert_eq!(again.made(), expected.iter().copied().collect(), "{what}");
        let parts = ScenePart::all(&edited).iter().filter(|part| !part.is_cut()).count();
        assert_eq!((again.counts.made as usize, again.counts.reused as usize), (expected.len(), parts - expected.len()), "{what}");
        let told: BTreeSet<usize> = told.iter().enumerate().filter(|(_, kept)| !**kept).map(|(index, _)| index).collect();
        assert_eq!(told, again.made(), "{what}: what was foretold");
    }
}

#[tokio::test]
async fn seeds_that_follow_from_the_request_shift_and_pinned_ones_do_not() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = open(folder.path(), &device().await, 1 << 30).await;
    let plain = |prompts: &[&str]| {
        let scene = |prompt: &&str| SceneRequest { prompt: Some((*prompt).into()), ..SceneRequest::default() };
        ScenesRequest { scenes: Some(prompts.iter().map(scene).collect()), ..twelve() }
    };
    let first = spec(plain(&["a star", "a forest", "a city"]));
    let seeds: Vec<u64> = ScenePart::all(&first).iter().step_by(2).map(|part| part.seed).collect();
    assert_eq!(seeds, [3, 4, 5]);
    hold(&jobs, "", &first).await;
    let inserted = hold(&jobs, "", &spec(plain(&["a star", "a boat", "a forest", "a city"]))).await;
    assert_eq!(inserted.made(), (1..7).collect(), "every scene after it has another seed");
    let mut pinned = plain(&["a star", "a boat", "a forest", "a city"]);
    for (scene, seed) in scenes(&mut pinned).iter_mut().zip([3, 50, 4, 5]) {
        scene.seed = Some(seed);
    }
    assert_eq!(hold(&jobs, "", &spec(pinned)).await.made(), [1, 2, 3].into());
    // The same scene twice is made once.
    let mut twice = plain(&["a moon", "a moon"]);
    scenes(&mut twice).iter_mut().for_each(|scene| scene.seed = Some(1));
    let twice = hold(&jobs, "", &spec(twice)).await;
    assert_eq!((twice.made(), twice.counts), ([0, 1].into(), PartCounts { made: 2, reused: 1 }));
}

#[tokio::test]
async fn each_part_has_an_event_with_its_still() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = open(folder.path(), &device().await, 1 << 30).await;
    let mut request = twelve();
    scenes(&mut request)[0].join = Some("cut".into());
    // A scene too short for a frame is made all the same.
    scenes(&mut request)[4].duration = Some(0.1);
    for reused in [false, true] {
        let made = store(&jobs, "", &spec(request.clone())).await;
        let order: Vec<usize> = made.parts.iter().map(|part| part["part"].as_u64().unwrap() as usize).collect();
        assert_eq!(order, (0..23).filter(|part| *part != 1).collect::<Vec<_>>(), "in order, and none for a cut");
        for part in &made.parts {
            let index = part["part"].as_u64().unwrap();
            let kind = if index % 2 == 0 { "scene" } else { "join" };
            assert_eq!((&part["kind"], &part["scene"], &part["parts"]), (&kind.into(), &(index / 2).into(), &23.into()));
            assert_eq!(part["reused"], reused);
            let still = part["still_url"].as_str();
            assert_eq!(still.is_some(), kind == "scene" && index != 8, "{index}");
            if let Some(still) = still {
                let bytes =
                    base64::Engine::decode(&base64::prelude::BASE64_STANDARD, still.strip_prefix("data:image/jpeg;base64,").unwrap());
                assert_eq!(image::load_from_memory(&bytes.unwrap()).unwrap().to_rgb8().dimensions(), (64, 48));
            }
        }
    }
}

#[tokio::test]
async fn parts_belong_to_their_owner_and_survive_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let local = device().await;
    let jobs = open(folder.path(), &local, 1 << 30).await;
    let mut request = twelve();
    scenes(&mut request).truncate(3);
    let base = spec(request);
    let first = store(&jobs, "alice", &base).await;
    assert_eq!(first.counts, PartCounts { made: 5, reused: 0 });
    assert!(jobs.kept_parts("bob", &base).iter().all(|kept| !kept));
    assert_eq!(store(&jobs, "bob", &base).await.counts, PartCounts { made: 5, reused: 0 });
    assert_eq!(kept_files(folder.path()).len(), 10);
    drop(jobs);
    until_free(folder.path()).await;
    let jobs = open(folder.path(), &local, 1 << 30).await;
    let again = hold(&jobs, "alice", &base).await;
    assert!(again.bytes == first.bytes && again.counts == PartCounts { made: 0, reused: 5 });
    // A deleted job takes along what it has made.
    assert!(jobs.forget("alice", &first.id).await.unwrap());
    assert_eq!(kept_files(folder.path()).len(), 5);
    assert_eq!(hold(&jobs, "alice", &base).await.counts, PartCounts { made: 5, reused: 0 });
    // Another build of the program uses none of it.
    drop(jobs);
    until_free(folder.path()).await;
    let load = || LoadedModel::load(&nano_sd(), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None);
    let other = LocalBackend::start(LocalSettings { build: "another".into(), ..LocalSettings::new(Instant::now) }, load).unwrap();
    other.loaded().await.unwrap();
    let jobs = open(folder.path(), &other, 1 << 30).await;
    assert_eq!(hold(&jobs, "alice", &base).await.counts, PartCounts { made: 5, reused: 0 });
}

#[tokio::test]
async fn damaged_parts_are_made_again_and_a_small_store_only_costs_time() {
    let (folder, small) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let local = device().await;
    let jobs = open(folder.path(), &local, 1 << 30).await;
    let base = spec(twelve());
    let first = store(&jobs, "", &base).await;
    for (index, file) in kept_files(folder.path()).iter().enumerate().filter(|(index, _)| index % 3 == 0) {
        let mut bytes = fs::read(file).unwrap();
        match index % 2 {
            0 => bytes.truncate(bytes.len() / 2),
            _ => bytes[60] ^= 16,
        }
        fs::write(file, bytes).unwrap();
    }
    let again = hold(&jobs, "", &base).await;
    assert!(again.bytes == first.bytes);
    assert!((8..23).contains(&again.counts.made), "{:?}: a join is of two scenes", again.counts);
    assert_eq!(hold(&jobs, "", &base).await.counts, PartCounts { made: 0, reused: 23 });

    let limit = 100_000;
    let jobs = open(small.path(), &local, limit).await;
    for _ in 0..2 {
        let made = hold(&jobs, "", &base).await;
        assert!(made.bytes == first.bytes && made.counts.made > 0);
        let bytes: u64 = kept_files(small.path()).iter().map(|file| fs::metadata(file).unwrap().len()).sum();
        assert!(bytes > 0 && bytes <= limit, "{bytes}");
    }
}

#[tokio::test]
async fn a_folder_that_refuses_parts_fails_no_video() {
    let folder = tempfile::tempdir().unwrap();
    let local = device().await;
    let jobs = open(folder.path(), &local, 1 << 30).await;
    let mut request = twelve();
    scenes(&mut request).truncate(3);
    let base = spec(request);
    fs::write(folder.path().join("parts"), "a file where the folder would be").unwrap();
    let first = store(&jobs, "", &base).await;
    assert_eq!(first.counts, PartCounts { made: 5, reused: 0 });
    fs::remove_file(folder.path().join("parts")).unwrap();
    assert!(hold(&jobs, "", &base).await.bytes == first.bytes);
    // The folder vanishes with all parts.
    fs::remove_dir_all(folder.path().join("parts")).unwrap();
    let again = hold(&jobs, "", &base).await;
    assert!(again.bytes == first.bytes && again.counts == PartCounts { made: 5, reused: 0 });
    assert_eq!(hold(&jobs, "", &base).await.counts, PartCounts { made: 0, reused: 5 });
}

#[tokio::test]
async fn a_cancelled_video_leaves_its_finished_parts_to_the_next_one() {
    let folder = tempfile::tempdir().unwrap();
    let jobs = open(folder.path(), &device().await, 1 << 30).await;
    // Long enough to be cancelled in the middle.
    let base = spec(ScenesRequest { num_inference_steps: Some(20), ..twelve() });
    let out = tempfile::tempdir().unwrap();
    let output = VideoOutput::new(out.path().join("video.mp4")).unwrap();
    let held = jobs.submit(new_job("", &base, Durability::Held { video: Some(HeldVideo { output, folder: None }) })).await.unwrap();
    let held = held.held.unwrap();
    let mut progress = held.progress();
    progress.wait_for(|progress| progress.frame >= 10).await.unwrap();
    drop(held);
    eventually("the job has stopped", || jobs.active() == 0).await;
    let staged = |file: &PathBuf| file.file_name().unwrap().to_str().unwrap().starts_with('.');
    assert!(!kept_files(folder.path()).iter().any(staged), "nothing half-written is left");
    let made = hold(&jobs, "", &base).await;
    assert!(made.counts.reused >= 3 && made.counts.made > 0, "{:?}", made.counts);
    assert_eq!(made.counts.made + made.counts.reused, 23);
}
