import { randomBytes } from 'node:crypto';
import { text } from 'node:stream/consumers';
import type { Directory } from '../access/directory';
import { unlock } from '../access/login-attempts';
import { putPerson, removePerson } from '../access/people';
import { isRole, ROLES, type Role } from '../access/permissions';
import type { Person } from '../access/principal';
import type { Config } from '../config';
import { changeAccessOf, NotNow, withDirectory } from './command';

const NAME = /^[\w.:@-]{1,64}$/;
const SHORTEST_PASSWORD = 12;
const LONGEST_PASSWORD = 200;

interface PasswordOption {
  passwordStdin?: boolean;
}

/** `tally person add NAME --role ROLE`. */
export async function addPersonCommand(
  config: Config,
  name: string,
  options: PasswordOption & { role: string },
): Promise<number> {
  if (!NAME.test(name)) throw new NotNow('The name of a person has 1 to 64 letters, digits, or . _ : @ -');
  const role = roleOf(options.role);
  return changeAccessOf(config, async (directory, database) => {
    if (found(directory, name)?.role !== undefined) {
      throw new NotNow(
        `There is a person ${name}: \`tally person reset ${name}\` gives him another password or role.`,
      );
    }
    await withPassword(options, (password) => putPerson(database, { name, role, isNew: true }, password));
    console.log(`${name} may log in, as ${role}.`);
    return 0;
  });
}

/** `tally person reset NAME`: another password, and another role where one is given; ends the person's sessions. */
export async function resetPersonCommand(
  config: Config,
  name: string,
  options: PasswordOption & { role?: string },
): Promise<number> {
  return changeAccessOf(config, async (directory, database) => {
    const { role: before } = personNamed(directory, name);
    const role = options.role === undefined ? before : roleOf(options.role);
    if (role === undefined) throw new NotNow(`${name} was removed: \`tally person add\` adds him again.`);
    await withPassword(options, (password) => putPerson(database, { name, role, isNew: false }, password));
    await unlock(database, name);
    console.log(`${name} has another password, is ${role}, and is logged out everywhere.`);
    return 0;
  });
}

/** `tally person remove NAME`. */
export async function removePersonCommand(config: Config, name: string): Promise<number> {
  return changeAccessOf(config, async (directory, database) => {
    await removePerson(database, personNamed(directory, name));
    console.log(`${name} may do nothing any more, and is logged out everywhere.`);
    return 0;
  });
}

/** `tally person unlock NAME`: after too many failed logins. */
export async function unlockPersonCommand(config: Config, name: string): Promise<number> {
  return changeAccessOf(config, async (directory, database) => {
    personNamed(directory, name);
    await unlock(database, name);
    console.log(`${name} may try to log in again.`);
    return 0;
  });
}

/** `tally person list`. */
export async function listPeopleCommand(config: Config): Promise<number> {
  return withDirectory(config, async (directory) => {
    const people = [...directory.principals].filter((principal) => principal.kind === 'person');
    if (people.length === 0)
      console.log('There are no people. `tally person add NAME --role ROLE` adds one.');
    for (const { name, role } of people) console.log(`${name.padEnd(20)}  ${role ?? 'removed'}`);
    return 0;
  });
}

/** From standard input, or a new one, which is printed. */
async function withPassword(
  { passwordStdin = false }: PasswordOption,
  use: (password: string) => Promise<void>,
): Promise<void> {
  if (passwordStdin) {
    const [password = ''] = (await text(process.stdin)).split(/\r?\n/);
    if (password.length < SHORTEST_PASSWORD || password.length > LONGEST_PASSWORD) {
      throw new NotNow(`A password has ${SHORTEST_PASSWORD} to ${LONGEST_PASSWORD} characters.`);
    }
    return use(password);
  }
  const password = randomBytes(15).toString('base64url');
  await use(password);
  console.log(password);
  console.error('This is the password. It is shown only now: Tally keeps no copy.');
}

function roleOf(text: string): Role {
  if (isRole(text)) return text;
  throw new NotNow(`There is no role ${text}: choose from ${Object.keys(ROLES).join(', ')}`);
}

function personNamed(directory: Directory, name: string): Person {
  const person = found(directory, name);
  if (person === undefined) throw new NotNow(`There is no person ${name}; \`tally person list\` shows all.`);
  return person;
}

function found(directory: Directory, name: string): Person | undefined {
  return [...directory.principals]
    .filter((principal) => principal.kind === 'person')
    .find((person) => person.name === name);
}
