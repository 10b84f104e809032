//! What goes wrong between bg-shell and AWS: each time one line that says what and what to do, and no access left
//! that is neither dead nor spoken of.

mod denied;
mod each;
mod race;
mod surroundings;
mod throttled;
mod wire;
