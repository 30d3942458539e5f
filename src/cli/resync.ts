import { appendFileSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import type { Config } from '../config';
import { fileFault } from '../domain/errors';
import { formatLogPosition, type LogPosition } from '../domain/log-position';
import { counted } from '../domain/plain-english';
import { findingReporter, liveKeys, runRebuild, runRepair } from '../projections/resync/resync';
import { readWork, reporter, spaceOf, type ResyncDeps } from '../projections/resync/resync-lease';
import {
  readVerification,
  summaryOf,
  type StoredVerification,
} from '../projections/resync/verification-store';
import { verify } from '../projections/resync/verify';
import { readCheckpoint } from '../read-model/checkpoint';
import type { Keys } from '../read-model/keys';
import { bringSchemaUp, NotNow, withReadModel } from './command';

/** How long `tally verify` waits for a running service to bring the events before its snapshot. */
const CATCH_UP_WAIT_MS = 10_000;
const CATCH_UP_PAUSE_MS = 50;

interface FindingsOption {
  /** The file to write them to. */
  findings?: string;
}

/** `tally verify`: changes nothing. Exit code 1 where the read model differs from MySQL. */
export async function verifyCommand(config: Config, options: FindingsOption): Promise<number> {
  const findings = openFindings(options);
  return withReadModel(config, async (_, deps) => {
    const { redis, database, live } = deps;
    const keys = await liveKeys(live);
    const onFinding = findingReporter({ ...deps, ...findings });
    const startedAt = Date.now();
    const { progress } = reporter('verify', deps);
    const verification = await verify(redis, database, keys, {
      repair: false,
      progress,
      bringForward: (to) => waitForService(deps, keys, to),
      onFinding,
    });
    deps.observe?.(undefined);
    const found = summaryOf(verification, { reconciled: 0, startedAt, finishedAt: Date.now() });
    console.log(describeVerification(found));
    const isSame = found.drift === 0 && found.out_of_band === 0;
    if (!isSame) console.log(adviceFor(found));
    return isSame ? 0 : 1;
  });
}

function adviceFor({ drift, out_of_band: outOfBand, irreconcilable }: StoredVerification): string {
  return drift === 0 && outOfBand === irreconcilable.length
    ? 'Correct or delete these rows in MySQL: `tally repair` cannot.'
    : '`tally repair` sets it right.';
}

/** Waits until a running service has brought the events up to a position. @throws NotNow where none does. */
async function waitForService({ redis }: ResyncDeps, keys: Keys, to: LogPosition): Promise<void> {
  const deadline = performance.now() + CATCH_UP_WAIT_MS;
  for (;;) {
    const at = await readCheckpoint(redis, keys);
    if (at === undefined || at.position >= to.position) return; // lost, or there: the verification goes on and sees it
    if (performance.now() > deadline) {
      throw new NotNow(
        `The read model is at position ${at.position} and MySQL at ${to.position}: the events between wait for a ` +
          'service to bring them. Start one, or use `tally repair`, which brings them itself.',
      );
    }
    await delay(CATCH_UP_PAUSE_MS);
  }
}

/** `tally repair`: exit code 1 where drift is left. */
export async function repairCommand(config: Config, options: FindingsOption): Promise<number> {
  const findings = openFindings(options);
  await bringSchemaUp(config);
  return withReadModel(config, async (_, deps) => {
    const found = await runRepair({ ...deps, ...findings });
    console.log(describeVerification(found));
    const left = found.drift - found.repaired;
    if (left > 0)
      console.log(
        `${counted(left, 'key')} could not be repaired because the model moved on: try again, or \`tally rebuild\`.`,
      );
    return left === 0 ? 0 : 1;
  });
}

/** `tally rebuild` */
export async function rebuildCommand(config: Config): Promise<number> {
  await bringSchemaUp(config);
  return withReadModel(config, async (_, deps) => {
    const { keys, orders, reconciled, verification, loadMs, verifyMs } = await runRebuild(deps);
    if (verification.drift > 0)
      console.log(
        `It differed from MySQL in ${counted(verification.drift, 'key')}, now repaired: please report this.`,
      );
    console.log(
      `Generation ${keys.generation} is live, with ${counted(orders, 'order')} from MySQL: ` +
        `loaded in ${seconds(loadMs)}, verified in ${seconds(verifyMs)}.`,
    );
    if (reconciled > 0) console.log(`Reconciled ${counted(reconciled, 'change')} of other programs.`);
    return 0;
  });
}

/** `tally status`: exit code 1 where there is no read model. */
export async function statusCommand(config: Config): Promise<number> {
  return withReadModel(config, async ({ followLog }, deps) => {
    const { redis, live } = deps;
    const head = await followLog();
    const space = spaceOf(deps);
    const keys = await live.refresh();
    const at = keys === undefined ? undefined : await readCheckpoint(redis, keys);
    const work = await readWork(redis, space);
    const verification = await readVerification(redis, space);
    const rows: [string, string][] = [
      ['log', head.logId],
      ['head (MySQL)', `${formatLogPosition(head)}, ${counted(head.live.order, 'order')}`],
      ['applied (Redis)', at === undefined ? 'there is no read model' : formatLogPosition(at)],
      ['prefix of its keys', keys?.prefix ?? 'none'],
      ['lag', at === undefined ? 'unknown' : counted(Math.max(0, head.position - at.position), 'event')],
      ['resync', work ?? 'none running'],
      ['last verification', verification === undefined ? 'never' : describeVerification(verification)],
    ];
    for (const [name, value] of rows) console.log(`${name.padEnd(18)} ${value}`);
    return at === undefined ? 1 : 0;
  });
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}

/** Writes all findings to a file, at once: drift is rare, and what was found must not be lost with the process. */
function openFindings({ findings: file }: FindingsOption): Pick<ResyncDeps, 'onFinding'> {
  if (file === undefined) return {};
  const saying = (write: () => void) => {
    try {
      write();
    } catch (error) {
      throw new NotNow(`The findings cannot be written to ${file}: ${fileFault(error)}.`);
    }
  };
  saying(() => writeFileSync(file, '')); // fails now, rather than after minutes, where it cannot be written
  return { onFinding: (finding) => saying(() => appendFileSync(file, `${JSON.stringify(finding)}\n`)) };
}

function describeVerification({ findings, ...found }: StoredVerification): string {
  const { finished_at: finishedAt, started_at: startedAt, orders, position, drift, repaired } = found;
  const lines = [
    `${finishedAt}: ${counted(orders, 'order')} up to position ${position} in ` +
      `${seconds(Date.parse(finishedAt) - Date.parse(startedAt))}, ${counted(drift, 'key')} differed, ${repaired} repaired`,
  ];
  if (found.out_of_band > 0)
    lines.push(
      `${counted(found.out_of_band, 'change')} of other programs in MySQL, ${found.reconciled} reconciled`,
    );
  for (const row of found.irreconcilable)
    lines.push(`  not reconciled, the reports keep what the log says: ${row}`);
  for (const { key, expected, found: value } of findings)
    lines.push(`  ${key}\n    expected ${expected}\n    found    ${value}`);
  if (findings.length < drift)
    lines.push(`  … and ${drift - findings.length} more: \`--findings FILE\` writes them all`);
  return lines.join('\n');
}
