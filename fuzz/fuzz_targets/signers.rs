//! allowed_signers files: whom a file allows, it lists.
#![no_main]

use bg_recorder::approval::key::Presence;
use bg_recorder::approval::signers::AllowedSigners;
use bg_recorder::stamp::Stamp;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    let Ok(signers) = AllowedSigners::parse(bytes) else { return };
    for entry in signers.entries() {
        let who = entry.principal().unwrap_or("somebody");
        let at = Stamp(1_795_413_600_000_000);
        if signers.allow(who, &entry.key, "bg-shell-approval@v1", at, Presence::Verified).is_ok() {
            assert!(signers.lists(who, &entry.key));
        }
    }
});
