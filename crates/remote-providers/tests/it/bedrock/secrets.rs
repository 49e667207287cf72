//! Secrets must not appear in a provider's debug output, in persisted state, or in logs, even at trace level.

use std::{
    io,
    sync::{Arc, Mutex},
};

use remote_fakes::{Fault, aws::Account};
use remote_providers::{Bedrock, BedrockSettings, DownloadLimits, Provider as _};
use secrecy::SecretString;
use tracing::{Level, instrument::WithSubscriber as _};

use super::{World, checked_all, fetch, fresh, keys, text};

/// An account whose secrets are easy to find.
fn account() -> Account {
    Account {
        secret_key: "a-secret-key/+".to_owned(),
        session_token: Some("a-session-token".to_owned()),
        bearer: Some("a-bearer-token".to_owned()),
        ..Account::default()
    }
}

#[track_caller]
fn assert_without_secrets(text: &str) {
    for secret in ["a-secret-key", "a-session-token", "a-bearer-token", "X-Amz-Signature", "Signature="] {
        assert!(!text.contains(secret), "{secret} is in {text}");
    }
}

/// Captures the log.
#[derive(Clone, Debug, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[tokio::test]
async fn no_secret_is_in_a_providers_debug_output() {
    let world = World::with(account()).await;
    let settings = BedrockSettings {
        keys: Some(keys(&account())),
        bearer_token: Some(SecretString::from("a-bearer-token")),
        bearer_over_http: true,
        ..world.settings()
    };
    assert_without_secrets(&format!("{settings:?}"));
    let provider = Bedrock::connect(settings).await.unwrap();
    assert_without_secrets(&format!("{provider:?}"));
    let finished = world.run(&provider, &text(), fresh("job-1")).await.unwrap();
    assert_without_secrets(&format!("{finished:?} {:?}", world.states()));
}

#[tokio::test]
async fn no_secret_is_logged_at_any_level() {
    for has_bearer in [false, true] {
        let world = World::with(account()).await;
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt().with_max_level(Level::TRACE).with_ansi(false).with_writer(move || writer.clone());
        let everything = async {
            let settings = |secret_key: &str| BedrockSettings {
                keys: Some(keys(&Account { secret_key: secret_key.to_owned(), ..account() })),
                bearer_token: has_bearer.then(|| SecretString::from("a-bearer-token")),
                bearer_over_http: true,
                ..world.settings()
            };
            let provider = Bedrock::connect(settings("a-secret-key/+")).await.unwrap();
            world.bedrock.faults.push("start", Fault::Status(429, "ThrottlingException"));
            world.bedrock.faults.push("get", Fault::CloseAfterBytes(10));
            let finished = world.run(&provider, &text(), fresh("job-1")).await.unwrap();
            provider.link(&finished.id).await.unwrap().unwrap();
            let file = tempfile::NamedTempFile::new().unwrap();
            fetch(finished, &DownloadLimits::default(), file.path()).await.unwrap();
            let wrong = Bedrock::connect(settings("another")).await.unwrap();
            if !has_bearer {
                checked_all(wrong.start("", &text(), "job-2").await.unwrap_err());
            }
        };
        everything.with_subscriber(subscriber.finish()).await;
        let logged = log.text();
        // Our own messages are present, so the log was captured.
        assert!(logged.contains("not started; trying again") && logged.contains("ThrottlingException"), "{logged}");
        assert_without_secrets(&logged);
    }
}
