//! Textual inversion: files whose vectors a text encoder reads as a word of the prompt.
//!
//! This module must not depend on prompts or text encoders. Invariant: an [`Embedding`] has finite vectors of one width, at least one and
//! no more than a prompt has room for. Reference: `create_embedding_from_data` of stable-diffusion-webui's
//! modules/textual_inversion/textual_inversion.py, and diffusers' `loaders/textual_inversion.py`.

use std::path::{Path, PathBuf};

use candle_core::Tensor;

use super::{check_finite, first_tensors};
use crate::{
    Error, Result,
    weights::{self, Component, GivenAs, TensorFile},
};

/// The endings of embedding files.
const EXTENSIONS: [&str; 3] = ["safetensors", "pt", "bin"];
/// The most vectors of a word: the tokens of a prompt.
const MOST_VECTORS: usize = 75;
/// The tensor's names: AUTOMATIC1111's and newer trainers'.
const KEYS: [&str; 2] = ["string_to_param.*", "emb_params"];
/// The names of Stable Diffusion XL's tensors, for the first and for the second text encoder.
const XL_KEYS: [&str; 2] = ["clip_l", "clip_g"];

/// A word's vectors.
#[derive(Clone, Debug)]
pub struct Embedding {
    /// The word: the file's name without its ending.
    pub name: String,
    path: PathBuf,
    /// The vectors for each text encoder that the file knows, [vectors, width], f32 on the CPU; at least one tensor.
    parts: Vec<Tensor>,
}

impl Embedding {
    /// Reads a file. A pickle is read without running anything that it calls.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::File`] or [`Error::Weights`] if it cannot be read or is no embedding.
    pub fn open(path: &Path) -> Result<Self> {
        let file = TensorFile::open(path, |_| Component::TextEncoder)?;
        let keys: Vec<String> = file.shapes().map(|(key, _)| key.to_owned()).collect();
        let has = |known: &&&str| keys.iter().any(|key| key == **known);
        let of_xl: Vec<&str> = XL_KEYS.iter().filter(has).copied().collect();
        // diffusers names the one tensor by its word.
        let own = match (of_xl.as_slice(), KEYS.iter().find(has), keys.as_slice()) {
            ([_, ..], _, _) => of_xl,
            ([], Some(key), _) => vec![*key],
            ([], None, [key]) => vec![key.as_str()],
            ([], None, _) => {
                let what = weights::instead_of(GivenAs::Embedding, &file.shapes().collect::<Vec<_>>());
                return Err(file.fail(
                    what.unwrap_or_else(|| format!("is no embedding that is known here; its tensors are {}", first_tensors(&file, &keys))),
                ));
            }
        };
        let parts = own.into_iter().map(|key| read_vectors(&file, key)).collect::<Result<_>>()?;
        let name = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        Ok(Self { name, path: path.to_owned(), parts })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The vectors for a text encoder of this width.
    pub(crate) fn of_width(&self, width: usize) -> Option<&Tensor> {
        self.parts.iter().find(|vectors| vectors.dims().get(1) == Some(&width))
    }

    /// The widths of its vectors.
    pub(crate) fn widths(&self) -> Vec<usize> {
        self.parts.iter().filter_map(|vectors| vectors.dims().get(1).copied()).collect()
    }

    /// Reads a folder's files, in the order of their names; returns a remark for each file that cannot be used, too.
    ///
    /// # Errors
    /// [`Error::Io`] if the folder cannot be read.
    pub fn open_folder(folder: &Path) -> Result<(Vec<Self>, Vec<String>)> {
        let io = |source| Error::Io { path: folder.to_owned(), source };
        let mut paths = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            let is_embedding = path.extension().and_then(|ending| ending.to_str()).is_some_and(|ending| EXTENSIONS.contains(&ending));
            if is_embedding && path.is_file() {
                paths.push(path);
            }
        }
        paths.sort();
        let (mut embeddings, mut remarks) = (Vec::new(), Vec::new());
        for path in paths {
            match Self::open(&path) {
                Ok(embedding) => embeddings.push(embedding),
                Err(error) => remarks.push(format!("an embedding is left out: {error}")),
            }
        }
        Ok((embeddings, remarks))
    }
}

fn read_vectors(file: &TensorFile, key: &str) -> Result<Tensor> {
    let vectors = file.read(key)?;
    let shape = vectors.dims().to_vec();
    let vectors = if shape.len() == 1 { vectors.unsqueeze(0)? } else { vectors };
    match vectors.dims() {
        [1..=MOST_VECTORS, width] if *width > 0 => {}
        _ => return Err(file.fail(format!("{key} has the shape {shape:?}, but a word has 1 to {MOST_VECTORS} vectors"))),
    }
    check_finite(file, key)?;
    Ok(vectors)
}
