/** Which servers Tally works with: the one home of these numbers in the code. */
const OLDEST = { MySQL: '8.0', MariaDB: '10.6', Redis: '7.0', Valkey: '7.2' };
type Product = keyof typeof OLDEST;

/** A server is too old; the message names the version that was found and the one that is needed. */
export class TooOld extends Error {
  override readonly name = 'TooOld';
}

/** @throws TooOld. A version that cannot be read is let through: some services hide theirs. */
function refuseIfOlder(product: Product, version: string | undefined): void {
  const [, major, minor] = /(\d+)\.(\d+)/.exec(version ?? '') ?? [];
  if (major === undefined || minor === undefined) return;
  const [neededMajor = 0, neededMinor = 0] = OLDEST[product].split('.').map(Number);
  const isOlder =
    Number(major) < neededMajor || (Number(major) === neededMajor && Number(minor) < neededMinor);
  if (isOlder)
    throw new TooOld(`${product} ${version} is too old: Tally needs ${product} ${OLDEST[product]} or later.`);
}

/** @param version as for `refuseOldMysql`. */
export function isMariadb(version: string): boolean {
  return /mariadb/i.test(version);
}

/** @param version what `SELECT VERSION()` or `mariadbd --version` says. @throws TooOld */
export function refuseOldMysql(version: string): void {
  // Some MariaDB put 5.5.5- in front of their version, for the sake of old replicas.
  const [found] = /\d+\.\d+(\.\d+)?/.exec(version.replace('5.5.5-', '')) ?? [];
  refuseIfOlder(isMariadb(version) ? 'MariaDB' : 'MySQL', found);
}

/** @param info what `INFO server` or `redis-server --version` says. @throws TooOld */
export function refuseOldRedis(info: string): void {
  const valkey = /(?:valkey_version:|Valkey.* v=)([\d.]+)/.exec(info)?.[1];
  if (valkey !== undefined) refuseIfOlder('Valkey', valkey);
  else refuseIfOlder('Redis', /(?:redis_version:|v=|redis-check-rdb )([\d.]+)/.exec(info)?.[1]);
}
