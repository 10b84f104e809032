//! How many attempts the SDK made of one call, and which were refused: after the first, our own bytes may be what is
//! in the way, and one whose answer was lost may have been done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::interceptors::Intercept;
use aws_smithy_runtime_api::client::interceptors::context::{
    BeforeDeserializationInterceptorContextRef, BeforeTransmitInterceptorContextRef,
};
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::config_bag::ConfigBag;

/// Counts the attempts of the call that it is given to. Clones share the count.
#[derive(Debug, Clone, Default)]
pub struct Attempts(Arc<Count>);

#[derive(Debug, Default)]
struct Count {
    made: AtomicU32,
    refused: AtomicU32,
}

impl Attempts {
    /// Returns how many were made.
    pub fn count(&self) -> u32 {
        self.0.made.load(Ordering::Acquire)
    }

    /// Returns whether the service has refused each of them: what was asked for was surely not done.
    pub fn all_refused(&self) -> bool {
        self.count() == self.0.refused.load(Ordering::Acquire)
    }
}

impl Intercept for Attempts {
    fn name(&self) -> &'static str {
        "Attempts"
    }

    fn read_before_attempt(
        &self,
        _: &BeforeTransmitInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        self.0.made.fetch_add(1, Ordering::AcqRel);
        Ok(())
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        // A server that failed (5xx) may have failed after it had done it.
        if context.response().status().is_client_error() {
            self.0.refused.fetch_add(1, Ordering::AcqRel);
        }
        Ok(())
    }
}
