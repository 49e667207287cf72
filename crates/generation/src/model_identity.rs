//! What tells one loaded model from another: its files, as they were when it was loaded, and all else that decides its results.
//!
//! It must not know requests. The invariants: two models with the same identity give the same result for the same request; an identity that
//! cannot be known is absent, and is never guessed; a weight file is identified by its name, length and times, without being read.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use diffusion_core::{
    adapters::AdapterChoice,
    policy::ExecutionPolicy,
    weights::{Component, WeightSource},
};
use sha2::{Digest as _, Sha256};

use crate::artifact::hexadecimal;

/// The components of an image model, and those of a motion model.
const IMAGE: [Component; 9] = [
    Component::ModelIndex,
    Component::Unet,
    Component::Vae,
    Component::TinyVae,
    Component::TextEncoder,
    Component::TextEncoder2,
    Component::Tokenizer,
    Component::Tokenizer2,
    Component::Scheduler,
];
const MOTION: [Component; 6] =
    [Component::ModelIndex, Component::Unet, Component::Vae, Component::ImageEncoder, Component::FeatureExtractor, Component::Scheduler];
/// The files of a component that are neither its configuration nor its weights.
const OTHER_FILES: [&str; 5] = ["vocab.json", "merges.txt", "tokenizer.json", "special_tokens_map.json", "added_tokens.json"];

/// The identity of a loaded model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelIdentity {
    images: String,
    motion: String,
    /// The weight files, and their stamps when the model was loaded; `None` for one that is no file, but a part of the program.
    files: BTreeMap<PathBuf, Option<String>>,
    /// The adapters of requests that choose none.
    usual: Vec<(String, u64, u64)>,
}

impl ModelIdentity {
    /// The identity of a model that is about to be loaded from these sources. Reads configurations, and no tensor.
    pub(crate) fn of(images: &dyn WeightSource, motion: &dyn WeightSource, policy: &ExecutionPolicy) -> Self {
        let mut files = BTreeMap::new();
        let ExecutionPolicy { device: _, text_encoder, unet, vae, encodes: _, reason: _ } = policy;
        let place = format!("{} {} {} {}", policy.device_name(), text_encoder.as_str(), unet.as_str(), vae.as_str());
        let (images, motion) = (digest(images, &IMAGE, &place, &mut files), digest(motion, &MOTION, &place, &mut files));
        Self { images, motion, files, usual: Vec::new() }
    }

    /// Adds what is loaded beside the model's own files: the words of its prompts, as names and hashes, and its usual adapters.
    pub(crate) fn with_additions(self, words: &[(String, String)], usual: &[AdapterChoice]) -> Self {
        let words: String = words.iter().map(|(name, hash)| format!("\n{name:?} {hash}")).collect();
        let images = format!("{}{words}", self.images);
        let usual = usual.iter().map(|one| (one.name.clone(), one.unet_weight.to_bits(), one.text_weight.to_bits())).collect();
        Self { images, usual, ..self }
    }

    /// Whether the files are still those that it was made of.
    pub(crate) fn is_current(&self) -> bool {
        self.files.iter().all(|(path, stamp)| stamp_of(path) == *stamp)
    }

    /// What identifies the image model.
    pub(crate) fn images(&self) -> &str {
        &self.images
    }

    /// What identifies the motion model.
    pub(crate) fn motion(&self) -> &str {
        &self.motion
    }

    /// The adapters of requests that choose none.
    pub(crate) fn usual(&self) -> Vec<AdapterChoice> {
        let choice = |(name, unet, text): &(String, u64, u64)| AdapterChoice {
            name: name.clone(),
            unet_weight: f64::from_bits(*unet),
            text_weight: f64::from_bits(*text),
        };
        self.usual.iter().map(choice).collect()
    }
}

/// A file's length and times, which change with its content; `None` if there is no such file.
pub(crate) fn stamp_of(path: &Path) -> Option<String> {
    let metadata = fs::metadata(path).ok()?;
    let mut stamp = format!("{} {:?}", metadata.len(), metadata.modified().ok()?);
    #[cfg(unix)]
    {
        use std::os::unix::fs::MetadataExt as _;
        // Copies may keep the length and the time of change of their content.
        stamp.push_str(&format!(" {} {}.{}", metadata.ino(), metadata.ctime(), metadata.ctime_nsec()));
    }
    Some(stamp)
}

/// The digest of a model's configurations and small files, and of the stamps of its weight files, which are added to `files`.
fn digest(source: &dyn WeightSource, components: &[Component], place: &str, files: &mut BTreeMap<PathBuf, Option<String>>) -> String {
    let mut hasher = Sha256::new();
    let mut add = |name: &str, value: &[u8]| {
        for bytes in [name.as_bytes(), value] {
            hasher.update((bytes.len() as u64).to_le_bytes());
            hasher.update(bytes);
        }
    };
    add("name", source.name().as_bytes());
    add("place", place.as_bytes());
    add("autoencoders", format!("{:?} {:?}", source.vaes(), source.other_vae()).as_bytes());
    add("text encoders", format!("{:?}", source.other_text_encoders()).as_bytes());
    for component in components {
        add("component", component.to_string().as_bytes());
        // A component that is missing here is missing to the load, too.
        if let Ok(config) = source.config(*component) {
            add("configuration", config.to_string().as_bytes());
        }
        for name in OTHER_FILES {
            if let Ok(Some(bytes)) = source.file(*component, name) {
                add(name, &bytes);
            }
        }
        let Ok(tensors) = source.tensors(*component) else { continue };
        let mut paths: Vec<PathBuf> = tensors.names().iter().map(|tensor| tensors.file_of(tensor)).collect();
        paths.sort();
        paths.dedup();
        for path in paths {
            let stamp = stamp_of(&path);
            add("weights", path.as_os_str().as_encoded_bytes());
            add("stamp", stamp.as_deref().unwrap_or_default().as_bytes());
            files.insert(path, stamp);
        }
    }
    hexadecimal(&hasher.finalize())
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use diffusion_core::{
        pipelines::{nano_sd, nano_svd},
        policy::{DeviceChoice, Precision},
        weights::{OpenOptions, open_model},
    };

    use super::*;

    fn of(images: &dyn WeightSource, precision: Precision) -> ModelIdentity {
        ModelIdentity::of(images, &nano_svd(), &ExecutionPolicy::resolve(DeviceChoice::Cpu, precision).unwrap())
    }

    #[test]
    fn an_embedded_model_has_one_identity_for_each_precision() {
        let one = of(&nano_sd(), Precision::F32);
        assert_eq!(one, of(&nano_sd(), Precision::F32));
        assert!(one.is_current() && one.images() != one.motion());
        let half = of(&nano_sd(), Precision::Bf16);
        assert!(half.images() != one.images() && half.motion() != one.motion());
    }

    #[test]
    fn words_and_usual_adapters_are_a_part_of_it() {
        let plain = of(&nano_sd(), Precision::F32);
        let word = |hash: &str| plain.clone().with_additions(&[("ink".to_owned(), hash.to_owned())], &[]);
        assert!(word("a").images() != plain.images() && word("a").images() != word("b").images());
        let choice: AdapterChoice = "ink:0.5".parse().unwrap();
        assert_eq!(plain.with_additions(&[], std::slice::from_ref(&choice)).usual(), [choice]);
    }

    fn copy(from: &Path, to: &Path) {
        fs::create_dir_all(to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap) {
            let to = to.join(entry.file_name());
            if entry.path().is_dir() { copy(&entry.path(), &to) } else { fs::copy(entry.path(), to).map(drop).unwrap() }
        }
    }

    #[test]
    fn every_changed_file_of_a_folder_changes_it() {
        let folder = tempfile::tempdir().unwrap();
        copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../models/nano-sd")), folder.path());
        let now = || of(open_model(folder.path(), &OpenOptions::default()).unwrap().as_ref(), Precision::F32);
        let first = now();
        assert_eq!(first, now());
        let weights = first.files.keys().next().unwrap().clone();
        // The same bytes in another file, as an update leaves them: it may be another model.
        let bytes = fs::read(&weights).unwrap();
        fs::remove_file(&weights).unwrap();
        assert!(!first.is_current());
        fs::write(&weights, bytes).unwrap();
        assert!(!first.is_current());
        let second = now();
        assert!(second.is_current() && second.images() != first.images());
        let config = folder.path().join("scheduler/scheduler_config.json");
        let text = fs::read_to_string(&config).unwrap();
        fs::write(&config, text.replacen('{', "{\"added\": 1,", 1)).unwrap();
        assert_ne!(now().images(), second.images());
        assert_eq!(now().motion(), second.motion());
    }
}
