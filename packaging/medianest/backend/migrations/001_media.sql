CREATE TABLE media (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    title text NOT NULL CHECK (title <> ''),
    kind text NOT NULL CHECK (kind IN ('film', 'series', 'music', 'book')),
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX media_by_age ON media (created_at DESC, id);
