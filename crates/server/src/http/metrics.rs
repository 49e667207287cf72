//! The metrics of `GET /metrics`: counted requests, and the current state of the backends, the jobs and the machine.
//!
//! It must not know HTTP's types: names and numbers arrive as values. The invariant: no label is chosen by a client, so the number of
//! series is bounded by our routes and the operator's keys, of which only the names appear. Names and units follow Prometheus'
//! recommendations.

use std::{fmt, time::Duration};

use generation::{
    JobMetrics, StepMetrics,
    jobs::{ProviderMetrics, Stats, Usage},
};
use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeLabelSet, MetricEncoder, NoLabelSet, text},
    metrics::{MetricType, counter::Counter, family::Family, histogram::Histogram},
    registry::Registry,
};

use crate::http::usd;

/// Upper bounds of the time until an answer, in seconds: from a millisecond to a held video.
const ANSWER_BOUNDS: [f64; 12] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0, 120.0, 600.0];

/// The labels of a request counter.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RequestLabels {
    method: &'static str,
    route: String,
    status: String,
}

/// The labels of a latency histogram.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct RouteLabels {
    method: &'static str,
    route: String,
}

/// The requests answered since the server started; cheap to clone, and clones share the counts.
#[derive(Clone, Debug)]
pub struct RequestMetrics {
    answered: Family<RequestLabels, Counter>,
    seconds: Family<RouteLabels, Histogram>,
}

impl Default for RequestMetrics {
    fn default() -> Self {
        Self { answered: Family::default(), seconds: Family::new_with_constructor(|| Histogram::new(ANSWER_BOUNDS)) }
    }
}

impl RequestMetrics {
    /// Counts a request. `route` is a template ("/generation/{id}"); `status` is a number, or a word if there was no answer.
    pub(crate) fn count(&self, method: &'static str, route: &str, status: &str, took: Duration) {
        let (route, status) = (route.to_owned(), status.to_owned());
        self.seconds.get_or_create(&RouteLabels { method, route: route.clone() }).observe(took.as_secs_f64());
        self.answered.get_or_create(&RequestLabels { method, route, status }).inc();
    }

    /// All metrics as OpenMetrics text.
    pub(crate) fn text(&self, now: Now) -> Result<String, fmt::Error> {
        let mut registry = Registry::default();
        registry.register("framewright_http_requests", "Requests by route and status", self.answered.clone());
        registry.register("framewright_http_request_seconds", "Time until a request was answered", self.seconds.clone());
        registry.register_collector(Box::new(now));
        let mut out = String::new();
        text::encode(&mut out, &registry)?;
        Ok(out)
    }
}

/// The current state of the backends, the jobs and the machine.
#[derive(Debug)]
pub(crate) struct Now {
    /// Whether the model is loaded.
    pub(crate) model_loaded: bool,
    /// Jobs that wait for the device, and jobs that run on it.
    pub(crate) waiting: usize,
    pub(crate) running: usize,
    pub(crate) jobs: JobMetrics,
    pub(crate) steps: StepMetrics,
    /// The services that are set up.
    pub(crate) providers: Vec<ProviderMetrics>,
    /// Their cost this month, by key.
    pub(crate) usage: Vec<Usage>,
    /// The contents of the store; `None` if it does not answer.
    pub(crate) stats: Option<Stats>,
    /// Resident memory of the process, in bytes, if the system reports it.
    pub(crate) resident_memory: Option<u64>,
}

impl Collector for Now {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut gauge = |name: &str, help: &str, value: u64| -> fmt::Result {
            encoder.encode_descriptor(name, help, None, MetricType::Gauge)?.encode_gauge(&value)
        };
        let flag = |is: bool| u64::from(is);
        gauge("framewright_model_loaded", "Whether the model is loaded", flag(self.model_loaded))?;
        gauge("framewright_queue_depth", "Jobs that wait for the device", self.waiting as u64)?;
        gauge("framewright_running_jobs", "Jobs that the device works on", self.running as u64)?;
        gauge("framewright_store_up", "Whether the store of jobs answers", flag(self.stats.is_some()))?;
        if let Some(stats) = &self.stats {
            gauge("framewright_artifact_bytes", "Bytes of files that are kept", stats.kept_bytes)?;
            gauge("framewright_artifact_files", "Files that are kept", stats.kept_files)?;
        }
        if let Some(bytes) = self.resident_memory {
            gauge("process_resident_memory_bytes", "Memory that the process holds", bytes)?;
        }
        if let Some(stats) = &self.stats {
            let mut jobs =
                encoder.encode_descriptor("framewright_stored_jobs", "Jobs in the store by their state", None, MetricType::Gauge)?;
            for (state, count) in &stats.jobs {
                jobs.encode_family(&[("state", state.name())])?.encode_gauge(count)?;
            }
        }
        let mut jobs = encoder.encode_descriptor("framewright_jobs", "Jobs that the device took, by outcome", None, MetricType::Counter)?;
        for (outcome, count) in [("completed", self.jobs.completed), ("failed", self.jobs.failed), ("cancelled", self.jobs.cancelled)] {
            jobs.encode_family(&[("outcome", outcome)])?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
        }
        for (name, help, times) in [
            ("framewright_job_wait_seconds", "Time that jobs waited for the device", &self.jobs.waits),
            ("framewright_job_run_seconds", "Time that the device worked on a job", &self.jobs.runs),
        ] {
            histogram(encoder.encode_descriptor(name, help, None, MetricType::Histogram)?, times)?;
        }
        let help = "Time of a denoising step, by what it makes";
        let mut steps = encoder.encode_descriptor("framewright_step_seconds", help, None, MetricType::Histogram)?;
        for (of, times) in [("picture", &self.steps.image_steps), ("motion", &self.steps.motion_steps)] {
            histogram(steps.encode_family(&[("of", of)])?, times)?;
        }
        if self.providers.is_empty() {
            return Ok(());
        }
        self.encode_providers(&mut encoder)
    }
}

impl Now {
    fn encode_providers(&self, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        type Count = fn(&ProviderMetrics) -> usize;
        let gauges: [(&str, &str, Count); 2] = [
            ("framewright_provider_running_jobs", "Jobs that a service works on", |of| of.running),
            ("framewright_provider_queue_depth", "Jobs that wait for a service", |of| of.waiting),
        ];
        for (name, help, count) in gauges {
            let mut family = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            for of in &self.providers {
                family.encode_family(&[("provider", of.provider.as_str())])?.encode_gauge(&(count(of) as u64))?;
            }
        }
        let mut jobs = encoder.encode_descriptor("framewright_provider_jobs", "Jobs of services, by outcome", None, MetricType::Counter)?;
        for of in &self.providers {
            for (outcome, count) in [("completed", of.completed), ("failed", of.failed), ("cancelled", of.cancelled)] {
                let labels = [("provider", of.provider.as_str()), ("outcome", outcome)];
                jobs.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(&count, None)?;
            }
        }
        let help = "Failed jobs of services, by the kind of fault";
        let mut errors = encoder.encode_descriptor("framewright_provider_errors", help, None, MetricType::Counter)?;
        for of in &self.providers {
            for (kind, count) in &of.errors {
                let labels = [("provider", of.provider.as_str()), ("kind", kind)];
                errors.encode_family(&labels)?.encode_counter::<NoLabelSet, _, u64>(count, None)?;
            }
        }
        let help = "What services have cost this month by the operator's prices, by the name of the key";
        let mut spend = encoder.encode_descriptor("framewright_provider_spend_usd", help, None, MetricType::Gauge)?;
        for row in &self.usage {
            for (state, micros) in [("spent", row.spent), ("reserved", row.reserved)] {
                let labels = [("provider", row.provider.as_str()), ("key", row.owner.as_str()), ("state", state)];
                spend.encode_family(&labels)?.encode_gauge(&usd(micros))?;
            }
        }
        Ok(())
    }
}

fn histogram(mut encoder: MetricEncoder<'_>, times: &generation::Histogram) -> fmt::Result {
    encoder.encode_histogram::<NoLabelSet>(times.sum, times.count(), &times.ranges, None)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

    use generation::jobs::{JobState, Month};

    use super::*;

    fn usage(owner: &str, spent: u64) -> Usage {
        let month = Month { year: 2026, month: 11 };
        Usage { owner: owner.into(), provider: "bedrock".into(), month, jobs: 1, reserved: 0, spent }
    }

    #[test]
    fn the_text_is_openmetrics() {
        let metrics = RequestMetrics::default();
        metrics.count("GET", "/generation/{id}", "404", Duration::from_millis(2));
        metrics.count("GET", "/generation/{id}", "404", Duration::from_millis(700));
        let stats = Stats { jobs: vec![(JobState::Queued, 2), (JobState::Completed, 5)], kept_bytes: 1000, kept_files: 5 };
        let now = Now {
            model_loaded: true,
            waiting: 2,
            running: 1,
            jobs: JobMetrics { failed: 3, ..JobMetrics::default() },
            steps: StepMetrics::default(),
            providers: vec![ProviderMetrics {
                provider: "bedrock".into(),
                running: 1,
                completed: 4,
                errors: [("rate_limited", 2)].into(),
                ..ProviderMetrics::default()
            }],
            usage: [("a", 480_000), ("b", 20_000)].map(|(owner, spent)| usage(owner, spent)).into(),
            stats: Some(stats),
            resident_memory: Some(4096),
        };
        let text = metrics.text(now).unwrap();
        for line in [
            "framewright_http_requests_total{method=\"GET\",route=\"/generation/{id}\",status=\"404\"} 2",
            "framewright_http_request_seconds_bucket{le=\"0.005\",method=\"GET\",route=\"/generation/{id}\"} 1",
            "framewright_http_request_seconds_bucket{le=\"+Inf\",method=\"GET\",route=\"/generation/{id}\"} 2",
            "framewright_model_loaded 1",
            "framewright_queue_depth 2",
            "framewright_stored_jobs{state=\"completed\"} 5",
            "framewright_jobs_total{outcome=\"failed\"} 3",
            "framewright_job_wait_seconds_bucket{le=\"+Inf\"} 0",
            "framewright_step_seconds_count{of=\"motion\"} 0",
            "process_resident_memory_bytes 4096",
            "framewright_provider_running_jobs{provider=\"bedrock\"} 1",
            "framewright_provider_jobs_total{provider=\"bedrock\",outcome=\"completed\"} 4",
            "framewright_provider_errors_total{provider=\"bedrock\",kind=\"rate_limited\"} 2",
            "framewright_provider_spend_usd{provider=\"bedrock\",key=\"a\",state=\"spent\"} 0.48",
            "framewright_provider_spend_usd{provider=\"bedrock\",key=\"b\",state=\"spent\"} 0.02",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"));
    }
}
