//! Every call's request id, kept: CloudTrail has the same ids.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::BeforeDeserializationInterceptorContextRef;
use aws_smithy_runtime_api::client::orchestrator::Metadata;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::config_bag::ConfigBag;
use aws_smithy_types::date_time::Format;
use serde::Serialize;

/// One answered attempt of a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Call {
    /// The service and the action, such as `STS:AssumeRole`.
    pub operation: String,
    /// The HTTP status.
    pub status: u16,
    /// The request id, where the server sent one.
    pub request_id: Option<String>,
    /// By how many seconds our clock is ahead of the server's, where it said what time it is.
    pub ahead_s: Option<i64>,
}

/// The calls that were made, newest last. Clones share it.
#[derive(Debug, Clone, Default)]
pub struct Journal(Arc<Mutex<Vec<Call>>>);

impl Journal {
    /// Returns the newest call of an operation.
    pub fn last(&self, operation: &str) -> Option<Call> {
        self.calls().iter().rev().find(|call| call.operation == operation).cloned()
    }

    /// Returns by how many seconds our clock is ahead of the server that was asked last.
    pub fn ahead_s(&self) -> Option<i64> {
        self.calls().iter().rev().find_map(|call| call.ahead_s)
    }

    /// Returns and forgets all calls.
    pub fn take(&self) -> Vec<Call> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn calls(&self) -> Vec<Call> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn note(&self, call: Call) {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if calls.len() >= CALLS_MAX {
            calls.remove(0);
        }
        calls.push(call);
    }
}

impl Intercept for Journal {
    fn name(&self) -> &'static str {
        "Journal"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        bag: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let response = context.response();
        let named = bag.load::<Metadata>().map(|m| format!("{}:{}", m.service(), m.name()));
        let id = ["x-amzn-requestid", "x-amz-request-id"]
            .iter()
            .find_map(|name| response.headers().get(name));
        self.note(Call {
            operation: named.unwrap_or_default(),
            status: response.status().as_u16(),
            request_id: id.map(ToOwned::to_owned),
            ahead_s: response.headers().get("date").and_then(ahead_s),
        });
        Ok(())
    }
}

fn ahead_s(date: &str) -> Option<i64> {
    let theirs = DateTime::from_str(date, Format::HttpDate).ok()?;
    Some(DateTime::from(SystemTime::now()).secs().saturating_sub(theirs.secs()))
}

/// A session makes a few calls a minute besides its puts; older ones are forgotten.
const CALLS_MAX: usize = 1_024;
