//! Requests that wait for approvals.

use countersign_protocol::approval;
use countersign_protocol::binary::Binary;
use countersign_protocol::clock::Timestamp;
use countersign_protocol::envelope::Countersigned;
use countersign_protocol::ids::{AccountName, MessageId};
use countersign_protocol::message::result::RequestState;
use countersign_protocol::statement::SignedStatement;
use countersign_server_core::approvals::{Approval, RequestName, RequestStore, WaitingRequest};
use countersign_server_core::store::StoreError;

use super::rows::{bytes, corrupt, count, number, parsed, time};
use super::{Row, Sql, Writing};

/// Without what may be long.
const IN_SHORT: &str = "id, correlation, account, asker_key, instance, statement, signature, needs, made_at, deadline, \
                        state, reason, mac";

const COLUMNS: &str = "id, correlation, account, asker_key, instance, statement, signature, needs, made_at, deadline, \
                       state, reason, mac, body, result, message, host_signature, host_certificate";

/// The row of the request `$1`, if it waits at the time `$2`.
const WAITS: &str = "id = $1 AND state = 'waiting' AND deadline >= $2";

fn signed(row: &Row<'_>) -> Result<SignedStatement, StoreError> {
    Ok(SignedStatement { statement: Binary(row.get("statement")?), signature: Binary(row.get("signature")?) })
}

fn request(row: &Row<'_>) -> Result<WaitingRequest, StoreError> {
    let carried = row.get::<Option<Vec<u8>>>("message")?.map(|message| {
        let (signature, certificate) = (row.get("host_signature")?, row.get("host_certificate")?);
        Ok(Countersigned { message, signature, certificate })
    });
    let found = request_with(row, row.get("body")?, row.get("result")?)?;
    Ok(WaitingRequest { carried: carried.transpose()?, ..found })
}

fn in_short(row: &Row<'_>) -> Result<WaitingRequest, StoreError> {
    request_with(row, None, None)
}

fn request_with(
    row: &Row<'_>,
    body: Option<Vec<u8>>,
    result: Option<Vec<u8>>,
) -> Result<WaitingRequest, StoreError> {
    let needs = approval::read(&row.get::<String>("needs")?);
    Ok(WaitingRequest {
        id: MessageId::from_bytes(bytes(&row.get::<Vec<u8>>("id")?, "a request's id")?),
        correlation: parsed(&row.get::<String>("correlation")?, "a request's name")?,
        account: parsed(&row.get::<String>("account")?, "a request's account")?,
        key: parsed(&row.get::<String>("asker_key")?, "a request's key")?,
        instance: parsed(&row.get::<String>("instance")?, "a request's host")?,
        signed: signed(row)?,
        body,
        carried: None,
        needs: needs.map_err(|_| corrupt("what a request needs"))?,
        made: Timestamp::from_seconds(row.get("made_at")?),
        deadline: Timestamp::from_seconds(row.get("deadline")?),
        state: parsed(&row.get::<String>("state")?, "a request's state")?,
        reason: row.get("reason")?,
        result,
        // Of another length, it is none that is right.
        mac: row.get::<Option<Vec<u8>>>("mac")?.and_then(|mac| mac.try_into().ok()),
    })
}

fn approval(row: &Row<'_>) -> Result<Approval, StoreError> {
    Ok(Approval {
        account: parsed(&row.get::<String>("account")?, "who approved a request")?,
        key: parsed(&row.get::<String>("approver_key")?, "the key of an approval")?,
        card: parsed(&row.get::<String>("card")?, "the card of an approval")?,
        signed: signed(row)?,
        place: count(row.get("place")?, "the place of an approval")?,
        at: Timestamp::from_seconds(row.get("approved_at")?),
        comment: row.get("remark")?,
        mac: row.get::<Option<Vec<u8>>>("mac")?.and_then(|mac| mac.try_into().ok()),
    })
}

impl<D: Writing> RequestStore for Sql<D> {
    fn add_waiting_request(&self, request: &WaitingRequest, most: u64) -> Result<bool, StoreError> {
        let carried = request.carried.as_ref();
        let added = self.write(
            "INSERT INTO waiting_requests (id, correlation, account, asker_key, instance, statement, signature, body, needs,
                                           made_at, deadline, mac, state, message, host_signature, host_certificate)
             SELECT $1, $2, name, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'waiting', $14, $15, $16 FROM accounts
             WHERE name = $3 AND (SELECT count(*) FROM waiting_requests
                                  WHERE account = $3 AND state = 'waiting' AND deadline >= $10) < $13
             ON CONFLICT DO NOTHING",
            (
                request.id.as_bytes(),
                request.correlation.as_str(),
                request.account.as_str(),
                request.key.to_string(),
                request.instance.to_string(),
                &request.signed.statement.0,
                &request.signed.signature.0,
                &request.body,
                approval::spelled(&request.needs),
                time(request.made),
                time(request.deadline),
                request.mac,
                number(most)?,
                carried.map(|carried| &carried.message),
                carried.map(|carried| &carried.signature),
                carried.map(|carried| &carried.certificate),
            ),
        )?;
        Ok(added == 1)
    }

    fn waiting_request(&self, name: &RequestName) -> Result<Option<WaitingRequest>, StoreError> {
        let by = |column: &str| format!("SELECT {COLUMNS} FROM waiting_requests WHERE {column} = $1");
        match name {
            RequestName::Id(id) => self.read(&by("id"), [id.as_bytes()], request),
            RequestName::Correlation(id) => self.read(&by("correlation"), [id.as_str()], request),
        }
    }

    fn requests_of(&self, account: &AccountName, most: u64) -> Result<Vec<WaitingRequest>, StoreError> {
        let sql = format!(
            "SELECT {IN_SHORT} FROM waiting_requests WHERE account = $1 ORDER BY made_at DESC, id LIMIT $2"
        );
        self.read_all(&sql, (account.as_str(), number(most)?), in_short)
    }

    fn requests_that_wait(&self, now: Timestamp, most: u64) -> Result<Vec<WaitingRequest>, StoreError> {
        let sql = format!(
            "SELECT {IN_SHORT} FROM waiting_requests WHERE state = 'waiting' AND deadline >= $1
             ORDER BY made_at DESC, id LIMIT $2"
        );
        self.read_all(&sql, (time(now), number(most)?), in_short)
    }

    fn approve_request(
        &self,
        id: &MessageId,
        approval: &Approval,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (key, card) = (approval.key.to_string(), approval.card.to_string());
        // The key before is theirs no more, or another of theirs signs now.
        self.write(
            "DELETE FROM request_approvals
             WHERE request = $1 AND account = $2 AND approver_key <> $3
               AND NOT EXISTS (SELECT 1 FROM request_approvals AS other
                               WHERE other.request = $1 AND other.account <> $2
                                 AND (other.approver_key = $3 OR other.card = $4))",
            (id.as_bytes(), approval.account.as_str(), &key, &card),
        )?;
        let sql = format!(
            "INSERT INTO request_approvals (request, account, approver_key, card, statement, signature, place, approved_at,
                                            remark, mac)
             SELECT id, $3, $4, $5, $6, $7, $8, $2, $9, $10 FROM waiting_requests WHERE {WAITS}
             ON CONFLICT DO NOTHING"
        );
        let approved = self.write(
            &sql,
            (
                id.as_bytes(),
                time(now),
                approval.account.as_str(),
                key,
                card,
                &approval.signed.statement.0,
                &approval.signed.signature.0,
                number(approval.place)?,
                &approval.comment,
                approval.mac,
            ),
        )?;
        Ok(approved == 1)
    }

    fn approvals_of_request(&self, id: &MessageId) -> Result<Vec<Approval>, StoreError> {
        self.read_all(
            "SELECT account, approver_key, card, statement, signature, place, approved_at, remark, mac FROM request_approvals
             WHERE request = $1 ORDER BY account",
            [id.as_bytes()],
            approval,
        )
    }

    fn take_approval_back(
        &self,
        id: &MessageId,
        account: &AccountName,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let sql = format!(
            "DELETE FROM request_approvals
             WHERE request = $1 AND account = $3 AND EXISTS (SELECT 1 FROM waiting_requests WHERE {WAITS})"
        );
        Ok(self.write(&sql, (id.as_bytes(), time(now), account.as_str()))? == 1)
    }

    fn end_request(&self, id: &MessageId, how: RequestState, now: Timestamp) -> Result<bool, StoreError> {
        self.0.wipe_what_is_deleted()?;
        let sql = format!(
            "UPDATE waiting_requests SET state = $3, ended_at = $2, body = NULL, mac = NULL, message = NULL,
                                         host_signature = NULL, host_certificate = NULL WHERE {WAITS}"
        );
        Ok(self.write(&sql, (id.as_bytes(), time(now), how.as_str()))? == 1)
    }

    fn keep_outcome(
        &self,
        id: &MessageId,
        how: RequestState,
        reason: &str,
        result: Option<&[u8]>,
    ) -> Result<(), StoreError> {
        self.write(
            "UPDATE waiting_requests SET state = $2, reason = $3, result = $4 WHERE id = $1 AND state = 'done'",
            (id.as_bytes(), how.as_str(), reason, result),
        )?;
        Ok(())
    }

    fn drop_outcome(&self, id: &MessageId) -> Result<bool, StoreError> {
        self.0.wipe_what_is_deleted()?;
        let dropped = self.write(
            "UPDATE waiting_requests SET result = NULL WHERE id = $1 AND result IS NOT NULL",
            [id.as_bytes()],
        )?;
        Ok(dropped == 1)
    }
}
