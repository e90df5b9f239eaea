//! The identifier that every service has by its name.

use sha1::{Digest as _, Sha1};

/// The security identifier of `NT SERVICE\NAME` in its text form: `S-1-5-80-` and the SHA-1 of the name in upper case, in UTF-16,
/// as five numbers. Nobody is asked, so it is known before the service is installed. ([MS-DTYP] 2.4.2.4, `NT_SERVICE`; the same as
/// `RtlCreateServiceSid` and `sc showsid`.)
pub(crate) fn of(name: &str) -> String {
    let units = name.to_uppercase();
    let bytes: Vec<u8> = units.encode_utf16().flat_map(u16::to_le_bytes).collect();
    let digest = Sha1::digest(bytes);
    let (parts, _) = digest.as_slice().as_chunks::<4>();
    parts.iter().fold("S-1-5-80".to_owned(), |sid, part| format!("{sid}-{}", u32::from_le_bytes(*part)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_that_of_windows() {
        let trusted_installer = "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464";
        assert_eq!(of("TrustedInstaller"), trusted_installer);
        assert_eq!(of("trustedinstaller"), trusted_installer, "names of services have no case");
        assert_ne!(of("acme-desk"), of("acme-desk2"));
    }
}
