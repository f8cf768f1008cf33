//! A terminal's connection: opened from a given local address, read into frames, dropped politely or with a reset.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jt808::{Deframer, Frame};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may refuse to read before the terminal takes the connection for dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

#[derive(Debug)]
pub(crate) struct Link {
    stream: TcpStream,
    deframer: Deframer,
}

impl Link {
    pub(crate) async fn open(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Self> {
        let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        if let Some(from) = from {
            socket.bind(SocketAddr::new(from, 0))?;
        }
        let stream = timeout(CONNECT_TIMEOUT, socket.connect(to)).await.map_err(|_| io::ErrorKind::TimedOut)??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, deframer: Deframer::new() })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        timeout(WRITE_TIMEOUT, self.stream.write_all(bytes)).await.map_err(|_| io::ErrorKind::TimedOut)?
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    /// Takes what has come, without waiting, and hands out its frames. `N` is the size of the buffer, which lives
    /// on the stack of this call only: an idle connection holds none.
    pub(crate) fn read<const N: usize>(&mut self, mut each: impl FnMut(&Frame<'_>)) -> io::Result<()> {
        let mut buffer = [0; N];
        match self.stream.try_read(&mut buffer) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => {
                let bytes = buffer.get(..count).unwrap_or_default();
                self.deframer.push(bytes, |piece| each(&piece.frame)).map_err(io::Error::other)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Drops the connection with a reset, as a terminal that loses power or its carrier does.
    pub(crate) fn reset(self) {
        // If it cannot be set, the connection closes politely: as good.
        let _ = self.stream.set_zero_linger();
    }
}
