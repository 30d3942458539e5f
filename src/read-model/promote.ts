import { z } from 'zod';
import type { Redis } from '../redis/client';
import { loadScript } from '../redis/script';
import type { Keys, KeySpace } from './keys';

const script = loadScript(__dirname, ['checkpoint', 'promote']);

const answer = z.tuple([z.enum(['promoted', 'overtaken', 'missing', 'behind']), z.string()]);

/** What `promote.lua` said; its header says which status means what. */
export interface Promotion {
  status: z.output<typeof answer>[0];
  detail: string;
}

/** Makes a complete generation the live one, if it has at least what the old one has. */
export async function promote(
  redis: Redis,
  space: KeySpace,
  to: Keys,
  from: Keys | undefined,
): Promise<Promotion> {
  const reply = await script.run(
    redis,
    [space.live, to.checkpoint, (from ?? to).checkpoint],
    [from?.generation ?? '', to.generation],
  );
  const [status, detail] = answer.parse(reply);
  return { status, detail };
}
