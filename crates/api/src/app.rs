//! What every handler shares, and the assembly of the router: handlers, then the guard, then the envelope.

use std::sync::Arc;

use axum::Router;
use axum::middleware::from_fn_with_state;
use model::{ControlPort, Registry, Timestamp};

use crate::config::{Config, Deps};
use crate::limits::{Feeds, LoginLimiter};
use crate::metrics::Metrics;
use crate::problem::{Kind, Problem};
use crate::{envelope, guard, openapi};

/// Shared by all handlers; clones share everything.
#[derive(Clone)]
pub(crate) struct App(Arc<Shared>);

pub(crate) struct Shared {
    pub(crate) deps: Deps,
    pub(crate) config: Config,
    pub(crate) metrics: Metrics,
    pub(crate) logins: LoginLimiter,
    pub(crate) feeds: Arc<Feeds>,
}

impl std::ops::Deref for App {
    type Target = Shared;

    fn deref(&self) -> &Shared {
        &self.0
    }
}

impl App {
    pub(crate) fn new(deps: Deps, config: Config) -> Self {
        let metrics = Metrics::register(&deps.metrics);
        let (logins, feeds) = (LoginLimiter::default(), Arc::default());
        Self(Arc::new(Shared { deps, config, metrics, logins, feeds }))
    }

    pub(crate) fn now(&self) -> Timestamp {
        (self.deps.clock)()
    }

    pub(crate) fn control(&self) -> &dyn ControlPort {
        &*self.deps.control
    }

    /// The registry at the head of the control stream. Take it after [`App::caught_up`].
    pub(crate) fn registry(&self) -> Arc<Registry> {
        self.deps.control.registry()
    }

    /// Read after answer: returns when the views reflect every frame answered before the request.
    pub(crate) async fn caught_up(&self) -> Result<(), Problem> {
        Ok(self.deps.views.caught_up().await?)
    }

    /// How many rows a page has.
    pub(crate) fn page(&self, limit: Option<usize>) -> Result<usize, Problem> {
        let limit = limit.unwrap_or(self.config.page_default);
        if (1..=self.config.page_max).contains(&limit) {
            return Ok(limit);
        }
        let detail = format!("limit must be 1 to {}", self.config.page_max);
        Err(Problem::new(Kind::Malformed, detail).about("limit"))
    }
}

/// The HTTP window: every route of [`ROUTES`](crate::ROUTES), guarded, limited and counted.
pub fn router(deps: Deps, config: Config) -> Router {
    let app = App::new(deps, config);
    let (router, _) = openapi::routes().split_for_parts();
    router
        .fallback(|| async { Problem::new(Kind::NotFound, "no such route; /api/openapi.json lists them") })
        .layer(from_fn_with_state(app.clone(), guard::guard))
        .layer(from_fn_with_state(app.clone(), envelope::envelope))
        .with_state(app)
}
