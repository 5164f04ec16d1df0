-- When the account proved that it reads mail at its address; NULL until then.
ALTER TABLE accounts ADD COLUMN email_verified_at timestamptz;
-- Accounts that an operator made: the operator vouches for the address.
UPDATE accounts SET email_verified_at = created_at WHERE is_admin;
