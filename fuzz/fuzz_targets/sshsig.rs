//! Armored SSH signatures: nothing from anywhere verifies.
#![no_main]

use bg_recorder::approval::sshsig::SshSig;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(signature) = SshSig::parse(text) {
        assert!(signature.verify("bg-shell-approval@v1", b"never signed by anybody").is_err());
    }
});
