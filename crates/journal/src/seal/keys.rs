//! The keys that seal: Ed25519 (RFC 8032).

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};

use crate::hash::Algorithm;

/// Names a public key: the first 16 bytes of its SHA-256.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId(pub(crate) [u8; 16]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

/// A public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PublicKey(pub(crate) [u8; 32]);

/// A text that is no public key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not an Ed25519 public key: 64 hexadecimal digits, or a PEM block that begins with -----BEGIN PUBLIC KEY-----")]
pub struct PublicKeyError;

/// RFC 8410: what stands before the 32 bytes of an Ed25519 key in a SubjectPublicKeyInfo.
const SPKI: [u8; 12] = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];
const PEM_BEGIN: &str = "-----BEGIN PUBLIC KEY-----";
const PEM_END: &str = "-----END PUBLIC KEY-----";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

impl PublicKey {
    /// Its name.
    #[must_use]
    pub fn id(&self) -> KeyId {
        let hash = Algorithm::Sha256.of(&[&self.0]);
        KeyId(hash.first_chunk().copied().unwrap_or_default())
    }

    /// As a PEM block (RFC 8410), which `openssl pkey -pubin` reads.
    #[must_use]
    pub fn to_pem(&self) -> String {
        // 44 bytes: fourteen groups of three, and one of two.
        let mut text = String::new();
        for group in [&SPKI[..], &self.0].concat().chunks(3) {
            let number = group.iter().fold(0_u32, |n, byte| n << 8 | u32::from(*byte)) << (8 * (3 - group.len()));
            for digit in 0..4 {
                let value = (number >> (18 - 6 * digit)) & 63;
                text.push(if digit > group.len() { '=' } else { char::from(BASE64[value as usize]) });
            }
        }
        format!("{PEM_BEGIN}\n{text}\n{PEM_END}\n")
    }

    pub(crate) fn verifies(&self, context: &[u8], content: &[u8], signature: &[u8; 64]) -> bool {
        let message = [context, content].concat();
        let key = VerifyingKey::from_bytes(&self.0);
        key.is_ok_and(|key| key.verify_strict(&message, &Signature::from_bytes(signature)).is_ok())
    }
}

/// 64 hexadecimal digits.
impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode(self.0))
    }
}

impl FromStr for PublicKey {
    type Err = PublicKeyError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let text = text.trim();
        let bytes = match text.strip_prefix(PEM_BEGIN).and_then(|rest| rest.strip_suffix(PEM_END)) {
            Some(inner) => from_base64(inner)?.strip_prefix(&SPKI[..]).map(<[u8]>::to_vec).ok_or(PublicKeyError)?,
            None => hex::decode(text).map_err(|_| PublicKeyError)?,
        };
        bytes.try_into().map(Self).map_err(|_| PublicKeyError)
    }
}

fn from_base64(text: &str) -> Result<Vec<u8>, PublicKeyError> {
    let digits: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace() && *byte != b'=').collect();
    if digits.len() > 128 {
        return Err(PublicKeyError);
    }
    let mut out = Vec::new();
    for group in digits.chunks(4) {
        let mut number = 0_u32;
        for digit in group {
            let value = BASE64.iter().position(|known| known == digit).ok_or(PublicKeyError)?;
            number = number << 6 | value as u32;
        }
        number <<= 6 * (4 - group.len());
        out.extend(number.to_be_bytes().into_iter().skip(1).take(group.len().saturating_sub(1)));
    }
    Ok(out)
}

/// A key that can sign.
pub(crate) struct Secret(SigningKey);

impl Secret {
    pub(crate) fn new(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    pub(crate) fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    pub(crate) fn sign(&self, context: &[u8], content: &[u8]) -> [u8; 64] {
        self.0.sign(&[context, content].concat()).to_bytes()
    }
}

/// The public key of a secret.
#[must_use]
pub fn public_key(secret: &[u8; 32]) -> PublicKey {
    Secret::new(secret).public()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, 7.1, test 1, and its key as `openssl pkey` prints it.
    #[test]
    fn keys_print_and_parse() {
        let secret = hex::decode("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60").expect("hex");
        let key = public_key(&secret.try_into().expect("32 bytes"));
        assert_eq!(key.to_string(), "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        let pem = key.to_pem();
        assert_eq!(pem.lines().nth(1), Some("MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="));
        assert_eq!(pem.parse(), Ok(key));
        assert_eq!(key.to_string().parse(), Ok(key));
        for wrong in ["", "00", "-----BEGIN PUBLIC KEY-----\nMCow\n-----END PUBLIC KEY-----", &"z".repeat(64)] {
            assert_eq!(wrong.parse::<PublicKey>(), Err(PublicKeyError), "{wrong}");
        }
    }

    #[test]
    fn a_signature_is_for_one_content_in_one_context() {
        let secret = Secret::new(&[7; 32]);
        let signature = secret.sign(b"a", b"content");
        let key = secret.public();
        assert!(key.verifies(b"a", b"content", &signature));
        assert!(!key.verifies(b"b", b"content", &signature));
        assert!(!key.verifies(b"a", b"other", &signature));
        assert!(!public_key(&[8; 32]).verifies(b"a", b"content", &signature));
    }
}
