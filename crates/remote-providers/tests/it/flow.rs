//! A video's whole path as in the server: the loop, then the guarded download into a file.

use std::{future::pending, sync::Mutex, time::Duration};

use async_trait::async_trait;
use guarded_http::{AllowedHost, Guard, GuardSettings};
use remote_providers::{
    DownloadError, DownloadLimits, Durability, Lost, Pace, Provider, ProviderError, RemoteState, RemoteStateStore, Run, RunError,
    VideoRequest, download, run,
};

use crate::drive::{KEY, checked};

/// The size limit of a video, in bytes.
pub(crate) const LIMIT: u64 = 64 << 10;

/// Attempts of a start that fails for a transient reason.
pub(crate) const TRIES: u32 = 3;

/// A quick pace for tests.
pub(crate) const PACE: Pace = Pace {
    initial_wait: Duration::ZERO,
    interval: Duration::from_millis(1),
    max_interval: Duration::from_millis(2),
    deadline: Duration::from_secs(120),
};

/// Timeout of one answer: short where answers stall; elsewhere generous, because the machine may be busy.
pub(crate) fn patience(stalls: bool) -> Duration {
    if stalls { Duration::from_millis(1500) } else { Duration::from_secs(60) }
}

/// Stands for a store.
#[derive(Debug, Default)]
struct Memory(Mutex<RemoteState>);

#[async_trait]
impl RemoteStateStore for Memory {
    async fn record(&self, state: &RemoteState, _: Durability) -> Result<(), Lost> {
        let id = state.id.as_deref().unwrap_or_default();
        assert!(id.len() <= 2048 && !id.contains(KEY), "{id}");
        *self.0.lock().unwrap() = state.clone();
        Ok(())
    }
}

/// The downloads' guard: the fakes are on loopback.
pub(crate) fn guard() -> Guard {
    let allow: Vec<AllowedHost> = vec!["127.0.0.1".parse().unwrap()];
    Guard::new(GuardSettings { allow, ports: (1..=u16::MAX).collect(), ..GuardSettings::default() })
}

/// Makes and downloads a video within this time. An error contains no secret and has advice, and leaves no file.
pub(crate) async fn video(
    provider: &dyn Provider,
    model: &str,
    request: &VideoRequest,
    timeout: Duration,
) -> Result<Vec<u8>, ProviderError> {
    provider.check(model, request).unwrap();
    let memory = Memory::default();
    let asking = Run {
        provider,
        model,
        request: request.clone(),
        memory: &memory,
        progress: &|_| {},
        tries: TRIES,
        pause: Duration::from_millis(1),
        backoff: 2.0,
    };
    let state = RemoteState { token: "token-1".to_owned(), ..RemoteState::default() };
    let finished = match run(asking, state, pending()).await {
        Ok(finished) => finished,
        Err(RunError::Provider(error)) => return Err(checked(error)),
        Err(other) => panic!("{other:?}"),
    };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("video.mp4");
    let limits = DownloadLimits { max_bytes: LIMIT, timeout };
    match download(provider.name(), finished.source, &guard(), &limits, &file).await {
        Ok(length) => {
            let bytes = std::fs::read(&file).unwrap();
            assert_eq!(bytes.len() as u64, length);
            Ok(bytes)
        }
        Err(DownloadError::Provider(error)) => {
            assert!(!file.exists());
            Err(checked(error))
        }
        Err(DownloadError::Disk(error)) => panic!("{error}"),
    }
}
