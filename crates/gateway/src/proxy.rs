//! The PROXY protocol, versions 1 and 2: a load balancer says at the start of a connection whose it is. Bytes in,
//! address out; [`read`] does the reading. Who may say so is decided elsewhere.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest header of version 1, line end included.
const TEXT_MAX: usize = 107;
/// Longest header of version 2 that is taken: addresses, and more extensions than balancers send.
const BINARY_MAX: usize = 2_048;
/// What version 2 begins with.
const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Signature, command, family, length.
const BINARY_HEAD: usize = 16;
/// What version 1 begins with.
const KEYWORD: &[u8] = b"PROXY ";
/// The least version 1 has: `PROXY UNKNOWN` and the line end.
const TEXT_MIN: usize = 15;

/// The header is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed PROXY header: {0}")]
pub(crate) struct Malformed(&'static str);

/// How far a header is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Progress {
    /// At least so many bytes more belong to it: reading them takes nothing of what follows.
    Needs(usize),
    /// It is whole. Who is behind the proxy; `None` when it speaks for itself (a health check), or does not say.
    Whole(Option<SocketAddr>),
}

/// Reads the header that `bytes` begin with.
pub(crate) fn parse(bytes: &[u8]) -> Result<Progress, Malformed> {
    let starts = |with: &[u8]| bytes.iter().zip(with).all(|(byte, expected)| byte == expected);
    if bytes.is_empty() {
        Ok(Progress::Needs(TEXT_MIN))
    } else if starts(&SIGNATURE) {
        binary(bytes)
    } else if starts(KEYWORD) {
        text(bytes)
    } else {
        Err(Malformed("it begins with none of the two signatures"))
    }
}

/// `PROXY TCP4 192.0.2.1 198.51.100.1 56324 6808\r\n`
fn text(bytes: &[u8]) -> Result<Progress, Malformed> {
    let Some(end) = bytes.iter().position(|byte| *byte == b'\n') else {
        let to_least = TEXT_MIN.saturating_sub(bytes.len());
        let to_end = if bytes.ends_with(b"\r") { 1 } else { 2 };
        let longer = bytes.len() + to_end <= TEXT_MAX;
        return if longer { Ok(Progress::Needs(to_least.max(to_end))) } else { Err(Malformed("the line is too long")) };
    };
    let line =
        bytes.get(..end).and_then(|line| line.strip_suffix(b"\r")).ok_or(Malformed("the line ends without CR"))?;
    let line = std::str::from_utf8(line).map_err(|_| Malformed("the line is no text"))?;
    let mut words = line.split(' ').skip(1);
    let family = words.next().unwrap_or_default();
    if family == "UNKNOWN" {
        return Ok(Progress::Whole(None));
    }
    let [Some(source), Some(target), Some(source_port), Some(target_port), None] = [(); 5].map(|()| words.next())
    else {
        return Err(Malformed("the line has not six words"));
    };
    let address = |word: &str| -> Result<IpAddr, Malformed> {
        let parsed = match family {
            "TCP4" => word.parse().map(IpAddr::V4).ok(),
            "TCP6" => word.parse().map(IpAddr::V6).ok(),
            _ => return Err(Malformed("the family is unknown")),
        };
        parsed.ok_or(Malformed("an address is none"))
    };
    let port = |word: &str| word.parse::<u16>().map_err(|_| Malformed("a port is none"));
    let (source, source_port) = (address(source)?, port(source_port)?);
    address(target)?;
    port(target_port)?;
    Ok(Progress::Whole(Some(SocketAddr::new(source, source_port))))
}

/// Signature, version and command, family and protocol, length, addresses, extensions.
fn binary(bytes: &[u8]) -> Result<Progress, Malformed> {
    let Some(head) = bytes.first_chunk::<BINARY_HEAD>() else {
        return Ok(Progress::Needs(BINARY_HEAD - bytes.len()));
    };
    let [.., command, family, high, low] = *head;
    let len = BINARY_HEAD + usize::from(u16::from_be_bytes([high, low]));
    if len > BINARY_MAX {
        return Err(Malformed("it is too long"));
    }
    let Some(content) = bytes.get(BINARY_HEAD..len) else {
        return Ok(Progress::Needs(len - bytes.len()));
    };
    let source = match (command, family >> 4) {
        // LOCAL: the proxy itself; UNSPEC: it does not say.
        (0x20, _) | (0x21, 0) => None,
        (0x21, 1) => Some(source::<4, Ipv4Addr>(content)?),
        (0x21, 2) => Some(source::<16, Ipv6Addr>(content)?),
        (0x21, _) => return Err(Malformed("the family is unknown")),
        _ => return Err(Malformed("the command is unknown")),
    };
    Ok(Progress::Whole(source))
}

/// The first of two addresses of `N` bytes with its port: source, target, source port, target port.
fn source<const N: usize, A: From<[u8; N]> + Into<IpAddr>>(content: &[u8]) -> Result<SocketAddr, Malformed> {
    let too_short = Malformed("there is no room for the addresses");
    let (source, rest) = content.split_first_chunk::<N>().ok_or(too_short)?;
    let Some([high, low, _, _]) = rest.get(N..).and_then(|ports| ports.first_chunk()) else {
        return Err(too_short);
    };
    Ok(SocketAddr::new(A::from(*source).into(), u16::from_be_bytes([*high, *low])))
}

/// Reads a header off the front of a stream, and nothing behind it.
///
/// # Errors
/// The stream's, or `InvalidData` when there is no header.
pub(crate) async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<SocketAddr>> {
    let mut header = Vec::new();
    loop {
        match parse(&header).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))? {
            Progress::Whole(source) => return Ok(source),
            Progress::Needs(more) => {
                let had = header.len();
                header.resize(had + more, 0);
                stream.read_exact(header.get_mut(had..).unwrap_or_default()).await?;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use proptest::test_runner::RngSeed;

    fn binary(command: u8, family: u8, content: &[u8]) -> Vec<u8> {
        let len = (content.len() as u16).to_be_bytes();
        [&SIGNATURE[..], &[command, family], &len, content].concat()
    }

    fn four() -> Vec<u8> {
        vec![192, 0, 2, 1, 198, 51, 100, 1, 0xdc, 0x04, 0x1a, 0x98]
    }

    fn six() -> Vec<u8> {
        let source: Ipv6Addr = "2001:db8::7".parse().expect("address");
        [&source.octets()[..], &[0; 16], &[0, 80, 0, 81]].concat()
    }

    #[test]
    fn headers_by_table() {
        let cases: [(&[u8], Option<&str>); 9] = [
            (b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 6808\r\n", Some("192.0.2.1:56324")),
            (b"PROXY TCP6 2001:db8::7 2001:db8::8 80 81\r\n", Some("[2001:db8::7]:80")),
            (b"PROXY UNKNOWN\r\n", None),
            (b"PROXY UNKNOWN anything at all\r\n", None),
            (&binary(0x21, 0x11, &four()), Some("192.0.2.1:56324")),
            (&binary(0x21, 0x11, &[four(), vec![4, 0, 2, 1, 1]].concat()), Some("192.0.2.1:56324")),
            (&binary(0x21, 0x21, &six()), Some("[2001:db8::7]:80")),
            (&binary(0x20, 0x00, &[]), None),
            (&binary(0x21, 0x00, b"what"), None),
        ];
        for (header, source) in cases {
            let source = source.map(|source| source.parse().expect("address"));
            assert_eq!(parse(header), Ok(Progress::Whole(source)), "{header:?}");
            assert_eq!(taken(header), Ok(Some((header.len(), source))), "{header:?}");
            // What follows is none of its business.
            assert_eq!(parse(&[header, b"~frame~"].concat()), Ok(Progress::Whole(source)), "{header:?}");
        }
    }

    #[test]
    fn what_is_no_header_is_refused() {
        let cases: [&[u8]; 13] = [
            b"~\x02\x00",
            b"GET / HTTP/1.1\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 6808 1\r\n",
            b"PROXY TCP4 2001:db8::7 198.51.100.1 56324 6808\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 70000 6808\r\n",
            b"PROXY UDP4 192.0.2.1 198.51.100.1 56324 6808\r\n",
            b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 6808\n",
            &[b"PROXY UNKNOWN ".as_slice(), &[b'x'; TEXT_MAX]].concat(),
            &binary(0x31, 0x11, &four()),
            &binary(0x21, 0x31, &four()),
            &binary(0x21, 0x11, &four()[..11]),
            &binary(0x21, 0x11, &[0; BINARY_MAX]),
        ];
        for header in cases {
            assert!(parse(header).is_err(), "{header:?}");
        }
    }

    /// Feeds what is asked for; how many bytes were taken.
    fn taken(stream: &[u8]) -> Result<Option<(usize, Option<SocketAddr>)>, Malformed> {
        let mut len = 0;
        loop {
            match parse(&stream[..len])? {
                Progress::Whole(source) => return Ok(Some((len, source))),
                Progress::Needs(more) => {
                    assert!(more > 0);
                    len += more;
                }
            }
            if len > stream.len() {
                return Ok(None);
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2000, rng_seed: RngSeed::Fixed(808), failure_persistence: None, ..Default::default() })]

        #[test]
        fn exactly_the_header_is_taken(v6 in any::<bool>(), port in any::<u16>(), address in any::<u128>(), more in 0..300_usize, tail in prop::collection::vec(any::<u8>(), 0..40), textual in any::<bool>()) {
            let source = if v6 { IpAddr::V6(address.into()) } else { IpAddr::V4((address as u32).into()) };
            let source = SocketAddr::new(source, port);
            let header = match (textual, source.ip()) {
                (true, ip) => format!("PROXY TCP{} {ip} {ip} {port} 1\r\n", if v6 { 6 } else { 4 }).into_bytes(),
                (false, IpAddr::V4(ip)) => binary(0x21, 0x11, &[&ip.octets()[..], &[0; 4], &port.to_be_bytes(), &[0; 2], &vec![9; more]].concat()),
                (false, IpAddr::V6(ip)) => binary(0x21, 0x21, &[&ip.octets()[..], &[0; 16], &port.to_be_bytes(), &[0; 2], &vec![9; more]].concat()),
            };
            let stream = [header.as_slice(), &tail].concat();
            prop_assert_eq!(taken(&stream), Ok(Some((header.len(), Some(source)))));
        }

        #[test]
        fn anything_is_refused_or_bounded(mut stream in prop::collection::vec(any::<u8>(), 0..4_000), begin in 0..3_usize) {
            let begins: [&[u8]; 3] = [b"", b"PROXY ", &SIGNATURE];
            stream.splice(..0, begins[begin].iter().copied());
            if let Ok(Some((len, _))) = taken(&stream) {
                prop_assert!(len <= BINARY_MAX);
            }
        }
    }
}
