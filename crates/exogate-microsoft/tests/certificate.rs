//! Certificates from every kind of file an administrator has, and the errors for those that cannot work.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use exogate_microsoft::certificate::{CertificateError, ClientCertificate, create_self_signed};
use jiff::Timestamp;

macro_rules! file {
    ($name:literal) => {
        include_bytes!(concat!("certificates/", $name)).as_slice()
    };
}

const PASSWORD: &str = "correct-horse";

fn now() -> Timestamp {
    "2027-01-02T03:04:05Z".parse().unwrap()
}

#[test]
fn every_kind_of_file_gives_the_same_certificate() {
    let cases = [
        ("AES, SHA-256", ClientCertificate::from_pfx(file!("modern.pfx"), PASSWORD)),
        ("no password", ClientCertificate::from_pfx(file!("empty-password.pfx"), "")),
        ("RC2 and 3DES", ClientCertificate::from_pfx(file!("legacy-rc2.pfx"), PASSWORD)),
        ("3DES as Windows makes it", ClientCertificate::from_pfx(file!("windows-3des.pfx"), PASSWORD)),
        ("with an issuer", ClientCertificate::from_pfx(file!("with-issuer.pfx"), PASSWORD)),
        ("PEM, both in one", ClientCertificate::from_pem(file!("exogate-test.both.pem"), None)),
        (
            "PEM",
            ClientCertificate::from_pem(file!("exogate-test.cert.pem"), Some(file!("exogate-test.key.pem"))),
        ),
        (
            "PEM, PKCS#1",
            ClientCertificate::from_pem(
                file!("exogate-test.cert.pem"),
                Some(file!("exogate-test.pkcs1.pem")),
            ),
        ),
    ];
    for (name, read) in cases {
        let certificate = read.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(certificate.der(), file!("exogate-test.cer"), "{name}");
        assert_eq!(certificate.subject(), "CN=exogate-test", "{name}");
        assert_eq!(certificate.key_bits(), 2048, "{name}");
        assert_eq!(certificate.check_validity(now()), Ok(()), "{name}");
    }
}

#[test]
fn thumbprints_are_those_openssl_prints() {
    let certificate = ClientCertificate::from_pfx(file!("modern.pfx"), PASSWORD).unwrap();
    assert_eq!(certificate.thumbprint(), include_str!("certificates/thumbprint.txt").trim());
    assert_eq!(certificate.x5t(), include_str!("certificates/x5t.txt").trim());
    assert_eq!(certificate.x5t_s256(), include_str!("certificates/x5t-s256.txt").trim());
}

#[test]
fn what_cannot_work_is_said_clearly() {
    use CertificateError as E;
    let cert = file!("exogate-test.cert.pem");
    let cases = [
        (ClientCertificate::from_pfx(file!("modern.pfx"), "wrong"), E::WrongPassword),
        (ClientCertificate::from_pfx(file!("windows-3des.pfx"), "wrong"), E::WrongPassword),
        (ClientCertificate::from_pfx(file!("modern.pfx"), ""), E::WrongPassword),
        (ClientCertificate::from_pfx(cert, PASSWORD), E::NotPfx),
        (ClientCertificate::from_pfx(b"", PASSWORD), E::NotPfx),
        (ClientCertificate::from_pfx(file!("exogate-test.cer"), PASSWORD), E::NotPfx),
        (ClientCertificate::from_pfx(&file!("modern.pfx")[..900], PASSWORD), E::NotPfx),
        (ClientCertificate::from_pfx(file!("no-key.pfx"), PASSWORD), E::NoKey),
        (ClientCertificate::from_pfx(file!("ec.pfx"), PASSWORD), E::NotRsa),
        (ClientCertificate::from_pem(cert, None), E::NoKey),
        (ClientCertificate::from_pem(file!("exogate-test.key.pem"), None), E::NoCertificate),
        (ClientCertificate::from_pem(b"nothing", None), E::NoCertificate),
        (ClientCertificate::from_pem(cert, Some(file!("exogate-test.encrypted.pem"))), E::EncryptedKey),
        (ClientCertificate::from_pem(cert, Some(file!("ec.key.pem"))), E::NotRsa),
        (ClientCertificate::from_pem(file!("ec.cert.pem"), Some(file!("ec.key.pem"))), E::NotRsa),
        (
            ClientCertificate::from_pem(file!("other.cert.pem"), Some(file!("exogate-test.key.pem"))),
            E::NotAPair("CN=other".to_owned()),
        ),
        (
            ClientCertificate::from_pem(file!("small.cert.pem"), Some(file!("small.key.pem"))),
            E::BadKey("TooSmall".to_owned()),
        ),
    ];
    for (number, (read, expected)) in cases.into_iter().enumerate() {
        assert_eq!(read.err(), Some(expected), "case {number}");
    }
}

#[test]
fn validity_is_told_with_its_dates() {
    let certificate = ClientCertificate::from_pfx(file!("modern.pfx"), PASSWORD).unwrap();
    let late = certificate.check_validity("2127-01-01T00:00:00Z".parse().unwrap()).unwrap_err().to_string();
    assert!(late.contains("'CN=exogate-test' expired on 2126-"), "{late}");
    let early = certificate.check_validity("2020-01-01T00:00:00Z".parse().unwrap()).unwrap_err().to_string();
    assert!(early.contains("valid only from 2026-"), "{early}");
}

#[test]
fn a_made_certificate_can_be_read_back_in_every_form() {
    let made = create_self_signed("CN=exogate at Contoso", 365, 2048, now()).unwrap();
    let from_pfx = ClientCertificate::from_pfx(&made.pfx("s3cret").unwrap(), "s3cret").unwrap();
    let from_pem =
        ClientCertificate::from_pem(made.pem_cert().as_bytes(), Some(made.pem_key().as_bytes())).unwrap();
    for certificate in [&from_pfx, &from_pem] {
        assert_eq!(certificate.der(), made.cer_der());
        assert_eq!(certificate.subject(), "CN=exogate at Contoso");
        assert_eq!(certificate.not_before().to_string(), "2027-01-02T02:59:05Z");
        assert_eq!(certificate.not_after().to_string(), "2028-01-02T03:04:05Z");
    }
    assert_eq!(
        ClientCertificate::from_pfx(&made.pfx("a").unwrap(), "b").err(),
        Some(CertificateError::WrongPassword)
    );
}

#[test]
fn wishes_that_cannot_be_met_are_refused() {
    let long = "x".repeat(65);
    for (name, days, bits) in
        [("", 1, 2048), (long.as_str(), 1, 2048), ("x", 0, 2048), ("x", 9999, 2048), ("x", 1, 1024)]
    {
        let refused = create_self_signed(name, days, bits, now());
        assert!(matches!(refused, Err(CertificateError::CannotMake(_))), "{name} {days} {bits}");
    }
}

#[test]
fn keys_never_show() {
    let certificate = ClientCertificate::from_pfx(file!("modern.pfx"), PASSWORD).unwrap();
    let shown = format!("{certificate:?}");
    assert_eq!(shown, format!("ClientCertificate(CN=exogate-test, {})", certificate.thumbprint()));
}
