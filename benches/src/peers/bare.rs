//! A bare tokio server: deframes, answers, coalesces the answers of one read, keeps nothing. Nobody can be faster with
//! the same runtime and still answer; what our door costs above it is what durability and judgement cost. In a variant
//! every frame is written and fsynced before its answer: the naive way to be durable.

use std::cell::RefCell;
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;
use std::sync::Arc;

use jt808::{Deframer, GeneralResult, Piece, RegisterResult, answer_general, answer_register};
use parking_lot::Mutex;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

use crate::error::Failure;

/// Bytes of a read where all connections of a thread share one buffer.
const SHARED_READ: usize = 64 * 1_024;
/// Bytes of a read where every connection has its own buffer.
const OWN_READ: usize = 4 * 1_024;
/// What every terminal authenticates with here.
const CODE: &str = "bare";

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; SHARED_READ]);
}

/// What the server keeps.
#[derive(Clone)]
pub(crate) enum Keep {
    /// Nothing.
    Nothing,
    /// A buffer for each connection.
    Buffers,
    /// Every frame, on disk before its answer.
    Frames(Arc<Mutex<File>>),
}

impl Keep {
    /// Frames, in a file in this folder.
    pub(crate) fn frames(folder: &Path) -> Result<Self, Failure> {
        let file = File::create(folder.join("frames")).map_err(Failure::io("make the file of frames"))?;
        Ok(Self::Frames(Arc::new(Mutex::new(file))))
    }

    fn frame(&self, wire: &[u8]) -> io::Result<()> {
        let Self::Frames(file) = self else { return Ok(()) };
        // Blocks a thread of the runtime: this is the naive way.
        let mut file = file.lock();
        file.write_all(wire)?;
        file.sync_data()
    }
}

/// Serves for ever.
pub(crate) async fn serve(listener: TcpListener, keep: Keep) -> Result<(), Failure> {
    loop {
        let (stream, _) = listener.accept().await.map_err(Failure::io("accept"))?;
        // Answers are small and wanted at once.
        let _ = stream.set_nodelay(true);
        let keep = keep.clone();
        // A connection that fails has ended, nothing more.
        tokio::spawn(async move { drop(connection(stream, keep).await) });
    }
}

async fn connection(mut stream: TcpStream, keep: Keep) -> io::Result<()> {
    let mut own = if matches!(keep, Keep::Buffers) { vec![0; OWN_READ] } else { Vec::new() };
    let mut deframer = Deframer::new();
    let mut answers = Answers { keep, serial: 0, out: Vec::new(), failed: None };
    loop {
        stream.readable().await?;
        let read = if own.is_empty() {
            BUFFER.with_borrow_mut(|buffer| answers.take(stream.try_read(buffer), buffer, &mut deframer))
        } else {
            answers.take(stream.try_read(&mut own), &own, &mut deframer)
        };
        match read {
            Ok(0) => return Ok(()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        }
        stream.write_all(&answers.out).await?;
        // Idle connections hold no memory for answers.
        answers.out = Vec::new();
    }
}

/// The answers to one read.
struct Answers {
    keep: Keep,
    serial: u16,
    out: Vec<u8>,
    failed: Option<io::Error>,
}

impl Answers {
    fn take(&mut self, read: io::Result<usize>, buffer: &[u8], deframer: &mut Deframer) -> io::Result<usize> {
        let count = read?;
        let bytes = buffer.get(..count).unwrap_or_default();
        deframer.push(bytes, |piece| self.answer(&piece)).map_err(io::Error::other)?;
        self.failed.take().map_or(Ok(count), Err)
    }

    fn answer(&mut self, piece: &Piece<'_>) {
        if let Err(error) = self.keep.frame(piece.wire) {
            self.failed = Some(error);
            return;
        }
        let to = &piece.frame.header;
        if to.id == 0x0100 {
            if let Err(error) = answer_register(&mut self.out, to, self.serial, RegisterResult::Success, CODE) {
                self.failed = Some(io::Error::other(error));
            }
        } else {
            answer_general(&mut self.out, to, self.serial, GeneralResult::Success);
        }
        self.serial = self.serial.wrapping_add(1);
    }
}
