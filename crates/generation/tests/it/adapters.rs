//! Jobs with adapters on a real model: swaps, what images say of their adapters, and what is refused.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::Instant,
};

use diffusion_core::{
    adapters::{AdapterChoice, AdapterFolder},
    pipelines::{nano_sd, nano_svd},
    policy::{DeviceChoice, ExecutionPolicy, Precision},
    weights::WeightSource,
};
use generation::{
    Adapters, BackendError, FieldErrorKind, GeneratedImage, ImageRequest, ImageSpec, Limits, LoadedModel, LocalBackend, LocalSettings,
    ModelDefaults, ModelSetup, OpenModel, PoolSettings, jobs::Work,
};

use sha2::{Digest as _, Sha256};

use crate::fake::{held_only, hold, images};

/// A folder of adapters for nano-sd, removed with this.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new(name: &str) -> Self {
        let path = std::env::temp_dir().join(format!("framewright-generation-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        for (file, layer, channels) in [
            ("ink", "lora_unet_mid_block_attentions_0_proj_in", 128),
            ("wash", "lora_te_text_model_encoder_layers_0_mlp_fc1", 0),
            ("wide", "lora_unet_mid_block_attentions_0_proj_in", 130),
            ("changed", "lora_unet_mid_block_attentions_0_proj_in", 128),
        ] {
            let (up, down) = if channels == 0 { (text_shape().0, text_shape().1) } else { (channels, channels) };
            write(&path.join(format!("{file}.safetensors")), layer, up, down);
        }
        fs::write(path.join("broken.safetensors"), "not tensors").unwrap();
        fs::write(path.join("lfs.safetensors"), "version https://git-lfs.github.com/spec/v1\noid sha256:aa\nsize 3\n").unwrap();
        Self(path)
    }

    pub(crate) async fn backend(&self, usual: &[&str]) -> LocalBackend {
        self.backend_of(usual, || Ok(Box::new(nano_sd()))).await
    }

    /// A model that `reopen` opens again for other adapters.
    async fn backend_of(
        &self,
        usual: &[&str],
        reopen: impl Fn() -> diffusion_core::Result<Box<dyn WeightSource>> + Clone + Send + Sync + 'static,
    ) -> LocalBackend {
        self.backend_in(Precision::F32, usual, reopen).await
    }

    async fn backend_in(
        &self,
        precision: Precision,
        usual: &[&str],
        reopen: impl Fn() -> diffusion_core::Result<Box<dyn WeightSource>> + Clone + Send + Sync + 'static,
    ) -> LocalBackend {
        let folder = AdapterFolder::open(&self.0).unwrap();
        let usual: Vec<AdapterChoice> = usual.iter().map(|text| text.parse().unwrap()).collect();
        let defaults = ModelDefaults { loras: usual.clone(), ..ModelDefaults::default() };
        let open = move || {
            let adapters = Adapters::new(reopen.clone()).with_loras(folder.clone(), usual.clone());
            let policy = ExecutionPolicy::resolve(DeviceChoice::Cpu, precision)?;
            OpenModel::adapted(Box::new(nano_sd()), &policy, Box::new(nano_svd()), None, adapters)
        };
        let models = vec![ModelSetup::new("nano", open).with_defaults(defaults)];
        let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
        local.loaded().await.unwrap();
        local
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// (outputs, inputs) of the text encoder's first feed-forward layer.
fn text_shape() -> (usize, usize) {
    use diffusion_core::weights::{Component, TensorShape};
    let tensors = nano_sd().tensors(Component::TextEncoder).unwrap();
    let name = tensors.names().into_iter().find(|name| name.ends_with("encoder.layers.0.mlp.fc1.weight")).unwrap();
    match tensors.shape(&name) {
        Some(TensorShape::Known(shape)) => (shape[0], shape[1]),
        _ => panic!("{name} has no shape"),
    }
}

/// A LoRA of one layer and rank 1.
fn write(path: &Path, layer: &str, outputs: usize, inputs: usize) {
    let header = format!(
        r#"{{"{layer}.lora_up.weight":{{"dtype":"F32","shape":[{outputs},1],"data_offsets":[0,{up}]}},"{layer}.lora_down.weight":{{"dtype":"F32","shape":[1,{inputs}],"data_offsets":[{up},{all}]}}}}"#,
        up = 4 * outputs,
        all = 4 * (outputs + inputs),
    );
    let numbers = (0..outputs + inputs).flat_map(|index| (0.5 * (index as f32).sin()).to_le_bytes());
    let bytes: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
    fs::write(path, bytes).unwrap();
}

fn request(prompt: &str, loras: Option<&[&str]>) -> ImageRequest {
    ImageRequest {
        prompt: Some(prompt.into()),
        loras: loras.map(|loras| loras.iter().map(|text| text.parse().unwrap()).collect()),
        seed: Some(5),
        num_inference_steps: Some(2),
        ..ImageRequest::default()
    }
}

fn spec(local: &LocalBackend, request: ImageRequest) -> ImageSpec {
    request.validate(&Limits::default(), &local.model().unwrap()).unwrap()
}

async fn make(local: &LocalBackend, request: ImageRequest) -> Result<GeneratedImage, Arc<BackendError>> {
    make_spec(local, spec(local, request)).await
}

async fn make_spec(local: &LocalBackend, spec: ImageSpec) -> Result<GeneratedImage, Arc<BackendError>> {
    let jobs = held_only(1, local.clone());
    Ok(images(hold(&jobs, Work::Image(spec), None).await.unwrap()).await?.remove(0))
}

/// A model whose files have vanished is no fault of the request that chose an adapter, and its folder is nobody's business.
#[tokio::test]
async fn a_fault_of_the_model_is_not_blamed_on_the_adapter() {
    let folder = Folder::new("model");
    let gone = || Err(diffusion_core::Error::File { file: "/models/mine/unet.safetensors".into(), reason: "has vanished".into() });
    let local = folder.backend_of(&[], gone).await;
    let error = make(&local, request("a red circle", Some(&["ink"]))).await.unwrap_err();
    assert!(matches!(error.as_ref(), BackendError::Model(diffusion_core::Error::File { .. })), "{error:?}");
    assert_eq!(error.to_string(), "unet.safetensors: has vanished");
    assert!(make(&local, request("a red circle", None)).await.is_ok(), "the model is as it was");
}

/// Forty swaps among the model alone and four sets: each image is the one after a fresh start, and the model is loaded once.
#[tokio::test]
async fn swaps_of_adapters_change_no_image_and_load_no_model() {
    let folder = Folder::new("swaps");
    let sets: [&[&str]; 5] = [&[], &["ink"], &["ink:-0.5"], &["wash:0.7", "ink:0.3"], &["wash"]];
    let mut fresh = Vec::new();
    for set in sets {
        fresh.push(make(&folder.backend(&[]).await, request("a boat", Some(set))).await.unwrap().png);
    }
    for (index, one) in fresh.iter().enumerate() {
        assert!(!fresh[..index].contains(one), "set {index} changes nothing");
    }
    let local = folder.backend(&[]).await;
    for round in 0..40 {
        let set = round * 3 % 5;
        assert!(make(&local, request("a boat", Some(sets[set]))).await.unwrap().png == fresh[set], "set {set} in round {round}");
    }
    assert_eq!(local.models()[0].loads, 1);
}

#[tokio::test]
async fn tags_and_the_models_own_adapters_act_like_the_field() {
    let folder = Folder::new("tags");
    let local = folder.backend(&["wash:0.7"]).await;
    let by_field = make(&local, request("a boat", Some(&["wash:0.7", "ink:0.3:0.2"]))).await.unwrap();
    let by_tag = make(&local, request("a boat<lora:ink:0.2:0.3>", None)).await.unwrap();
    assert!(by_field.png == by_tag.png);
    let text = &by_field.parameters;
    assert!(text.starts_with("a boat<lora:wash:0.7><lora:ink:0.2:0.3>\n"), "{text}");
    let hashes = text.split_once("Lora hashes: ").unwrap().1;
    assert!(hashes.starts_with("\"wash: ") && hashes.contains(", ink: "), "{text}");
    let hash = hashes.trim_start_matches("\"wash: ").split(',').next().unwrap();
    assert!(hash.len() == 12 && hash.bytes().all(|byte| byte.is_ascii_hexdigit()), "{hash}");
    // An empty list is none at all.
    let none = make(&local, request("a boat", Some(&[]))).await.unwrap();
    assert!(none.png != by_field.png && !none.parameters.contains("ora"), "{}", none.parameters);
    // A stored job has them too.
    let stored = serde_json::to_string(&Work::Image(spec(&local, request("a boat <lora:ink>", None)))).unwrap();
    assert!(stored.contains(r#""loras":["wash:0.7:0.7","ink:1:1"]"#), "{stored}");
    assert_eq!(serde_json::to_string(&serde_json::from_str::<Work>(&stored).unwrap()).unwrap(), stored);
}

#[tokio::test]
async fn adapters_that_cannot_be_used_are_refused_and_the_model_stays() {
    let folder = Folder::new("refused");
    let local = folder.backend(&[]).await;
    let before = make(&local, request("a boat", None)).await.unwrap().png;
    let model = local.model().unwrap();
    for (request, field, message) in [
        (request("a boat", Some(&["../ink"])), "loras", "is no adapter's name"),
        (request("a boat", Some(&["broken"])), "loras", "broken: is a text file, not weights"),
        (
            request("a boat<lora:lfs>", None),
            "prompt",
            "lfs: is a Git LFS pointer, not the weights themselves: fetch them with `git lfs pull`",
        ),
        (request("a boat <lora:pen>", None), "prompt", "\"pen\" is none of the adapters here: broken, changed, ink and 3 more"),
        (request("a boat <lora:ink:strong>", None), "prompt", "\"strong\" in \"ink:strong\" is no weight"),
        (
            request("a boat <lora:ink:strength=3>", None),
            "prompt",
            "\"strength\" in \"ink:strength=3\" is unknown: a tag is <lora:NAME:WEIGHT>",
        ),
        (request("a boat <lora:ink:1:1:7>", None), "prompt", "has more than a name and two weights"),
        (request(&format!("a boat{}", "<lora:ink>".repeat(17)), None), "prompt", "its tags make 17 adapters"),
        (request("<lora:ink>", None), "prompt", "has adapters' tags only"),
        (request("a boat", Some(&["ink"; 17])), "loras", "at most 16"),
    ] {
        let errors = request.validate(&Limits::default(), &model).unwrap_err();
        assert_eq!(errors[0].field, field);
        assert!(errors[0].message.contains(message), "{}", errors[0].message);
    }
    let wild = AdapterChoice { name: "ink".into(), unet_weight: f64::NAN, text_weight: 1.0 };
    let errors = ImageRequest { loras: Some(vec![wild]), ..request("a boat", None) }.validate(&Limits::default(), &model).unwrap_err();
    assert!(matches!(&errors[0].kind, FieldErrorKind::Value { error } if error.contains("NaN")), "{errors:?}");
    // These show only when the file is read.
    let changed = spec(&local, request("a boat", Some(&["changed"])));
    fs::write(folder.0.join("changed.safetensors"), "not tensors").unwrap();
    let wide = spec(&local, request("a boat", Some(&["wide"])));
    for (name, spec, message) in
        [("wide", wide, "wide: was made for another model: 1 of its layers do not fit"), ("changed", changed, "changed: is a text file")]
    {
        let error = make_spec(&local, spec).await.unwrap_err();
        let (field, reason) = error.refusal().unwrap_or_else(|| panic!("{name}: {error}"));
        assert_eq!(field, "loras");
        assert!(reason.starts_with(message) && !reason.contains('/'), "{reason}");
    }
    assert_eq!(model.usable_adapters(), ["ink", "wash", "wide"]);
    assert!(make(&local, request("a boat", None)).await.unwrap().png == before);
    assert_eq!(local.models()[0].loads, 1);
    // Without a folder, a tag is text, and the answer says so.
    let plain = generation_test::info();
    let remarks = request("a boat <lora:ink>", None).validate(&Limits::default(), &plain).unwrap().remarks_on(&plain);
    assert!(remarks[0].contains("adapters.folder"), "{remarks:?}");
    assert!(request("a boat", Some(&["ink"])).validate(&Limits::default(), &plain).is_err());
    let negative = ImageRequest { negative_prompt: Some("rain <lora:ink>".into()), ..request("a boat", None) };
    let remarks = negative.validate(&Limits::default(), &model).unwrap().remarks_on(&model);
    assert!(remarks[0].contains("of negative_prompt is read as text"), "{remarks:?}");
}

/// Adapters that the operator chose are not the request's fault, and not needed by a request that chooses none.
#[tokio::test]
async fn a_usual_adapter_that_is_gone_fails_only_those_who_need_it() {
    let folder = Folder::new("gone");
    let local = folder.backend(&["ink"]).await;
    fs::remove_file(folder.0.join("ink.safetensors")).unwrap();
    assert!(make(&local, request("a boat", Some(&[]))).await.is_ok());
    let error = make(&local, request("a boat", None)).await.unwrap_err();
    assert_eq!(error.refusal(), None, "{error}");
    assert_eq!(error.to_string(), "models.loras: \"ink\" is none of the adapters here: broken, changed, lfs and 2 more");
    assert!(make(&local, request("a boat", Some(&["wash"]))).await.is_ok());
}

/// A LoRA whose products exceed every weight of a model is a fault of the request that chose it.
#[tokio::test]
async fn numbers_that_overflow_are_the_adapters_fault() {
    let folder = Folder::new("huge");
    scale(&folder.0.join("ink.safetensors"), 1e25);
    let local = folder.backend(&[]).await;
    let before = make(&local, request("a boat", Some(&["wash"]))).await.unwrap().png;
    for name in ["ink", "ink:1e-3"] {
        let error = make(&local, request("a boat", Some(&[name]))).await.unwrap_err();
        let (field, reason) = error.refusal().unwrap_or_else(|| panic!("{error}"));
        assert_eq!(field, "loras");
        assert!(reason.starts_with("ink: makes mid_block.attentions.0.proj_in.weight of the unet "), "{reason}");
        assert!(reason.contains("where a weight is at most 65504"), "{reason}");
    }
    assert!(make(&local, request("a boat", Some(&["wash"]))).await.unwrap().png == before);
}

/// Weights that fit f16, and sums that do not.
#[tokio::test]
async fn an_image_that_overflows_under_an_adapter_is_the_adapters_fault() {
    let folder = Folder::new("overflow");
    scale(&folder.0.join("ink.safetensors"), 400.0);
    let local = folder.backend_in(Precision::F16, &[], || Ok(Box::new(nano_sd()))).await;
    let error = make(&local, request("a boat", Some(&["ink"]))).await.unwrap_err();
    let (field, reason) = error.refusal().unwrap_or_else(|| panic!("{error}"));
    assert_eq!(field, "loras");
    assert!(
        reason.starts_with("ink: with these adapters, the model produced non-finite numbers in ") && reason.contains("f16"),
        "{reason}"
    );
    assert!(make(&local, request("a boat", None)).await.is_ok());
}

/// Multiplies the numbers of a file.
fn scale(path: &Path, factor: f32) {
    let mut bytes = fs::read(path).unwrap();
    let start = 8 + usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    for number in bytes[start..].chunks_exact_mut(4) {
        let value = f32::from_le_bytes((&*number).try_into().unwrap()) * factor;
        number.copy_from_slice(&value.to_le_bytes());
    }
    fs::write(path, bytes).unwrap();
}

/// AUTOMATIC1111 drops the tags of networks that it does not know, and its names are in lower case.
#[tokio::test]
async fn tags_of_unknown_networks_leave_a_prompt_of_automatic1111() {
    let folder = Folder::new("networks");
    let local = folder.backend(&[]).await;
    let model = local.model().unwrap();
    let of = |prompt: &str| ImageRequest { prompt_syntax: Some("a1111".into()), ..request(prompt, None) };
    let spec = of("a boat <LoRA:ink:1><lora:ink:0.5>").validate(&Limits::default(), &model).unwrap();
    assert_eq!((spec.prompt(), spec.loras().len()), ("a boat ", 1));
    let remarks = spec.remarks_on(&model);
    assert!(remarks[0].starts_with("<LoRA:ink:1> left out of the prompt, as AUTOMATIC1111 does"), "{remarks:?}");
    let errors = of("<LoRA:ink:1>").validate(&Limits::default(), &model).unwrap_err();
    assert!(errors[0].message.contains("has tags of unknown networks only"), "{errors:?}");
    // In other syntaxes they are text.
    let plain = request("a boat <LoRA:ink:1>", None).validate(&Limits::default(), &model).unwrap();
    assert_eq!((plain.prompt(), plain.remarks_on(&model).len()), ("a boat <LoRA:ink:1>", 0));
}

/// A command loads the model for one job: its adapters' faults are those of the load, before the model's weights are read.
#[tokio::test]
async fn a_model_for_one_job_is_not_loaded_with_adapters_that_do_not_fit() {
    let folder = Folder::new("only");
    for (usual, only, setting, message) in [
        (&[][..], "wide", "loras", "loras: wide: was made for another model"),
        (&[], "lfs", "loras", "loras: lfs: is a Git LFS pointer"),
        (&["wide"], "wide", "models.loras", "models.loras: wide: was made for another model"),
        (&["lfs"], "lfs", "models.loras", "models.loras: lfs: is a Git LFS pointer"),
    ] {
        let choices = |names: &[&str]| names.iter().map(|name| name.parse().unwrap()).collect::<Vec<AdapterChoice>>();
        let adapters = Adapters::new(|| Ok(Box::new(nano_sd())))
            .with_loras(AdapterFolder::open(&folder.0).unwrap(), choices(usual))
            .for_job(choices(&[only]));
        let load =
            move || LoadedModel::load_adapted(Box::new(nano_sd()), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None, adapters);
        let local = LocalBackend::start(LocalSettings::new(Instant::now), load).unwrap();
        let reason = local.loaded().await.unwrap_err();
        assert!(reason.starts_with(message) && !reason.contains('/'), "{reason}");
        assert_eq!(local.refused_setting(), Some(setting));
    }
}

#[tokio::test]
async fn keys_that_fit_no_layer_are_remarked_on() {
    let folder = Folder::new("remarks");
    // The same LoRA with one more layer.
    let path = folder.0.join("more.safetensors");
    write(&path, "lora_unet_mid_block_attentions_0_proj_in", 128, 128);
    let bytes = fs::read(&path).unwrap();
    let length = usize::try_from(u64::from_le_bytes(bytes[..8].try_into().unwrap())).unwrap();
    let header = String::from_utf8(bytes[8..8 + length].to_vec()).unwrap();
    let end = bytes.len() - 8 - length;
    let more = format!(
        r#"{},"lora_unet_nowhere.lora_up.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[{end},{}]}},"lora_unet_nowhere.lora_down.weight":{{"dtype":"F32","shape":[1,1],"data_offsets":[{},{}]}}}}"#,
        header.strip_suffix('}').unwrap(),
        end + 4,
        end + 4,
        end + 8,
    );
    let all = [&(more.len() as u64).to_le_bytes()[..], more.as_bytes(), &bytes[8 + length..], &[0; 8]].concat();
    fs::write(&path, all).unwrap();
    let local = folder.backend(&[]).await;
    let image = make(&local, request("a boat", Some(&["more"]))).await.unwrap();
    assert_eq!(image.remarks.len(), 1, "{:?}", image.remarks);
    assert!(image.remarks[0].starts_with("adapter more: 2 keys fit no layer of this model and are not applied: "), "{:?}", image.remarks);
    assert!(make(&local, request("a boat", Some(&["ink"]))).await.unwrap().remarks.is_empty());
    assert!(make(&local, request("a boat", None)).await.unwrap().remarks.is_empty());
}

/// As after an unload: the model is loaded when its usual adapter is gone already.
#[tokio::test]
async fn a_model_whose_usual_adapter_is_gone_is_loaded_for_those_who_do_not_need_it() {
    let folder = Folder::new("gone-before");
    fs::remove_file(folder.0.join("ink.safetensors")).unwrap();
    let local = folder.backend(&["ink"]).await;
    assert!(make(&local, request("a boat", Some(&[]))).await.is_ok());
    assert!(make(&local, request("a boat", Some(&["wash"]))).await.is_ok());
    let error = make(&local, request("a boat", None)).await.unwrap_err();
    assert_eq!(error.to_string(), "models.loras: \"ink\" is none of the adapters here: broken, changed, lfs and 2 more");
    let remarks = local.model().unwrap().remarks.clone();
    assert!(
        remarks.iter().any(|remark| remark.starts_with("the model is loaded without its usual adapters: models.loras: ")),
        "{remarks:?}"
    );
}

/// As the web UI writes them: each embedding that is a word of a prompt, by the SHA-256 of its file.
#[tokio::test]
async fn images_name_the_hashes_of_the_embeddings_that_they_used() {
    let folder = Folder::new("embeddings");
    let words = folder.0.join("words");
    fs::create_dir(&words).unwrap();
    let mut hashes = Vec::new();
    for (name, scale) in [("Cat:toy, old", 1.0_f32), ("dim", 2.0)] {
        let header = r#"{"emb_params":{"dtype":"F32","shape":[1,128],"data_offsets":[0,512]}}"#;
        let numbers = (0..128).flat_map(|index| (scale * 0.02 * (index as f32).cos()).to_le_bytes());
        let bytes: Vec<u8> = (header.len() as u64).to_le_bytes().into_iter().chain(header.bytes()).chain(numbers).collect();
        fs::write(words.join(format!("{name}.safetensors")), &bytes).unwrap();
        let digest = Sha256::digest(&bytes);
        hashes.push(digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    let open = move || {
        let adapters = Adapters::new(|| Ok(Box::new(nano_sd()))).with_embeddings(words.clone());
        OpenModel::adapted(Box::new(nano_sd()), &ExecutionPolicy::cpu_f32(), Box::new(nano_svd()), None, adapters)
    };
    let models = vec![ModelSetup::new("nano", open)];
    let local = LocalBackend::start_pool(LocalSettings::new(Instant::now), models, PoolSettings::default()).unwrap();
    local.loaded().await.unwrap();
    let written = async |prompt: &str, negative: &str, guidance: f64| {
        let request = ImageRequest { negative_prompt: Some(negative.into()), guidance_scale: Some(guidance), ..request(prompt, None) };
        let parameters = make(&local, request).await.unwrap().parameters;
        parameters.split_once("TI hashes: ").map(|(_, rest)| rest.split_once(", RNG").unwrap().0.to_owned())
    };
    let [cat, dim] = &hashes[..] else { panic!("two are written") };
    assert_eq!(written("a boat", "", 5.0).await, None);
    assert_eq!(written("a DIM boat", "", 5.0).await, Some(format!("\"dim: {dim}\"")));
    // Separators leave the name, as in the web UI; a negative prompt counts where it is read.
    let both = format!("\"dim: {dim}, Cattoy old: {cat}\"");
    assert_eq!(written("dim, dim", "a cat:toy, old", 5.0).await, Some(both));
    assert_eq!(written("a boat", "dim", 1.0).await, None);
}

#[tokio::test]
async fn tags_in_the_texts_of_a_video_are_remarked_on() {
    let folder = Folder::new("videos");
    let model = folder.backend(&[]).await.model().unwrap();
    assert!(model.remarks_on_texts(["a boat", "a < b"]).is_empty());
    let remarks = model.remarks_on_texts(["a boat", "rain <lora:ink>", "<lora:ink:strength=3>"]);
    assert!(remarks.len() == 1 && remarks[0].contains("is read as text: adapters are chosen by tags of the prompts only"), "{remarks:?}");
}
