//! What has to be there, or asked for together: a request that waits for a partner nobody asked for is no promise.

use super::{Ask, Desk, Refusal, covers, words};
use crate::decide::planner::major;
use crate::model::release::Release;
use crate::model::version::Version;
use std::sync::Arc;

/// Whether one of the two names the other as its companion.
pub(super) fn are_companions(one: &Release, other: &Release) -> bool {
    let names = |a: &Release, b: &Release| {
        a.manifest().installs_with.iter().any(|c| c.product == b.product() && c.version == *b.version())
    };
    names(one, other) || names(other, one)
}

/// Refuses `release` for the server at `place` when a partner is neither there, nor on its way, nor asked for.
pub(super) fn check(desk: &Desk, ask: &Ask, release: &Release, place: usize) -> Result<(), Refusal> {
    for requirement in &release.manifest().requires {
        require(desk, ask, place, &requirement.product, &requirement.at_least)?;
    }
    for (product, there) in &desk.world.site(place).state.inventory {
        if let Some(companion) = companion(desk, place, release, product, there)
            && !is_asked(desk, place, product, |version| *version == *companion.version())
        {
            let server = &desk.world.server(place).id;
            return Err(words::companion(ask, &companion.id(), server));
        }
    }
    Ok(())
}

fn require(desk: &Desk, ask: &Ask, place: usize, product: &str, at_least: &Version) -> Result<(), Refusal> {
    let there = desk.world.site(place).state.inventory.get(product);
    if there.is_some_and(|version| version >= at_least) || is_asked(desk, place, product, |v| v >= at_least) {
        return Ok(());
    }
    let server = &desk.world.server(place).id;
    let (Some(there), true) = (there, desk.customer.client.order.iter().any(|p| p == product)) else {
        return Err(words::required_missing(ask, product, at_least, server));
    };
    let known = desk.world.catalog().get(product).map_or(&[][..], Vec::as_slice);
    let good: Vec<&Arc<Release>> = known
        .iter()
        .filter(|r| r.version() >= at_least && r.retracted.is_none() && r.published_at() <= desk.now)
        .collect();
    match good.last() {
        None => Err(words::required_unpublished(ask, product, at_least, server)),
        // A minor comes by itself, before it or with it.
        Some(_) if good.iter().any(|r| !major::needs_request(r, there)) => Ok(()),
        Some(newest) => Err(words::required(ask, &newest.id(), at_least, server)),
    }
}

/// The major of `product` that goes only together with `release`, whichever of the two names the other. One that
/// nobody asked for binds it only when it is the newest: that is the one that would be installed.
fn companion(desk: &Desk, place: usize, release: &Release, product: &str, there: &Version) -> Option<Arc<Release>> {
    if !desk.customer.client.order.iter().any(|ordered| ordered == product) {
        return None;
    }
    let known = desk.world.catalog().get(product)?.iter();
    let mut majors = known.filter(|r| {
        r.version() > there && r.retracted.is_none() && r.published_at() <= desk.now && major::needs_request(r, there)
    });
    let named = release.manifest().installs_with.iter().find(|c| c.product == product);
    match named {
        Some(named) => majors.find(|r| *r.version() == named.version).cloned(),
        None => majors
            .next_back()
            .filter(|newest| are_companions(release, newest) && !is_asked(desk, place, product, |_| true))
            .cloned(),
    }
}

/// Whether a good version of `product` is asked for on the server: in the same breath, or by an accepted request.
fn is_asked(desk: &Desk, place: usize, product: &str, is_good: impl Fn(&Version) -> bool) -> bool {
    let server = &desk.world.server(place).id;
    let now = desk.asks.iter().any(|a| a.product == product && is_good(&a.version) && covers(&a.servers, server));
    let before = || desk.accepted(product).any(|r| is_good(&r.version) && covers(&r.servers, server));
    now || before()
}
