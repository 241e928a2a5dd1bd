//! Certificates, which hosts and people bring.

use countersign_protocol::certificate::{self, Cert};
use countersign_protocol::limits;

use crate::parties::NOW;

/// One certificate.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let secret = certificate::parse_secret(bytes);
    let Ok(cert) = certificate::parse(bytes) else {
        if let Ok(secret) = &secret {
            assert!(secret.is_tsk(), "neither with secrets nor without");
        }
        return false;
    };
    assert!(secret.is_err() && !cert.is_tsk(), "a secret was taken");
    assert!(
        bytes.len() <= limits::CERTIFICATE && cert.keys().subkeys().count() <= limits::SUBKEYS,
        "too large"
    );
    // Some can be read and not be written: whoever wants to keep one refuses it.
    let Ok(written) = certificate::to_bytes(&cert) else { return false };
    let again = certificate::parse(&written);
    assert!(again.is_ok(), "written, it is none: {:?}", again.err());
    if let Ok(again) = again {
        assert_eq!(again.fingerprint(), cert.fingerprint(), "written and read again it is another");
        // A signature that is not good may change its place each time, and nothing else.
        assert_eq!(self::written(&again).len(), written.len(), "written twice it is more or less");
        assert_eq!(certificate::signing_keys(&again, NOW), certificate::signing_keys(&cert, NOW));
    }
    let signing = certificate::signing_keys(&cert, NOW);
    let acceptable = certificate::check(&cert, NOW).is_ok();
    if let Ok(part) = certificate::signing_part(&cert, &signing, NOW) {
        let part = certificate::parse(&part);
        assert!(
            part.as_ref().is_ok_and(|part| certificate::signing_keys(part, NOW) == signing),
            "a part signs less"
        );
    }
    acceptable
}

fn written(cert: &Cert) -> Vec<u8> {
    let written = certificate::to_bytes(cert);
    assert!(written.is_ok(), "it cannot be written");
    written.unwrap_or_default()
}
