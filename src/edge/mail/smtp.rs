//! A mail server that takes our letters (RFC 5321, RFC 6409).

use super::address::mask;
use super::{MailError, SendError};
use crate::edge::config::{Smtp, SmtpSecurity};
use lettre::address::Envelope;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters, TlsParametersBuilder};
use lettre::transport::smtp::extension::ClientId;
use lettre::transport::smtp::{Error, PoolConfig, SUBMISSION_PORT, SUBMISSIONS_PORT};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use std::time::Duration;

/// Longest wait for the server to accept a connection or to answer one command.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// Longest time for one letter, whatever the server does in between.
const LETTER_TIMEOUT: Duration = Duration::from_secs(180);
/// Connections kept open at once.
const CONNECTIONS_MAX: u32 = 4;
/// How long an idle connection is kept; most servers close theirs after five minutes.
const IDLE_TIMEOUT: Duration = Duration::from_secs(60);
/// Longest password, in bytes.
const PASSWORD_BYTES_MAX: usize = 1024;
/// Longest answer of a server that is kept, in characters.
const ANSWER_CHARS_MAX: usize = 300;

#[derive(Clone)]
pub(super) struct Relay {
    transport: AsyncSmtpTransport<Tokio1Executor>,
}

impl std::fmt::Debug for Relay {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Relay")
    }
}

impl Relay {
    /// Connects to nothing yet.
    pub(super) fn new(settings: &Smtp, hello: &str) -> Result<Relay, MailError> {
        let host = settings.host.as_str();
        let wrong = |error: Error| MailError::Smtp(format!("host {host:?}: {error}"));
        let builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(host);
        let trusted = || trusted(settings)?.build().map_err(wrong);
        let builder = match settings.security {
            SmtpSecurity::Starttls => builder.port(SUBMISSION_PORT).tls(Tls::Required(trusted()?)),
            SmtpSecurity::Tls => builder.port(SUBMISSIONS_PORT).tls(Tls::Wrapper(trusted()?)),
            SmtpSecurity::None if settings.ca_file.is_some() => {
                let what = "`ca_file` needs encryption: set `security` to \"starttls\" or \"tls\"";
                return Err(MailError::Smtp(what.to_owned()));
            }
            SmtpSecurity::None => builder,
        };
        let mut builder = builder
            .hello_name(ClientId::Domain(hello.to_owned()))
            .timeout(Some(ANSWER_TIMEOUT))
            .pool_config(PoolConfig::new().max_size(CONNECTIONS_MAX).idle_timeout(IDLE_TIMEOUT));
        if let Some(port) = settings.port {
            builder = builder.port(port);
        }
        if let Some(username) = &settings.username {
            if settings.security == SmtpSecurity::None {
                let what = "`username` needs encryption: set `security` to \"starttls\" or \"tls\"";
                return Err(MailError::Smtp(what.to_owned()));
            }
            builder = builder.credentials(Credentials::new(username.clone(), password(settings)?));
        }
        Ok(Relay { transport: builder.build() })
    }

    /// Sends to everybody at once; when somebody is refused for good, to each on their own, so that one dead address
    /// does not keep a letter from the others. Returns who was refused, masked.
    pub(super) async fn send(&self, message: &Message) -> Result<Vec<String>, SendError> {
        let (all, bytes) = (message.envelope(), message.formatted());
        let refusal = match self.transmit(all, &bytes).await {
            Ok(()) => return Ok(Vec::new()),
            Err(SendError::Refused(why)) if all.to().len() > 1 => why,
            Err(error) => return Err(error),
        };
        let mut refused = Vec::new();
        for address in all.to() {
            let one = Envelope::new(all.from().cloned(), vec![address.clone()])
                .map_err(|error| SendError::Refused(error.to_string()))?;
            match self.transmit(&one, &bytes).await {
                Ok(()) => {}
                Err(SendError::Refused(why)) => refused.push(format!("{}: {why}", mask(address.as_ref()))),
                // Whoever has it already gets the same Message-ID again.
                Err(error) => return Err(error),
            }
        }
        if refused.len() == all.to().len() { Err(SendError::Refused(refusal)) } else { Ok(refused) }
    }

    async fn transmit(&self, envelope: &Envelope, bytes: &[u8]) -> Result<(), SendError> {
        match tokio::time::timeout(LETTER_TIMEOUT, self.transport.send_raw(envelope, bytes)).await {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => Err(classify(&error)),
            Err(_) => Err(SendError::Unavailable(format!("no end after {} s", LETTER_TIMEOUT.as_secs()))),
        }
    }
}

/// What an error means for this letter and the next ones.
fn classify(error: &Error) -> SendError {
    let why = in_one_line(error);
    // 421: the server is closing. 530, 534, 535, 538: it does not let us in (RFC 4954, 6), which no letter can mend.
    let shut =
        error.status().is_some_and(|code| matches!(code.to_string().as_str(), "421" | "530" | "534" | "535" | "538"));
    if shut {
        SendError::Unavailable(why)
    } else if error.is_permanent() {
        SendError::Refused(why)
    } else if error.is_transient() {
        SendError::Deferred(why)
    } else {
        SendError::Unavailable(why)
    }
}

/// The error and its causes, as a log and an alert may show them.
fn in_one_line(error: &Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text = format!("{text}: {inner_text}");
        }
        cause = inner.source();
    }
    let words: Vec<String> =
        text.split(|c: char| c.is_whitespace() || c.is_control())
            .filter(|word| !word.is_empty())
            .map(|word| {
                if word.contains('@') {
                    mask(word.trim_matches(['<', '>', ':', ',', ';', '.']))
                } else {
                    word.to_owned()
                }
            })
            .collect();
    words.join(" ").chars().take(ANSWER_CHARS_MAX).collect()
}

/// Whom to believe that the server is who it should be: the public authorities, and the operator's own.
fn trusted(settings: &Smtp) -> Result<TlsParametersBuilder, MailError> {
    let mut parameters = TlsParameters::builder(settings.host.clone());
    if let Some(path) = &settings.ca_file {
        let wrong = |what: String| MailError::Smtp(format!("`ca_file` {}: {what}", path.display()));
        let pem = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
        let certificate = Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
        parameters = parameters.add_root_certificate(certificate);
    }
    Ok(parameters)
}

/// The password, from a file's first line or an environment variable; never from the settings themselves.
fn password(settings: &Smtp) -> Result<String, MailError> {
    let (place, found) = match (&settings.password_file, &settings.password_env) {
        (Some(path), None) => {
            (path.display().to_string(), std::fs::read_to_string(path).map_err(|error| error.to_string()))
        }
        (None, Some(variable)) => {
            (format!("the variable {variable}"), std::env::var(variable).map_err(|error| error.to_string()))
        }
        (Some(_), Some(_)) | (None, None) => {
            let what = "`username` needs one of `password_file` and `password_env`";
            return Err(MailError::Smtp(what.to_owned()));
        }
    };
    let text = found.map_err(|what| MailError::Password { place: place.clone(), what })?;
    let password = text.lines().next().unwrap_or_default().trim_end();
    match password.len() {
        0 => Err(MailError::Password { place, what: "it is empty".to_owned() }),
        1..=PASSWORD_BYTES_MAX => Ok(password.to_owned()),
        _ => Err(MailError::Password { place, what: format!("it is longer than {PASSWORD_BYTES_MAX} bytes") }),
    }
}
