//! Prices and budgets: the settings' US dollars as the millionths that jobs count in.

use std::collections::BTreeMap;

use generation::jobs::{Price, SpendSettings};

use crate::settings::BudgetSettings;

/// How many millionths a dollar has.
const MICROS: f64 = 1e6;

/// The length of a video whose request does not say it, in seconds, by its service.
const USUAL_SECONDS: [(&str, u32); 5] = [("bedrock", 6), ("veo", 8), ("pika", 5), ("replicate", 5), ("huggingface", 4)];

/// What services cost, and how much may be spent.
pub(super) fn of(settings: &BudgetSettings) -> SpendSettings {
    let mut prices = BTreeMap::<String, Price>::new();
    let mut price_of = |model: &String, set: &dyn Fn(&mut Price)| {
        let service = model.split('/').next().unwrap_or_default();
        let usual_seconds = USUAL_SECONDS.iter().find(|(name, _)| *name == service).map_or(0, |(_, seconds)| *seconds);
        set(prices.entry(model.clone()).or_insert(Price { usual_seconds, ..Price::default() }));
    };
    for (model, dollars) in &settings.prices {
        price_of(model, &|price| price.per_job = micros(*dollars));
    }
    for (model, dollars) in &settings.prices_per_second {
        price_of(model, &|price| price.per_second = micros(*dollars));
    }
    let caps = |amounts: &BTreeMap<String, f64>| amounts.iter().map(|(name, dollars)| (name.clone(), micros(*dollars))).collect();
    SpendSettings {
        prices,
        provider_caps: caps(&settings.providers),
        owner_caps: caps(&settings.keys),
        owner_cap: settings.each_key.map(micros),
        ..SpendSettings::default()
    }
}

/// At least 0 and at most a million dollars: settings hold no other amount.
fn micros(dollars: f64) -> u64 {
    (dollars * MICROS).round() as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_counted_in_millionths() {
        let amounts = |name: &str, dollars| BTreeMap::from([(name.to_owned(), dollars)]);
        let spend = of(&BudgetSettings {
            providers: amounts("bedrock", 50.0),
            keys: amounts("alice", 0.1),
            each_key: Some(2.5),
            prices: amounts("pika", 0.285),
            prices_per_second: amounts("bedrock/nova-reel", 0.08),
        });
        assert_eq!(spend.prices["pika"], Price { per_second: 0, per_job: 285_000, usual_seconds: 5 });
        assert_eq!(spend.prices["bedrock/nova-reel"], Price { per_second: 80_000, per_job: 0, usual_seconds: 6 });
        assert_eq!((spend.provider_caps["bedrock"], spend.owner_caps["alice"], spend.owner_cap), (50_000_000, 100_000, Some(2_500_000)));
    }
}
