//! `noctule letters` and `noctule calendar`, as an operator meets them, on the real binary.

use super::cli::{CONFIG, Desk};

const MINE: &str = "folder = \"outbox\"\ntemplates = \"letters\"";

/// A desk whose operator has templates of their own.
fn desk() -> Desk {
    let desk = Desk::applied();
    desk.write("noctule.toml", &CONFIG.replace("folder = \"outbox\"", MINE));
    std::fs::create_dir_all(desk.path().join("letters/cabinet-martin")).unwrap();
    desk
}

#[test]
fn every_problem_of_a_template_is_named_with_its_file_and_line() {
    let desk = desk();
    assert!(desk.printed("letters check").ends_with("letters: nothing is wrong\n"));
    desk.write("letters/closing.fr.txt", "Bien à vous,\n{{ providr }}");
    desk.write("letters/minor_planed.fr.txt", "# x");
    desk.write("letters/cabinet-martin/moved.fr.txt", "# {{ product }}\n\n{% if was %}{{ was }}");
    let said = [
        "3 problems in the letter templates",
        "letters/closing.fr.txt:2: there is no word \"providr\"; did you mean provider?",
        "letters/minor_planed.fr.txt: no letter is written with \"minor_planed.fr.txt\"; did you mean minor_planned.fr.txt?",
        "letters/cabinet-martin/moved.fr.txt:3: syntax error",
    ];
    desk.refused("letters check", 1, &said);
    // Nothing else is done with them either.
    desk.refused("plan", 1, &said[1..]);
    desk.write("noctule.toml", CONFIG);
    assert!(desk.printed("letters check").contains("the program's own"));
    desk.printed("plan");
}

#[test]
fn a_folder_of_nobody_is_a_problem() {
    let desk = desk();
    desk.write("letters/cabinet-martin/closing.fr.txt", "Bien à vous,\n\n{{ provider }}");
    desk.printed("letters check");
    std::fs::rename(desk.path().join("letters/cabinet-martin"), desk.path().join("letters/cabinet-mrtin")).unwrap();
    desk.refused("letters check", 1, &["cabinet-mrtin: there is no client \"cabinet-mrtin\""]);
}

#[test]
fn a_letter_is_looked_at_before_anybody_gets_it() {
    let desk = desk();
    let shown = desk.printed("letters show minor_planned.fr.txt");
    desk.write("letters/minor_planned.fr.txt", &shown.replace("mise à jour prévue", "intervention prévue"));
    desk.write("letters/cabinet-martin/closing.fr.txt", "Bien à vous,\n\n{{ provider }}");
    let written = desk.printed("letters preview minor-planned --client cabinet-martin --out seen");
    assert_eq!(written, "seen/minor-planned.eml\nseen/minor-planned.html\n");
    let page = std::fs::read_to_string(desk.path().join("seen/minor-planned.html")).unwrap();
    assert!(page.contains("intervention prévue") && page.contains("Bien à vous"), "{page}");
    let mail = std::fs::read_to_string(desk.path().join("seen/minor-planned.eml")).unwrap();
    assert!(mail.contains("\r\nTo: ") && mail.contains("Message-ID: <"), "{mail}");
    // Every one, for a client without templates of its own, in the other language.
    let written = desk.printed("letters preview --client fiduciaire-du-rhin --lang en --out all");
    let kinds = desk.printed("letters list");
    assert!(kinds.contains("  planned-together\n") && kinds.contains("  layout.html"), "{kinds}");
    assert_eq!(written.lines().count() % 2, 0);
    assert!(written.lines().count() >= 60, "{written}");
    let invited = std::fs::read_to_string(desk.path().join("all/major-planned.eml")).unwrap();
    assert!(invited.contains("text/calendar; charset=utf-8; method=REQUEST"));
    assert_eq!(desk.printed("letters undelivered"), "no letter was given up\n");
    for (line, said) in [
        ("letters again 7 --by Nadia", "there is no letter 7"),
        ("letters preview minor-planed --client cabinet-martin", "did you mean minor-planned?"),
        ("letters preview --client nobody", "there is no client \"nobody\""),
        ("letters show minor_planed.fr.txt", "did you mean minor_planned.fr.txt?"),
    ] {
        desk.refused(line, 1, &[said]);
    }
}

#[test]
fn the_address_of_a_calendar_is_printed_alone() {
    let desk = Desk::applied();
    let address = desk.printed("calendar --client cabinet-martin");
    assert!(
        address.trim().starts_with("http://127.0.0.1:0/calendar/") && address.trim().ends_with(".ics"),
        "{address}"
    );
    assert_ne!(desk.printed("calendar --client cabinet-martin"), address);
    desk.printed("calendar");
    assert!(desk.printed("token list").contains("calendar of cabinet-martin"));
    desk.refused("calendar --client nobody", 1, &["there is no client \"nobody\""]);
}
