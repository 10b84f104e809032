//! The key files for the day KMS is away: the escrow's public half, and this host's standby key.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use bg_recorder::cause::chain;
use bg_recorder::keys::local::Wrapper;
use bg_recorder::keys::pem::read_signing_public;
use bg_recorder::sign::SigningPublic;
use bg_recorder::standby::Standby;

use super::finding::Finding;
use crate::world::World;

/// Checks those that are configured, and that what needs them has them.
pub fn check(world: &World, findings: &mut Vec<Finding>) {
    let evidence = &world.config.evidence;
    findings.extend(evidence.escrow.as_deref().map(escrow));
    findings.extend(evidence.standby.as_deref().map(|path| standby(path, &evidence.trusted)));
    let roles =
        world.config.roles.iter().map(|(name, role)| (name.as_str(), role.outage.start_keyless));
    let keyless = roles.chain([("practice", world.config.practice.outage.start_keyless)]);
    let without: Vec<&str> =
        keyless.filter(|(_, keyless)| *keyless).map(|(name, _)| name).collect();
    if !without.is_empty() && (evidence.escrow.is_none() || evidence.standby.is_none()) {
        let saw =
            format!("start_keyless of {}, without evidence.escrow and standby", without.join(", "));
        let why = "no session begins while KMS is away";
        findings.push(Finding::warn("key files", saw, why, MAKE));
    }
}

fn escrow(path: &Path) -> Finding {
    let why = "no session begins: epoch keys cannot be wrapped to it";
    match Wrapper::from_file(path, "escrow") {
        Ok(_) => Finding::ok("key escrow", path.display().to_string()),
        Err(e) => {
            Finding::fail("key escrow", chain(&e), why, "give it the PEM of an RSA public key")
        }
    }
}

fn standby(path: &Path, trusted: &[std::path::PathBuf]) -> Finding {
    let key = match Standby::from_file(path) {
        Ok(key) => key,
        Err(e) => return Finding::fail("key standby", chain(&e), "no session begins", MAKE),
    };
    let mode = std::fs::metadata(path).map_or(0o777, |meta| meta.permissions().mode());
    if mode & 0o077 != 0 {
        let saw = format!("others read {}", path.display());
        return Finding::fail(
            "key standby",
            saw,
            "they sign tapes as this host while KMS is away",
            "chmod 600",
        );
    }
    let public: Vec<SigningPublic> =
        trusted.iter().filter_map(|path| read_signing_public(path).ok()).collect();
    if public.contains(key.public()) {
        return Finding::ok("key standby", path.display().to_string());
    }
    let saw = format!("evidence.trusted has not the public half of {}", path.display());
    let why = "what begins while KMS is away is trusted on this host alone";
    Finding::warn(
        "key standby",
        saw,
        why,
        "openssl pkey -pubout, and list it in evidence.trusted everywhere",
    )
}

const MAKE: &str =
    "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out standby.pem";
