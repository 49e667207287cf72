//! Lists the files of `models/nano-sd` and `models/nano-svd` for `include_bytes!`, so that the program carries the models.
//!
//! The script does not interpret the files. Invariant: a table holds every `.json`, `.txt` and `.safetensors` file of its folder, sorted by
//! name, so that the same checkout builds the same program. A checkout without the folder builds too; its table is then empty, and loading
//! the embedded model fails with a clear error.

use std::{
    env,
    error::Error,
    fmt::Write as _,
    fs,
    path::{Path, PathBuf},
};

/// The models' folders, and the generated files that list their contents.
const TABLES: [(&str, &str); 2] = [("nano-sd", "nano_sd_files.rs"), ("nano-svd", "nano_svd_files.rs")];

fn main() -> Result<(), Box<dyn Error>> {
    let models = Path::new(&env::var("CARGO_MANIFEST_DIR")?).join("../../models");
    // A path that does not exist would make Cargo run this script at every build.
    println!("cargo::rerun-if-changed=build.rs");
    if models.is_dir() {
        println!("cargo::rerun-if-changed={}", models.display());
    }
    let out = PathBuf::from(env::var("OUT_DIR")?);
    for (model, table) in TABLES {
        fs::write(out.join(table), list(&models.join(model))?)?;
    }
    Ok(())
}

/// The table of a model's folder, as a Rust expression.
fn list(folder: &Path) -> Result<String, Box<dyn Error>> {
    let mut files = Vec::new();
    if folder.is_dir() {
        collect(folder, &mut files)?;
    }
    files.sort();
    let mut table = String::from("&[\n");
    for file in &files {
        let name = file.strip_prefix(folder)?.to_str().ok_or("a file name that is not UTF-8")?.replace('\\', "/");
        let path = file.canonicalize()?;
        let path = path.to_str().ok_or("a path that is not UTF-8")?;
        writeln!(table, "    ({name:?}, include_bytes!({path:?})),")?;
    }
    table.push(']');
    Ok(table)
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
