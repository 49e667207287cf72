//! Lists the files of `models/nano-sd` for `include_bytes!`, so that the program carries the model.
//!
//! It must not know what the files mean. The invariant: the table holds every `.json`, `.txt` and `.safetensors` file of the folder,
//! sorted by name, so that the same checkout builds the same program. A checkout without the folder builds too; the table is then
//! empty and loading the embedded model fails with a clear error.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

fn main() -> Result<(), Box<dyn Error>> {
    let models = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../models");
    // A path that does not exist would make Cargo run this script at every build.
    println!("cargo::rerun-if-changed=build.rs");
    if models.is_dir() {
        println!("cargo::rerun-if-changed={}", models.display());
    }
    let folder = models.join("nano-sd");
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(&folder, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(&folder)?.to_str().ok_or("a file name that is not UTF-8")?.replace('\\', "/");
        let path = file.canonicalize()?;
        let path = path.to_str().ok_or("a path that is not UTF-8")?;
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    table.push(']');
    fs::write(PathBuf::from(env::var("OUT_DIR")?).join("nano_sd_files.rs"), table)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
        if path.is_dir() {
            collect(&path, files)?;
        } else if matches!(extension, "json" | "safetensors" | "txt") {
            files.push(path);
        }
    }
    Ok(())
}
