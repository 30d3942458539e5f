import { whyEnded, type OwnedKey } from '../access/api-key';
import type { Directory } from '../access/directory';
import { isPermission, PERMISSIONS, type Permission } from '../access/permissions';
import type { Principal } from '../access/principal';
import { createKey, revokeKeys, rotateKey } from '../access/programs';
import type { Config } from '../config';
import { instantAt, type Instant } from '../domain/ids';
import { changeAccessOf, NotNow, withDirectory } from './command';

const NAME = /^[\w.:@-]{1,64}$/;
const DAY_MS = 86_400_000;
const MS = new Map([
  ['h', 3_600_000],
  ['d', DAY_MS],
]);
/** `expires_at` is a DATETIME. */
const LONGEST_DAYS = 36_500;

interface CreateOptions {
  scopes: string;
  expires?: string;
}

/** `tally key create NAME --scopes LIST`: prints the token, once. */
export async function createKeyCommand(
  config: Config,
  name: string,
  options: CreateOptions,
): Promise<number> {
  if (!NAME.test(name)) throw new NotNow('The name of a program has 1 to 64 letters, digits, or . _ : @ -');
  const scopes = scopesOf(options.scopes);
  const expiresAt = expiryOf(options);
  return changeAccessOf(config, async (directory, database) => {
    if (keysOf(directory, name).some(isGood)) {
      throw new NotNow(`${name} has a key: \`tally key rotate ${name}\` gives it another one.`);
    }
    print(await createKey(database, name, scopes, expiresAt));
    return 0;
  });
}

interface RotateOptions {
  grace: string;
  expires?: string;
}

/** `tally key rotate NAME`: prints the new token; the old ones go on for a while. */
export async function rotateKeyCommand(
  config: Config,
  name: string,
  options: RotateOptions,
): Promise<number> {
  const endsOthersAt = timeAfter(options.grace);
  const expiresAt = expiryOf(options);
  return changeAccessOf(config, async (directory, database) => {
    const owner = ownerOf(directory, name);
    const ending = keysOf(directory, name).find((key) => isGood(key) && key.expiresAt !== undefined);
    if (ending !== undefined && options.expires === undefined) {
      const end = ending.expiresAt;
      throw new NotNow(
        `The key of ${name} ends at ${end}: say when the new one does, by --expires 90d or --expires never.`,
      );
    }
    print(await rotateKey(database, owner, expiresAt, endsOthersAt));
    console.log(`The keys that ${name} had before end at ${endsOthersAt}.`);
    return 0;
  });
}

/** `tally key revoke NAME`. */
export async function revokeKeyCommand(config: Config, name: string): Promise<number> {
  return changeAccessOf(config, async (directory, database) => {
    await revokeKeys(database, ownerOf(directory, name));
    console.log(`The keys of ${name} are revoked. Every instance knows it within some seconds.`);
    return 0;
  });
}

/** `tally key list`. */
export async function listKeysCommand(config: Config): Promise<number> {
  return withDirectory(config, async (directory) => {
    const keys = [...directory.keys];
    if (keys.length === 0) console.log('There are no keys. `tally key create NAME --scopes LIST` makes one.');
    for (const key of keys) console.log(lineOf(key));
    return 0;
  });
}

function lineOf(key: OwnedKey): string {
  const { id, owner, createdAt, expiresAt, revokedAt, lastUsedAt } = key;
  const state = whyEnded(key, instantAt(Date.now())) ?? 'good';
  const until = [revokedAt, expiresAt].filter((at) => at !== undefined).toSorted()[0];
  return [
    owner.name.padEnd(20),
    `tally_${id}_…`,
    state.padEnd(7),
    [...owner.permissions].join(','),
    `created ${createdAt}`,
    until === undefined ? 'never ends' : `ends ${until}`,
    `last used ${lastUsedAt ?? 'never'}`,
  ].join('  ');
}

function print(token: string): void {
  console.log(token);
  console.error(
    'This is the key. It is shown only now: Tally keeps no copy. Send it as Authorization: Bearer <key>.',
  );
}

function scopesOf(list: string): Permission[] {
  const scopes = list.split(',').map((text) => text.trim());
  return scopes.map((scope) => {
    if (isPermission(scope)) return scope;
    throw new NotNow(`There is no scope ${scope}: choose from ${Object.keys(PERMISSIONS).join(', ')}`);
  });
}

function expiryOf({ expires = 'never' }: { expires?: string }): Instant | undefined {
  return expires === 'never' ? undefined : timeAfter(expires);
}

/** The time after a span like `24h` or `90d`. */
function timeAfter(span: string): Instant {
  const [, number, unit] = /^(\d{1,6})([hd])$/.exec(span) ?? [];
  const ms = Number(number) * (MS.get(unit ?? '') ?? NaN);
  if (Number.isNaN(ms) || ms > LONGEST_DAYS * DAY_MS) throw new NotNow(`${span} is no time like 24h or 90d.`);
  return instantAt(Date.now() + ms);
}

function keysOf(directory: Directory, name: string): OwnedKey[] {
  return [...directory.keys].filter(({ owner }) => owner.name === name);
}

function ownerOf(directory: Directory, name: string): Principal {
  const [key] = keysOf(directory, name);
  if (key === undefined)
    throw new NotNow(`No program ${name} has ever had a key; \`tally key list\` shows all.`);
  return key.owner;
}

function isGood(key: OwnedKey): boolean {
  return whyEnded(key, instantAt(Date.now())) === undefined;
}
