-- The secret sealed with MILLRACE_WEBHOOK_KEY, in place of the one in the clear, which a later release drops.
ALTER TABLE alerts ADD COLUMN webhook_secret_box bytea;
