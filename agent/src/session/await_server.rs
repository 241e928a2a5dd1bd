//! The statement is signed; the server decides.

use countersign_protocol::statement::SignedStatement;

use super::{Action, Choice, Decided, Event, Session, Step};

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
            Event::Server(error) => Decided::server(error, self.choice),
            other => Decided::unexpected("await-server", &other, Some(self.choice)),
        }
    }
}
