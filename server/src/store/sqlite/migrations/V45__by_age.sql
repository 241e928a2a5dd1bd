-- What is deleted because of its age is found by it.
CREATE INDEX alone_by_age ON alone (expires);
CREATE INDEX waiting_contacts_by_age ON waiting_contacts (expires);
CREATE INDEX address_requests_by_age ON address_requests (day);
CREATE INDEX letters_by_age ON letters (expires);
CREATE INDEX recovery_tries_by_age ON recovery_tries (since);
