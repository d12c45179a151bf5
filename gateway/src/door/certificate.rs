//! A self-signed certificate for `gateway demo` and the tests: made on first use, then kept.
//!
//! It names this machine's loopback and nothing else, so trusting it trusts nobody outside. It is
//! of the kind that Mozilla's `modern` profile asks for, ECDSA on P-256 and at most 90 days of
//! life, and is made anew before those are over.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use rcgen::{
    CertificateParams, DnType, ExtendedKeyUsagePurpose, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256,
};
use thiserror::Error;

/// Whom the certificate is for.
const NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// It is good from a day ago, for clocks that are behind, to so many days from now.
const LIFE_DAYS: u32 = 88;
/// After so many days it is made anew, so that a test or demo never begins with one about to end.
const RENEW_DAYS: u32 = 60;

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// A file could not be written.
    #[error("{}: {source}", file.display())]
    File {
        /// The file or folder.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It could not be made.
    #[error("self-signed certificate: {0}")]
    Make(#[from] rcgen::Error),
}

/// The paths of certificate and key in `dir`, both made first if either is absent or old. The key
/// is readable by its owner alone.
pub fn ensure_self_signed(dir: &Path) -> Result<(PathBuf, PathBuf), CertificateError> {
    let (cert_file, key_file) = (dir.join("cert.pem"), dir.join("key.pem"));
    let now = SystemTime::now();
    if is_fresh(&cert_file, now) && key_file.exists() {
        return Ok((cert_file, key_file));
    }
    let mut params = CertificateParams::new(NAMES.map(str::to_owned))?;
    params.distinguished_name.push(DnType::CommonName, "gateway demo");
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    params.not_before = epoch + since_epoch.saturating_sub(DAY);
    params.not_after = epoch + (since_epoch + DAY * LIFE_DAYS);
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
    let cert = params.self_signed(&key)?;
    fs::create_dir_all(dir)
        .map_err(|source| CertificateError::File { file: dir.to_owned(), source })?;
    write_new(&key_file, &key.serialize_pem(), 0o600)?;
    write_new(&cert_file, &cert.pem(), 0o644)?;
    Ok((cert_file, key_file))
}

/// Whether the file is there and was written of late; a clock that went back does not matter.
fn is_fresh(cert_file: &Path, now: SystemTime) -> bool {
    let written = fs::metadata(cert_file).and_then(|facts| facts.modified());
    written.is_ok_and(|at| now.duration_since(at).unwrap_or_default() < DAY * RENEW_DAYS)
}

/// Written aside and moved into place: a reader never sees half a file, nor a key with loose
/// rights.
fn write_new(file: &Path, text: &str, mode: u32) -> Result<(), CertificateError> {
    let aside = file.with_extension(format!("{}.new", std::process::id()));
    let write = || {
        let _ = fs::remove_file(&aside);
        let mut out = OpenOptions::new().write(true).create_new(true).mode(mode).open(&aside)?;
        out.write_all(text.as_bytes())?;
        fs::rename(&aside, file)
    };
    write().map_err(|source| CertificateError::File { file: file.to_owned(), source })
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_its_key_is_private() {
        let dir = tempfile::tempdir().expect("a folder");
        let inner = dir.path().join("made/on/demand");
        let (cert, key) = ensure_self_signed(&inner).expect("made");
        let first = fs::read(&cert).expect("a certificate");
        let mode = fs::metadata(&key).expect("a key").permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert_eq!(ensure_self_signed(&inner).expect("kept"), (cert.clone(), key));
        assert_eq!(fs::read(&cert).expect("still there"), first);
        assert_eq!(fs::read_dir(&inner).expect("a folder").count(), 2);
    }

    #[test]
    fn a_certificate_is_made_anew_before_it_ends() {
        let dir = tempfile::tempdir().expect("a folder");
        let (cert, _) = ensure_self_signed(dir.path()).expect("made");
        let first = fs::read(&cert).expect("a certificate");
        let file = OpenOptions::new().write(true).open(&cert).expect("it is there");
        let age = |days| file.set_modified(SystemTime::now() - DAY * days).expect("a time");
        age(RENEW_DAYS - 1);
        ensure_self_signed(dir.path()).expect("kept");
        assert_eq!(fs::read(&cert).expect("a certificate"), first);
        age(RENEW_DAYS);
        ensure_self_signed(dir.path()).expect("made");
        assert_ne!(fs::read(&cert).expect("a certificate"), first);
    }
}
