//! The JSON inside an envelope.

use countersign_protocol::message::{
    Body, CheckIn, CheckInReply, EmergencyUse, EnrolmentRecord, Hello, HelloReply, HostEvent, HostEventReply,
    InstanceKey, JobOutcome, JobOutcomeReply, JobReply, JobRequest, KeyUpdate, KeyUpdateReply, Message,
    OfflineEmergency, OfflineUse, OfflineUseReply, Refusal, RegistrationCode, RegistrationCodeReply,
    RegistrationRecord, RegistrationReply, RegistrationRequest, RotationKey, RotationRecord, RotationReply,
    RotationRequest, UserKey, Watch, WatchReply,
};

/// One message with its body, if it is of its type.
pub(crate) fn play(bytes: &[u8]) -> bool {
    let Ok(message) = Message::from_bytes(bytes) else { return false };
    let written = message.to_bytes().unwrap_or_default();
    assert_eq!(Message::from_bytes(&written).ok().as_ref(), Some(&message), "another message");
    assert!(written.len() <= bytes.len() * 6 + 64, "{} bytes became {}", bytes.len(), written.len());
    let read: [fn(&Message) -> bool; 31] = [
        body::<Hello>,
        body::<HelloReply>,
        body::<InstanceKey>,
        body::<EnrolmentRecord>,
        body::<CheckIn>,
        body::<CheckInReply>,
        body::<KeyUpdate>,
        body::<KeyUpdateReply>,
        body::<RotationRequest>,
        body::<RotationReply>,
        body::<RotationKey>,
        body::<RotationRecord>,
        body::<RegistrationRequest>,
        body::<RegistrationReply>,
        body::<RegistrationCode>,
        body::<RegistrationCodeReply>,
        body::<UserKey>,
        body::<RegistrationRecord>,
        body::<JobRequest>,
        body::<JobReply>,
        body::<JobOutcome>,
        body::<JobOutcomeReply>,
        body::<HostEvent>,
        body::<HostEventReply>,
        body::<Watch>,
        body::<WatchReply>,
        body::<OfflineUse>,
        body::<OfflineUseReply>,
        body::<EmergencyUse>,
        body::<OfflineEmergency>,
        body::<Refusal>,
    ];
    read.iter().filter(|read| read(&message)).count() == 1
}

/// Whether the body is a `B`, which must be the same when it is written and read again.
fn body<B: Body>(message: &Message) -> bool {
    let Ok(body) = message.body::<B>() else { return false };
    assert_eq!(message.kind, B::KIND, "a body of another type was taken");
    let same = Message::new(message.id, message.time, message.audience.clone(), &body)
        .and_then(|again| again.body::<B>())
        .and_then(|again| Message::new(message.id, message.time, message.audience.clone(), &again));
    let first = Message::new(message.id, message.time, message.audience.clone(), &body);
    assert!(first.is_ok() && first == same, "written and read again it is another");
    true
}
