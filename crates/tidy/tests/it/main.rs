//! Project rules that the compiler does not check: headers, file sizes, file names, floors between crates and between the modules of some,
//! import cycles, and APIs that only some crates may use.
//!
//! It reads text, not syntax trees: comments and test modules are removed first, which is enough for sources formatted by rustfmt.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at the first surprise and prints it")]

mod crates;
mod files;
mod imports;
mod manifest;
mod modules;
mod sources;

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
