//! A store that is not there for a while.

use std::path::PathBuf;

use super::world::World;

/// A directory store in whose place a file stands, until this is dropped.
pub struct Away {
    place: PathBuf,
}

impl Away {
    /// Takes that of a practice world away.
    pub fn take(world: &World) -> Self {
        Self::at(world.state().join("evidence"))
    }

    /// Takes the one at a place away.
    pub fn at(place: PathBuf) -> Self {
        std::fs::rename(&place, place.with_extension("away")).unwrap();
        std::fs::write(&place, "").unwrap();
        Self { place }
    }
}

impl Drop for Away {
    fn drop(&mut self) {
        std::fs::remove_file(&self.place).unwrap();
        std::fs::rename(self.place.with_extension("away"), &self.place).unwrap();
    }
}
