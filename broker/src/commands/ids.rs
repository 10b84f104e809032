//! The ids that a completion script asks for.

use bg_cli::guide::Ids;

use crate::facts::docket::Docket;
use crate::request::lookup;
use crate::world::World;

/// Names them, newest first. What cannot be looked at has none: no prompt is the place for an error.
pub fn ids(which: Ids, world: &World, found: &mut dyn FnMut(String)) {
    let store = world.store();
    let now = world.clock.now();
    let ids = match which {
        Ids::Requests => lookup::ids(&*store, now),
        Ids::Sessions => Docket::of(&*store, world.is_practice(), now)
            .map(|docket| docket.0.into_keys().collect::<Vec<_>>()),
    };
    for id in ids.unwrap_or_default().iter().rev() {
        found(id.to_string());
    }
}
