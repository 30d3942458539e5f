import { randomBytes } from 'node:crypto';
import type { Config } from '../config';
import { logId } from '../domain/ids';
import { counted } from '../domain/plain-english';
import { replaceLogId } from '../mysql/log';
import { spaceOf } from '../projections/resync/resync-lease';
import { unlinkAll } from '../read-model/collect';
import { KeySpace } from '../read-model/keys';
import { NotNow, withReadModel } from './command';

/** `tally forget <log>`: removes the read model of a log whose database is gone. */
export async function forgetCommand(config: Config, log: string): Promise<number> {
  return withReadModel(config, async ({ redis }, deps) => {
    if (!/^[0-9a-f]{32}$/.test(log))
      throw new NotNow('The log is named by its id, as `tally status` shows it.');
    const space = new KeySpace(config.REDIS_PREFIX, logId(log));
    if (space.root === spaceOf(deps).root)
      throw new NotNow('This is the log of DATABASE_URL itself: nothing was removed.');
    // The pointer first: without it nobody reads the keys that are still there.
    let removed = await redis.unlink(space.live, space.lease, space.verification);
    removed += await unlinkAll(redis, space.pattern);
    console.log(`Removed ${counted(removed, 'key')} below ${space.root}.`);
    return 0;
  });
}

/** `tally new-log-id`: makes the log of a copied database another one, so that it shares nothing with the original. */
export async function newLogIdCommand(config: Config): Promise<number> {
  return withReadModel(config, async ({ databases, followLog }) => {
    const { logId: before } = await followLog();
    const after = logId(randomBytes(16).toString('hex'));
    await databases.reads.session((session) => replaceLogId(session, after));
    console.log(
      `The log ${before} is ${after} now. A running service builds a read model for it; ` +
        `\`tally forget ${before}\` removes the old one, unless the original still uses it.`,
    );
    return 0;
  });
}
