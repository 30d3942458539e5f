import {
  allowInsecureRequests,
  authorizationCodeGrant,
  buildAuthorizationUrl,
  calculatePKCECodeChallenge,
  discovery,
  enableNonRepudiationChecks,
  randomNonce,
  randomPKCECodeVerifier,
  randomState,
  type Configuration,
} from 'openid-client';
import { z } from 'zod';
import { oneAtATime } from '../concurrency';
import { errorMessage } from '../domain/errors';
import { Problem } from '../domain/problems';
import { isRole, type Role } from './permissions';

export interface ProviderSettings {
  issuer: string;
  clientId: string;
  clientSecret: string;
  /** Where the provider sends people back to. From the configuration: a request could name any host. */
  callbackUrl: string;
  /** The claim that holds roles of Tally: a text, or a list of them. */
  roleClaim: string;
}

/** The provider answers within this time, or the login is refused. */
const TIMEOUT_S = 5;
const SCOPE = 'openid profile email';
/** Of the roles that the provider gives, the first of these counts. */
const STRONGEST_FIRST: Role[] = ['admin', 'operator', 'viewer'];

/** What must be remembered between the way to the provider and the way back. */
export const loginInProgress = z.object({
  state: z.string(),
  nonce: z.string(),
  verifier: z.string(),
  /** Where the person wanted to go: a path of this service. */
  returnTo: z.string(),
});

export type LoginInProgress = z.output<typeof loginInProgress>;

/** Whom the provider says to have logged in. */
export interface Identity {
  issuer: string;
  subject: string;
  /** For people to read; others may have the same. */
  name: string;
  /** Undefined: the provider gives no role of Tally. */
  role: Role | undefined;
}

/** Logins by OpenID Connect: the authorization code flow with PKCE, state and nonce. */
export class SingleSignOn {
  private configuration: Configuration | undefined;
  private readonly discoverOnce = oneAtATime(() => this.discover());

  constructor(private readonly settings: ProviderSettings) {}

  /** Where to send a browser, and what to remember until it is back. @throws Problem `provider-unreachable` */
  async begin(returnTo: string): Promise<{ url: string; login: LoginInProgress }> {
    const configuration = await this.discovered();
    const login = {
      state: randomState(),
      nonce: randomNonce(),
      verifier: randomPKCECodeVerifier(),
      returnTo,
    };
    const url = buildAuthorizationUrl(configuration, {
      redirect_uri: this.settings.callbackUrl,
      scope: SCOPE,
      state: login.state,
      nonce: login.nonce,
      code_challenge: await calculatePKCECodeChallenge(login.verifier),
      code_challenge_method: 'S256',
    });
    return { url: url.href, login };
  }

  /**
   * Who has come back, by what the provider says of the code in the query.
   * @throws Problem `login-failed`, `provider-unreachable`
   */
  async finish(query: string, { state, nonce, verifier }: LoginInProgress): Promise<Identity> {
    const configuration = await this.discovered();
    const url = new URL(this.settings.callbackUrl);
    url.search = query;
    const tokens = await authorizationCodeGrant(configuration, url, {
      expectedState: state,
      expectedNonce: nonce,
      pkceCodeVerifier: verifier,
      idTokenExpected: true,
    }).catch((error: unknown) => {
      throw new Problem('login-failed', `The provider did not confirm the login: ${errorMessage(error)}.`, {
        cause: error,
      });
    });
    const claims = tokens.claims();
    if (claims === undefined)
      throw new Problem('login-failed', 'The provider did not say who has logged in.');
    const { iss: issuer, sub: subject, preferred_username: username, email } = claims;
    const name = [username, email, subject].find(isText) ?? subject;
    return { issuer, subject, name, role: roleIn(claims[this.settings.roleClaim]) };
  }

  /** Lazily, so that the service starts while its provider is away. */
  private async discovered(): Promise<Configuration> {
    return (this.configuration ??= await this.discoverOnce());
  }

  private async discover(): Promise<Configuration> {
    const { issuer, clientId, clientSecret } = this.settings;
    const server = new URL(issuer);
    // Only for one on this machine: see config.ts.
    const insecure = server.protocol === 'http:' ? [allowInsecureRequests] : [];
    // By default the signature of an ID token from the provider itself is not looked at.
    const execute = [enableNonRepudiationChecks, ...insecure];
    try {
      return await discovery(server, clientId, clientSecret, undefined, { execute, timeout: TIMEOUT_S });
    } catch (error) {
      throw new Problem(
        'provider-unreachable',
        'The provider of single sign-on did not answer; keys and passwords work.',
        {
          retryAfterSeconds: 5,
          cause: error,
        },
      );
    }
  }
}

function roleIn(claim: unknown): Role | undefined {
  const given = new Set(
    [claim]
      .flat()
      .filter((value): value is string => typeof value === 'string')
      .filter(isRole),
  );
  return STRONGEST_FIRST.find((role) => given.has(role));
}

function isText(value: unknown): value is string {
  return typeof value === 'string' && value !== '';
}
