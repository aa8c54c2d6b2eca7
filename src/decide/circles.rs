//! Releases that lead round in a circle: what they need can only come after them.
//!
//! Two kinds. Releases that require each other ([`circular`]) can never be installed at all. A release whose companions
//! (`installs_with`) would need a newer version of it, or of each other, than the one they go with ([`apart`]) can never
//! be installed on a server that runs them. Companions that name each other, or one that requires the other, are no
//! circle: they go in one slot, in order.
//!
//! Pure, over the manifests of all publishers: a circle may lead through several of them. What is not known is no circle,
//! because a server may run it already.

use crate::model::manifest::{Manifest, Requirement};
use crate::model::release::ReleaseId;
use crate::model::version::Version;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

/// Releases, each of which requires the next and the last the first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Circle(Vec<ReleaseId>);

impl fmt::Display for Circle {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let way = self.0.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        write!(f, "what it requires requires it in turn ({way}), so it can never be installed")
    }
}

/// Why a release and its companions can never go together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Apart {
    /// Two of them name two versions of one product.
    Versions { product: String, one: Version, other: Version },
    /// One of them requires what can only come after the others.
    Requires { member: ReleaseId, product: String, at_least: Version },
}

impl fmt::Display for Apart {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Apart::Versions { product, one, other } => write!(
                f,
                "what it installs with (`installs_with`) asks for {product} {one} and for {product} {other} in one \
                 slot, so it can never be installed with both"
            ),
            Apart::Requires { member, product, at_least } => write!(
                f,
                "it installs with {member}, which requires {product} {at_least}, and that can only come after them, so \
                 they can never be installed together"
            ),
        }
    }
}

/// The releases that can never be installed, each with the circle it leads into.
pub fn circular(all: &[&Manifest]) -> BTreeMap<ReleaseId, Circle> {
    let good = installable(all, |_| true);
    let stuck = all.iter().copied().filter(|m| !good.contains(&id(m)));
    stuck.map(|from| (id(from), circle(from, all, &good))).collect()
}

/// Why `new` can never go together with its companions; `None` when it can, or when it has none that are known.
pub fn apart(new: &Manifest, all: &[&Manifest]) -> Option<Apart> {
    if new.installs_with.is_empty() {
        return None;
    }
    let mut together: BTreeMap<&str, &Manifest> = BTreeMap::from([(new.product.as_str(), new)]);
    let mut named: BTreeMap<&str, &Version> = BTreeMap::from([(new.product.as_str(), &new.version)]);
    let mut open = vec![new];
    while let Some(member) = open.pop() {
        for companion in &member.installs_with {
            match named.insert(&companion.product, &companion.version) {
                Some(one) if *one != companion.version => {
                    let (one, other) = (one.clone(), companion.version.clone());
                    return Some(Apart::Versions { product: companion.product.clone(), one, other });
                }
                Some(_) => continue,
                None => {}
            }
            let known = all.iter().find(|m| m.product == companion.product && m.version == companion.version);
            if let Some(known) = known {
                together.insert(&known.product, known);
                open.push(known);
            }
        }
    }
    // What goes with it is never newer than it is in this group, whatever else there may be of it.
    let allowed = |m: &Manifest| named.get(m.product.as_str()).is_none_or(|version| m.version <= **version);
    let (good, alone) = (installable(all, allowed), installable(all, |_| true));
    // One that can never go by itself is a circle of its own.
    together.values().filter(|member| alone.contains(&id(member))).find_map(|member| {
        let missing = member.requires.iter().find(|r| !is_met(r, all, &allowed, &good))?;
        let (product, at_least) = (missing.product.clone(), missing.at_least.clone());
        Some(Apart::Requires { member: id(member), product, at_least })
    })
}

/// The releases of `all` that are `allowed` and can be installed one after the other.
fn installable(all: &[&Manifest], allowed: impl Fn(&Manifest) -> bool) -> BTreeSet<ReleaseId> {
    let mut good = BTreeSet::new();
    loop {
        let before = good.len();
        for manifest in all.iter().filter(|m| allowed(m)) {
            if manifest.requires.iter().all(|required| is_met(required, all, &allowed, &good)) {
                good.insert(id(manifest));
            }
        }
        if good.len() == before {
            return good;
        }
    }
}

/// Whether something `good` meets the requirement, or a server may run it already because no release of it is known.
fn is_met(
    required: &Requirement,
    all: &[&Manifest],
    allowed: &impl Fn(&Manifest) -> bool,
    good: &BTreeSet<ReleaseId>,
) -> bool {
    let mut candidates = candidates(required, all).peekable();
    candidates.peek().is_none() || candidates.any(|c| allowed(c) && good.contains(&id(c)))
}

fn candidates<'a>(required: &'a Requirement, all: &'a [&'a Manifest]) -> impl Iterator<Item = &'a Manifest> {
    all.iter().copied().filter(|c| c.product == required.product && c.version >= required.at_least)
}

/// Follows what cannot be met until it comes round.
fn circle<'a>(from: &'a Manifest, all: &'a [&'a Manifest], good: &BTreeSet<ReleaseId>) -> Circle {
    let mut way: Vec<&Manifest> = Vec::new();
    let mut at = from;
    loop {
        if let Some(begin) = way.iter().position(|m| id(m) == id(at)) {
            return Circle(way[begin..].iter().map(|m| id(m)).collect());
        }
        way.push(at);
        let unmet = at.requires.iter().find(|required| !is_met(required, all, &|_| true, good));
        let next = unmet.and_then(|required| candidates(required, all).next());
        let Some(next) = next else { return Circle(way.into_iter().map(id).collect()) };
        at = next;
    }
}

fn id(manifest: &Manifest) -> ReleaseId {
    ReleaseId { product: manifest.product.clone(), version: manifest.version.clone() }
}

#[cfg(test)]
#[path = "circles_tests.rs"]
mod tests;
