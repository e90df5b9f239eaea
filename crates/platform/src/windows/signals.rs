//! Requests from the console.

use std::io;
use std::task::{Context, Poll};

use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

use crate::Signal;

/// The console's control events: each of them stops this process. A reload is asked for on the control endpoint.
pub struct Signals {
    interrupt: CtrlC,
    r#break: CtrlBreak,
    close: CtrlClose,
    shutdown: CtrlShutdown,
}

impl Signals {
    /// Takes over the events from their default action. Needs a runtime. After a closed console the system gives 5 s.
    pub fn new() -> io::Result<Self> {
        Ok(Signals {
            interrupt: ctrl_c()?,
            r#break: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// The next request. Cancel safe.
    pub async fn next(&mut self) -> Signal {
        std::future::poll_fn(|context| self.poll(context)).await
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Signal> {
        let came = self.interrupt.poll_recv(context).is_ready()
            || self.r#break.poll_recv(context).is_ready()
            || self.close.poll_recv(context).is_ready()
            || self.shutdown.poll_recv(context).is_ready();
        if came { Poll::Ready(Signal::Stop) } else { Poll::Pending }
    }
}
