CREATE TABLE dashboards (
    id         uuid PRIMARY KEY,
    project_id uuid NOT NULL REFERENCES projects ON DELETE CASCADE,
    name       text NOT NULL,
    owner_id   uuid REFERENCES accounts ON DELETE SET NULL,
    visibility text NOT NULL CHECK (visibility IN ('private', 'project')),
    version    bigint NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL
);
CREATE INDEX dashboards_by_project ON dashboards (project_id, updated_at, id);

-- Where an insight stands on a dashboard, in cells of a grid of twelve columns.
CREATE TABLE tiles (
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    insight_id   uuid NOT NULL REFERENCES insights ON DELETE CASCADE,
    x            smallint NOT NULL,
    y            smallint NOT NULL,
    width        smallint NOT NULL,
    height       smallint NOT NULL,
    PRIMARY KEY (dashboard_id, insight_id)
);
CREATE INDEX tiles_by_insight ON tiles (insight_id);

-- Links through which anybody reads a dashboard.
CREATE TABLE dashboard_shares (
    id           uuid PRIMARY KEY,
    dashboard_id uuid NOT NULL REFERENCES dashboards ON DELETE CASCADE,
    hash         bytea NOT NULL UNIQUE,          -- SHA-256 of the link's token; the token itself is nowhere
    created_by   uuid REFERENCES accounts ON DELETE SET NULL,
    created_at   timestamptz NOT NULL,
    expires_at   timestamptz                     -- NULL: until it is revoked
);
CREATE INDEX dashboard_shares_by_dashboard ON dashboard_shares (dashboard_id, created_at);
