//! What providers have cost, as owners and operators ask for it.

use super::{error::StoreError, month::Month, service::Jobs, spend::Usage};

impl Jobs {
    /// The current month of the budgets.
    pub fn month(&self) -> Month {
        Month::of(self.inner.now())
    }

    /// The usage of each provider in a month, by one owner or by each of them.
    ///
    /// # Errors
    /// [`StoreError`] if the store cannot be read.
    pub async fn usage(&self, owner: Option<&str>, month: Month) -> Result<Vec<Usage>, StoreError> {
        self.inner.stored.usage(owner, month).await
    }
}
