//! What became of each device, in a table and in a line, and of the send as a whole when it failed.

use crate::options::KEY;
use gcm_proto::{Advice, Code, Endpoint, Failure, Outcome, Progress, Report, Sent, Service, Settled, Token, Wire};
use std::fmt;
use std::io::{self, Write};
use std::mem::{Discriminant, discriminant};
use std::time::{Duration, SystemTime};

/// Says why nothing goes on, once for each thing that is waited for.
#[derive(Default)]
pub(crate) struct Waits(Option<Discriminant<Service>>);

impl Waits {
    /// How often to look: what is over sooner need not be said.
    pub(crate) const GLANCE: Duration = Duration::from_secs(1);

    /// Looks at a send that gives up after this time.
    pub(crate) fn look(&mut self, progress: &Progress, give_up_after: Duration) {
        let kind = Some(discriminant(&progress.service));
        if progress.trouble.is_none() || self.0 == kind {
            return;
        }
        // What a client's times count from.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        if let Some(waits) = progress.describe(now.unwrap_or_default()) {
            self.0 = kind;
            let at_most = give_up_after.as_secs();
            let _ = writeln!(io::stdout(), "waiting, {at_most} s at most: {waits}");
        }
    }
}

/// How many devices there are of each kind.
#[derive(Default)]
pub(crate) struct Summary {
    devices: u64,
    accepted: u64,
    replaced: u64,
    gone: u64,
    pub(crate) left: u64,
    /// Of those left, who may have got the message all the same.
    pub(crate) perhaps: u64,
    to_fix: u64,
    unknown: u64,
}

impl Summary {
    pub(crate) fn of(report: &Report) -> Self {
        let mut summary = Self::default();
        for done in report {
            summary.add(&done.outcome);
        }
        summary
    }

    fn add(&mut self, outcome: &Outcome) {
        self.devices += 1;
        self.accepted += u64::from(outcome.accepted().is_some());
        match (outcome.advice(), outcome) {
            (Advice::Keep, Outcome::Accepted(_)) => {}
            (Advice::Replace(_), _) => self.replaced += 1,
            (Advice::Remove, _) => self.gone += 1,
            (Advice::Retry(_), Outcome::Failed(failure)) => {
                self.left += 1;
                self.perhaps += u64::from(may_have_arrived(failure));
            }
            (Advice::FixRequest | Advice::FixCredentials | Advice::ServiceGone, _) => self.to_fix += 1,
            _ => self.unknown += 1,
        }
    }
}

impl fmt::Display for Summary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} accepted", number(self.devices, "device"), self.accepted)?;
        for (count, kind) in [
            (self.replaced, "of them with a new token"),
            (self.gone, "gone"),
            (self.left, "to be sent to again"),
            (self.to_fix, "to be fixed"),
            (self.unknown, "unknown"),
        ] {
            if count > 0 {
                write!(f, ", {count} {kind}")?;
            }
        }
        Ok(())
    }
}

pub(crate) fn print_report(out: &mut impl Write, report: &Report) -> io::Result<()> {
    writeln!(out)?;
    print_row(out, "device", "outcome", "attempts", "what to do")?;
    for done in report {
        print_settled(out, done)?;
    }
    writeln!(out, "\n{}", Summary::of(report))
}

/// What only a legacy wire says.
pub(crate) fn print_replaced(out: &mut impl Write, report: &Report) -> io::Result<()> {
    let mut replaced = report
        .iter()
        .filter(|done| matches!(done.outcome.advice(), Advice::Replace(_)))
        .peekable();
    if replaced.peek().is_some() {
        writeln!(
            out,
            "\nFCM HTTP v1 never tells of a new token. Over the legacy JSON wire the emulator does:\n"
        )?;
    }
    replaced.try_for_each(|done| print_settled(out, done))
}

#[allow(clippy::needless_pass_by_value)] // for `map_err`
pub(crate) fn unwritten(error: io::Error) -> String {
    format!("the standard output: {error}")
}

/// Those who got the message.
pub(crate) fn accepted(report: &Report) -> Vec<Token> {
    let accepted = report.accepted().filter_map(|(done, _)| done.target.as_token());
    accepted.cloned().collect()
}

/// The first failure, when nothing came back but refusals of whole requests, or of every token for one reason that no token
/// is to blame for: then there is something to fix first.
pub(crate) fn failure_of_all(report: &Report) -> Option<&Failure> {
    let judged = |failure: &Failure| {
        let in_results = failure.status().is_none_or(|status| status == 200);
        failure.sent() == Sent::Responded && (in_results || failure.advice() == Advice::Remove)
    };
    let all = report
        .iter()
        .all(|done| done.outcome.failure().is_some_and(|f| !judged(f)));
    let mut failures = report.failed().map(|(_, failure)| failure).filter(|_| all);
    let first = failures.next();
    // Those that were not tried only repeat it.
    first
        .into_iter()
        .chain(failures)
        .find(|failure| was_tried(failure))
        .or(first)
}

/// Whether the message was on its way for it, or a connection was tried at least.
fn was_tried(failure: &Failure) -> bool {
    failure.attempts() > 0 || failure.unsent() > 0
}

/// A failure that is not about a device, on one line.
pub(crate) fn explain(failure: &Failure, wire: Wire, endpoint: &Endpoint) -> String {
    if wire == Wire::Json && *failure.code() == Code::Unauthorized {
        let status = failure.status().map_or(401, |status| status.as_u16());
        return format!("{endpoint}: the server key in {KEY} was refused (HTTP {status})");
    }
    match failure.message() {
        // There was no access token to try with. It says from where.
        Some(detail) if !was_tried(failure) => detail.to_owned(),
        // What the transport says is all there is.
        Some(detail) if failure.status().is_none() => format!("{endpoint}: {detail}"),
        // A refusal of the account says which URL was asked.
        Some(detail) if detail.contains(&endpoint.to_string()) => failure.to_string(),
        _ => format!("{endpoint}: {failure}"),
    }
}

/// `1 device`, `2 devices`.
pub(crate) fn number(count: u64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

fn print_settled(out: &mut impl Write, done: &Settled) -> io::Result<()> {
    let outcome = match &done.outcome {
        Outcome::Accepted(_) => "accepted".to_owned(),
        Outcome::Failed(failure) => failure.code().to_string(),
    };
    let advice = match done.outcome.advice() {
        // The delay differs from run to run.
        Advice::Retry(Some(_)) => "send again later".to_owned(),
        advice => advice.to_string(),
    };
    let device = done.target.as_token().map(Token::short).unwrap_or_default();
    print_row(out, &device, &outcome, &done.attempts.to_string(), &advice)
}

fn print_row(out: &mut impl Write, device: &str, outcome: &str, attempts: &str, advice: &str) -> io::Result<()> {
    writeln!(out, "{device:<9}{outcome:<27}{attempts:<10}{advice}")
}

/// No response came to the last attempt, or one of a service in trouble: such have been seen to be delivered.
fn may_have_arrived(failure: &Failure) -> bool {
    failure.sent() == Sent::MaybeSent || failure.status().is_some_and(|status| status.is_server_error())
}
