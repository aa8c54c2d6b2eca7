//! A mail server on loopback that refuses, closes or drops as it is told.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

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
}

pub struct Server {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    accepting: JoinHandle<()>,
}

impl Server {
    pub async fn start() -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("there is a free port");
        let address = listener.local_addr().expect("it has an address");
        let shared = Arc::new(Mutex::new(Shared { mood: Mood::Good, taken: Vec::new(), asked: 0 }));
        let known = shared.clone();
        let accepting = tokio::spawn(async move {
            // Its connections end with it.
            let mut talks = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                talks.spawn(talk(stream, known.clone()));
            }
        });
        Server { address, shared, accepting }
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

async fn talk(stream: TcpStream, shared: Arc<Mutex<Shared>>) {
    // A client that goes away ends the talk; what it was told is what counts.
    let _ = converse(stream, shared).await;
}

async fn converse(mut stream: TcpStream, shared: Arc<Mutex<Shared>>) -> std::io::Result<()> {
    let (reading, mut out) = stream.split();
    let mut lines = BufReader::new(reading).lines();
    let mood = shared.lock().expect("no talk panics").mood;
    match mood {
        Mood::Closing => return out.write_all(b"421 closing\r\n").await,
        Mood::Down => return Ok(()),
        Mood::Good | Mood::Later | Mood::Unknown(_) | Mood::DropAfterData => {}
    }
    out.write_all(b"220 here\r\n").await?;
    let mut to = Vec::new();
    while let Some(line) = lines.next_line().await? {
        let mood = shared.lock().expect("no talk panics").mood;
        if mood == Mood::Down {
            return Ok(());
        }
        let verb: String = line.chars().take(4).collect::<String>().to_ascii_uppercase();
        let answer = match verb.as_str() {
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
                out.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                while let Some(line) = lines.next_line().await? {
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
                    return Ok(());
                }
                "250 taken"
            }
            "RSET" | "MAIL" => {
                to.clear();
                "250 ok"
            }
            "QUIT" => return out.write_all(b"221 bye\r\n").await,
            _ => "250 ok",
        };
        out.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
    Ok(())
}
