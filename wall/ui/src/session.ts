// Who is looking, as the server knows them.
import { signal } from "@preact/signals";

interface Me {
  open: boolean;
  name?: string;
}

/** Their name, "" for a screen with the token; null: the wall asks nobody who they are. */
export const who = signal<string | null>(null);

/** askWho asks the server. Where the session has ended, the page is loaded anew, which leads to the login. */
export async function askWho(): Promise<void> {
  try {
    const answer = await fetch("api/v1/me");
    if (answer.status === 401) return location.reload();
    if (!answer.ok) return;
    const me = (await answer.json()) as Me;
    who.value = me.open ? null : (me.name ?? "");
  } catch {
    // the server is away; the connection says so
  }
}
