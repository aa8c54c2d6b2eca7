//! Who asks for a client: kept and shown as one line of text, which [`Asker::read`] understands again.

use super::fleet::Client;
use std::fmt;

/// Who asked. Whatever is no staff and no contact of the fleet file is a token's name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asker {
    /// The provider's staff, for a client who asked them; nameless where no token names them.
    Staff { name: Option<String>, client: String },
    /// The client's IT contact (annexe 3).
    Contact { email: String, role: Role },
    /// A token of the client that names none of its contacts.
    Token(String),
}

/// Which of the client's IT contacts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    Main,
    Deputy,
}

impl Asker {
    /// The contact that a client's token is named after, by address or by name; else the token's own name.
    pub fn of_token(token: &str, client: &Client) -> Asker {
        let known = client
            .contacts
            .iter()
            .position(|contact| contact.email.eq_ignore_ascii_case(token) || contact.name.eq_ignore_ascii_case(token));
        match known {
            Some(place) => Asker::Contact {
                email: client.contacts[place].email.clone(),
                role: if place == 0 { Role::Main } else { Role::Deputy },
            },
            None => Asker::Token(token.to_owned()),
        }
    }

    /// Understands the line that [`fmt::Display`] wrote.
    pub fn read(text: &str) -> Asker {
        let contact = |suffix: &str, role| {
            text.strip_suffix(suffix).map(|email| Asker::Contact { email: email.to_owned(), role })
        };
        let staff = || {
            let (name, client) = text.strip_prefix("staff ")?.rsplit_once("for ")?;
            let name = name.trim();
            Some(Asker::Staff { name: (!name.is_empty()).then(|| name.to_owned()), client: client.to_owned() })
        };
        contact(" (main contact)", Role::Main)
            .or_else(|| contact(" (deputy contact)", Role::Deputy))
            .or_else(staff)
            .unwrap_or_else(|| Asker::Token(text.to_owned()))
    }
}

impl fmt::Display for Asker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Asker::Staff { name: Some(name), client } => write!(f, "staff {name} for {client}"),
            Asker::Staff { name: None, client } => write!(f, "staff for {client}"),
            Asker::Contact { email, role: Role::Main } => write!(f, "{email} (main contact)"),
            Asker::Contact { email, role: Role::Deputy } => write!(f, "{email} (deputy contact)"),
            Asker::Token(name) => f.write_str(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(asker: Asker, line: &str) {
        assert_eq!(asker.to_string(), line);
        assert_eq!(Asker::read(line), asker);
    }

    #[test]
    fn the_line_says_who_and_is_understood_again() {
        let staff = |name: Option<&str>| Asker::Staff { name: name.map(str::to_owned), client: "martin".into() };
        let contact = |role| Asker::Contact { email: "claire@martin.example".into(), role };
        check(staff(Some("zoe")), "staff zoe for martin");
        check(staff(Some("Zoé Petit")), "staff Zoé Petit for martin");
        check(staff(None), "staff for martin");
        check(contact(Role::Main), "claire@martin.example (main contact)");
        check(contact(Role::Deputy), "claire@martin.example (deputy contact)");
        check(Asker::Token("contact martin".into()), "contact martin");
        check(Asker::Token("staffing".into()), "staffing");
    }

    #[test]
    fn a_token_is_a_contact_when_it_is_named_after_one() {
        let client: Client = serde_json::from_value(serde_json::json!({
            "id": "martin", "name": "Cabinet Martin", "schedule": "pro-controle", "holidays": "FR", "order": [],
            "contacts": [
                { "name": "Mme Claire Martin", "email": "claire@martin.example" },
                { "name": "M. Petit", "email": "hugo@martin.example" },
            ],
        }))
        .unwrap();
        for (token, line) in [
            ("claire@martin.example", "claire@martin.example (main contact)"),
            ("Claire@Martin.example", "claire@martin.example (main contact)"),
            ("M. Petit", "hugo@martin.example (deputy contact)"),
            ("claire", "claire"),
        ] {
            assert_eq!(Asker::of_token(token, &client).to_string(), line);
        }
    }
}
