//! `agent.toml` as administrators write it, and what is said of what cannot be.

use super::*;

const GOOD: &str = r#"
server = "https://noctule.example.net"
state_dir = "/var/lib/noctule"
products_root = "/srv/produits"
[backup]
file = "/var/backups/last"
[service.isacompta]
stop = ["systemctl", "stop", "isacompta"]
start = ["systemctl", "start", "isacompta"]
[[product]]
name = "isacompta"
version = "14.20.002"
directory = "/opt/isacompta"
"#;

fn check(kind: &str, more: &str) -> String {
    format!("[[check]]\nname = 'base'\nprobe = {{ kind = '{kind}', {more} }}\n[backup]")
}

/// The same on Windows: its paths have a drive, and it calls a service by that name.
fn here(text: &str) -> String {
    if !cfg!(windows) {
        return text.to_owned();
    }
    let paths = ["'/", "\"/", " /opt"].iter().fold(text.to_owned(), |text, begun| {
        let (before, slash) = begun.split_at(begun.len() - begun.trim_start_matches(['\'', '"', ' ']).len());
        text.replace(begun, &format!("{before}C:{slash}"))
    });
    ["unit =", "either unit", "of a unit"]
        .iter()
        .fold(paths, |text, word| text.replace(word, &word.replace("unit", "service")))
}

fn refused(text: &str) -> String {
    parse(Path::new("agent.toml"), text).unwrap_err().to_string()
}

#[test]
fn a_short_file_is_enough() {
    let config = parse(Path::new("agent.toml"), GOOD).unwrap();
    assert_eq!(config.poll.min_seconds, 5);
    assert_eq!(config.services["isacompta"].timeout_seconds, 60);
    assert_eq!(config.backup.unwrap().age_hours_max, 100);
}

#[test]
fn the_file_in_the_manual_is_read() {
    let manual = include_str!("../../README.md").split("On each server, `agent.toml`:").nth(1).unwrap();
    let text = manual.split("```toml").nth(1).unwrap().split("```").next().unwrap();
    let config = parse(Path::new("agent.toml"), &here(text)).unwrap();
    assert_eq!(config.checks.len(), 2);
    assert!(config.products[0].health.is_some());
}

/// The example that comes with the package of this system, with everything that it only shows.
#[test]
fn the_file_in_the_package_is_read() {
    let text = if cfg!(windows) {
        include_str!("../../packaging/windows/agent.toml.example")
    } else {
        include_str!("../../packaging/debian/agent.toml.example")
    };
    assert!(parse(Path::new("agent.toml"), text).unwrap().services.is_empty());
    let shown: String = text.lines().map(|line| format!("{}\n", line.strip_prefix('#').unwrap_or(line))).collect();
    let (_, settings) = shown.split_once("server =").unwrap();
    let config = parse(Path::new("agent.toml"), &format!("server ={settings}")).unwrap();
    assert!(config.services.contains_key("isacompta") && config.installed.contains_key("isacompta"));
}

#[test]
fn the_other_systems_word_for_a_service_says_which_is_ours() {
    let other = if cfg!(windows) { "unit" } else { "service" };
    let message = refused(&here(GOOD).replace("[backup]", &format!("[service.x]\n{other} = \"x\"\n[backup]")));
    assert!(message.contains(&format!("{} = ", services::KIND)), "{message}");
}

#[test]
fn bad_values_say_which_and_what_would_do() {
    for (from, to, said) in [
        ("https://noctule", "http://noctule", "has to be https"),
        ("https://noctule.example.net", "ftp://x", "has to be https"),
        ("name = \"isacompta\"", "name = \"../x\"", "a-z"),
        ("stop = [\"systemctl\", \"stop\", \"isacompta\"]", "stop = []", "need a program"),
        (
            "stop = [",
            "unit = \"isacompta\"\nstop = [",
            "agent.toml:7:1: a service needs either unit, or both stop and start",
        ),
        ("stop = [\"systemctl\", \"stop\", \"isacompta\"]", "", "either unit, or both"),
        ("[backup]", "[service.x]\nunit = \"--now\"\n[backup]", "service.x: \"--now\" is no name of a unit"),
        ("[backup]", "[service.x]\nunit = \"x\"\ntimeout_seconds = 0\n[backup]", "service.x: timeout_seconds"),
        ("state_dir", "state_dri", "agent.toml:3:1: unknown field"),
        ("file = \"/var", "fiel = \"/var", "did you mean `file`"),
        ("file = \"/var/backups/last\"", "age_hours_max = 1", "either command or file"),
        ("14.20.002", "latest", "digit"),
        ("state_dir", "offline_grace_minutes = 1441\nstate_dir", "at most 1440"),
        ("[backup]", "[poll]\nmin_seconds = 9\nmax_seconds = 8\n[backup]", "poll:"),
        ("[backup]", &check("tcp", "address = 'sql'"), "check \"base\": probe.address: \"sql\" is no host:port"),
        ("[backup]", &check("tcp", "adress = 'sql:1'"), "did you mean `address`"),
        ("[backup]", &check("tpc", "address = 'sql:1'"), "did you mean `tcp`"),
        ("[backup]", "[installed.Isa]\ndirectory = '/opt/isa'\n[backup]", "installed.Isa: a name is made of"),
        ("[backup]", "[installed.isa]\ndirectory = 'opt/isa'\n[backup]", "has to be an absolute path"),
        ("[backup]", "[installed.isa]\ndirectory = '/opt/isa/../..'\n[backup]", "absolute path without .."),
        ("[backup]", "[installed.isa]\ndirectory = '/opt'\n[backup]", "/opt is no product's own folder"),
        ("[backup]", "[installed.isa]\ndirectory = '/var/lib/noctule/x'\n[backup]", "lie in each other"),
        ("[backup]", "[installed.isa]\ndirectory = '/srv/produits'\n[backup]", "lie in each other"),
        (
            "[backup]",
            "[installed.a]\ndirectory = '/opt/a'\n[installed.b]\ndirectory = '/opt/a/b'\n[backup]",
            "installed.a: /opt/a and /opt/a/b lie in each other",
        ),
        ("[backup]", "[installed.isacompta]\ndirectory = '/opt/isa'\n[backup]", "under [[product]] too"),
        ("[backup]", "[installed.isa]\ndirectory = '/opt/isa'\ntimeout_seconds = 0\n[backup]", "timeout_seconds"),
        ("[backup]", "check = [{ name = 'base' }]\n[backup]", "missing field `probe`"),
    ] {
        let message = refused(&here(&GOOD.replace(from, to)));
        assert!(message.contains(&here(said)), "{to}: {message}");
    }
    for loopback in ["http://127.0.0.1:1", "http://[::1]:1", "http://localhost:1"] {
        assert!(parse(Path::new("x"), &GOOD.replace("https://noctule.example.net", loopback)).is_ok());
    }
}
