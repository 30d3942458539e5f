import { type Command, findProgram, run, tail } from './command';
import { LaunchError } from './launch-error';

/** Enough for a slow mirror. */
const INSTALL_WITHIN_MS = 600_000;
const SUDO_WITHIN_MS = 5000;

/** apt-get must not ask questions, and Ubuntu's needrestart must not restart other services of this machine. */
const APT_ENVIRONMENT = ['DEBIAN_FRONTEND=noninteractive', 'NEEDRESTART_SUSPEND=1'];
/** Right after boot, a machine may be installing updates: wait for that. */
const APT_OPTIONS = ['-o', 'DPkg::Lock::Timeout=120'];

export interface InstallOptions {
  /** The missing programs, for messages: 'mariadbd or mysqld'. */
  missing: string;
  packages: string[];
  searchPath: string[];
  allowInstall: boolean;
  log: (line: string) => void;
}

/**
 * Installs Debian packages with apt-get, as root or with a sudo that needs no password.
 * @throws LaunchError with the command to type, if it cannot or may not install.
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
  const advice = `Run this:\n  ${sudo}apt-get update && ${sudo}apt-get ${install}\nor set DATABASE_URL and REDIS_URL.`;
  if (!allowInstall)
    throw new LaunchError(`${reason}, and apt-get may not be used (--no-install). ${advice}`);
  const rootEnv: Command | undefined = isRoot ? ['env'] : await passwordlessSudo(searchPath);
  if (rootEnv === undefined) throw new LaunchError(`${reason}, and only root can install one. ${advice}`);

  log(`installing ${packages.join(', ')} with apt-get (about 20 s), because ${reason}`);
  for (const step of ['update', install]) {
    const command: Command = [...rootEnv, ...APT_ENVIRONMENT, aptGet, ...APT_OPTIONS, ...step.split(' ')];
    const { exitCode, output } = await run(command, INSTALL_WITHIN_MS);
    if (exitCode !== 0) throw new LaunchError(`apt-get ${step} failed:\n${tail(output)}\n${advice}`);
  }
}

/** @returns the start of a command that runs as root with its own environment: `sudo -n env NAME=value …`. */
async function passwordlessSudo(searchPath: string[]): Promise<Command | undefined> {
  const sudo = findProgram(searchPath, 'sudo');
  if (sudo === undefined) return undefined;
  const { exitCode } = await run([sudo, '-n', 'true'], SUDO_WITHIN_MS);
  return exitCode === 0 ? [sudo, '-n', 'env'] : undefined;
}
