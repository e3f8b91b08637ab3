interface Medium {
  id: string;
  title: string;
  kind: string;
  bytes: string | null;
}

// Made anew for each request: what is in the library changes, and while the image is built there is no backend.
export const dynamic = 'force-dynamic';

async function readLibrary(): Promise<Medium[] | null> {
  try {
    const answer = await fetch(`${process.env.BACKEND_URL ?? 'http://127.0.0.1:4000'}/api/media`, {
      cache: 'no-store', signal: AbortSignal.timeout(5000),
    });
    return answer.ok ? await answer.json() : null;
  } catch {
    return null;
  }
}

export default async function Page() {
  const media = await readLibrary();
  return (
    <main>
      <h1>MediaNest</h1>
      {media === null ? <p className="missing">The library does not answer at the moment.</p> : (
        <table>
          <thead><tr><th>Title</th><th>Kind</th><th>Bytes</th></tr></thead>
          <tbody>
            {media.map((medium) => (
              <tr key={medium.id}><td>{medium.title}</td><td>{medium.kind}</td><td>{medium.bytes ?? 'not yet known'}</td></tr>
            ))}
          </tbody>
        </table>
      )}
    </main>
  );
}
