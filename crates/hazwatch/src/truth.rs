//! What vouches for the journal: seals every minute, signed heads of days, proofs of single records.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use ::journal::{
    Algorithm, Blobs, Clock, DailyHead, ProveError, PublicKey, RealDisk, Sealer, SealerOptions, Watermark,
};
use ::journal::{daily_heads, prove, public_key, read_control};
use control::Control;
use model::{
    BoxFuture, Change, ControlPort, ControlRecord, FramesError, Position, Principal, ProofError, RecordRef, TruthPort,
};
use prometheus::{IntCounter, IntGauge, Registry};
use tokio::time::MissedTickBehavior;

use crate::error::Failure;

/// Under which name the journal remembers up to which day the heads were taken by whoever is to have them.
const SENT_DAY: &str = "heads.sent";

/// Under which name `app.db` holds the secret of the n-th key that seals.
pub(crate) fn seal_secret(number: u32) -> String {
    if number <= 1 { "seal_key".to_owned() } else { format!("seal_key_{number}") }
}
/// How long whoever takes the heads of days may take.
const PUBLISH_MAX: Duration = Duration::from_secs(20);

/// The journal's folder and the key of its seals, for the API.
pub(crate) struct TruthOf {
    pub folder: PathBuf,
    pub key: PublicKey,
}

impl TruthOf {
    async fn blocking<T: Send + 'static, E: From<String> + Send + 'static>(
        &self,
        read: impl FnOnce(&Path) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E> {
        let folder = self.folder.clone();
        let outcome = tokio::task::spawn_blocking(move || read(&folder)).await;
        outcome.unwrap_or_else(|error| Err(error.to_string().into()))
    }
}

/// A public key, for people and programs.
pub(crate) fn key_json(key: &PublicKey) -> serde_json::Value {
    serde_json::json!({
        "key_id": key.id().to_string(),
        "algorithm": "Ed25519",
        "public_key": key.to_string(),
        "pem": key.to_pem(),
    })
}

fn blobs(folder: &Path) -> Blobs {
    Blobs::new(Arc::new(RealDisk), folder)
}

/// Reading failed; the text is for the log.
struct Unread(String);

impl From<String> for Unread {
    fn from(text: String) -> Self {
        Self(text)
    }
}

fn unread(error: impl std::error::Error) -> Unread {
    Unread(error.to_string())
}

impl TruthPort for TruthOf {
    fn key(&self) -> String {
        key_json(&self.key).to_string()
    }

    fn daily_heads(&self, before: Option<String>, limit: usize) -> BoxFuture<'_, Result<Vec<String>, FramesError>> {
        Box::pin(async move {
            let heads = self.blocking(|folder| daily_heads(&RealDisk, folder).map_err(unread)).await;
            let heads = heads.map_err(|Unread(text)| FramesError(text))?;
            let older = |head: &&DailyHead| before.as_deref().is_none_or(|before| head.date().as_str() < before);
            Ok(heads.iter().rev().filter(older).take(limit).map(|head| head.to_json().to_string()).collect())
        })
    }

    fn prove(&self, (seq, index): (u64, u32)) -> BoxFuture<'_, Result<String, ProofError>> {
        let at = RecordRef { position: Position { shard: 0, seq }, index, item: 0 };
        let key = self.key;
        Box::pin(async move {
            let proof = self.blocking(move |folder| Ok::<_, Unread>(prove(&RealDisk, folder, at, &[key]))).await;
            let proof = proof.map_err(|Unread(text)| ProofError::Failed(text))?;
            proof.map(|proof| proof.to_json()).map_err(|error| match error {
                ProveError::NoSuchRecord(_) => ProofError::NotFound(error.to_string()),
                ProveError::NotSealed(_) => ProofError::NotYet,
                other => ProofError::Failed(other.to_string()),
            })
        })
    }

    fn keep(&self, bytes: Vec<u8>) -> BoxFuture<'_, Result<String, FramesError>> {
        Box::pin(async move {
            let kept = self.blocking(move |folder| blobs(folder).put(&bytes).map_err(unread)).await;
            kept.map(|id| id.to_string()).map_err(|Unread(text)| FramesError(text))
        })
    }

    fn kept(&self, sha256: String) -> BoxFuture<'_, Result<Option<Vec<u8>>, FramesError>> {
        Box::pin(async move {
            let Ok(id) = sha256.parse() else { return Ok(None) };
            let bytes = self.blocking(move |folder| blobs(folder).get(id).map_err(unread)).await;
            bytes.map_err(|Unread(text)| FramesError(text))
        })
    }

    fn control_records(&self, before: u64, limit: usize) -> BoxFuture<'_, Result<Vec<ControlRecord>, FramesError>> {
        Box::pin(async move {
            let records = self.blocking(|folder| read_control(&RealDisk, folder).map_err(unread)).await;
            let mut records = records.map_err(|Unread(text)| FramesError(text))?;
            records.retain(|record| record.seq < before);
            records.reverse();
            records.truncate(limit);
            Ok(records)
        })
    }
}

/// What sealing is given.
pub(crate) struct Sealing {
    pub folder: PathBuf,
    pub secret: [u8; 32],
    /// The key before, which introduces this one.
    pub former: Option<[u8; 32]>,
    pub control: Arc<Control>,
    pub algorithm: Algorithm,
    pub watermark: Watermark,
    pub clock: Arc<dyn Clock>,
    pub every: Duration,
    /// Where heads of days are sent; empty: nowhere.
    pub heads_url: String,
}

/// What the operator sees of it.
struct Counters {
    seals: IntCounter,
    failures: IntCounter,
    sealed_at: IntGauge,
}

impl Counters {
    fn register(registry: &Registry) -> Result<Self, prometheus::Error> {
        let counters = Self {
            seals: IntCounter::new("hazwatch_seals_total", "Seals made since the start")?,
            failures: IntCounter::new(
                "hazwatch_seal_failures_total",
                "Seals and heads that could not be made or sent",
            )?,
            sealed_at: IntGauge::new("hazwatch_sealed_timestamp_seconds", "When the last seal was made")?,
        };
        registry.register(Box::new(counters.seals.clone()))?;
        registry.register(Box::new(counters.failures.clone()))?;
        registry.register(Box::new(counters.sealed_at.clone()))?;
        Ok(counters)
    }
}

impl Sealing {
    /// The key that seals.
    pub(crate) fn key(&self) -> PublicKey {
        public_key(&self.secret)
    }

    /// Seals until it is aborted. What is wrong is logged and tried again: a journal without seals still works.
    pub(crate) fn start(self, metrics: &Registry) -> Result<tokio::task::JoinHandle<()>, Failure> {
        let counters = Counters::register(metrics).map_err(|error| Failure::because("cannot count", error))?;
        Ok(tokio::spawn(self.run(counters)))
    }

    async fn run(self, counters: Counters) {
        let mut ticks = tokio::time::interval(self.every);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut sealer = None;
        let mut unsent = self.unsent().await;
        loop {
            ticks.tick().await;
            let (options, now) = (self.options(), self.clock.now());
            let held = sealer.take();
            let round = tokio::task::spawn_blocking(move || {
                let mut sealer = match held {
                    Some(sealer) => sealer,
                    None => Sealer::open(options)?,
                };
                let made = sealer.seal(now).and_then(|seal| Ok((seal, sealer.close_days(now)?)));
                Ok::<_, ::journal::SealError>((sealer, made))
            });
            match round.await {
                Ok(Ok((held, made))) => {
                    sealer = Some(held);
                    self.made(made, &counters, &mut unsent);
                }
                Ok(Err(error)) => failed(&counters, &error),
                Err(error) => failed(&counters, &error),
            }
            self.send(&mut unsent, &counters).await;
        }
    }

    /// The heads that nobody has taken yet, oldest first.
    async fn unsent(&self) -> Vec<DailyHead> {
        if self.heads_url.is_empty() {
            return Vec::new();
        }
        let folder = self.folder.clone();
        let heads = tokio::task::spawn_blocking(move || daily_heads(&RealDisk, &folder)).await;
        let mut heads = match heads {
            Ok(Ok(heads)) => heads,
            Ok(Err(error)) => {
                tracing::error!(error = %model::Chain(&error), "the heads of days cannot be read; those that were not sent stay unsent");
                Vec::new()
            }
            Err(_) => Vec::new(),
        };
        let registry = ControlPort::registry(&*self.control);
        let sent = registry.setting(SENT_DAY).unwrap_or_default();
        heads.retain(|head| head.date().as_str() > sent);
        heads
    }

    fn options(&self) -> SealerOptions {
        SealerOptions {
            disk: Arc::new(RealDisk),
            journal: self.folder.clone(),
            secret: self.secret,
            former: self.former,
            algorithm: self.algorithm,
            watermark: self.watermark.clone(),
        }
    }

    fn made(
        &self,
        made: Result<(Option<::journal::Seal>, Vec<DailyHead>), ::journal::SealError>,
        counters: &Counters,
        unsent: &mut Vec<DailyHead>,
    ) {
        match made {
            Ok((seal, heads)) => {
                if let Some(seal) = seal {
                    counters.seals.inc();
                    counters.sealed_at.set(seal.sealed.secs());
                }
                for head in heads {
                    let hash: String = head.hash().iter().map(|byte| format!("{byte:02x}")).collect();
                    tracing::info!(day = head.date(), hash, "the head of a day is signed");
                    if !self.heads_url.is_empty() {
                        unsent.push(head);
                    }
                }
            }
            Err(error) => failed(counters, &error),
        }
    }

    /// Sends what was not taken yet, oldest first.
    async fn send(&self, unsent: &mut Vec<DailyHead>, counters: &Counters) {
        while let Some(head) = unsent.first() {
            let (url, body) = (self.heads_url.clone(), head.to_json());
            let sent = tokio::task::spawn_blocking(move || {
                let agent = ureq::Agent::config_builder().timeout_global(Some(PUBLISH_MAX)).build().new_agent();
                agent.post(&url).send_json(body).map(|_| ())
            });
            match sent.await {
                Ok(Ok(())) => {
                    let change = Change::SettingPut { key: SENT_DAY.to_owned(), value: head.date() };
                    if let Err(error) = self.control.submit(&Principal::system(), vec![change]).await {
                        return failed(counters, &error);
                    }
                    unsent.remove(0);
                }
                Ok(Err(error)) => return failed(counters, &error),
                Err(error) => return failed(counters, &error),
            }
        }
    }
}

fn failed(counters: &Counters, error: &(dyn std::error::Error + 'static)) {
    counters.failures.inc();
    tracing::error!(error = %model::Chain(error), "sealing is put off");
}
