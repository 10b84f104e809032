//! What a dead recorder left in its spool: whether it is a session, and its notes as far as they are whole.

use std::fs;
use std::io;
use std::path::Path;

use crate::format::note::{NOTE_MAX, Note, NoteKind};
use crate::format::session::ObjectName;
use crate::store::dir::read_limited;

/// Returns whether a spool holds a session: a genesis that is whole or is not ours to judge, or anything that a
/// recorder writes after one.
pub(super) fn begun(dir: &Path) -> bool {
    let genesis = match read_limited(&dir.join(ObjectName::Genesis.to_string()), NOTE_MAX as u64) {
        Ok(bytes) => Note::parse(NoteKind::Genesis, &bytes).is_ok(),
        Err(e) => e.kind() != io::ErrorKind::NotFound,
    };
    let filled =
        |part: &str| fs::read_dir(dir.join(part)).is_ok_and(|mut entries| entries.next().is_some());
    genesis
        || filled("segments")
        || filled("checkpoints")
        || dir.join(ObjectName::Seal.to_string()).exists()
}

/// Reads a spooled note, if it is there and whole: a torn one was never shipped.
pub(super) fn whole_note(dir: &Path, name: ObjectName, kind: NoteKind) -> Option<Vec<u8>> {
    let bytes = read_limited(&dir.join(name.to_string()), NOTE_MAX as u64).ok()?;
    Note::parse(kind, &bytes).is_ok().then_some(bytes)
}
