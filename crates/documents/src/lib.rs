//! Reads the project's Markdown and checks its links and command lines; for tests only.
//!
//! * [`Document::read_all`] reads every Markdown file of the checkout;
//! * [`link_faults`] lists relative links that lead nowhere;
//! * [`command_faults`] lists `cargo` and `scripts/` lines that name something that does not exist. Lines of `framewright` are checked by
//!   the crate `cli`, which has the program's own definition of them.
//!
//! It must not know what the documents say, and runs no command of theirs. Reference: CommonMark with GitHub's tables, front matter and
//! heading anchors.

mod command;
mod document;
mod links;
mod workspace;

pub use command::{Command, command_faults};
pub use document::Document;
pub use links::link_faults;
pub use workspace::Workspace;
