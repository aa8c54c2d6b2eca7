//! A client's closed periods from `fleet.toml` and its calendars to the database, through the real binary.

use std::path::Path;
use std::process::{Command, Output, Stdio};

const CONFIG: &str = r#"
listen = "127.0.0.1:0"
database = "sqlite:noctule.db"
packages = "packages"
schedules = "schedules"

[mail]
from = "Infogérance <infogerance@example.net>"
domain = "example.net"
folder = "outbox"

[staff]
signature = "Le service infogérance"
iah = "iah@example.net"
noc = "noc@example.net"

[clock]
at = "2026-04-29T10:00:00Z"
"#;

const FLEET: &str = r#"
[[client]]
id = "martin"
name = "Cabinet Martin"
schedule = "pro-controle"
holidays = "FR"
order = ["isacompta"]
contacts = [{ name = "Mme Martin", email = "c@martin.example" }]
closed = [
  { from = "2026-05-04", to = "2026-05-06", reason = "paie" },
  { hours = "Jan 10-Jan 20", reason = "bilan" },
  { ics = "martin.ics" },
]

[[client.server]]
id = "martin-1"
zone = "Europe/Paris"
"#;

const CALENDAR: &str = "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//test//FR\r\n\
    BEGIN:VEVENT\r\nUID:1\r\nSUMMARY:Inventaire\r\nDTSTART;VALUE=DATE:20261224\r\nDTEND;VALUE=DATE:20270101\r\nEND:VEVENT\r\n\
    BEGIN:VEVENT\r\nUID:2\r\nSUMMARY:Paie\r\nDTSTART;TZID=Europe/Paris:20260529T180000\r\nDURATION:PT4H\r\n\
    RRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n";

struct Desk(tempfile::TempDir);

impl Desk {
    fn new() -> Desk {
        let desk = Desk(tempfile::tempdir().unwrap());
        for folder in ["schedules", "clients"] {
            std::fs::create_dir(desk.path().join(folder)).unwrap();
        }
        desk.write("noctule.toml", CONFIG);
        desk.write("schedules/pro-controle.toml", include_str!("../../schedules/pro-controle.toml"));
        desk.write("clients/fleet.toml", FLEET);
        desk.write("clients/martin.ics", CALENDAR);
        desk
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    fn run(&self, line: &str) -> Output {
        let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
        command.args(line.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        for name in ["NOCTULE_CONFIG", "NOCTULE_API", "NOCTULE_TOKEN_FILE", "NOCTULE_LOG"] {
            command.env_remove(name);
        }
        command.output().expect("the binary runs")
    }

    #[track_caller]
    fn printed(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    #[track_caller]
    fn refused(&self, line: &str) -> String {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(1), "{line}: {}", String::from_utf8_lossy(&output.stdout));
        String::from_utf8(output.stderr).unwrap()
    }
}

const APPLY: &str = "fleet apply clients/fleet.toml --yes";

#[test]
fn a_calendar_is_read_beside_the_fleet_and_kept_in_the_database() {
    let desk = Desk::new();
    desk.printed(APPLY);
    assert!(desk.printed(APPLY).contains("nothing to change"));
    // The calendar moves; what differs is shown line by line, then kept.
    desk.write("clients/martin.ics", &CALENDAR.replace("20261224", "20261223").replace("COUNT=3", "COUNT=2"));
    let shown = desk.printed("fleet apply clients/fleet.toml --dry-run");
    let changes: Vec<&str> = shown.lines().filter(|line| line.contains("closed: ")).collect();
    assert_eq!(
        changes,
        [
            "+   closed: 2026-12-23 to 2026-12-31 (Inventaire)",
            "-   closed: 2026-07-31 16:00 to 2026-07-31 20:00 UTC (Paie)",
            "-   closed: 2026-12-24 to 2026-12-31 (Inventaire)",
        ]
    );
    desk.printed(APPLY);
    assert!(desk.printed(APPLY).contains("nothing to change"));
    let history = desk.printed("history --events --format json");
    assert!(history.contains("no longer closed: 2026-12-24 to 2026-12-31 (Inventaire)"), "{history}");
    // What is in the database stands without the file.
    std::fs::remove_file(desk.path().join("clients/martin.ics")).unwrap();
    desk.printed("plan --config noctule.toml");
    assert!(desk.refused(APPLY).contains("fleet.toml:12: client \"martin\": cannot read"));
}

#[test]
fn a_fleet_with_a_bad_closed_period_changes_nothing_and_says_all_of_it() {
    let desk = Desk::new();
    for (from, to, said) in [
        ("2026-05-06", "2026-05-03", "fleet.toml:10: client \"martin\": the closed period ends on 2026-05-03"),
        ("2026-05-06", "2206-05-06", "fleet.toml:10: client \"martin\": closed periods: a closed period bound by 2206"),
        ("\"2026-05-06\"", "\"6 mai\"", "fleet.toml:10:31: \"6 mai\" is no date; write \"2026-12-24\""),
        (", to = \"2026-05-06\"", "", "the closed period { from = \"2026-05-04\", reason = \"paie\" } needs `to`"),
        (
            ", reason = \"paie\"",
            "",
            "fleet.toml:9:10: the closed period { from = \"2026-05-04\", to = \"2026-05-06\" } needs a `reason`",
        ),
        (
            "Jan 10-Jan 20",
            "Jan 10-Jan 20 off",
            "fleet.toml:11: client \"martin\": closed periods: these hours say when",
        ),
        ("Jan 10-Jan 20", "du 10 au 20", "cannot be read from \"du 10 au 20\" on"),
        ("hours = \"Jan", "heures = \"Jan", "unknown field `heures`"),
        ("martin.ics", "martine.ics", "cannot read clients/martine.ics"),
    ] {
        assert!(FLEET.contains(from), "{from}");
        desk.write("clients/fleet.toml", &FLEET.replacen(from, to, 1));
        let error = desk.refused(APPLY);
        assert!(error.contains(said), "{to}: {error}");
    }
    desk.write("clients/fleet.toml", &FLEET.replace("Jan 10-Jan 20", "PH off").replace("2026-05-06", "2026-05-03"));
    desk.write("clients/martin.ics", &CALENDAR.replace("FREQ=MONTHLY", "FREQ=HOURLY").replace("20261224", "hier"));
    let error = desk.refused(APPLY);
    for said in [
        "fleet.toml:10:",
        "fleet.toml:11:",
        "event \"Paie\" of 20260529T180000: its repetition",
        "event \"Inventaire\" of hier",
    ] {
        assert!(error.contains(said), "{said}: {error}");
    }
    assert!(error.contains("4 problems; nothing was changed"), "{error}");
    assert_eq!(desk.printed("fleet show --format json").trim(), "[]");
}

#[test]
fn a_calendar_without_an_end_is_kept_for_years_and_told() {
    let desk = Desk::new();
    desk.write("clients/martin.ics", &CALENDAR.replace(";COUNT=3", ""));
    let output = desk.run(APPLY);
    let warning = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success() && warning.contains("goes on after 2031-12-31"), "{warning}");
    assert!(
        warning.contains("warning: clients/fleet.toml:12: client \"martin\": clients/martin.ics: event \"Paie\""),
        "{warning}"
    );
    assert!(desk.printed(APPLY).contains("nothing to change"));
    // One line of history, not sixty.
    desk.write("clients/martin.ics", CALENDAR);
    desk.printed(APPLY);
    assert!(desk.printed("history --events --format json").contains("closed periods added, 65 removed"));
}
