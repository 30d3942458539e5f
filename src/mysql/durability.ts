import type { Database } from './pool';

const WANTED: Record<string, [value: string, why: string]> = {
  innodb_flush_log_at_trx_commit: ['1', 'a crash of the server can lose acknowledged orders'],
  log_bin: ['ON', 'MariaDB shows a commit before it is durable, and there is nothing to restore to'],
  sync_binlog: ['1', 'a crash of the server can lose the newest entries of the binary log'],
};

/** What is weaker than Tally's promise needs: one sentence for each setting, none where all is well. */
export async function durabilityWarnings(database: Database): Promise<string[]> {
  const rows = await database.session((session) =>
    session.rows<{ Variable_name: string; Value: string }>(
      'SHOW GLOBAL VARIABLES WHERE Variable_name IN (?)',
      [Object.keys(WANTED)],
    ),
  );
  const values = new Map(rows.map((row) => [row.Variable_name, row.Value]));
  return Object.entries(WANTED).flatMap(([name, [wanted, why]]) => {
    const value = values.get(name) ?? wanted;
    return value === wanted ? [] : [`MySQL has ${name} = ${value} instead of ${wanted}: ${why}`];
  });
}
