//! Name resolution.
//!
//! A trait with two kinds of implementation: the system's, and those of tests, which answer like an attacker's name server. It judges
//! nothing.

use std::{io, net::IpAddr, pin::Pin, sync::Arc};

use tokio::sync::Semaphore;

/// The future of [`Resolver::resolve`].
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Resolves names to addresses.
pub trait Resolver: Send + Sync + 'static {
    /// All addresses of a name, which is in lower case and punycode and may end in a dot. Has no timeout of its own.
    ///
    /// # Errors
    /// The name does not resolve.
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a>;
}

/// The operating system's resolver, with its hosts file and its search list.
#[derive(Clone, Debug)]
pub struct SystemResolver {
    under_way: Arc<Semaphore>,
}

impl SystemResolver {
    /// Each lookup occupies a thread until the system gives up, possibly long after the caller did: a slow foreign name server must not
    /// take all threads.
    const MAX_UNDER_WAY: usize = 32;

    /// A resolver with its own limit of concurrent lookups.
    pub fn new() -> Self {
        Self { under_way: Arc::new(Semaphore::new(Self::MAX_UNDER_WAY)) }
    }
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self::new()
    }
}

impl Resolver for SystemResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let permit = Arc::clone(&self.under_way).acquire_owned().await.map_err(io::Error::other)?;
            let name = name.to_owned();
            // A separate task holds the permit as long as the thread is occupied, even if the caller is gone.
            let lookup = tokio::spawn(async move {
                let found = tokio::net::lookup_host((name, 0)).await.map(|found| found.map(|address| address.ip()).collect());
                drop(permit);
                found
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}
