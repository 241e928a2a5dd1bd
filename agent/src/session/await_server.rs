//! The statement is signed; the server decides.

use countersign_protocol::statement::SignedStatement;

use super::{Action, AwaitHost, Choice, Decided, Event, Session, Step};

/// The server has the statement.
#[derive(Debug)]
pub struct AwaitServer {
    choice: Choice,
}

impl AwaitServer {
    pub(super) fn begin(choice: Choice, signed: SignedStatement) -> Step {
        (Session::AwaitServer(Self { choice }), vec![Action::Send(signed)])
    }

    pub(super) const fn choice(&self) -> &Choice {
        &self.choice
    }

    pub(super) fn step(self, event: Event) -> Step {
        match event {
            Event::Answered(answer) => Decided::answered(answer, self.choice),
            Event::Server(error) => Decided::server(error, Some(self.choice)),
            Event::Silence(silence) => AwaitHost::begin(self.choice, silence),
            other => Decided::unexpected("await-server", &other, Some(self.choice)),
        }
    }
}
