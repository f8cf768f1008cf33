//! Rows of a segment: the strands of one bucket of vehicles, and the rule states that came with them.

use model::{Fix, Timestamp, VehicleId};

use super::strand;
use crate::StoredState;
use crate::chunk::ChunkError;

/// The version that is written.
const VERSION: u8 = 1;
const HEAD_LEN: usize = 5;
/// A row is closed when it has grown beyond this, bytes.
const ROW_LEN: usize = 64 * 1024;

/// A row, before it has a place.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) bucket: i64,
    /// Among the rows of the bucket.
    pub(crate) n: i64,
    pub(crate) start: Timestamp,
    pub(crate) stop: Timestamp,
    pub(crate) fixes: usize,
    pub(crate) body: Vec<u8>,
}

/// Coded fixes of one vehicle.
pub(crate) struct Strand<'a> {
    pub(crate) vehicle: VehicleId,
    pub(crate) start: Timestamp,
    pub(crate) stop: Timestamp,
    pub(crate) count: usize,
    pub(crate) bytes: &'a [u8],
}

/// Puts strands into rows; they come in the order of their buckets.
#[derive(Default)]
pub(crate) struct Rows {
    done: Vec<Row>,
    open: Option<Row>,
}

impl Rows {
    pub(crate) fn add(&mut self, strand: &Strand<'_>) {
        let bucket = super::bucket(strand.vehicle);
        let mut n = 0;
        if let Some(row) = self.open.take_if(|row| row.bucket != bucket || row.body.len() > ROW_LEN) {
            // What does not fit any more by number goes into the last row all the same.
            n = if row.bucket == bucket { row.n + 1 } else { 0 };
            if n == super::ROWS_PER_BUCKET {
                self.open = Some(row);
            } else {
                self.done.push(sealed(row));
            }
        }
        let row = self.open.get_or_insert_with(|| Row {
            bucket,
            n,
            start: strand.start,
            stop: strand.stop,
            fixes: 0,
            body: vec![0; HEAD_LEN],
        });
        row.start = row.start.min(strand.start);
        row.stop = row.stop.max(strand.stop);
        row.fixes += strand.count;
        row.body.extend(strand.vehicle.0.to_le_bytes());
        row.body.extend((strand.count as u32).to_le_bytes());
        row.body.extend((strand.bytes.len() as u32).to_le_bytes());
        row.body.extend_from_slice(strand.bytes);
    }

    pub(crate) fn finish(mut self) -> Vec<Row> {
        self.done.extend(self.open.map(sealed));
        self.done
    }
}

fn sealed(mut row: Row) -> Row {
    seal(&mut row.body);
    row
}

/// Fills the head in: version, and the CRC-32C of all behind it.
fn seal(body: &mut [u8]) {
    let check = crc32c::crc32c(body.get(HEAD_LEN..).unwrap_or_default());
    if let Some([version, rest @ ..]) = body.first_chunk_mut::<HEAD_LEN>() {
        *version = VERSION;
        *rest = check.to_le_bytes();
    }
}

/// What lies behind a good head.
fn opened(body: &[u8]) -> Result<&[u8], ChunkError> {
    let ([version, check @ ..], rest) = body.split_first_chunk::<HEAD_LEN>().ok_or(ChunkError::Short("head"))?;
    if *version != VERSION {
        return Err(ChunkError::Version(*version));
    }
    if *check == crc32c::crc32c(rest).to_le_bytes() { Ok(rest) } else { Err(ChunkError::Checksum) }
}

fn array<const N: usize>(rest: &mut &[u8]) -> Result<[u8; N], ChunkError> {
    let (head, tail) = rest.split_first_chunk().ok_or(ChunkError::Short("a strand"))?;
    *rest = tail;
    Ok(*head)
}

fn bytes<'a>(rest: &mut &'a [u8], len: u32) -> Result<&'a [u8], ChunkError> {
    let (head, tail) = rest.split_at_checked(len as usize).ok_or(ChunkError::Short("a strand"))?;
    *rest = tail;
    Ok(head)
}

/// Hands out the fixes of a row, strand by strand; only those of `vehicle` when it is given.
pub(crate) fn read(
    body: &[u8],
    vehicle: Option<VehicleId>,
    mut each: impl FnMut(VehicleId, Vec<Fix>),
) -> Result<(), ChunkError> {
    let mut rest = opened(body)?;
    while !rest.is_empty() {
        let found = VehicleId(u64::from_le_bytes(array(&mut rest)?));
        let count = u32::from_le_bytes(array(&mut rest)?) as usize;
        let len = u32::from_le_bytes(array(&mut rest)?);
        let strand = bytes(&mut rest, len)?;
        if vehicle.is_none_or(|vehicle| vehicle == found) {
            each(found, strand::decode(strand, count)?);
        }
    }
    Ok(())
}

/// The rule states of one bucket, as one body.
pub(crate) fn write_states(states: &[(VehicleId, &StoredState)]) -> Vec<u8> {
    let mut body = vec![0; HEAD_LEN];
    for (vehicle, state) in states {
        body.extend(vehicle.0.to_le_bytes());
        body.extend(state.judged_to.0.to_le_bytes());
        body.extend((state.state.len() as u32).to_le_bytes());
        body.extend_from_slice(&state.state);
    }
    seal(&mut body);
    body
}

/// The inverse of [`write_states`].
pub(crate) fn read_states(body: &[u8]) -> Result<Vec<(VehicleId, StoredState)>, ChunkError> {
    let mut rest = opened(body)?;
    let mut all = Vec::new();
    while !rest.is_empty() {
        let vehicle = VehicleId(u64::from_le_bytes(array(&mut rest)?));
        let judged_to = Timestamp(i64::from_le_bytes(array(&mut rest)?));
        let len = u32::from_le_bytes(array(&mut rest)?);
        all.push((vehicle, StoredState { judged_to, state: bytes(&mut rest, len)?.to_vec() }));
    }
    Ok(all)
}
