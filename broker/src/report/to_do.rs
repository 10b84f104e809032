//! What a person still has to do after a session, by its report.

use bg_recorder::facts::case::OPEN;
use bg_recorder::facts::revocation::Revocation;
use bg_recorder::verdict::Verdict;

use super::facts::Facts;
use super::model::{Report, Signer, ToDo};

/// Lists it.
pub fn to_do(report: &Report, facts: &Facts) -> Vec<ToDo> {
    let mut list = List(Vec::new());
    decided(&mut list, report);
    access(&mut list, report, facts);
    tape(&mut list, report);
    list.need(
        !report.untrusted.is_empty(),
        "find out who put objects in the place of facts".into(),
        None,
    );
    list.0
}

fn decided(list: &mut List, report: &Report) {
    list.need(
        report.access.forced.value,
        "review the session: it was opened without its approvals".into(),
        None,
    );
    let approvals = &report.approvals;
    list.need(
        approvals.verdict == "invalid",
        "the approvals do not hold: see the findings".into(),
        None,
    );
    let strangers = approvals.signers.iter().filter(|one| one.known == Some(false));
    for Signer { signed, person, key, .. } in strangers {
        let what = format!(
            "find out whose key {key} is: the {signed} of {person} is signed with it, and your allowed_signers do not \
             list it for that name"
        );
        list.need(true, what, None);
    }
    list.need(
        approvals.same_terms == Some(false),
        "compare the role's terms: the request was made under others than those configured here"
            .into(),
        None,
    );
}

fn access(list: &mut List, report: &Report, facts: &Facts) {
    let id = report.session;
    let live = report.tape.verdict == Verdict::Live;
    let pending = matches!(report.revocation.outcome, Some(Revocation::Pending { .. }));
    let open = report.revocation.outcome.is_none() && facts.get(OPEN).is_some();
    let close = "bg-shell reconcile".to_owned();
    list.need((pending || open) && !live, "finish the close-out".into(), Some(close));
    list.need(
        live,
        "the session is live: end it, and report again after its end".into(),
        Some(format!("bg-shell revoke {id}")),
    );
    let found = report.exposures.found.iter();
    let left = found.filter(|exposed| exposed.deactivated.is_none() && !exposed.own).count();
    let s = if left == 1 { "" } else { "s" };
    list.need(
        left > 0,
        format!(
            "make {left} exposed secret{s} worthless, as this report says, or after a yes for each"
        ),
        Some(format!("bg-shell report {id} --rotate")),
    );
}

fn tape(list: &mut List, report: &Report) {
    let id = report.session;
    let verdict = report.tape.verdict;
    let live = verdict == Verdict::Live;
    list.need(
        verdict != Verdict::Intact && !live,
        format!("find out why the tape is {verdict}"),
        Some(format!("bg-replay verify {id}")),
    );
    let unheard = !report.commands.known && report.tape.frames > 0;
    list.need(
        unheard && !live,
        "have commands and secrets read from the tape, with an opening key".into(),
        Some(format!("bg-shell report {id} --from-tape")),
    );
}

struct List(Vec<ToDo>);

impl List {
    fn need(&mut self, holds: bool, what: String, command: Option<String>) {
        if holds {
            self.0.push(ToDo { what, command });
        }
    }
}
