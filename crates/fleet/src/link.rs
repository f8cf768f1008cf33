//! A terminal's connection: opened from a given local address, read into frames, dropped politely or with a reset. Over
//! UDP the connection is an address that is kept.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use jt808::{Deframer, FLAG, Frame};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::options::Transport;

/// How long a connection may take to open.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// How long the server may refuse to read before the terminal takes the connection for dead.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);
/// Bytes of a datagram: what passes everywhere in one piece.
const DATAGRAM_MAX: usize = 1_400;

#[derive(Debug)]
enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

#[derive(Debug)]
pub(crate) struct Link {
    socket: Socket,
    deframer: Deframer,
}

impl Link {
    pub(crate) async fn open(to: SocketAddr, from: Option<IpAddr>, transport: Transport) -> io::Result<Self> {
        let socket = match transport {
            Transport::Tcp => Socket::Tcp(connect(to, from).await?),
            Transport::Udp => {
                let any = SocketAddr::from(([0_u16; 8], 0));
                let any = if to.is_ipv4() { SocketAddr::from(([0_u8; 4], 0)) } else { any };
                let socket = UdpSocket::bind(from.map_or(any, |from| SocketAddr::new(from, 0))).await?;
                socket.connect(to).await?;
                Socket::Udp(socket)
            }
        };
        Ok(Self { socket, deframer: Deframer::new() })
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => {
                timeout(WRITE_TIMEOUT, stream.write_all(bytes)).await.map_err(|_| io::ErrorKind::TimedOut)?
            }
            Socket::Udp(socket) => {
                for datagram in datagrams(bytes) {
                    socket.send(datagram).await?;
                }
                Ok(())
            }
        }
    }

    pub(crate) async fn readable(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(stream) => stream.readable().await,
            Socket::Udp(socket) => socket.readable().await,
        }
    }

    /// Takes what has come, without waiting, and hands out its frames. `N` is the size of the buffer, which lives
    /// on the stack of this call only: an idle connection holds none.
    pub(crate) fn read<const N: usize>(&mut self, mut each: impl FnMut(&Frame<'_>)) -> io::Result<()> {
        let mut buffer = [0; N];
        let read = match &self.socket {
            Socket::Tcp(stream) => match stream.try_read(&mut buffer) {
                Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
                read => read,
            },
            Socket::Udp(socket) => socket.try_recv(&mut buffer),
        };
        match read {
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
        if let Socket::Tcp(stream) = self.socket {
            // If it cannot be set, the connection closes politely: as good.
            let _ = stream.set_zero_linger();
        }
    }
}

/// A connection from a given local address.
pub(crate) async fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<TcpStream> {
    let socket = if to.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    if let Some(from) = from {
        socket.bind(SocketAddr::new(from, 0))?;
    }
    let stream = timeout(CONNECT_TIMEOUT, socket.connect(to)).await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Whole frames, as many as pass in one datagram.
fn datagrams(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let mut length = 0;
        while let Some(frame) = frame_len(rest.get(length..).unwrap_or_default()) {
            if length > 0 && length + frame > DATAGRAM_MAX {
                break;
            }
            length += frame;
        }
        let (datagram, after) = rest.split_at_checked(length)?;
        rest = after;
        (!datagram.is_empty()).then_some(datagram)
    })
}

/// Bytes of the frame that begins here, its two flags included: no flag is inside.
fn frame_len(bytes: &[u8]) -> Option<usize> {
    let end = bytes.iter().skip(1).position(|byte| *byte == FLAG)?;
    Some(end + 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn datagrams_hold_whole_frames_and_pass_in_one_piece() {
        let frame = |length: usize| [&[FLAG], vec![7; length - 2].as_slice(), &[FLAG]].concat();
        let cases: [(&[usize], &[usize]); 4] =
            [(&[60], &[60]), (&[60, 70, 80], &[210]), (&[1_000, 399, 30], &[1_399, 30]), (&[2_000, 60], &[2_000, 60])];
        for (frames, wanted) in cases {
            let bytes: Vec<u8> = frames.iter().flat_map(|length| frame(*length)).collect();
            let cut: Vec<usize> = datagrams(&bytes).map(<[u8]>::len).collect();
            assert_eq!(cut, wanted, "{frames:?}");
        }
        assert_eq!(datagrams(&[]).count(), 0);
    }
}
