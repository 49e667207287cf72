//! Every field of a request changes the keys of exactly the parts that it decides, and so does everything else that keys are made of.
#![expect(clippy::unwrap_used, reason = "tests")]

use std::{collections::BTreeSet, fs, path::Path, sync::Arc};

use diffusion_core::{
    adapters::AdapterFolder,
    pipelines::{MotionMemory, nano_sd, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::VaeChoice,
};

use super::keys::{Maker, PartKeys};
use crate::{
    Limits,
    backend::local::memory::MemoryPlan,
    model_identity::ModelIdentity,
    model_info::ModelInfo,
    spec::video::{FpsRequest, MotionRequest, SceneRequest, ScenesRequest, ScenesSpec},
};

/// Takes a struct apart, so that a new field does not compile, and lists its fields.
macro_rules! fields {
    ($name:ident, $ty:ident { $($field:ident),* $(,)? }) => {
        const $name: &[&str] = &[$(stringify!($field)),*];
        const _: fn($ty) = |$ty { $($field: _),* }| {};
    };
}

fields!(
    REQUEST,
    ScenesRequest {
        model,
        scenes,
        hero_description,
        negative_prompt,
        vae,
        loras,
        choices,
        prompt_syntax,
        num_inference_steps,
        guidance_scale,
        scheduler,
        duration_per_scene,
        fps,
        width,
        height,
        proportional,
        transition_frames,
        join,
        seed,
        motion,
    }
);
fields!(SCENE, SceneRequest { prompt, negative_prompt, seed, duration, source, motion, join, transition_frames });
fields!(
    MOTION,
    MotionRequest {
        num_frames,
        num_inference_steps,
        conditioning_fps,
        motion_bucket_id,
        noise_aug_strength,
        min_guidance_scale,
        max_guidance_scale,
        decode_chunk_size,
    }
);

/// Still, by slerp to still, by crossfade to moving, by crossfade to still, by a cut to still.
fn request() -> ScenesRequest {
    let scene = |prompt: &str| SceneRequest { prompt: Some(prompt.into()), ..SceneRequest::default() };
    ScenesRequest {
        scenes: Some(vec![
            SceneRequest { join: Some("slerp".into()), ..scene("a boat") },
            scene("a star"),
            SceneRequest { source: Some("moving".into()), ..scene("a sun") },
            SceneRequest { join: Some("cut".into()), ..scene("a city") },
            scene("a moon"),
        ]),
        transition_frames: Some(3),
        seed: Some(7),
        ..ScenesRequest::default()
    }
}

/// The parts of [`request`], by their indices: all that have a key, the moving scene with its joins, and all joins.
const ALL: [usize; 8] = [0, 1, 2, 3, 4, 5, 6, 8];
const MOVING: [usize; 3] = [3, 4, 5];
const JOINS: [usize; 3] = [1, 3, 5];

fn write_lora(folder: &Path) {
    const LAYER: &str = "lora_unet_mid_block_attentions_0_proj_in";
    let header = format!(
        r#"{{"{LAYER}.lora_up.weight":{{"dtype":"F32","shape":[128,1],"data_offsets":[0,512]}},"{LAYER}.lora_down.weight":{{"dtype":"F32","shape":[1,128],"data_offsets":[512,1024]}}}}"#
    );
    let bytes: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain([0; 1024]).collect();
    fs::write(folder.join("ink.safetensors"), bytes).unwrap();
}

/// What makes the keys of a test, beside the request.
struct World {
    folder: tempfile::TempDir,
    build: String,
    owner: String,
    model: ModelInfo,
    memory: MemoryPlan,
}

impl World {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_lora(folder.path());
        let model = ModelInfo {
            vaes: VaeChoice::ALL.to_vec(),
            adapters: Some(AdapterFolder::open(folder.path()).unwrap()),
            identity: Some(Arc::new(identity(Precision::F32))),
            ..ModelInfo::for_tests()
        };
        Self { folder, build: "1".into(), owner: "a".into(), model, memory: MemoryPlan::default() }
    }

    fn spec(&self, mut request: ScenesRequest) -> ScenesSpec {
        request.fill_in(&self.model);
        request.validate(&Limits::default()).unwrap()
    }

    fn keys(&self, spec: &ScenesSpec) -> PartKeys {
        let Self { folder: _, build, owner, model, memory } = self;
        Maker { build, owner, model, memory }.keys(spec).unwrap()
    }

    /// The parts whose keys a change of the request changes.
    fn changed(&self, change: impl FnOnce(&mut ScenesRequest)) -> Vec<usize> {
        let mut other = request();
        change(&mut other);
        differing(&self.keys(&self.spec(request())), &self.keys(&self.spec(other)))
    }
}

fn identity(precision: Precision) -> ModelIdentity {
    ModelIdentity::of(&nano_sd(), &nano_svd(), &ExecutionPolicy::resolve(DeviceChoice::Cpu, precision).unwrap())
}

fn differing(one: &PartKeys, other: &PartKeys) -> Vec<usize> {
    assert_eq!(one.len(), other.len());
    (0..one.len()).filter(|index| one[*index] != other[*index]).collect()
}

type Change<T> = (&'static str, fn(&mut T), &'static [usize]);

fn covers<T>(changes: &[Change<T>], fields: &[&str]) {
    let changed: BTreeSet<&str> = changes.iter().map(|(field, ..)| *field).collect();
    assert_eq!(changed, fields.iter().copied().collect(), "each field has its row");
}

#[test]
fn every_field_of_a_request_changes_the_parts_that_it_decides() {
    let changes: [Change<ScenesRequest>; 20] = [
        // Another name of the same files.
        ("model", |r| r.model = Some("other".into()), &[]),
        ("scenes", |r| r.scenes.as_mut().unwrap()[4].prompt = Some("a mist".into()), &[8]),
        ("hero_description", |r| r.hero_description = Some("a fox".into()), &ALL),
        ("negative_prompt", |r| r.negative_prompt = Some("blur".into()), &ALL),
        ("vae", |r| r.vae = Some("tiny".into()), &ALL),
        ("loras", |r| r.loras = Some(vec!["ink:0.5".parse().unwrap()]), &ALL),
        // What may be chosen is no choice.
        ("choices", |_| {}, &[]),
        ("prompt_syntax", |r| r.prompt_syntax = Some("a1111".into()), &ALL),
        ("num_inference_steps", |r| r.num_inference_steps = Some(24), &ALL),
        ("guidance_scale", |r| r.guidance_scale = Some(7.25), &ALL),
        ("scheduler", |r| r.scheduler = Some("euler".into()), &ALL),
        // A still scene has one image, however long it is shown.
        ("duration_per_scene", |r| r.duration_per_scene = Some(2.0), &MOVING),
        ("fps", |r| r.fps = Some(FpsRequest::Number(25.0)), &MOVING),
        // Images have the model's own size, and are resized for each video.
        ("width", |r| r.width = Some(256), &[]),
        ("height", |r| r.height = Some(256), &[]),
        ("proportional", |r| r.proportional = true, &ALL),
        ("transition_frames", |r| r.transition_frames = Some(4), &JOINS),
        ("join", |r| r.join = Some("cut".into()), &[3, 5]),
        ("seed", |r| r.seed = Some(8), &ALL),
        ("motion", |r| r.motion.motion_bucket_id = Some(100), &MOVING),
    ];
    covers(&changes, REQUEST);
    let world = World::new();
    for (field, change, expected) in changes {
        assert_eq!(world.changed(change), expected, "{field}");
    }
    assert_eq!(world.changed(|r| (r.proportional, r.width) = (true, Some(256))), ALL);
    let proportional = |width| ScenesRequest { proportional: true, width: Some(width), ..request() };
    let keys = |width| world.keys(&world.spec(proportional(width)));
    assert_eq!(differing(&keys(256), &keys(512)), ALL, "the size decides that of the images, where they have its proportions");
}

#[test]
fn every_field_of_a_scene_changes_it_and_its_joins() {
    let changes: [Change<Vec<SceneRequest>>; 12] = [
        ("prompt", |s| s[1].prompt = Some("two stars".into()), &[1, 2, 3]),
        ("negative_prompt", |s| s[1].negative_prompt = Some("blur".into()), &[1, 2, 3]),
        ("seed", |s| s[1].seed = Some(99), &[1, 2, 3]),
        ("duration", |s| s[1].duration = Some(9.0), &[]),
        ("duration", |s| s[2].duration = Some(1.0), &MOVING),
        ("source", |s| s[3].source = Some("moving".into()), &[5, 6]),
        ("source", |s| s[2].source = Some("still".into()), &MOVING),
        ("motion", |s| s[2].motion = Some(MotionRequest { num_frames: Some(9), ..MotionRequest::default() }), &MOVING),
        ("join", |s| s[0].join = Some("crossfade".into()), &[1]),
        ("join", |s| s[3].join = Some("crossfade".into()), &[7]),
        ("transition_frames", |s| s[0].transition_frames = Some(2), &[1]),
        ("transition_frames", |s| s[1].transition_frames = Some(0), &[3]),
    ];
    covers(&changes, SCENE);
    let world = World::new();
    for (field, change, expected) in changes {
        assert_eq!(world.changed(|r| change(r.scenes.as_mut().unwrap())), expected, "{field}");
    }
    assert_eq!(world.changed(|r| r.scenes.as_mut().unwrap()[2].seed = Some(99)), MOVING);
}

#[test]
fn every_field_of_a_motion_changes_the_scene_that_moves_and_its_joins() {
    let changes: [Change<MotionRequest>; 8] = [
        ("num_frames", |m| m.num_frames = Some(9), &MOVING),
        ("num_inference_steps", |m| m.num_inference_steps = Some(24), &MOVING),
        ("conditioning_fps", |m| m.conditioning_fps = Some(8), &MOVING),
        ("motion_bucket_id", |m| m.motion_bucket_id = Some(126), &MOVING),
        ("noise_aug_strength", |m| m.noise_aug_strength = Some(0.03), &MOVING),
        ("min_guidance_scale", |m| m.min_guidance_scale = Some(1.5), &MOVING),
        ("max_guidance_scale", |m| m.max_guidance_scale = Some(3.5), &MOVING),
        ("decode_chunk_size", |m| m.decode_chunk_size = Some(2), &MOVING),
    ];
    covers(&changes, MOTION);
    let world = World::new();
    for (field, change, expected) in changes {
        assert_eq!(world.changed(|r| change(&mut r.motion)), expected, "{field}");
        let own = |r: &mut ScenesRequest| {
            let mut motion = MotionRequest::default();
            change(&mut motion);
            r.scenes.as_mut().unwrap()[2].motion = Some(motion);
        };
        assert_eq!(world.changed(own), expected, "{field} of the scene itself");
    }
}

#[test]
fn the_owner_the_program_and_the_models_files_change_everything() {
    let world = World::new();
    let spec = world.spec(request());
    let keys = world.keys(&spec);
    let others: [fn(&mut World); 4] = [
        |world| world.build = "2".into(),
        |world| world.owner = "b".into(),
        |world| world.model.identity = Some(Arc::new(identity(Precision::Bf16))),
        |world| world.model.identity = Some(Arc::new(identity(Precision::F32).with_additions(&[("ink".into(), "1".into())], &[]))),
    ];
    for change in others {
        let mut other = World::new();
        change(&mut other);
        assert_eq!(differing(&keys, &other.keys(&spec)), ALL);
    }
    // Facts of the model that decide no bit.
    let other = World { model: ModelInfo { remarks: vec!["a remark".into()], ..world.model.clone() }, ..World::new() };
    assert_eq!(differing(&keys, &other.keys(&spec)), [0; 0]);
    let mut unknown = World::new();
    unknown.model.identity = None;
    let Maker { build, owner, .. } = Maker { build: "1", owner: "a", model: &unknown.model, memory: &unknown.memory };
    assert_eq!(Maker { build, owner, model: &unknown.model, memory: &unknown.memory }.keys(&spec), None);
}

#[test]
fn the_memory_limit_changes_what_moves() {
    let plan = |limit| {
        let motion = MotionMemory::of(&nano_svd(), &ExecutionPolicy::cpu_f32()).unwrap();
        World { memory: MemoryPlan::new(None, (64, 64), Some(motion), Some(limit)), ..World::new() }
    };
    let spec = World::new().spec(request());
    let (large, small) = (plan(1 << 40), plan(1));
    assert_eq!(differing(&large.keys(&spec), &small.keys(&spec)), MOVING, "fewer frames are decoded together");
    assert_eq!(differing(&large.keys(&spec), &plan(1 << 41).keys(&spec)), [0; 0], "as long as they all are");
}

#[test]
fn adapters_change_everything_by_weight_and_by_file() {
    let world = World::new();
    let with = |lora: &str| ScenesRequest { loras: Some(vec![lora.parse().unwrap()]), ..request() };
    let keys = |request: ScenesRequest| world.keys(&world.spec(request));
    let first = keys(with("ink:0.5"));
    for other in ["ink:0.6", "ink:0.5:0.6", "ink:0.6:0.5"] {
        assert_eq!(differing(&first, &keys(with(other))), ALL, "{other}");
    }
    let none = keys(ScenesRequest { loras: Some(Vec::new()), ..request() });
    assert_eq!(differing(&none, &keys(request())), [0; 0], "without usual adapters");
    // The usual ones are those that a request may name as well.
    let usual = identity(Precision::F32).with_additions(&[], &["ink:0.5".parse().unwrap()]);
    let usual = World { model: ModelInfo { identity: Some(Arc::new(usual)), ..world.model.clone() }, ..World::new() };
    let spec = world.spec(request());
    assert_eq!(differing(&first, &usual.keys(&spec)), [0; 0]);
    let path = world.folder.path().join("ink.safetensors");
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    let named = world.spec(request());
    assert!(Maker { build: "1", owner: "a", model: &usual.model, memory: &usual.memory }.keys(&named).is_none(), "its file is gone");
    // Kept aside, so that the new file is another one.
    fs::write(world.folder.path().join("other"), &bytes).unwrap();
    fs::write(&path, &bytes).unwrap();
    assert_eq!(differing(&first, &keys(with("ink:0.5"))), ALL);
}

#[test]
fn a_key_does_not_depend_on_the_place() {
    let world = World::new();
    let pinned = || {
        let mut request = request();
        for (index, scene) in request.scenes.as_mut().unwrap().iter_mut().enumerate() {
            (scene.seed, scene.join) = (Some(index as i128), None);
        }
        request
    };
    let keys = |request: ScenesRequest| world.keys(&world.spec(request));
    let first = keys(pinned());
    let mut swapped = pinned();
    swapped.scenes.as_mut().unwrap().swap(0, 1);
    let swapped = keys(swapped);
    assert_eq!((first[0], first[2], first[4]), (swapped[2], swapped[0], swapped[4]));
    assert!(first[1] != swapped[1] && first[3] != swapped[3] && first[5..] == swapped[5..], "a join has a direction");
    // With seeds of their own, later scenes keep their keys when one is inserted; without them, their seeds change.
    let inserted = |mut request: ScenesRequest| {
        let scene = SceneRequest { prompt: Some("a bird".into()), seed: Some(50), ..SceneRequest::default() };
        request.scenes.as_mut().unwrap().insert(1, scene);
        keys(request)
    };
    let longer = inserted(pinned());
    assert_eq!((longer[0], &longer[4..]), (first[0], &first[2..]));
    let (first, longer) = (keys(request()), inserted(request()));
    assert_eq!(first[0], longer[0]);
    assert!((1..5).all(|scene| first[2 * scene] != longer[2 * scene + 2]));
}
