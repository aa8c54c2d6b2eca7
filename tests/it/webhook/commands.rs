//! `noctule webhook`, on the real binary: the key, the check, what waits; no secret is ever printed.

use super::super::cli::{CONFIG, Desk};
use super::receiver::{Receiver, has_python, table};
use std::process::Output;

/// Everything a command says.
fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_key_is_made_once_and_the_receiver_is_asked() {
    if !has_python() {
        return;
    }
    let desk = Desk::applied();
    let made = desk.run("webhook key webhook.key");
    assert!(made.status.success());
    let key = std::fs::read_to_string(desk.path().join("webhook.key")).unwrap();
    assert!(key.starts_with("whsec_") && !said(&made).contains(key.trim()), "{}", said(&made));
    desk.refused("webhook key webhook.key", 1, &["cannot write the key to webhook.key"]);
    desk.refused("webhook check --config noctule.toml", 1, &["noctule.toml has no [webhook]"]);
    let mut receiver = Receiver::start(desk.path(), None);
    desk.write("noctule.toml", &format!("{CONFIG}{}", table(receiver.port)));
    let secret = [key.trim(), "s3cret"];
    let run = |line: &str| {
        let mut command = desk.command(line);
        let output = command.env("NOCTULE_LOG", "trace").output().unwrap();
        // Only what is ours: at `trace`, a library may name the address it was given.
        let told = said(&output);
        let ours: Vec<&str> = told.lines().filter(|line| !line.contains(" TRACE ")).collect();
        assert!(!secret.iter().any(|secret| ours.join("\n").contains(secret)), "{told}");
        output
    };
    let taken = run("webhook check");
    assert!(taken.status.success() && said(&taken).contains("127.0.0.1 took a signed call (webhook.ping): 200"));
    assert_eq!(receiver.next()["type"], "webhook.ping");
    receiver.set("status 401");
    let refused = run("webhook check");
    assert_eq!(refused.status.code(), Some(1));
    assert!(
        said(&refused).contains("127.0.0.1 did not take a signed call (webhook.ping): the receiver answered 401: nein")
    );
    assert_eq!(desk.printed("webhook"), "0 waiting, 0 given up; no call was taken yet\n");
    assert_eq!(desk.json("webhook --format json"), serde_json::json!([]));
    assert_eq!(desk.printed("webhook again --by Nadia"), "no call was given up\n");
    let port = receiver.port;
    drop(receiver);
    let down = run("webhook check");
    assert!(said(&down).contains("does not answer"), "{}", said(&down));
    // The key may also come from the environment; a wrong one is said without being shown.
    desk.write(
        "noctule.toml",
        &format!("{CONFIG}{}", table(port).replace("secret_file = \"webhook.key\"", "secret_env = \"HOOK\"")),
    );
    desk.refused("webhook", 1, &["[webhook] cannot read the key from the variable HOOK"]);
    let output = desk.command("webhook").env("HOOK", key.trim()).output().unwrap();
    assert!(output.status.success(), "{}", said(&output));
    let output = desk.command("webhook").env("HOOK", "whsec_s3cret").output().unwrap();
    assert!(said(&output).contains("the variable HOOK holds no key") && !said(&output).contains("s3cret"));
}
