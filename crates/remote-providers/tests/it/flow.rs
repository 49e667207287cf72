//! The whole way of a video, as the server goes it: the loop, then the download through the guard into a file.

use std::{future::pending, sync::Mutex, time::Duration};

use async_trait::async_trait;
use guarded_http::{AllowedHost, Guard, GuardSettings};
use remote_providers::{
    DownloadError, DownloadLimits, Lost, Outlives, Pace, Provider, ProviderError, RemoteMemory, RemoteState, Run, RunError, VideoRequest,
    download, run,
};

use crate::drive::{KEY, checked};

/// The longest video that the flow takes, in bytes.
pub(crate) const LIMIT: u64 = 64 << 10;

/// How often a start that fails for a reason that passes is tried.
pub(crate) const TRIES: u32 = 3;

/// For a provider that is waited for in a test.
pub(crate) const PACE: Pace = Pace {
    initial_wait: Duration::ZERO,
    interval: Duration::from_millis(1),
    max_interval: Duration::from_millis(2),
    deadline: Duration::from_secs(120),
};

/// The longest time for one answer. Where answers stall it is short; elsewhere a busy machine has the time that it wants.
pub(crate) fn patience(stalls: bool) -> Duration {
    if stalls { Duration::from_millis(1500) } else { Duration::from_secs(60) }
}

/// What a store would hold.
#[derive(Debug, Default)]
struct Memory(Mutex<RemoteState>);

#[async_trait]
impl RemoteMemory for Memory {
    async fn record(&self, state: &RemoteState, _: Outlives) -> Result<(), Lost> {
        let id = state.id.as_deref().unwrap_or_default();
        assert!(id.len() <= 2048 && !id.contains(KEY), "{id}");
        *self.0.lock().unwrap() = state.clone();
        Ok(())
    }
}

/// The guard of the downloads: the fakes are on loopback.
pub(crate) fn guard() -> Guard {
    let allow: Vec<AllowedHost> = vec!["127.0.0.1".parse().unwrap()];
    Guard::new(GuardSettings { allow, ports: (1..=u16::MAX).collect(), ..GuardSettings::default() })
}

/// Has a video made and fetched, in this time. An error has no secret and says what to do, and no file is left.
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
