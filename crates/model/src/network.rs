//! Networks: who connects from where.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr};
use std::str::FromStr;

use crate::IdError;

/// A network in CIDR notation, `10.20.0.0/16` or `2001:db8::/32`; a bare address is a network of one. The host's bits
/// are zero, and an IPv4 address in IPv6 clothes (`::ffff:10.20.0.1`) is an IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

/// IPv4 addresses that came through an IPv6 socket are IPv4 addresses.
fn canonical(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

const fn bits(address: IpAddr) -> u8 {
    match address {
        IpAddr::V4(_) => 32,
        IpAddr::V6(_) => 128,
    }
}

/// The address with all but its first `prefix` bits zero.
fn masked(address: IpAddr, prefix: u8) -> IpAddr {
    match address {
        IpAddr::V4(v4) => {
            let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V4((v4.to_bits() & mask).into())
        }
        IpAddr::V6(v6) => {
            let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
            IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() & mask))
        }
    }
}

impl Network {
    /// The network of `prefix` bits that `address` lies in; `None` when the address has fewer bits.
    #[must_use]
    pub fn new(address: IpAddr, prefix: u8) -> Option<Self> {
        let address = canonical(address);
        (prefix <= bits(address)).then(|| Self { address: masked(address, prefix), prefix })
    }

    /// Its first address.
    #[must_use]
    pub const fn address(self) -> IpAddr {
        self.address
    }

    /// How many leading bits its addresses share.
    #[must_use]
    pub const fn prefix(self) -> u8 {
        self.prefix
    }

    /// Whether an address lies in it.
    #[must_use]
    pub fn contains(self, address: IpAddr) -> bool {
        let address = canonical(address);
        bits(address) == bits(self.address) && masked(address, self.prefix) == self.address
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl FromStr for Network {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused =
            || IdError { expected: "an address or a network like 10.20.0.0/16", text: text.chars().take(64).collect() };
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix.parse::<u8>().map_err(|_| refused())?)),
            None => (text, None),
        };
        let address = canonical(address.parse().map_err(|_| refused())?);
        Self::new(address, prefix.unwrap_or(bits(address))).ok_or_else(refused)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn networks_contain_what_shares_their_prefix() {
        let cases = [
            ("10.20.0.0/16", "10.20.255.1", true),
            ("10.20.0.0/16", "10.21.0.1", false),
            ("10.20.0.0/16", "::ffff:10.20.3.4", true),
            ("10.20.3.4", "10.20.3.4", true),
            ("10.20.3.4", "10.20.3.5", false),
            ("0.0.0.0/0", "255.1.2.3", true),
            ("0.0.0.0/0", "::1", false),
            ("::/0", "2001:db8::1", true),
            ("2001:db8::/32", "2001:db8:1::1", true),
            ("2001:db8::/32", "2001:db9::1", false),
        ];
        for (network, address, inside) in cases {
            let network: Network = network.parse().expect(network);
            assert_eq!(network.contains(address.parse().expect(address)), inside, "{network} {address}");
        }
    }

    #[test]
    fn texts_are_read_and_printed() {
        for (text, printed) in [
            ("10.20.3.4/16", Some("10.20.0.0/16")),
            ("10.20.3.4", Some("10.20.3.4/32")),
            ("::ffff:10.0.0.1", Some("10.0.0.1/32")),
            ("2001:db8::1/64", Some("2001:db8::/64")),
            ("10.0.0.0/33", None),
            ("10.0.0", None),
            ("10.0.0.0/", None),
            ("", None),
        ] {
            assert_eq!(text.parse::<Network>().ok().map(|n| n.to_string()).as_deref(), printed, "{text}");
        }
    }
}
