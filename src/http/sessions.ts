import { randomBytes } from 'node:crypto';
import { callbackify } from 'node:util';
import fastifyCookie from '@fastify/cookie';
import fastifySession, {
  type FastifySessionObject,
  type SessionStore as PluginStore,
} from '@fastify/session';
import type { FastifyRequest, Session } from 'fastify';
import { z } from 'zod';
import type { Directory } from '../access/directory';
import type { Person } from '../access/principal';
import { loginInProgress, type LoginInProgress } from '../access/single-sign-on';
import type { Config } from '../config';
import { principalId } from '../domain/ids';
import { parseStored } from '../redis/stored';
import {
  leftMs,
  sessionContent,
  storedId,
  type SessionContent,
  type SessionLimits,
} from '../sessions/session';
import type { SessionStore } from '../sessions/store';
import type { App } from './server';

declare module 'fastify' {
  interface Session {
    /** Absent of one that nobody has logged in with. */
    content?: SessionContent | undefined;
    /** Of somebody who is on his way to a provider, or back. */
    login?: LoginInProgress | undefined;
  }
}

export const SESSION_COOKIE = 'tally_session';

/** How long a login may take: at a provider, people look for their password. */
const LOGIN_TTL_MS = 600_000;
/** Of one person; more than he has devices. */
const MAX_SESSIONS = 50;

/** When a session was used last is written at most so often; more often where it may be idle for minutes only. */
const NOTE_USE_EVERY_MS = 60_000;

export interface SessionDeps {
  config: Pick<Config, 'SESSION_IDLE_S' | 'SESSION_MAX_S' | 'SESSION_SECRETS'>;
  store: SessionStore;
  directory: Directory;
}

/** What the store holds of a session, in the plugin's own form. */
const storedSession = z.object({
  cookie: z.looseObject({ originalMaxAge: z.number().nullable(), expires: z.coerce.date().nullable() }),
  content: sessionContent.optional(),
  login: loginInProgress.optional(),
});

/**
 * The sessions of people, as requests see them. The plugin signs cookies and begins and ends sessions; it is registered
 * around the session routes alone, since it costs every request, and fails with its store. The guard of all other routes
 * asks it only where a session's cookie is sent.
 */
export class Sessions {
  readonly limits: SessionLimits;
  readonly store: SessionStore;
  private readonly directory: Directory;
  private readonly secrets: string[];
  private app: App | undefined;

  constructor({ config, store, directory }: SessionDeps) {
    this.limits = { idleMs: config.SESSION_IDLE_S * 1000, longestMs: config.SESSION_MAX_S * 1000 };
    this.secrets = config.SESSION_SECRETS ?? [randomBytes(32).toString('hex')];
    this.store = store;
    this.directory = directory;
  }

  /** Registers the plugin in the scope of the session routes. */
  async register(app: App): Promise<void> {
    await app.register(fastifyCookie, { secret: this.secrets });
    await app.register(fastifySession, {
      secret: this.secrets,
      cookieName: SESSION_COOKIE,
      cookie: { httpOnly: true, sameSite: 'lax', secure: 'auto', maxAge: this.limits.longestMs },
      store: this.pluginStore(),
      // The plugin would write the whole session with every answer, and one for everybody who asks.
      rolling: false,
      saveUninitialized: false,
    });
    this.app = app;
  }

  /**
   * Finds out who is logged in with the cookie of a request. `done` is told nobody where the session is over, or the person
   * may do nothing any more.
   */
  identify(request: FastifyRequest, done: (error: Error | undefined, person?: Person) => void): void {
    const cookie = cookieOf(request);
    if (cookie === undefined || this.app === undefined) return done(undefined);
    // Not the request itself: where its route is one about sessions, the plugin comes to it later.
    const reading: { protocol: string; session?: FastifySessionObject } = { protocol: request.protocol };
    this.app.decryptSession(cookie, reading, (error?: Error) => {
      if (error) return done(error);
      const { session } = reading;
      const person = session === undefined ? undefined : this.personOf(session);
      if (session !== undefined && person !== undefined) this.noteUse(session, request);
      done(undefined, person);
    });
  }

  /** Whose session it is, and counts. */
  private personOf(session: FastifySessionObject): Person | undefined {
    const { content } = session;
    if (content === undefined || leftMs(content, this.limits, Date.now()) <= 0) return undefined;
    const person = this.directory.principal(principalId(content.personId));
    if (person?.kind !== 'person' || person.role === undefined) return undefined;
    const isOver =
      person.sessionKey !== content.sessionKey || this.directory.isEnded(storedId(session.sessionId));
    return isOver ? undefined : person;
  }

  /** Remembers a login in a session of its own until the browser is back, wherever that is. */
  async beginLogin(request: FastifyRequest, login: LoginInProgress): Promise<void> {
    await request.session.regenerate();
    request.session.login = login;
    await request.session.save();
  }

  /** Whether somebody is logged in with a request to one of the session routes. */
  isLoggedIn({ session }: FastifyRequest): boolean {
    return this.personOf(session) !== undefined;
  }

  /** Begins a session of a person, under a new id: one that others may know is worth nothing afterwards. */
  async begin(request: FastifyRequest, person: Person): Promise<void> {
    const { id, sessionKey } = person;
    await this.makeRoom(person);
    await request.session.regenerate();
    const now = Date.now();
    request.session.content = {
      personId: id,
      sessionKey,
      beganAt: now,
      usedAt: now,
      address: request.ip,
      browser: (request.headers['user-agent'] ?? '').slice(0, 200),
    };
    await request.session.save();
  }

  /** The sessions of a person that count, by the ids that they are stored by. */
  async ofPerson({ id, sessionKey }: Person): Promise<Map<string, SessionContent>> {
    const own = new Map<string, SessionContent>();
    for (const [stored, text] of await this.store.ofOwner(String(id))) {
      const content = parseStored(text, storedSession)?.content;
      if (content?.sessionKey === sessionKey && !this.directory.isEnded(stored)) own.set(stored, content);
    }
    return own;
  }

  /** The sessions of a person that were used longest ago end where he has too many. */
  private async makeRoom(person: Person): Promise<void> {
    const oldestFirst = [...(await this.ofPerson(person))].toSorted(([, a], [, b]) => a.usedAt - b.usedAt);
    const tooMany = oldestFirst.slice(0, Math.max(0, oldestFirst.length + 1 - MAX_SESSIONS));
    for (const [stored] of tooMany) await this.store.end(stored);
  }

  private noteUse(session: FastifySessionObject, { log }: FastifyRequest): void {
    const { content } = session;
    const now = Date.now();
    if (content === undefined || now - content.usedAt < Math.min(NOTE_USE_EVERY_MS, this.limits.idleMs / 10))
      return;
    content.usedAt = now;
    session.save((error?: Error) => {
      if (error) log.debug({ err: error }, 'when a session was used last could not be written');
    });
  }

  private pluginStore(): PluginStore {
    const { store, limits } = this;
    return {
      get: callbackify(async (id: string) => {
        // What is no session any more, because somebody has changed it by hand, is over.
        return parseStored(await store.read(storedId(id)), storedSession) ?? null;
      }),
      set: callbackify(async (id: string, session: Session) => {
        const { content } = session;
        if (content === undefined) return store.put(storedId(id), JSON.stringify(session), LOGIN_TTL_MS);
        const ttlMs = leftMs(content, limits, Date.now());
        if (ttlMs <= 0) return undefined;
        return store.update(storedId(id), JSON.stringify(session), ttlMs, String(content.personId));
      }),
      destroy: callbackify(async (id: string) => store.end(storedId(id))),
    };
  }
}

function cookieOf({ headers }: FastifyRequest): string | undefined {
  return headers.cookie === undefined ? undefined : fastifyCookie.parse(headers.cookie)[SESSION_COOKIE];
}
