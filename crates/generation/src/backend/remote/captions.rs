//! Where a prompt comes from that is read from a picture: a service's interrogator, or a model of this machine.

pub use remote_providers::Interrogator as Captions;
