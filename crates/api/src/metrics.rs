//! Counters of the window, registered with everybody's.

use std::time::Duration;

use axum::http::{Method, StatusCode};
use prometheus::{HistogramOpts, HistogramVec, IntCounterVec, IntGauge, Opts, Registry};

/// Upper bounds of the latency histogram, seconds.
const BUCKETS_S: [f64; 12] = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0, 30.0];

/// `None` where the metric could not be made: a window without counters is better than none.
pub(crate) struct Metrics {
    requests: Option<IntCounterVec>,
    latency: Option<HistogramVec>,
    feeds: Option<IntGauge>,
}

/// Makes and registers a metric; what fails is logged and left out.
fn registered<M: prometheus::core::Collector + Clone + 'static>(
    registry: &Registry,
    metric: prometheus::Result<M>,
) -> Option<M> {
    let made = metric.and_then(|metric| registry.register(Box::new(metric.clone())).map(|()| metric));
    made.inspect_err(|error| tracing::error!(%error, "a metric of the HTTP window is left out")).ok()
}

impl Metrics {
    pub(crate) fn register(registry: &Registry) -> Self {
        let requests = Opts::new("hazwatch_http_requests_total", "HTTP requests answered.");
        let latency = HistogramOpts::new("hazwatch_http_request_seconds", "Time until an answer began.");
        let feeds = Opts::new("hazwatch_http_feeds", "Live feeds (SSE) that are open.");
        Self {
            requests: registered(registry, IntCounterVec::new(requests, &["method", "route", "status"])),
            latency: registered(
                registry,
                HistogramVec::new(latency.buckets(BUCKETS_S.to_vec()), &["method", "route", "status"]),
            ),
            feeds: registered(registry, IntGauge::with_opts(feeds)),
        }
    }

    pub(crate) fn observe(&self, method: &Method, route: &str, status: StatusCode, took: Duration) {
        // Methods are the client's to invent, label values are not.
        let method = match *method {
            Method::GET | Method::HEAD | Method::POST | Method::PUT | Method::DELETE => method.as_str(),
            _ => "other",
        };
        let labels = [method, route, status.as_str()];
        if let Some(requests) = &self.requests {
            requests.with_label_values(&labels).inc();
        }
        if let Some(latency) = &self.latency {
            latency.with_label_values(&labels).observe(took.as_secs_f64());
        }
    }

    pub(crate) fn set_feeds(&self, open: usize) {
        if let Some(feeds) = &self.feeds {
            feeds.set(i64::try_from(open).unwrap_or(i64::MAX));
        }
    }
}
