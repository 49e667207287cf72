//! The flows of the documents over fakes of the services that they ask, and the same flows without any of them.

mod budget;
mod callbacks;
mod characters;
mod i2v;
mod local;
mod names;
mod tasks;
mod texts;
mod world;
