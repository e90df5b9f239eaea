//! The alarm rings once, when it should.
#![cfg(feature = "host")]

use std::time::Duration;

use bilayer_platform::{Alarm, now};

const SOON: u64 = 20_000_000;

async fn rings(alarm: &mut Alarm) -> bool {
    tokio::time::timeout(Duration::from_secs(10), alarm.ring()).await.is_ok()
}

#[tokio::test]
async fn rings_at_its_time_and_only_once() {
    let mut alarm = Alarm::new().unwrap();
    let at = now() + SOON;
    alarm.set(Some(at));
    assert!(rings(&mut alarm).await);
    assert!(now() >= at);
    assert!(tokio::time::timeout(Duration::from_millis(50), alarm.ring()).await.is_err());
}

#[tokio::test]
async fn rings_at_once_for_a_time_that_has_passed() {
    let mut alarm = Alarm::new().unwrap();
    for at in [0, 1, now()] {
        alarm.set(Some(at));
        assert!(rings(&mut alarm).await);
    }
}

#[tokio::test]
async fn the_last_time_set_counts() {
    let mut alarm = Alarm::new().unwrap();
    alarm.set(Some(now() + 3_600_000_000_000));
    alarm.set(Some(now() + SOON));
    assert!(rings(&mut alarm).await);
    alarm.set(Some(now()));
    alarm.set(None);
    assert!(tokio::time::timeout(Duration::from_millis(50), alarm.ring()).await.is_err());
}
