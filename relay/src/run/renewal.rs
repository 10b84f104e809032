//! More time for a session whose store is there: its own end is moved, once that is written down.

use std::time::Duration;

use bg_recorder::event::{Event, Extended, ExtendedAs, ExtensionState, Notice};
use bg_recorder::neutral::neutral;

use super::{Cause, Run};
use crate::outside::{Granted, Refused, Renewed, Tidings};

impl Run<'_> {
    /// Goes on with the extensions that move the session's end, one after the other.
    pub(super) fn renewals(&mut self) -> Result<(), Cause> {
        if self.renewing {
            let Some(renewed) = self.relay.term.renewed() else { return Ok(()) };
            self.renewing = false;
            return match renewed {
                Ok(renewed) => self.renewed(renewed),
                Err(Refused(why)) => self.refuse(why),
            };
        }
        // One line after the other: what is not drawn yet is not talked over.
        let next = if self.warning.is_none() { self.renewals.pop_front() } else { None };
        let Some(granted) = next else { return Ok(()) };
        match self.relay.deadline.room(Duration::from_secs(granted.for_s)) {
            Some(by) => {
                self.renewing = true;
                self.relay.term.renew(granted, by);
                Ok(())
            }
            None => self.refuse(format!("{} gave time, and {MAXIMUM}", granted.by)),
        }
    }

    fn renewed(&mut self, renewed: Renewed) -> Result<(), Cause> {
        let left_s = self.relay.deadline.lengthen(renewed.by, self.relay.clock.boot_us());
        let Renewed { granted, by, ends, title } = renewed;
        let who = granted.by.clone();
        let rest_s = granted.for_s.saturating_sub(by.as_secs());
        self.record(Event::Notice(&extended(granted, left_s, Some(ends.to_string()))))?;
        self.title = title;
        self.relay.herald.tell(Tidings::Renewed(&format!("by {who}: until {ends}")));
        let left = time(left_s);
        let at = ends.clock();
        let line = format!("bg-shell: extended by {who}: this session ends in {left}, at {at} UTC");
        if rest_s > 0 {
            let why = format!("{} of it are not given: {MAXIMUM}", time(rest_s));
            self.record(Event::Notice(&refused(why.clone()).0))?;
            self.warning = Some(format!("{line}; {why}"));
        } else {
            self.warning = Some(line);
        }
        Ok(())
    }

    pub(super) fn refuse(&mut self, why: String) -> Result<(), Cause> {
        let (notice, line) = refused(why);
        self.record(Event::Notice(&notice))?;
        self.warning = Some(line);
        Ok(())
    }
}

/// Returns what the tape says of an extension that counts; with a deadline, of one that moved the session's end.
pub(super) fn extended(granted: Granted, left_s: u64, deadline: Option<String>) -> Notice {
    let Granted { by, for_s, signed } = granted;
    let by_role = if signed.is_some() { ExtendedAs::Approver } else { ExtendedAs::Responder };
    let (statement, signature) = signed.map(|signed| (signed.statement, signed.signature)).unzip();
    Notice::Extension(Extended {
        state: ExtensionState::Granted,
        by: Some(by),
        by_role: Some(by_role),
        for_s: Some(for_s),
        left_s: Some(left_s),
        deadline,
        statement,
        signature,
        why: None,
    })
}

fn refused(why: String) -> (Notice, String) {
    let line = format!("bg-shell: an extension does not count: {}", neutral(&why));
    (Notice::Extension(Extended { why: Some(why), ..Extended::default() }), line)
}

pub(super) fn time(s: u64) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(s))
}

const MAXIMUM: &str = "the session lasts as long as its role allows already";
