-- A retired account is reached no more; its person may have the address anew.
DELETE FROM contacts WHERE account IN (SELECT name FROM accounts WHERE state = 'closed');
DELETE FROM waiting_contacts WHERE account IN (SELECT name FROM accounts WHERE state = 'closed');
