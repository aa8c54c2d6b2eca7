//! Planning a whole world: one server after the other in the fleet's order, and again those whose share of the line or
//! of the staff another one changed after they were looked at.
//!
//! Without the second look, a server that gave way to another would stay away from room that the other left a moment
//! later, and the next planning would find it: planning twice would change something.

use super::load::{Promise, Stir};
use super::planner::{self, Facts, Verdicts};
use super::rehearse;
use super::world::World;
use chrono::{DateTime, Utc};

/// Most looks at one server in one planning. What still moves then goes on at the next.
const LOOKS_MAX: u32 = 5;

/// One server as it was looked at last.
struct Looked<T> {
    place: usize,
    found: T,
    /// What it is to get, where that stands.
    intents: Vec<Promise>,
    /// Whether others kept it from where it would have gone, or it moved.
    gave_way: bool,
    /// Whether another release would go if others took what is left.
    leans: bool,
    looks: u32,
    /// How often what it shares had changed by then.
    stir: Stir,
}

/// Decides for the servers at `places`, promises what is decided, and gives what `look` makes of it.
pub fn plan<T>(
    world: &mut World,
    places: impl IntoIterator<Item = usize>,
    now: DateTime<Utc>,
    mut look: impl FnMut(&World, usize, &Facts, &Verdicts) -> T,
) -> Vec<(usize, T)> {
    let mut all: Vec<Looked<T>> = places.into_iter().map(|place| weigh(world, place, now, 1, &mut look)).collect();
    loop {
        let mut changed = false;
        for looked in &mut all {
            if looked.looks < LOOKS_MAX && wants_another(world, looked, now) {
                *looked = weigh(world, looked.place, now, looked.looks + 1, &mut look);
                changed = true;
            }
        }
        if !changed {
            return all.into_iter().map(|looked| (looked.place, looked.found)).collect();
        }
    }
}

fn weigh<T>(
    world: &mut World,
    place: usize,
    now: DateTime<Utc>,
    looks: u32,
    look: &mut impl FnMut(&World, usize, &Facts, &Verdicts) -> T,
) -> Looked<T> {
    let (promises, intents, (gave_way, leans), found) = world.with_facts(place, now, |facts| {
        rehearse::weigh(facts, |facts, verdicts| {
            let (promises, intents) = (World::promises(facts, verdicts), World::intents(facts, verdicts));
            let moods = (verdicts.gave_way(facts), verdicts.leans());
            (promises, intents, moods, look(world, place, facts, verdicts))
        })
    });
    world.promise(place, promises);
    Looked { place, found, intents, gave_way, leans, looks, stir: world.stir(place) }
}

/// Whether room came free for a server that gave way or was taken from what one leans on, or what it is to get no longer
/// stands.
fn wants_another<T>(world: &World, looked: &Looked<T>, now: DateTime<Utc>) -> bool {
    let stir = world.stir(looked.place);
    if stir == looked.stir {
        return false;
    }
    looked.leans
        || looked.gave_way && stir.freed != looked.stir.freed
        || !world.with_facts(looked.place, now, |facts| planner::stands(facts, &looked.intents))
}
