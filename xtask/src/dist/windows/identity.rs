//! Names that Windows Installer wants to be unique: made from what they stand for, so that the same input has the same ones.

use sha2::{Digest, Sha256};

use super::hex;

/// A GUID of version 8 (RFC 9562, 5.8: custom) from everything that it stands for, in upper case and without braces.
pub(super) fn guid<'p>(parts: impl IntoIterator<Item = &'p [u8]>) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        // With its length, so that the border between two parts counts.
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    let digest = digest.finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest[..16]);
    bytes[6] = bytes[6] & 0x0f | 0x80;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes).to_uppercase();
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..])
}

#[cfg(test)]
mod test {
    use super::guid;

    #[test]
    fn a_guid_depends_on_every_part_and_on_nothing_else() {
        let one = guid([b"product".as_slice(), b"1.0.0"]);
        assert_eq!(one, guid([b"product".as_slice(), b"1.0.0"]));
        assert_ne!(one, guid([b"product".as_slice(), b"1.0.1"]));
        assert_ne!(one, guid([b"product1".as_slice(), b".0.0"]));
        let parts: Vec<_> = one.split('-').map(str::len).collect();
        assert_eq!(parts, [8, 4, 4, 4, 12]);
        assert_eq!(&one[14..15], "8");
    }
}
