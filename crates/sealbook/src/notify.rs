//! What systemd is told, where it asks to be: that the server is ready, that it stops, and that it
//! lives. Without `NOTIFY_SOCKET` all of it does nothing.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// The server answers requests.
pub(crate) fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The server stops.
pub(crate) fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says until `stop` that the process lives, twice in each period that systemd waits. A runtime that
/// is stuck says nothing, and is restarted.
pub(crate) async fn watchdog(stop: CancellationToken) {
    let mut period_us = 0;
    if !sd_notify::watchdog_enabled(false, &mut period_us) {
        return;
    }
    let mut beat = tokio::time::interval(Duration::from_micros(period_us.max(2) / 2));
    while stop.run_until_cancelled(beat.tick()).await.is_some() {
        tell(&[NotifyState::Watchdog]);
    }
}

fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(false, state) {
        tracing::warn!(%error, "cannot tell systemd");
    }
}
