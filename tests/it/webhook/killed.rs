//! `noctule serve` ended by SIGKILL between the receiver's taking a call and its being recorded.

use super::super::databases;
use super::receiver::{Receiver, calling, has_python};
use super::{kept, order, raise};
use chrono::{DateTime, TimeDelta, Utc};
use noctule::work::{Orchestrator, alerts};
use serde_json::Value;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// From one life to the next: calls leased by a killed one are free again.
const BETWEEN_MINUTES: i64 = 16;
const KILLS: usize = 4;

/// A service whose clock stands still at `now`.
fn live(dir: &Path, now: DateTime<Utc>) -> Child {
    let written = std::fs::read_to_string(dir.join("noctule.toml")).unwrap();
    let path = dir.join("serve.toml");
    let clock = format!("[clock]\nat = {:?}\n", now.to_rfc3339());
    std::fs::write(&path, format!("listen = \"127.0.0.1:0\"\n{written}{clock}")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_noctule"));
    command.args(["serve", "--config"]).arg(path).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until nothing waits any more.
async fn emptied(o: &Orchestrator) {
    let empty = async {
        while o.store.call_queue().await.unwrap().waiting > 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), empty).await.expect("the service makes its calls");
}

#[tokio::test]
async fn a_service_killed_before_it_could_record_calls_again_with_the_same_key() {
    if !has_python() {
        return;
    }
    databases::each_url(|url| async move {
        let dir = tempfile::tempdir().unwrap();
        let mut receiver = Receiver::start(dir.path(), None);
        let o = calling(dir.path(), &url, receiver.port).await;
        raise(&o, &["a", "b"]).await;
        alerts::acknowledge(&o, 1, "Nadia").await.unwrap();
        let (mut now, mut requests): (_, Vec<Value>) = (o.clock.now(), Vec::new());
        for kill in 0..KILLS {
            receiver.set("hold");
            let mut service = live(dir.path(), now);
            // It has it, and nobody knows.
            let request = receiver.next();
            assert_eq!(request["type"], "alert.raised");
            service.kill().unwrap();
            service.wait().unwrap();
            requests.push(request);
            assert_eq!(o.store.call_queue().await.unwrap().waiting, 3, "kill {kill}");
            now += TimeDelta::minutes(BETWEEN_MINUTES);
        }
        assert!(requests.iter().all(|request| request["id"] == requests[0]["id"]), "{requests:?}");
        requests.extend(receiver.set("good"));
        let mut service = live(dir.path(), now);
        emptied(&o).await;
        service.kill().unwrap();
        service.wait().unwrap();
        requests.extend(receiver.set("good"));
        let kept = kept(&requests);
        assert_eq!(kept.values().copied().collect::<Vec<_>>(), [1, KILLS + 1, 1], "{kept:?}");
        assert_eq!(order(&requests, 1), ["alert.raised", "alert.acknowledged"]);
        assert_eq!(o.store.verify_chain(None).await.unwrap(), []);
    })
    .await;
}
