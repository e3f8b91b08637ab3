import pg from 'pg';

export interface Media {
  id: string;
  title: string;
  kind: string;
  created_at: string;
  bytes: string | null;
  sha256: string | null;
  described_at: string | null;
}

export const kinds = ['film', 'series', 'music', 'book'];

// The library as the database holds it.
export class Library {
  constructor(private readonly pool: pg.Pool) {}

  async list(limit = 100): Promise<Media[]> {
    return (await this.pool.query<Media>('SELECT * FROM media ORDER BY created_at DESC, id LIMIT $1', [limit])).rows;
  }

  async find(id: string): Promise<Media | undefined> {
    return (await this.pool.query<Media>('SELECT * FROM media WHERE id = $1', [id])).rows[0];
  }

  async add(title: string, kind: string): Promise<Media> {
    const added = await this.pool.query<Media>('INSERT INTO media (title, kind) VALUES ($1, $2) RETURNING *', [title, kind]);
    return added.rows[0]!;
  }

  async describe(id: string, bytes: number, sha256: string | null): Promise<Media | undefined> {
    const described = await this.pool.query<Media>(
      'UPDATE media SET bytes = $2, sha256 = $3, described_at = now() WHERE id = $1 RETURNING *', [id, bytes, sha256]);
    return described.rows[0];
  }
}
