-- How often events before events_since were deleted. Their counts may stay, so this alone tells whoever has read such
-- events that they may have gone.
ALTER TABLE projects ADD COLUMN expiries bigint NOT NULL DEFAULT 0;
