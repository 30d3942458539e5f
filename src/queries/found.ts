import { Problem, type ProblemSlug } from '../domain/problems';
import type { Positioned } from '../read-model/reader';

/** What a query found. @throws Problem with this slug where it found nothing, which says at which position that is so. */
export function found<T>(
  { at, value }: Positioned<T | undefined>,
  slug: ProblemSlug,
  what: string,
): Positioned<T> {
  if (value !== undefined) return { at, value };
  const { position } = at;
  throw new Problem(slug, `There is no ${what} at position ${position}.`, { members: { position } });
}
