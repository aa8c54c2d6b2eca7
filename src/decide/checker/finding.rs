//! What the checker has to say: one broken rule of one server and product.

use crate::model::rule::Rule;
use std::fmt;

/// How much a finding weighs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth a look: whether the contract is broken takes judgement.
    Warning,
    /// The contract would be broken: nothing of it may be committed.
    Fatal,
}

/// One rule that a plan, a hand-out or a result breaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    pub severity: Severity,
    pub rule: Rule,
    pub client: String,
    /// Empty where it is about more than one server.
    pub server: String,
    /// Empty where it is about more than one product.
    pub product: String,
    /// What is wrong and what would be right; instants in site time.
    pub text: String,
}

impl Finding {
    pub fn is_fatal(&self) -> bool {
        self.severity == Severity::Fatal
    }
}

impl Severity {
    /// As printed: `fatal`.
    pub fn name(self) -> &'static str {
        match self {
            Severity::Warning => "warning",
            Severity::Fatal => "fatal",
        }
    }
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// `fatal: minor-night (3.1.b.3): isacompta on srv-durand of durand: the deadline is …`
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.severity, self.rule)?;
        if let Some(clause) = self.rule.clause() {
            write!(f, " ({clause})")?;
        }
        f.write_str(": ")?;
        match (self.product.is_empty(), self.server.is_empty()) {
            (false, false) => write!(f, "{} on {} of {}", self.product, self.server, self.client)?,
            (true, false) => write!(f, "{} of {}", self.server, self.client)?,
            (false, true) => write!(f, "{} of {}", self.product, self.client)?,
            (true, true) => f.write_str(&self.client)?,
        }
        write!(f, ": {}", self.text)
    }
}

/// Collects the findings of one server.
pub(super) struct Findings<'a> {
    pub client: &'a str,
    pub server: &'a str,
    pub found: Vec<Finding>,
}

impl Findings<'_> {
    pub fn fatal(&mut self, rule: Rule, product: &str, text: String) {
        self.add(Severity::Fatal, rule, product, text);
    }

    pub fn warn(&mut self, rule: Rule, product: &str, text: String) {
        self.add(Severity::Warning, rule, product, text);
    }

    /// Makes warnings of everything from the `first`th finding on.
    pub fn soften(&mut self, first: usize) {
        self.found[first..].iter_mut().for_each(|found| found.severity = Severity::Warning);
    }

    fn add(&mut self, severity: Severity, rule: Rule, product: &str, text: String) {
        self.found.push(Finding {
            severity,
            rule,
            client: self.client.to_owned(),
            server: self.server.to_owned(),
            product: product.to_owned(),
            text,
        });
    }
}
