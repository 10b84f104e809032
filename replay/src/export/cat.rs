//! `bg-replay cat`: the output as text for grep, with everything that acts written out.

use crate::evidence::admitted::{Admitted, unread};
use crate::export::sink::Sink;
use crate::failure::Failure;
use bg_recorder::neutral::Visible;

/// Writes the output of a session.
///
/// # Errors
/// When the tape does not open, or nobody reads.
pub fn cat(vault: &Admitted<'_>, mut sink: Sink) -> Result<(), Failure> {
    let mut events = vault.events()?;
    let mut visible = Visible::default();
    while let Some(event) = events.event().map_err(unread)? {
        if let Some(missing) = event.missing() {
            sink.put(format!("\n[{missing}]\n").as_bytes())?;
        } else if event.line.code == 'o' {
            sink.put(visible.chunk(&event.line.data).as_bytes())?;
        }
    }
    sink.finish()
}
