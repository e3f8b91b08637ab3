-- What the worker finds out about a file, once it has been described.
ALTER TABLE media
    ADD COLUMN bytes bigint,
    ADD COLUMN sha256 text,
    ADD COLUMN described_at timestamptz;
