//! Authentication codes (鉴权码): computed, never stored.

use std::fmt;

use hmac::{Hmac, KeyInit, Mac};
use model::{ForwarderId, TerminalId};
use sha2::Sha256;
use subtle::ConstantTimeEq;

/// Characters of a code: 80 bits, and half of the 40 characters that every terminal has room for.
const CODE_LEN: usize = 20;

/// Makes and checks the codes of all terminals: the first 20 lower-case hex digits of
/// HMAC-SHA256(secret, canonical phone digits, `#`, epoch in decimal). The same terminal gets the same code until its
/// epoch is raised.
#[derive(Clone)]
pub struct AuthCodes {
    keyed: Hmac<Sha256>,
}

impl AuthCodes {
    /// Codes under a secret. Another secret voids every code that was given out.
    #[must_use]
    pub fn new(secret: [u8; 32]) -> Self {
        Self { keyed: Hmac::new_from_slice(&secret).expect("HMAC takes keys of every length") }
    }

    /// The code of a terminal.
    #[must_use]
    pub fn code(&self, terminal: TerminalId, epoch: u32) -> String {
        self.derive(&format!("{terminal}#{epoch}"))
    }

    /// The code of a forwarding platform: the same digits of HMAC-SHA256(secret, `forwarder`, account, `#`, epoch in
    /// decimal). No phone is spelled like that.
    #[must_use]
    pub fn forwarder_code(&self, forwarder: ForwarderId, epoch: u32) -> String {
        self.derive(&format!("forwarder {forwarder}#{epoch}"))
    }

    fn derive(&self, of: &str) -> String {
        let mut mac = self.keyed.clone();
        mac.update(of.as_bytes());
        let mut code = hex::encode(mac.finalize().into_bytes());
        code.truncate(CODE_LEN);
        code
    }

    /// Whether `shown` is the code of the terminal; takes the same time wherever it differs.
    #[must_use]
    pub fn verify(&self, terminal: TerminalId, epoch: u32, shown: &str) -> bool {
        self.code(terminal, epoch).as_bytes().ct_eq(shown.as_bytes()).into()
    }

    /// The same for the code of a forwarding platform.
    #[must_use]
    pub fn verify_forwarder(&self, forwarder: ForwarderId, epoch: u32, shown: &str) -> bool {
        self.forwarder_code(forwarder, epoch).as_bytes().ct_eq(shown.as_bytes()).into()
    }
}

impl fmt::Debug for AuthCodes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AuthCodes")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_belongs_to_one_terminal_epoch_and_secret() {
        let (one, two) = (TerminalId::from_wire(&[0x13]), TerminalId::from_wire(&[0x14]));
        let codes = AuthCodes::new([7; 32]);
        let code = codes.code(one, 0);
        assert_eq!(code.len(), CODE_LEN);
        assert!(code.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(code, AuthCodes::new([7; 32]).code(one, 0), "the same after a restart");
        assert!(codes.verify(one, 0, &code));
        for (terminal, epoch, shown) in [(one, 1, code.as_str()), (two, 0, &code), (one, 0, &code[1..]), (one, 0, "")] {
            assert!(!codes.verify(terminal, epoch, shown), "{terminal} {epoch} {shown}");
        }
        assert!(!AuthCodes::new([8; 32]).verify(one, 0, &code));
        let platform = ForwarderId(0x13);
        let shown = codes.forwarder_code(platform, 0);
        assert!(codes.verify_forwarder(platform, 0, &shown) && !codes.verify(one, 0, &shown));
        assert!(!codes.verify_forwarder(platform, 1, &shown) && !codes.verify_forwarder(ForwarderId(0x14), 0, &shown));
    }
}
