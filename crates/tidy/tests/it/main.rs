//! The project's rules that no compiler checks: headers, file sizes, file names, the floors between crates and between the modules of
//! some, circles of imports, and what only some crates may do.
//!
//! It reads text, not syntax trees: comments and test modules are cut off first, which is enough for sources that rustfmt has formatted.
#![expect(clippy::unwrap_used, clippy::print_stderr, reason = "a test stops at the first surprise and says what it saw")]

mod crates;
mod files;
mod imports;
mod manifest;
mod modules;
mod sources;

fn report(rule: &str, faults: &[String]) {
    assert!(faults.is_empty(), "{rule}:\n  {}", faults.join("\n  "));
}
