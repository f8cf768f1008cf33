//! Offline verification: walks both chains, changes nothing, names the first broken record.

mod chain;

use std::path::Path;

use crate::disk::Disk;
use crate::segment::{Broken, OpenError, Stream};
use chain::{Chain, control_is_cut};

/// What a verification found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The first frame envelope that is there: 1, unless retention took what was before.
    pub first_frame_envelope: u64,
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
}

/// Walks both chains. Without a head from outside to compare with, it proves consistency only: that nothing in the
/// middle was changed, not that nothing was rewritten from some point to the end.
///
/// # Errors
/// With the first broken record, or when the folder cannot be read.
pub fn verify(disk: &dyn Disk, journal: &Path) -> Result<Report, VerifyError> {
    let mut ignore = |_, _| Ok(());
    let control = Chain::walk(disk, journal, Stream::Control, &mut ignore)?;
    let mut ignore = |_, _| Ok(());
    let frames = Chain::walk(disk, journal, Stream::Frames, &mut ignore)?;
    if let Some(broken) = control_is_cut(journal, &control, &frames) {
        return Err(VerifyError::Broken(broken));
    }
    Ok(Report {
        first_frame_envelope: frames.first_seq,
        frame_envelopes: frames.envelopes,
        frame_records: frames.records,
        control_records: control.records,
        torn_bytes: frames.torn_bytes + control.torn_bytes,
        frames_head: hex::encode(frames.hash),
        control_head: hex::encode(control.hash),
        writers: frames.writers,
    })
}
