//! This program once more, without what has the loader put other code into it. The session gets that back: it is its
//! user's.

use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use bg_recorder::base64;

use crate::environment::{KEPT_VARIABLE, kept, of_the_loader};
use crate::failure::Failure;

/// Runs this program anew where variables steer its loader; returns where none does.
///
/// # Errors
/// When it cannot, or somebody in this process sets them again.
pub fn begin(args: &[OsString]) -> Result<(), Failure> {
    let found = of_the_loader();
    let Some((first, _)) = found.first() else { return Ok(()) };
    let first = first.display();
    if kept().is_some() {
        return Err(Failure::new(format!("{first} cannot be left out of the recorder"))
            .hint("something sets it in each program: see /etc/ld.so.preload"));
    }
    let mut anew = Command::new("/proc/self/exe");
    if let Some((name, args)) = args.split_first() {
        anew.arg0(name).args(args);
    }
    for (name, _) in &found {
        anew.env_remove(name);
    }
    anew.env(KEPT_VARIABLE, written(&found));
    Err(Failure::new(format!("cannot start without {first}")).because(anew.exec()))
}

/// Gives the session's leader what was kept from this program.
pub fn give_back(leader: &mut Command) {
    let kept = kept().map(|text| read(&text)).unwrap_or_default();
    leader.env_remove(KEPT_VARIABLE).envs(kept);
}

/// No value has a zero byte.
fn written(variables: &[(OsString, OsString)]) -> String {
    let assigned =
        |(name, value): &(OsString, OsString)| [name.as_bytes(), b"=", value.as_bytes()].concat();
    let all: Vec<Vec<u8>> = variables.iter().map(assigned).collect();
    base64::encode(&all.join(&0))
}

fn read(text: &OsStr) -> Vec<(OsString, OsString)> {
    let bytes = text.to_str().and_then(base64::decode).unwrap_or_default();
    let parts = bytes.split(|byte| *byte == 0).filter_map(|part| {
        let at = part.iter().position(|byte| *byte == b'=')?;
        let (name, value) = part.split_at_checked(at)?;
        let own = |bytes: &[u8]| OsString::from_vec(bytes.to_vec());
        Some((own(name), own(value.get(1..)?)))
    });
    parts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_given_back_as_it_was() {
        let own = |text: &[u8]| OsString::from_vec(text.to_vec());
        let variables = vec![
            (own(b"LD_PRELOAD"), own(b"/a b.so:/c\xff.so\n")),
            (own(b"GLIBC_TUNABLES"), own(b"glibc.malloc.check=3")),
            (own(b"MALLOC_EMPTY"), own(b"")),
        ];
        assert_eq!(read(OsStr::new(&written(&variables))), variables);
        assert_eq!(read(OsStr::new("no base64!")), []);
    }
}
