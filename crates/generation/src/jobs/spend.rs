//! Prices and budgets of providers' videos, and how a job's end settles its reservation.
//!
//! It must not know stores or providers. Amounts are whole millionths of a US dollar. Invariants: a job's price is reserved in the
//! transaction that inserts the job, and settled in the one that ends it; reserved and spent together never exceed a budget; an amount that
//! may have to be paid counts as spent.

use std::collections::BTreeMap;

use remote_providers::{ErrorKind, ProviderError};

use super::month::Month;
use crate::{backend::RemoteRecord, spec::video::RemoteVideoSpec};

/// The maximum price of a video, in millionths of a dollar: sums stay far inside 64 bits.
const MAX_PRICE: u64 = 1_000_000_000_000;

/// The price of a model's videos, in millionths of a US dollar: the sum of both parts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Price {
    /// Per second of video.
    pub per_second: u64,
    /// Per video.
    pub per_job: u64,
    /// The assumed length of a video, or of each of its shots, if the request has none.
    pub usual_seconds: u32,
}

impl Price {
    /// The price of a request.
    pub fn of(&self, spec: &RemoteVideoSpec) -> u64 {
        let shots = u64::try_from(spec.request.shots.len().max(1)).unwrap_or(u64::MAX);
        let seconds = spec.request.seconds.map_or(u64::from(self.usual_seconds).saturating_mul(shots), u64::from);
        self.per_second.saturating_mul(seconds).saturating_add(self.per_job).min(MAX_PRICE)
    }
}

/// Prices and budgets of providers' videos; the operator's choice. By default everything is free and unlimited.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendSettings {
    /// Prices by a model's full name, or by provider for its other models: "bedrock/nova-reel", "veo".
    pub prices: BTreeMap<String, Price>,
    /// Monthly budgets of providers (UTC), in millionths of a dollar.
    pub provider_caps: BTreeMap<String, u64>,
    /// Monthly budgets of owners (names of API keys), for all providers together.
    pub owner_caps: BTreeMap<String, u64>,
    /// The monthly budget of every owner without one of its own.
    pub owner_cap: Option<u64>,
    /// Whether a provider does not charge for a video that it started and then failed to make, or that its content filter blocked.
    pub failures_are_free: bool,
}

impl Default for SpendSettings {
    fn default() -> Self {
        Self {
            prices: BTreeMap::new(),
            provider_caps: BTreeMap::new(),
            owner_caps: BTreeMap::new(),
            owner_cap: None,
            failures_are_free: true,
        }
    }
}

impl SpendSettings {
    /// The price of a request; `None` if no price is set.
    pub fn price(&self, spec: &RemoteVideoSpec) -> Option<u64> {
        self.prices.get(&spec.model).or_else(|| self.prices.get(spec.provider())).map(|price| price.of(spec))
    }

    /// The reservation for a job. An error if there is a budget but no price.
    pub(super) fn booking(&self, owner: &str, spec: &RemoteVideoSpec) -> Result<Booking, NoPrice> {
        let provider_cap = self.provider_caps.get(spec.provider()).copied();
        let owner_cap = self.owner_caps.get(owner).copied().or(self.owner_cap);
        let price = match self.price(spec) {
            Some(price) => price,
            None if provider_cap.is_some() || owner_cap.is_some() => return Err(NoPrice { model: spec.model.clone() }),
            None => 0,
        };
        Ok(Booking { provider: spec.provider().to_owned(), price, provider_cap, owner_cap, routed_to: None })
    }
}

/// A model has a budget but no price to check it with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{model} has no price, so its budget cannot be enforced; the operator has to set one")]
pub struct NoPrice {
    /// The model.
    pub model: String,
}

/// The amounts that a store records with a remote job.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Booking {
    /// The provider.
    pub provider: String,
    /// The reserved amount, in millionths of a dollar.
    pub price: u64,
    /// The provider's budget for this month.
    pub provider_cap: Option<u64>,
    /// The owner's budget for this month.
    pub owner_cap: Option<u64>,
    /// The model that a local job was routed to; `None` if the caller chose it.
    pub routed_to: Option<String>,
}

impl Booking {
    /// Checks the budgets against the spent and reserved amounts of a month, at the provider and by the owner.
    pub(super) fn check(&self, month: Month, of_provider: u64, of_owner: u64) -> Result<(), OverBudget> {
        let over = |cap: u64, spent: u64, is_owners| {
            let (provider, price) = (self.provider.clone(), self.price);
            OverBudget { provider, is_owners, cap, spent, price, month }
        };
        let check = |cap: Option<u64>, spent: u64, is_owners| match cap {
            Some(cap) if spent.saturating_add(self.price) > cap => Err(over(cap, spent, is_owners)),
            Some(_) | None => Ok(()),
        };
        check(self.provider_cap, of_provider, false)?;
        check(self.owner_cap, of_owner, true)
    }
}

/// The price exceeds what is left of a month's budget.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "{} for {month} is {}, of which {} are spent or reserved, and this video costs {}; wait for the next month, or ask the operator to raise it",
    budget(provider, *is_owners), dollars(*cap), dollars(*spent), dollars(*price)
)]
pub struct OverBudget {
    /// The provider.
    pub provider: String,
    /// Whether it is the owner's own budget for all providers rather than the provider's.
    pub is_owners: bool,
    /// The budget, in millionths of a dollar.
    pub cap: u64,
    /// The spent and reserved part of it.
    pub spent: u64,
    /// The price of the video.
    pub price: u64,
    /// The month.
    pub month: Month,
}

fn budget(provider: &str, is_owners: bool) -> String {
    if is_owners { "your budget".to_owned() } else { format!("the budget for {provider}") }
}

/// An amount as text, with as many digits as needed: "12.50 USD".
pub fn dollars(micros: u64) -> String {
    let (whole, rest) = (micros / 1_000_000, micros % 1_000_000);
    let digits = format!("{rest:06}");
    let cents = digits.trim_end_matches('0');
    format!("{whole}.{cents:0<2} USD")
}

/// How a failed job's reservation is settled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Charge {
    /// It is spent if the provider was asked, because the video may have to be paid; otherwise it is released.
    IfAsked,
    /// It is released.
    Never,
}

impl Charge {
    /// The settlement after a provider's error. A video that the provider failed to make, or blocked, costs nothing if `failures_are_free`;
    /// one that was made but cannot be fetched, or whose outcome is unknown, is charged all the same.
    pub(super) fn after(error: &ProviderError, record: &RemoteRecord, failures_are_free: bool) -> Self {
        // `asked` is reset when it is certain that the provider started nothing.
        if !record.state.asked {
            return Self::Never;
        }
        let is_failure = matches!(error.kind, ErrorKind::Failed | ErrorKind::ContentFilter | ErrorKind::InvalidRequest | ErrorKind::Quota);
        if is_failure && failures_are_free && record.id().is_some() { Self::Never } else { Self::IfAsked }
    }
}

/// The state of a job's amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum SpendState {
    Reserved,
    Spent,
    Released,
}

impl SpendState {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Reserved => "reserved",
            Self::Spent => "spent",
            Self::Released => "released",
        }
    }
}

/// An owner's usage of a provider in a month.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Usage {
    /// The owner: an API key's name; empty if there are no keys.
    pub owner: String,
    /// The provider.
    pub provider: String,
    /// The month in which the jobs were accepted.
    pub month: Month,
    /// The number of accepted jobs, whatever their outcome.
    pub jobs: u64,
    /// The amount reserved for unfinished jobs, in millionths of a dollar.
    pub reserved: u64,
    /// The amount spent, in millionths of a dollar.
    pub spent: u64,
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "tests")]

    use remote_providers::{RemoteState, Shot, VideoRequest};

    use super::*;

    fn spec(model: &str, seconds: Option<u32>, shots: usize) -> RemoteVideoSpec {
        RemoteVideoSpec::new(model, VideoRequest { seconds, shots: vec![Shot::default(); shots], ..VideoRequest::default() })
    }

    #[test]
    fn a_price_is_the_models_own_or_its_providers() {
        let reel = Price { per_second: 80_000, per_job: 0, usual_seconds: 6 };
        let others = Price { per_second: 0, per_job: 500_000, usual_seconds: 0 };
        let prices = BTreeMap::from([("bedrock/nova-reel".to_owned(), reel), ("bedrock".to_owned(), others)]);
        let settings = SpendSettings { prices, ..SpendSettings::default() };
        assert_eq!(settings.price(&spec("bedrock/nova-reel", Some(12), 0)), Some(960_000));
        assert_eq!(settings.price(&spec("bedrock/nova-reel", None, 0)), Some(480_000));
        assert_eq!(settings.price(&spec("bedrock/nova-reel", None, 3)), Some(3 * 480_000));
        assert_eq!(settings.price(&spec("bedrock/another", None, 0)), Some(500_000));
        assert_eq!(settings.price(&spec("veo/veo_3_1", None, 0)), None);
        assert_eq!(Price { per_second: u64::MAX, ..reel }.of(&spec("x", None, 0)), MAX_PRICE);
    }

    #[test]
    fn a_budget_without_a_price_is_refused_and_not_ignored() {
        let caps = BTreeMap::from([("veo".to_owned(), 1)]);
        let settings = SpendSettings { provider_caps: caps, ..SpendSettings::default() };
        let error = settings.booking("a", &spec("veo/veo_3_1", None, 0)).unwrap_err();
        assert_eq!(error.to_string(), "veo/veo_3_1 has no price, so its budget cannot be enforced; the operator has to set one");
        assert_eq!(settings.booking("a", &spec("pika/v2", None, 0)).unwrap().price, 0);
    }

    #[test]
    fn an_amount_is_written_with_all_its_digits() {
        for (micros, text) in
            [(0, "0.00 USD"), (500_000, "0.50 USD"), (12_000_000, "12.00 USD"), (1_000_001, "1.000001 USD"), (85_000, "0.085 USD")]
        {
            assert_eq!(dollars(micros), text);
        }
        let over = Booking { provider: "veo".into(), price: 500_000, provider_cap: Some(900_000), owner_cap: None, routed_to: None };
        let error = over.check(Month { year: 2026, month: 11 }, 450_000, 0).unwrap_err().to_string();
        let expected = "the budget for veo for 2026-11 is 0.90 USD, of which 0.45 USD are spent or reserved, and this video costs 0.50 USD; \
                        wait for the next month, or ask the operator to raise it";
        assert_eq!(error, expected);
        assert!(over.check(Month { year: 2026, month: 11 }, 400_000, u64::MAX).is_ok());
    }

    #[test]
    fn an_amount_that_may_have_to_be_paid_is_spent() {
        let record = |asked, id: Option<&str>| RemoteRecord {
            state: RemoteState { token: String::new(), asked, id: id.map(str::to_owned) },
            prompt: None,
        };
        let error = |kind| ProviderError::new("veo", kind, "");
        for (kind, record, is_free, expected) in [
            (ErrorKind::Credentials, record(false, None), true, Charge::Never),
            (ErrorKind::Uncertain, record(true, None), true, Charge::IfAsked),
            (ErrorKind::Failed, record(true, Some("id")), true, Charge::Never),
            (ErrorKind::ContentFilter, record(true, Some("id")), true, Charge::Never),
            (ErrorKind::ContentFilter, record(true, Some("id")), false, Charge::IfAsked),
            (ErrorKind::Deadline, record(true, Some("id")), true, Charge::IfAsked),
            (ErrorKind::Result, record(true, Some("id")), true, Charge::IfAsked),
            (ErrorKind::Credentials, record(true, Some("id")), true, Charge::IfAsked),
        ] {
            assert_eq!(Charge::after(&error(kind), &record, is_free), expected, "{kind:?}");
        }
    }
}
