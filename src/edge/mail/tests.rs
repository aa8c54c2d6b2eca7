//! What leaves: headers, recipients, files.

use super::*;
use proptest::prelude::*;

fn settings(folder: &std::path::Path) -> config::Mail {
    config::Mail {
        from: "Service infogérance <infogerance@prestataire.example>".to_owned(),
        reply_to: Some("iah@prestataire.example".to_owned()),
        domain: "prestataire.example".to_owned(),
        folder: Some(folder.to_owned()),
        smtp: None,
        templates: None,
    }
}

fn person(name: &str, email: &str) -> Person {
    Person { name: Some(name.to_owned()), email: email.to_owned() }
}

fn letter() -> Outgoing {
    Outgoing {
        key: "planned/12".to_owned(),
        at: "2026-04-29T15:01:30Z".parse().unwrap(),
        follows: vec!["planned/12".to_owned()],
        repeat: false,
        slug: "minor-planned-cabinet-morel-12".to_owned(),
        to: vec![person("Mme Claire Morel", "c.morel@morel.example"), person("Luc Petit", "l.petit@morel.example")],
        subject: "ISACOMPTA 14.20.004 : nuit du 29 au 30 avril 2026".to_owned(),
        text: "Bonjour Madame,\n\nune mise à jour est prévue.\n".to_owned(),
        html: "<!doctype html><p>Bonjour Madame,</p>".to_owned(),
        entry: None,
        file: None,
    }
}

/// The message as it would go on the wire; header lines unfolded.
fn message(letter: &Outgoing) -> (Vec<String>, String) {
    let stamp = Stamp {
        from: parse_mailbox("Service <s@prestataire.example>").unwrap(),
        reply_to: None,
        domain: "prestataire.example".to_owned(),
    };
    let (people, _) = address::accept(&letter.to).unwrap();
    let bytes = message::build(&stamp, letter, &people).unwrap().formatted();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    (head.replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n").map(str::to_owned).collect(), body.to_owned())
}

#[tokio::test]
async fn a_letter_written_twice_is_one_whole_file() {
    let dir = tempfile::tempdir().unwrap();
    let mailer = Mailer::open(&settings(&dir.path().join("outbox"))).unwrap();
    let first = mailer.send(&letter()).await.unwrap();
    let path = dir.path().join("outbox/2026-04-29T1501Z-minor-planned-cabinet-morel-12.eml");
    let bytes = std::fs::read(&path).unwrap();
    assert_eq!(mailer.send(&letter()).await.unwrap(), first);
    assert_eq!(std::fs::read(&path).unwrap(), bytes);
    assert_eq!(std::fs::read_dir(dir.path().join("outbox")).unwrap().count(), 1);
    insta::assert_snapshot!(String::from_utf8(bytes).unwrap().replace("\r\n", "\n"));
}

#[tokio::test]
async fn a_dead_deputy_does_not_keep_the_letter_from_the_main_contact() {
    let dir = tempfile::tempdir().unwrap();
    let mailer = Mailer::open(&settings(dir.path())).unwrap();
    let mut letter = letter();
    letter.to[1].email = "l.petit@".to_owned();
    let receipt = mailer.send(&letter).await.unwrap();
    assert_eq!(receipt.refused.len(), 1);
    assert!(receipt.refused[0].starts_with("l…@"), "{receipt:?}");
    letter.to[1].email = "Luc P. <l.petit@morel.example>".to_owned();
    assert!(mailer.send(&letter).await.unwrap().refused.is_empty());
    letter.to.truncate(0);
    assert!(matches!(mailer.send(&letter).await, Err(SendError::Refused(_))));
}

#[tokio::test]
async fn a_folder_that_cannot_be_written_is_not_the_letters_fault() {
    let dir = tempfile::tempdir().unwrap();
    let outbox = dir.path().join("outbox");
    let mailer = Mailer::open(&settings(&outbox)).unwrap();
    std::fs::remove_dir(&outbox).unwrap();
    std::fs::write(&outbox, "a file where the folder was").unwrap();
    assert!(matches!(mailer.send(&letter()).await, Err(SendError::Unavailable(_))));
}

#[tokio::test]
async fn settings_that_cannot_work_say_what_would() {
    let dir = tempfile::tempdir().unwrap();
    let good = settings(dir.path());
    let smtp = |security, username: Option<&str>, file: Option<&str>| config::Mail {
        folder: None,
        smtp: Some(config::Smtp {
            host: "smtp.prestataire.example".to_owned(),
            port: None,
            security,
            username: username.map(str::to_owned),
            password_file: file.map(|name| dir.path().join(name)),
            password_env: None,
            ca_file: None,
        }),
        ..good.clone()
    };
    std::fs::write(dir.path().join("password"), "secret\n").unwrap();
    std::fs::write(dir.path().join("empty"), "\n").unwrap();
    use config::SmtpSecurity::{None as Plain, Starttls, Tls};
    for (mail, error) in [
        (config::Mail { from: "nobody".to_owned(), ..good.clone() }, "is no address"),
        (config::Mail { from: "A\r\nBcc: x <a@b.example>, c".to_owned(), ..good.clone() }, "`>` is missing"),
        (config::Mail { reply_to: Some("<a@b".to_owned()), ..good.clone() }, "reply_to"),
        (config::Mail { domain: "exa mple".to_owned(), ..good.clone() }, "is no domain name"),
        (config::Mail { folder: None, ..good.clone() }, "either `folder` or `smtp`"),
        (smtp(Plain, Some("u"), Some("password")), "needs encryption"),
        (smtp(Starttls, Some("u"), None), "needs one of"),
        (smtp(Starttls, Some("u"), Some("missing")), "cannot read the mail password"),
        (smtp(Tls, Some("u"), Some("empty")), "it is empty"),
    ] {
        let found = Mailer::open(&mail).unwrap_err().to_string();
        assert!(found.contains(error), "{found:?} should say {error:?}");
    }
    let with_ca = |security, name: &str| {
        let mut mail = smtp(security, None, None);
        mail.smtp.iter_mut().for_each(|smtp| smtp.ca_file = Some(dir.path().join(name)));
        Mailer::open(&mail).unwrap_err().to_string()
    };
    for (found, error) in
        [(with_ca(Starttls, "missing"), "`ca_file` "), (with_ca(Plain, "password"), "`ca_file` needs encryption")]
    {
        assert!(found.contains(error), "{found:?} should say {error:?}");
    }
    for mail in [smtp(Plain, None, None), smtp(Starttls, Some("u"), Some("password")), smtp(Tls, None, None)] {
        let mailer = Mailer::open(&mail).unwrap();
        assert!(!format!("{mailer:?}").contains("secret"));
    }
}

#[test]
fn addresses_are_read_strictly_and_shown_masked() {
    for good in ["c.morel@morel.example", "a+b@x.example", "O'Neil@x.example"] {
        assert!(parse_address(good).is_ok(), "{good}");
    }
    for (written, known) in [
        ("c.morel@société.example", "c.morel@xn--socit-esab.example"),
        ("c.morel@ÉTUDE-notariale.example", "c.morel@xn--tude-notariale-9jb.example"),
    ] {
        assert_eq!(parse_address(written).unwrap().to_string(), known);
    }
    let long = format!("{}@x.example", "a".repeat(300));
    for bad in [
        "",
        "a",
        "a@",
        "@x.example",
        "a b@x.example",
        "a@x.example\r\nBcc: b@y.example",
        "a@x.example,b@y.example",
        "é@x.example",
        "é@société.example",
        "a@soci été.example",
        "a@société..example",
        "a@société.example>\r\nBcc: b@y.example",
        "a@société.example, b@y.example",
        "\"a\"@x.example",
        &long,
    ] {
        assert!(parse_address(bad).is_err(), "{bad:?}");
    }
    assert_eq!(mask("claire.morel@morel.example"), "c…@morel.example");
    assert_eq!(mask("nobody"), "…");
}

proptest! {
    #[test]
    fn nothing_in_a_letter_adds_a_header_or_a_recipient(
        subject in "\\PC{0,40}(\r\n|\n|\r|\u{85}|\u{2028}|\0)?(Bcc: x@evil.example)?\\PC{0,90}",
        name in "[ -~éœ\"<>,;@\r\n\t\\\\]{0,40}",
        key in "[ -~\r\n]{0,30}",
        thread in "[ -~\r\n]{0,30}",
        text in "[ -~éà\r\n.]{0,200}",
    ) {
        let it = Outgoing {
            key, follows: vec![thread], repeat: true, subject, text,
            to: vec![person(&name, "c.morel@morel.example"), person(&name, "l.petit@morel.example")],
            ..letter()
        };
        let (headers, body) = message(&it);
        let names: Vec<&str> = headers.iter().map(|line| line.split_once(':').map_or("", |(name, _)| name)).collect();
        prop_assert_eq!(names, [
            "From", "Date", "Message-ID", "Subject", "Auto-Submitted", "In-Reply-To", "References", "X-Noctule-Repeat", "To",
            "Cc", "MIME-Version", "Content-Type",
        ]);
        let to = headers.iter().find(|line| line.starts_with("To: ")).unwrap();
        prop_assert!(to.ends_with("<c.morel@morel.example>") || to == "To: c.morel@morel.example", "{}", to);
        prop_assert!(headers.iter().all(|line| line.is_ascii()));
        // Two parts and the end: no text can end a part early.
        prop_assert_eq!(body.matches("\r\n--=_").count() + usize::from(body.starts_with("--=_")), 3);
    }
}
