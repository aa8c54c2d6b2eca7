//! What happens to a fleet from outside, dated: releases, requests, holds, things that go wrong.

use crate::model::agreement::Agreed;
use crate::model::hold::HoldOn;
use crate::model::release::Release;
use crate::model::version::Version;
use chrono::{DateTime, NaiveDate, Utc};

/// One thing that happens. Names of servers and clients are the fleet's.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    Published(Box<Release>),
    Retracted {
        product: String,
        version: Version,
        reason: String,
    },
    Requested {
        client: String,
        product: String,
        version: Version,
        before: NaiveDate,
    },
    /// The client gives up whatever it asked for of this product.
    RequestCancelled {
        client: String,
        product: String,
    },
    Agreed {
        client: String,
        agreed: Agreed,
    },
    Held {
        on: HoldOn,
        until: Option<DateTime<Utc>>,
        reason: String,
    },
    /// Staff lift every hold on the same thing.
    Lifted {
        on: HoldOn,
    },
    Resumed {
        product: String,
        version: Version,
    },
    /// The server's backups fail from now on, or succeed again.
    BackupsFail {
        server: String,
        fail: bool,
    },
    /// A backup is made by hand.
    BackedUp {
        server: String,
    },
    /// The agent is not heard until then.
    Silent {
        server: String,
        until: DateTime<Utc>,
    },
    /// The next installation on the server ends so.
    NextInstall {
        server: String,
        ends: End,
    },
    /// The orchestrator stops and starts again: what it knew without writing it down is gone.
    Restarted,
}

/// How an installation ends on the machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    Installed,
    RolledBack,
    Failed,
    /// Never heard of again.
    Lost,
}

/// Whose plan a happening can change at once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Concerns {
    Everybody,
    /// Whoever runs the product.
    Users(String),
    Client(String),
    Nobody,
}

impl Happening {
    pub fn concerns(&self) -> Concerns {
        match self {
            Happening::Published(release) => Concerns::Users(release.product().to_owned()),
            Happening::Retracted { product, .. }
            | Happening::Resumed { product, .. }
            | Happening::Held { on: HoldOn::Release { product, .. }, .. }
            | Happening::Lifted { on: HoldOn::Release { product, .. } } => Concerns::Users(product.clone()),
            Happening::Restarted => Concerns::Everybody,
            Happening::Requested { client, .. }
            | Happening::RequestCancelled { client, .. }
            | Happening::Agreed { client, .. }
            | Happening::Held { on: HoldOn::Server { client, .. } | HoldOn::Client { client }, .. }
            | Happening::Lifted { on: HoldOn::Server { client, .. } | HoldOn::Client { client } } => {
                Concerns::Client(client.clone())
            }
            Happening::BackupsFail { .. }
            | Happening::BackedUp { .. }
            | Happening::Silent { .. }
            | Happening::NextInstall { .. } => Concerns::Nobody,
        }
    }
}
