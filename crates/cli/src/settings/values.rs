//! Deserializes single settings: type and limits, with an error that names both.
//!
//! Nothing here knows which setting a value belongs to, nor its origin; the caller adds both.

use std::{collections::BTreeMap, fmt, num::NonZeroU32, str::FromStr};

use cpu_kernels::Level;
use diffusion_core::pipelines::first_user_step;
use generation::validate::DEFAULT_STEPS;
use secrecy::{ExposeSecret as _, SecretString};
use serde::{Deserialize, Deserializer, de::Error as _};
use server::{
    AllowedHost,
    access::{AllowedHosts, AllowedOrigins, ApiKey, LinkSecret},
    webhooks::WebhookSecret,
};
use url::Url;

use super::routing;

pub(super) fn parsed<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<T, D::Error> {
    let text = String::deserialize(deserializer)?;
    text.parse().map_err(|error| {
        // Some error types quote the value; some (such as an address's) do not.
        let reason = T::Err::to_string(&error);
        D::Error::custom(if reason.contains(&text) { reason } else { format!("{text:?}: {reason}") })
    })
}

pub(super) fn parsed_option<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<Option<T>, D::Error> {
    parsed(deserializer).map(Some)
}

pub(super) fn parsed_list<'de, D: Deserializer<'de>, T: FromStr<Err: fmt::Display>>(deserializer: D) -> Result<Vec<T>, D::Error> {
    Vec::<String>::deserialize(deserializer)?.iter().map(|text| text.parse().map_err(D::Error::custom)).collect()
}

fn within<'de, D: Deserializer<'de>>(deserializer: D, least: i64, most: i64) -> Result<i64, D::Error> {
    let value = i64::deserialize(deserializer)?;
    if (least..=most).contains(&value) { Ok(value) } else { Err(D::Error::custom(format!("{value} is outside {least}..={most}"))) }
}

pub(super) fn port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u16, D::Error> {
    within(deserializer, 0, i64::from(u16::MAX))?.try_into().map_err(D::Error::custom)
}

pub(super) fn queue_capacity<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(deserializer, 1, 1024)?.try_into().map_err(D::Error::custom)
}

pub(super) fn waiting_per_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    queue_capacity(deserializer).map(Some)
}

pub(super) fn body_timeout_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    within(deserializer, 1, 3600)?.try_into().map_err(D::Error::custom)
}

pub(super) fn days<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    within(deserializer, 1, 36_500)?.try_into().map_err(D::Error::custom)
}

pub(super) fn bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    within(deserializer, 0, i64::MAX)?.try_into().map_err(D::Error::custom)
}

pub(super) fn memory_limit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    within(deserializer, 1, i64::MAX)?.try_into().map(Some).map_err(D::Error::custom)
}

pub(super) fn idle_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u64>, D::Error> {
    within(deserializer, 1, 365 * 24 * 3600)?.try_into().map(Some).map_err(D::Error::custom)
}

pub(super) fn shutdown_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    within(deserializer, 0, 3600)?.try_into().map_err(D::Error::custom)
}

/// 0, or a strength that leaves at least one step of a repaint: one that leaves none would refuse every request.
pub(super) fn repaint_strength<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if !(0.0..=1.0).contains(&value) {
        return Err(D::Error::custom(format!("{value} is outside 0..=1")));
    }
    match first_user_step(DEFAULT_STEPS as usize, value) {
        Err(diffusion_core::Error::Params { reason, .. }) if value > 0.0 => Err(D::Error::custom(format!("{reason}, or 0"))),
        Ok(_) | Err(_) => Ok(value),
    }
}

pub(super) fn videos_at_once<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(deserializer, 1, 1024)?.try_into().map_err(D::Error::custom)
}

pub(super) fn retries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    within(deserializer, 0, 20)?.try_into().map_err(D::Error::custom)
}

pub(super) fn overflow_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 1, 86_400)?.try_into().map(Some).map_err(D::Error::custom)
}

fn number_within<'de, D: Deserializer<'de>>(deserializer: D, least: f64, most: f64) -> Result<f64, D::Error> {
    let value = f64::deserialize(deserializer)?;
    if (least..=most).contains(&value) { Ok(value) } else { Err(D::Error::custom(format!("{value} is outside {least}..={most}"))) }
}

pub(super) fn pause_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    number_within(deserializer, 0.0, 600.0)
}

pub(super) fn backoff<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    number_within(deserializer, 1.0, 10.0)
}

pub(super) fn wait_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_within(deserializer, 0.0, 86_400.0).map(Some)
}

pub(super) fn poll_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_within(deserializer, 0.1, 600.0).map(Some)
}

pub(super) fn deadline_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_within(deserializer, 1.0, 86_400.0).map(Some)
}

pub(super) fn budget_dollars<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<f64>, D::Error> {
    number_within(deserializer, 0.0, 1e6).map(Some)
}

/// A provider's model name.
pub(super) fn model_name<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let name = String::deserialize(deserializer)?;
    if routing::is_model(&name) {
        return Ok(Some(name));
    }
    Err(D::Error::custom(format!("{name:?} is no model of {}", routing::SERVICES.join(", "))))
}

/// US dollars by name, each at least 0 and at most a million.
pub(super) fn amounts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<String, f64>, D::Error> {
    let amounts = BTreeMap::<String, f64>::deserialize(deserializer)?;
    match amounts.iter().find(|(_, dollars)| !(0.0..=1e6).contains(*dollars)) {
        Some((name, dollars)) => Err(D::Error::custom(format!("{name}: {dollars} is outside 0..=1000000"))),
        None => Ok(amounts),
    }
}

/// An address without a trailing slash, so that paths can be appended.
pub(super) fn address<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    Ok(endpoint(deserializer)?.unwrap_or_default().trim_end_matches('/').to_owned())
}

/// A path to append to an address: "/v1/videos".
pub(super) fn url_path<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let path = String::deserialize(deserializer)?;
    if path.starts_with('/') && !path.contains(['?', '#', ' ']) {
        return Ok(path.trim_end_matches('/').to_owned());
    }
    Err(D::Error::custom(format!("{path:?} is no path: it begins with a slash, and has no query")))
}

pub(super) fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    String::deserialize(deserializer).map(Some)
}

pub(super) fn thread_count<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    within(deserializer, 1, 1024)?.try_into().map(Some).map_err(D::Error::custom)
}

pub(super) fn cpu_level<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Level>, D::Error> {
    let text = String::deserialize(deserializer)?;
    level_where(&text, Level::is_available).map_err(D::Error::custom)
}

/// The level with that name, or `None` for `auto`, on a machine with the given levels.
fn level_where(text: &str, has: impl Fn(Level) -> bool) -> Result<Option<Level>, String> {
    let names = |levels: &mut dyn Iterator<Item = Level>| levels.map(Level::name).collect::<Vec<_>>().join(", ");
    match Level::from_name(text) {
        None if text == "auto" => Ok(None),
        None => Err(format!("{text:?} is none of auto, {}", names(&mut Level::ALL.into_iter()))),
        Some(level) if has(level) => Ok(Some(level)),
        Some(_) => Err(format!("this machine lacks {text:?}; it has {}", names(&mut Level::ALL.into_iter().filter(|level| has(*level))))),
    }
}

pub(super) fn secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    String::deserialize(deserializer).map(|text| Some(text.into()))
}

/// A text that errors never repeat.
pub(super) fn secret_text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let text = String::deserialize(deserializer).map_err(|_| D::Error::custom("expected a text in quotes"))?;
    Ok(Some(text.into()))
}

pub(super) fn api_key<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SecretString>, D::Error> {
    let key = secret_text(deserializer)?;
    if let Some(key) = &key {
        // The name does not matter here.
        ApiKey::new("default", key.expose_secret()).map_err(D::Error::custom)?;
    }
    Ok(key)
}

pub(super) fn link_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<LinkSecret>, D::Error> {
    match secret_text(deserializer)? {
        Some(text) if text.expose_secret().chars().count() >= 32 => Ok(Some(LinkSecret::from_text(text.expose_secret()))),
        Some(_) | None => Err(D::Error::custom("a secret has at least 32 characters")),
    }
}

pub(super) fn allowed_hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AllowedHosts, D::Error> {
    AllowedHosts::parse(&Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(super) fn asked_hosts<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<AllowedHost>, D::Error> {
    let hosts = Vec::<String>::deserialize(deserializer)?;
    hosts.iter().map(|host| host.parse()).collect::<Result<_, _>>().map_err(D::Error::custom)
}

pub(super) fn webhook_secret<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<WebhookSecret>, D::Error> {
    // The error does not repeat the text, which may be a secret in the wrong format.
    String::deserialize(deserializer)?.parse().map(Some).map_err(D::Error::custom)
}

pub(super) fn allowed_origins<'de, D: Deserializer<'de>>(deserializer: D) -> Result<AllowedOrigins, D::Error> {
    AllowedOrigins::parse(&Vec::<String>::deserialize(deserializer)?).map_err(D::Error::custom)
}

pub(super) fn requests_per_minute<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u32>, D::Error> {
    within(deserializer, 0, 1_000_000)?.try_into().map(Some).map_err(D::Error::custom)
}

pub(super) fn burst<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU32, D::Error> {
    let burst: u32 = within(deserializer, 1, 1_000_000)?.try_into().map_err(D::Error::custom)?;
    burst.try_into().map_err(D::Error::custom)
}

pub(super) fn concurrent_requests<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<usize>, D::Error> {
    within(deserializer, 0, 65_536)?.try_into().map(Some).map_err(D::Error::custom)
}

pub(super) fn link_seconds<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    within(deserializer, 60, 31_536_000)?.try_into().map_err(D::Error::custom)
}

pub(super) fn upload_bytes<'de, D: Deserializer<'de>>(deserializer: D) -> Result<usize, D::Error> {
    within(deserializer, 1, 1 << 30)?.try_into().map_err(D::Error::custom)
}

/// The server's public address: a host and perhaps a path, without query, fragment or user name.
pub(super) fn public_url<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Url>, D::Error> {
    let text = String::deserialize(deserializer)?;
    let url = Url::parse(&text).map_err(|error| D::Error::custom(format!("{text:?}: {error}")))?;
    let bare = url.username().is_empty() && url.password().is_none() && url.query().is_none() && url.fragment().is_none();
    if bare && matches!(url.scheme(), "http" | "https") {
        Ok(Some(url))
    } else {
        Err(D::Error::custom(format!("{text:?} is not an http:// or https:// address alone")))
    }
}

pub(super) fn endpoint<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<String>, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.starts_with("http://") || text.starts_with("https://") {
        Ok(Some(text))
    } else {
        Err(D::Error::custom(format!("{text:?} is not an http:// or https:// address")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_accepted_only_if_the_machine_has_it() {
        let old = |level: Level| level <= Level::Avx2;
        assert_eq!(level_where("auto", old), Ok(None));
        assert_eq!(level_where("portable", old), Ok(Some(Level::Portable)));
        assert_eq!(level_where("avx2", old), Ok(Some(Level::Avx2)));
        assert_eq!(level_where("amx", old), Err("this machine lacks \"amx\"; it has portable, avx2".into()));
        assert_eq!(level_where("amx", |_| true), Ok(Some(Level::Amx)));
        assert_eq!(level_where("AVX2", old), Err("\"AVX2\" is none of auto, portable, avx2, avx512, avx512bf16, amx".into()));
    }
}
