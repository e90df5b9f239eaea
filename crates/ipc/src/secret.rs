//! Launch tokens and resume secrets.

use std::hint::black_box;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};
use zeroize::Zeroizing;

/// Longest text that is taken for a secret, in bytes.
const TEXT_BYTES_MAX: usize = 128;

/// A secret that one side shows the other: a launch token, or the secret of a reconnect.
///
/// On the wire it is text: 64 hexadecimal digits where this crate made it. It has no `Debug` and no `Display`, has no
/// `==`, and its text is overwritten when it is dropped.
#[derive(Clone, Serialize, JsonSchema)]
#[serde(transparent)]
pub struct Secret(#[schemars(with = "String")] Zeroizing<String>);

impl Secret {
    /// A secret made of random bytes. They must come from the operating system's generator.
    pub fn from_random(bytes: [u8; 32]) -> Self {
        const DIGITS: &[u8; 16] = b"0123456789abcdef";
        let bytes = Zeroizing::new(bytes);
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in bytes.iter() {
            text.push(char::from(DIGITS[usize::from(byte >> 4)]));
            text.push(char::from(DIGITS[usize::from(byte & 15)]));
        }
        Self(text)
    }

    /// A secret that came as text, such as from an environment variable. `None` if it is empty or longer than 128 bytes.
    pub fn from_text(text: String) -> Option<Self> {
        let text = Zeroizing::new(text);
        (!text.is_empty() && text.len() <= TEXT_BYTES_MAX).then_some(Self(text))
    }

    /// The text, to put it into an environment or a hash.
    pub fn expose(&self) -> &str {
        &self.0
    }

    /// Whether both are the same, in a time that says nothing about where they differ.
    pub fn matches(&self, other: &Self) -> bool {
        let (a, b) = (self.0.as_bytes(), other.0.as_bytes());
        a.len() == b.len()
            && black_box(a.iter().zip(b).fold(0, |differing, (x, y)| differing | black_box(x ^ y))) == 0
    }
}

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(text).ok_or_else(|| de::Error::custom("a secret is 1 to 128 bytes of text"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_bytes_are_one_secret() {
        let mut bytes = [0xa5; 32];
        bytes[0] = 0x0f;
        let secret = Secret::from_random(bytes);
        assert!(secret.expose().starts_with("0fa5") && secret.expose().len() == 64);
        let again: Secret = serde_json::from_str(&serde_json::to_string(&secret).unwrap()).unwrap();
        assert!(secret.matches(&again));
    }

    #[test]
    fn one_wrong_digit_anywhere_does_not_match() {
        let secret = Secret::from_random([7; 32]);
        for at in 0..64 {
            let mut text = secret.expose().to_owned();
            text.replace_range(at..=at, "f");
            assert!(!secret.matches(&Secret::from_text(text).unwrap()), "digit {at}");
        }
        assert!(!secret.matches(&Secret::from_text(secret.expose()[..63].to_owned()).unwrap()));
    }

    #[test]
    fn absurd_texts_are_no_secrets() {
        assert!(Secret::from_text(String::new()).is_none());
        assert!(Secret::from_text("x".repeat(129)).is_none());
    }
}
