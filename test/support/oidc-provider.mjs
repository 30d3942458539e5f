// A real provider of OpenID Connect, for tests; a process of its own, because its library is an ES module.
// Arguments: port, redirect URI. Prints a line when it listens. `GET /roles?name=ada&roles=operator` gives ada roles.
import { Provider } from 'oidc-provider';

const roles = new Map();

const [port, redirectUri] = process.argv.slice(2);
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [{ client_id: 'tally', client_secret: 'a secret of the provider', redirect_uris: [redirectUri] }],
  claims: { openid: ['sub', 'roles'], profile: ['preferred_username'], email: ['email'] },
  conformIdTokenClaims: false,
  pkce: { required: () => true },
  findAccount: (_context, id) => {
    return { accountId: id, claims: () => ({ sub: id, preferred_username: id, roles: roles.get(id) ?? [] }) };
  },
});
provider.use(async (context, next) => {
  if (context.path !== '/roles') return next();
  roles.set(context.query.name, context.query.roles.split(','));
  context.body = 'done';
});
provider.listen(Number(port), '127.0.0.1', () => console.log('listening'));
