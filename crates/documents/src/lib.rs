//! Reads the project's Markdown and checks its links and command lines; for tests only.
//!
//! * [`Document::read_all`] reads every Markdown file of the checkout;
//! * [`link_faults`] lists broken relative links;
//! * [`command_faults`] lists `cargo` and `scripts/` lines that name something nonexistent. The crate `cli` checks `framewright` lines,
//!   with the program's own definition.
//!
//! It must not know the documents' contents, and runs none of their commands. Reference: CommonMark with GitHub's tables, front matter and
//! heading anchors.

mod command;
mod document;
mod links;
mod workspace;

pub use command::{Command, command_faults};
pub use document::Document;
pub use links::link_faults;
pub use workspace::Workspace;
