//! A mail server on loopback that refuses, closes or drops as it is told, in clear, after STARTTLS or within TLS.

use base64::Engine as _;
use noctule::edge::config::SmtpSecurity;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Whom a server that encrypts lets in.
pub const USERNAME: &str = "noctule";
pub const PASSWORD: &str = "s3cret";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Good,
    /// 451 to every recipient.
    Later,
    /// 550 to this recipient.
    Unknown(&'static str),
    /// Takes the letter, then closes the connection without saying so.
    DropAfterData,
    /// 421 instead of a greeting.
    Closing,
    /// Every connection breaks at once.
    Down,
}

/// A letter as it arrived.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mail {
    pub to: Vec<String>,
    pub id: String,
    pub text: String,
}

struct Shared {
    mood: Mood,
    taken: Vec<Mail>,
    asked: usize,
    /// What came unencrypted.
    in_clear: Vec<String>,
}

pub struct Server {
    address: SocketAddr,
    /// The certificate to trust, as PEM; empty without encryption.
    pub authority: String,
    shared: Arc<Mutex<Shared>>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Server {
        Server::securing(SmtpSecurity::None).await
    }

    /// One that speaks as `security` says, with a certificate that no public authority vouches for, and takes letters
    /// only of [`USERNAME`].
    pub async fn securing(security: SmtpSecurity) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let (authority, acceptor) = match security {
            SmtpSecurity::None => (String::new(), None),
            SmtpSecurity::Starttls | SmtpSecurity::Tls => {
                let (authority, acceptor) = certified();
                (authority, Some(acceptor))
            }
        };
        let shared = Shared { mood: Mood::Good, taken: Vec::new(), asked: 0, in_clear: Vec::new() };
        let shared = Arc::new(Mutex::new(shared));
        let known = shared.clone();
        let accepting = tokio::spawn(async move {
            // Its connections end with it.
            let mut talks = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                talks.spawn(talk(stream, security, acceptor.clone(), known.clone()));
            }
        });
        Server { address, authority, shared, accepting }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn set(&self, mood: Mood) {
        self.shared.lock().expect("no talk panics").mood = mood;
    }

    pub fn taken(&self) -> Vec<Mail> {
        self.shared.lock().expect("no talk panics").taken.clone()
    }

    /// What it was told before anything was encrypted.
    pub fn in_clear(&self) -> Vec<String> {
        self.shared.lock().expect("no talk panics").in_clear.clone()
    }

    /// How many recipients it was asked to take.
    pub fn asked(&self) -> usize {
        self.shared.lock().expect("no talk panics").asked
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

/// A certificate of its own for 127.0.0.1, and what speaks with it.
fn certified() -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("it is a key");
    let provider = Arc::new(tokio_rustls::rustls::crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows them")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("the key is the certificate's");
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

/// A certificate and its key, as PEM.
pub fn certified_pem() -> (String, String) {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate can be made");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

async fn talk(stream: TcpStream, security: SmtpSecurity, acceptor: Option<TlsAcceptor>, shared: Arc<Mutex<Shared>>) {
    // A client that goes away ends the talk; what it was told is what counts.
    let _ = encrypted_or_not(stream, security, acceptor, shared).await;
}

async fn encrypted_or_not(
    stream: TcpStream,
    security: SmtpSecurity,
    acceptor: Option<TlsAcceptor>,
    shared: Arc<Mutex<Shared>>,
) -> std::io::Result<()> {
    match (security, acceptor) {
        (SmtpSecurity::Tls, Some(acceptor)) => {
            converse(acceptor.accept(stream).await?, Talk::Secret { greets: true }, &shared).await?;
        }
        (SmtpSecurity::Starttls, Some(acceptor)) => {
            if let Some(stream) = converse(stream, Talk::Upgrades, &shared).await? {
                converse(acceptor.accept(stream).await?, Talk::Secret { greets: false }, &shared).await?;
            }
        }
        (SmtpSecurity::None, _) | (_, None) => {
            converse(stream, Talk::Clear, &shared).await?;
        }
    }
    Ok(())
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Talk {
    Clear,
    /// In clear, until STARTTLS.
    Upgrades,
    /// Encrypted; only who logs in may send.
    Secret {
        greets: bool,
    },
}

/// Talks until the end, or until the client wants the stream encrypted.
async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    talk: Talk,
    shared: &Mutex<Shared>,
) -> std::io::Result<Option<S>> {
    let mut stream = BufReader::new(stream);
    let mood = || shared.lock().expect("no talk panics").mood;
    match mood() {
        Mood::Closing => stream.get_mut().write_all(b"421 closing\r\n").await?,
        Mood::Good | Mood::Later | Mood::Unknown(_) | Mood::DropAfterData | Mood::Down => {}
    }
    if matches!(mood(), Mood::Closing | Mood::Down) {
        return Ok(None);
    }
    if talk != (Talk::Secret { greets: false }) {
        stream.get_mut().write_all(b"220 here\r\n").await?;
    }
    let (mut to, mut known) = (Vec::new(), !matches!(talk, Talk::Secret { .. }));
    while let Some(line) = next_line(&mut stream).await? {
        if talk == Talk::Upgrades {
            shared.lock().expect("no talk panics").in_clear.push(line.clone());
        }
        let mood = mood();
        if mood == Mood::Down {
            return Ok(None);
        }
        let verb: String = line.chars().take(4).collect::<String>().to_ascii_uppercase();
        let answer = match verb.as_str() {
            "EHLO" => match talk {
                Talk::Clear => "250 ok",
                Talk::Upgrades => "250-here\r\n250 STARTTLS",
                Talk::Secret { .. } => "250-here\r\n250 AUTH PLAIN",
            },
            "STAR" if talk == Talk::Upgrades => {
                stream.get_mut().write_all(b"220 go on\r\n").await?;
                return Ok(Some(stream.into_inner()));
            }
            "AUTH" => {
                known = line.split(' ').nth(2).is_some_and(is_known);
                if known { "235 welcome" } else { "535 5.7.8 who are you" }
            }
            "MAIL" | "RCPT" if !known => "530 5.7.0 log in first",
            "RCPT" => {
                shared.lock().expect("no talk panics").asked += 1;
                let address = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                match mood {
                    Mood::Later => "451 4.3.0 try later",
                    Mood::Unknown(unknown) if unknown == address => "550 5.1.1 no such user",
                    Mood::Good | Mood::Unknown(_) | Mood::DropAfterData | Mood::Closing | Mood::Down => {
                        to.push(address);
                        "250 ok"
                    }
                }
            }
            "DATA" => {
                stream.get_mut().write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = next_line(&mut stream).await? {
                    if line == "." {
                        break;
                    }
                    text.push_str(&line);
                    text.push('\n');
                }
                let id = text.lines().find_map(|line| line.strip_prefix("Message-ID: ")).unwrap_or_default().to_owned();
                let mail = Mail { to: std::mem::take(&mut to), id, text };
                shared.lock().expect("no talk panics").taken.push(mail);
                if mood == Mood::DropAfterData {
                    return Ok(None);
                }
                "250 taken"
            }
            "RSET" | "MAIL" => {
                to.clear();
                "250 ok"
            }
            "QUIT" => {
                stream.get_mut().write_all(b"221 bye\r\n").await?;
                return Ok(None);
            }
            _ => "250 ok",
        };
        stream.get_mut().write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(None)
}

async fn next_line<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    let read = stream.read_line(&mut line).await?;
    Ok((read > 0).then(|| line.trim_end_matches(['\r', '\n']).to_owned()))
}

/// Whether these are the credentials of RFC 4616: nothing, name and password, each after a NUL.
fn is_known(credentials: &str) -> bool {
    let expected = format!("\0{USERNAME}\0{PASSWORD}");
    base64::engine::general_purpose::STANDARD.decode(credentials).is_ok_and(|given| given == expected.as_bytes())
}
