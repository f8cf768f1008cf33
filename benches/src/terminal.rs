//! A terminal that says only what it must: connects, registers, authenticates. For loads that the fleet's own load mode
//! does not make.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use fleet::Identity;
use jt808::{
    Authenticate, Deframer, Edition, EncodeError, GeneralResponse, Header, Message, Register, RegisterResponse, Text,
    encode,
};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::timeout;

use crate::error::Failure;

/// Seed of the fleet whose terminals all loads speak for.
pub(crate) const SEED: u64 = 1;
/// Connections that one source address carries: the system finds a free port quickly while most are free.
const PER_ADDRESS: u32 = 1_000;
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// A terminal that is authenticated.
pub(crate) struct Terminal {
    /// Which of the fleet.
    pub(crate) index: u32,
    pub(crate) stream: TcpStream,
    pub(crate) identity: Identity,
    /// Of the next report.
    pub(crate) header: Header,
    /// What it authenticated with.
    pub(crate) code: Text,
}

/// Terminal `index` of the fleet.
pub(crate) fn identity(index: u32) -> Result<Identity, Failure> {
    Identity::new(SEED, index, fleet::Editions::default()).map_err(Failure::other("name a terminal"))
}

/// Opens a connection and authenticates on it; registers first unless it has a code from before.
pub(crate) async fn connect(to: SocketAddr, index: u32, code: Option<Text>) -> Result<Terminal, Failure> {
    let identity = identity(index)?;
    let told = || Failure::io(format!("authenticate terminal {index}"));
    let socket = TcpSocket::new_v4().map_err(told())?;
    let from = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2 + (index / PER_ADDRESS) as u8));
    socket.bind(SocketAddr::new(from, 0)).map_err(told())?;
    let mut stream = socket.connect(to).await.map_err(told())?;
    stream.set_nodelay(true).map_err(told())?;
    // No connection of a turn that is over keeps its port from the next one.
    stream.set_zero_linger().map_err(told())?;
    let header = |id, serial| Header::new(id, identity.edition, identity.wire_phone(), serial);
    let mut deframer = Deframer::new();

    let mut wire = Vec::new();
    let code = match code {
        Some(code) => code,
        None => {
            encode(&header(0x0100, 0), &register(&identity), &mut wire).map_err(encoding)?;
            stream.write_all(&wire).await.map_err(told())?;
            match answer(&stream, &mut deframer).await.map_err(told())? {
                Message::RegisterResponse(RegisterResponse { result: 0, code, .. }) => code,
                other => return Err(Failure::Wrong(format!("terminal {index} may not register: {other:?}"))),
            }
        }
    };
    wire.clear();
    encode(&header(0x0102, 1), &authenticate(&identity, code.clone()), &mut wire).map_err(encoding)?;
    stream.write_all(&wire).await.map_err(told())?;
    match answer(&stream, &mut deframer).await.map_err(told())? {
        Message::PlatformGeneral(GeneralResponse { result: 0, .. }) => {}
        other => return Err(Failure::Wrong(format!("terminal {index} may not speak: {other:?}"))),
    }
    let header = header(0x0200, 2);
    Ok(Terminal { index, stream, identity, header, code })
}

fn encoding(error: EncodeError) -> Failure {
    Failure::other("encode a message")(error)
}

/// The next message of the server.
async fn answer(stream: &TcpStream, deframer: &mut Deframer) -> io::Result<Message> {
    let mut buffer = [0; 512];
    let mut message = None;
    while message.is_none() {
        timeout(ANSWER_WITHIN, stream.readable()).await.map_err(|_| io::ErrorKind::TimedOut)??;
        let count = match stream.try_read(&mut buffer) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => continue,
            Err(error) => return Err(error),
        };
        let bytes = buffer.get(..count).unwrap_or_default();
        let pushed =
            deframer.push(bytes, |piece| message = Message::decode(&piece.frame.header, piece.frame.body).ok());
        pushed.map_err(io::Error::other)?;
    }
    message.ok_or_else(|| io::ErrorKind::InvalidData.into())
}

fn register(identity: &Identity) -> Message {
    Message::Register(Register {
        layout: identity.edition,
        province: 53,
        city: identity.county,
        maker: Text::from("SIMHW"),
        model: Text::from("HW-SIM"),
        terminal_id: Text::from(identity.phone.get(4..).unwrap_or_default()),
        plate_colour: identity.plate_colour,
        plate: Text::from(&*identity.plate),
    })
}

fn authenticate(identity: &Identity, code: Text) -> Message {
    let new = identity.edition == Edition::V2019;
    Message::Authenticate(Authenticate {
        code,
        imei: new.then(|| Text::from(format!("8600{}", identity.phone).as_str())),
        software_version: new.then(|| Text::from("sim-1.0")),
    })
}
