//! A provider's jobs over real connections: a strict relay and its storage, which fail on demand. Every fault ends in the right state, and
//! no stored or returned text contains a secret.

use std::{fs, path::Path, sync::Arc, time::Duration};

use generation::{
    Backend, RemoteBackend, RemoteSettings, Work,
    jobs::{JobErrorKind, JobState, NewJob, Page, Price},
    video::{RemoteVideoSpec, VideoSpec},
};
use generation_test::{Checked, local, spend};
use remote_fakes::{Fault, RelayOptions, VeoRelayFake};
use remote_providers::{DownloadLimits, InputImage, Pace, Provider, VeoRelay, VeoRelaySettings, VideoRequest};
use secrecy::SecretString;

use crate::{
    jobs::end_of,
    provider::{PRICE, VIDEO, guard, priced, remote_job, remote_settings},
};

const KEY: &str = "sk-relay-4f1d9c";
/// The timeout for this relay.
const LATE: Duration = Duration::from_millis(500);

async fn opened(folder: &Path, fake: &VeoRelayFake) -> Checked {
    let interval = Duration::from_millis(5);
    let relay = VeoRelay::new(VeoRelaySettings {
        base_url: fake.server.url(),
        timeout: LATE,
        pace: Pace { initial_wait: interval, interval, max_interval: interval, deadline: Duration::from_secs(60) },
        ..VeoRelaySettings::new(SecretString::from(KEY))
    });
    let relay: Arc<dyn Provider> = Arc::new(relay.unwrap());
    let download = DownloadLimits { max_bytes: 1 << 20, timeout: LATE };
    let backend = RemoteBackend::new(relay, guard(), RemoteSettings { download, ..remote_settings() });
    let mut settings = priced(folder, None);
    settings.spend.prices.insert("veo".into(), Price { per_job: PRICE, ..Price::default() });
    Checked::open_with(settings, local().await, vec![Arc::new(backend) as Arc<dyn Backend>]).await.unwrap()
}

fn job(id: &str) -> NewJob {
    let image = generation::png::encode(&image::RgbImage::new(16, 9), "").unwrap();
    let image = InputImage { bytes: image, format: remote_providers::ImageFormat::Png, source_url: None };
    let request = VideoRequest { prompt: "a boat".into(), image: Some(image), ..VideoRequest::default() };
    NewJob { work: Work::Video(VideoSpec::Remote(RemoteVideoSpec::new("veo", request))), ..remote_job(id, "") }
}

/// A fault of an operation, how many times it happens, and how the job ends: completed, or failed with these words. Then the number of
/// starts that were sent, and whether the job costs anything.
type Case = (&'static str, Fault, usize, Result<(), (JobErrorKind, bool, &'static str)>, usize, bool);

fn cases() -> Vec<Case> {
    use JobErrorKind::{ContentFilter, Provider, Uncertain};
    let uncertain = || Err((Uncertain, false, "look at the provider's console before asking again"));
    vec![
        ("start", Fault::Status(429, "rate_limit_exceeded"), 2, Ok(()), 3, true),
        ("start", Fault::Status(429, "rate_limit_exceeded"), 3, Err((Provider, true, "try again later")), 3, false),
        ("start", Fault::Status(503, "unavailable"), 1, Ok(()), 2, true),
        ("start", Fault::Status(401, "invalid_api_key"), 1, Err((Provider, false, "check the provider's key")), 1, false),
        ("start", Fault::StatusAfter(500, "lost"), 1, uncertain(), 1, true),
        ("start", Fault::Stall, 1, uncertain(), 1, true),
        ("start", Fault::CloseAfterBytes(0), 1, uncertain(), 1, true),
        ("start", Fault::ContentFilterAtStart, 1, Err((ContentFilter, false, "change the prompt or the image")), 1, false),
        ("start", Fault::ContentFilterAtEnd, 1, Err((ContentFilter, false, "change the prompt or the image")), 1, false),
        ("start", Fault::Failed("the fox ran away"), 1, Err((Provider, true, "the fox ran away")), 1, false),
        ("start", Fault::WrongWord("pondering"), 1, Ok(()), 1, true),
        ("start", Fault::TooLarge(2 << 20), 1, Err((Provider, false, "ask for a shorter video")), 1, true),
        ("start", Fault::Expired, 1, Err((Provider, false, "expired")), 1, true),
        ("start", Fault::NotAVideo(b"<html>sorry</html>"), 1, Err((Provider, false, "text/html")), 1, true),
        ("get", Fault::Status(500, "internal"), 4, Ok(()), 1, true),
        ("get", Fault::Stall, 1, Ok(()), 1, true),
        ("get", Fault::CloseAfterBytes(3), 1, Ok(()), 1, true),
        ("get", Fault::WrongWord("pondering"), 1, Ok(()), 1, true),
        ("download", Fault::Status(500, "internal"), 1, Ok(()), 1, true),
        ("download", Fault::Expired, 1, Ok(()), 1, true),
        ("download", Fault::Stall, 1, Ok(()), 1, true),
        ("download", Fault::CloseAfterBytes(700), 2, Ok(()), 1, true),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_fault_ends_in_the_right_state_and_reveals_no_secret() {
    let folder = tempfile::tempdir().unwrap();
    let fake = VeoRelayFake::start(RelayOptions::default()).await.unwrap();
    let jobs = opened(folder.path(), &fake).await;
    let starts = || fake.server.requests().iter().filter(|request| request.method == "POST").count();
    let mut paid = 0;
    for (index, (operation, fault, times, expected, asked, is_paid)) in cases().into_iter().enumerate() {
        let (id, what) = (format!("job-{index}"), format!("{operation}: {fault:?}"));
        (0..times).for_each(|_| fake.faults.push(operation, fault.clone()));
        let before = starts();
        jobs.submit(job(&id)).await.unwrap();
        let ended = end_of(&jobs, &id).await;
        match (expected, ended.error) {
            (Ok(()), None) => assert_eq!(ended.artifacts[0].bytes, VIDEO.len() as u64, "{what}"),
            (Err((kind, is_retryable, words)), Some(error)) => {
                assert_eq!((error.kind, error.retryable), (kind, is_retryable), "{what}: {error:?}");
                assert!(error.message.contains(words), "{what}: {}", error.message);
            }
            (expected, error) => panic!("{what}: {expected:?} is expected, and it is {error:?}"),
        }
        assert!(fake.faults.all_taken(), "{what}");
        assert_eq!(starts() - before, asked, "{what}");
        paid += if is_paid { PRICE } else { 0 };
        assert_eq!(spend(&jobs).await, (index as u64 + 1, 0, paid), "{what}");
    }
    let all = Page { limit: 100, newest_first: false, ..Page::default() };
    let list = jobs.list("", all).await.unwrap();
    assert!(list.iter().any(|job| job.state == JobState::Failed));
    let mut returned = format!("{list:?} {:?}", jobs.provider_metrics());
    for job in &list {
        returned.push_str(&format!("{:?}", jobs.events("", &job.id, 0, 1000).await.unwrap().unwrap()));
    }
    let mut kept = returned.into_bytes();
    for file in ["jobs.sqlite", "jobs.sqlite-wal"] {
        kept.extend(fs::read(folder.path().join(file)).unwrap_or_default());
    }
    let storage = fake.storage.url();
    for secret in [KEY, "Signature=", storage.trim_start_matches("http://")] {
        assert!(!kept.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret} is stored or returned");
    }
    assert!(fake.server.requests().iter().all(|request| request.bearer() == Some(KEY)));
}
