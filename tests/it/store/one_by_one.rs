//! A batch of generated jobs is the same jobs committed one by one: same rows, same history to the last hash, same letters.

use super::listings::client;
use super::{alert, databases, deployment, noon, notice};
use noctule::edge::store::{Changes, FeedFile, Row, Store, Stored};
use noctule::model::alert::AlertState;
use noctule::model::deployment::{Deployment, DeploymentState};
use noctule::model::event::{EventKind, NewEvent};
use noctule::model::notice::{Letter, NewNotice, Notice, NoticeState};
use noctule::model::report::ServerState;
use noctule::model::standing::Standing;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

/// A row that a generated job writes. Small numbers, so that jobs get in each other's way.
#[derive(Clone, Debug)]
enum Op {
    Deployment {
        id: i64,
        rev: i64,
        open: bool,
    },
    Alert {
        id: i64,
        rev: i64,
        open: bool,
    },
    Standing {
        server: u8,
        rev: i64,
    },
    State {
        server: u8,
        rev: i64,
    },
    File {
        name: u8,
    },
    /// A letter as a row, which may be there once only.
    Letter {
        key: u8,
    },
}

/// What a generated job does with the fleet, at most once.
#[derive(Clone, Debug)]
enum Fleet {
    Put { client: u8, rev: i64, servers: Vec<u8> },
    Remove { client: u8, rev: i64 },
}

#[derive(Clone, Debug)]
struct Job {
    ops: Vec<Op>,
    fleet: Option<Fleet>,
    /// Clients whose history gets a line.
    events: Vec<u8>,
    /// Keys of letters.
    letters: Vec<u8>,
}

fn jobs() -> impl Strategy<Value = Vec<Job>> {
    let op = prop_oneof![
        3 => (1_i64..9, 0_i64..3, any::<bool>()).prop_map(|(id, rev, open)| Op::Deployment { id, rev, open }),
        2 => (1_i64..6, 0_i64..3, any::<bool>()).prop_map(|(id, rev, open)| Op::Alert { id, rev, open }),
        1 => (0_u8..4, 0_i64..3).prop_map(|(server, rev)| Op::Standing { server, rev }),
        1 => (0_u8..4, 0_i64..2).prop_map(|(server, rev)| Op::State { server, rev }),
        1 => (0_u8..2).prop_map(|name| Op::File { name }),
        1 => (0_u8..9).prop_map(|key| Op::Letter { key }),
    ];
    let servers = proptest::collection::btree_set(0_u8..4, 0..3);
    let put = (0_u8..3, 0_i64..3, servers).prop_map(|(client, rev, servers)| Fleet::Put {
        client,
        rev,
        servers: servers.into_iter().collect(),
    });
    let remove = (0_u8..3, 1_i64..3).prop_map(|(client, rev)| Fleet::Remove { client, rev });
    let fleet = prop_oneof![6 => Just(None), 2 => put.prop_map(Some), 1 => remove.prop_map(Some)];
    let ops = proptest::collection::vec(op, 0..4);
    let (events, letters) = (proptest::collection::vec(0_u8..3, 0..3), proptest::collection::vec(0_u8..9, 0..3));
    let job =
        (ops, fleet, events, letters).prop_map(|(ops, fleet, events, letters)| Job { ops, fleet, events, letters });
    proptest::collection::vec(job, 1..40)
}

/// The `n`th job as changes. What a row is about follows from its id, as it does in real life.
fn changes(n: usize, job: &Job) -> Changes {
    let at = |rev, value: Deployment| Row::Deployment(Stored { rev, value });
    let letter = |key: &u8| NewNotice {
        letter: Letter::Retracted {
            product: "isacompta".into(),
            version: "1.0".parse().unwrap(),
            reason: n.to_string(),
            installed_on: Vec::new(),
        },
        ..notice(&key.to_string())
    };
    let mut rows: Vec<Row> = job
        .ops
        .iter()
        .map(|op| match op {
            Op::Deployment { id, rev, open } => {
                let planned = deployment(*id, &format!("s{}", id % 2), &format!("1.{}", id % 2));
                let cancelled = || DeploymentState::Cancelled { at: noon(), why: n.to_string() };
                at(*rev, if *open { planned } else { Deployment { state: cancelled(), ..planned } })
            }
            Op::Alert { id, rev, open } => {
                let state = match open {
                    true => AlertState::Open { level: 0 },
                    false => {
                        AlertState::Resolved { at: noon(), note: n.to_string(), by: None, level: 0, taken_up: None }
                    }
                };
                let mut value = alert(*id, state);
                value.cause = (id % 2).to_string();
                Row::Alert(Stored { rev: *rev, value })
            }
            Op::Standing { server, rev } => {
                let outcomes = [("isacompta".to_owned(), n.to_string())].into();
                Row::Standing(Stored { rev: *rev, value: Standing { server: format!("s{server}"), outcomes } })
            }
            Op::State { server, rev } => {
                Row::State(Stored { rev: *rev, value: (format!("s{server}"), ServerState::default()) })
            }
            Op::File { name } => Row::FeedFile(FeedFile {
                publisher: "agiris".into(),
                name: name.to_string(),
                bytes: n.to_string().into_bytes(),
            }),
            Op::Letter { key } => Row::Notice(Stored::new(Notice {
                id: 1_000 * (i64::from(*key) + 1) + n as i64,
                body: letter(key),
                state: NoticeState::Pending { next_at: noon() },
                attempts: 0,
                mail: None,
            })),
        })
        .collect();
    rows.extend(job.fleet.as_ref().map(|fleet| match fleet {
        Fleet::Put { client: id, rev, servers } => {
            let servers: Vec<String> = servers.iter().map(|server| format!("s{server}")).collect();
            let servers: Vec<&str> = servers.iter().map(String::as_str).collect();
            Row::Client(Stored { rev: *rev, value: client(&format!("c{id}"), &servers) })
        }
        Fleet::Remove { client: id, rev } => {
            Row::RemoveClient(Stored { rev: *rev, value: client(&format!("c{id}"), &[]) })
        }
    }));
    let line = |client: &u8| NewEvent::new(noon(), &format!("c{client}"), EventKind::Planned, n.to_string());
    Changes { rows, events: job.events.iter().map(line).collect(), notices: job.letters.iter().map(letter).collect() }
}

/// Whether each job goes through, by the promises alone: row after row, in memory.
#[derive(Clone, Default)]
struct Model {
    /// Table and id → revision.
    revs: BTreeMap<(&'static str, i64), i64>,
    /// What one may be open about → who is.
    open: BTreeMap<(&'static str, i64), i64>,
    /// Server → client.
    places: BTreeMap<u8, u8>,
    /// Keys of letters.
    letters: BTreeSet<u8>,
}

impl Model {
    fn take(&mut self, job: &Job) -> bool {
        let mut next = self.clone();
        let done = next.apply(job).is_some();
        if done {
            *self = next;
        }
        done
    }

    fn apply(&mut self, job: &Job) -> Option<()> {
        for op in &job.ops {
            match op {
                Op::Deployment { id, rev, open } => self.put("deployment", *id, *rev, Some(*open))?,
                Op::Alert { id, rev, open } => self.put("alert", *id, *rev, Some(*open))?,
                Op::Standing { server, rev } => self.put("standing", i64::from(*server), *rev, None)?,
                Op::State { server, rev } => self.put("state", i64::from(*server), *rev, None)?,
                Op::File { .. } => {}
                Op::Letter { key } => self.letters.insert(*key).then_some(())?,
            }
        }
        match &job.fleet {
            None => {}
            Some(Fleet::Remove { client, rev }) => {
                let known = self.revs.remove(&("client", i64::from(*client)))?;
                (known == *rev).then_some(())?;
                self.places.retain(|_, owner| owner != client);
            }
            Some(Fleet::Put { client, rev, servers }) => {
                self.put("client", i64::from(*client), *rev, None)?;
                self.places.retain(|_, owner| owner != client);
                for server in servers {
                    self.places.insert(*server, *client).is_none().then_some(())?;
                }
            }
        }
        self.letters.extend(&job.letters);
        Some(())
    }

    fn put(&mut self, table: &'static str, id: i64, rev: i64, open: Option<bool>) -> Option<()> {
        (self.revs.get(&(table, id)).copied().unwrap_or(0) == rev).then_some(())?;
        self.revs.insert((table, id), rev + 1);
        let about = (table, id % 2);
        if let Some(open) = open {
            let holder = self.open.get(&about).copied();
            match (open, holder) {
                (true, Some(other)) if other != id => return None,
                (true, _) => _ = self.open.insert(about, id),
                (false, Some(other)) if other == id => _ = self.open.remove(&about),
                (false, _) => {}
            }
        }
        Some(())
    }
}

/// Everything that can be read of a store that these jobs write.
async fn everything(store: &Store) -> Vec<String> {
    let mut all = Vec::new();
    let mut add = |what: &dyn std::fmt::Debug| all.push(format!("{what:?}"));
    add(&store.deployments(&Default::default()).await.unwrap());
    add(&store.alerts(true).await.unwrap());
    add(&store.standings().await.unwrap());
    add(&store.states().await.unwrap());
    add(&store.clients().await.unwrap());
    add(&store.feed_files("agiris", "").await.unwrap());
    add(&store.events(&Default::default()).await.unwrap());
    add(&store.notices(None, 10_000).await.unwrap());
    for server in 0..4 {
        add(&store.client_of_server(&format!("s{server}")).await.unwrap().map(|client| client.value.id));
    }
    add(&store.verify_chain(None).await.unwrap());
    all
}

/// Commits the jobs one by one in a store and all at once in another, and finds no difference.
async fn compare(one: &Store, many: &Store, jobs: &[Job]) {
    let mut model = Model::default();
    let mut alone = Vec::new();
    for (n, job) in jobs.iter().enumerate() {
        let done = one.commit(changes(n, job)).await;
        assert_eq!(done.is_ok(), model.take(job), "job {n} alone: {done:?}");
        alone.push(done.map_err(|error| error.to_string()));
    }
    let batch = jobs.iter().enumerate().map(|(n, job)| changes(n, job)).collect();
    let together = many.commit_batch(batch).await.unwrap();
    let together: Vec<_> = together.into_iter().map(|done| done.map_err(|error| error.to_string())).collect();
    assert_eq!(together, alone);
    assert_eq!(everything(many).await, everything(one).await);
    assert_eq!(many.verify_chain(None).await.unwrap(), []);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn a_batch_is_its_jobs_one_by_one(jobs in jobs(), on_sqlite in any::<bool>()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let jobs = &jobs;
        runtime.block_on(databases::each(|store| async move {
            // The other way of committing is on SQLite, so that the databases are compared too.
            let dir = tempfile::tempdir().unwrap();
            let sqlite = Store::open(&format!("sqlite:{}", dir.path().join("n.db").display())).await.unwrap();
            match on_sqlite {
                true => compare(&store, &sqlite, jobs).await,
                false => compare(&sqlite, &store, jobs).await,
            }
            sqlite.close().await.unwrap();
        }));
    }
}
