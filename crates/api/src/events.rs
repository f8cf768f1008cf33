//! The live feed (server-sent events): violations, which a client can resume, and positions, which are lossy.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Sse;
use axum::response::sse::{Event, KeepAlive};
use futures_util::Stream;
use futures_util::stream::unfold;
use intake::Crs;
use model::{Coord, FactId, LivePosition, Principal, Registry};
use serde::{Deserialize, Serialize};
use store::ChangeToken;
use tokio::time::{Instant, sleep, timeout};
use utoipa::{IntoParams, ToSchema};

use crate::app::App;
use crate::cases;
use crate::dto::{CrsName, Time, VehicleRef, shown};
use crate::extract::{Caller, Params};
use crate::facts::ViolationView;
use crate::guard::Token;
use crate::limits::Feed;
use crate::problem::{Kind, Problem};
use crate::serve::Closing;

/// Facts that are read at a time.
const FACTS_MAX: usize = 500;
/// A feed looks at least this often, should a wake-up go astray.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// A feed asks this often whether its session still holds.
const SESSION_CHECK: Duration = Duration::from_secs(30);

/// From where, and what.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct EventQuery {
    /// Violations that changed after this event; the header `Last-Event-ID` says the same and wins. Without either the
    /// feed begins now.
    last_event_id: Option<String>,
    /// Coordinate system of the positions.
    #[param(value_type = Option<CrsName>)]
    crs: Option<CrsName>,
}

/// A position as it comes in.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct LivePositionView {
    /// Whose.
    vehicle: VehicleRef,
    /// When the position was taken.
    time: Time,
    /// Longitude, degrees.
    lon: f64,
    /// Latitude, degrees.
    lat: f64,
    /// Speed, km/h.
    speed_kmh: f64,
    /// Direction, degrees from north, clockwise.
    direction_deg: u16,
}

/// Where the feed begins.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ReadyView {
    /// When it began.
    time: Time,
}

/// Server-sent events, only about what the caller sees. `ready` comes first; `violation` whenever a violation is new
/// or changed; `position` as positions come in, without those that a slow reader missed. `ready` and `violation` carry
/// an id from which the feed can be resumed; a violation may then come twice, with the same id and revision.
#[utoipa::path(get, path = "/api/v1/events", tag = "events", operation_id = "follow_events",
    params(("Last-Event-ID" = Option<String>, Header, description = "Id of the last event that was seen"), EventQuery),
    responses((status = 200, description = "The feed: `data` of `violation` is a ViolationView, of `position` a \
        LivePositionView", content((ViolationView = "text/event-stream")))))]
pub(crate) async fn get(
    State(app): State<App>,
    Caller(who): Caller,
    token: Token,
    closing: Closing,
    Params(query): Params<EventQuery>,
    headers: HeaderMap,
) -> Result<Sse<impl Stream<Item = Result<Event, Infallible>>>, Problem> {
    let header = headers.get("last-event-id").map(|value| value.to_str().unwrap_or_default());
    let resume = header.or(query.last_event_id.as_deref()).map(str::parse::<ChangeToken>);
    let resume = resume.transpose().map_err(|e| Problem::new(Kind::Malformed, e).about("last_event_id"))?;
    let place = app.feeds.take(&who.name, app.config.sse_per_user_max, app.config.sse_connections_max);
    let place = place.ok_or_else(|| {
        let detail = format!("at most {} live feeds a user", app.config.sse_per_user_max);
        Problem::new(Kind::TooMany, detail).retry_after_s(10)
    })?;
    // The cursor of the live positions is taken first, so that nothing falls between it and the facts.
    let (_, cursor) = app.deps.views.positions(0);
    app.caught_up().await?;
    let seen = match resume {
        Some(token) => token,
        None => head(&app, &who).await?,
    };
    let keep_alive = KeepAlive::new().interval(app.config.sse_keep_alive).text("alive");
    let ready = Event::default().event("ready").id(seen.to_string());
    let ready = ready.json_data(ReadyView { time: Time(app.now()) }).into_iter();
    let now = Instant::now();
    let crs = query.crs.unwrap_or_default().0;
    let queue = ready.collect();
    let follower =
        Follower { app, who, token, closing, crs, seen, cursor, queue, looked: now, checked: now, _place: place };
    let events = unfold(follower, |mut follower| async move {
        let event = follower.next().await?;
        Some((Ok(event), follower))
    });
    Ok(Sse::new(events).keep_alive(keep_alive))
}

/// The end of the feed as it is now: everything since the last checkpoint is walked over.
async fn head(app: &App, who: &Principal) -> Result<ChangeToken, Problem> {
    let recovered = app.deps.store.recovery().await?.unwrap_or_default();
    let mut token = ChangeToken { seq: recovered.position.seq, id: FactId(u128::MAX) };
    let settled = app.deps.views.settled();
    loop {
        let rows = app.deps.store.facts_changed_after(who.scope, token, FACTS_MAX).await?;
        let last = rows.iter().rev().find(|row| row.changed <= settled);
        token = last.map_or(token, store::FactRow::token);
        if rows.len() < FACTS_MAX || rows.last().is_none_or(|row| row.changed > settled) {
            return Ok(token);
        }
    }
}

/// One client, and how far it has seen.
struct Follower {
    app: App,
    who: Principal,
    token: Token,
    closing: Closing,
    crs: Crs,
    seen: ChangeToken,
    cursor: u64,
    queue: VecDeque<Event>,
    looked: Instant,
    checked: Instant,
    _place: Feed,
}

impl Follower {
    /// The next event; `None` when the server closes, the session ends, or the store fails: the client comes back with
    /// its last id.
    async fn next(&mut self) -> Option<Event> {
        loop {
            if let Some(event) = self.queue.pop_front() {
                return Some(event);
            }
            sleep(self.app.config.sse_interval.saturating_sub(self.looked.elapsed())).await;
            // Asked for before looking, so that a change in between wakes it.
            let app = self.app.clone();
            let changed = app.deps.views.changed();
            if !self.session_holds().await {
                return None;
            }
            if let Err(problem) = self.look().await {
                tracing::debug!(?problem, "a live feed ends");
                return None;
            }
            if self.queue.is_empty() {
                tokio::select! {
                    () = self.closing.0.cancelled() => return None,
                    _ = timeout(LOOK_AGAIN, changed) => {}
                }
            }
        }
    }

    async fn session_holds(&mut self) -> bool {
        if self.checked.elapsed() < SESSION_CHECK {
            return true;
        }
        self.checked = Instant::now();
        let session = self.app.deps.store.users().session(&self.token.0, self.app.now()).await;
        matches!(session, Ok(Some(who)) if who == self.who)
    }

    async fn look(&mut self) -> Result<(), Problem> {
        self.looked = Instant::now();
        let settled = self.app.deps.views.settled();
        let mut facts = self.app.deps.store.facts_changed_after(self.who.scope, self.seen, FACTS_MAX).await?;
        facts.retain(|row| row.changed <= settled);
        let (positions, cursor) = self.app.deps.views.positions(self.cursor);
        self.cursor = cursor;
        let registry = self.app.registry();
        let works = cases::works(&self.app, &registry, &facts).await?;
        for (row, work) in facts.iter().zip(&works) {
            self.seen = row.token();
            if row.fact.kind.is_violation() {
                let event = Event::default().event("violation").id(self.seen.to_string());
                self.queue.extend(event.json_data(ViolationView::of(&registry, row, work, (self.crs, self.app.now()))));
            }
        }
        let seen = positions.iter().filter(|position| self.who.scope.sees(registry.owner(position.vehicle)));
        let events = seen.map(|position| position_event(&registry, position, self.crs));
        self.queue.extend(events.flatten());
        Ok(())
    }
}

fn position_event(registry: &Registry, position: &LivePosition, crs: Crs) -> Option<Event> {
    let Coord { x: lon, y: lat } = shown(Coord { x: position.lon, y: position.lat }, crs);
    let view = LivePositionView {
        vehicle: VehicleRef::by_id(registry, position.vehicle),
        time: Time(position.time),
        lon,
        lat,
        speed_kmh: f64::from(position.speed_dkmh) / 10.0,
        direction_deg: position.direction_deg,
    };
    Event::default().event("position").json_data(view).ok()
}
