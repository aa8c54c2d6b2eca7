//! Agents that are not heard any more (`hourly-checks`, 6.2.4).

use crate::model::alert::{AlertClass, NewAlert};
use crate::model::fleet::{Client, Server};
use chrono::{DateTime, Utc};

/// The cause of its alert: one for each server.
pub fn cause(server: &str) -> String {
    format!("silent/{server}")
}

/// The alert about the agent of `server`, last heard at `last`.
pub fn alert(client: &Client, server: &Server, last: DateTime<Utc>) -> NewAlert {
    let local = last.with_timezone(&server.zone).format("%Y-%m-%d %H:%M");
    NewAlert {
        cause: cause(&server.id),
        class: AlertClass::Systems,
        client: Some(client.id.clone()),
        server: Some(server.id.clone()),
        product: None,
        deployment: None,
        title: format!("{} is silent (hourly-checks)", server.id),
        text: format!(
            "hourly-checks: the agent of {} was last heard on {local} ({}); nothing is installed there until it is heard again",
            server.id, server.zone
        ),
    }
}
