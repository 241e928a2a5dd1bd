//! The signal to stop, heard wherever something waits.

use tokio::sync::watch;

/// Whether it is time to stop.
#[derive(Clone)]
pub(crate) struct Stopping(watch::Receiver<bool>);

impl Stopping {
    /// Once `stop` completes.
    pub(crate) fn when(stop: impl Future<Output = ()> + Send + 'static) -> Self {
        let (said, heard) = watch::channel(false);
        tokio::spawn(async move {
            stop.await;
            said.send_replace(true);
        });
        Self(heard)
    }

    /// Completes when it is time.
    pub(crate) async fn begun(&self) {
        // Nobody who could say it any more: stop as well.
        let mut heard = self.0.clone();
        let _said = heard.wait_for(|stop| *stop).await;
    }
}
