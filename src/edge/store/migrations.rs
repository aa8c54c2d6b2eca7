//! The tables. One change each, never edited after a release, the same for SQLite and PostgreSQL.
//!
//! A noun is a row of typed columns that are searched by, and a JSON body that is the noun itself. Text is compared by
//! its bytes on both databases, so that both list in the same order.

mod m0002_planning;
mod m0003_sharing;
mod m0010_holds;
mod m0011_agreements;
mod m0012_refused;
mod m0020_review;
mod m0021_keys;
mod m0022_history;
mod m0025_personal;
mod m0030_calls;

use sea_orm::DatabaseBackend;
use sea_orm_migration::prelude::*;

pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(M0001Nouns),
            Box::new(m0002_planning::M0002Planning),
            Box::new(m0003_sharing::M0003Sharing),
            Box::new(m0010_holds::M0010Holds),
            Box::new(m0011_agreements::M0011Agreements),
            Box::new(m0012_refused::M0012Refused),
            Box::new(m0020_review::M0020Review),
            Box::new(m0021_keys::M0021Keys),
            Box::new(m0022_history::M0022History),
            Box::new(m0025_personal::M0025Personal),
            Box::new(m0030_calls::M0030Calls),
        ]
    }
}

struct M0001Nouns;

impl MigrationName for M0001Nouns {
    fn name(&self) -> &str {
        "m0001_nouns"
    }
}

/// Table, columns that are searched by (an `i:` prefix marks an integer), indexes over them.
type Noun = (&'static str, &'static [&'static str], &'static [&'static [&'static str]]);

const NOUNS: [Noun; 12] = [
    ("client", &[], &[]),
    ("server_state", &[], &[]),
    ("release", &["product"], &[&["product"]]),
    (
        "deployment",
        &["client", "server", "product", "version", "state", "i:action", "i:slot_start"],
        &[&["server", "state"], &["client", "slot_start"], &["action"], &["slot_start"]],
    ),
    ("request", &["client"], &[&["client"]]),
    ("agreement", &["client"], &[]),
    ("alert", &["cause", "state"], &[&["state"]]),
    ("notice", &["notice_key", "client", "state", "i:next_at"], &[&["state", "next_at"], &["client"]]),
    ("feed", &[], &[]),
    ("token", &[], &[]),
    ("enrolment", &[], &[]),
    ("standing", &[], &[]),
];

/// What may exist once only, for as long as it is open.
const UNIQUE: [&str; 4] = [
    "CREATE UNIQUE INDEX one_open_deployment ON deployment (server, product, version) WHERE state IN ('planned', 'running')",
    "CREATE UNIQUE INDEX one_open_alert ON alert (cause) WHERE state <> 'resolved'",
    "CREATE UNIQUE INDEX one_notice_per_key ON notice (notice_key)",
    "CREATE UNIQUE INDEX one_event_per_place ON event (client, seq)",
];

fn name(text: &str) -> Alias {
    Alias::new(text)
}

/// A column of text. PostgreSQL would otherwise order it by the rules of the language the server was set up in.
fn text(manager: &SchemaManager<'_>, column: &str) -> ColumnDef {
    let mut column = ColumnDef::new(name(column));
    column.string().not_null();
    if manager.get_database_backend() == DatabaseBackend::Postgres {
        column.extra("COLLATE \"C\"");
    }
    column
}

fn integer(column: &str) -> ColumnDef {
    ColumnDef::new(name(column)).big_integer().not_null().to_owned()
}

/// Makes the tables of `nouns` with their indexes.
async fn nouns(manager: &SchemaManager<'_>, nouns: &[Noun]) -> Result<(), DbErr> {
    for (table, columns, indexes) in nouns.iter().copied() {
        let mut create = Table::create();
        create
            .table(name(table))
            .col(text(manager, "id").primary_key())
            .col(integer("rev"))
            .col(ColumnDef::new(name("body")).text().not_null());
        for column in columns {
            match column.strip_prefix("i:") {
                Some(column) => create.col(integer(column)),
                None => create.col(text(manager, column)),
            };
        }
        manager.create_table(create.to_owned()).await?;
        for over in indexes {
            let mut index = Index::create();
            index.name(format!("{table}_by_{}", over.join("_"))).table(name(table));
            for column in *over {
                index.col(name(column));
            }
            manager.create_index(index.to_owned()).await?;
        }
    }
    Ok(())
}

#[async_trait::async_trait]
impl MigrationTrait for M0001Nouns {
    async fn up(&self, manager: &SchemaManager) -> Result<(), DbErr> {
        nouns(manager, &NOUNS).await?;
        self.others(manager).await?;
        for statement in UNIQUE {
            manager.get_connection().execute_unprepared(statement).await?;
        }
        Ok(())
    }

    async fn down(&self, _: &SchemaManager) -> Result<(), DbErr> {
        Err(DbErr::Custom("the first tables cannot be taken away: that would be the history".to_owned()))
    }
}

impl M0001Nouns {
    /// History, where each server belongs, mirrored files, counters and last-seen times have shapes of their own.
    async fn others(&self, manager: &SchemaManager<'_>) -> Result<(), DbErr> {
        let mut event = Table::create();
        event.table(name("event")).col(text(manager, "id").primary_key());
        for column in ["client", "server", "prev", "hash"] {
            event.col(text(manager, column));
        }
        for column in ["seq", "deployment", "at"] {
            event.col(integer(column));
        }
        manager.create_table(event.col(ColumnDef::new(name("body")).text().not_null()).to_owned()).await?;
        for column in ["deployment", "at", "server"] {
            let index =
                Index::create().name(format!("event_by_{column}")).table(name("event")).col(name(column)).to_owned();
            manager.create_index(index).await?;
        }
        let chain = Table::create()
            .table(name("chain"))
            .col(text(manager, "client").primary_key())
            .col(integer("seq"))
            .col(text(manager, "hash"))
            .to_owned();
        manager.create_table(chain).await?;
        let server = Table::create()
            .table(name("server"))
            .col(text(manager, "id").primary_key())
            .col(text(manager, "client"))
            .foreign_key(
                ForeignKey::create()
                    .from(name("server"), name("client"))
                    .to(name("client"), name("id"))
                    .on_delete(ForeignKeyAction::Cascade),
            )
            .to_owned();
        manager.create_table(server).await?;
        let index = Index::create().name("server_by_client").table(name("server")).col(name("client")).to_owned();
        manager.create_index(index).await?;
        let file = Table::create()
            .table(name("feed_file"))
            .col(text(manager, "publisher"))
            .col(text(manager, "name"))
            .col(ColumnDef::new(name("bytes")).binary().not_null())
            .primary_key(Index::create().col(name("publisher")).col(name("name")))
            .to_owned();
        manager.create_table(file).await?;
        for (table, value) in [("counter", "last"), ("seen", "at")] {
            let table = Table::create()
                .table(name(table))
                .col(text(manager, "id").primary_key())
                .col(integer(value))
                .to_owned();
            manager.create_table(table).await?;
        }
        Ok(())
    }
}
