//! Spending on providers' videos, in the store's tables: reserved with a job's row, settled with its end.
//!
//! Invariant: a transaction sees the sums that its commit leaves, so no amount is reserved twice.

use rusqlite::{Connection, Row, params};

use super::{
    rows::{length, readable},
    write::Change,
};
use crate::jobs::{
    error::{StoreError, SubmitError},
    month::Month,
    spend::{Booking, SpendState, Usage},
    state::JobState,
};

impl Change<'_> {
    /// Reserves a job's price.
    pub(super) fn book(&self, number: i64, owner: &str, booking: &Booking) -> Result<(), SubmitError> {
        let month = Month::of(self.now);
        if booking.provider_cap.is_some() || booking.owner_cap.is_some() {
            let of_provider = self.committed(month, "provider", &booking.provider)?;
            let of_owner = self.committed(month, "owner", owner)?;
            booking.check(month, of_provider, of_owner)?;
        }
        let insert = "INSERT INTO spend (job, month, owner, provider, price, state) VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let row = params![number, month.to_string(), owner, booking.provider, booking.price.cast_signed(), SpendState::Reserved.name()];
        self.execute(insert, row)?;
        Ok(())
    }

    /// The sum spent or reserved in a month, for a provider or an owner.
    fn committed(&self, month: Month, column: &str, value: &str) -> Result<u64, StoreError> {
        let sql = format!("SELECT coalesce(sum(price), 0) FROM spend WHERE month = ?1 AND {column} = ?2 AND state <> ?3");
        let values = params![month.to_string(), value, SpendState::Released.name()];
        Ok(length(self.transaction.prepare_cached(&sql)?.query_row(values, |row| row.get(0))?))
    }

    /// Settles the reservation of a job that ends: spent if it is completed or the provider was asked.
    pub(super) fn settle(&self, number: i64, end: JobState) -> Result<(), StoreError> {
        // A record that cannot be read counts as asked.
        let update = "UPDATE spend SET state = CASE
                          WHEN ?2 OR (SELECT remote IS NOT NULL AND iif(json_valid(remote), coalesce(json_extract(remote, '$.asked'), 1), 1)
                                      FROM jobs WHERE number = ?1) THEN ?3 ELSE ?4 END
                      WHERE job = ?1 AND state = ?5";
        let is_completed = end == JobState::Completed;
        let (spent, released, reserved) = (SpendState::Spent.name(), SpendState::Released.name(), SpendState::Reserved.name());
        self.execute(update, params![number, is_completed, spent, released, reserved]).map(drop)
    }

    /// Releases the reservation of a job that ends and costs nothing.
    pub(super) fn release_reservation(&self, number: i64) -> Result<(), StoreError> {
        let update = "UPDATE spend SET state = ?2 WHERE job = ?1 AND state = ?3";
        self.execute(update, params![number, SpendState::Released.name(), SpendState::Reserved.name()]).map(drop)
    }
}

/// The usage of providers by owners in a month.
pub(super) fn usage(connection: &Connection, owner: Option<&str>, month: Month) -> Result<Vec<Usage>, StoreError> {
    let sql = "SELECT owner, provider, count(*), sum(iif(state = ?3, price, 0)), sum(iif(state = ?4, price, 0)) FROM spend
               WHERE month = ?1 AND (?2 IS NULL OR owner = ?2) GROUP BY owner, provider ORDER BY owner, provider";
    let mut select = connection.prepare_cached(sql)?;
    let read = |row: &Row<'_>| {
        let number = |column| row.get(column).map(length);
        Ok(Usage { owner: row.get(0)?, provider: row.get(1)?, month, jobs: number(2)?, reserved: number(3)?, spent: number(4)? })
    };
    let values = params![month.to_string(), owner, SpendState::Reserved.name(), SpendState::Spent.name()];
    readable(select.query_map(values, read)?)
}
