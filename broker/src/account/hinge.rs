//! What a gate turns on: IAM, as it opens and shuts a role.

use bg_aws::fault::CallError;

/// What opens and shuts. Either may be done twice.
pub trait Hinge {
    /// Opens it.
    ///
    /// # Errors
    /// When IAM did not do it.
    fn open(&self) -> Result<(), CallError>;

    /// Shuts it.
    ///
    /// # Errors
    /// When IAM did not do it.
    fn shut(&self) -> Result<(), CallError>;
}
