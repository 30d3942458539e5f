import type { Database } from './pool';

const WANTED: Record<string, { accepted: string[]; why: string }> = {
  innodb_flush_log_at_trx_commit: {
    accepted: ['1'],
    why: 'a crash of the server can lose acknowledged orders',
  },
  log_bin: {
    accepted: ['ON', '1'],
    why: 'MariaDB shows a commit before it is durable, and there is nothing to restore to',
  },
  sync_binlog: {
    accepted: ['1'],
    why: 'a crash of the server can lose the newest entries of the binary log',
  },
};

/** What is weaker than Tally's promise needs: one sentence for each setting, none where all is well. */
export async function durabilityWarnings(database: Database): Promise<string[]> {
  const rows = await database.rows<{ Variable_name: string; Value: string }>(
    'SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)',
    [Object.keys(WANTED)],
  );
  return rows.flatMap(({ Variable_name: name, Value: value }) => {
    const wanted = WANTED[name];
    if (wanted === undefined || wanted.accepted.includes(value)) return [];
    return [`MySQL has ${name} = ${value} instead of ${wanted.accepted[0]}: ${wanted.why}`];
  });
}
