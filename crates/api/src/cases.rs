//! The work on violations (违规处置): where it stands, by when the next step is due, and the steps that people take.

use std::collections::{BTreeMap, BTreeSet};

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use model::{
    CaseId, CaseState, CaseStep, Change, CommandBody, FactId, Permission, Registry, Standing, Step, StepTaken,
    Timestamp,
};
use rules::case::Case;
use serde::{Deserialize, Serialize};
use store::{FactRow, StoreError};
use utoipa::ToSchema;

use crate::app::App;
use crate::change::{Done, Pending, submit};
use crate::commands;
use crate::dto::Time;
use crate::extract::{Body, Caller, Name};
use crate::facts::{self, ViolationDetail};
use crate::lookup;
use crate::problem::{Kind, Problem};

/// A step that is expected.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct DueView {
    /// `remind`, `acknowledge`, `dispose` or `close`.
    step: &'static str,
    /// By when.
    by: Time,
}

/// A step that was taken.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct StepView {
    /// `remind` (提醒), `acknowledge` (受理), `dispose` (处置), `close` (办结), `false` (误报), `reopen` (重开) or `note` (备注).
    step: &'static str,
    /// By whom.
    by: String,
    /// When it was recorded.
    at: Time,
    /// What they said.
    text: String,
    /// On which violation: this one, or one in whose place it was found.
    violation: String,
}

/// The work on a violation.
pub(crate) struct Work {
    pub(crate) case: Case,
    pub(crate) steps: Vec<StepTaken>,
}

impl Work {
    /// On these violations as one; of some of all the cab was told.
    fn of(registry: &Registry, row: &FactRow, ids: &[FactId], told: &BTreeSet<FactId>) -> Self {
        let mut steps: Vec<&StepTaken> = ids.iter().flat_map(|id| registry.records().steps(CaseId(id.0))).collect();
        steps.sort_by_key(|taken| taken.seq);
        let is_told = ids.iter().any(|id| told.contains(id));
        let begun = if is_told { CaseState::Reminded } else { row.case_state };
        let case = Case::of(registry, &row.fact, (row.raised_at, begun), &steps);
        Self { case, steps: steps.into_iter().cloned().collect() }
    }

    pub(crate) fn due(&self) -> Option<DueView> {
        self.case.due.map(|(step, by)| DueView { step: step.name(), by: Time(by) })
    }

    pub(crate) fn is_overdue(&self, now: Timestamp) -> bool {
        self.case.is_overdue(now)
    }

    pub(crate) fn steps(&self) -> Vec<StepView> {
        let view = |taken: &StepTaken| StepView {
            step: taken.step.step.name(),
            by: taken.actor.clone(),
            at: Time(taken.at),
            text: taken.step.text.clone(),
            violation: taken.step.case.to_string(),
        };
        self.steps.iter().map(view).collect()
    }
}

/// The work on each of these violations: on itself, and on those in whose place it was found.
pub(crate) async fn works(app: &App, registry: &Registry, rows: &[FactRow]) -> Result<Vec<Work>, StoreError> {
    let ids: Vec<FactId> = rows.iter().filter(|row| row.fact.kind.is_violation()).map(|row| row.fact.id).collect();
    let mut before: BTreeMap<FactId, Vec<FactId>> = BTreeMap::new();
    for (one, after) in app.deps.store.replaced_by(&ids).await? {
        before.entry(after).or_default().push(one);
    }
    let families: Vec<_> = rows.iter().map(|row| family(&before, row.fact.id)).collect();
    let told = app.deps.store.told(&families.concat()).await?.into_iter().collect();
    Ok(rows.iter().zip(&families).map(|(row, ids)| Work::of(registry, row, ids, &told)).collect())
}

/// It, those in whose place it was found, and those in whose place they were.
fn family(before: &BTreeMap<FactId, Vec<FactId>>, id: FactId) -> Vec<FactId> {
    let mut all = vec![id];
    let mut at = 0;
    while let Some(one) = all.get(at).copied() {
        let more = before.get(&one).map(Vec::as_slice).unwrap_or_default();
        all.extend(more.iter().filter(|id| !all.contains(id)).copied().collect::<Vec<_>>());
        at += 1;
    }
    all
}

/// A step to be taken.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewStep {
    /// `remind`, `acknowledge`, `dispose`, `close`, `false`, `reopen` or `note`.
    #[schema(example = "acknowledge")]
    step: String,
    /// What is said: the cause and what was done, why it was none. Of `remind` the text that goes to the cab, if one is
    /// to go.
    #[serde(default)]
    text: String,
}

/// Takes a step on a violation. It is recorded in the journal with who and when. The same step with the same text by the
/// same person once more is answered and not recorded again. A `remind` with a text also sends it to the cab (0x8300).
///
/// `close`, `false` and `reopen` need the permission `CasesDecide`.
#[utoipa::path(post, path = "/api/v1/violations/{id}/steps", tag = "violations", operation_id = "take_step",
    params(("id" = String, Path, description = "`x_...`")), request_body = NewStep,
    responses((status = 200, description = "Taken", body = ViolationDetail),
        (status = 202, description = "Recorded, not yet in force", body = Pending)))]
pub(crate) async fn step(
    State(app): State<App>,
    Caller(who): Caller,
    Name(id): Name,
    Body(new): Body<NewStep>,
) -> Result<Response, Problem> {
    let id: CaseId = lookup::id("violation", &id)?;
    let step = known(&new)?;
    if decides(step) && !who.may(Permission::CasesDecide) {
        let detail = format!("the role {} may not {} (CasesDecide)", who.role.name(), step.name());
        return Err(Problem::new(Kind::Forbidden, detail));
    }
    app.caught_up().await?;
    let rows = facts::violation_rows(&app, who.scope, id).await?;
    let registry = app.registry();
    let work = works(&app, &registry, rows.get(..1).unwrap_or_default()).await?;
    let (Some(row), Some(work)) = (rows.first(), work.first()) else {
        return Err(Problem::not_found(format_args!("violation {id}")));
    };
    let mut changes = Vec::new();
    if !is_again(work, &who.name, step, &new.text) {
        may_follow(id, row, work.case.state, step)?;
        if step == Step::Remind && !new.text.is_empty() {
            let body = CommandBody::Text { text: new.text.clone(), urgent: true, spoken: true };
            changes.push(Change::CommandRequest(commands::to_cab(&app, &registry, row.fact.vehicle, body)?));
        }
        changes.push(Change::CaseStep(CaseStep { case: id, step, text: new.text }));
    }
    let response = submit(&app, &who, changes, || Done::<()> {
        status: StatusCode::NO_CONTENT,
        body: None,
        id: Some(id.to_string()),
        location: None,
    })
    .await?;
    if response.status() != StatusCode::NO_CONTENT {
        return Ok(response);
    }
    let registry = app.registry();
    let detail = facts::detail(&app, &registry, &rows, intake::Crs::Wgs84).await?;
    Ok(Json(detail).into_response())
}

fn known(new: &NewStep) -> Result<Step, Problem> {
    let step = Step::from_name(&new.step).ok_or_else(|| {
        let names: Vec<_> = Step::ALL.iter().map(|step| step.name()).collect();
        Problem::invalid("step", format_args!("must be one of {}", names.join(", ")))
    })?;
    if new.text.trim().is_empty() && matches!(step, Step::Dispose | Step::False | Step::Reopen | Step::Note) {
        return Err(Problem::invalid("text", "must say what was done, or why"));
    }
    Ok(step)
}

/// What a supervisor decides, not the carrier.
const fn decides(step: Step) -> bool {
    matches!(step, Step::Close | Step::False | Step::Reopen)
}

fn may_follow(id: CaseId, row: &FactRow, state: CaseState, step: Step) -> Result<(), Problem> {
    if row.fact.standing == Standing::Void {
        let instead = row.superseded_by.map(|id| format!(": {} was found in its place", CaseId(id.0)));
        let detail = format!("{id} was judged again and does not hold{}", instead.unwrap_or_default());
        return Err(Problem::new(Kind::Conflict, detail));
    }
    if state.after(step).is_none() {
        let detail = format!("{id} is {}: {} cannot follow", state.name(), step.name());
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok(())
}

/// Whether somebody asks once more for the step that they took last.
fn is_again(work: &Work, who: &str, step: Step, text: &str) -> bool {
    work.steps
        .last()
        .is_some_and(|last| (last.actor.as_str(), last.step.step, last.step.text.as_str()) == (who, step, text))
}
