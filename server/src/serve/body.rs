//! A message's bytes, counted while they come in.

use std::sync::Arc;

use axum::body::Body;
use countersign_protocol::limits;
use http_body_util::BodyExt as _;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// A body, and the room it takes until it is dropped.
pub(super) struct Received {
    bytes: Vec<u8>,
    _room: Option<OwnedSemaphorePermit>,
}

/// There is no body.
pub(super) enum BodyError {
    /// Too large, or it broke off.
    NotAnEnvelope,
    /// Others hold too much just now.
    NoRoom,
}

impl Received {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Takes one permit of `room` for each byte when it is there: a length that is only announced costs nobody anything.
pub(super) async fn receive(mut body: Body, room: &Arc<Semaphore>) -> Result<Received, BodyError> {
    let mut bytes = Vec::new();
    let mut taken: Option<OwnedSemaphorePermit> = None;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame.map_err(|_| BodyError::NotAnEnvelope)?.into_data() else { continue };
        if bytes.len() + data.len() > limits::ENVELOPE {
            return Err(BodyError::NotAnEnvelope);
        }
        let more = u32::try_from(data.len()).map_err(|_| BodyError::NotAnEnvelope)?;
        let more = room.clone().try_acquire_many_owned(more).map_err(|_| BodyError::NoRoom)?;
        match &mut taken {
            Some(taken) => taken.merge(more),
            None => taken = Some(more),
        }
        bytes.extend_from_slice(&data);
    }
    Ok(Received { bytes, _room: taken })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run<T>(work: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(work)
    }

    #[test]
    fn bytes_are_counted_until_the_body_is_dropped() {
        let room = Arc::new(Semaphore::new(100));
        let held = run(receive(Body::from(vec![0; 60]), &room)).ok().unwrap();
        assert_eq!((held.bytes().len(), room.available_permits()), (60, 40));
        assert!(matches!(run(receive(Body::from(vec![0; 60]), &room)), Err(BodyError::NoRoom)));
        drop(held);
        assert!(run(receive(Body::from(vec![0; 60]), &room)).is_ok());
        assert_eq!(room.available_permits(), 100);
    }

    #[test]
    fn more_than_an_envelope_is_not_read() {
        let room = Arc::new(Semaphore::new(limits::ENVELOPE * 2));
        let large = Body::from(vec![0; limits::ENVELOPE + 1]);
        assert!(matches!(run(receive(large, &room)), Err(BodyError::NotAnEnvelope)));
        assert_eq!(room.available_permits(), limits::ENVELOPE * 2);
    }
}
