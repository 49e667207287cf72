//! A name server that answers like an attacker's, guards that use it, and short helpers.

use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use guarded_http::{Error, Fetched, Guard, GuardSettings, Limits, Resolver, Resolving, Rule};

/// The successive answers of each name, the last repeated forever; an unknown name does not resolve.
#[derive(Default)]
pub(crate) struct ScriptedResolver {
    answers: HashMap<String, Vec<Vec<IpAddr>>>,
    asked: Mutex<Vec<String>>,
}

impl ScriptedResolver {
    /// Parses lines of a name and its answers; answers are separated by blanks, addresses within one by commas.
    pub(crate) fn new(script: &str) -> Arc<Self> {
        let mut answers = HashMap::new();
        for line in script.lines().filter(|line| !line.trim().is_empty()) {
            let mut words = line.split_whitespace();
            let name = words.next().unwrap().to_owned();
            let addresses = words.map(|answer| answer.split(',').map(|address| address.parse().unwrap()).collect()).collect();
            answers.insert(name, addresses);
        }
        Arc::new(Self { answers, asked: Mutex::default() })
    }

    /// How often a name was looked up.
    pub(crate) fn count(&self, name: &str) -> usize {
        self.asked.lock().unwrap().iter().filter(|asked| *asked == name).count()
    }
}

impl Resolver for ScriptedResolver {
    fn resolve<'a>(&'a self, name: &'a str) -> Resolving<'a> {
        let nth = self.count(name);
        self.asked.lock().unwrap().push(name.to_owned());
        let answers = self.answers.get(name);
        let answer = answers.and_then(|answers| answers.get(nth).or_else(|| answers.last())).cloned();
        Box::pin(async move { answer.ok_or_else(|| io::Error::other("no such name")) })
    }
}

/// Settings under which only the list and the address rule decide: these ports are open for all hosts.
pub(crate) fn settings(allow: &[String], ports: &[u16]) -> GuardSettings {
    let allow = allow.iter().map(|entry| entry.parse().unwrap()).collect();
    GuardSettings { allow, ports: ports.to_vec(), timeout: super::server::PATIENCE, ..GuardSettings::default() }
}

/// Pictures of up to 1,000 bytes.
pub(crate) const LIMITS: Limits = Limits { max_bytes: 1000, media_types: &["image/png", "image/jpeg"], timeout: Duration::from_secs(3600) };

pub(crate) async fn get(guard: &Guard, url: &str) -> Result<Fetched, Error> {
    guard.get(url, &LIMITS).await
}

/// The rule that refused the request; fails if none did.
pub(crate) fn rule<T: std::fmt::Debug>(result: Result<T, Error>, what: &str) -> Rule {
    match result {
        Err(Error::Refused { rule, .. }) => rule,
        other => panic!("{what}: expected a refusal, got {other:?}"),
    }
}
