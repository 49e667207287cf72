//! Chooses between Prometheus' two text formats for `/metrics`, and converts one to the other.
//!
//! It must not know the metrics. Clients that name OpenMetrics 1.0.0 get it, as Prometheus does; all others get the text format 0.0.4,
//! which every tool and every person with curl can read, whatever else they accept: numbers in an unrequested format are more useful than a
//! 406. For our metrics the formats differ in two points: OpenMetrics describes a counter under its name without `_total`, and ends with `#
//! EOF` (prometheus.io/docs/instrumenting/exposition_formats and /docs/specs/om/open_metrics_spec).

use std::collections::HashSet;

use actix_web::{
    HttpRequest,
    http::header::{Accept, Header as _, Quality},
    mime::{self, Mime},
};

/// A text format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// OpenMetrics 1.0.0.
    OpenMetrics,
    /// Prometheus' own format, 0.0.4.
    Text,
}

impl Format {
    /// The format for this request.
    pub(crate) fn wanted(request: &HttpRequest) -> Self {
        let Ok(Accept(accepted)) = Accept::parse(request) else { return Self::Text };
        // The most specific of the matching ranges determines a type's quality.
        let quality = |of: fn(&Mime) -> Option<u8>| -> Quality {
            let ranges = accepted.iter().filter_map(|range| Some((of(&range.item)?, range.quality)));
            ranges.max().map_or(Quality::ZERO, |(_, quality)| quality)
        };
        let open = quality(open_metrics);
        if open > Quality::ZERO && open >= quality(text) { Self::OpenMetrics } else { Self::Text }
    }

    /// Its media type.
    pub(crate) const fn media_type(self) -> &'static str {
        match self {
            Self::OpenMetrics => "application/openmetrics-text; version=1.0.0; charset=utf-8",
            Self::Text => "text/plain; version=0.0.4; charset=utf-8",
        }
    }

    /// Converts OpenMetrics text to this format.
    pub(crate) fn of(self, open_metrics: String) -> String {
        match self {
            Self::OpenMetrics => open_metrics,
            Self::Text => as_text(&open_metrics),
        }
    }
}

/// How specifically a range names OpenMetrics; `None` if it does not. `*/*` does not.
fn open_metrics(range: &Mime) -> Option<u8> {
    if range.type_() != mime::APPLICATION {
        return None;
    }
    match range.subtype().as_str() {
        "*" => Some(0),
        "openmetrics-text" => version(range, "1.0.0"),
        _ => None,
    }
}

/// How specifically a range names the text format; `None` if it does not.
fn text(range: &Mime) -> Option<u8> {
    match (range.type_().as_str(), range.subtype().as_str()) {
        ("*", "*") => Some(0),
        ("text", "*") => Some(1),
        ("text", "plain") => version(range, "0.0.4").map(|closeness| closeness + 1),
        _ => None,
    }
}

/// 2 for our version, 1 for any, `None` for another.
fn version(range: &Mime, ours: &str) -> Option<u8> {
    match range.get_param("version") {
        Some(version) if version == ours => Some(2),
        Some(_) => None,
        None => Some(1),
    }
}

/// Converts OpenMetrics text to the text format 0.0.4, which describes a counter under the name of its values.
fn as_text(open_metrics: &str) -> String {
    let lines = || open_metrics.lines().filter(|line| *line != "# EOF");
    let counters: HashSet<&str> = lines().filter_map(|line| line.strip_prefix("# TYPE ")?.strip_suffix(" counter")).collect();
    // "# HELP name description", "# TYPE name counter"
    let renamed = |line: &str| -> Option<String> {
        let (kind, rest) = line.strip_prefix("# ")?.split_once(' ')?;
        let (name, description) = rest.split_once(' ').filter(|(name, _)| counters.contains(name))?;
        Some(format!("# {kind} {name}_total {description}\n"))
    };
    lines().map(|line| renamed(line).unwrap_or_else(|| format!("{line}\n"))).collect()
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn wanted(accept: &[&str]) -> Format {
        let request = accept.iter().fold(TestRequest::get(), |request, line| request.append_header(("Accept", *line)));
        Format::wanted(&request.to_http_request())
    }

    /// The headers of Prometheus 2.42 and 3.5.
    const PROMETHEUS_2: &str = "application/openmetrics-text;version=1.0.0,application/openmetrics-text;version=0.0.1;q=0.75,\
                                text/plain;version=0.0.4;q=0.5,*/*;q=0.1";
    const PROMETHEUS_3: &str = "application/openmetrics-text;version=1.0.0;escaping=allow-utf-8;q=0.5,\
                                application/openmetrics-text;version=0.0.1;q=0.4,text/plain;version=1.0.0;escaping=allow-utf-8;q=0.3,\
                                text/plain;version=0.0.4;q=0.2,*/*;q=0.1";

    #[test]
    fn accept_selects_the_format() {
        for open in [
            &[PROMETHEUS_2][..],
            &[PROMETHEUS_3],
            &["application/openmetrics-text"],
            &["Application/OpenMetrics-Text; Version=1.0.0"],
            &["application/openmetrics-text, text/plain"],
            &["text/plain;q=0.5, application/openmetrics-text;version=1.0.0;q=0.9"],
            &["*/*;q=0.1", "application/openmetrics-text;version=1.0.0;q=0.5"],
            &["application/*"],
            &["text/plain;q=0, application/openmetrics-text;q=0.001"],
        ] {
            assert_eq!(wanted(open), Format::OpenMetrics, "{open:?}");
        }
        for text in [
            &[][..],
            &[""],
            &["*/*"],
            &["text/plain"],
            &["text/plain;version=0.0.4"],
            &["text/*;q=0.3"],
            &["text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"],
            &["text/plain;version=0.0.4, application/openmetrics-text;q=0.9"],
            &["text/plain, application/openmetrics-text;version=1.0.0;q=0"],
            &["application/openmetrics-text;version=2.0.0, */*;q=0.1"],
            &["application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited;q=0.6, text/plain;q=0.3"],
            &["application/json"],
            &["nonsense"],
            &["caf\u{e9}"],
        ] {
            assert_eq!(wanted(text), Format::Text, "{text:?}");
        }
    }

    #[test]
    fn a_counter_is_described_under_the_name_of_its_values() {
        let open = "# HELP a_jobs Jobs.\n# TYPE a_jobs counter\na_jobs_total{of=\"# TYPE\"} 2\n# HELP b Bytes.\n# TYPE b gauge\nb 1\n\
                    # HELP a_jobs_seconds Time.\n# TYPE a_jobs_seconds histogram\na_jobs_seconds_bucket{le=\"+Inf\"} 0\n# EOF\n";
        let text = "# HELP a_jobs_total Jobs.\n# TYPE a_jobs_total counter\na_jobs_total{of=\"# TYPE\"} 2\n# HELP b Bytes.\n\
                    # TYPE b gauge\nb 1\n# HELP a_jobs_seconds Time.\n# TYPE a_jobs_seconds histogram\na_jobs_seconds_bucket{le=\"+Inf\"} 0\n";
        assert_eq!(Format::Text.of(open.into()), text);
        assert_eq!(Format::OpenMetrics.of(open.into()), open);
    }
}
