//! A request, its approvals, the grant that comes of them.

pub mod decide;
pub mod dossier;
pub mod filing;
pub mod grant;
pub mod lookup;
mod private_file;
pub mod signer;
pub mod standing;
pub mod terms;
