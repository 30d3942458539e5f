import { execFile } from 'node:child_process';
import { mkdir, rm, statfs, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Room for MySQL's own files and for the binary log of many runs. The file takes only what is written. */
const SIZE_BYTES = 2 ** 30;

/** A disk of a server's own, which can be full. */
export interface SmallDisk {
  directory: string;
  fill(): Promise<void>;
  /** Makes room again. */
  clear(): Promise<void>;
  unmount(): Promise<void>;
}

/** Mounts a file as a disk. @returns undefined where this machine does not let us: it needs root, and loop devices. */
export async function mountSmallDisk(runDir: string): Promise<SmallDisk | undefined> {
  const image = join(runDir, 'disk.img');
  const directory = join(runDir, 'disk');
  const filler = join(directory, 'filler');
  try {
    await mkdir(directory);
    await writeFile(image, '');
    await truncate(image, SIZE_BYTES);
    await run('mkfs.ext4', ['-q', '-m', '0', image]);
    await run('mount', ['-o', 'loop', image, directory]);
  } catch (error) {
    console.log(`not tested: mysql-disk-full, for there is no disk to fill: ${String(error)}`);
    return undefined;
  }
  return {
    directory,
    async fill() {
      // All of it at once; the server may take some of it meanwhile, so some may be left.
      const { bavail, bsize } = await statfs(directory);
      await run('fallocate', ['--length', String(bavail * bsize), filler]).catch(() => undefined);
    },
    clear: async () => rm(filler, { force: true }),
    async unmount() {
      await run('umount', [directory]);
    },
  };
}
