//! `noctule.toml`: the orchestrator as its operator configures it. Relative paths are relative to the file.

use super::toml_errors::{self, TomlError};
use crate::model::fleet::Language;
use chrono::{DateTime, Utc};
use serde::Deserialize;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use url::Url;

/// The whole file. Unknown fields are errors.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address to listen on; loopback only, unless `[tls]` is there.
    #[serde(default = "default_listen")]
    pub listen: SocketAddr,
    /// What agents and clients call; the listening address when absent.
    #[serde(default)]
    pub public_url: Option<String>,
    /// `sqlite:PATH` or `postgres://…`.
    #[serde(default)]
    pub database: Option<String>,
    /// A file that holds the database's address, for one with a password.
    #[serde(default)]
    pub database_file: Option<PathBuf>,
    /// Folder of mirrored packages.
    pub packages: PathBuf,
    /// Folder of contracts, one `*.toml` each.
    pub schedules: PathBuf,
    #[serde(default = "default_tenant")]
    pub tenant: String,
    #[serde(default)]
    pub tls: Option<Tls>,
    pub mail: Mail,
    pub staff: Staff,
    /// How the history is held against its own database's owner; without it, checkpoints are not signed.
    #[serde(default)]
    pub checkpoints: Option<Checkpoints>,
    /// Who else is told of alerts; without it, nobody.
    #[serde(default)]
    pub webhook: Option<Webhook>,
    #[serde(default, rename = "publisher")]
    pub publishers: Vec<Publisher>,
    /// A clock that stands still, to look at a database as it was (the demo writes it).
    #[serde(default)]
    pub clock: Option<FrozenClock>,
}

fn default_listen() -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 8420))
}

fn default_tenant() -> String {
    "DEFAULT".to_owned()
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tls {
    /// PEM files.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FrozenClock {
    pub at: DateTime<Utc>,
}

/// Where letters go and how they are signed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mail {
    /// `Name <address>`.
    pub from: String,
    #[serde(default)]
    pub reply_to: Option<String>,
    /// Right-hand side of Message-IDs.
    pub domain: String,
    /// Write `.eml` files here instead of sending.
    #[serde(default)]
    pub folder: Option<PathBuf>,
    #[serde(default)]
    pub smtp: Option<Smtp>,
    /// Folder of letter templates that replace the program's own.
    #[serde(default)]
    pub templates: Option<PathBuf>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Smtp {
    pub host: String,
    #[serde(default)]
    pub port: Option<u16>,
    #[serde(default)]
    pub security: SmtpSecurity,
    #[serde(default)]
    pub username: Option<String>,
    /// A file whose first line is the password.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// The environment variable that holds the password.
    #[serde(default)]
    pub password_env: Option<String>,
    /// Certificates (PEM) of an authority of one's own, trusted beside the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// STARTTLS, required (port 587).
    #[default]
    Starttls,
    /// TLS from the first byte (port 465).
    Tls,
    /// No encryption; loopback only.
    None,
}

/// The provider's own people (annexe 3.A, 6.1.7).
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Staff {
    /// Who signs the letters, e.g. the team's name.
    pub signature: String,
    #[serde(default)]
    pub phone: Option<String>,
    /// Applications (*infogérance des applications*).
    pub iah: String,
    /// Hardware and systems.
    pub noc: String,
    /// Recipients of the escalation levels 1, 2 and 3.
    #[serde(default)]
    pub levels: Vec<String>,
}

/// Who signs where the history's chains end.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoints {
    /// An ed25519 key in PKCS#8 DER; `noctule history checkpoint-key` makes one.
    pub key_file: PathBuf,
    /// Who gets one by mail, to keep it out of the database owner's reach; nobody by default.
    #[serde(default)]
    pub mail_to: Vec<String>,
    /// Days from one that is mailed to the next, 1 to 366.
    #[serde(default = "default_checkpoint_days")]
    pub every_days: u16,
    /// Of the letter.
    #[serde(default)]
    pub language: Language,
}

fn default_checkpoint_days() -> u16 {
    7
}

/// A receiver that is told of every change of an alert, so that a ticketing tool can follow.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// https; http on loopback only.
    pub url: Url,
    /// A file that holds the key calls are signed with; `noctule webhook key` makes one.
    #[serde(default)]
    pub secret_file: Option<PathBuf>,
    /// The environment variable that holds it.
    #[serde(default)]
    pub secret_env: Option<String>,
    /// Certificates (PEM) of an authority of one's own, trusted beside the public ones.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
}

/// A publisher whose releases are followed.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publisher {
    pub name: String,
    /// Base of the TUF repository: `<url>/metadata/` and `<url>/targets/`.
    pub url: String,
    /// The publisher's root.json, obtained out of band.
    pub root: PathBuf,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    #[error(transparent)]
    Toml(#[from] TomlError),
    #[error("{}: {what}", path.display())]
    Value { path: PathBuf, what: String },
}

impl Config {
    /// Reads and checks the file; relative paths become relative to its folder.
    pub fn read(path: &Path) -> Result<Config, ConfigError> {
        let mut config: Config = toml_errors::read(path)?;
        let base = path.parent().unwrap_or(Path::new("")).to_owned();
        let join = |p: &mut PathBuf| *p = base.join(&*p);
        join(&mut config.packages);
        join(&mut config.schedules);
        config.database_file.iter_mut().for_each(join);
        config.mail.folder.iter_mut().chain(&mut config.mail.templates).for_each(join);
        config.checkpoints.iter_mut().map(|it| &mut it.key_file).for_each(join);
        if let Some(smtp) = &mut config.mail.smtp {
            smtp.password_file.iter_mut().chain(&mut smtp.ca_file).for_each(join);
        }
        if let Some(webhook) = &mut config.webhook {
            webhook.secret_file.iter_mut().chain(&mut webhook.ca_file).for_each(join);
        }
        for publisher in &mut config.publishers {
            join(&mut publisher.root);
        }
        if let Some(tls) = &mut config.tls {
            join(&mut tls.certificate);
            join(&mut tls.key);
        }
        if let Some(file) = config.database.as_deref().and_then(|d| d.strip_prefix("sqlite:")) {
            config.database = Some(format!("sqlite:{}", base.join(file).display()));
        }
        config.check(path)?;
        Ok(config)
    }

    fn check(&self, path: &Path) -> Result<(), ConfigError> {
        let wrong = |what: String| Err(ConfigError::Value { path: path.to_owned(), what });
        if self.database.is_some() == self.database_file.is_some() {
            return wrong("set either `database` or `database_file`".to_owned());
        }
        if self.tls.is_none() && !self.listen.ip().is_loopback() {
            return wrong(format!("`listen` is {}: without [tls] only loopback addresses are allowed", self.listen));
        }
        if self.mail.folder.is_some() == self.mail.smtp.is_some() {
            return wrong("[mail] needs either `folder` or `smtp`".to_owned());
        }
        let staff = [("staff.iah", &self.staff.iah), ("staff.noc", &self.staff.noc), ("mail.from", &self.mail.from)];
        let levels = self.staff.levels.iter().map(|level| ("staff.levels", level));
        let reply_to = self.mail.reply_to.iter().map(|address| ("mail.reply_to", address));
        if let Some((place, address)) =
            staff.into_iter().chain(levels).chain(reply_to).find(|(_, address)| !is_mailbox(address))
        {
            return wrong(format!("`{place}`: {address:?} is no e-mail address; write x@y or Name <x@y>"));
        }
        if let Some(checkpoints) = &self.checkpoints {
            if let Some(address) = checkpoints.mail_to.iter().find(|address| !is_mailbox(address)) {
                return wrong(format!(
                    "`checkpoints.mail_to`: {address:?} is no e-mail address; write x@y or Name <x@y>"
                ));
            }
            if !(1..=366).contains(&checkpoints.every_days) {
                return wrong("`checkpoints.every_days` is a number of days from 1 to 366".to_owned());
            }
        }
        if self.staff.levels.len() > 3 {
            return wrong("`staff.levels` names at most three recipients, one for each level of 6.1.7".to_owned());
        }
        if let Some(smtp) = &self.mail.smtp
            && smtp.username.is_some() != (smtp.password_file.is_some() || smtp.password_env.is_some())
        {
            return wrong("[mail.smtp]: `username` goes together with `password_file` or `password_env`".to_owned());
        }
        if let Some(what) = self.webhook.as_ref().and_then(Webhook::wrong) {
            return wrong(format!("[webhook]: {what}"));
        }
        for url in self.public_url.iter().chain(self.publishers.iter().map(|p| &p.url)) {
            if !url.parse::<url::Url>().is_ok_and(|url| matches!(url.scheme(), "http" | "https") && url.has_host()) {
                return wrong(format!("{url:?} has to be a URL such as https://noctule.example.net"));
            }
        }
        if let Some(database) = &self.database
            && !(database.starts_with("sqlite:") || database.starts_with("postgres"))
        {
            return wrong("`database` is sqlite:PATH or postgres://user@host/name".to_owned());
        }
        if !is_segment(&self.tenant) {
            return wrong(format!("`tenant` is {:?}; it is one path segment of letters, digits, - and _", self.tenant));
        }
        for (i, publisher) in self.publishers.iter().enumerate() {
            if !is_id(&publisher.name) {
                return wrong(format!("publisher {:?}: a name is made of a-z, 0-9 and -", publisher.name));
            }
            if self.publishers[..i].iter().any(|p| p.name == publisher.name) {
                return wrong(format!("publisher {:?} is there twice", publisher.name));
            }
            if !publisher.root.is_file() {
                return wrong(format!(
                    "publisher {:?} has no root at {}; ask the publisher for its root.json",
                    publisher.name,
                    publisher.root.display()
                ));
            }
        }
        Ok(())
    }

    /// The database's address, from the file where it is kept there.
    pub fn database_url(&self) -> Result<String, ConfigError> {
        match (&self.database, &self.database_file) {
            (Some(url), _) => Ok(url.clone()),
            (None, Some(file)) => Ok(toml_errors::read_text(file)?.trim().to_owned()),
            (None, None) => Err(ConfigError::Value { path: PathBuf::new(), what: "no database".to_owned() }),
        }
    }

    /// What agents and clients call.
    pub fn base_url(&self) -> String {
        let scheme = if self.tls.is_some() { "https" } else { "http" };
        self.public_url.clone().unwrap_or_else(|| format!("{scheme}://{}", self.listen))
    }
}

impl Webhook {
    /// What cannot work. The address is not shown: with some receivers it is a secret.
    fn wrong(&self) -> Option<&'static str> {
        if self.secret_file.is_some() == self.secret_env.is_some() {
            return Some("set either `secret_file` or `secret_env`");
        }
        if self.url.scheme() != "https" && !(self.url.scheme() == "http" && is_loopback(&self.url)) {
            return Some("`url` has to be https (http only on loopback): what it tells would cross in clear");
        }
        if !self.url.username().is_empty() || self.url.password().is_some() {
            return Some("`url` has a user or password in it: the signature is what calls are known by");
        }
        None
    }
}

/// Whether `url` leads to this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

/// Whether `name` can be an id: of a client, a server, a publisher.
pub fn is_id(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'-'))
}

/// Whether mail can be addressed to `text`: `x@y` or `Name <x@y>`.
pub fn is_mailbox(text: &str) -> bool {
    super::mail::parse_mailbox(text).is_ok()
}

fn is_segment(name: &str) -> bool {
    !name.is_empty() && name.len() <= 64 && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
#[path = "config_tests.rs"]
mod tests;
