//! What people are shown: history, plan, explanation, fleet, letters. Read models, nothing is changed here.
//!
//! The JSON of these rows is what `--format json` prints and what others parse: fields are added, never renamed.

mod explain;
mod fleet;
mod history;
mod letters;
mod plan;
mod reason;
mod report;
mod status;

pub use explain::{ExplainedDecision, Explanation, explain};
pub use fleet::{BackupRow, ServerRow, fleet};
pub use history::{HistoryRow, RequestRef, SlotRow, TransferRow, history, search};
pub use letters::{NoticeRow, notice_row, notices};
pub use plan::{PlanFilter, PlanRow, plan};
pub use reason::{ExplainedReason, ReasonRow};
pub use report::{Difference, ReportError, Verified, report, verify};
pub use status::{FeedRow, HeldRow, OpenAlert, Outbox, SilentRow, Status, TonightRow, status};
