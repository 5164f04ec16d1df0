-- What an insight's question was answered last. Beside the insight: answers come often, and are no change of it.
CREATE TABLE insight_results (
    insight_id  uuid PRIMARY KEY REFERENCES insights ON DELETE CASCADE,
    query       jsonb NOT NULL,                  -- what was asked: the answer to another question is none
    answer      text NOT NULL,                   -- JSON, to the byte as it was given
    answered_at timestamptz NOT NULL
);
