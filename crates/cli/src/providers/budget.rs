//! Prices and budgets: converts the settings' US dollars to the millionths that jobs count in.

use std::collections::BTreeMap;

use anyhow::Result;
use generation::jobs::{Price, SpendSettings};

use crate::{
    failure::Usage,
    settings::{BudgetSettings, SERVICES, service_of},
};

/// Millionths per dollar.
const MICROS: f64 = 1e6;

/// Default length of a provider's videos in seconds, for requests that do not give one.
const USUAL_SECONDS: [(&str, u32); 5] = [("bedrock", 6), ("veo", 8), ("pika", 5), ("replicate", 5), ("huggingface", 4)];

/// The prices and caps of providers.
///
/// # Errors
/// [`Usage`] if a price or a cap names an unknown provider or key, or a cap has no price to apply: the cap would be overspent, or every
/// request refused.
pub(super) fn of(settings: &BudgetSettings, keys: &[&str]) -> Result<SpendSettings> {
    let prices = [("budget.prices", &settings.prices), ("budget.prices_per_second", &settings.prices_per_second)];
    for (setting, amounts) in prices.into_iter().chain([("budget.providers", &settings.providers)]) {
        let is_whole = setting == "budget.providers";
        if let Some(name) = amounts.keys().find(|name| !SERVICES.contains(&service_of(name)) || (is_whole && name.contains('/'))) {
            let models = if is_whole { "" } else { ", or a model of one of them" };
            return Err(Usage(format!("setting {setting}: {name:?} is none of {}{models}", SERVICES.join(", "))).into());
        }
    }
    let is_priced = |name: &str| prices.iter().any(|(_, amounts)| amounts.keys().any(|model| service_of(model) == name));
    if let Some(name) = settings.providers.keys().find(|name| !is_priced(name)) {
        let needed = format!("{name} has a cap and no price; set budget.prices or budget.prices_per_second for it");
        return Err(Usage(format!("setting budget.providers: {needed}")).into());
    }
    if let Some(name) = settings.keys.keys().find(|name| !keys.contains(&name.as_str())) {
        let known = if keys.is_empty() { "there are none".to_owned() } else { format!("there are {}", keys.join(", ")) };
        return Err(Usage(format!("setting budget.keys: {name:?} is the name of no key; {known}")).into());
    }
    let mut prices = BTreeMap::<String, Price>::new();
    let mut price_of = |model: &String, set: &dyn Fn(&mut Price)| {
        let usual_seconds = USUAL_SECONDS.iter().find(|(name, _)| *name == service_of(model)).map_or(0, |(_, seconds)| *seconds);
        set(prices.entry(model.clone()).or_insert(Price { usual_seconds, ..Price::default() }));
    };
    for (model, dollars) in &settings.prices {
        price_of(model, &|price| price.per_job = micros(*dollars));
    }
    for (model, dollars) in &settings.prices_per_second {
        price_of(model, &|price| price.per_second = micros(*dollars));
    }
    let caps = |amounts: &BTreeMap<String, f64>| amounts.iter().map(|(name, dollars)| (name.clone(), micros(*dollars))).collect();
    Ok(SpendSettings {
        prices,
        provider_caps: caps(&settings.providers),
        owner_caps: caps(&settings.keys),
        owner_cap: settings.each_key.map(micros),
        ..SpendSettings::default()
    })
}

/// Settings limit amounts to 0 through a million dollars.
fn micros(dollars: f64) -> u64 {
    (dollars * MICROS).round() as u64
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use super::*;

    #[test]
    fn dollars_are_counted_in_millionths() {
        let amounts = |name: &str, dollars| BTreeMap::from([(name.to_owned(), dollars)]);
        let settings = BudgetSettings {
            providers: amounts("bedrock", 50.0),
            keys: amounts("alice", 0.1),
            each_key: Some(2.5),
            prices: amounts("pika", 0.285),
            prices_per_second: amounts("bedrock/nova-reel", 0.08),
        };
        let spend = of(&settings, &["alice", "bob"]).unwrap();
        assert_eq!(spend.prices["pika"], Price { per_second: 0, per_job: 285_000, usual_seconds: 5 });
        assert_eq!(spend.prices["bedrock/nova-reel"], Price { per_second: 80_000, per_job: 0, usual_seconds: 6 });
        assert_eq!((spend.provider_caps["bedrock"], spend.owner_caps["alice"], spend.owner_cap), (50_000_000, 100_000, Some(2_500_000)));
    }

    #[test]
    fn a_budget_that_cannot_be_enforced_is_refused() {
        let amounts = |name: &str| BTreeMap::from([(name.to_owned(), 1.0)]);
        let services = "bedrock, veo, pika, replicate, huggingface";
        for (settings, expected) in [
            (
                BudgetSettings { providers: amounts("veo3"), ..BudgetSettings::default() },
                format!("setting budget.providers: \"veo3\" is none of {services}"),
            ),
            (
                BudgetSettings { providers: amounts("veo/veo_3_1"), ..BudgetSettings::default() },
                format!("setting budget.providers: \"veo/veo_3_1\" is none of {services}"),
            ),
            (
                BudgetSettings { prices: amounts("bedrok/nova-reel"), ..BudgetSettings::default() },
                format!("setting budget.prices: \"bedrok/nova-reel\" is none of {services}, or a model of one of them"),
            ),
            (
                BudgetSettings { providers: amounts("pika"), prices: amounts("veo"), ..BudgetSettings::default() },
                "setting budget.providers: pika has a cap and no price; set budget.prices or budget.prices_per_second for it".to_owned(),
            ),
            (
                BudgetSettings { keys: amounts("carol"), ..BudgetSettings::default() },
                "setting budget.keys: \"carol\" is the name of no key; there are alice, bob".to_owned(),
            ),
        ] {
            assert_eq!(of(&settings, &["alice", "bob"]).unwrap_err().to_string(), expected);
        }
    }
}
