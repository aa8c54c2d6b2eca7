//! The real binary with bad input: what it says, with which exit code, and that nothing changed; then a service that
//! is asked over HTTP and ends when it is told to.

use super::databases;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

pub const CONFIG: &str = r#"
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

# The day the tests look at.
[clock]
at = "2026-04-29T10:00:00Z"
"#;

pub const FLEET: &str = include_str!("../../src/sim/fleet.toml");
const PRO_CONTROLE: &str = include_str!("../../schedules/pro-controle.toml");

/// A folder with a configuration, a contract and a fleet.
pub struct Desk(tempfile::TempDir);

/// Tells `story` at a desk whose fleet is in a database, of each kind.
fn each(story: impl Fn(&Desk)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    // The story blocks: its other side is the binary, and nothing else is on this thread.
    runtime.block_on(databases::each_url(|url| {
        story(&Desk::applied_to(&url));
        async {}
    }));
}

impl Desk {
    fn new() -> Desk {
        Desk::with(CONFIG)
    }

    /// A desk whose fleet is in a database in its folder.
    pub fn applied() -> Desk {
        Desk::applied_to("sqlite:noctule.db")
    }

    pub fn applied_to(database: &str) -> Desk {
        let desk = Desk::with(&CONFIG.replace("sqlite:noctule.db", database));
        desk.printed("fleet apply fleet.toml --yes");
        desk
    }

    fn with(config: &str) -> Desk {
        let desk = Desk(tempfile::tempdir().expect("a temporary folder"));
        std::fs::create_dir(desk.0.path().join("schedules")).unwrap();
        desk.write("noctule.toml", config);
        desk.write("schedules/pro-controle.toml", PRO_CONTROLE);
        desk.write("fleet.toml", FLEET);
        desk
    }

    /// Where its database is.
    pub fn database(&self) -> String {
        noctule::edge::config::Config::read(&self.path().join("noctule.toml")).unwrap().database_url().unwrap()
    }

    pub fn path(&self) -> &Path {
        self.0.path()
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path().join(name), text).unwrap();
    }

    pub fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
        command.args(line.split_whitespace()).current_dir(self.path()).stdin(Stdio::null());
        command.env("LC_ALL", "C");
        for name in ["NOCTULE_CONFIG", "NOCTULE_API", "NOCTULE_TOKEN_FILE", "NOCTULE_LOG", "NO_COLOR"] {
            command.env_remove(name);
        }
        command
    }

    pub fn run(&self, line: &str) -> Output {
        self.command(line).output().expect("the binary runs")
    }

    /// Runs a command that must fail with `code`, saying each of `said`.
    #[track_caller]
    pub fn refused(&self, line: &str, code: i32, said: &[&str]) {
        let output = self.run(line);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{line}: {error}");
        assert!(output.stdout.is_empty(), "{line} printed {:?}", String::from_utf8_lossy(&output.stdout));
        for text in said {
            assert!(error.contains(text), "{line} does not say {text:?}: {error}");
        }
    }

    #[track_caller]
    pub fn printed(&self, line: &str) -> String {
        let output = self.run(line);
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("output is text")
    }

    /// What a command prints as JSON.
    #[track_caller]
    pub fn json(&self, line: &str) -> Value {
        serde_json::from_str(&self.printed(line)).expect("the output is JSON")
    }

    /// The history as it stands, to see that nothing changed.
    pub fn history(&self) -> String {
        self.printed("history --events --format json")
    }
}

#[test]
fn whoever_reads_no_more_changes_no_exit_code() {
    let desk = Desk::new();
    desk.write("bad.toml", "name = 1");
    for (line, code) in [("schedule check bad.toml", 1), ("history --since hier", 2), ("schedule show none.toml", 1)] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let status = desk.command(line).stderr(writer).status().expect("the binary runs");
        assert_eq!(status.code(), Some(code), "{line}");
    }
}

#[test]
fn a_wrong_command_line_is_a_usage_error() {
    each(|desk| {
        let before = desk.history();
        for (line, said) in [
            ("", "Usage: noctule"),
            ("histroy", "similar subcommand exists: 'history'"),
            ("history --since hier", "write 2026-05-16"),
            ("history --state instaled", "possible values"),
            ("request isacompta 15.0.001 --before 2026-02-30", "no such date"),
            ("request isacompta 15.0.001", "--before"),
            ("request isacompta 15.0.001 --before 2026-05-16", "give --client CLIENT"),
            ("history --config noctule.toml --api http://127.0.0.1:1", "cannot be used with"),
            ("history --api http://127.0.0.1:1", "--token-file"),
            ("history --token-file t", "--api"),
            ("history --api http://noctule.example.net --token-file fleet.toml", "has to be https"),
            ("token create anna", "--staff"),
            ("fleet apply other.toml --yes --dry-run", "cannot be used with"),
        ] {
            desk.refused(line, 2, &[said]);
        }
        let empty = tempfile::tempdir().unwrap();
        let output = desk.command("history").current_dir(empty.path()).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("give --config noctule.toml"));
        assert_eq!(desk.history(), before);
    });
}

#[test]
fn a_configuration_that_cannot_be_names_its_line_and_makes_no_database() {
    for (from, to, said) in [
        ("packages =", "pakages =", "noctule.toml:4:1: unknown field `pakages`"),
        ("packages =", "pakages =", "did you mean `packages`?"),
        ("\"127.0.0.1:0\"", "8420", "noctule.toml:2:10: invalid type: integer"),
        ("127.0.0.1:0", "0.0.0.0:8420", "without [tls] only loopback"),
        ("folder = \"outbox\"\n", "", "either `folder` or `smtp`"),
        ("2026-04-29T10", "2026-02-30T10", "noctule.toml:19:6: input is out of range"),
        (
            "[mail]",
            "[[publisher]]\nname = \"agiris\"\nurl = \"http://127.0.0.1:1\"\nroot = \"r.json\"\n[mail]",
            "has no root at",
        ),
        ("\"schedules\"", "\"contracts\"", "cannot read the schedules in"),
        ("sqlite:noctule.db", "sqlite:missing/noctule.db", "cannot open the database sqlite:missing/noctule.db"),
        ("sqlite:noctule.db", "oracle:noctule", "sqlite:PATH or postgres://"),
    ] {
        let desk = Desk::new();
        assert!(CONFIG.contains(from), "{from}");
        desk.write("noctule.toml", &CONFIG.replacen(from, to, 1));
        desk.refused("history --config noctule.toml", 1, &[said]);
        assert!(!desk.path().join("noctule.db").exists(), "{to}");
    }
    let desk = Desk::new();
    desk.refused("history --config none.toml", 1, &["cannot read none.toml"]);
}

#[test]
fn a_contract_that_cannot_be_points_at_the_place() {
    for (from, to, said) in [
        ("Mo-Su 22:00-07:00", "Mo-Fr 22h-7h", "^^^^^^"),
        ("Mo-Su 22:00-07:00", "2019 Mo-Su 22:00-07:00", "never opens"),
        ("deadline_nights = 2", "deadline_night = 2", "did you mean `deadline_nights`?"),
        ("deadline_nights = 2", "deadline_nights = 0", "out of range"),
        ("never_in = \"office\"", "never_in = \"ofice\"", "there is no window \"ofice\""),
    ] {
        let desk = Desk::new();
        assert!(PRO_CONTROLE.contains(from), "{from}");
        desk.write("schedules/pro-controle.toml", &PRO_CONTROLE.replacen(from, to, 1));
        desk.refused("schedule check schedules/pro-controle.toml", 1, &["pro-controle.toml:", said]);
        desk.refused("plan --config noctule.toml", 1, &["pro-controle.toml:", said]);
    }
    assert!(Desk::new().printed("schedule check schedules/pro-controle.toml").contains("sound"));
}

#[test]
fn a_fleet_that_cannot_be_changes_nothing() {
    each(|desk| {
        let before = desk.history();
        for (from, to, said) in [
            ("id = \"rhin-srv1\"", "id = \"martin-srv1\"", "server \"martin-srv1\" is there already, on line"),
            ("id = \"piton-conseil\"", "id = \"cabinet-martin\"", "client \"cabinet-martin\" is there already"),
            ("schedule = \"pro-controle\"", "schedule = \"pro-control\"", "did you mean \"pro-controle\"?"),
            ("holidays = \"FR-974\"", "holidays = \"FR-979\"", "unknown holidays region"),
            ("loic.payet@piton-conseil.example", "loic.payet", "is no e-mail address"),
            ("zone = \"Indian/Reunion\"", "zone = \"Indian/Saint-Denis\"", "fleet.toml:"),
            ("ring = \"canary\"", "rign = \"canary\"", "did you mean `ring`?"),
            ("language = \"en\"", "language = \"english\"", "unknown variant"),
        ] {
            assert!(FLEET.contains(from), "{from}");
            desk.write("edited.toml", &FLEET.replacen(from, to, 1).replace("# ", "#"));
            let said = said.replace("fleet.toml:", "edited.toml:");
            desk.refused("fleet apply edited.toml --yes", 1, &["edited.toml:", &said]);
        }
        desk.write("edited.toml", "");
        desk.refused("fleet apply edited.toml --yes", 1, &["edited.toml:1: there is no [[client]]"]);
        desk.write("edited.toml", &FLEET.replace("Bocage Expertise", "Bocage & Cie"));
        desk.refused_without_terminal("fleet apply edited.toml");
        assert!(
            desk.printed("fleet apply edited.toml --dry-run").contains("~   name: Bocage Expertise → Bocage & Cie")
        );
        assert_eq!(desk.history(), before);
    });
}

impl Desk {
    /// Nobody can confirm: what would change is shown, and nothing is done.
    #[track_caller]
    fn refused_without_terminal(&self, line: &str) {
        let output = self.run(line);
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&output.stderr).contains("add --yes"));
    }
}

#[test]
fn applying_a_fleet_shows_what_changes_and_a_second_time_nothing() {
    each(|desk| {
        assert!(desk.printed("fleet apply fleet.toml --yes").contains("nothing to change"));
        let smaller = FLEET.split("[[client]]\nid = \"piton-conseil\"").next().unwrap().replace("FR-ALS", "FR");
        desk.write("fleet.toml", &smaller);
        let shown = desk.printed("fleet apply fleet.toml --yes");
        assert!(shown.contains("~   holidays: FR-ALS → FR") && shown.contains("- client piton-conseil"), "{shown}");
        assert!(!shown.contains("one-time enrolment codes"), "{shown}");
        assert!(!desk.printed("fleet show").contains("piton"));
        // One machine more, then less: history says which.
        let machine = "id = \"bocage-srv1\"\nzone = \"Europe/Paris\"\n";
        let second = format!("{machine}[[client.server]]\n{}", machine.replace("srv1", "srv2"));
        desk.write("fleet.toml", &smaller.replace(machine, &second));
        assert!(desk.printed("fleet apply fleet.toml --yes").contains("+   server bocage-srv2 (Europe/Paris, broad)"));
        desk.write("fleet.toml", &smaller);
        assert!(desk.printed("fleet apply fleet.toml --yes").contains("-   server bocage-srv2"));
        let history = desk.printed("history --events");
        for said in ["added server bocage-srv2 (Europe/Paris, broad)", "removed server bocage-srv2"] {
            assert!(history.contains(&format!("client changed: {said}")), "{said}: {history}");
        }
        assert!(desk.printed("history --events").contains("client removed from the fleet"));
        desk.write("fleet.toml", FLEET);
        let shown = desk.printed("fleet apply fleet.toml --yes");
        assert!(shown.contains("one-time enrolment codes") && shown.contains("piton-srv1  "), "{shown}");
    });
}

#[test]
fn what_does_not_exist_is_named() {
    each(|desk| {
        for (line, said) in [
            ("explain nobody-srv1", "there is no server \"nobody-srv1\""),
            ("enrol nobody-srv1", "there is no server \"nobody-srv1\""),
            ("token create x --client nobody", "there is no client \"nobody\""),
            ("token revoke x", "there is no valid token named \"x\""),
            ("request cancel 7", "there is no request 7"),
            ("history --events 7", "there is no deployment 7"),
            ("attend 7 --by Anna", "there is no deployment 7"),
            ("alerts ack 7", "there is no alert 7"),
            ("alerts resolve 7 --note done", "there is no alert 7"),
            ("request isacompta 99.0 --before 2026-05-16 --client nobody", "there is no client \"nobody\""),
            (
                "request isacompta 99.0 --before 2026-05-16 --client cabinet-martin",
                "refused: isacompta 99.0 has not been published",
            ),
            (
                "request excel 99.0 --before 2026-05-16 --client cabinet-martin",
                "refused: there is no product \"excel\"",
            ),
        ] {
            desk.refused(line, 1, &[said]);
        }
        let events = desk.history();
        assert_eq!(events.matches("request_refused").count(), 2, "{events}");
        assert_eq!(desk.printed("history --format json").trim(), "[]");
        assert!(desk.printed("history --format csv").starts_with("id,client,server,product,from,to,"));
    });
}

#[test]
fn a_reader_that_has_enough_is_no_error() {
    each(|desk| {
        let mut child = desk
            .command("history --events --format json")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        drop(child.stdout.take());
        let mut error = String::new();
        child.stderr.take().unwrap().read_to_string(&mut error).unwrap();
        assert!(child.wait().unwrap().success() && error.is_empty(), "{error}");
    });
}

/// A service that ends with the test.
struct Service(Child);

impl Drop for Service {
    fn drop(&mut self) {
        // Already ended where the test went well.
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

#[test]
fn a_service_answers_over_http_each_token_its_own_and_ends_when_told() {
    each(|desk| {
        for (name, scope) in [("staff", "--staff"), ("martin", "--client cabinet-martin")] {
            desk.write(name, &desk.printed(&format!("token create {name} {scope}")));
        }
        let serve =
            desk.command("serve --config noctule.toml --log-format json").stderr(Stdio::piped()).spawn().unwrap();
        let mut serve = Service(serve);
        let mut log = BufReader::new(serve.0.stderr.take().unwrap()).lines();
        let line =
            log.by_ref().map(Result::unwrap).find(|line| line.contains("\"serving\"")).expect("it says that it serves");
        let line: serde_json::Value = serde_json::from_str(&line).expect("the log is JSON");
        let api = format!("--api http://{}", line["address"].as_str().expect("the log names the address"));

        assert!(desk.printed(&format!("fleet show {api} --token-file staff")).contains("piton-srv1"));
        let own = desk.printed(&format!("fleet show {api} --token-file martin"));
        assert!(own.contains("martin-srv1") && !own.contains("piton-srv1"), "{own}");
        let elsewhere = format!("history --client piton-conseil {api} --token-file martin");
        desk.refused(&elsewhere, 1, &["this belongs to another client"]);
        desk.refused(&format!("explain piton-srv1 {api} --token-file martin"), 1, &["this belongs to another client"]);
        desk.refused(&format!("alerts {api} --token-file martin"), 1, &["staff"]);
        desk.write("wrong", "0123456789abcdef");
        desk.refused(&format!("history {api} --token-file wrong"), 1, &["who asks is not known"]);
        desk.refused(&format!("history {api} --token-file none"), 1, &["cannot read the token file none"]);
        desk.refused(&format!("enrol martin-srv1 {api} --token-file staff"), 2, &["where the orchestrator runs"]);

        let id = serve.0.id().to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().unwrap().success());
        assert_eq!(serve.0.wait().unwrap().code(), Some(0));
        assert!(log.map(Result::unwrap).any(|line| line.contains("\"ended\"")));
        desk.refused(&format!("history {api} --token-file staff"), 1, &["cannot reach the orchestrator"]);
    });
}
