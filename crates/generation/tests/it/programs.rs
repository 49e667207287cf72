//! Where the examples lie that tests run as processes of their own.

use std::path::PathBuf;

/// An example's program. Cargo builds examples with the tests, next to the tests' own folder.
pub(crate) fn example(name: &str) -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let path = test.parent().unwrap().parent().unwrap().join("examples").join(name).with_extension(std::env::consts::EXE_EXTENSION);
    let advice = "`cargo test` builds it, if it is given names of tests behind `--` only";
    assert!(path.exists(), "{} is missing; {advice}", path.display());
    path
}
