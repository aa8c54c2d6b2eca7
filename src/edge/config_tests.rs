//! noctule.toml: what is accepted, where its paths lead, and how each mistake is shown.

use super::*;

const GOOD: &str = r#"
listen = "127.0.0.1:8420"
public_url = "https://noctule.example.net"
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
levels = ["chef@example.net", "infogerance@example.net", "direction@example.net"]

[[publisher]]
name = "agiris"
url = "https://releases.agiris.example/noctule"
root = "agiris.json"
"#;

fn read(text: &str) -> Result<(tempfile::TempDir, Config), String> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noctule.toml");
    std::fs::write(&path, text).unwrap();
    std::fs::write(folder.path().join("agiris.json"), "{}").unwrap();
    let strip = format!("{}/", folder.path().display());
    Config::read(&path).map(|config| (folder, config)).map_err(|error| error.to_string().replace(&strip, ""))
}

#[test]
fn paths_are_relative_to_the_file() {
    let (folder, config) = read(GOOD).unwrap();
    assert_eq!(config.packages, folder.path().join("packages"));
    assert_eq!(config.mail.folder, Some(folder.path().join("outbox")));
    assert_eq!(config.publishers[0].root, folder.path().join("agiris.json"));
    assert_eq!(config.database_url().unwrap(), format!("sqlite:{}/noctule.db", folder.path().display()));
    assert_eq!((config.tenant.as_str(), config.clock.is_none()), ("DEFAULT", true));
    assert_eq!(config.base_url(), "https://noctule.example.net");
}

#[test]
fn the_mail_password_comes_from_a_file_or_the_environment() {
    for (more, file) in
        [("password_file = \"p\", ca_file = \"ca.pem\"", Some("p")), ("password_env = \"NOCTULE_SMTP_PASSWORD\"", None)]
    {
        let smtp = format!("smtp = {{ host = \"m\", username = \"u\", {more} }}");
        let (folder, config) = read(&GOOD.replace("folder = \"outbox\"", &smtp)).unwrap();
        let smtp = config.mail.smtp.unwrap();
        assert_eq!(smtp.password_file, file.map(|name| folder.path().join(name)));
        assert_eq!(smtp.ca_file, file.map(|_| folder.path().join("ca.pem")));
    }
}

#[test]
fn keys_are_files_beside_the_configuration() {
    let more =
        "[checkpoints]\nkey_file = \"c\"\n[webhook]\nurl = \"http://[::1]:1/\"\nsecret_file = \"w\"\nca_file = \"a\"\n";
    let (folder, config) = read(&format!("{GOOD}{more}")).unwrap();
    let webhook = config.webhook.unwrap();
    let found = [Some(config.checkpoints.unwrap().key_file), webhook.secret_file, webhook.ca_file];
    assert_eq!(found, ["c", "w", "a"].map(|name| Some(folder.path().join(name))));
}

#[test]
fn a_database_with_a_password_is_named_in_a_file() {
    let (folder, config) = read(&GOOD.replace("database = \"sqlite:noctule.db\"", "database_file = \"url\"")).unwrap();
    assert!(config.database_url().unwrap_err().to_string().starts_with("cannot read "));
    std::fs::write(folder.path().join("url"), "postgres://n:secret@db/n\n").unwrap();
    assert_eq!(config.database_url().unwrap(), "postgres://n:secret@db/n");
}

#[test]
fn each_mistake_says_where_and_what_would_do() {
    for (from, to, said) in [
        ("packages =", "pakages =", "noctule.toml:5:1: unknown field `pakages`"),
        ("packages =", "pakages =", "did you mean `packages`?"),
        ("\"127.0.0.1:8420\"", "8420", "noctule.toml:2:10: invalid type"),
        ("127.0.0.1:8420", "localhost", "noctule.toml:2:10: invalid socket address"),
        ("127.0.0.1", "0.0.0.0", "only loopback"),
        ("https://noctule.example.net", "noctule", "has to be a URL"),
        ("https://releases", "file://releases", "has to be a URL"),
        ("sqlite:noctule.db", "mysql://x", "sqlite:PATH or postgres://"),
        ("database = \"sqlite:noctule.db\"\n", "", "either `database` or `database_file`"),
        ("folder = \"outbox\"\n", "", "either `folder` or `smtp`"),
        ("noc@example.net", "noc", "`staff.noc`: \"noc\" is no e-mail address"),
        ("chef@example.net", "chef", "`staff.levels`: \"chef\" is no e-mail address"),
        ("[\"chef", "[\"a@b.fr\", \"chef", "at most three recipients"),
        ("folder = \"outbox\"", "smtp = { host = \"m\", username = \"u\" }", "goes together with"),
        ("name = \"agiris\"", "name = \"AGIRIS\"", "a-z, 0-9 and -"),
        ("agiris.json", "none.json", "has no root at none.json"),
        ("[mail]", "tenant = \"a/b\"\n[mail]", "one path segment"),
        ("[mail]", "[webhook]\nurl = \"https://x\"\n[mail]", "[webhook]: set either `secret_file` or `secret_env`"),
        ("[mail]", "[webhook]\nurl = \"http://x/\"\nsecret_file = \"k\"\n[mail]", "[webhook]: `url` has to be https"),
        ("[mail]", "[webhook]\nurl = \"https://a:b@x/\"\nsecret_file = \"k\"\n[mail]", "a user or password in it"),
        ("[mail]", "[webhook]\nurl = \"x\"\n[mail]", "noctule.toml:9:7: relative URL without a base"),
        ("[mail]", "[webhook]\nsecret = \"k\"\n[mail]", "unknown field `secret`"),
        ("[mail]", "[clock]\nat = \"2026-02-30T00:00:00Z\"\n[mail]", "noctule.toml:9:6: input is out of range"),
    ] {
        assert!(GOOD.contains(from), "{from}");
        let shown = read(&GOOD.replacen(from, to, 1)).map(|_| ()).unwrap_err();
        assert!(shown.contains(said), "{to}: {shown}");
    }
    let twice = format!("{GOOD}{}", &GOOD[GOOD.find("[[publisher]]").unwrap()..]);
    assert!(read(&twice).map(|_| ()).unwrap_err().contains("\"agiris\" is there twice"));
}
