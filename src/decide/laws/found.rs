//! What the laws once found, each with its smallest world.

use super::draw::{Draw, DrawnClient, DrawnRelease, DrawnRequest, DrawnServer, Fate};
use super::twice::{check_twice, line};
use super::world::Case;
use crate::decide::calendar::{Calendar, Region};
use crate::decide::notice;

fn server() -> DrawnServer {
    DrawnServer { zone: None, canary: false, runs: [Some(0); 4], backup: Some((0, true)), failed: None }
}

/// A client in Paris of the first (0) or the second (1) contract.
fn client(schedule: usize, servers: usize) -> DrawnClient {
    let servers = vec![server(); servers];
    DrawnClient { schedule, site: 0, servers, closed: None, requests: Vec::new(), agreed: None }
}

/// A minor that takes so long and was published so many hours ago.
fn minor(product: usize, patch: u32, minutes: u32, hours: i64) -> DrawnRelease {
    DrawnRelease {
        product,
        major: false,
        says_minor: false,
        patch,
        hours,
        minutes,
        manual: false,
        requires: false,
        along: false,
        from: false,
        retracted: false,
        spread: (0, 0, 0),
        learned: None,
    }
}

/// At noon UTC on a day of January 2026, a Tuesday the 6th for instance.
fn world(day: i64, client: DrawnClient, releases: Vec<DrawnRelease>) -> Draw {
    let (holds, fates) = (Vec::new(), vec![Fate::Missed]);
    Draw {
        minute: ((day - 1) * 24 + 12) * 60,
        clients: vec![client],
        releases,
        holds,
        later: 0,
        fates,
        backs_up: false,
    }
}

/// Plans twice, and compares what is decided for each server and product: outcome, version, and the day its slot begins.
#[track_caller]
fn check(draw: &Draw, expected: &[&str]) {
    let mut case = Case::new(draw);
    let pass = case.plan();
    let brief = |line: String| {
        let words: Vec<&str> = line.split(' ').collect();
        [words[0], words[1], words[2], words.get(4).unwrap_or(&"-"), words.get(5).unwrap_or(&"-")].join(" ")
    };
    let all = pass.servers.iter().flat_map(|s| &s.decisions).map(|d| brief(line(d)));
    let said: Vec<String> = all.filter(|l| !l.contains("up_to_date") && !l.contains("out_of_scope")).collect();
    assert_eq!(said, expected);
    check_twice(&mut case).unwrap();
}

#[test]
fn all_that_a_server_does_in_a_night_shares_the_line() {
    // One line and a night of 330 minutes: 247 and 24 of one server, and no second time 24 and 247.
    let draw = world(6, client(1, 2), vec![minor(0, 1, 9, 0), minor(2, 1, 232, 0)]);
    check(
        &draw,
        &[
            "c0-0 isacompta planned 14.20.1 2026-01-06",
            "c0-0 isaged planned 14.20.1 2026-01-06",
            "c0-1 isacompta planned 14.20.1 2026-01-06",
            "c0-1 isaged planned 14.20.1 2026-01-07",
        ],
    );
}

#[test]
fn a_slot_agreed_past_the_deadline_does_not_cost_it() {
    // Published on Tuesday morning: due Thursday at 07:00. The contact agreed to Saturday noon.
    let agreed = DrawnClient { agreed: Some((0, 0, 96, 2)), ..client(0, 1) };
    check(&world(6, agreed, vec![minor(0, 1, 5, 2)]), &["c0-0 isacompta planned 14.20.1 2026-01-06"]);
}

#[test]
fn what_is_late_takes_no_room_from_what_is_not() {
    // The first was due this morning; both need most of the night, and the second is due tomorrow.
    let draw = world(6, client(0, 1), vec![minor(0, 1, 300, 44), minor(2, 1, 300, 20)]);
    check(&draw, &["c0-0 isacompta late 14.20.1 2026-01-07", "c0-0 isaged planned 14.20.1 2026-01-06"]);
}

#[test]
fn what_does_not_fit_beside_what_it_requires_follows_it() {
    let paye = DrawnRelease { requires: true, ..minor(1, 1, 300, 0) };
    let draw = world(6, client(0, 1), vec![minor(0, 2, 300, 0), paye]);
    check(&draw, &["c0-0 isacompta planned 14.20.2 2026-01-06", "c0-0 isapaye planned 2026.1 2026-01-07"]);
}

#[test]
fn a_newer_release_that_cannot_go_gives_way_to_one_that_goes_late() {
    let stuck = DrawnRelease { requires: true, ..minor(1, 3, 5, 0) };
    let draw = world(6, client(0, 1), vec![stuck, minor(1, 2, 5, 44)]);
    check(&draw, &["c0-0 isapaye late 2026.2 2026-01-06"]);
}

#[test]
fn no_more_servers_are_attended_at_once_than_there_are_staff() {
    // Two at once under the second contract, told two days ahead: Tuesday the 13th, then Thursday.
    let manual = DrawnRelease { manual: true, ..minor(0, 1, 5, 0) };
    let draw = Draw { clients: vec![client(1, 1); 3], ..world(6, client(1, 1), vec![manual]) };
    check(
        &draw,
        &[
            "c0-0 isacompta planned 14.20.1 2026-01-13",
            "c1-0 isacompta planned 14.20.1 2026-01-13",
            "c2-0 isacompta planned 14.20.1 2026-01-15",
        ],
    );
}

#[test]
fn what_is_late_for_one_version_is_in_time_for_an_older_one_that_came_later() {
    // In Nouméa, on Monday the 22nd: isacompta is late, isapaye 2026.2 too. But 2026.1 was published after it, is due
    // tonight, and 2026.2 makes up for it: the night that has no room for both is isapaye's.
    let learned = |minutes| DrawnRelease { learned: Some(minutes), ..minor(0, 1, 5, 55) };
    let needs = DrawnRelease { requires: true, ..minor(1, 1, 5, 7) };
    let noumea = DrawnClient { site: 4, ..client(0, 1) };
    let draw = Draw { minute: 640_417, ..world(1, noumea, vec![learned(123), minor(1, 2, 376, 31), needs]) };
    check(&draw, &["c0-0 isacompta late 14.20.1 2027-03-23", "c0-0 isapaye late 2026.2 2027-03-22"]);
}

#[test]
fn what_others_take_may_bring_a_newer_release_forward() {
    // One line: the first server would do 2026.1 tonight and 2026.2 tomorrow, which is the second server's night by then.
    let learned = DrawnRelease { learned: Some(150), ..minor(1, 1, 5, 87) };
    let canary = DrawnClient { servers: vec![DrawnServer { canary: true, ..server() }], ..client(0, 1) };
    let draw = Draw { minute: 183_600, ..world(1, canary.clone(), vec![learned, minor(1, 2, 5, 63)]) };
    check(
        &Draw { clients: vec![canary, client(1, 2)], ..draw },
        &[
            "c0-0 isapaye late 2026.2 2026-05-08",
            "c1-0 isapaye planned 2026.2 2026-05-10",
            "c1-1 isapaye planned 2026.2 2026-05-11",
        ],
    );
}

#[test]
fn a_failed_try_is_not_repeated_in_its_slot() {
    let failed = DrawnServer { failed: Some((0, 1, 1)), ..server() };
    let client = DrawnClient { servers: vec![failed], ..client(0, 1) };
    // At 23:00 in Paris, in the night it failed in.
    let draw = Draw { minute: (5 * 24 + 22) * 60, ..world(6, client, vec![minor(0, 1, 5, 8)]) };
    check(&draw, &["c0-0 isacompta planned 14.20.1 2026-01-07"]);
}

#[test]
fn a_request_on_a_day_off_counts_from_the_next_working_day_even_while_the_office_is_open() {
    // The second contract's office is open on Saturdays; three working days from Monday the 12th.
    let case = Case::new(&world(6, client(1, 1), Vec::new()));
    let calendar = Calendar::new(chrono_tz::Europe::Paris, Region::National);
    let count = notice::count(case.terms(&case.parts.clients[0]), &calendar, "2026-01-10T10:00:00Z".parse().unwrap());
    assert_eq!(count.counted_from.to_string(), "2026-01-12");
    assert_eq!(count.earliest.to_string(), "2026-01-15");
}

#[test]
fn what_makes_up_for_one_that_cannot_go_is_in_time_for_it() {
    // Broad servers wait for the canaries, and 2026.1 would go before 2027.1. But 2026.3 needs a product that is not there:
    // only 2027.1 makes up for it in time.
    let canary = DrawnClient { servers: vec![DrawnServer { canary: true, ..server() }], ..client(0, 1) };
    let broad = DrawnServer { runs: [None, Some(0), Some(0), Some(0)], ..server() };
    let stuck = DrawnRelease { requires: true, ..minor(1, 3, 5, 30) };
    let newest = DrawnRelease { major: true, says_minor: true, ..minor(1, 1, 5, 0) };
    let broad = DrawnClient { servers: vec![broad], ..client(1, 1) };
    let draw = Draw { minute: 119_460, ..world(1, canary.clone(), vec![newest, stuck, minor(1, 1, 5, 6)]) };
    check(
        &Draw { clients: vec![broad, canary], ..draw },
        &["c0-0 isapaye planned 2027.1 2026-03-29", "c1-0 isapaye planned 2027.1 2026-03-25"],
    );
}

#[test]
fn what_is_late_itself_goes_first_where_it_makes_up_for_what_is_not() {
    // 2026.1 came after 2026.4 and cannot go by itself. 2026.4, late, is in time for it; 2027.1, by hand, is not.
    let newest = DrawnRelease { major: true, says_minor: true, manual: true, ..minor(1, 1, 5, 41) };
    let stuck = DrawnRelease { requires: true, ..minor(1, 1, 5, 31) };
    let martinique = DrawnClient { site: 5, ..client(0, 1) };
    let draw = Draw { minute: 128_820, ..world(1, martinique, vec![minor(1, 4, 5, 41), stuck, newest]) };
    check(&draw, &["c0-0 isapaye late 2026.4 2026-04-01"]);
}

#[test]
fn what_takes_the_room_of_another_gives_way_to_an_older_one_that_does_not() {
    // At three in the night isacompta 14.20.3 does not fit any more, is late for itself, and would take the next night from
    // isapaye. 14.20.1, which came after it, fits and is in time.
    let releases = vec![minor(1, 1, 274, 20), minor(0, 3, 225, 44), minor(0, 1, 5, 20)];
    let draw = Draw { minute: 34_195 + 8 * 60, ..world(1, client(0, 1), releases) };
    check(&draw, &["c0-0 isacompta planned 14.20.1 2026-01-24", "c0-0 isapaye planned 2026.1 2026-01-25"]);
}

#[test]
fn a_major_leaves_time_for_what_requires_it() {
    // Asked for by the 24th, it would go on the 19th; what requires it is due that morning.
    let asked = DrawnRequest { product: 0, patch: 1, days: 12, hours: 0, state: 0, short_notice: false, server: None };
    let client = DrawnClient { requests: vec![asked], ..client(1, 1) };
    let major = DrawnRelease { major: true, ..minor(0, 1, 5, 0) };
    let needs = DrawnRelease { requires: true, ..minor(1, 1, 5, 0) };
    let draw = Draw { minute: 100_740, ..world(1, client, vec![major, needs]) };
    check(&draw, &["c0-0 isacompta planned 15.00.1 2026-03-17", "c0-0 isapaye planned 2026.1 2026-03-17"]);
}

#[test]
fn what_waits_for_its_canaries_and_finds_no_room_moves_as_little_as_it_has_to() {
    // One line: the night of Thursday the 2nd, when both are due, has no room for isapaye beside two times isaged.
    let canary = DrawnClient { servers: vec![DrawnServer { canary: true, ..server() }], ..client(0, 1) };
    let first = DrawnServer { runs: [Some(0), Some(2), Some(0), Some(0)], backup: None, ..server() };
    let second = DrawnServer { runs: [Some(0), None, Some(0), Some(0)], ..server() };
    let reunion = DrawnClient { site: 1, servers: vec![first, second], ..client(1, 1) };
    let draw = Draw { minute: 126_600, ..world(1, canary.clone(), vec![minor(2, 1, 5, 3), minor(1, 3, 294, 3)]) };
    check(
        &Draw { clients: vec![canary, reunion], ..draw },
        &[
            "c0-0 isaged planned 14.20.1 2026-03-29",
            "c0-0 isapaye planned 2026.3 2026-03-29",
            "c1-0 isaged held 14.20.1 2026-04-02",
            "c1-0 isapaye held 2026.3 2026-04-01",
            "c1-1 isaged planned 14.20.1 2026-04-02",
        ],
    );
}

#[test]
fn what_another_requires_in_time_goes_before_what_goes_by_hand() {
    // 14.20.3 is done by hand, on Friday evening. isapaye, which requires 14.20.2, is due on Friday morning.
    let by_hand = DrawnRelease { manual: true, ..minor(0, 3, 5, 40) };
    let needs = DrawnRelease { requires: true, ..minor(1, 1, 5, 31) };
    let draw = Draw { minute: 149_100 + 40 * 60, ..world(1, client(0, 1), vec![by_hand, needs, minor(0, 2, 5, 40)]) };
    check(&draw, &["c0-0 isacompta late 14.20.2 2026-04-16", "c0-0 isapaye planned 2026.1 2026-04-16"]);
}

#[test]
fn what_is_late_with_what_it_requires_is_kept_where_it_makes_up_for_one_that_is_not() {
    // 2026.2, which goes over the second patch only, is due in the morning. 2026.3, late, makes up for it.
    let reunion = DrawnClient { servers: vec![DrawnServer { zone: Some(1), ..server() }], ..client(0, 1) };
    let newest = DrawnRelease { requires: true, ..minor(1, 3, 5, 39) };
    let stepped = DrawnRelease { from: true, ..minor(1, 2, 5, 31) };
    let releases = vec![newest, stepped, minor(1, 1, 5, 7), minor(0, 2, 5, 39)];
    let draw = Draw { minute: 509_040 + 39 * 60, ..world(1, reunion, releases) };
    check(&draw, &["c0-0 isacompta late 14.20.2 2026-12-22", "c0-0 isapaye late 2026.3 2026-12-22"]);
}

#[test]
fn what_brings_what_another_requires_goes_in_time_for_both() {
    // Broad servers wait for the canaries, so 14.20.1 would go before 14.20.2, and isapaye could not follow in time.
    let canary = DrawnClient { servers: vec![DrawnServer { canary: true, ..server() }], ..client(0, 1) };
    let needs = DrawnRelease { requires: true, ..minor(1, 1, 5, 0) };
    let releases = vec![minor(0, 1, 5, 69), needs, minor(0, 2, 5, 0)];
    let draw = Draw { minute: 5_700, ..world(1, canary.clone(), releases) };
    check(
        &Draw { clients: vec![canary, client(1, 1)], ..draw },
        &[
            "c0-0 isacompta planned 14.20.2 2026-01-05",
            "c0-0 isapaye planned 2026.1 2026-01-05",
            "c1-0 isacompta planned 14.20.2 2026-01-08",
            "c1-0 isapaye planned 2026.1 2026-01-11",
        ],
    );
}

#[test]
fn what_is_done_by_hand_and_gives_way_to_an_older_deadline_does_so_at_once() {
    // isacompta 14.20.2 and isapaye, which requires it, go by hand together on the 29th. 14.20.1 is due on the 28th.
    let by_hand = |release| DrawnRelease { manual: true, ..release };
    let needs = DrawnRelease { requires: true, ..by_hand(minor(1, 1, 33, 7)) };
    let releases = vec![needs, by_hand(minor(0, 2, 37, 6)), minor(0, 1, 5, 0)];
    let first = DrawnServer { runs: [Some(2), Some(0), Some(0), Some(0)], ..server() };
    let reunion = DrawnClient { site: 1, servers: vec![first, server()], ..client(1, 1) };
    let draw = Draw { minute: 28_140 + 7 * 60, ..world(1, reunion, releases) };
    check(
        &draw,
        &[
            "c0-0 isapaye planned 2026.1 2026-01-27",
            "c0-1 isacompta planned 14.20.1 2026-01-21",
            "c0-1 isapaye waiting - -",
        ],
    );
}
