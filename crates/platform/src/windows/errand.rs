//! What has to be done inside a session with a user's own rights: this program again, as that user, for a moment.
//!
//! A window takes messages, and a console control events, only from its own session, and a program of higher rights only from one
//! that has them, too. So the helper is started with the token of the very process that it is about, and what it can do is what
//! that process could do itself. It inherits nothing, knows process ids and nothing else, and says in its exit code how many it
//! could not ask; a user who forges that has lied about their own agent.

use std::collections::BTreeMap;
use std::io;
use std::os::windows::io::AsHandle as _;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::runtime::Handle;
use windows_sys::Win32::Security::{TOKEN_DUPLICATE, TOKEN_QUERY};

use super::create::{Birth, Console};
use super::credentials::{Desktop, PrimaryToken};
use super::helper::{END, MARK};
use super::image::Image;
use super::job::Job;
use super::pipe_reader::nothing;
use super::root::Root;
use super::sid::Sid;
use super::spawn::aside;
use super::station::session_of;
use super::token::Token;
use super::{is_privileged, refusal};
use crate::{Cause, Command, Exit, LaunchError, Process};

/// How long a helper may take from its birth to its end.
const DONE_WITHIN: Duration = Duration::from_secs(3);

/// The session of services, which has no desktop that anybody sees.
const SERVICES: u32 = 0;

/// How many processes one helper asks. More wait for the next.
const ASKED_AT_ONCE_MAX: usize = 64;

/// Processes that have equal rights: one helper can ask them all.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    session: u32,
    /// The workers of several accounts are in one session.
    user: Sid,
    elevated: bool,
}

/// Who is still to be asked, by place. A place is here while somebody is asking there.
static WAITING: Mutex<BTreeMap<Place, Vec<Arc<Root>>>> = Mutex::new(BTreeMap::new());

/// Has a process asked to end. Returns at once; what came of it is in the log. When a hundred agents stop together, those of a
/// session are asked by one helper and not by a hundred. Needs a runtime.
pub(super) fn ask_to_end(root: Arc<Root>) -> io::Result<()> {
    let runtime = Handle::try_current().map_err(io::Error::other)?;
    let token = Token::of(root.handle())?;
    let place =
        Place { session: session_of(root.pid())?, user: token.user()?, elevated: token.is_elevated()? };
    let mut waiting = waiting();
    match waiting.get_mut(&place) {
        Some(others) => others.push(root),
        None => {
            waiting.insert(place.clone(), vec![root]);
            runtime.spawn(work_off(place));
        }
    }
    Ok(())
}

/// Asks until nobody waits at this place.
async fn work_off(place: Place) {
    while let Some(batch) = next_batch(&place) {
        let pids: Vec<u32> = batch.iter().map(|root| root.pid()).collect();
        match helper_asks(place.session, batch).await {
            Ok(0) => tracing::debug!(?pids, "asked to end"),
            Ok(silent) => tracing::info!(
                ?pids,
                "asked to end; {silent} of {} have neither a window nor a console, and are ended at the end of their grace",
                pids.len()
            ),
            Err(error) => tracing::warn!(?pids, %error, "cannot ask these processes to end"),
        }
    }
}

/// The next that are to be asked; with nobody left the place is forgotten.
fn next_batch(place: &Place) -> Option<Vec<Arc<Root>>> {
    let mut waiting = waiting();
    let others = waiting.get_mut(place)?;
    others.retain(|root| !root.has_ended());
    if others.is_empty() {
        waiting.remove(place);
        return None;
    }
    let rest = others.split_off(others.len().min(ASKED_AT_ONCE_MAX));
    Some(std::mem::replace(others, rest))
}

fn waiting() -> MutexGuard<'static, BTreeMap<Place, Vec<Arc<Root>>>> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Runs one helper; returns how many could not be asked. The processes are held until it has ended, so that their ids stay theirs.
async fn helper_asks(session: u32, batch: Vec<Arc<Root>>) -> Result<usize, Cause> {
    let program = std::env::current_exe()?;
    let roots = batch.clone();
    let helper = aside(program.clone(), move || start(program, session, &roots)).await?;
    let ended = tokio::time::timeout(DONE_WITHIN, helper.exited()).await;
    drop(batch);
    match ended {
        Ok(Exit::Code(silent)) if silent as usize <= ASKED_AT_ONCE_MAX => Ok(silent as usize),
        Ok(exit) => Err(format!("the helper failed: {exit}").into()),
        // Dropping it ends it.
        Err(_) => Err("the helper took too long".into()),
    }
}

fn start(program: std::path::PathBuf, session: u32, roots: &[Arc<Root>]) -> Result<Process, LaunchError> {
    let refused = |source| refusal::launch(&program, source);
    let token = match is_privileged() {
        true => Some(token_of(&roots[0]).map_err(refused)?),
        // In a console the helper is a child like the agents.
        false => None,
    };
    let words = [MARK.to_owned(), END.to_owned()].into_iter();
    let command = Command {
        args: words.chain(roots.iter().map(|root| root.pid().to_string())).collect(),
        cwd: program.parent().map(Into::into),
        // This very program: who can write it is the service already.
        trust_writable_program: true,
        ..Command::new(&program, "helper")
    };
    let mut image = Image::new(&command, None)?;
    let (nothing, job) = (nothing().map_err(refused)?, Job::new(false).map_err(refused)?);
    let birth = Birth {
        image: &mut image,
        token: token.as_ref(),
        desktop: if session == SERVICES { Desktop::None } else { Desktop::Interactive },
        standard: [nothing.as_handle(); 3],
        keepsake: None,
        // It enters the consoles of others, and one can be in one only.
        console: Console::Detached,
    };
    let (root, job) = birth.in_job(job, &command.name).map_err(refused)?;
    Process::new(root, job, None).map_err(refused)
}

/// The token of a process, to start another with: the same rights in the same session.
fn token_of(root: &Root) -> io::Result<PrimaryToken> {
    PrimaryToken::from_token(&Token::of_with(root.handle(), TOKEN_QUERY | TOKEN_DUPLICATE)?)
}
