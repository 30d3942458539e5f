import { type Command, findProgram, run, tail } from './command';
import { LaunchError } from './launch-error';

/** Two downloads from a slow mirror. */
const INSTALL_WITHIN_MS = 600_000;
const SUDO_WITHIN_MS = 5000;

/** No questions, and no restarts of the machine's other services, which Ubuntu's needrestart would do. */
const APT_ENVIRONMENT = ['DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1'];
/** A machine that has just booted may be updating itself. */
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=120'];

export interface InstallOptions {
  /** What is missing, for messages: 'mariadbd or mysqld'. */
  missing: string;
  packages: string[];
  searchPath: string[];
  allowInstall: boolean;
  log: (line: string) => void;
}

/**
 * Installs Debian packages with apt-get, as root or with a sudo that asks no password.
 * @throws LaunchError that names the command to type where this cannot or may not be done.
 */
export async function installPackages(options: InstallOptions): Promise<void> {
  const { missing, packages, searchPath, allowInstall, log } = options;
  const reason = `there is no ${missing} on this machine, and no Docker engine answers`;
  const isRoot = process.getuid?.() === 0;
  const aptGet = findProgram(searchPath, 'apt-get');
  if (aptGet === undefined) {
    throw new LaunchError(
      `${reason}.\nInstall MariaDB or MySQL, and Redis or Valkey (Homebrew: brew install mariadb redis), ` +
        'or start Docker, or set DATABASE_URL and REDIS_URL.',
    );
  }

  const install = `install -y --no-install-recommends ${packages.join(' ')}`;
  const sudo = isRoot ? '' : 'sudo ';
  const advice = `Type this:\n  ${sudo}apt-get update && ${sudo}apt-get ${install}\nor set DATABASE_URL and REDIS_URL.`;
  if (!allowInstall) throw new LaunchError(`${reason}; installing was not allowed. ${advice}`);
  const rootEnv: Command | undefined = isRoot ? ['env'] : await passwordlessSudo(searchPath);
  if (rootEnv === undefined) throw new LaunchError(`${reason}; installing needs root. ${advice}`);

  log(`installing ${packages.join(', ')} with apt-get (about 20 s), because ${reason}`);
  for (const step of ['update', install]) {
    const command: Command = [...rootEnv, ...APT_ENVIRONMENT, aptGet, ...APT_OPTIONS, ...step.split(' ')];
    const { exitCode, output } = await run(command, INSTALL_WITHIN_MS);
    if (exitCode !== 0) throw new LaunchError(`apt-get ${step} failed:\n${tail(output)}\n${advice}`);
  }
}

/** @returns a command that runs another as root, with an environment: `sudo -n env NAME=value …`. */
async function passwordlessSudo(searchPath: string[]): Promise<Command | undefined> {
  const sudo = findProgram(searchPath, 'sudo');
  if (sudo === undefined) return undefined;
  const { exitCode } = await run([sudo, '-n', 'true'], SUDO_WITHIN_MS);
  return exitCode === 0 ? [sudo, '-n', 'env'] : undefined;
}
