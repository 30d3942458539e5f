import './node-version';
import closeWithGrace from 'close-with-grace';
import { Command, CommanderError } from 'commander';
import { PERMISSIONS, ROLES } from './access/permissions';
import { startApp } from './app';
import { bringSchemaUp } from './cli/command';
import { explain, outliveReader } from './cli/explain';
import { demoCommand, importCommand } from './cli/import';
import { createKeyCommand, listKeysCommand, revokeKeyCommand, rotateKeyCommand } from './cli/keys';
import { forgetCommand, newLogIdCommand } from './cli/logs';
import {
  addPersonCommand,
  listPeopleCommand,
  removePersonCommand,
  resetPersonCommand,
  unlockPersonCommand,
} from './cli/people';
import { rebuildCommand, repairCommand, statusCommand, verifyCommand } from './cli/resync';
import { loadConfig, type Config } from './config';
import { createLogger, withoutValues } from './logger';
import { VERSION } from './version';

const FINDINGS_OPTION = [
  '--findings <file>',
  'write every key that differs to a file, one JSON object a line (only the first 100 are shown)',
] as const;

const EXPIRES_OPTION = [
  '--expires <time>',
  'when the key ends: like 24h or 90d, or never, as if not given',
] as const;

const PASSWORD_OPTION = ['--password-stdin', 'take the password from the first line of the input'] as const;

const IMPORT_FILES = `
The first line of each file names its columns, separated by commas, in any order; the files are in UTF-8:
  users.csv        id,name,email
  products.csv     id,name,sku,price
  orders.csv       id,user_id,created_at
  order_items.csv  order_id,product_id,quantity,unit_price
Prices are like 4.50, times like 2026-11-21T10:00:00Z or 2026-11-21, which is midnight in UTC.
`;

/**
 * The process. Returns its exit code; `serve` returns when the service has stopped.
 * 0: done. 1: an error, or drift that was found and not repaired.
 * @param env where it must be looked for, that is done once it is clear that a command runs.
 * @param moreHelp printed after the list of commands.
 */
export async function main(
  argv: string[],
  env: NodeJS.ProcessEnv | (() => Promise<NodeJS.ProcessEnv>),
  moreHelp = '',
): Promise<number> {
  let exitCode = 0;
  const run =
    <A extends unknown[]>(command: (config: Config, ...args: A) => Promise<number>) =>
    async (...args: A) => {
      exitCode = await command(loadConfig(typeof env === 'function' ? await env() : env), ...args);
    };
  const program = new Command('tally')
    .description('Orders whose reports are always right.')
    .version(VERSION)
    .exitOverride()
    .configureHelp({ showGlobalOptions: true })
    .addHelpText('after', moreHelp);

  program.command('serve').description('run the service').action(run(serve));
  program.command('migrate').description('bring the schema up to date').action(run(migrateCommand));
  program
    .command('import')
    .description(
      'import users.csv, products.csv, orders.csv and order_items.csv with their own ids, dates and prices',
    )
    .addHelpText('after', IMPORT_FILES)
    .requiredOption('--dir <directory>', 'where the four files are')
    .action(run(importCommand));
  program
    .command('demo')
    .description('fill the shop with a sample catalogue and some thousands of orders')
    .option('--seed <number>', 'another seed, other orders', '1')
    .action(run(demoCommand));
  program
    .command('verify')
    .description('compare the read model with MySQL, key by key; changes nothing')
    .option(...FINDINGS_OPTION)
    .action(run(verifyCommand));
  program
    .command('repair')
    .description('verify, repair what is damaged in Redis, reconcile what other programs changed in MySQL')
    .option(...FINDINGS_OPTION)
    .action(run(repairCommand));
  program
    .command('rebuild')
    .description('build a new read model beside the live one')
    .action(run(rebuildCommand));
  program
    .command('forget')
    .argument('<log>', 'id of the log, as `tally status` showed it')
    .description('remove the read model of a database that is gone from Redis')
    .action(run(forgetCommand));
  program
    .command('new-log-id')
    .description('give the log of a copied database an id of its own')
    .action(run(newLogIdCommand));
  const key = program.command('key').description('API keys of programs');
  key
    .command('create')
    .argument('<name>', 'of the program')
    .requiredOption('--scopes <list>', `what it may do, by commas: ${Object.keys(PERMISSIONS).join(', ')}`)
    .option(...EXPIRES_OPTION)
    .description('make the first key of a program, and print it')
    .action(run(createKeyCommand));
  key
    .command('rotate')
    .argument('<name>', 'of the program')
    .option('--grace <time>', 'how long the keys that it has go on, like 24h or 7d', '24h')
    .option(...EXPIRES_OPTION)
    .description('make another key of a program, and print it')
    .action(run(rotateKeyCommand));
  key
    .command('revoke')
    .argument('<name>', 'of the program')
    .description('end all keys of a program')
    .action(run(revokeKeyCommand));
  key.command('list').description('show all keys, without their secrets').action(run(listKeysCommand));
  const person = program.command('person').description('people who log in');
  person
    .command('add')
    .argument('<name>', 'to log in with')
    .requiredOption('--role <role>', `what he may do: ${Object.keys(ROLES).join(', ')}`)
    .option(...PASSWORD_OPTION)
    .description('add a person, and print his password')
    .action(run(addPersonCommand));
  person
    .command('reset')
    .argument('<name>', 'of the person')
    .option('--role <role>', 'another role')
    .option(...PASSWORD_OPTION)
    .description('give a person another password, and log him out everywhere')
    .action(run(resetPersonCommand));
  person
    .command('unlock')
    .argument('<name>', 'of the person')
    .description('let a person try again whose logins failed too often')
    .action(run(unlockPersonCommand));
  person
    .command('remove')
    .argument('<name>', 'of the person')
    .description('let a person do nothing any more')
    .action(run(removePersonCommand));
  person.command('list').description('show all people').action(run(listPeopleCommand));
  program.command('status').description('say how far the read model is').action(run(statusCommand));

  try {
    await program.parseAsync(argv, { from: 'user' });
    return exitCode;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode; // has printed its message
    const explanation = explain(error);
    if (explanation === undefined) throw error;
    console.error(explanation);
    return 1;
  }
}

async function serve(config: Config): Promise<number> {
  const app = await startApp(config);
  return new Promise((resolve) => {
    closeWithGrace({ delay: config.SHUTDOWN_TIMEOUT_MS, logger: createLogger(config) }, async ({ err }) => {
      await app.close();
      resolve(err === undefined ? 0 : 1);
    });
  });
}

async function migrateCommand(config: Config): Promise<number> {
  const applied = await bringSchemaUp(config);
  console.log(applied.length === 0 ? 'The schema is up to date.' : `Applied ${applied.join(', ')}.`);
  return 0;
}

if (require.main === module) {
  outliveReader();
  main(process.argv.slice(2), process.env).then(
    (exitCode) => (process.exitCode = exitCode),
    (error: unknown) => {
      console.error(withoutValues(error));
      process.exitCode = 1;
    },
  );
}
