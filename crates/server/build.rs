//! Makes Cargo build the crate again when the page in `ui/dist`, which is compiled in, has changed.
//!
//! Invariant: a checkout without a built page builds too; its server then has no page, and says how to get one.

use std::path::Path;

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let page = "ui/dist";
    if Path::new(page).join("index.html").is_file() {
        println!("cargo::rerun-if-changed={page}");
    } else {
        // The folder that it will be in: a path that does not exist would make Cargo run this script at every build.
        println!("cargo::rerun-if-changed=ui");
        println!("cargo::warning=this build has no page for browsers: scripts/page builds crates/server/{page}, and needs Node.js");
    }
}
