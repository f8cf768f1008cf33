//! A terminal over a real socket: registers, authenticates, reports, and remembers what was acknowledged.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{TcpStream, UdpSocket};
use std::time::Duration;

use jt808::{
    Authenticate, BatchKind, BatchLocation, BcdTime, Deframer, Edition, Header, ItemValue, LocationReport, Message,
    Packet, Phone, Register, encode, encode_frame,
};

/// How long an answer may take before the connection counts as dead.
const ANSWER_MAX: Duration = Duration::from_secs(20);
/// Where datagrams may be lost, a frame is repeated after so long, so often.
const REPEAT_AFTER: Duration = Duration::from_millis(500);
const REPEATS: usize = 20;

/// A position as it is sent: no two of a truck are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sent {
    /// Seconds since the epoch.
    pub time_s: i64,
    /// Latitude, 1e-6 degree.
    pub lat_e6: i32,
    /// Longitude, 1e-6 degree.
    pub lon_e6: i32,
}

/// Several positions in one message.
fn batch(positions: &[Sent]) -> Message {
    let reports = positions.iter().map(|sent| sent.report()).collect();
    Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports))
}

impl Sent {
    /// As a 0x0200.
    #[must_use]
    pub fn message(self) -> Message {
        Message::Location(self.report())
    }

    fn report(self) -> LocationReport {
        let mut report = LocationReport {
            status: 0b11,
            altitude_raw: 1900,
            speed_dkmh: 600,
            direction_deg: 90,
            time_bcd: BcdTime::from_utc_s(self.time_s).expect("in range").to_bytes(),
            items: vec![ItemValue::Mileage(12_345).to_item()],
            ..LocationReport::default()
        };
        report.set_position(self.lat_e6, self.lon_e6);
        report
    }
}

/// A terminal.
pub struct Truck {
    /// Its phone, as digits.
    pub phone: String,
    /// The plate that it registers with.
    pub plate: String,
    /// Its dialect.
    pub edition: Edition,
    code: Option<String>,
    serial: u16,
    transport: Transport,
    link: Option<Link>,
    /// Answers that came while another one was waited for.
    answers: BTreeMap<u16, u8>,
}

/// What carries the frames.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Transport {
    /// A connection.
    #[default]
    Tcp,
    /// Datagrams.
    Udp,
}

enum Socket {
    Tcp(TcpStream),
    Udp(UdpSocket),
}

struct Link {
    socket: Socket,
    deframer: Deframer,
    inbox: VecDeque<(Header, Message)>,
}

impl Link {
    fn open(server: &str, transport: Transport) -> io::Result<Self> {
        let socket = match transport {
            Transport::Tcp => {
                let stream = TcpStream::connect(server)?;
                stream.set_read_timeout(Some(ANSWER_MAX))?;
                stream.set_write_timeout(Some(ANSWER_MAX))?;
                stream.set_nodelay(true)?;
                Socket::Tcp(stream)
            }
            Transport::Udp => {
                let socket = UdpSocket::bind("127.0.0.1:0")?;
                socket.set_read_timeout(Some(REPEAT_AFTER))?;
                socket.connect(server)?;
                Socket::Udp(socket)
            }
        };
        Ok(Self { socket, deframer: Deframer::new(), inbox: VecDeque::new() })
    }

    fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        match &mut self.socket {
            Socket::Tcp(stream) => stream.write_all(bytes),
            Socket::Udp(socket) => socket.send(bytes).map(drop),
        }
    }

    /// The next message for us.
    fn receive(&mut self) -> io::Result<(Header, Message)> {
        let mut buffer = [0; 4096];
        loop {
            if let Some(next) = self.inbox.pop_front() {
                return Ok(next);
            }
            let read = match &mut self.socket {
                Socket::Tcp(stream) => stream.read(&mut buffer)?,
                Socket::Udp(socket) => socket.recv(&mut buffer)?,
            };
            if read == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
            let inbox = &mut self.inbox;
            let cut = self.deframer.push(&buffer[..read], |piece| {
                assert!(piece.frame.check_ok, "the server sent a wrong check code");
                let message = Message::decode(&piece.frame.header, piece.frame.body).expect("the server's body");
                inbox.push_back((piece.frame.header, message));
            });
            cut.map_err(io::Error::other)?;
        }
    }
}

/// A 0x0704 that was cut into parts (分包), with what is not acknowledged yet. It outlives connections: a part keeps its
/// serial number and its bytes.
#[derive(Clone, Debug)]
pub struct Upload {
    /// What it carries.
    pub positions: Vec<Sent>,
    parts: Vec<(u16, Vec<u8>)>,
    open: BTreeSet<usize>,
}

impl Upload {
    /// Parts in all.
    #[must_use]
    pub fn total(&self) -> usize {
        self.parts.len()
    }

    /// Numbers, from 0, of the parts that are not acknowledged.
    #[must_use]
    pub fn open(&self) -> Vec<usize> {
        self.open.iter().copied().collect()
    }
}

impl Truck {
    /// A truck that has not met the server yet.
    #[must_use]
    pub fn new(phone: &str, plate: &str, edition: Edition) -> Self {
        Self {
            phone: phone.to_owned(),
            plate: plate.to_owned(),
            edition,
            code: None,
            serial: 0,
            transport: Transport::Tcp,
            link: None,
            answers: BTreeMap::new(),
        }
    }

    /// The same over another transport.
    #[must_use]
    pub fn over(mut self, transport: Transport) -> Self {
        self.transport = transport;
        self
    }

    /// What carries its frames.
    #[must_use]
    pub fn transport(&self) -> Transport {
        self.transport
    }

    /// Connects, registers when it has no code, and authenticates.
    ///
    /// # Errors
    /// When the server is away, or refuses.
    pub fn connect(&mut self, server: &str) -> io::Result<()> {
        self.dial(server)?;
        if self.code.is_none() {
            match self.register()? {
                Ok(code) => self.code = Some(code),
                Err(result) => return Err(io::Error::other(format!("registration refused: {result}"))),
            }
        }
        let code = self.code.clone().unwrap_or_default();
        let authenticate = Authenticate { code: code.as_str().into(), imei: None, software_version: None };
        match self.ask(&Message::Authenticate(authenticate))? {
            0 => Ok(()),
            result => Err(io::Error::other(format!("authentication refused: {result}"))),
        }
    }

    /// Registers; the code, or the result that refuses.
    ///
    /// # Errors
    /// When the link is down.
    ///
    /// # Panics
    /// When the server answers something else.
    pub fn register(&mut self) -> io::Result<Result<String, u8>> {
        let register = Register {
            layout: self.edition,
            province: 53,
            city: 300,
            maker: "70123".into(),
            model: "HW-1".into(),
            terminal_id: "T000001".into(),
            plate_colour: 2,
            plate: self.plate.as_str().into(),
        };
        let (serial, frame) = self.frame(&Message::Register(register));
        self.repeating(&frame, |truck| {
            loop {
                if let (_, Message::RegisterResponse(answer)) = truck.receive()? {
                    assert_eq!(answer.answered_serial, serial);
                    return Ok(if answer.result == 0 { Ok(answer.code.decode()) } else { Err(answer.result) });
                }
            }
        })
    }

    /// Sends a frame and waits; over a transport that loses frames, again and again.
    fn repeating<T>(&mut self, frame: &[u8], wait: impl Fn(&mut Self) -> io::Result<T>) -> io::Result<T> {
        let repeats = if self.transport == Transport::Udp { REPEATS } else { 0 };
        for _ in 0..repeats {
            self.send_raw(frame)?;
            match wait(self) {
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {}
                done => return done,
            }
        }
        self.send_raw(frame)?;
        wait(self)
    }

    /// Opens the socket and says nothing.
    ///
    /// # Errors
    /// When the server is away.
    pub fn dial(&mut self, server: &str) -> io::Result<()> {
        self.link = Some(Link::open(server, self.transport)?);
        self.answers.clear();
        Ok(())
    }

    /// Sends a message and waits for its general response; its result.
    ///
    /// # Errors
    /// When the link is down.
    pub fn ask(&mut self, message: &Message) -> io::Result<u8> {
        let (serial, frame) = self.frame(message);
        self.repeating(&frame, |truck| truck.answer_to(serial))
    }

    /// Reports positions, one as 0x0200, several as 0x0704; the result.
    ///
    /// # Errors
    /// When the link is down: whether the server has them is then unknown.
    pub fn report(&mut self, positions: &[Sent]) -> io::Result<u8> {
        let message = match positions {
            [one] => one.message(),
            _ => batch(positions),
        };
        self.ask(&message)
    }

    /// Cuts a 0x0704 with these positions into parts of so many bytes, whose serial numbers are taken now.
    ///
    /// # Panics
    /// When it cannot be encoded.
    pub fn cut(&mut self, positions: Vec<Sent>, part_bytes: usize) -> Upload {
        let mut body = Vec::new();
        batch(&positions).encode_body(self.edition, &mut body).expect("encodes");
        let slices: Vec<&[u8]> = body.chunks(part_bytes).collect();
        let phone = Phone::from_digits(&self.phone, self.edition).expect("phone");
        let parts: Vec<_> = slices
            .iter()
            .zip(1..)
            .map(|(slice, number)| {
                let mut header = Header::new(0x0704, self.edition, phone, self.serial);
                header.packet = Some(Packet { total: slices.len() as u16, number });
                self.serial = self.serial.wrapping_add(1);
                let mut bytes = Vec::new();
                encode_frame(&header, slice, &mut bytes).expect("encodes");
                (header.serial, bytes)
            })
            .collect();
        Upload { positions, open: (0..parts.len()).collect(), parts }
    }

    /// Sends these parts of an upload and waits for the answer of each; the first result that refuses, or 0. What was
    /// acknowledged before the link went down stays so.
    ///
    /// # Errors
    /// When the link is down.
    pub fn deliver(&mut self, upload: &mut Upload, numbers: &[usize]) -> io::Result<u8> {
        if self.transport == Transport::Tcp {
            for number in numbers {
                self.send_raw(&upload.parts[*number].1)?;
            }
        }
        for number in numbers {
            let (serial, frame) = &upload.parts[*number];
            let result = match self.transport {
                Transport::Tcp => self.answer_to(*serial)?,
                Transport::Udp => self.repeating(frame, |truck| truck.answer_to(*serial))?,
            };
            if result != 0 {
                return Ok(result);
            }
            upload.open.remove(number);
        }
        Ok(0)
    }

    /// Sends a message; its serial number.
    ///
    /// # Errors
    /// When the link is down.
    pub fn send(&mut self, message: &Message) -> io::Result<u16> {
        let (serial, bytes) = self.frame(message);
        self.send_raw(&bytes)?;
        Ok(serial)
    }

    /// A message as the bytes that would go out, with the next serial number.
    ///
    /// # Panics
    /// When the message cannot be encoded.
    pub fn frame(&mut self, message: &Message) -> (u16, Vec<u8>) {
        let phone = Phone::from_digits(&self.phone, self.edition).expect("phone");
        let header = Header::new(message.id(), self.edition, phone, self.serial);
        self.serial = self.serial.wrapping_add(1);
        let mut bytes = Vec::new();
        encode(&header, message, &mut bytes).expect("encodes");
        (header.serial, bytes)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// When the link is down.
    pub fn send_raw(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.link.as_mut().ok_or(ErrorKind::NotConnected)?.send(bytes)
    }

    /// The result in the general response to that serial number; other messages are passed over, other results kept.
    ///
    /// # Errors
    /// When the link is down.
    pub fn answer_to(&mut self, serial: u16) -> io::Result<u8> {
        loop {
            if let Some(result) = self.answers.remove(&serial) {
                return Ok(result);
            }
            if let (_, Message::PlatformGeneral(answer)) = self.receive()? {
                self.answers.insert(answer.answered_serial, answer.result);
            }
        }
    }

    /// The next message of the server.
    ///
    /// # Errors
    /// When the link is down.
    pub fn receive(&mut self) -> io::Result<(Header, Message)> {
        self.link.as_mut().ok_or(ErrorKind::NotConnected)?.receive()
    }

    /// Drops the link.
    pub fn hang_up(&mut self) {
        self.link = None;
    }
}
