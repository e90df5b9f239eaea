//! The task that asks the operating system who is logged on.

use std::sync::Arc;
use std::time::Duration;

use bilayer_platform::{Alarm, Hint};
use tokio::sync::{Notify, mpsc, watch};

use super::news::News;
use super::pace::Pace;
use crate::source::Source;

/// The net below the hints.
pub(super) const RECONCILE_EVERY: Duration = Duration::from_secs(30);

/// How often in a second the sessions are enumerated at most. A user can have logind announce a change of their session as fast as
/// they ask for it, and what is enumerated is everybody's.
const PER_SECOND: u32 = 100;

/// Answers every hint, and every so long a silence, with a fresh enumeration.
///
/// An enumeration that fails changes nothing: not being able to ask who is logged on does not mean that nobody is. It is
/// tried again at the next hint or reconcile.
pub(super) async fn follow(
    mut source: Source,
    mut alarm: Alarm,
    every: Duration,
    mut greeters: watch::Receiver<bool>,
    all_ended: Arc<Notify>,
    news: mpsc::Sender<News>,
) {
    let mut failing = false;
    let mut pace = Pace::of(PER_SECOND);
    loop {
        pace.keep().await;
        source.list_greeters(*greeters.borrow_and_update());
        match source.enumerate().await {
            Ok(sessions) => {
                if std::mem::take(&mut failing) {
                    tracing::info!("sessions can be enumerated again");
                }
                if news.send(News::Sessions(sessions)).await.is_err() {
                    return;
                }
            }
            Err(error) => {
                let error = crate::chain(&error);
                if !std::mem::replace(&mut failing, true) {
                    tracing::error!(
                        %error,
                        "cannot enumerate the sessions; agents stay as they are and it is tried again at the next change, \
                         or in {} s", every.as_secs(),
                    );
                }
                if news.send(News::SessionsUnknown(error)).await.is_err() {
                    return;
                }
            }
        }
        alarm.set(Some(bilayer_platform::now().saturating_add(every.as_nanos() as u64)));
        let hint = tokio::select! {
            hint = source.hint() => hint,
            () = alarm.ring() => Hint::Sessions,
            Ok(()) = greeters.changed() => continue,
            () = all_ended.notified() => {
                source.release_shutdown();
                continue;
            }
        };
        let translated = match hint {
            Hint::Sessions => continue,
            Hint::Suspend => News::Suspend,
            Hint::Resume => News::Resume,
            Hint::ShutdownAnnounced { within } => News::ShutdownAnnounced(within),
            Hint::ShutdownCalledOff => News::ShutdownCalledOff,
        };
        if news.send(translated).await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;
    use crate::source::{Script, SessionSource};

    #[tokio::test(start_paused = true)]
    async fn who_has_changes_announced_without_end_has_the_sessions_enumerated_so_often_and_no_more() {
        let (director, script) = Script::new();
        let source = Source::open(SessionSource::Scripted(script), "acme").await.unwrap();
        (0..3 * PER_SECOND).for_each(|_| director.hint(Hint::Sessions));
        let (news, mut inbox) = mpsc::channel(1);
        let (_greeters, greeters) = watch::channel(false);
        let alarm = Alarm::new().unwrap();
        let start = Instant::now();
        let followed = follow(source, alarm, RECONCILE_EVERY, greeters, Arc::default(), news);
        let heard = async {
            // The first is nobody's answer.
            for _ in 0..=3 * PER_SECOND {
                inbox.recv().await.unwrap();
            }
            start.elapsed().as_secs()
        };
        tokio::select! {
            () = followed => panic!("it follows as long as somebody listens"),
            seconds = heard => assert_eq!(seconds, 3),
        }
    }
}
