//! # Noctule
//!
//! Keeps the software of many customers up to date under a contract, at night, and can prove it. A managed-service
//! provider runs it for accounting firms: it follows the publishers' signed feeds, installs minor updates the night
//! after publication, installs majors when the client has asked with five working days' notice, tells the client by
//! letter, and keeps a history that says why, with the clause.
//!
//! ## The house
//!
//! ```text
//! 4  cli   web   sim        faces: commands · agent protocol and API · the demo
//! 3  work                   load → decide → commit; one file per job
//! 2  edge  ‖  decide        the world ‖ the thinking (siblings: neither sees the other)
//! 1  model                  the nouns
//! ```
//!
//! Imports go downward only; `tests/it/tidy.rs` enforces it, and that no file outgrows what one can hold in the head.
//!
//! ## The laws
//!
//! 1. No state change without its event and its notices in the same transaction: everything that changes goes through
//!    [`edge::store::Store::commit`], which takes rows, events and notices together. Rows carry a revision, so a job that
//!    lost a race writes nothing, and its next activation is the retry.
//! 2. Only [`edge::clock`] reads the time, only [`edge::secret`] makes randomness; everything else is told.
//! 3. Every "no" and "not yet" is data with a rule's id ([`model::rule::Rule`], the one place where a reader finds any
//!    of the contract's rules), not a log line.
//! 4. The network is never awaited inside a transaction.
//! 5. What a machine *says* it runs after an installation is the truth, not that the installer returned 0.
//! 6. No hashed event holds what a person is called or wrote: it names them by salted digests ([`model::event::NewEvent`]'s
//!    `personal`), so that a person can be erased and the chain holds.
//!
//! ## The data's way
//!
//! 1. **Manifest.** [`work::intake`] follows each feed (TUF), verifies, mirrors the package, and keeps metadata and
//!    releases in one commit.
//! 2. **Request.** [`work::requests`] answers a client as [`decide::requests`] judges: refused with the arithmetic, or
//!    accepted with its slot. [`work::agreements`], [`work::concertation`], [`work::holds`] and [`work::resume`]
//!    record what else people may say.
//! 3. **Plan.** [`work::planning`] loads a [`decide::world`], asks [`decide::planner`] for each server, and writes what
//!    [`decide::reconcile`] finds to differ: deployments, moves, cancellations, events, letters, alerts. Planning twice
//!    changes nothing. [`decide::checker`], which shares only the nouns with the planner, looks at every plan before it is
//!    written: what it finds fatal blocks that server's commit and alerts staff.
//! 4. **Check-in.** [`work::checkin`] hands an action out inside its slot only, after asking again whether it stands.
//! 5. **Install.** [`work::agent`] verifies everything itself from the root it pinned, journals each dangerous step,
//!    and finishes or restores after any interruption.
//! 6. **Settle.** [`decide::settle`] turns its report into transitions, events, letters and alerts, [`work::settle`] writes them.
//! 7. **Post.** [`work::post`] sends what is in the outbox, outside any transaction, with a stable Message-ID;
//!    [`decide::letters::gather`] says what goes in one mail and what waits for the morning. [`work::webhook`] tells a ticketing
//!    tool of alerts in the same way: what [`decide::calls`] writes waits in a table of its own, in order, until it is taken.
//! 8. **Look back.** [`decide::report`] says what a client's month came to; [`decide::recount`] works the same facts out from
//!    the history alone and shares no code with it, so that the two check each other.
//! 9. The history, the plan and `explain` read the same rows and the same planner; there is no second logic.
//!
//! ## How a fleet is planned
//!
//! The planner sees one server at a time; what binds servers enters as data. [`decide::almanac`] works a contract's windows
//! out once for all servers of one calendar. [`decide::rollout`] says how a release fares, [`decide::load`] what others take
//! of the client's line and of staff; [`decide::rounds`] goes through the fleet and looks again at those who gave way, so
//! that what is left over is found in the same planning. Where products get in each other's way, another of their releases
//! may go instead: each try is settled whole, and kept only where more deadlines are met and none is missed that was. Reasons
//! are data until somebody reads or writes them: a hundred thousand servers are weighed without a word.
//!
//! It is proven four ways: tables for every rule, one unit either side; the checker's, broken once for each rule; laws over
//! generated worlds (`decide/laws`), among them that deadlines are met whenever an exhaustive search finds any schedule that
//! meets them; and [`sim::fleet`], which plays months of a fleet through the real planner, hand-out, settling and letters,
//! with faults, and looks for violations.
//!
//! ## Decisions that differ from what one might expect
//!
//! - **One shape for all nouns.** Tables hold typed columns that are searched by and a JSON body that is the noun, so one
//!   code path over SeaORM's query builder serves SQLite and PostgreSQL; what may be open only once is a partial unique
//!   index on both.
//! - **One deployment per attempt.** A retry is a new row and a new action: clients of the agent protocol close an
//!   action for ever. Deployments that install together share an action and have positions in it.
//! - **Held keeps its promise.** A deployment that is held near its slot stays planned: should the backup come at 02:00,
//!   it goes at 02:05. Hand-out asks the planner again, so nothing held leaves.
//! - **A newer minor never costs an older one its deadline**: the older goes first where both cannot be in time.
//! - **What is attended never shares a slot with what is not**: a night update that needs a manual one follows it.
//! - **The retry slot of a major** is kept by taking the last slot but one before the client's date: as much warning for
//!   the users as the contract allows, and one slot to spare.
//! - **The agent can be built alone.** Without the feature `orchestrator` the crate is the agent and what it stands on: a
//!   server of somebody else's gets no more. Each floor lists what only the orchestrator has in one block, and Windows is
//!   built and tested that way (`.ci/windows`), so that nothing of the agent can come to lean on it.
//! - **One reader of packages.** A zip says everything twice, and readers differ in which they believe. Ours
//!   ([`edge::host::archive`]) demands that both agree and that every byte has one owner; what it judged is what it
//!   unpacks, so no second parser can see something else. Publishers ask the same reader before they sign.
#![forbid(unsafe_code)]

pub mod cli;
pub mod decide;
pub mod edge;
pub mod model;
#[cfg(feature = "orchestrator")]
pub mod sim;
#[cfg(feature = "orchestrator")]
pub mod web;
pub mod work;
