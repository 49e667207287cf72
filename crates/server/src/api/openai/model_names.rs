//! Names of models that programs for OpenAI's API send unless they are told otherwise.
//!
//! No model here has them, and such programs may not let their users choose another one. The invariant: such a name stands for the
//! operator's default, and the answer says so. A model to which the operator gave the name is always preferred, and any other unknown name
//! is refused with the known ones.

use crate::{http::Problem, state::Services};

/// How the names of OpenAI's own models of pictures and videos begin.
const OPENAIS: [&str; 4] = ["dall-e-", "gpt-image-", "chatgpt-image-", "sora-"];
/// How the names of Veo's models begin, which relays with OpenAI's API sell.
const VEOS: [&str; 2] = ["veo-", "veo_"];

/// Whether it is a name of a model of Veo's.
pub(super) fn is_veo(name: &str) -> bool {
    starts_with(name, &VEOS)
}

/// A remark if this unknown name stands for the operator's default, which makes the `what`.
pub(super) fn stand_in(name: &str, what: &str) -> Option<String> {
    let stands = starts_with(name, &OPENAIS) || is_veo(name);
    let remark = || format!("{} is not set up here: the default model makes the {what}. GET /v1/models lists the names.", name.trim());
    stands.then(remark)
}

/// The model of this machine that makes the picture of a request with this `model`, and a remark if it is not the one that it names.
///
/// # Errors
/// 404 with the known names.
pub(super) fn of_this_machine(model: Option<&str>, services: &Services) -> Result<(Option<String>, Option<String>), Problem> {
    let known = services.local_model(model);
    match (known, model.and_then(|name| stand_in(name, "picture"))) {
        (Ok(name), _) => Ok((name, None)),
        (Err(_), Some(remark)) => Ok((None, Some(remark))),
        (Err(unknown), None) => Err(unknown),
    }
}

fn starts_with(name: &str, beginnings: &[&str]) -> bool {
    // A name with a slash is a service's and a model's.
    let name = name.trim().to_ascii_lowercase();
    name.len() <= LONGEST && !name.contains('/') && beginnings.iter().any(|beginning| name.starts_with(beginning))
}

/// The longest name that is repeated in a remark, in bytes.
const LONGEST: usize = 64;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_others_models_stand_for_the_default_and_no_other_name_does() {
        for name in
            ["dall-e-2", "dall-e-3", "gpt-image-1", "gpt-image-1.5", "chatgpt-image-latest", "sora-2", "sora-2-pro", " Sora-2-2025-10-06"]
        {
            let remark = stand_in(name, "picture").unwrap_or_default();
            assert!(remark.contains(name.trim()) && remark.contains("the picture") && !is_veo(name), "{name}: {remark}");
        }
        assert!(is_veo("veo_3_1-fast") && is_veo("veo-3.1-generate-preview") && stand_in("veo_3_1", "video").is_some());
        for name in ["dall-e", "sora", "gpt-4o", "turbo", "", "veo", "veo/veo_3_1", "my-dall-e-3", "openai/dall-e-3"] {
            assert!(stand_in(name, "picture").is_none(), "{name}");
        }
        assert!(stand_in(&"sora-".repeat(20), "video").is_none());
    }
}
