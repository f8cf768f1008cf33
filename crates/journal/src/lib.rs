//! The truth: every frame and every change, appended in envelopes that form hash chains, on disk before anybody is
//! answered. It knows no protocol, no rule and no view.
//!
//! * [`Journal`] appends: group commit, one fdatasync a commit, no timer. When the disk fails or fills up it answers
//!   nobody, cuts what was in flight, and works again without a restart ([`State`]).
//! * [`Reader`] reads batches back in the order in which they took effect.
//! * [`verify()`] walks both chains offline and names the first broken record.

mod backup;
mod blob;
mod change_codec;
mod commit;
mod decode;
mod disk;
mod door_codec;
mod envelope;
mod ground_codec;
mod hash;
mod index;
mod landing;
mod lock;
mod look_back;
mod merkle;
mod options;
mod packed;
mod piece;
mod proto;
mod prove;
mod queue;
mod reader;
mod received;
mod recompress;
mod record;
mod recover;
mod retention;
pub mod sabotage;
mod scan;
mod seal;
mod segment;
pub mod sim;
mod source;
mod space;
mod verify;
mod writer;
mod zone_codec;

pub use backup::{Copied, CopyError, copy};
pub use blob::{BLOB_BYTES_MAX, BlobError, BlobId, BlobIdError, Blobs};
pub use change_codec::ChangeCodecError;
pub use disk::{Disk, DiskFile, RealDisk};
pub use envelope::EnvelopeError;
pub use hash::Algorithm;
pub use index::index_next;
pub use landing::{AppendError, Committed, Landing, Refused, SUBMISSION_BYTES_MAX, Ticket};
pub use lock::{DataLock, LockError};
pub use look_back::{Sought, look_back, scan_backwards};
pub use options::{Clock, CommitStats, OnCommit, OnState, Options, State, system_clock};
pub use prove::{
    DayProven, KeyTrust, NotProven, PROOF_BYTES_MAX, Proof, ProofFileError, ProveError, Trust, Verdict, check, prove,
};
pub use reader::{ReadError, Reader, envelope_hash, read_control};
pub use recompress::{Recompressed, recompress_next};
pub use record::{Batch, Kind, Record};
pub use retention::{HELD_LATE, Keep, Plan, Segment, Why, plan, sweep};
pub use seal::{
    DailyHead, KeyId, PublicKey, PublicKeyError, Seal, SealError, SealedChain, Sealer, SealerOptions, daily_heads,
    public_key, sealed_frames,
};
pub use segment::{Broken, OpenError, SEGMENT_BYTES_MAX, Stream};
pub use verify::{Parting, Report, SealReport, VerifyError, compare, verify, verify_blobs, verify_with};
pub use writer::{Journal, Recovered, Watermark};
