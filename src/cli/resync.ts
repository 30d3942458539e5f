import { appendFileSync, writeFileSync } from 'node:fs';
import { createLogger, openCore, redisReady, type Core } from '../app';
import type { Config } from '../config';
import { errorMessage, Problem } from '../domain/problems';
import { formatTip } from '../domain/events';
import { readHead } from '../mysql/log';
import { migrate } from '../mysql/migrate';
import { GenerationLost } from '../projections/projector/applier';
import { RebuildAbandoned } from '../projections/resync/builder';
import {
  NoReadModel,
  ResyncBusy,
  runRebuild,
  runVerify,
  type ResyncDeps,
} from '../projections/resync/supervisor';
import { readVerification, type StoredVerification } from '../projections/resync/verification-store';
import { describeWork, readWork } from '../projections/resync/work';
import { readAppliedTip } from '../read-model/scripts';
import { showProgress } from './progress';

/** `tally verify`: exit code 1 where the read model differs from MySQL. */
export async function verifyCommand(config: Config, findingsFile?: string): Promise<number> {
  return withCore(config, async (core, deps) => {
    const findings = openFindings(findingsFile);
    const found = await runVerify({ ...core.resyncDeps, ...deps, ...findings }, { repair: false });
    console.log(describeVerification(found));
    if (found.drift > 0 || found.unadopted > 0) console.log('`tally repair` mends it.');
    return found.drift === 0 && found.unadopted === 0 ? 0 : 1;
  });
}

/** `tally repair`: exit code 1 where drift is left. */
export async function repairCommand(config: Config, findingsFile?: string): Promise<number> {
  return withCore(config, async (core, deps) => {
    const findings = openFindings(findingsFile);
    const found = await runVerify({ ...core.resyncDeps, ...deps, ...findings }, { repair: true });
    console.log(describeVerification(found));
    const left = found.drift - found.repaired;
    if (left > 0)
      console.log(
        `${left} keys could not be mended because the model moved on: try again, or \`tally rebuild\`.`,
      );
    return left === 0 ? 0 : 1;
  });
}

/** `tally rebuild` */
export async function rebuildCommand(config: Config): Promise<number> {
  return withCore(config, async (core, deps) => {
    const { keys, orders, adopted, verification, loadMs, verifyMs } = await runRebuild({
      ...core.resyncDeps,
      ...deps,
    });
    if (verification.drift > 0)
      console.log(
        `It differed from MySQL in ${verification.drift} keys, which were mended: please report this.`,
      );
    console.log(
      `Generation ${keys.generation} is live, with ${orders} orders from MySQL: ` +
        `loaded in ${seconds(loadMs)}, verified in ${seconds(verifyMs)}.`,
    );
    if (adopted > 0) console.log(`Adopted ${adopted} changes of other programs.`);
    return 0;
  });
}

/** `tally status`: exit code 1 where there is no read model. */
export async function statusCommand(config: Config): Promise<number> {
  return withCore(config, async ({ databases, redis, live }) => {
    const head = await databases.reads.session(readHead);
    const keys = await live.refresh();
    const applied = keys === undefined ? null : await readAppliedTip(redis.projector, keys);
    const work = await readWork(redis.projector, live.prefix);
    const verification = await readVerification(redis.projector, live.prefix);
    const rows: [string, string][] = [
      ['head (MySQL)', `${formatTip(head)}, ${head.ordersLive} orders`],
      ['applied (Redis)', applied ?? 'there is no read model'],
      ['generation', keys?.generation ?? 'none'],
      ['lag', applied === null ? 'unknown' : `${head.position - Number(applied.split(':')[0])} events`],
      ['resync', work === undefined ? 'none running' : describeWork(work)],
      ['last verification', verification === undefined ? 'never' : describeVerification(verification)],
    ];
    for (const [name, value] of rows) console.log(`${name.padEnd(18)} ${value}`);
    return applied === null ? 1 : 0;
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Writes all findings to a file, at once: drift is rare, and what was found must not be lost with the process. */
function openFindings(file: string | undefined): Pick<ResyncDeps, 'onFinding'> {
  if (file === undefined) return {};
  writeFileSync(file, ''); // fails now, rather than after minutes, where it cannot be written
  return { onFinding: (finding) => appendFileSync(file, `${JSON.stringify(finding)}\n`) };
}

function describeVerification({
  started_at,
  finished_at,
  orders,
  position,
  drift,
  repaired,
  unadopted,
  adopted,
  findings,
}: StoredVerification): string {
  const lines = [
    `${finished_at}: ${orders} orders up to position ${position} in ` +
      `${seconds(Date.parse(finished_at) - Date.parse(started_at))}, ${drift} keys differed, ${repaired} mended`,
  ];
  if (unadopted > 0) lines.push(`${unadopted} changes of other programs in MySQL, ${adopted} adopted`);
  for (const { key, expected, found } of findings)
    lines.push(`  ${key}\n    expected ${expected}\n    found    ${found}`);
  if (findings.length < drift)
    lines.push(`  … and ${drift - findings.length} more: \`--findings FILE\` writes them all`);
  return lines.join('\n');
}

async function withCore(
  config: Config,
  run: (core: Core, deps: Pick<ResyncDeps, 'observe'>) => Promise<number>,
): Promise<number> {
  await migrate(config.DATABASE_URL, config.MYSQL_TIMEOUT_MS);
  const core = openCore(config, createLogger({ LOG_LEVEL: 'silent' }));
  const progress = showProgress(process.stdout);
  try {
    await redisReady(core.redis.projector, config.REDIS_TIMEOUT_MS).catch((error: unknown) => {
      throw new RedisAway(`Redis cannot be reached: ${errorMessage(error)}`);
    });
    return await run(core, {
      observe: (state) => {
        if (state === undefined) progress.stop();
        else
          progress.update({ label: `${state.kind}: ${state.phase}`, done: state.done, total: state.total });
      },
    });
  } catch (error) {
    progress.stop();
    if (!EXPLAINED.some((type) => error instanceof type)) throw error;
    console.error(errorMessage(error));
    return 1;
  } finally {
    await core.close();
  }
}

class RedisAway extends Error {
  override readonly name = 'RedisAway';
}

/** Errors whose message is all that an operator needs. */
const EXPLAINED = [Problem, RedisAway, NoReadModel, ResyncBusy, GenerationLost, RebuildAbandoned];
