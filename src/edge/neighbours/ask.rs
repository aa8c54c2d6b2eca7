//! Asks the neighbours what they have, and takes it.

use super::serve::NEWS_TIME_MAX;
use super::{Form, SiteSecret, Stage, Status};
use crate::edge::download::Source;
use futures_util::StreamExt;
use futures_util::future::join_all;
use reqwest::header::{AUTHORIZATION, HeaderValue};
use reqwest::redirect;
use std::net::SocketAddr;
use std::time::Duration;
use url::Url;

const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
const CALL_TIMEOUT: Duration = Duration::from_secs(5);
/// Longest silence within a package.
const READ_TIMEOUT: Duration = Duration::from_secs(20);
/// Largest status, in bytes.
const STATUS_BYTES_MAX: usize = 1024;
/// Asks for an answer when there is news, or after a while (RFC 7240, 4.3).
const WAIT: &str = "wait";
/// Least that a neighbour has to give on the whole, in bytes per second: below it the line may be faster.
const BYTES_PER_SECOND_MIN: u64 = 1 << 20;
/// What every package may take beside that.
const TIME_MIN: Duration = Duration::from_secs(60);

/// The neighbours of one server.
#[derive(Clone, Debug)]
pub struct Neighbours {
    http: reqwest::Client,
    secret: SiteSecret,
    /// Where this server listens itself: its rank among those that begin at once.
    own: Option<SocketAddr>,
    peers: Vec<SocketAddr>,
}

/// What to do for a package, by what the neighbours say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Advice {
    /// Take it, from the first of these that gives it: form and length.
    Take(Vec<(SocketAddr, Form, u64)>),
    /// Wait for this one, which fetches it, or is about to and goes first.
    WaitFor(SocketAddr),
    /// Nobody has it.
    Fetch,
}

/// What follows from `answers` for the server at `own`, which is about to fetch. One whose neighbours cannot ask it
/// goes last.
pub fn advise(own: Option<SocketAddr>, answers: &[(SocketAddr, Status)]) -> Advice {
    let having: Vec<_> =
        answers.iter().filter_map(|(peer, status)| status.has.map(|(form, bytes)| (*peer, form, bytes))).collect();
    if !having.is_empty() {
        return Advice::Take(having);
    }
    let moving = |status: &Status| matches!(status.under_way, Some(Stage::Moving { .. }));
    let before = |peer: &SocketAddr| own.is_none_or(|own| *peer < own);
    let asking = |(peer, status): &&(SocketAddr, Status)| status.under_way == Some(Stage::Asking) && before(peer);
    let first = answers.iter().find(|(_, status)| moving(status));
    match first.or_else(|| answers.iter().filter(asking).min_by_key(|(peer, _)| *peer)) {
        Some((peer, _)) => Advice::WaitFor(*peer),
        None => Advice::Fetch,
    }
}

/// How long a package of `bytes` may take from a neighbour.
pub fn time_max(bytes: u64) -> Duration {
    TIME_MIN + Duration::from_secs(bytes / BYTES_PER_SECOND_MIN)
}

impl Neighbours {
    /// # Errors
    /// The system gives no HTTP client.
    pub fn new(
        secret: SiteSecret,
        own: Option<SocketAddr>,
        peers: &[SocketAddr],
    ) -> Result<Neighbours, reqwest::Error> {
        // Nothing of a site goes through a proxy to the outside.
        let http = reqwest::Client::builder()
            .connect_timeout(CONNECT_TIMEOUT)
            .read_timeout(READ_TIMEOUT)
            .redirect(redirect::Policy::none())
            .no_proxy()
            .user_agent(concat!("noctule-agent/", env!("CARGO_PKG_VERSION")))
            .build()?;
        Ok(Neighbours { http, secret, own, peers: peers.to_vec() })
    }

    /// Asks all of them about a package. Who does not answer, or makes no sense, has nothing.
    pub async fn ask(&self, sha256: &str) -> Vec<(SocketAddr, Status)> {
        let asked = join_all(self.peers.iter().map(|peer| self.status(*peer, sha256, None))).await;
        self.peers.iter().copied().zip(asked).filter_map(|(peer, status)| Some((peer, status?))).collect()
    }

    /// Where this server listens itself.
    pub fn own(&self) -> Option<SocketAddr> {
        self.own
    }

    /// Asks one that has it under way; the answer comes when that changes, or after a while. `None` when it is silent.
    pub async fn news(&self, peer: SocketAddr, sha256: &str) -> Option<Status> {
        self.status(peer, sha256, Some(NEWS_TIME_MAX)).await
    }

    async fn status(&self, peer: SocketAddr, sha256: &str, wait: Option<Duration>) -> Option<Status> {
        let path = super::path(sha256, None);
        let url = format!("http://{peer}{path}");
        let mut request = self.http.get(url).header(AUTHORIZATION, self.secret.authorization(&path));
        if wait.is_some() {
            request = request.header("prefer", WAIT);
        }
        let answered = async {
            let response = request.send().await.ok().filter(|response| response.status().is_success())?;
            let (mut body, mut text) = (response.bytes_stream(), Vec::new());
            while let Some(piece) = body.next().await {
                text.extend_from_slice(&piece.ok()?);
                if text.len() > STATUS_BYTES_MAX {
                    return None;
                }
            }
            serde_json::from_slice(&text).ok()
        };
        let allowed = CALL_TIMEOUT + wait.unwrap_or_default();
        let status = tokio::time::timeout(allowed, answered).await.ok().flatten();
        if status.is_none() {
            tracing::info!(%peer, "a neighbour does not answer");
        }
        status
    }

    /// The package at a neighbour.
    pub fn source(&self, peer: SocketAddr, sha256: &str, form: Form) -> Option<Source<'_>> {
        let path = super::path(sha256, Some(form));
        let url = Url::parse(&format!("http://{peer}{path}")).ok()?;
        let authorization = HeaderValue::from_str(&self.secret.authorization(&path)).ok()?;
        Some(Source { http: &self.http, url, authorization: Some(authorization) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> SocketAddr {
        format!("10.0.0.{text}:1").parse().unwrap()
    }

    #[test]
    fn one_of_those_that_begin_at_once_fetches_and_the_others_wait_for_it() {
        let says = |peer: &str, has: Option<(Form, u64)>, under_way| (at(peer), Status { has, under_way });
        let asking = |peer: &str| says(peer, None, Some(Stage::Asking));
        let moving = |peer: &str| says(peer, None, Some(Stage::Moving { have: 3 }));
        let nothing = |peer: &str| says(peer, None, None);
        let check = |own: &str, answers: &[(SocketAddr, Status)], expected: Advice| {
            assert_eq!(advise((!own.is_empty()).then(|| at(own)), answers), expected, "{own}: {answers:?}");
        };
        check("2", &[], Advice::Fetch);
        check("2", &[nothing("1"), nothing("3")], Advice::Fetch);
        // Whoever asks too and comes later waits.
        check("1", &[asking("2"), asking("3")], Advice::Fetch);
        check("2", &[asking("1"), asking("3")], Advice::WaitFor(at("1")));
        check("3", &[asking("2"), asking("1")], Advice::WaitFor(at("1")));
        check("", &[asking("200")], Advice::WaitFor(at("200")));
        // Whoever fetches already goes on, whatever its place.
        check("1", &[asking("2"), moving("3")], Advice::WaitFor(at("3")));
        let has = |peer: &str, form| says(peer, Some((form, 9)), None);
        let both = [moving("1"), has("2", Form::Files), has("3", Form::Whole)];
        check("9", &both, Advice::Take(vec![(at("2"), Form::Files, 9), (at("3"), Form::Whole, 9)]));
    }

    #[test]
    fn a_neighbour_has_a_minute_and_a_second_for_each_mebibyte() {
        for (mib, seconds) in [(0, 60), (1, 61), (500, 560)] {
            assert_eq!(time_max(mib << 20), Duration::from_secs(seconds));
        }
    }
}
