//! Offline verification: walks chains, seals, daily heads and blobs, changes nothing (not even a lock file is written),
//! names the first broken record.

mod against;
mod chain;
mod print;
mod seals;

use std::path::Path;
use std::sync::Arc;

use crate::blob::{BlobError, Blobs};
use crate::disk::Disk;
use crate::prove::Trust;
use crate::segment::{Broken, OpenError, Stream};
pub use against::{Parting, compare};
use chain::{Chain, control_is_cut};
pub use seals::SealReport;
use seals::{Covered, check_seals};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first frame envelope that is there: 1, unless retention took what was before.
    pub first_frame_envelope: u64,
    /// Hash of the envelope before that, as the first segment names it; zeros when nothing was before.
    pub before_frames: String,
    /// Frame envelopes.
    pub frame_envelopes: u64,
    /// Frame records, ticks included.
    pub frame_records: u64,
    /// Control records.
    pub control_records: u64,
    /// Bytes after the last whole envelope: a torn tail, never acknowledged, cut at the next start.
    pub torn_bytes: u64,
    /// Hash of the last frame envelope: publish it, or compare it with one that was published.
    pub frames_head: String,
    /// Hash of the last control envelope.
    pub control_head: String,
    /// Starts of the process that wrote it.
    pub writers: u64,
    /// Frame segments in packed form.
    pub packed_segments: u64,
    /// What the seals say.
    pub seals: SealReport,
}

impl Report {
    /// Whether something from outside vouches for it: a key that was given, or a daily head that was published.
    /// Without, it is consistent in itself, and no more: whoever can write the files could have made all of it anew.
    #[must_use]
    pub const fn is_anchored(&self) -> bool {
        self.seals.trusted > 0 || self.seals.published > 0
    }
}

/// Why a verification did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// It could not be read.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A record is broken.
    #[error("first broken record: {0}")]
    Broken(Broken),
    /// A blob is broken.
    #[error("first broken blob: {0}")]
    Blob(#[from] BlobError),
}

/// Walks chains and seals, trusting nothing from outside: proves consistency only, that nothing in the middle was
/// changed, not that nothing was rewritten from some point to the end.
///
/// # Errors
/// With the first broken record, or when the folder cannot be read.
pub fn verify(disk: &dyn Disk, journal: &Path) -> Result<Report, VerifyError> {
    verify_with(disk, journal, &Trust::default())
}

/// Walks chains and seals, with keys and daily heads that are trusted from elsewhere. That a key was given does not say
/// that it signed anything here: ask [`Report::is_anchored`].
///
/// # Errors
/// With the first broken record, when a daily head that was given is not in the journal, or when the folder cannot be
/// read.
pub fn verify_with(disk: &dyn Disk, journal: &Path, trust: &Trust) -> Result<Report, VerifyError> {
    let seals = check_seals(disk, journal, trust)?;
    let mut covered = Covered::open(disk, journal, Stream::Control)?;
    let mut visit = |seq, hash| covered.envelope(seq, hash);
    let control = Chain::walk(disk, journal, Stream::Control, &mut visit)?;
    let control_end = control.next_seq;
    let mut covered_frames = Covered::open(disk, journal, Stream::Frames)?;
    let mut visit = |seq, hash| covered_frames.envelope(seq, hash);
    let frames = Chain::walk(disk, journal, Stream::Frames, &mut visit)?;
    let frames_end = frames.next_seq;
    if let Some(broken) = control_is_cut(journal, &control, &frames) {
        return Err(VerifyError::Broken(broken));
    }
    let report = Report {
        first_frame_envelope: frames.first_seq,
        before_frames: hex::encode(frames.before),
        frame_envelopes: frames.envelopes,
        frame_records: frames.records,
        control_records: control.records,
        torn_bytes: frames.torn_bytes + control.torn_bytes,
        frames_head: hex::encode(frames.hash),
        control_head: hex::encode(control.hash),
        writers: frames.writers,
        packed_segments: frames.packed_segments,
        seals,
    };
    covered.finish(control_end)?;
    covered_frames.finish(frames_end)?;
    Ok(report)
}

/// Reads every blob and holds it against its name; says how many there are.
///
/// # Errors
/// With the first that is broken, or when one cannot be read.
pub fn verify_blobs(disk: &Arc<dyn Disk>, journal: &Path) -> Result<u64, VerifyError> {
    Ok(Blobs::new(disk.clone(), journal).verify()?)
}
