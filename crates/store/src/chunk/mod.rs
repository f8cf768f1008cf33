//! The block codec of tracks: fixes as columns, each guessed from its neighbours, the errors range-coded.
//!
//! The format of chunks, frozen as `proto/hazwatch/track/v1/track.md`. A block says which
//! columns it has and how each is stored; what this reader does not know is an error that says so. Any [`Fix`] comes
//! back bit for bit. No input makes the decoder panic, and a short input makes no long output.

pub(crate) mod bcd;
mod bytes;
pub mod cells;
mod columns;
mod items;
mod numbers;
mod predict;
mod range;

use std::borrow::Borrow;

use model::{Fix, TerminalId};
use sha2::{Digest as _, Sha256};

use bytes::{Reader, put_varint};
use columns::{COLUMNS, Table, WIDTH, place};
use numbers::Codec;
use predict::Context;

/// The version that is written.
pub const VERSION: u8 = 1;
/// Most fixes in one block.
pub const COUNT_MAX: usize = 1 << 16;
/// Most fixes in one chunk.
pub const CHUNK_COUNT_MAX: usize = 1024;

const CHECK_LEN: usize = 4;
const COLUMN_TERMINALS: u8 = 64;
const COLUMN_ITEMS: u8 = 65;
const CODEC_TERMINALS: u8 = 0;
const CODEC_ITEMS: u8 = 0;
const COLUMNS_MAX: usize = 128;

/// What is wrong with a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChunkError {
    /// It ends too early.
    #[error("it ends within {0}")]
    Short(&'static str),
    /// A version that this binary does not know.
    #[error("version {0} is unknown (this binary reads 1)")]
    Version(u8),
    /// Its bytes are not the ones that were written.
    #[error("the checksum does not match")]
    Checksum,
    /// A column that this binary does not know.
    #[error("column {0} is unknown")]
    Column(u8),
    /// A codec that this binary does not know, or that does not go with the column.
    #[error("codec {codec} of column {column} is unknown")]
    Codec {
        /// The column.
        column: u8,
        /// The codec.
        codec: u8,
    },
    /// A value is out of its range.
    #[error("{0} is out of range")]
    Limit(&'static str),
    /// Bytes are left over.
    #[error("{0} bytes too many")]
    Trailing(usize),
}

/// Stores fixes in the order given: at most [`COUNT_MAX`], the rest is left out (callers cut long before).
#[must_use]
pub fn encode<F: Borrow<Fix>>(fixes: &[F]) -> Vec<u8> {
    let fixes: Vec<&Fix> = fixes.iter().take(COUNT_MAX).map(Borrow::borrow).collect();
    let table = columns::split(fixes.iter().copied());
    let mut parts: Vec<(u8, u8, Vec<u8>)> = vec![(COLUMN_TERMINALS, CODEC_TERMINALS, terminals(&table.terminals))];
    for (here, (column, values)) in COLUMNS.iter().zip(&table.numbers).enumerate() {
        if values.iter().any(|v| *v != 0) {
            let (codec, payload) = numbers::encode(values, column.codecs, context(&table.numbers, here));
            parts.push((column.id, codec.id(), payload));
        }
    }
    if fixes.iter().any(|fix| !columns::items_kept(fix).is_empty()) {
        parts.push((COLUMN_ITEMS, CODEC_ITEMS, items::encode(fixes.iter().map(|fix| columns::items_kept(fix)))));
    }
    let mut body = Vec::new();
    put_varint(&mut body, fixes.len() as u128);
    put_varint(&mut body, parts.len() as u128);
    for (column, codec, payload) in &parts {
        body.extend([*column, *codec]);
        put_varint(&mut body, payload.len() as u128);
    }
    parts.iter().for_each(|(.., payload)| body.extend(payload));
    let mut out = vec![VERSION];
    out.extend(checksum(&body));
    out.extend(body);
    out
}

/// Reads a block back.
///
/// # Errors
/// When it is damaged or newer than this binary.
pub fn decode(block: &[u8]) -> Result<Vec<Fix>, ChunkError> {
    let mut reader = Reader(block);
    let version = reader.byte("version")?;
    if version != VERSION {
        return Err(ChunkError::Version(version));
    }
    if reader.take(CHECK_LEN, "checksum")? != checksum(reader.0) {
        return Err(ChunkError::Checksum);
    }
    let count = reader.count(COUNT_MAX, "count")?;
    let parts = (0..reader.count(COLUMNS_MAX, "columns")?)
        .map(|_| Ok((reader.byte("column id")?, reader.byte("codec id")?, reader.count(usize::MAX, "length")?)))
        .collect::<Result<Vec<_>, ChunkError>>()?;
    let mut table = Table { terminals: Vec::new(), numbers: vec![Vec::new(); WIDTH] };
    let mut items = Vec::new();
    for (column, codec, length) in parts {
        let payload = reader.take(length, "payload")?;
        match (column, codec) {
            (COLUMN_TERMINALS, CODEC_TERMINALS) => table.terminals = read_terminals(payload, count)?,
            (COLUMN_ITEMS, CODEC_ITEMS) => items = items::decode(payload, count)?,
            _ => {
                let here = COLUMNS.iter().position(|c| c.id == column).ok_or(ChunkError::Column(column))?;
                let codec = Codec::from_id(codec).ok_or(ChunkError::Codec { column, codec })?;
                table.numbers[here] = numbers::decode(payload, codec, count, context(&table.numbers, here))?;
            }
        }
    }
    if !reader.0.is_empty() {
        return Err(ChunkError::Trailing(reader.0.len()));
    }
    columns::join(&table, count, items)
}

/// What the column at `here` may look at: the columns stored before it.
fn context(numbers: &[Vec<i64>], here: usize) -> Context<'_> {
    let column = |place: usize| if place < here { numbers.get(place).map_or(&[][..], Vec::as_slice) } else { &[] };
    Context {
        time: column(place::TIME),
        speed: column(place::SPEED),
        direction: column(place::DIRECTION),
        northward: here == place::LATITUDE,
        latitude: column(place::LATITUDE),
        received: column(place::RECEIVED),
    }
}

/// First bytes of the SHA-256: it finds damage, not forgery.
fn checksum(body: &[u8]) -> [u8; CHECK_LEN] {
    let digest = Sha256::digest(body);
    let mut check = [0; CHECK_LEN];
    check.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    check
}

fn terminals(terminals: &[TerminalId]) -> Vec<u8> {
    let mut out = Vec::new();
    put_varint(&mut out, terminals.len() as u128);
    terminals.iter().for_each(|t| put_varint(&mut out, t.value()));
    out
}

fn read_terminals(payload: &[u8], count: usize) -> Result<Vec<TerminalId>, ChunkError> {
    let mut reader = Reader(payload);
    let terminals = (0..reader.count(count, "terminals")?)
        .map(|_| {
            let value = reader.varint("terminal")?;
            let bytes = value.to_be_bytes();
            let (high, low) = bytes.split_at(6);
            if high.iter().any(|b| *b != 0) {
                Err(ChunkError::Limit("terminal"))
            } else {
                Ok(TerminalId::from_wire(low))
            }
        })
        .collect::<Result<_, _>>()?;
    if reader.0.is_empty() { Ok(terminals) } else { Err(ChunkError::Trailing(reader.0.len())) }
}

#[cfg(test)]
pub(crate) mod any;
#[cfg(test)]
mod tests;
