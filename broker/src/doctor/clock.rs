//! The clock: an approval expires, a code is good for 30 seconds, and AWS refuses what was signed five minutes off.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;

use super::finding::Finding;

/// By how many seconds our clock is ahead of each service's. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Clocks(Arc<Mutex<BTreeMap<&'static str, i64>>>);

/// Notes the `Date` of every answer of one service.
#[derive(Debug)]
pub struct Watch {
    service: &'static str,
    clocks: Clocks,
}

impl Clocks {
    /// Returns the interceptor that watches a service.
    pub fn of(&self, service: &'static str) -> Watch {
        Watch { service, clocks: self.clone() }
    }

    /// Judges what was seen.
    pub fn check(&self, findings: &mut Vec<Finding>) {
        let seen = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let Some((service, ahead)) = seen.iter().max_by_key(|(_, ahead)| ahead.unsigned_abs()) else {
            findings.push(Finding::warn("clock", "not looked at: no service said what time it is", WHY, FIX));
            return;
        };
        let saw = match ahead {
            0 => format!("as {service}'s, within a second"),
            1.. => format!("{ahead} s ahead of {service}'s"),
            ..0 => format!("{} s behind {service}'s", ahead.unsigned_abs()),
        };
        findings.push(match ahead.unsigned_abs() {
            off if off > FAIL_S => Finding::fail("clock", saw, WHY, FIX),
            off if off > WARN_S => Finding::warn("clock", saw, WHY, FIX),
            _ => Finding::ok("clock", saw),
        });
    }
}

impl Intercept for Watch {
    fn name(&self) -> &'static str {
        "Watch"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let theirs = context.response().headers().get("date");
        let theirs = theirs.and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
        if let Some(theirs) = theirs {
            let ahead = DateTime::from(SystemTime::now()).secs().saturating_sub(theirs.secs());
            let mut clocks = self.clocks.0.lock().unwrap_or_else(PoisonError::into_inner);
            clocks.insert(self.service, ahead);
        }
        Ok(())
    }
}

/// One step of a time-based code.
const WARN_S: u64 = 30;
/// What AWS takes of a signature's age.
const FAIL_S: u64 = 300;
const WHY: &str =
    "codes and approvals are refused or outlive themselves, and beyond 5 min AWS refuses every call";
const FIX: &str = "let chrony or systemd-timesyncd set the clock: timedatectl, chronyc tracking";
