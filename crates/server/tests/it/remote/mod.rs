//! The flows of the documents with fakes of the services that they use, and the same flows without any service.

mod budget;
mod callbacks;
mod characters;
mod i2v;
mod local;
mod names;
mod openai;
mod tasks;
mod texts;
mod world;
