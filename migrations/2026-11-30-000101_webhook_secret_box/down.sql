ALTER TABLE alerts DROP COLUMN webhook_secret_box;
