//! Spending on providers' videos, in memory: reserved with a job's row, settled with its end. It outlives the job.

use std::{collections::BTreeMap, time::SystemTime};

use crate::jobs::{
    month::Month,
    spend::{Booking, OverBudget, SpendState, Usage},
};

/// Reserved and spent amounts, by job number.
#[derive(Debug, Default)]
pub(super) struct Spending(BTreeMap<i64, Spend>);

/// A job's amount.
#[derive(Debug)]
struct Spend {
    month: Month,
    owner: String,
    provider: String,
    price: u64,
    state: SpendState,
}

impl Spending {
    /// Reserves a job's price.
    pub(super) fn book(&mut self, number: i64, owner: &str, booking: &Booking, now: SystemTime) -> Result<(), OverBudget> {
        let month = Month::of(now);
        let committed = |is_wanted: &dyn Fn(&Spend) -> bool| {
            let rows = self.0.values().filter(|spend| spend.month == month && spend.state != SpendState::Released && is_wanted(spend));
            rows.map(|spend| spend.price).sum()
        };
        booking.check(month, committed(&|spend| spend.provider == booking.provider), committed(&|spend| spend.owner == owner))?;
        let (owner, provider, price) = (owner.to_owned(), booking.provider.clone(), booking.price);
        self.0.insert(number, Spend { month, owner, provider, price, state: SpendState::Reserved });
        Ok(())
    }

    /// Settles the reservation of a job that ends.
    pub(super) fn settle(&mut self, number: i64, is_spent: bool) {
        if let Some(spend) = self.0.get_mut(&number).filter(|spend| spend.state == SpendState::Reserved) {
            spend.state = if is_spent { SpendState::Spent } else { SpendState::Released };
        }
    }

    /// The usage of providers by owners in a month.
    pub(super) fn usage(&self, owner: Option<&str>, month: Month) -> Vec<Usage> {
        let mut usage: BTreeMap<(&str, &str), Usage> = BTreeMap::new();
        for spend in self.0.values().filter(|spend| spend.month == month && owner.is_none_or(|owner| spend.owner == owner)) {
            let of = usage.entry((&spend.owner, &spend.provider)).or_insert_with(|| {
                let (owner, provider) = (spend.owner.clone(), spend.provider.clone());
                Usage { owner, provider, month, jobs: 0, reserved: 0, spent: 0 }
            });
            of.jobs += 1;
            match spend.state {
                SpendState::Reserved => of.reserved += spend.price,
                SpendState::Spent => of.spent += spend.price,
                SpendState::Released => {}
            }
        }
        usage.into_values().collect()
    }

    /// The name of the state of a job's amount.
    pub(super) fn state(&self, number: i64) -> Option<String> {
        self.0.get(&number).map(|spend| spend.state.name().to_owned())
    }

    /// The numbers of the jobs with a reservation.
    pub(super) fn reserved(&self) -> impl Iterator<Item = i64> {
        self.0.iter().filter(|(_, spend)| spend.state == SpendState::Reserved).map(|(number, _)| *number)
    }
}
