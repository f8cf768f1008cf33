//! A terminal over a real socket: registers, authenticates, reports, and remembers what was acknowledged.

use std::collections::BTreeMap;
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use jt808::{
    Authenticate, BatchKind, BatchLocation, BcdTime, Deframer, Edition, Header, ItemValue, LocationReport, Message,
    Phone, Register, encode,
};

/// How long an answer may take before the connection counts as dead.
const ANSWER_MAX: Duration = Duration::from_secs(20);

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

impl Sent {
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
    link: Option<Link>,
    /// Answers that came while another one was waited for.
    answers: BTreeMap<u16, u8>,
}

struct Link {
    stream: TcpStream,
    deframer: Deframer,
    inbox: Vec<(Header, Message)>,
}

impl Link {
    /// The next message for us.
    fn receive(&mut self) -> io::Result<(Header, Message)> {
        let mut buffer = [0; 4096];
        while self.inbox.is_empty() {
            let read = self.stream.read(&mut buffer)?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            let inbox = &mut self.inbox;
            let cut = self.deframer.push(&buffer[..read], |piece| {
                assert!(piece.frame.check_ok, "the server sent a wrong check code");
                let message = Message::decode(&piece.frame.header, piece.frame.body).expect("the server's body");
                inbox.push((piece.frame.header, message));
            });
            cut.map_err(io::Error::other)?;
        }
        Ok(self.inbox.remove(0))
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
            link: None,
            answers: BTreeMap::new(),
        }
    }

    /// Connects, registers when it has no code, and authenticates.
    ///
    /// # Errors
    /// When the server is away, or refuses.
    pub fn connect(&mut self, server: &str) -> io::Result<()> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_nodelay(true)?;
        self.link = Some(Link { stream, deframer: Deframer::new(), inbox: Vec::new() });
        self.answers.clear();
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
        let serial = self.send(&Message::Register(register))?;
        loop {
            if let (_, Message::RegisterResponse(answer)) = self.receive()? {
                assert_eq!(answer.answered_serial, serial);
                return Ok(if answer.result == 0 { Ok(answer.code.decode()) } else { Err(answer.result) });
            }
        }
    }

    /// Opens the socket and says nothing.
    ///
    /// # Errors
    /// When the server is away.
    pub fn dial(&mut self, server: &str) -> io::Result<()> {
        let stream = TcpStream::connect(server)?;
        stream.set_read_timeout(Some(ANSWER_MAX))?;
        stream.set_write_timeout(Some(ANSWER_MAX))?;
        self.link = Some(Link { stream, deframer: Deframer::new(), inbox: Vec::new() });
        Ok(())
    }

    /// Sends a message and waits for its general response; its result.
    ///
    /// # Errors
    /// When the link is down.
    pub fn ask(&mut self, message: &Message) -> io::Result<u8> {
        let serial = self.send(message)?;
        self.answer_to(serial)
    }

    /// Reports positions, one as 0x0200, several as 0x0704; the result.
    ///
    /// # Errors
    /// When the link is down: whether the server has them is then unknown.
    pub fn report(&mut self, positions: &[Sent]) -> io::Result<u8> {
        let mut reports: Vec<_> = positions.iter().map(|sent| sent.report()).collect();
        let message = match reports.as_slice() {
            [_] => Message::Location(reports.remove(0)),
            _ => Message::BatchLocation(BatchLocation::new(BatchKind::BlindArea, reports)),
        };
        self.ask(&message)
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
        self.link.as_mut().ok_or(io::ErrorKind::NotConnected)?.stream.write_all(bytes)
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
        self.link.as_mut().ok_or(io::ErrorKind::NotConnected)?.receive()
    }

    /// Drops the link.
    pub fn hang_up(&mut self) {
        self.link = None;
    }
}
