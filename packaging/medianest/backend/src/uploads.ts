import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';

// Files by the id of their medium, which is a UUID and so no path.
export class Uploads {
  constructor(private readonly directory: string) {}

  async prepare(): Promise<void> {
    await mkdir(this.directory, { recursive: true });
  }

  // What is cut off leaves nothing: the file has its name once it is whole.
  async store(id: string, content: Readable): Promise<void> {
    const whole = join(this.directory, id);
    const part = `${whole}.${process.pid}.part`;
    try {
      await pipeline(content, createWriteStream(part));
      await rename(part, whole);
    } catch (error) {
      await rm(part, { force: true });
      throw error;
    }
  }

  async measure(id: string): Promise<{ bytes: number; sha256: string | null }> {
    const hash = createHash('sha256');
    let bytes = 0;
    try {
      for await (const piece of createReadStream(join(this.directory, id))) {
        hash.update(piece as Buffer);
        bytes += (piece as Buffer).length;
      }
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error;
      return { bytes: 0, sha256: null }; // a medium without a file
    }
    return { bytes, sha256: hash.digest('hex') };
  }
}
