/**
 * A finished read model into an empty Redis by plain pipelined commands: what any rebuild must do at least. It copies the
 * keys of another Redis that begin with KEY_ROOT; only the writing is timed. `--only order:` takes only keys that go on
 * so. Prints `{"keys": …, "seconds": …}`.
 */
import { parseArgs } from 'node:util';
import { Redis, type ChainableCommander } from 'ioredis';
import { required } from './environment';

const COMMANDS_PER_PIPELINE = 1000;
const PIPELINES_AT_ONCE = 10;
/** Members or fields of one command. */
const MEMBERS_PER_COMMAND = 500;

type Write = [command: string, ...args: string[]];

/** Runs commands in pipelines and returns their replies. */
async function pipelined(redis: Redis, commands: Write[]): Promise<unknown[]> {
  const pipelines: ChainableCommander[] = [];
  for (let at = 0; at < commands.length; at += COMMANDS_PER_PIPELINE) {
    pipelines.push(redis.pipeline(commands.slice(at, at + COMMANDS_PER_PIPELINE)));
  }
  const replies = await Promise.all(pipelines.map((pipeline) => pipeline.exec()));
  return replies.flatMap((results) =>
    (results ?? []).map(([error, reply]) => {
      if (error) throw error;
      return reply;
    }),
  );
}

const READ: Record<string, (key: string) => Write> = {
  hash: (key) => ['hgetall', key],
  string: (key) => ['get', key],
  set: (key) => ['smembers', key],
  zset: (key) => ['zrange', key, '0', '-1', 'WITHSCORES'],
};

function writesOf(type: string, key: string, value: unknown): Write[] {
  if (typeof value === 'string') return [['set', key, value]];
  if (type === 'hash') return [['hset', key, ...Object.entries(value as Record<string, string>).flat()]];
  const flat = (value as unknown[]).flat().map(String);
  if (type === 'zset') {
    // Member, score → score, member.
    for (let at = 0; at < flat.length; at += 2) {
      [flat[at], flat[at + 1]] = [flat[at + 1] ?? '', flat[at] ?? ''];
    }
  }
  const writes: Write[] = [];
  for (let at = 0; at < flat.length; at += 2 * MEMBERS_PER_COMMAND) {
    const command = type === 'zset' ? 'zadd' : 'sadd';
    writes.push([command, key, ...flat.slice(at, at + 2 * MEMBERS_PER_COMMAND)]);
  }
  return writes;
}

async function main(): Promise<void> {
  const { values } = parseArgs({ options: { only: { type: 'string', default: '' } } });
  const source = new Redis(required('SOURCE_REDIS_URL'));
  const target = new Redis(required('REDIS_URL'));
  const pattern = `${required('KEY_ROOT').replace(/[*?[\]\\^]/g, '\\$&')}${values.only}*`;
  let keys = 0;
  let seconds = 0;
  const batch = COMMANDS_PER_PIPELINE * PIPELINES_AT_ONCE;
  let found: string[] = [];
  const copy = async (): Promise<void> => {
    const types = (await pipelined(
      source,
      found.map((key) => ['type', key]),
    )) as string[];
    const reads = found.map((key, index): Write => {
      const read = READ[types[index] ?? ''];
      if (read === undefined) throw new Error(`${key} is a ${types[index]}`);
      return read(key);
    });
    const contents = await pipelined(source, reads);
    const writes = found.flatMap((key, index) => writesOf(types[index] ?? '', key, contents[index]));
    const startedAt = performance.now();
    await pipelined(target, writes);
    seconds += (performance.now() - startedAt) / 1000;
    keys += found.length;
    found = [];
  };
  let cursor = '0';
  do {
    const [next, page] = await source.scan(cursor, 'MATCH', pattern, 'COUNT', 5000);
    cursor = next;
    found.push(...page);
    if (found.length >= batch) await copy();
  } while (cursor !== '0');
  await copy();
  console.log(JSON.stringify({ keys, seconds }));
  source.disconnect();
  target.disconnect();
}

void main();
