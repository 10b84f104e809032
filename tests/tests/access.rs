//! An access from the responder's side: the second factor, credentials that are just there, and what AWS is told.

mod codes;
mod ending;
mod opening;
mod refusals;
mod scene;
mod stores;
