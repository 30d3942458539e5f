import { z } from 'zod';
import type { Redis } from '../redis/client';
import { loadScript } from '../redis/script';
import type { Keys, KeySpace } from './keys';

const script = loadScript(__dirname, ['checkpoint', 'promote']);

/** What `promote.lua` says; its header says which status means what. */
const answer = z
  .tuple([z.enum(['promoted', 'overtaken', 'missing', 'behind']), z.string()])
  .transform(([status, detail]) => ({ status, detail }));

/** Makes a complete generation the live one, if it has at least what the old one has. */
export async function promote(
  redis: Redis,
  space: KeySpace,
  to: Keys,
  from: Keys | undefined,
): Promise<z.output<typeof answer>> {
  const reply = await script.run(
    redis,
    [space.live, to.checkpoint, (from ?? to).checkpoint],
    [from?.generation ?? '', to.generation],
  );
  return answer.parse(reply);
}
