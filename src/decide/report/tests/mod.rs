//! The report over small worlds: each outcome of a minor one unit either side, clocks, silences, majors, and the page.

mod clocks;
mod minors;
mod rules;

use super::*;
use crate::decide::planner::tests::{manifest, release, terms, utc};
use crate::model::alert::{AlertClass, AlertState};
use crate::model::check::Unfit;
use crate::model::decision::Reason;
use crate::model::deployment::DeploymentState;
use crate::model::event::{EventKind, NewEvent};
use crate::model::request::RequestState;
use crate::model::rule::Rule;
use crate::model::slot::Slot;
use crate::model::version::Change;

/// martin-1 in Paris and martin-2 in Réunion, which run isacompta 14.20.002 since the first of April.
struct World {
    now: DateTime<Utc>,
    month: &'static str,
    client: Client,
    releases: Vec<Release>,
    deployments: Vec<Deployment>,
    requests: Vec<Request>,
    agreements: Vec<Agreement>,
    alerts: Vec<Alert>,
    notices: Vec<Notice>,
    events: Vec<Event>,
}

impl World {
    fn new(now: &str) -> World {
        let client = serde_json::from_value(serde_json::json!({
            "id": "martin", "name": "Cabinet Martin & <Associés>", "schedule": "pro-controle", "holidays": "FR",
            "order": ["isacompta", "isapaye"], "contacts": [],
            "server": [{ "id": "martin-1", "zone": "Europe/Paris" }],
        }));
        let mut world = World {
            now: utc(now),
            month: "2026-05",
            client: client.unwrap(),
            releases: Vec::new(),
            deployments: Vec::new(),
            requests: Vec::new(),
            agreements: Vec::new(),
            alerts: Vec::new(),
            notices: Vec::new(),
            events: Vec::new(),
        };
        world.found("2026-04-01 09:00", "isacompta 14.20.002 found on the server");
        world
    }

    fn event(&mut self, event: NewEvent) {
        let seq = i64::try_from(self.events.len()).unwrap() + 1;
        self.events.push(Event { seq, prev: String::new(), hash: String::new(), body: event });
    }

    fn found(&mut self, at: &str, text: &str) {
        let product = text.split(' ').next().unwrap();
        let event = NewEvent::new(utc(at), "martin", EventKind::InventoryChanged, text);
        self.event(event.server("martin-1").product(product));
    }

    fn minor(&mut self, version: &str, published: &str) -> &mut Release {
        self.releases.push(release(manifest("isacompta", version, Change::Minor), published));
        self.releases.last_mut().unwrap()
    }

    fn owes(&mut self, version: &str, published: &str) {
        self.minor(version, published);
    }

    fn deploy(&mut self, version: &str, slot: (&str, &str), state: DeploymentState) -> &mut Deployment {
        let id = i64::try_from(self.deployments.len()).unwrap() + 1;
        self.deployments.push(Deployment {
            id,
            action: id,
            position: 0,
            client: "martin".into(),
            server: "martin-1".into(),
            product: "isacompta".into(),
            from: Some("14.20.002".parse().unwrap()),
            to: version.parse().unwrap(),
            change: Change::Minor,
            manual: false,
            attended_by: None,
            slot: Slot::new(utc(slot.0), utc(slot.1)).unwrap(),
            concertation: None,
            published_at: self.now,
            deadline: None,
            request: None,
            attempt: 1,
            reasons: vec![Reason::new(Rule::MinorNight, "due", "due")].into(),
            transfer: None,
            state,
        });
        self.deployments.last_mut().unwrap()
    }

    fn report(&self) -> Report {
        report(&Ledger {
            now: self.now,
            month: self.month.parse().unwrap(),
            client: &self.client,
            terms: terms(),
            region: Region::National,
            releases: &self.releases,
            deployments: &self.deployments,
            requests: &self.requests,
            agreements: &self.agreements,
            alerts: &self.alerts,
            notices: &self.notices,
            events: &self.events,
            states: &BTreeMap::new(),
        })
    }

    fn outcomes(&self) -> Vec<(String, MinorOutcome)> {
        self.report().minors.into_iter().map(|m| (m.version, m.outcome)).collect()
    }
}

fn installed(started: &str, finished: &str) -> DeploymentState {
    DeploymentState::Installed { started_at: utc(started), finished_at: utc(finished), observed: None }
}

fn rolled_back(started: &str, finished: &str) -> DeploymentState {
    let why = format!("own check failed: {}", "0123456789abcdef".repeat(4));
    DeploymentState::RolledBack { started_at: utc(started), finished_at: utc(finished), why }
}

const NIGHT: (&str, &str) = ("2026-05-06 22:00", "2026-05-07 07:00");

fn alert(id: i64, cause: &str, raised: &str, due: &str, state: AlertState) -> Alert {
    Alert {
        id,
        cause: cause.into(),
        class: AlertClass::Applications,
        client: Some("martin".into()),
        server: Some("martin-1".into()),
        product: Some("isacompta".into()),
        deployment: None,
        title: "a title".into(),
        text: "hold: a text".into(),
        raised_at: utc(raised),
        due: utc(due),
        state,
    }
}

fn request(state: RequestState) -> Request {
    Request {
        id: 1,
        client: "martin".into(),
        product: "isacompta".into(),
        version: "15.00.001".parse().unwrap(),
        servers: Vec::new(),
        received_at: utc("2026-04-30 10:20"),
        by: "claire@martin.example (main contact)".into(),
        before: "2026-05-16".parse().unwrap(),
        state,
    }
}

/// A month with something of everything.
fn eventful() -> World {
    let mut world = World::new("2026-05-20 12:00");
    world.minor("14.20.003", "2026-05-05 15:00");
    world.minor("14.20.004", "2026-05-12 15:00");
    world.deploy(
        "14.20.003",
        ("2026-05-05 22:00", "2026-05-06 07:00"),
        rolled_back("2026-05-05 22:05", "2026-05-05 22:14"),
    );
    world.deploy("14.20.003", NIGHT, installed("2026-05-06 22:05", "2026-05-06 22:14"));
    let why = "no backup <today>".to_owned();
    let (started_at, finished_at) = (utc("2026-05-12 22:05"), utc("2026-05-12 22:06"));
    let refused = DeploymentState::Refused { started_at, finished_at, unfit: Unfit::NotReady, why };
    world.deploy("14.20.004", ("2026-05-12 22:00", "2026-05-13 07:00"), refused);
    let reasons = vec![Reason::new(Rule::BackupFirst, "the last backup failed", "la dernière sauvegarde a échoué")];
    let held = NewEvent::new(utc("2026-05-13 21:45"), "martin", EventKind::Held, "isacompta: held");
    world.event(held.server("martin-1").product("isacompta").reasons(reasons.into()));
    let taken = AlertState::Acknowledged { at: utc("2026-05-06 08:15"), by: "Nadia".into(), level: 0 };
    let failed = "failed/martin-1/isacompta/14.20.003";
    world.alerts.push(alert(1, failed, "2026-05-05 22:14", "2026-05-06 09:00", taken));
    let open = AlertState::Open { level: 2 };
    world.alerts.push(alert(2, "held/martin-1/isacompta", "2026-05-13 21:45", "2026-05-15 08:45", open));
    world.requests = vec![request(RequestState::Accepted)];
    let planned = world.deploy("15.00.001", ("2026-05-23 08:00", "2026-05-23 16:00"), DeploymentState::Planned);
    (planned.change, planned.request) = (Change::Major, Some(1));
    world
}

#[test]
fn the_page_says_the_same_in_both_languages_and_takes_nothing_from_elsewhere() {
    let report = eventful().report();
    let french = page::html(std::slice::from_ref(&report), Language::Fr).unwrap();
    let english = page::html(std::slice::from_ref(&report), Language::En).unwrap();
    for page in [&french, &english] {
        for foreign in ["<script", "http://", "https://", "<link", "<img", "@import", "<Associés>", "<today>"] {
            assert!(!page.contains(foreign), "{foreign}");
        }
        assert!(page.contains("Cabinet Martin &amp; &lt;Associés&gt;") && page.contains("no backup &lt;today&gt;"));
        // A digest is told by its beginning.
        assert!(page.contains("0123456789ab…") && !page.contains("0123456789abcdef0"));
    }
    insta::assert_snapshot!("eventful_fr", text_of(&french));
    insta::assert_snapshot!("eventful_en", text_of(&english));
    let all = page::html(&[report.clone(), report], Language::Fr).unwrap();
    assert_eq!(all.matches("<section class=\"client\">").count(), 2);
    assert!(all.contains("<section class=\"overview\">") && !french.contains("<section class=\"overview\">"));
}

/// What a reader of the page reads: a line for each row and paragraph.
fn text_of(html: &str) -> String {
    let body = &html[html.find("<body>").unwrap()..];
    let svg = body.find("<svg").unwrap()..body.find("</svg>").unwrap();
    let body = format!("{}{}", &body[..svg.start], &body[svg.end..]);
    let mut text = String::new();
    let mut rest = body.as_str();
    while let Some(open) = rest.find('<') {
        text.push_str(&rest[..open].replace('\n', " "));
        let close = rest[open..].find('>').unwrap() + open;
        match rest[open + 1..close].split([' ', '/']).next().unwrap() {
            "td" | "th" => text.push_str(" | "),
            "tr" | "p" | "li" | "h1" | "h2" | "h3" | "header" | "footer" => text.push('\n'),
            _ => {}
        }
        rest = &rest[close + 1..];
    }
    let lines = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_report_is_stable_json() {
    let report = eventful().report();
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(serde_json::from_value::<Report>(json.clone()).unwrap(), report);
    insta::assert_json_snapshot!("figures", &json["figures"]);
    insta::assert_json_snapshot!("facts", report.facts());
}
