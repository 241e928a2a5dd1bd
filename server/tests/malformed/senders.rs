//! Messages that are not theirs to send.

use countersign_protocol::message::MessageKind;

use super::bodies::{Signers, application, message, primary, session, word};
use super::{Kind, kind};

/// Every type, by each that may not send it.
pub(super) fn kinds() -> Vec<Kind> {
    const ALL: [MessageKind; 31] = {
        use MessageKind::*;
        [
            Hello,
            HelloReply,
            InstanceKey,
            EnrolmentRecord,
            InstanceCheckIn,
            CheckInReply,
            KeyUpdate,
            KeyUpdateReply,
            RotationRequest,
            RotationReply,
            RotationKey,
            RotationRecord,
            RegistrationRequest,
            RegistrationReply,
            RegistrationCode,
            RegistrationCodeReply,
            UserKey,
            RegistrationRecord,
            JobRequest,
            JobReply,
            JobOutcome,
            JobOutcomeReply,
            HostEvent,
            HostEventReply,
            Watch,
            WatchReply,
            OfflineUse,
            OfflineUseReply,
            EmergencyUse,
            OfflineEmergency,
            Refusal,
        ]
    };
    let senders: [(&str, Signers, &[MessageKind]); 3] = [
        ("the host", session, {
            use MessageKind::*;
            &[
                InstanceCheckIn,
                RotationRequest,
                RegistrationRequest,
                RegistrationCode,
                UserKey,
                JobRequest,
                JobOutcome,
                HostEvent,
                Watch,
                OfflineUse,
                EmergencyUse,
                OfflineEmergency,
            ]
        }),
        ("the host's primary key", primary, &[MessageKind::KeyUpdate]),
        ("the application", application, &[MessageKind::Hello]),
    ];
    let mut kinds = Vec::new();
    for (who, signers, theirs) in senders {
        for sent in ALL {
            let classes: &[&str] = if theirs.contains(&sent) { &["Body"] } else { &["NotPermitted"] };
            kinds.push(kind(format!("an empty {} by {who}", word(sent)), classes, move |stage| {
                let message = message(stage, sent, &serde_json::json!({}));
                stage.by_all(signers(stage), &serde_json::to_vec(&message).unwrap())
            }));
        }
    }
    kinds
}
